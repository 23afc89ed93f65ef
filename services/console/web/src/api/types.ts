import type { components, paths } from "./schema";

/** The API's words, as the rest of the page uses them. */
type Schemas = components["schemas"];

export type JobStatus = Schemas["JobStatus"];
export type JobLogStatus = Schemas["JobLogStatus"];
export type Policy = Schemas["Policy"];
export type Job = Schemas["Job"] & LastLog;
export type JobLog = Schemas["JobLog"];
/** What an event need not say, it may leave out. */
export type JobChange = Pick<Schemas["JobChange"], "cursor" | "job_id" | "version" | "status" | "at"> &
  Partial<Schemas["JobChange"]>;
/** What has a default may be left out of what is asked for. */
export type NewJob = Partial<Schemas["NewJob"]> & Pick<Schemas["NewJob"], "title" | "acceptance_criteria">;
export type Agent = Schemas["Agent"];
export type NewAgent = Partial<Schemas["NewAgent"]> & Pick<Schemas["NewAgent"], "name" | "url">;
export type OperationState = Schemas["OperationState"];
export type Operation = Schemas["Operation"];
export type Batch = Operation & Partial<Pick<Schemas["Batch"], "items">>;
export type JobFilter = Partial<Schemas["JobFilter"]>;
export type NewLimit = Partial<Schemas["NewLimit"]>;
export type Limit = Schemas["Limit"];
/** What of a job can be changed; what is absent stays. */
export type JobEdit = Partial<Schemas["Edit"]>;
export type JobsQuery = NonNullable<paths["/api/jobs"]["get"]["parameters"]["query"]>;
export type JobsPage = Omit<Schemas["JobsPage"], "items"> & { items: Job[] };
export type JobCounts = Schemas["JobCounts"];
export type AgentStats = Schemas["AgentStats"];
export type Overview = Schemas["Overview"];
export type OverviewPoint = Schemas["OverviewPoint"];
export type OverviewCounts = Omit<OverviewPoint, "at" | "wait" | "duration">;
export type DeadLetter = Schemas["DeadLetter"];
export type DeadLetters = Schemas["DeadLetters"];
export type Problem = Schemas["Problem"];
/** What only events tell of a job, of its latest log: an answer does not, so all of it may be absent. */
type LastLog = { code?: string | null; message?: string | null; attempt?: number | null };
export type Page<Item> = { items: Item[]; next_cursor: string | null };

export type Outcome = "pass" | "fail" | "cannot_assess";
export type CriterionVerdict = {
  text: string;
  outcome: Outcome;
  required?: boolean;
  evidence?: string | null;
  comment?: string;
  /** Where the evidence stands in the result as it is served: from and to, in Unicode characters. */
  evidence_spans?: [number, number][];
};
export type Verdict = { is_valid: boolean; reason: string; criteria: CriterionVerdict[]; model?: string | null };
