import { act, screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, it } from "vitest";
import { JobsPage } from "@/jobs/list/JobsPage";
import { aJob, anOverview } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, on, problem, serveJobs } from "@/testing/server";

const page = async (address = "/jobs") => {
  const asked = serveJobs([aJob({ title: "Alpha" })]);
  const shown = await renderPage((search) => <JobsPage search={search} />, { address });
  await screen.findByText("Alpha");
  const sorted = (text: string) => text.replace("?", "").split("&").toSorted();
  const searched = (text: string) =>
    waitFor(() => expect(sorted(shown.router.state.location.searchStr)).toEqual(sorted(text)));
  return { ...shown, asked, searched };
};
const field = (name: string) => screen.getByLabelText(name);
const add = async (user: UserEvent, name: string) => {
  await user.click(screen.getByRole("button", { name: "Filter" }));
  await user.click(await screen.findByRole("option", { name: new RegExp(`^${name}`) }));
};
const facets = (...values: [string, number, string?][]) =>
  on("get", "/api/job-facets", () =>
    json({ facets: values.map(([value, count, name = null]) => ({ value, count, name })), capped_at: 10_000 }),
  );

it("words take effect with Enter and when the field is left, and are not overwritten meanwhile", async () => {
  const { user, router, searched } = await page();
  await user.type(field("Search jobs"), "acme{Enter}");
  await searched("?text=acme");
  await user.type(field("Search jobs"), " moon");
  await act(() => router.navigate({ to: "/jobs" as never, search: { status: ["FAILED"] } as never }));
  expect(field("Search jobs")).toHaveValue("acme moon");
  await user.tab();
  await searched("?status=FAILED&text=acme+moon");
});

it("a query takes effect with Enter: its fields are filters, and its words stay", async () => {
  const { user, asked, searched } = await page("/jobs?tenant=press");
  await user.type(field("Search jobs"), 'moon status:failed cost>0.1 label:team="a b"{Enter}');
  await searched("?status=FAILED&tenant=press&label=team%3Aa+b&costMin=0.1&text=moon");
  expect(field("Search jobs")).toHaveValue("moon");
  await waitFor(() => expect(asked.at(-1)?.searchParams.get("cost_usd_min")).toBe("0.1"));
  await user.click(screen.getByRole("button", { name: "Remove the filter cost at least $0.1" }));
  await searched("?status=FAILED&tenant=press&label=team%3Aa+b&text=moon");
  await user.clear(field("Search jobs"));
  await user.type(field("Search jobs"), "status:rejected");
  await user.tab();
  await searched("?status=REJECTED&tenant=press&label=team%3Aa+b");
  expect(field("Search jobs")).toHaveValue("");
});

it("what is wrong with a query is said below it and marked in it, and nothing is asked for", async () => {
  const { user, asked, searched } = await page();
  const input = field("Search jobs") as HTMLInputElement;
  await user.type(input, "moon cost>much{Enter}");
  expect(await screen.findByRole("alert")).toHaveTextContent("cost>much: a cost is in dollars, such as 0.1.");
  expect(input).toBeInvalid();
  expect(input.value.slice(input.selectionStart ?? 0, input.selectionEnd ?? 0)).toBe("cost>much");
  expect(asked).toHaveLength(1);
  await user.keyboard("cost>2{Enter}");
  await searched("?costMin=2&text=moon");
  expect(screen.queryByRole("alert")).not.toBeInTheDocument();
});

it("fields and values are suggested while they are typed, and taken by keyboard", async () => {
  const asked = facets(["FAILED", 7], ["COMPLETED", 10_000]);
  const { user, searched } = await page();
  await user.type(field("Search jobs"), "sta");
  await screen.findByRole("option", { name: "status:" });
  expect(field("Search jobs")).toHaveAttribute("aria-expanded", "true");
  await user.keyboard("{ArrowDown}{Tab}");
  expect(field("Search jobs")).toHaveValue("status:");
  const list = await screen.findByRole("listbox", { name: "Suggestions" });
  const options = await within(list).findAllByRole("option");
  expect(options.map((each) => each.textContent)).toEqual(["status:failed7", "status:completed10,000+"]);
  await user.keyboard("{ArrowDown}");
  expect(field("Search jobs")).toHaveAttribute("aria-activedescendant", options[0]?.id);
  await user.keyboard("{Enter}{Enter}");
  await searched("?status=FAILED");
  expect(asked).toHaveLength(1);
  expect(new URL(asked[0]?.url ?? "").search).toBe("?field=status&page_size=100"); // and not "sta"
});

it("a menu has the values of a field with their counts, whatever is chosen of it", async () => {
  const asked = facets(["writer", 10_000, "The writer"], ["ocr", 3]);
  const { user, searched } = await page("/jobs?agent=gone&status=FAILED&sort=cost");
  await user.click(await screen.findByRole("button", { name: "Edit the filter agent gone" }));
  const options = await within(await screen.findByRole("dialog")).findAllByRole("option");
  expect(options.map((each) => each.textContent)).toEqual(["gone, chosen0", "The writer10,000+", "ocr3"]);
  expect(Object.fromEntries(new URL(asked[0]?.url ?? "").searchParams)).toMatchObject({
    field: "agent",
    status: "FAILED",
  });
  await user.keyboard("oc{Enter}");
  await searched("?status=FAILED&agent=ocr&sort=cost");
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Filter" }));
  await user.type(await screen.findByLabelText("Find a filter"), "ten{Enter}");
  await user.type(await screen.findByLabelText("Find a value of tenant"), "press{Enter}");
  await searched("?status=FAILED&agent=ocr&tenant=press&sort=cost");
});

