import { expect, it } from "vitest";
import { anAgent } from "@/testing/factories";
import type { JobsSearch } from "./jobs-search";
import { type ParsedQuery, parseQuery } from "./parse-query";
import { isQuery, quoteValue, splitQuery } from "./split-query";

const NOW = Date.parse("2026-11-25T12:00:00Z");
const AGENTS = [anAgent({ id: "a-1", name: "Writer of poems" }), anAgent({ id: "writer", name: "writer" })];
const BATCH = "0199d5a8-0000-7000-8000-00000000000a";
const parse = (text: string, before: JobsSearch = {}): ParsedQuery =>
  parseQuery(text, { before, agents: AGENTS, now: NOW, zone: "UTC" });

it.each<[string, Partial<JobsSearch>]>([
  ["", {}],
  ["moon landing", { text: "moon landing" }],
  ['moon "a  b" x', { text: "moon a  b x" }],
  ["status:failed", { status: ["FAILED"] }],
  ["status:failed,In-Progress status:rejected", { status: ["FAILED", "IN_PROGRESS", "REJECTED"] }],
  ['STATUS:"resubmission required"', { status: ["RESUBMISSION_REQUIRED"] }],
  ["status:cancelled", { cancelled: true }],
  ["agent:writer", { agent: "writer" }],
  ['agent:"writer of poems"', { agent: "a-1" }],
  ["-status:failed,rejected", { status: undefined, notStatus: ["FAILED", "REJECTED"] }],
  ["-status:failed -status:cancelled", { status: undefined, notStatus: ["FAILED"], cancelled: false }],
  ['-agent:"writer of poems" -AGENT:writer', { notAgent: ["a-1", "writer"] }],
  ["agent:writer -label:team=red -label:team=blue", { agent: "writer", notLabel: ["team:red", "team:blue"] }],
  [
    '-code:no_progress,x -tenant:press -criterion:"It rhymes"',
    { notCode: ["no_progress", "x"], notTenant: ["press"], notCriterion: ["It rhymes"] },
  ],
  [`-batch:${BATCH}`, { notBatch: [BATCH] }],
  ["status:failed OR status:rejected", { status: ["FAILED", "REJECTED"] }],
  ['code:a OR code:b "OR"', { code: ["a", "b"], text: "OR" }],
  [`batch:${BATCH} tenant:press`, { batch: BATCH, tenant: "press" }],
  ["label:team=press label:link=https://x:1", { label: ["team:press", "link:https://x:1"] }],
  ['label:team="press office"', { label: ["team:press office"] }],
  ["label:team:press label:team=news", { label: ["team:news"] }],
  ["code:agent_timeout,agent_status", { code: ["agent_timeout", "agent_status"] }],
  ['criterion:"Names both \\"parties\\""', { criterion: 'Names both "parties"' }],
  [
    'reason:limit_paused:agent:a,b OR reason:"no_agent_matches:a, b"',
    { reason: ["limit_paused:agent:a,b", "no_agent_matches:a, b"] },
  ],
  ["cost>0.1 cost<=$5", { costMin: 0.1, costMax: 5 }],
  ["duration>60s duration<1.5h", { durationMin: 60, durationMax: 5_400 }],
  ["duration>=500ms", { durationMin: 0.5 }],
  ["created:1d", { period: "1d" }],
  ["created<1h", { period: "1h" }],
  ["created>1h", { to: "2026-11-25T11:00:00.000Z" }],
  ["created:2026-11-24", { from: "2026-11-24T00:00:00.000Z", to: "2026-11-25T00:00:00.000Z" }],
  ["created<2026-11-24", { to: "2026-11-24T00:00:00.000Z" }],
  ["created>2026-11-24", { from: "2026-11-24T00:00:00.000Z" }],
  ["created>2026-11-24T10:30", { from: "2026-11-24T10:30:00.000Z" }],
  ["created>2026-11-24T10:30:00+02:00", { from: "2026-11-24T08:30:00.000Z" }],
  ["created<7d created>1d", { from: "2026-11-18T12:00:00.000Z", to: "2026-11-24T12:00:00.000Z" }],
  ['status:failed "constructor:" words', { status: ["FAILED"], text: "constructor: words" }],
])("reads %j", (text, expected) => {
  expect(parse(text)).toEqual({ search: expected });
});

it.each([
  ["moon foo:bar", "foo:bar", /^foo:bar: there is no such field; use status, agent/],
  ["constructor:x", "constructor:x", /no such field/],
  ["status:broken", "status:broken", /a status is one of pending, assigned/],
  ["status:failed,cancelled", "status:failed,cancelled", /ask for them alone/],
  ["agent:", "agent:", /a value is missing/],
  ["agent:nobody", "agent:nobody", /no such agent/],
  ["moon OR sun", "OR", /between values of status or of code or of reason/],
  ["status:failed OR agent:writer", "OR", /between values of status or of code or of reason/],
  ["agent:writer OR agent:a-1", "OR", /between values/],
  ["-agent:nobody", "-agent:nobody", /no such agent/],
  ["-agent:", "-agent:", /a value is missing/],
  ["-agent>x", "-agent>x", /write a colon/],
  ["-label:team", "-label:team", /name=value/],
  ["-reason:queue", "-reason:queue", /is not negated/],
  ["-foo:bar", "-foo:bar", /no such field/],
  ["-created:1d", "-created:1d", /turn the comparison round/],
  ["-agent:writer OR -agent:a-1", "OR", /between values/],
  ["-cost>5", "-cost>5", /turn the comparison round/],
  ["-status:broken", "-status:broken", /a status is one of/],
  ["status:failed -status:rejected", "status:failed -status:rejected", /not both/],
  ["created:2026-11-24T10:30", "created:2026-11-24T10:30", /before a time/],
  ["agent>x", "agent>x", /write a colon/],
  ["cost:5", "cost:5", /write > or </],
  ["cost>much", "cost>much", /dollars/],
  ["x duration>1y z", "duration>1y", /60s, 5m or 2h/],
  ["created>yesterday", "created>yesterday", /such as 1h/],
  ["batch:nightly", "batch:nightly", /UUID/],
  ["label:team", "label:team", /name=value/],
  ['moon "landing', '"landing', /not closed/],
  ['label:team="press', 'label:team="press', /not closed/],
])("says what is wrong with %j, and where", (text, place, message) => {
  const { problem } = parse(text);
  expect(problem?.message).toMatch(message);
  expect(text.slice(problem?.from, problem?.to)).toBe(place);
});

it("changes the fields that it names, and no others", () => {
  const before: JobsSearch = { label: ["team:a", "kind:x"], tenant: "press", period: "7d" };
  expect(parse("label:team=b", before)).toEqual({ search: { label: ["kind:x", "team:b"] } });
  expect(parse("created>1d", before)).toEqual({
    search: { from: "2026-11-18T12:00:00.000Z", to: "2026-11-24T12:00:00.000Z" },
  });
});

it("what is quoted is read as it was", () => {
  for (const value of ["a", "a b", 'say "no"', "back\\slash", "a,b", "ü"])
    expect(splitQuery(`tenant:${quoteValue(value)}`)).toMatchObject([{ field: "tenant", value, isOpen: false }]);
  expect(["two words", "ORDER", "a:b", '"', "cost>1", "a OR b"].map(isQuery)).toEqual([
    false,
    false,
    true,
    true,
    true,
    true,
  ]);
});
