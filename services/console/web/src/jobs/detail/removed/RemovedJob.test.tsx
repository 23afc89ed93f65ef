import { screen, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import type { JobLog } from "@/api/types";
import { JobPage } from "@/jobs/detail/JobPage";
import { aJob, aLog } from "@/testing/factories";
import { HISTORY } from "@/testing/history";
import { renderPage } from "@/testing/render";
import { json, on, problem } from "@/testing/server";

const AT = "2026-11-26T12:00:00Z";
const REMOVAL: JobLog = aLog({
  version: 7,
  kind: "removed",
  status: "COMPLETED",
  job_status: "COMPLETED",
  actor: "retention",
  message: "tenant:press keeps completed jobs for 90 d",
  created_at: AT,
  removed: { tenant: "press", created_at: AT, ended_at: AT, executions: [], parts: [41] },
});
const archived = (logs: JobLog[], more: object = {}) =>
  json({ job: aJob({ status: "COMPLETED" }), logs, removed_at: AT, parts: [41, 42], ...more });

const SAID =
  "the job poem was removed at 2026-11-26T12:00:00Z by retention (tenant:* completed_s); it stood at COMPLETED";

beforeEach(() => {
  for (const path of ["/api/jobs/:id", "/api/jobs/:id/logs"]) on("get", path, () => problem(410, "job_removed", SAID));
});

it("the page of a removed job says when, by which rule and with which end it went", async () => {
  const asked = on("get", "/api/removed-jobs/:id", () => archived([]));
  await renderPage(<JobPage id="poem" />);
  expect(await screen.findByRole("heading", { level: 1, name: "This job was removed" })).toBeVisible();
  expect(screen.getByText(`${SAID}.`)).toBeVisible();
  expect(screen.getByRole("link", { name: "Back to the jobs" })).toBeVisible();
  expect(asked).toHaveLength(0);
});

it("what the archive has is read when it is asked for, page by page, and shown as from there", async () => {
  const asked = on("get", "/api/removed-jobs/:id", (request) =>
    new URL(request.url).searchParams.get("page_token")
      ? archived([...HISTORY.slice(3), REMOVAL], { receipt: '{"payload": "e30="}' })
      : archived(HISTORY.slice(0, 3), { next_page_token: "2" }),
  );
  const { user, router } = await renderPage(<JobPage id="poem" />);
  await user.click(await screen.findByRole("button", { name: "Show from the archive" }));
  expect(await screen.findByRole("heading", { level: 1, name: "A poem" })).toBeVisible();
  expect(screen.getByText(/^, parts 41, 42: as it stood when it was removed/)).toHaveTextContent(
    `: ${REMOVAL.message}.`,
  );
  expect(router.state.location.search).toEqual({ archived: "yes" });
  expect(asked.map(({ url }) => new URL(url).searchParams.get("view"))).toEqual(["full", "full"]);
  const verdict = screen.getByRole("region", { name: "Criteria and verdict" });
  expect(await within(verdict).findByRole("heading", { name: /ccepted/ })).toBeVisible();
  expect(within(verdict).queryByRole("link", { name: "Receipt" })).not.toBeInTheDocument();
  expect(screen.getByRole("link", { name: "Receipt" })).toHaveAttribute(
    "href",
    expect.stringMatching(/^data:application/),
  );
  expect(screen.queryByRole("link", { name: "Download" })).not.toBeInTheDocument();
  await user.click(screen.getByRole("tab", { name: "Entries" }));
  const logs = on("get", "/api/jobs/:id/logs", () => problem(410, "job_removed", "gone"));
  const history = screen.getByRole("region", { name: "History" });
  await user.click(within(history).getAllByRole("button", { name: "Result" })[0] as HTMLElement);
  expect(await within(history).findByText(/moon and June/)).toBeVisible();
  expect(logs).toHaveLength(0);
});

it("an archive that cannot be read says so, and is asked again", async () => {
  on("get", "/api/removed-jobs/:id", () => problem(503, "archive_away", "the archive is away"));
  const { user } = await renderPage(<JobPage id="poem" />, { address: "/?archived=yes" });
  expect(await screen.findByText("the archive is away")).toBeVisible();
  expect(screen.getByText(`${SAID}.`)).toBeVisible();
  on("get", "/api/removed-jobs/:id", () => archived([...HISTORY, REMOVAL]));
  await user.click(screen.getByRole("button", { name: "Retry" }));
  expect(await screen.findByRole("heading", { level: 1, name: "A poem" })).toBeVisible();
});
