import { act, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aJob } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { on, problem, serveJobs } from "@/testing/server";

const BATCH = "0199d5a8-0000-7000-8000-00000000000a";
const page = async (address = "/") => {
  const asked = serveJobs([aJob({ title: "Alpha" })]);
  const shown = await renderPage((search) => <JobsPage search={search} />, { address });
  await screen.findByText("Alpha");
  const searched = (text: string) => waitFor(() => expect(shown.router.state.location.searchStr).toBe(text));
  return { ...shown, asked, searched };
};
const field = (name: string) => screen.getByLabelText(name);

it("what is typed takes effect with Enter and when the field is left, and is not overwritten meanwhile", async () => {
  const { user, router, searched } = await page();
  await user.type(field("Tenant"), "acme{Enter}");
  await searched("?tenant=acme");
  await user.type(field("Search jobs"), "moon");
  await act(() => router.navigate({ to: "/" as never, search: { status: ["FAILED"] } as never }));
  expect(field("Search jobs")).toHaveValue("moon");
  await user.tab();
  await searched("?status=FAILED&text=moon");
  expect(field("Tenant")).toHaveValue("");
});

it("a label may hold colons and spaces; each is a chip, and half of one is told of", async () => {
  const { user, searched } = await page();
  await user.type(field("Label"), "team{Enter}");
  expect(field("Label")).toBeInvalid();
  expect(field("Label")).toHaveAccessibleDescription(/name:value/);
  await user.type(field("Label"), ":a b:c{Enter}");
  await searched("?label=team%3Aa+b%3Ac");
  expect(field("Label")).toHaveValue("");
  await user.type(field("Label"), "kind:x{Enter}");
  await searched("?label=team%3Aa+b%3Ac&label=kind%3Ax");
  await user.click(await screen.findByRole("button", { name: "Remove the filter label team:a b:c" }));
  await searched("?label=kind%3Ax");
});

it("a batch is a UUID, and nothing else is asked for", async () => {
  const { user, asked, searched } = await page();
  await user.type(field("Batch"), "nightly{Enter}");
  expect(field("Batch")).toHaveAccessibleDescription("A batch is named by a UUID.");
  expect(asked).toHaveLength(1);
  await user.clear(field("Batch"));
  await user.type(field("Batch"), `${BATCH}{Enter}`);
  await searched(`?batch=${BATCH}`);
  expect(field("Batch")).toBeValid();
});

it("exact times are read in the zone that was chosen, and stand in the address and among the chips", async () => {
  localStorage.setItem("signoff.zone", '"UTC"');
  const { user, searched, asked } = await page("/?period=1h");
  await user.selectOptions(field("Created"), "From – to");
  await searched("");
  await user.type(field("Created from (UTC)"), "2026-11-24T10:00{Enter}");
  await searched("?from=2026-11-24T10%3A00%3A00.000Z");
  await user.type(field("Created before (UTC)"), "2026-11-24T09:00{Enter}");
  expect(field("Created before (UTC)")).toHaveAccessibleDescription("It ends before it begins.");
  const chip = await screen.findByRole("button", { name: "Remove the filter created from 24 Nov 2026, 10:00 UTC" });
  await waitFor(() => expect(asked.at(-1)?.searchParams.get("created_after")).toBe("2026-11-24T10:00:00.000Z"));
  await user.click(chip);
  await searched("?to=2026-11-24T09%3A00%3A00.000Z"); // nothing hinders it any more
  await user.click(screen.getByRole("button", { name: "Clear the filters" }));
  await searched("");
});

it("what the server refuses is said at the list, with the way out", async () => {
  on("get", "/api/jobs", () =>
    problem(422, "invalid_request", "the request is not valid", [{ parameter: "batch_id", message: "it is no UUID" }]),
  );
  const { user, router } = await renderPage((search) => <JobsPage search={search} />, { address: "/?batch=b" });
  expect(await screen.findByText("batch_id: it is no UUID")).toBeVisible();
  serveJobs([aJob({ title: "Alpha" })]);
  await user.click(screen.getAllByRole("button", { name: "Clear the filters" }).at(-1) as HTMLElement);
  await waitFor(() => expect(router.state.location.searchStr).toBe(""));
  expect(await screen.findByText("Alpha")).toBeVisible();
});
