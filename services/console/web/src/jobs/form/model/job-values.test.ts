import { expect, it } from "vitest";
import { toPolicy, toPolicyValues } from "@/policy/policy";
import { aJob } from "@/testing/factories";
import { EMPTY_VALUES, toJobValues, toNewJob } from "./job-values";

it("a policy says only what was filled in, and keeps what the form does not show", () => {
  const values = { ...toPolicyValues({}), max_calls: "3", reuse_verdict: "false", retry_codes: "503 agent_timeout" };
  expect(toPolicy(values, { later: 1 } as never)).toEqual({
    later: 1,
    max_calls: 3,
    reuse_verdict: false,
    retry_codes: ["503", "agent_timeout"],
  });
  expect(toPolicy(toPolicyValues({ max_calls: 3 }), { max_calls: 9 })).toEqual({ max_calls: 3 });
});

it("the numbers of a payload stay what was typed", () => {
  const job = toNewJob({ ...EMPTY_VALUES, payload: '{"id": 12345678901234567890}' });
  expect(String((job.payload as { id: unknown }).id)).toBe("12345678901234567890");
});

it("a job is asked for as the form says, and by whom", () => {
  const values = {
    ...EMPTY_VALUES,
    title: "T",
    agent_id: "writer",
    capabilities: "ocr\npdf\nocr",
    not_before: "2026-11-26T10:00",
  };
  expect(toNewJob({ ...values, who: "agent" })).toMatchObject({ agent_id: "writer", priority: 5, tenant: "default" });
  expect(toNewJob({ ...values, who: "agent" })).not.toHaveProperty("capabilities");
  expect(toNewJob({ ...values, who: "capabilities" })).toMatchObject({ agent_id: null, capabilities: ["ocr", "pdf"] });
  expect(toNewJob({ ...values, who: "later" })).toMatchObject({ agent_id: null });
  expect(toNewJob(values).not_before).toMatch(/^2026-11-2\dT\d\d:00:00.000Z$/);
});

it("leaves out a line that is empty", () => {
  expect(toNewJob({ ...EMPTY_VALUES, title: "A poem", tenant: "" })).not.toHaveProperty("tenant");
});

it("a duplicate asks for the same", () => {
  const job = aJob({ payload: { a: [1] }, labels: { team: "a" }, policy: { max_calls: 2 }, description: "d" });
  expect(toNewJob(toJobValues(job), job.policy)).toEqual({
    title: "A poem",
    description: "d",
    acceptance_criteria: job.acceptance_criteria,
    payload: { a: [1] },
    agent_id: "writer",
    labels: { team: "a" },
    tenant: "default",
    priority: 5,
    policy: { max_calls: 2 },
  });
});
