import type { ChangeExtras, JobExtras, LogExtras } from "./coming";
import type { components } from "./schema";

/** The API's words, as the rest of the page uses them. */
type Schemas = components["schemas"];

export type JobStatus = Schemas["JobStatus"];
export type JobLogStatus = Schemas["JobLogStatus"];
export type Policy = Schemas["Policy"];
export type Job = Schemas["Job"] & JobExtras;
export type JobLog = Schemas["JobLog"] & LogExtras;
export type JobChange = Pick<Schemas["JobChange"], "cursor" | "job_id" | "version" | "status" | "at"> &
  Partial<Schemas["JobChange"]> &
  ChangeExtras;
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
export type {
  AgentStats,
  DeadLetter,
  DeadLetters,
  JobCounts,
  JobEdit,
  Overview,
  OverviewCounts,
  OverviewPoint,
} from "./coming";
export type Problem = Schemas["Problem"];
export type Page<Item> = { items: Item[]; next_cursor: string | null };

export type Outcome = "pass" | "fail" | "cannot_assess";
export type CriterionVerdict = {
  text: string;
  outcome: Outcome;
  required?: boolean;
  evidence?: string | null;
  comment?: string;
};
export type Verdict = { is_valid: boolean; reason: string; criteria: CriterionVerdict[]; model?: string | null };
