import type { components, paths } from "./schema";

/** Names of the API's schemas, as the rest of the page uses them. */
export type Schemas = components["schemas"];

export type JobStatus = Schemas["JobStatus"];
export type JobLogStatus = Schemas["JobLogStatus"];
export type Policy = Schemas["Policy"];
/** Policy as requests have it: of the words that are known. */
export type NewPolicy = Schemas["PolicyInput"];
export type Job = Omit<Schemas["Job"], "last_log"> & { last_log?: JobLog };
export type Execution = Schemas["Execution"];
export type Criterion = Schemas["Criterion"];
/** Job as creating or editing it is answered. */
export type SavedJob = Job & Pick<Schemas["SavedJob"], "warnings">;
export type JobLog = Omit<Schemas["JobLog"], "verdict"> & { verdict?: Verdict };
/** Change of a job. A field that the event leaves out is as it was. */
export type JobChange = Omit<Schemas["JobChange"], "job" | "log"> & {
  log: JobLog;
  job: Pick<Job, "id" | "status" | "version" | "updated_at"> & Partial<Pick<Job, keyof Schemas["JobNow"]>>;
};
/** Request for a new job. Fields that have a default may be left out. */
export type NewJob = Partial<Schemas["NewJob"]> & Pick<Schemas["NewJob"], "title">;
export type Agent = Schemas["Agent"];
export type NewAgent = Partial<Schemas["NewAgent"]> & Pick<Schemas["NewAgent"], "name" | "url">;
/** Call of an agent that is no job's, and what came of it. */
export type AgentTry = Schemas["AgentTry"];
export type AgentExchange = Schemas["AgentExchange"];
export type AgentCheck = Schemas["AgentCheck"];
export type NewAgentTry = Partial<Schemas["NewAgentTry"]>;
export type OperationState = Schemas["OperationState"];
export type Operation = Schemas["Operation"];
export type OperationKind = Schemas["OperationKind"];
/** What is to be done to many jobs: those named, or all that match. */
export type NewOperation = Partial<Schemas["NewOperation"]> & Pick<Schemas["NewOperation"], "kind">;
export type OperationPreview = Schemas["OperationPreview"];
export type OperationItem = Schemas["OperationItem"];
export type JobFilter = Schemas["JobFilterInput"];
export type NewLimit = Partial<Schemas["NewLimit"]>;
export type Limit = Schemas["Limit"];
/** Why an execution waits; and how many of many wait for one reason. */
export type Waiting = Schemas["Waiting"];
export type WaitReason = Schemas["WaitReason"];
export type PastWait = Schemas["PastWait"];
export type WaitingSum = Schemas["WaitingSum"];
/** Edit of a job. Absent fields stay as they are. */
export type JobPatch = Partial<Schemas["JobPatch"]>;
export type LimitPatch = Partial<Schemas["LimitPatch"]>;
export type JobsQuery = NonNullable<paths["/api/jobs"]["get"]["parameters"]["query"]>;
export type JobsPage = Omit<Schemas["JobPage"], "items"> & { items: Job[] };
export type JobCounts = Schemas["JobCounts"];
export type JobFacets = Schemas["JobFacets"];
export type JobFacet = Schemas["JobFacet"];
export type AgentStats = Schemas["AgentStats"];
export type Overview = Schemas["Overview"];
export type OverviewPoint = Schemas["OverviewPoint"];
export type OverviewCounts = Omit<OverviewPoint, "at" | "wait" | "agent" | "judge" | "duration">;
/** How much was accepted, and of what. */
export type Quality = Schemas["Quality"];
export type QualityPoint = Schemas["QualityPoint"];
export type QualityOf = Schemas["QualityOf"];
export type QualityOfCriterion = Schemas["QualityOfCriterion"];
export type Worker = Schemas["Worker"];
/** What needs somebody, and what happened since. */
export type Inbox = Schemas["Inbox"];
export type InboxGroup = Schemas["InboxGroup"];
export type InboxOperation = Schemas["InboxOperation"];
export type InboxHappened = Schemas["InboxHappened"];
export type InboxVisit = Schemas["InboxVisit"];
export type DeadLetter = Schemas["DeadLetter"];
export type DeadLetters = Schemas["DeadLetterPage"];
/** For how long jobs and operations are kept, and what a change of that lets go. */
export type Retention = Schemas["Retention"];
export type NewRetention = Partial<Schemas["NewRetention"]>;
export type RetentionPatch = Partial<Schemas["RetentionPatch"]>;
export type RetentionEffect = Omit<Schemas["RetentionEffect"], "sample"> & { sample: Job[] };
export type RetentionPreview = Omit<Schemas["RetentionPreview"], "now" | "later"> &
  Record<"now" | "later", RetentionEffect>;
/** A job that nothing removes until it is released. */
export type Hold = Schemas["Hold"];
export type Kept = Schemas["Kept"];
export type KeptBack = Schemas["KeptBack"];
/** A job that was removed, as the archive has it. */
export type RemovedJob = Omit<Schemas["RemovedJob"], "job" | "logs"> & { job: Job; logs: JobLog[] };
export type Problem = Schemas["Problem"];
/** Page of a list. The last one has no token. */
export type Page<Item> = { items: Item[]; next_page_token?: string };

export type Outcome = Schemas["CriterionOutcome"];
/** Judgement of a criterion; what is as usual may be left out. */
export type CriterionVerdict = Pick<Schemas["CriterionVerdict"], "text" | "outcome"> &
  Partial<Schemas["CriterionVerdict"]>;
export type Verdict = Pick<Schemas["Verdict"], "is_valid" | "reason"> &
  Partial<Omit<Schemas["Verdict"], "criteria" | "stages">> & { criteria: CriterionVerdict[]; stages?: StageVerdict[] };
/** What a stage decided: a letter for each criterion (p, f, c, or - where it was not asked). */
export type StageVerdict = Pick<Schemas["StageVerdict"], "kind"> & { outcomes?: string; asks?: Ask[] };
export type Ask = Pick<Schemas["JudgeAsk"], "model"> & Partial<Schemas["JudgeAsk"]>;

export type NamedJudgePolicy = Schemas["NamedJudgePolicy"];
export type JudgePolicyVersion = Schemas["JudgePolicyVersion"];
export type SavedJudgePolicy = Schemas["SavedJudgePolicy"];
export type Judges = Schemas["JudgePolicyPage"];
export type NamedCriteriaSet = Schemas["NamedCriteriaSet"];
export type SavedCriteriaSet = Schemas["SavedCriteriaSet"];
export type CriteriaSetVersion = Schemas["CriteriaSetVersion"];
export type JudgedCounts = Schemas["JudgedCounts"];
export type CriterionWarning = Schemas["CriterionWarning"];
export type Judging = Omit<Schemas["Judging"], "verdict"> & { verdict?: Verdict };
export type RejudgeReport = Schemas["RejudgeReport"];

/** Who calls, and which operations of the API it may ask for. */
export type Me = Schemas["Me"];
export type Role = Schemas["Role"];
export type AccessToken = Schemas["AccessToken"];
export type MadeToken = Schemas["MadeToken"];
export type NewToken = Partial<Schemas["NewToken"]> & Pick<Schemas["NewToken"], "name" | "role">;
export type Session = Schemas["Session"];
export type Tenant = Schemas["Tenant"];
export type AuditEntry = Schemas["AuditEntry"];
export type AuditQuery = NonNullable<paths["/api/audit"]["get"]["parameters"]["query"]>;
