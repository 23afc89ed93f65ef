import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { JudgePolicyVersion, NamedJudgePolicy } from "@/api/types";
import { renderPage } from "@/testing/render";
import { aReport, aReportFile } from "@/testing/reports";
import { json, on, onPost, problem } from "@/testing/server";
import { formatPolicy } from "./format-policy";
import { JudgePage } from "./JudgePage";

const AT = "2026-11-25T00:00:00Z";

function aVersion(version: number, asks: "all" | "each", fields: Partial<JudgePolicyVersion> = {}): JudgePolicyVersion {
  const policy = { name: "strict", version, stages: [{ kind: "single" }], asks, judge_after_checks: false };
  const judged = { met: 0, not_met: 0, unjudged: 0, cost_usd: "0", tokens: 0 };
  const shown = { version, created_at: AT, actor: "anna", judged, warnings: [] };
  return { ...shown, policy: policy as JudgePolicyVersion["policy"], ...fields };
}

const STRICT: NamedJudgePolicy = {
  name: "strict",
  current: 1,
  newest: 2,
  versions: [
    aVersion(2, "each", { note: "one by one" }),
    aVersion(1, "all", { judged: { met: 3, not_met: 1, unjudged: 0, cost_usd: "0.5", tokens: 10 } }),
  ],
  moves: [{ version: 1, reason: "no time", actor: "ben", created_at: AT }],
};

async function page(named = STRICT, version?: number) {
  on("get", "/api/judges/:name", () => json(named));
  const shown = await renderPage(<JudgePage name={named.name} version={version} />);
  await screen.findByText("one by one");
  return shown;
}

it("shows the versions, what came of them, and which was current when", async () => {
  await page();
  const versions = screen.getByRole("region", { name: "Versions" });
  expect(within(versions).getByText("3 accepted, 1 not (75 %), $0.50")).toBeVisible();
  expect(within(versions).getByText("nothing judged yet")).toBeVisible();
  expect(within(versions).getByText("current").closest("p")).toHaveTextContent("Version 1");
  expect(screen.getByRole("region", { name: "Version 1" })).toHaveTextContent('"asks": "all"');
  expect(screen.getByRole("region", { name: "What was current" })).toHaveTextContent("no time");
});

it("compares two versions", async () => {
  const { user } = await page(STRICT, 2);
  await user.selectOptions(screen.getByLabelText("Compared with"), "version 1");
  const diff = await screen.findByRole("region", { name: "version 2 compared with version 1" });
  expect(diff).toHaveTextContent(/− *"asks": "all"/);
  expect(diff).toHaveTextContent(/\+ *"asks": "each"/);
});

it("promotes what the golden set refuses only for a reason, which is sent", async () => {
  const asked = onPost("/api/judges/:name/promote", async (request) => {
    const { force_reason: reason } = (await request.json()) as { force_reason?: string };
    return reason ? json({ ...STRICT, current: 2 }) : problem(409, "golden_set_failed", "it lets 2 bad results pass");
  });
  const { user } = await page();
  await user.click(screen.getByRole("button", { name: "Promote version 2" }));
  const dialog = screen.getByRole("alertdialog", { name: "Judge by version 2 of strict?" });
  expect(within(dialog).queryByLabelText("Why anyway")).not.toBeInTheDocument();
  await user.click(within(dialog).getByRole("button", { name: "Promote" }));
  expect(await within(dialog).findByText("it lets 2 bad results pass")).toBeVisible();
  const force = within(dialog).getByRole("button", { name: "Promote anyway" });
  expect(force).toHaveAttribute("aria-disabled", "true");
  await user.type(within(dialog).getByLabelText("Why anyway"), "the set is old");
  await user.click(force);
  await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
  expect(await asked[1]?.json()).toEqual({ version: 2, force_reason: "the set is old" });
});

