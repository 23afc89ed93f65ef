/** What a code in a job's log means, and what to do about it. */
import { type Advice, AGENT_ADVICE, MEND_AGENT } from "./agent-advice";

const ASK_AGAIN = "Execute again; if that fails, too, use another model as the judge.";
const EDIT_CRITERIA = "Edit the job's criteria; then execute again.";
const NOTHING = "Nothing.";
const WORKER = "Check whether all workers run the jobstore's version, read the dead letters; then execute again.";
const BUG = "Read the workers' log, which says why, and fix the error; then execute again.";

/** Advice for each code that the services record (tests/console/test_console_advice.py compares). */
const ADVICE: Record<string, Advice> = {
  ...AGENT_ADVICE,
  agent_disabled: { means: "The agent is disabled.", todo: "Enable it, or assign another agent." },
  attempts_exhausted: {
    means: "All attempts that the policy allows were used up.",
    todo: "Read what each attempt met, in the history; then execute again.",
  },
  deadline_exceeded: {
    means: "The job was not done within its deadline.",
    todo: "Give it more time in the policy, then execute again.",
  },
  queue_timeout: {
    means: "No executor took the work in time.",
    todo: "Check whether executors run and keep up, and whether the agent is paused; then execute again.",
  },
  judging_timeout: {
    means: "The result was not judged in time.",
    todo: "Check whether validators run and the judge's model answers; then execute again.",
  },
  lease_lapsed: {
    means: "The worker that held the job disappeared.",
    todo: "Find out whether the agent did the work; then execute again.",
  },
  worker_stopped: {
    means: "The worker stopped while it called an agent that may be called only once.",
    todo: "Find out whether the agent did the work; then execute again.",
  },
  executor_error: { means: "An executor failed with an unexpected error of its own.", todo: BUG },
  validator_error: { means: "Validators failed with an unexpected error of their own.", todo: BUG },
  judging_lost: { means: "Ten validators were lost while they judged this.", todo: "See why; then execute again." },
  handed_over: { means: "The worker stopped; another one goes on with the job.", todo: NOTHING },
  rebuilt: {
    means: "The database was rebuilt while an agent that may be called only once was perhaps being called.",
    todo: "Find out whether the agent did the work; then execute again.",
  },
  verdict_mismatch: {
    means: "Several times, what a validator reported was no verdict on this job's criteria.",
    todo: "Check whether all validators run the jobstore's version; then execute again. If they do, one may belong to another system.",
  },
  verdict_unproven: {
    means: "The judge let the result pass, and proved nothing: that is not the agent's failure.",
    todo: "Judge it again, best by another judge, and it goes on from there. To execute it again calls the agent.",
  },
  malformed_json: { means: "What a worker reported about the job is not JSON.", todo: WORKER },
  schema_mismatch: { means: "What a worker reported about the job does not match the schema.", todo: WORKER },
  unstorable: {
    means: "What was reported about the job cannot be stored.",
    todo: "Look at the dead letters, on the overview; then execute again.",
  },
  database_error: {
    means: "For ten minutes, the database failed to store what was reported about the job, and nothing else.",
    todo: "Read the jobstore's log, which says why, and the dead letters; then execute again.",
  },
  submissions_exhausted: { means: "The policy allows no more submissions.", todo: "Raise them, or assign it again." },
  budget_exhausted: { means: "The job has spent its budget.", todo: "Raise the budget in the policy, or stop here." },
  no_progress: {
    means: "The new result equals the one before, and fails the same criteria: it is not resubmitted by itself.",
    todo: "Change the criteria or the payload, or resubmit it with a comment for the agent.",
  },
  execution_conflict: { means: "Its next submission was cancelled, or requested.", todo: "Resubmit it if wanted." },
  no_agent_matches: { means: "No enabled agent has the job's capabilities.", todo: "Register one, or assign one." },
  matching_failed: {
    means: "No enabled agent has the capabilities that the job asks for.",
    todo: "Register or enable such an agent, and it is tried again by itself; or assign one by hand.",
  },
  queue_full: { means: "The queue of this limit is full.", todo: "Wait until it drains, or raise the limit." },
  cancelled: { means: "Somebody cancelled it.", todo: "Assign and execute it again if it is still wanted." },
  judgment_failed: { means: "The result could not be judged.", todo: ASK_AGAIN },
  judge_wrong_shape: { means: "The judge's answers did not have the requested format.", todo: ASK_AGAIN },
  judge_invalid_json: { means: "What the judge answered is not JSON.", todo: ASK_AGAIN },
  judge_incomplete: { means: "The judge's answers were cut off.", todo: "Use fewer criteria, or let it write more." },
  judge_criteria_mismatch: { means: "The judge answered about criteria other than the job's.", todo: ASK_AGAIN },
  judge_canary: {
    means: "The judge wrote what it must never write: it did what the result told it to.",
    todo: "Read the result; if it is honest, use another model as the judge.",
  },
  judge_prompt_unknown: { means: "The validator lacks the policy's prompt.", todo: "Name another in the policy." },
  judge_failed: { means: "The judge's API reported that its answer failed.", todo: ASK_AGAIN },
  judge_refused: {
    means: "The judge refused to judge this result.",
    todo: "Read the result; change the criteria or the judge.",
  },
  judge_content_filter: {
    means: "A content filter stopped the judge's answer.",
    todo: "Read the result; change the payload or the judge.",
  },
  judge_request_rejected: {
    means: "The judge's API did not accept the request.",
    todo: "The result may be too long for the judge's model. Ask for less, or use a model that reads more.",
  },
  criteria_empty: { means: "The job has no criterion.", todo: EDIT_CRITERIA },
  criteria_too_many: { means: "The job has more criteria than can be judged at once.", todo: EDIT_CRITERIA },
  criterion_too_long: { means: "A criterion is longer than allowed.", todo: EDIT_CRITERIA },
  no_required_criterion: { means: "All criteria are optional, so any result would pass.", todo: EDIT_CRITERIA },
  criterion_reserved: { means: "A criterion is of an unknown kind.", todo: EDIT_CRITERIA },
  check_unknown: { means: "There is no check of that name.", todo: EDIT_CRITERIA },
  check_invalid: { means: "A check cannot be read; the message says at which character.", todo: EDIT_CRITERIA },
  criterion_ambiguous: { means: "A criterion looks as if it were marked twice.", todo: EDIT_CRITERIA },
  unknown_agent: { means: "No agent of the job's tenant has the id.", todo: "Assign an agent that you see in Agents." },
  unknown_judge_policy: { means: "The judge policy is not known, or retired.", todo: "Name another in the policy." },
  judge_policy_forbidden: {
    means: "The tenant may not name the judge policy.",
    todo: "Name one that its limit allows, or none, in the policy of the job or its agent.",
  },
  unknown_criteria_set: { means: "The criteria set is not known, or retired.", todo: "Name another in the policy." },
  payload_too_large: { means: "With the criteria of its set the job is too large.", todo: "Shorten it, or the set." },
  no_criteria: { means: "There is no criterion to judge by.", todo: EDIT_CRITERIA },
  result_not_json: { means: "The result cannot be written as JSON.", todo: MEND_AGENT },
  result_too_large_to_judge: { means: "The result is too large to be judged.", todo: "Ask the agent for less." },
  verdict_too_large: {
    means: "The verdict is too large to be stored.",
    todo: "Use fewer criteria, or a judge that writes less; then execute again.",
  },
  result_reused: { means: "The result of an identical request was reused; no agent was called.", todo: NOTHING },
  verdict_reused: { means: "The verdict on an identical result was reused; no judge was asked.", todo: NOTHING },
  matched: { means: "An agent with the capabilities asked for was found.", todo: NOTHING },
  handed_on: { means: "The job was given to another agent after verdicts that were not met.", todo: NOTHING },
  rejudged: { means: "The result was judged again, and this is the verdict now; no agent was called.", todo: NOTHING },
  edited: { means: "What the job asks for was changed.", todo: NOTHING },
};

const UNKNOWN: Advice = {
  means: "The job failed for a reason that this page has no words for.",
  todo: "Read the message below; the code finds it in the services' logs.",
};

export function findAdvice(code: string | null | undefined): Advice {
  return (code && ADVICE[code]) || UNKNOWN;
}

/** Explain a code; undefined for an unknown one. */
export function explainCode(code: string): string | undefined {
  return ADVICE[code]?.means;
}
