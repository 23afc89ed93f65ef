import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { AgentNames } from "@/api/agents";
import { aMe } from "@/testing/callers";
import { aLimit } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { items, json, on } from "@/testing/server";
import { describeLimit, describeLimitName, describeSpending } from "./describe-limit";
import { LimitsPage } from "./LimitsPage";
import { findLimit } from "./queries";

it("says what a limit holds back, and of whom", () => {
  const limit = aLimit({ rate: 10, rate_period_s: 60, queue_max: 1, weight: 2, paused: true });
  expect(describeLimit(limit)).toBe("4 at once, 10 in each 60 s, 1 execution may wait, weight 2, paused");
  expect(describeLimit({ usd_per_day: "20", judge_policies: ["cheap", "standard"] })).toBe(
    "20 USD a day, judged by cheap or standard",
  );
  expect(describeLimit({})).toBe("none");
  expect(describeSpending(aLimit({ agents_usd: "3.5", judges_usd: "0" }))).toBe("today agents 3.5 and judges 0 USD");
  expect(describeSpending(aLimit({ agents_usd: "0", judges_usd: "0" }))).toBeNull();
  expect(describeLimitName("tenant:a:b")).toBe("Tenant a:b");
  expect(describeLimitName("agent:*")).toBe("Each agent");
  expect(describeLimitName("label:team=*")).toBe("Each value of the label team");
});

it("names an agent by its name, with its id at hand", async () => {
  const id = "0199d5a8-0000-7000-8000-00000000000a";
  on("get", "/api/limits", () => items(aLimit({ name: `agent:${id}` })));
  const names = new Map([[id, "scribe"]]);
  const { user } = await renderPage(
    <AgentNames value={names}>
      <LimitsPage />
    </AgentNames>,
  );
  expect(await screen.findByText("Agent scribe")).toBeVisible();
  expect(screen.getByText(`agent:${id}`)).toBeVisible();
  await user.click(screen.getByRole("button", { name: `Remove agent:${id}` }));
  expect(screen.getByRole("alertdialog")).toHaveTextContent("Agent scribe is held back no longer");
});

it("finds the limit that holds: the own one before that of all", () => {
  const all = aLimit({ name: "agent:*" });
  expect(findLimit([all], "agent:writer")).toBe(all);
  expect(findLimit([all, aLimit()], "agent:writer")?.name).toBe("agent:writer");
  expect(findLimit([aLimit({ name: "tenant:*" })], "agent:writer")).toBeUndefined();
});

it("removes a limit once it is confirmed", async () => {
  on("get", "/api/limits", () => items(aLimit({ name: "tenant:acme", queue_max: 50 })));
  const asked = on("delete", "/api/limits/:name", () => new Response(null, { status: 204 }));
  const { user } = await renderPage(<LimitsPage />);
  expect(await screen.findByText("4 at once, 50 executions may wait")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Remove tenant:acme" }));
  const dialog = screen.getByRole("alertdialog", { name: "Remove this limit?" });
  await user.click(within(dialog).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(asked).toHaveLength(1));
});

it("asks a tenant's limit for what only tenants have, and says that nothing is limited", async () => {
  on("get", "/api/limits", () => items());
  const { user } = await renderPage(<LimitsPage />);
  expect(await screen.findByText("Nothing is limited")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Set a limit" }));
  expect(screen.queryByLabelText("Weight")).not.toBeInTheDocument();
  await user.type(screen.getByLabelText("Name"), "tenant:acme");
  expect(screen.getByLabelText("Weight")).toBeVisible();
});

it("sets what a tenant may spend in a day, and the judge policies that it may name", async () => {
  on("get", "/api/limits", () => items(aLimit({ name: "tenant:acme", usd_per_day: "20", agents_usd: "19.5" })));
  const asked = on("patch", "/api/limits/:name", () => json(aLimit({ name: "tenant:acme" })));
  const { user } = await renderPage(<LimitsPage />);
  expect(await screen.findByText("today agents 19.5 and judges 0 USD")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Change tenant:acme" }));
  expect(screen.getByLabelText("Dollars in a day")).toHaveValue(20);
  await user.clear(screen.getByLabelText("Dollars in a day"));
  await user.type(screen.getByLabelText("Dollars in a day"), "0.5");
  await user.type(screen.getByLabelText("Judge policies that may be named"), "cheap, standard");
  await user.click(screen.getByRole("button", { name: "Set" }));
  await waitFor(() => expect(asked).toHaveLength(1));
  expect(await asked[0]?.json()).toEqual({ usd_per_day: "0.5", judge_policies: ["cheap", "standard"] });
});

it("asks before a limit that was begun is lost, and not where nothing was filled in", async () => {
  on("get", "/api/limits", () => items(aLimit()));
  const { user } = await renderPage(<LimitsPage />);
  await user.click(await screen.findByRole("button", { name: "Change agent:writer" }));
  const gone = () => waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
  await user.keyboard("{Escape}");
  await gone();
  await user.click(screen.getByRole("button", { name: "Change agent:writer" }));
  await user.type(screen.getByLabelText("Executions at once"), "0");
  await user.keyboard("{Escape}");
  const warning = await screen.findByRole("alertdialog", { name: "Leave without saving?" });
  expect(screen.getByLabelText("Executions at once")).toHaveValue(40);
  await user.click(within(warning).getByRole("button", { name: "Leave" }));
  await gone();
});

it("does not offer a tenant's administrator what its tenant may spend, and leaves it as it is", async () => {
  const limit = aLimit({ name: "tenant:press", usd_per_day: "20", judge_policies: ["cheap"] });
  on("get", "/api/me", () => json(aMe({ all_tenants: false, tenants: ["press"] })));
  on("get", "/api/limits", () => items(limit));
  const changed = on("patch", "/api/limits/:name", () => json(limit));
  const set = on("put", "/api/limits/:name", () => json(limit));
  const { user } = await renderPage(<LimitsPage />);
  await user.click(await screen.findByRole("button", { name: "Change tenant:press" }));
  expect(screen.getByLabelText("Weight")).toBeVisible();
  for (const label of ["Dollars in a day", "Judge policies that may be named"])
    expect(screen.queryByLabelText(label)).not.toBeInTheDocument();
  await user.type(screen.getByLabelText("Weight"), "2");
  await user.click(screen.getByRole("button", { name: "Set" }));
  await waitFor(() => expect(changed).toHaveLength(1));
  expect(await changed[0]?.json()).toEqual({ weight: 2 });
  await user.click(await screen.findByRole("button", { name: "Set a limit" }));
  await user.type(screen.getByLabelText("Name"), "tenant:press");
  await user.click(screen.getByRole("button", { name: "Set" }));
  await waitFor(() => expect(set).toHaveLength(1));
  expect(Object.keys(await set[0]?.json())).not.toContain("usd_per_day");
});