it("promotes with the report that passes the golden set, without what nobody looks at", async () => {
  const asked = onPost("/api/judges/:name/promote", async (request) => {
    const { report } = (await request.json()) as { report?: object };
    return report ? json({ ...STRICT, current: 2 }) : problem(409, "golden_not_evaluated", "evaluate strict@2 first");
  });
  const { user } = await page();
  await user.click(screen.getByRole("button", { name: "Promote version 2" }));
  const dialog = screen.getByRole("alertdialog");
  await user.click(within(dialog).getByRole("button", { name: "Promote" }));
  expect(await within(dialog).findByText("evaluate strict@2 first")).toBeVisible();
  const file = within(dialog).getByLabelText("Report on the golden set");
  await user.upload(file, aReportFile("nonsense"));
  expect(await within(dialog).findByText(/It is no report/)).toBeVisible();
  await user.upload(file, aReportFile());
  await waitFor(() => expect(within(dialog).queryByText(/It is no report/)).not.toBeInTheDocument());
  expect(within(dialog).queryByLabelText("Why anyway")).not.toBeInTheDocument();
  await user.click(within(dialog).getByRole("button", { name: "Promote" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).not.toBeInTheDocument());
  const { policies, evaluation } = aReport();
  const looked = policies.map(({ policy, versions, overall }) => ({ policy, versions, overall }));
  expect(await asked[1]?.json()).toEqual({ version: 2, report: { evaluation, policies: looked } });
});

it("promotes no version while its report is being read", async () => {
  const { user } = await page();
  await user.click(screen.getByRole("button", { name: "Promote version 2" }));
  const dialog = screen.getByRole("alertdialog");
  const file = aReportFile();
  const { promise, resolve } = Promise.withResolvers<string>();
  file.text = () => promise;
  await user.upload(within(dialog).getByLabelText("Report on the golden set"), file);
  const promote = within(dialog).getByRole("button", { name: "Promote" });
  expect(promote).toHaveAttribute("aria-disabled", "true");
  resolve(JSON.stringify(aReport()));
  await waitFor(() => expect(promote).not.toHaveAttribute("aria-disabled", "true"));
});

it("leaves what validators report to them", async () => {
  const { user } = await page({ ...STRICT, name: "default" });
  await user.click(screen.getByRole("button", { name: "New version" }));
  expect(screen.queryByRole("dialog")).not.toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Promote version 2" })).toHaveAttribute("aria-disabled", "true");
});

it("says of a new version what is wrong, where it is, and overwrites no newer one", async () => {
  const asked = on("put", "/api/judges/:name", () =>
    problem(422, "invalid_request", "no", [{ pointer: "#/policy/stages/0/kind", message: "must be a stage" }]),
  );
  const { user } = await page();
  await user.click(screen.getByRole("button", { name: "New version" }));
  const dialog = screen.getByRole("dialog", { name: "New version of strict" });
  await within(dialog).findByRole("textbox", { name: "Policy" });
  await user.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await within(dialog).findByText("stages.0.kind:")).toBeVisible();
  expect(within(dialog).getByText("must be a stage")).toBeVisible();
  expect(asked[0]?.headers.get("If-Match")).toBe('"2"');
  expect(await asked[0]?.json()).toMatchObject({ policy: { name: "strict", asks: "each" } });
});

it("leaves the form for the version that was saved, and writes no more than is set", async () => {
  const policy = { ...STRICT.versions?.[0]?.policy, prompt: undefined } as JudgePolicyVersion["policy"];
  const saved = { ...STRICT, newest: 3, versions: [aVersion(3, "all", { policy }), ...(STRICT.versions ?? [])] };
  on("put", "/api/judges/:name", () => {
    on("get", "/api/judges/:name", () => json(saved));
    return json({ ...saved, version: 3, warnings: [] });
  });
  const { user, router } = await page();
  await user.click(screen.getByRole("button", { name: "New version" }));
  const dialog = screen.getByRole("dialog", { name: "New version of strict" });
  await user.type(within(dialog).getByLabelText("Note"), "all at once");
  await user.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(router.state.location.href).toBe("/?version=3"));
  expect(formatPolicy(policy ?? {})).not.toContain("prompt");
});