it("several codes may be chosen, and one value of each label", async () => {
  facets(["x", 2], ["y", 1]);
  const { user, searched } = await page("/jobs?label=team:old&label=kind:z");
  await add(user, "Code");
  for (const name of ["x", "y"]) await user.click(await screen.findByRole("option", { name: new RegExp(`^${name}`) }));
  await searched("?label=team%3Aold&label=kind%3Az&code=x&code=y");
  await user.keyboard("{Escape}");
  facets(["team", 9]);
  await add(user, "Label");
  facets(["new", 4]);
  await user.click(await screen.findByRole("option", { name: /^team/ }));
  await user.click(await screen.findByRole("option", { name: /^new/ }));
  await searched("?label=kind%3Az&label=team%3Anew&code=x&code=y");
});

it("a range is applied as a whole, and what is no number is told of", async () => {
  const { user, searched } = await page("/jobs?durationMin=60");
  await user.click(screen.getByRole("button", { name: "Edit the filter duration at least 60 s" }));
  expect(await screen.findByLabelText("At least")).toHaveValue("60s");
  await user.type(field("At most"), "1x{Enter}");
  expect(field("At most")).toHaveAccessibleDescription("a duration is such as 60s, 5m or 2h");
  await user.clear(field("At most"));
  await user.type(field("At most"), "5s{Enter}");
  expect(field("At most")).toHaveAccessibleDescription("Less than “At least”.");
  await user.clear(field("At most"));
  await user.type(field("At most"), "5m{Enter}");
  await searched("?durationMin=60&durationMax=300");
  expect(screen.getByRole("button", { name: "Remove the filter duration from 60 s to 300 s" })).toBeVisible();
});

it("exact times are read in the zone that was chosen, and stand in the address and among the chips", async () => {
  localStorage.setItem("signoff.zone", '"UTC"');
  const { user, searched, asked } = await page("/jobs?period=1h");
  await user.click(screen.getByRole("button", { name: "Edit the filter created within 1h" }));
  await user.type(await screen.findByLabelText("Created from (UTC)"), "2026-11-24T10:00{Enter}");
  await searched("?from=2026-11-24T10%3A00%3A00.000Z");
  await user.type(field("Created before (UTC)"), "2026-11-24T09:00{Enter}");
  expect(field("Created before (UTC)")).toHaveAccessibleDescription("It ends before it begins.");
  await waitFor(() => expect(asked.at(-1)?.searchParams.get("created_after")).toBe("2026-11-24T10:00:00.000Z"));
  await user.click(
    within(screen.getByRole("dialog", { name: /^Filter created/ })).getByRole("button", { name: "Last 7d" }),
  );
  await searched("?period=7d");
  await user.click(screen.getByRole("button", { name: "Remove the filter created within 7d" }));
  await searched("");
});

it("chips are walked by keyboard: Delete takes a filter away, and what is left out is edited as it is typed", async () => {
  const { user, searched } = await page("/jobs?tenant=press&notCode=a&notCode=no_progress&notStatus=FAILED");
  const chips = within(screen.getByRole("list", { name: "Filters" }));
  expect(chips.getAllByRole("listitem")).toHaveLength(4);
  act(() => chips.getByRole("button", { name: "Edit the filter tenant press" }).focus());
  await user.keyboard("{Delete}");
  await searched("?notStatus=FAILED&notCode=a&notCode=no_progress");
  expect(field("Search jobs")).toHaveFocus();
  await user.click(chips.getByRole("button", { name: "Edit the filter code not no_progress" }));
  expect(field("Search jobs")).toHaveValue("-code:a -code:no_progress");
  await user.type(field("Search jobs"), "_at_all{Enter}");
  await searched("?notStatus=FAILED&notCode=a&notCode=no_progress_at_all");
});

it("reasons for which jobs wait are offered by their sums, in words", async () => {
  const sum = { owner: "operator", remedy: "resume it" };
  const waiting = [
    { ...sum, code: "limit_paused", name: "agent:scribe", count: 390 },
    { ...sum, code: "queue", name: "", count: 2 },
  ];
  on("get", "/api/overview", () => json(anOverview({ waiting })));
  const { user, searched } = await page();
  await add(user, "Reason");
  await user.click(await screen.findByRole("option", { name: /scribe is paused/ }));
  await searched("?reason=limit_paused%3Aagent%3Ascribe");
  await user.click(screen.getByRole("option", { name: /waits for its turn/ }));
  await searched("?reason=limit_paused%3Aagent%3Ascribe&reason=queue");
  expect(
    screen.getByRole("button", { name: "Remove the filter waiting: scribe is paused", hidden: true }),
  ).toBeVisible();
});

it("what the server refuses is said at the list, with the way out", async () => {
  on("get", "/api/jobs", () =>
    problem(422, "invalid_request", "the request is not valid", [{ parameter: "batch_id", message: "it is no UUID" }]),
  );
  const { user, router } = await renderPage((search) => <JobsPage search={search} />, { address: "/jobs?batch=b" });
  expect(await screen.findByText("batch_id: it is no UUID")).toBeVisible();
  serveJobs([aJob({ title: "Alpha" })]);
  await user.click(screen.getAllByRole("button", { name: "Clear the filters" }).at(-1) as HTMLElement);
  await waitFor(() => expect(router.state.location.searchStr).toBe(""));
  expect(await screen.findByText("Alpha")).toBeVisible();
});
