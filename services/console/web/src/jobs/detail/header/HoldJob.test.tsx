import { screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, it } from "vitest";
import { JobHeader } from "@/jobs/detail/header/JobHeader";
import { aMe } from "@/testing/callers";
import { aJob } from "@/testing/factories";
import { aHold } from "@/testing/kept";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, problem } from "@/testing/server";

const head = (job = aJob({ status: "COMPLETED" })) =>
  renderPage(<JobHeader job={job} openByKey={null} onOpenedByKey={() => undefined} onDuplicate={() => undefined} />);
const find = async (user: UserEvent, name: string) => {
  await user.click(await screen.findByRole("button", { name: "More for A poem" }));
  return screen.findByRole("menuitem", { name });
};

it("a job is held from its menu, and says then who holds it and why", async () => {
  const asked = on("put", "/api/jobs/:id/hold", () => json(aHold()));
  const { user } = await head();
  await user.click(await find(user, "Hold"));
  const dialog = await screen.findByRole("alertdialog", { name: "Hold this job?" });
  await user.type(within(dialog).getByLabelText("Reason"), "an audit");
  on("get", "/api/holds", () => items(aHold()));
  await user.click(within(dialog).getByRole("button", { name: "Hold" }));
  await waitFor(() =>
    expect(screen.getByText("Held").nextElementSibling).toHaveTextContent(/^by token:eve .*: an audit$/),
  );
  expect(await asked[0]?.json()).toEqual({ reason: "an audit" });
});

it("a job that is held is not removed, and can be released", async () => {
  on("get", "/api/holds", () => items(aHold({ reason: undefined })));
  const asked = on("delete", "/api/jobs/:id/hold", () => problem(503, "database_away", "the database is away"));
  const { user } = await head();
  await screen.findByText("Held");
  const remove = await find(user, "Remove");
  expect(remove).toHaveAttribute("title", "It is held, and stays until it is released.");
  await user.click(screen.getByRole("menuitem", { name: "Release" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Release this job?" });
  await user.click(within(dialog).getByRole("button", { name: "Release" }));
  expect(await within(dialog).findByText("the database is away")).toBeVisible();
  expect(asked).toHaveLength(1);
});

it("one job is removed by the dialog of operations, by administrators alone", async () => {
  onPost("/api/operations/preview", () => json({ total: 1, items_max: 10, counts: {}, sample: [], cost_of: 0 }));
  const { user, unmount } = await head();
  await user.click(await find(user, "Remove"));
  const dialog = await screen.findByRole("alertdialog", { name: "Remove 1 job?" });
  expect(dialog).toHaveTextContent("This job");
  unmount();
  const may = aMe().may.filter((each) => each !== "delete_retention");
  on("get", "/api/me", () => json(aMe({ role: "operator", may })));
  const { user: operator } = await head();
  const remove = await find(operator, "Remove");
  await waitFor(() => expect(remove).toHaveAttribute("title", expect.stringMatching(/needs the role administrator/)));
});
