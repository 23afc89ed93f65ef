/** The stories over gRPC, with the code that protoc-gen-es makes and the client of connect-node. */
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { AgentService } from "./gen/signoff/v1/agent_service_pb.js";
import { JobService, type WatchJobsResponse } from "./gen/signoff/v1/job_service_pb.js";
import { OperationsService } from "./gen/signoff/v1/operations_service_pb.js";
import { ItemOutcome, type Job, JobStatus, NewJobSchema, OperationState } from "./gen/signoff/v1/resources_pb.js";
import { CriterionOutcome } from "./gen/signoff/v1/verdict_pb.js";
import { newId, run, setting, until } from "./stories.ts";

const authorize: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${setting("SIGNOFF_TOKEN")}`);
  return next(request);
};
const transport = createGrpcTransport({
  baseUrl: `http://${setting("SIGNOFF_JOBSTORE")}`,
  interceptors: [authorize],
});
const jobs = createClient(JobService, transport);
const agents = createClient(AgentService, transport);
const operations = createClient(OperationsService, transport);

type Fields = { payload?: unknown; labels?: Record<string, string>; agentId?: string; priority?: number };

const newJob = ({ payload = { text: "blue" }, ...fields }: Fields = {}) =>
  create(NewJobSchema, {
    id: newId(),
    title: "A story",
    acceptanceCriteria: 'Says "blue"',
    agentId: "writer",
    payloadJson: JSON.stringify(payload),
    ...fields,
  });

/** Return a field of an answer, which must be there. */
function there<T>(field: T | undefined): T {
  assert(field !== undefined);
  return field;
}

const make = async (fields: Fields = {}) => there((await jobs.createJob({ job: newJob(fields) })).job).id;
const read = async (jobId: string): Promise<Job> => there((await jobs.getJob({ jobId })).job);
const execute = (jobId: string) => jobs.executeJob({ jobId });
const explain = async (jobId: string) => there((await jobs.explainJob({ jobId })).waiting).reasons;
const wait = (jobId: string, status: JobStatus) =>
  until(
    () => read(jobId),
    (job) => job.status === status,
  );

/** Return the code of the status, the reason of the `ErrorInfo` and the fields of the `BadRequest` of a refusal. */
async function refusal(call: Promise<unknown>): Promise<[Code, string | undefined, string[]]> {
  const error = ConnectError.from(await call.then(() => undefined).catch((each: unknown) => each));
  const fields = error.findDetails(BadRequestSchema).flatMap((each) => each.fieldViolations.map(({ field }) => field));
  return [error.code, error.findDetails(ErrorInfoSchema)[0]?.reason, fields];
}

async function job_runs() {
  const id = await make();
  await execute(id);
  const job = await wait(id, JobStatus.COMPLETED);
  assert(job.resultJson?.includes("blue"));
  assert(job.verdict?.isValid);
  assert.deepEqual(
    job.verdict.criteria.map((each) => each.outcome),
    [CriterionOutcome.PASS],
  );
}

async function key_repeats() {
  const request = { jobId: await make(), idempotencyKey: newId() };
  const first = await jobs.executeJob(request);
  let replayed: string | null = null;
  const again = await jobs.executeJob(request, {
    onTrailer: (trailer) => {
      replayed = trailer.get("idempotency-replayed");
    },
  });
  assert.equal(first.execution?.id, again.execution?.id);
  assert.equal(replayed, "true");
}

async function unknown_member() {
  const refused = await refusal(jobs.createJob({ job: newJob({ priority: 12 }) }));
  assert.deepEqual(refused, [Code.InvalidArgument, "INVALID_REQUEST", ["job.priority"]]);
}

async function stale_edit() {
  const jobId = await make();
  const edit = (title: string) =>
    jobs.updateJob({ jobId, job: { title }, updateMask: { paths: ["title"] }, version: 1n });
  await edit("New");
  assert.equal((await refusal(edit("Newer")))[1], "VERSION_CONFLICT");
  assert.equal((await read(jobId)).title, "New");
}

