import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { aJob, aLog, aVerdict } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on, onPost, serveJob, serveJobs } from "@/testing/server";
import { PlaygroundPage } from "./PlaygroundPage";

const AT = "2026-11-25T00:00:00Z";
const RESULT = "the moon and June";

function serveNames() {
  onPost("/api/criteria/lint", () => json({ warnings: [] }));
  on("get", "/api/criteria-sets", () => items());
  on("get", "/api/judges", () => json({ items: [{ name: "strict", current: 3, newest: 3 }], validators: [] }));
}

async function open(search = {}) {
  serveNames();
  const shown = await renderPage(<PlaygroundPage search={search} />);
  await screen.findByLabelText("Result");
  return shown;
}

it("judges a result without a job, says where it is, and shows evidence where it was typed", async () => {
  const asked = onPost("/api/judgings", () => json({ id: "g1" }, 201));
  let reads = 0;
  on("get", "/api/judgings/:id", () => {
    reads += 1;
    const judging = { item: 0, kind: "try", created_at: AT, cost_usd: "0.002", tokens: 500 };
    if (reads === 1) return items({ ...judging, state: "QUEUED" });
    return items({ ...judging, state: "DONE", verdict: aVerdict({ judge: "strict@3" }) });
  });
  const { user } = await open();
  expect(screen.getByRole("button", { name: "Judge it" })).toHaveAttribute("aria-disabled", "true");
  await user.type(screen.getByLabelText("Result"), RESULT);
  await user.type(screen.getByLabelText("Criteria"), "It rhymes");
  await user.selectOptions(await screen.findByLabelText("Judge policy"), await screen.findByText("strict (version 3)"));
  await user.click(screen.getByRole("button", { name: "Judge it" }));
  expect(await screen.findByText("It waits for a validator.")).toBeVisible();
  await user.click(await screen.findByRole("button", { name: /moon and June/ }, { timeout: 5_000 }));
  const field = screen.getByLabelText<HTMLTextAreaElement>("Result");
  expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe("moon and June");
  expect(screen.queryByRole("link", { name: "Receipt" })).not.toBeInTheDocument();
  expect(screen.getByText("$0.0020, 500 tokens")).toBeVisible();
  expect(await asked[0]?.json()).toEqual({
    kind: "try",
    cases: [{ result: RESULT, acceptance_criteria: "It rhymes" }],
    judge: "strict",
  });
  await user.type(field, "!");
  expect(screen.getByText(/The form has changed since/)).toBeVisible();
});

it("says what came in place of a verdict", async () => {
  onPost("/api/judgings", () => json({ id: "g1" }, 201));
  const lost = { item: 0, kind: "try", created_at: AT, state: "DONE", code: "judging_lost", message: "twenty times" };
  on("get", "/api/judgings/:id", () => items(lost));
  const { user } = await open();
  await user.type(screen.getByLabelText("Result"), "a");
  await user.type(screen.getByLabelText("Criteria"), "b");
  await user.click(screen.getByRole("button", { name: "Judge it" }));
  expect(await screen.findByText("judging_lost")).toBeVisible();
});

it("begins with a job's result as it is stored, and refuses what is no JSON", async () => {
  const job = aJob({ status: "REJECTED", payload: { n: 1 }, acceptance_criteria: "It rhymes" });
  serveJob(job, [aLog({ version: 4, kind: "not_met", result: { id: 12 } })]);
  const { user } = await open({ job: "poem" });
  expect(screen.getByLabelText("Criteria")).toHaveValue("It rhymes");
  expect(screen.getByRole("radio", { name: "JSON" })).toBeChecked();
  expect(screen.getByRole("link", { name: "A poem" })).toHaveAttribute("href", "/jobs/poem");
  const field = screen.getByLabelText("Result");
  expect(JSON.parse((field as HTMLTextAreaElement).value)).toEqual({ id: 12 });
  await user.type(field, "x");
  expect(screen.getByText(/It is not JSON/, { selector: "p" })).toBeVisible();
});

it("runs a draft over the newest results as a shadow, after its number and cost were shown", async () => {
  serveJobs([aJob({ id: "a", status: "COMPLETED" }), aJob({ id: "b", status: "REJECTED" })]);
  onPost("/api/operations/preview", () =>
    json({ total: 2, items_max: 10_000, sample: [], cost_usd: "0.5", cost_of: 2 }),
  );
  const asked = onPost("/api/operations", () => json({ id: "op-1" }, 201));
  const { user, router } = await open();
  await user.type(screen.getByLabelText("Criteria"), "It is short");
  await user.click(screen.getByRole("button", { name: "Over the last 20 results…" }));
  const dialog = await screen.findByRole("alertdialog", { name: "Judge again 2 jobs?" });
  expect(await within(dialog).findByText("Estimated cost: $0.50, by what judging them cost last")).toBeVisible();
  await user.click(within(dialog).getByRole("button", { name: "Judge again" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/batches/op-1"));
  expect(await asked[0]?.json()).toEqual({
    kind: "rejudge",
    job_ids: ["a", "b"],
    shadow: true,
    criteria: "It is short",
  });
});
