import type { components, paths } from "./schema";

/** Names of the API's schemas, as the rest of the page uses them. */
type Schemas = components["schemas"];

export type JobStatus = Schemas["JobStatus"];
export type JobLogStatus = Schemas["JobLogStatus"];
export type Policy = Schemas["Policy"];
export type Job = Schemas["Job"];
export type Execution = Schemas["Execution"];
export type Criterion = Schemas["Criterion"];
/** Job as creating or editing it is answered. */
export type SavedJob = Schemas["SavedJob"];
export type JobLog = Schemas["JobLog"];
/** Change of a job. A field that the event leaves out is as it was. */
export type JobChange = Omit<Schemas["JobChange"], "job"> & {
  job: Pick<Job, "id" | "status" | "version" | "updated_at"> & Partial<Pick<Job, keyof Schemas["JobNow"]>>;
};
/** Request for a new job. Fields that have a default may be left out. */
export type NewJob = Partial<Schemas["NewJob"]> & Pick<Schemas["NewJob"], "title">;
export type Agent = Schemas["Agent"];
export type NewAgent = Partial<Schemas["NewAgent"]> & Pick<Schemas["NewAgent"], "name" | "url">;
export type OperationState = Schemas["OperationState"];
export type Operation = Schemas["Operation"];
export type OperationKind = Schemas["OperationKind"];
/** What is to be done to many jobs: those named, or all that match. */
export type NewOperation = Partial<Schemas["NewOperation"]> & Pick<Schemas["NewOperation"], "kind">;
export type OperationPreview = Schemas["OperationPreview"];
export type OperationItem = Schemas["OperationItem"];
export type JobFilter = Partial<Schemas["JobFilter"]>;
export type NewLimit = Partial<Schemas["NewLimit"]>;
export type Limit = Schemas["Limit"];
/** Why an execution waits; and how many of many wait for one reason. */
export type Waiting = Schemas["Waiting"];
export type WaitReason = Schemas["Reason"];
export type PastWait = Schemas["PastWait"];
export type WaitingSum = Schemas["WaitingSum"];
/** Edit of a job. Absent fields stay as they are. */
export type JobEdit = Partial<Schemas["Edit"]>;
export type JobsQuery = NonNullable<paths["/api/jobs"]["get"]["parameters"]["query"]>;
export type JobsPage = Schemas["JobsPage"];
export type JobCounts = Schemas["JobCounts"];
export type JobFacets = Schemas["JobFacets"];
export type JobFacet = Schemas["JobFacet"];
export type AgentStats = Schemas["AgentStats"];
export type Overview = Schemas["Overview"];
export type OverviewPoint = Schemas["OverviewPoint"];
export type OverviewCounts = Omit<OverviewPoint, "at" | "wait" | "agent" | "judge" | "duration">;
export type DeadLetter = Schemas["DeadLetter"];
export type DeadLetters = Schemas["DeadLetters"];
export type Problem = Schemas["Problem"];
/** Page of a list. The last one has no token. */
export type Page<Item> = { items: Item[]; next_page_token?: string | null };

export type Outcome = "pass" | "fail" | "cannot_assess";
export type CriterionVerdict = {
  text: string;
  outcome: Outcome;
  required?: boolean;
  kind?: string;
  /** Quotations of the result. */
  evidence?: string[];
  comment?: string;
  /** Whether it is open by the judge's failure: `cannot_assess`, since its last pass was not shown. */
  unproven?: boolean;
  /** Where each quotation stands in the result as it is served: from and to, in Unicode characters. */
  evidence_spans?: [number, number][][];
};
export type Verdict = {
  is_valid: boolean;
  reason: string;
  criteria: CriterionVerdict[];
  model?: string | null;
  /** Code of what the judge did instead of judging. */
  judge_error?: string | null;
  /** Judge policy and version, such as `strict@3`. */
  policy?: string | null;
  submission?: number | null;
  submissions?: number | null;
  /** How it was judged; older verdicts do not say. */
  stages?: StageVerdict[] | null;
};
/** What a stage decided: a letter for each criterion (p, f, c, or - where it was not asked). */
export type StageVerdict = { kind: string; outcomes?: string; asks?: Ask[] };
/** One ask of a model. */
export type Ask = {
  model: string;
  role?: string;
  prompt?: number | null;
  input_tokens?: number | null;
  cached_tokens?: number | null;
  output_tokens?: number | null;
  cost_usd?: number | null;
  latency_s?: number | null;
  request_id?: string | null;
  /** How many tries before it were refused, or had no answer; and what the last of them met: a status, or a code. */
  refused?: number | null;
  last_refusal?: string | null;
  /** As of a stage; none where the answer was nonsense. */
  outcomes?: string | null;
};

export type NamedJudgePolicy = Schemas["NamedJudgePolicy"];
export type JudgePolicyVersion = Schemas["JudgePolicyVersion"];
export type SavedJudgePolicy = Schemas["SavedJudgePolicy"];
export type Judges = Schemas["Judges"];
export type NamedCriteriaSet = Schemas["NamedCriteriaSet"];
export type SavedCriteriaSet = Schemas["SavedCriteriaSet"];
export type CriteriaSetVersion = Schemas["CriteriaSetVersion"];
export type JudgedCounts = Schemas["JudgedCounts"];
export type CriterionWarning = Schemas["CriterionWarning"];
export type Judging = Schemas["Judging"];
export type RejudgeReport = Schemas["RejudgeReport"];