async function pages() {
  const labels = { team: newId() };
  const made = new Set<string>();
  for (let n = 0; n < 5; n++) made.add(await make({ labels }));
  const found = new Set<string>();
  const sizes: number[] = [];
  let pageToken = "";
  do {
    const page = await jobs.listJobs({ filter: { labels }, pageSize: 2, pageToken });
    for (const job of page.jobs) found.add(job.id);
    sizes.push(page.jobs.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual([found, sizes], [made, [2, 2, 1]]);
}

/** Yield what a watch of a job answers, from now on or behind a place, until it was enough. */
async function watch(jobId: string, after: bigint | undefined, enough: (event: WatchJobsResponse) => Promise<boolean>) {
  const ending = new AbortController();
  const stream = jobs.watchJobs({ jobIds: [jobId], ...(after !== undefined && { after }) }, { signal: ending.signal });
  for await (const event of stream) {
    if (await enough(event)) {
      ending.abort();
      return event.cursor;
    }
  }
  throw new Error("the watch ended");
}

async function watch_resumes() {
  const id = await make();
  const versions: bigint[] = [];
  const note = ({ log }: WatchJobsResponse) => log !== undefined && versions.push(log.version) > 0;
  const place = await watch(id, undefined, async (event) => {
    if (event.job !== undefined) await execute(id);
    return note(event);
  });
  await watch(id, place, async (event) => note(event) && event.log?.jobStatus === JobStatus.COMPLETED);
  assert.deepEqual(
    versions,
    versions.map((_, n) => there(versions[0]) + BigInt(n)),
  );
}

async function batch_of_twenty() {
  const batch = there((await jobs.executeJobs({ jobs: Array.from({ length: 20 }, () => newJob()) })).operation);
  const operationId = batch.id;
  await until(
    async () => (await operations.getOperation({ operationId })).operation,
    (each) => each?.state === OperationState.DONE,
  );
  const outcomes: ItemOutcome[][] = [];
  let pageToken = "";
  do {
    const page = await operations.listOperationItems({ operationId, pageSize: 8, pageToken });
    outcomes.push(page.items.map((item) => item.outcome));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual(
    outcomes,
    [8, 8, 4].map((size) => Array(size).fill(ItemOutcome.COMPLETED)),
  );
}

async function cancel() {
  const id = await make({ payload: { agent: { delay_s: 60 } } });
  await execute(id);
  await wait(id, JobStatus.IN_PROGRESS);
  await jobs.cancelJob({ jobId: id });
  const job = await until(
    () => read(id),
    (each) => !each.live,
  );
  assert(job.cancelled);
}

async function failure_says_why() {
  const id = await make({ payload: { agent: { status: 422 } } });
  await execute(id);
  assert.equal((await wait(id, JobStatus.FAILED)).code, "agent_status");
  assert.deepEqual(await explain(id), []);
}

async function agent_is_paused() {
  const agent = { id: newId(), name: "Story", url: setting("STORIES_AGENT_URL") };
  await agents.createAgent({ agent });
  const pause = (paused: boolean) => operations.pause({ name: `agent:${agent.id}`, paused });
  assert((await pause(true)).limit?.paused);
  const id = await make({ agentId: agent.id });
  await execute(id);
  const reasons = await until(
    () => explain(id),
    (each) => each.length > 0,
  );
  assert.deepEqual(
    reasons.map((each) => each.code),
    ["limit_paused"],
  );
  assert(!(await pause(false)).limit?.paused);
  await wait(id, JobStatus.COMPLETED);
}

await run(
  job_runs,
  key_repeats,
  unknown_member,
  stale_edit,
  pages,
  watch_resumes,
  batch_of_twenty,
  cancel,
  failure_says_why,
  agent_is_paused,
);
