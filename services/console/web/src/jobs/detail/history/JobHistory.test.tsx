import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { jobKeys } from "@/api/query-keys";
import type { JobLog } from "@/api/types";
import { JobPage } from "@/jobs/detail/JobPage";
import { type JobLogs, logsQuery, olderLogsQuery } from "@/jobs/model/logs";
import { groupBySubmission } from "@/jobs/model/submissions";
import { applyJobs } from "@/live/apply-changes";
import { aChange, aJob, aLog } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { serveJob } from "@/testing/server";
import { JobHistory } from "./JobHistory";

const SHORT = [
  aLog({ version: 1, status: "ASSIGNED", execution_id: undefined, submission: undefined, kind: "created" }),
  aLog({ version: 2, status: "ASSIGNED", message: "submission 1 was requested" }),
  aLog({ version: 3, status: "RESUBMISSION_REQUIRED", kind: "not_met", message: "1 of 2 are met" }),
  aLog({ version: 4, status: "ASSIGNED", execution_id: "e-2", submission: 2, message: "submission 2 was requested" }),
  aLog({ version: 5, status: "COMPLETED", execution_id: "e-2", submission: 2, kind: "met", message: "all are met" }),
];

/** Two submissions that told much of their progress, each with a result. */
function long(each: number): JobLog[] {
  return [1, 2].flatMap((submission) =>
    Array.from({ length: each }, (_, at) => {
      const version = (submission - 1) * each + at + 1;
      const kind = at === 0 ? "claimed" : at === each - 1 ? "not_met" : "progress";
      const message = kind === "progress" ? `report ${version}` : kind;
      const result = kind === "not_met" ? { text: `line\ntext ${submission}` } : null;
      const status = kind === "not_met" ? "RESUBMISSION_REQUIRED" : "IN_PROGRESS";
      return aLog({ version, kind, status, message, result, submission, execution_id: `e-${submission}` });
    }),
  );
}

const shownItems = () => screen.getAllByRole("listitem").filter((each) => each.dataset.version);

it("the newest submission is open, and the order can be turned round", async () => {
  const { user } = await renderPage(<JobHistory jobId="poem" newest={SHORT} />);
  const titles = () => screen.getAllByRole("heading", { level: 3 }).map((each) => each.textContent?.slice(0, 12));
  expect(titles()).toEqual(["Assignmentwr", "Submission 1", "Submission 2"]);
  expect(screen.getByText("submission 2 was requested")).toBeVisible();
  expect(screen.queryByText("submission 1 was requested")).not.toBeInTheDocument();
  expect(screen.getByRole("button", { name: /^Submission 1/ })).toHaveTextContent("1 of 2 are met");
  await user.selectOptions(screen.getByLabelText("Order"), "Newest first");
  expect(titles()).toEqual(["Submission 2", "Submission 1", "Assignmentwr"]);
  expect(screen.queryByRole("button", { name: /older/ })).not.toBeInTheDocument();
});

it("the history can be narrowed to one kind", async () => {
  const { user } = await renderPage(<JobHistory jobId="poem" newest={SHORT} />);
  await user.selectOptions(screen.getByLabelText("Kind"), "Completed");
  expect(screen.getAllByRole("listitem")).toHaveLength(1);
});

it("a long history begins with its newest entries, without bodies, and goes back to the first one", async () => {
  const asked = serveJob(aJob({ status: "RESUBMISSION_REQUIRED", version: 240, execution_id: "e-2" }), long(120));
  const { user } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByRole("tab", { name: "Entries" }));
  await screen.findByLabelText("Order");
  expect(shownItems()).toHaveLength(100);
  await user.click(screen.getByText("Show 140 older"));
  const first = (await screen.findByText("report 2")).closest("section") as HTMLElement;
  expect(first).toHaveTextContent("Submission 1");
  expect(screen.queryByText(/older$/)).not.toBeInTheDocument();
  await user.click(within(first).getByText("Show 20 more"));
  expect(within(first).getByText("report 119")).toBeVisible();
  const whole = asked.filter((query) => query.get("view") === "full");
  expect(whole.map((query) => query.get("from_version"))).toEqual(["240", "120"]);
});

it("what is older is read in parts, until there is no more", async () => {
  serveJob(aJob(), long(600));
  const { client } = await renderPage(<p />);
  const { pages } = await client.fetchInfiniteQuery({ ...olderLogsQuery("poem", 1_101), pages: 9 });
  expect(pages.map(({ items }) => [items[0]?.version, items.length])).toEqual([
    [1_100, 500],
    [600, 500],
    [100, 100],
  ]);
});

it("submissions are compared whose entries are not read yet", async () => {
  serveJob(aJob({ status: "RESUBMISSION_REQUIRED", version: 240, execution_id: "e-2" }), long(120));
  const { user } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByRole("tab", { name: "Diff with submission 1" }));
  const diff = await screen.findByRole("region", { name: "This one compared with submission 1" });
  expect(diff).toHaveTextContent(/− *text 1.*\+ *text 2/);
  expect(within(diff).getByText("1").tagName).toBe("DEL");
});

it("what is read anew is what came since, and nothing is missing or twice", async () => {
  const logs = long(350);
  const asked = serveJob(aJob(), logs);
  const { client } = await renderPage(<JobHistory jobId="poem" newest={SHORT} />);
  const items = () => client.getQueryData<JobLogs>(jobKeys.logs("poem"))?.items ?? [];
  const versions = () => items().map(({ version }) => version);
  const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
  await client.fetchQuery(logsQuery("poem"));
  expect(versions()).toEqual(upTo(601, 700));
  logs.push(...Array.from({ length: 102 }, (_, at) => aLog({ version: 701 + at, execution_id: "e-3" })));
  act(() => applyJobs(client, new Map([["poem", [aChange({ version: 701 }), aChange({ version: 702 })]]])));
  expect(versions()).toEqual(upTo(601, 702));
  await client.fetchQuery({ ...logsQuery("poem"), staleTime: 0 });
  expect(versions()).toEqual(upTo(601, 802));
  expect(asked).toHaveLength(2);
  logs.push(...Array.from({ length: 1_500 }, (_, at) => aLog({ version: 803 + at })));
  await client.fetchQuery({ ...logsQuery("poem"), staleTime: 0 });
  expect(versions()).toEqual(upTo(1_303, 2_302));
});

it("a failed submission that is tried again has a name of its own, and an edit is no failure", async () => {
  const logs = [
    aLog({ version: 1, status: "FAILED", kind: "failed", code: "agent_timeout" }),
    aLog({
      version: 2,
      status: "FAILED",
      kind: "edited",
      execution_id: undefined,
      submission: undefined,
      message: "edited: title",
    }),
    aLog({ version: 3, status: "FAILED", kind: "failed", execution_id: "e-2", message: "failed again" }),
  ];
  await renderPage(<JobHistory jobId="poem" newest={logs} known={groupBySubmission(logs)} />);
  const groups = screen.getAllByRole("heading", { level: 3 });
  expect(groups.map((each) => each.querySelector(".font-semibold")?.textContent)).toEqual([
    "Submission 1",
    "Edit",
    "Submission 1 (try 2)",
  ]);
  await userEvent.click(screen.getByRole("button", { name: /^Edit/ }));
  const edit = screen.getByText("edited: title").closest("li") as HTMLElement;
  expect(edit).toHaveTextContent("Edited");
  expect(edit).not.toHaveTextContent("Failed");
});
