/** The stories over REST, with the types that openapi-typescript makes and the client openapi-fetch. */
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./gen/rest.d.ts";
import { newId, run, setting, until } from "./stories.ts";

type Schemas = components["schemas"];

const api = createClient<paths>({
  baseUrl: setting("SIGNOFF_HTTP"),
  headers: { Authorization: `Bearer ${setting("SIGNOFF_TOKEN")}` },
});

/** Return what was answered; a problem is an error. */
async function ok<T>(call: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await call;
  assert.equal(error, undefined);
  assert(data !== undefined);
  return data;
}

const newJob = (fields: Partial<Schemas["NewJob"]> = {}): Schemas["NewJob"] => ({
  id: newId(),
  title: "A story",
  acceptance_criteria: 'Says "blue"',
  agent_id: "writer",
  payload: { text: "blue" },
  ...fields,
});
const make = async (fields: Partial<Schemas["NewJob"]> = {}) =>
  (await ok(api.POST("/api/jobs", { body: newJob(fields) }))).id;
const of = (job_id: string) => ({ params: { path: { job_id } } });
const read = (id: string) => ok(api.GET("/api/jobs/{job_id}", of(id)));
const execute = (id: string) => ok(api.POST("/api/jobs/{job_id}/execute", of(id)));
const explain = (id: string) => ok(api.GET("/api/jobs/{job_id}/waiting", of(id)));
const wait = (id: string, status: string) =>
  until(
    () => read(id),
    (job) => job.status === status,
  );

async function job_runs() {
  const id = await make();
  await execute(id);
  const job = await wait(id, "COMPLETED");
  assert(JSON.stringify(job.result).includes("blue"));
  assert(job.verdict?.is_valid);
  assert.deepEqual(
    job.verdict.criteria.map((each) => each.outcome),
    ["pass"],
  );
}

async function key_repeats() {
  const [job_id, key] = [await make(), newId()];
  const ask = () =>
    api.POST("/api/jobs/{job_id}/execute", { params: { path: { job_id }, header: { "Idempotency-Key": key } } });
  const [first, again] = [await ask(), await ask()];
  assert.deepEqual([first.response.status, again.response.status], [201, 200]);
  assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
  assert.equal(first.data?.id, again.data?.id);
}

async function unknown_member() {
  const body: Schemas["NewJob"] & { agent: string } = { ...newJob(), agent: "writer" };
  const { error, response } = await api.POST("/api/jobs", { body });
  assert.deepEqual([response.status, error?.code], [422, "invalid_request"]);
  assert.deepEqual(
    error?.errors?.map((each) => each.pointer),
    ["#/agent"],
  );
}

async function stale_edit() {
  const job_id = await make();
  const edit = (title: string) =>
    api.PATCH("/api/jobs/{job_id}", { params: { path: { job_id }, header: { "If-Match": '"1"' } }, body: { title } });
  await ok(edit("New"));
  const { error, response } = await edit("Newer");
  assert.deepEqual([response.status, error?.code], [412, "version_conflict"]);
  assert.equal((await read(job_id)).title, "New");
}

async function pages() {
  const team = newId();
  const made = new Set<string>();
  for (let n = 0; n < 5; n++) made.add(await make({ labels: { team } }));
  const found = new Set<string>();
  const sizes: number[] = [];
  for (let page_token: string | undefined = ""; page_token !== undefined; ) {
    const query = { label: [`team:${team}`], page_size: 2, page_token };
    const page: Schemas["JobPage"] = await ok(api.GET("/api/jobs", { params: { query } }));
    for (const job of page.items) found.add(job.id);
    sizes.push(page.items.length);
    page_token = page.next_page_token;
  }
  assert.deepEqual([found, sizes], [made, [2, 2, 1]]);
}

/** Yield the places and the data of the events of a job, from now on or behind one that was seen. */
async function* events(job_id: string, last?: string): AsyncGenerator<[string, string, unknown]> {
  const { data, error } = await api.GET("/api/jobs/{job_id}/events", {
    params: { path: { job_id }, header: last === undefined ? {} : { "Last-Event-ID": last } },
    parseAs: "stream",
  });
  assert(data, JSON.stringify(error));
  let rest = "";
  for await (const chunk of data.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data) yield [fields.id, fields.event, JSON.parse(fields.data)];
    }
  }
}

async function watch_resumes() {
  const id = await make();
  const versions: number[] = [];
  let place = "";
  for await (const [at, event, data] of events(id)) {
    place = at;
    if (event === "hello") await execute(id);
    else if (event === "job-changed") {
      versions.push((data as Schemas["JobChange"]).version);
      break;
    }
  }
  for await (const [, event, data] of events(id, place)) {
    if (event !== "job-changed") continue;
    const change = data as Schemas["JobChange"];
    versions.push(change.version);
    if (change.job.status === "COMPLETED") break;
  }
  assert.deepEqual(
    versions,
    versions.map((_, n) => (versions[0] ?? 0) + n),
  );
}

async function batch_of_twenty() {
  const jobs = Array.from({ length: 20 }, () => newJob());
  const batch = await ok(api.POST("/api/batches", { body: { jobs } }));
  const path = { operation_id: batch.id };
  await until(
    () => ok(api.GET("/api/batches/{operation_id}", { params: { path } })),
    (each) => each.state === "DONE",
  );
  const outcomes: string[][] = [];
  for (let page_token: string | undefined = ""; page_token !== undefined; ) {
    const query = { page_size: 8, page_token };
    const page: Schemas["OperationItemPage"] = await ok(
      api.GET("/api/batches/{operation_id}/items", { params: { path, query } }),
    );
    outcomes.push(page.items.map((item) => item.outcome));
    page_token = page.next_page_token;
  }
  assert.deepEqual(
    outcomes,
    [8, 8, 4].map((size) => Array(size).fill("COMPLETED")),
  );
}

async function cancel() {
  const id = await make({ payload: { agent: { delay_s: 60 } } });
  await execute(id);
  await wait(id, "IN_PROGRESS");
  await ok(api.POST("/api/jobs/{job_id}/cancel", { ...of(id), body: { reason: "a story" } }));
  const job = await until(
    () => read(id),
    (each) => each.live === false,
  );
  assert(job.cancelled);
}

async function failure_says_why() {
  const id = await make({ payload: { agent: { status: 422 } } });
  await execute(id);
  assert.equal((await wait(id, "FAILED")).code, "agent_status");
  assert.deepEqual((await explain(id)).reasons, []);
}

async function agent_is_paused() {
  const body = { id: newId(), name: "Story", url: setting("STORIES_AGENT_URL") };
  const agent = await ok(api.POST("/api/agents", { body }));
  const named = { params: { path: { agent_id: agent.id } } };
  assert((await ok(api.POST("/api/agents/{agent_id}/pause", named))).paused);
  const id = await make({ agent_id: agent.id });
  await execute(id);
  const waiting = await until(
    () => explain(id),
    ({ reasons }) => reasons.length > 0,
  );
  assert.deepEqual(
    waiting.reasons.map((each) => each.code),
    ["limit_paused"],
  );
  assert(!(await ok(api.POST("/api/agents/{agent_id}/resume", named))).paused);
  await wait(id, "COMPLETED");
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
