import { act, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aJob } from "@/testing/factories";
import { HISTORY } from "@/testing/history";
import { renderPage } from "@/testing/render";
import { serveJob } from "@/testing/server";
import { JobPage } from "./JobPage";

const openAt = (search: string) => renderPage(<JobPage id="poem" />, { address: `/?${search}` });

function serveAll() {
  serveJob(aJob({ status: "COMPLETED", version: 6, execution_id: "execution-2", submission: 2 }), HISTORY);
}

it("the address says which submission, view and criterion are shown", async () => {
  serveAll();
  const { user, router } = await openAt("submission=1&view=json&criterion=1");
  expect(await screen.findByRole("heading", { name: "Not accepted: 1 of 2 criteria not met" })).toBeVisible();
  const result = screen.getByRole("region", { name: "Result" });
  expect(within(result).getByRole("tab", { name: "JSON", selected: true })).toBeVisible();
  expect(result.querySelector("mark[aria-current]")).toHaveTextContent("moon and June");
  await user.click(within(result).getByRole("tab", { name: "Diff with submission 2" }));
  expect(router.state.location.search).toEqual({ submission: "1", view: "diff", criterion: "1" });
  await user.selectOptions(screen.getByRole("combobox", { name: "Submission" }), "Submission 2");
  expect(router.state.location.search).toEqual({ submission: "2", view: "diff" });
  expect(await screen.findByRole("tab", { name: "Diff with submission 1", selected: true })).toBeVisible();
  act(() => router.history.back());
  expect(await screen.findByRole("tab", { name: "Diff with submission 2", selected: true })).toBeVisible();
  await user.click(screen.getByTitle(/^Show where it stands in the result/));
  expect(await screen.findByRole("tab", { name: "Text", selected: true })).toBeVisible();
  expect(router.state.location.search).toEqual({ submission: "1", criterion: "1" });
});

it.each([
  ["submission=9", "There is no submission 9: Submission 2 is shown."],
  ["against=2", "There is no submission 2 to compare with: Submission 1 is."],
  ["view=table", "There is no view table of this result: the best is shown."],
  ["criterion=7", "There is no criterion 7 in this verdict: none is in hand."],
])("what is not there is ignored, and said so: %s", async (search, words) => {
  serveAll();
  await openAt(search);
  expect(await screen.findByText(words)).toBeVisible();
  expect(screen.getByRole("tab", { name: "Text", selected: true })).toBeVisible();
});

it("a description of Markdown is read as such, and is as harmless as a result", async () => {
  const description =
    "## Walk\n\nSee **both** quays. <script>1</script> ![x](https://x.example/p.png) [y](javascript:1)";
  serveJob(aJob({ description }), HISTORY.slice(0, 1));
  await renderPage(<JobPage id="poem" />);
  const shown = await screen.findByRole("region", { name: "Description" });
  expect(await within(shown).findByRole("heading", { name: "Walk" })).toBeVisible();
  expect(shown).toHaveTextContent("See both quays. <script>1</script> [image left out: x] y");
  expect(shown.querySelector("script, img, a")).toBeNull();
});
