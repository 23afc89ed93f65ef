import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { jobKeys } from "@/api/query-keys";
import type { Job } from "@/api/types";
import { applyJobs } from "@/live/apply-changes";
import { createQueryClient } from "@/live/query-client";
import { aChange, aJob, anExecution } from "@/testing/factories";
import { renderPage } from "@/testing/render";
import { json, onPost, problem, serveJob } from "@/testing/server";
import { useExecuteJob, usePendingAction } from "./mutations";

function Probe() {
  const execute = useExecuteJob();
  const pending = usePendingAction("poem");
  return (
    <>
      <button type="button" onClick={() => execute.mutate("poem")}>
        go
      </button>
      <output>{pending ?? execute.status}</output>
    </>
  );
}

async function probe() {
  const client = createQueryClient();
  client.setQueryData(jobKeys.detail("poem"), aJob());
  const view = await renderPage(<Probe />, { client });
  const known = () => client.getQueryData<Job>(jobKeys.detail("poem"));
  const says = (text: string) => waitFor(() => expect(screen.getByRole("status")).toHaveTextContent(text));
  return { ...view, client, known, says };
}

it("useExecuteJob answers with the job as it stands then", async () => {
  onPost("/api/jobs/poem/execute", () => json(anExecution(), 201));
  serveJob(aJob({ version: 2, execution_id: "e", live: true }));
  const { user, known, says } = await probe();
  await user.click(screen.getByText("go"));
  await says("success");
  expect(known()).toMatchObject({ version: 2, execution_id: "e", live: true });
});

it("useExecuteJob shows what it asked for and writes nothing before the answer", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  onPost("/api/jobs/poem/execute", () => promise);
  const { user, known, says } = await probe();
  await user.click(screen.getByText("go"));
  await says("execute");
  expect(known()?.status).toBe("ASSIGNED");
  serveJob(aJob({ version: 2 }));
  resolve(json(anExecution(), 201));
  await says("success");
});

it("useExecuteJob has nothing to roll back over an event that came before its failure", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  onPost("/api/jobs/poem/execute", () => promise);
  const { user, client, known, says } = await probe();
  await user.click(screen.getByText("go"));
  await says("execute");
  applyJobs(client, new Map([["poem", [aChange({ version: 2, status: "IN_PROGRESS" })]]]));
  resolve(problem(409, "execution_live", "an execution of the job is live"));
  await says("error");
  expect(known()).toMatchObject({ version: 2, status: "IN_PROGRESS" });
});

it("useExecuteJob is not undone by its own answer when events were faster", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  onPost("/api/jobs/poem/execute", () => promise);
  const { user, client, known, says } = await probe();
  await user.click(screen.getByText("go"));
  applyJobs(client, new Map([["poem", [aChange({ version: 4, status: "COMPLETED" })]]]));
  serveJob(aJob({ version: 2 }));
  resolve(json(anExecution(), 201));
  await says("success");
  expect(known()).toMatchObject({ version: 4, status: "COMPLETED" });
});

it("useExecuteJob asks again with the same key after a failure that may have gone through, and then with a new one", async () => {
  const answers = [
    () => problem(503, "unavailable", "out of reach"),
    () => json(anExecution(), 201),
    () => json(anExecution(), 201),
  ];
  serveJob(aJob({ version: 2 }));
  const asked = onPost("/api/jobs/poem/execute", () => (answers.shift() as () => Response)());
  const { user, says } = await probe();
  for (const outcome of ["error", "success", "success"]) {
    await user.click(screen.getByText("go"));
    await says(outcome);
    await waitFor(() => expect(answers.length).toBe(3 - asked.length));
  }
  const keys = asked.map((request) => request.headers.get("Idempotency-Key"));
  expect(keys[0]).toBe(keys[1]);
  expect(keys[2]).not.toBe(keys[1]);
});
