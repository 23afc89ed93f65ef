"""What reports of workers lead to, without a database."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import CRITERIA, reported, result, unproven, verdict

from contracts.criteria import format_references, hash_references
from contracts.judging.policy import Verdict
from contracts.resources import Usage
from contracts.topics import LIMIT_MAX_BYTES
from jobstore.agents.rules import CLOSED
from jobstore.engine.parts import Command
from jobstore.executions.claims import ClaimJudging
from jobstore.executions.commands import OUTCOMES, RESPONSE_MAX_BYTES, CancelJob, EndLease, RecordReport, RecordResult
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.model import BOOTSTRAP, EXECUTOR, SIGNOFF, WORKER, ExecutionState, Refusal, TransitionKind
from jobstore.judging.judgings import FinishJudging, QueueRejudging
from jobstore.judging.rules import JudgingAnswer, Kind, NewJudging
from servicekit.errors import PermanentError
from signoff.status import JobStatus, JudgingKind, Outcome, ReportKind

AUTOMATIC = {"resubmit": "automatic"}


def test_a_result_and_its_verdict_may_be_of_one_batch(life: Life) -> None:
    life.running()
    lease = life.execution.lease
    event = result(life.execution_id, life.job_id, lease)
    told = reported(life.execution_id, life.job_id, lease + 1, ReportKind.VERDICT, verdict=verdict())
    first, second = life.jobstore.carry_out(RecordResult(event, actor=EXECUTOR), RecordReport(told, actor=WORKER))
    assert first is None
    assert isinstance(second, Refusal), "no judging lease was granted"


def test_a_report_of_no_execution_that_is_known_is_refused(life: Life) -> None:
    life.created()
    stray = RecordResult(result(uuid4(), life.job_id, 1), actor=EXECUTOR)
    assert life.jobstore.run(stray).code == "unknown_execution"
    assert life.jobstore.run(EndLease(uuid4(), TransitionKind.LAPSED, 1, actor=SIGNOFF)).code == "unknown_execution"
    life.execute()
    elsewhere = RecordResult(result(life.execution_id, "another", 1), actor=EXECUTOR)
    assert life.jobstore.run(elsewhere).code == "unknown_execution"


def test_all_that_is_said_of_calls_and_of_judging_is_recorded(life: Life) -> None:
    """As told.txt has it: here everything is said that may be."""
    usage = Usage(input_tokens=3, output_tokens=2, cost_usd=0.25)
    failed = {"message": "busy", "usage": usage, "retryable": True, "duration_s": 1.5, "began_at": life.jobstore.now}
    life.running()
    life.report(ReportKind.CALL_FAILED, seq=2, call=1, code="agent_busy", retry_after_s=2.0, **failed)
    life.report(ReportKind.PROGRESS, seq=3, progress=0.5, message="half", partial={"so": "far"})
    life.report(ReportKind.ATTEMPT_FAILED, seq=4, call=2, code="agent_away", retry_after_s=2.0, **failed)
    life.jobstore.now += timedelta(minutes=5)
    life.claim()
    call = {"usage": usage, "duration_s": 2.5, "began_at": life.jobstore.now}
    event = result(life.execution_id, life.job_id, life.execution.lease, "blue", attempt=2, **call)
    life.jobstore.run(RecordResult(event, actor=EXECUTOR))
    life.claim_judging(judge="a-judge")
    misjudged = {"code": "judge_away", "message": "no answer", "usage": usage, "duration_s": 0.5}
    life.report(ReportKind.MISJUDGED, **misjudged)
    life.jobstore.now += timedelta(minutes=5)
    life.claim_judging(judge="a-judge")
    life.judged(Outcome.FAIL, usage=usage, model_and_prompt="a-judge", duration_s=0.75)
    assert life.told[-2:] == ["misjudged", "not_met"]
    other = Life(life.jobstore).running()
    other.report(ReportKind.FAILED, code="agent_broken", message="for good", usage=usage, duration_s=4.5)
    assert other.job.status is JobStatus.FAILED


def test_the_log_says_where_an_agent_claims_more_than_a_call_may_cost(life: Life) -> None:
    usage = Usage(cost_usd=100, claimed_usd=1_000_000)
    event = result(life.execution_id, life.job_id, life.running().execution.lease, usage=usage)
    life.jobstore.run(RecordResult(event, actor=EXECUTOR))
    report = life.jobstore.log(life.job_id)[-1].report
    claim = "the agent claimed 1000000 USD for the call, of which 100 count"
    assert (report.message, report.cost_nanos) == (f"the agent answered; {claim}", 100_000_000_000)


@pytest.mark.parametrize(("size", "code"), [(LIMIT_MAX_BYTES, None), (LIMIT_MAX_BYTES + 1, "result_too_large")])
def test_a_result_that_is_too_large_fails_its_job(life: Life, size: int, code: str | None) -> None:
    life.running().result(value="x" * (size - len('""')))
    assert life.jobstore.log(life.job_id)[-1].report.code == code


def test_a_claimed_result_that_is_too_large_is_judged_by_nobody(life: Life) -> None:
    assert life.running().claim_judging(value="x" * LIMIT_MAX_BYTES).code == "concluded"
    assert life.job.status is JobStatus.FAILED


def test_what_brings_a_result_weighs_what_its_record_does_and_other_commands_nothing(life: Life) -> None:
    event = result(life.execution_id, life.job_id, 1)
    commands: list[Command[Any]] = [
        RecordResult(event, 7, actor=EXECUTOR),
        ClaimJudging(event, life.validator, 1, 7, actor=SIGNOFF),
        RecordResult(event, actor=EXECUTOR),
        ClaimJudging(event, life.validator, 1, actor=SIGNOFF),
        EndLease(life.execution_id, TransitionKind.LAPSED, 1, actor=SIGNOFF),
    ]
    assert [each.size for each in commands] == [7, 7, 0, 0, 0]
    assert [answer.code for answer in life.jobstore.carry_out(*commands)] == ["unknown_execution"] * len(commands)


def test_what_a_call_costs_is_counted(life: Life) -> None:
    life.running().report(ReportKind.CALL_BEGUN)
    life.report(ReportKind.CALL_FAILED, seq=2, call=1, usage=Usage(input_tokens=3, cost_usd=0.5), retryable=True)
    assert (life.job.cost_nanos, life.job.tokens) == (500_000_000, 3)
    life.report(ReportKind.PROGRESS, seq=3, progress=0.5, partial={"so": "far"})
    assert life.job.progress == 0.5
    life.report(ReportKind.PROGRESS, seq=4, message="nearly")
    life.report(ReportKind.PROGRESS, seq=5)
    life.report(ReportKind.DECLINED, seq=6, usage=Usage(input_tokens=1))
    assert life.job.status is JobStatus.REJECTED


@pytest.mark.parametrize("late", [{"kind": ReportKind.SPENT}, {"kind": ReportKind.VERDICT, "verdict": verdict()}])
def test_what_judging_had_cost_that_was_cancelled_is_counted_once(life: Life, late: dict[str, Any]) -> None:
    life.judging()
    lease = life.execution.lease
    life.jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))
    cancelled, usage = life.job, Usage(input_tokens=3, cost_usd=0.5)
    for _ in range(2):
        life.report(lease=lease, usage=usage, **late)
    assert life.told[-2:] == ["cancelled", "spent"]
    assert life.jobstore.refused() != []
    assert life.job == replace(cancelled, version=cancelled.version + 1, cost_nanos=500_000_000, tokens=3)
    assert life.execution.answer == "cancelled"


def test_what_judging_had_cost_that_ran_out_of_time_is_counted(life: Life) -> None:
    life.judging(policy={"judging_timeout_s": 60})
    lease = life.execution.lease
    life.jobstore.now += timedelta(seconds=61)
    life.jobstore.run(EndLease(life.execution_id, TransitionKind.DEADLINE, lease, actor=SIGNOFF))
    assert (life.job.status, life.job.code) == (JobStatus.FAILED, "judging_timeout")
    life.report(ReportKind.SPENT, lease, usage=Usage(input_tokens=3, cost_usd=0.5))
    assert (life.job.status, life.job.code, life.job.cost_nanos) == (JobStatus.FAILED, "judging_timeout", 500_000_000)


def test_spending_is_counted_of_nothing_that_was_not_cut_short(life: Life) -> None:
    life.judging()
    spent = {"usage": Usage(input_tokens=3, cost_usd=0.5)}
    lease = life.execution.lease
    life.report(ReportKind.SPENT, **spent)
    life.judged(Outcome.FAIL, **spent)
    for under in (lease, lease + 1, lease - 1):
        life.report(ReportKind.SPENT, under, **spent)
    assert (life.told[-1], life.job.cost_nanos) == ("not_met", 500_000_000)
    other = Life(life.jobstore).judging()
    other.report(ReportKind.FAILED, code="judge_refused", **spent)
    other.report(ReportKind.FAILED, other.execution.lease, code="judge_refused", **spent)
    other.report(ReportKind.SPENT, other.execution.lease, **spent)
    assert (other.told[-1], other.job.cost_nanos) == ("failed", 500_000_000)


def test_a_partial_result_that_is_too_large_is_nobodys(life: Life) -> None:
    most = "x" * (RESPONSE_MAX_BYTES - len('{"partial":""}'))
    assert life.running().report(ReportKind.PROGRESS, progress=0.5, partial=most) is None
    with pytest.raises(PermanentError, match="too large"):
        life.report(ReportKind.PROGRESS, seq=2, progress=0.5, partial=f"{most}x")


def test_a_verdict_that_is_too_large_fails_its_job(life: Life) -> None:
    life.judging()
    life.report(ReportKind.VERDICT, verdict=verdict(reason="x" * 2 * LIMIT_MAX_BYTES))
    assert life.jobstore.log(life.job_id)[-1].report.code == "verdict_too_large"


def test_a_verdict_on_other_criteria_is_judged_again(life: Life) -> None:
    """Rule `second-reader`."""
    life.judging()
    for _ in range(3):
        other = verdict(criteria="Says red")
        life.report(ReportKind.VERDICT, verdict=other, usage=Usage(input_tokens=2), duration_s=1.5)
        assert life.jobstore.log(life.job_id)[-1].report.duration_s == 1.5
        life.claim_judging()
    assert (life.job.status, life.job.tokens) == (JobStatus.FAILED, 6), "each was paid for"


def test_a_judgement_that_fails_unexpectedly_is_made_again_and_at_last_fails_the_job(life: Life) -> None:
    life.judging()
    for _ in range(3):
        assert life.job.status is JobStatus.IN_PROGRESS
        life.report(ReportKind.MISJUDGED, code="validator_error", message="a bug", usage=Usage(input_tokens=2))
        life.claim_judging()
    assert (life.job.status, life.job.tokens) == (JobStatus.FAILED, 6)
    assert said_last(life) == ("validator_error", "a bug")
    assert life.told[-3:] == ["misjudged"] * 3


def test_only_a_judging_lease_is_misjudged(life: Life) -> None:
    life.running()
    refusal = life.report(ReportKind.MISJUDGED, code="validator_error")
    assert refusal is not None
    assert refusal.code == "fenced"


def test_a_verdict_met_or_not_ends_its_execution(life: Life) -> None:
    life.judging()
    assert life.judged() is None
    assert life.job.status is JobStatus.COMPLETED
    not_met = Life(life.jobstore).judging()
    not_met.judged(Outcome.FAIL)
    assert not_met.job.status is JobStatus.RESUBMISSION_REQUIRED
    last = Life(life.jobstore).judging(policy={"max_submissions": 1})
    last.judged(Outcome.FAIL)
    assert last.job.status is JobStatus.REJECTED


def resubmitted(life: Life, **fields: Any) -> Life:
    """The life of the next submission."""
    policy = AUTOMATIC | fields.pop("policy", {})
    life.judging(policy=policy, **fields).judged(Outcome.FAIL)
    return following(life)


def following(life: Life) -> Life:
    after = Life(life.jobstore, life.job_id)
    after.execution_id = life.jobstore.terms.ids.derive_next(life.execution_id)
    return after


def said_last(life: Life) -> tuple[str | None, str]:
    report = life.jobstore.log(life.job_id)[-1].report
    return report.code, report.message or ""


def test_a_not_met_verdict_requests_the_next_submission_where_policy_says_so(life: Life) -> None:
    after = resubmitted(life)
    assert after.execution.submission == 2
    assert said_last(life)[1] == "submission 2 was requested by policy"


def test_what_follows_is_of_the_same_batch(life: Life) -> None:
    batch_id = uuid4()
    life.created(policy=AUTOMATIC).execute(parameters=ExecutionRequest(batch_id=batch_id))
    life.claim()
    life.claim_judging()
    life.judged(Outcome.FAIL)
    assert following(life).execution.batch_id == batch_id


def test_nothing_follows_once_nothing_improves(life: Life) -> None:
    after = resubmitted(life)
    after.claim()
    after.claim_judging()
    after.judged(Outcome.FAIL)
    assert said_last(life)[0] == "no_progress"


def test_another_answer_or_another_verdict_goes_on(life: Life) -> None:
    after = resubmitted(life)
    after.claim()
    after.claim_judging(value="red")
    after.judged(Outcome.FAIL)
    assert following(after).execution.submission == 3


def test_the_same_answer_goes_on_where_other_criteria_fail(life: Life) -> None:
    criteria = "Says blue\nSays why"
    life.judging(policy=AUTOMATIC, acceptance_criteria=criteria)
    life.report(ReportKind.VERDICT, verdict=verdict(Outcome.FAIL, Outcome.PASS, criteria=criteria))
    after = following(life)
    after.claim()
    after.claim_judging()
    after.report(ReportKind.VERDICT, verdict=verdict(Outcome.PASS, Outcome.FAIL, criteria=criteria))
    assert following(after).execution.submission == 3


def test_a_judge_that_did_not_answer_leads_to_no_submission(life: Life) -> None:
    life.judging(policy=AUTOMATIC)
    life.report(ReportKind.VERDICT, verdict=verdict(Outcome.CANNOT_ASSESS, judge_error="judge_refused"))
    assert life.told[-1] == "not_met"


def test_of_two_verdicts_under_one_lease_the_first_counts(life: Life) -> None:
    life.judging(policy=AUTOMATIC)
    lease = life.execution.lease
    sound = reported(life.execution_id, life.job_id, lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    unsound = sound.model_copy(
        update={"verdict": verdict(Outcome.CANNOT_ASSESS, judge_error="judge_refused"), "event_id": uuid4()}
    )
    life.jobstore.carry_out(RecordReport(unsound, actor=WORKER), RecordReport(sound, actor=WORKER))
    assert life.told[-1] == "not_met"
    life.report(ReportKind.VERDICT, lease, verdict=verdict(Outcome.FAIL))
    assert life.jobstore.refused() == ["illegal_transition"]


def test_what_was_cancelled_before_it_came_does_not_follow(life: Life) -> None:
    life.judging(policy=AUTOMATIC)
    life.jobstore.run(CancelJob(None, following(life).execution_id, actor=SIGNOFF))
    life.judged(Outcome.FAIL)
    assert said_last(life)[0] == "execution_conflict"


def test_what_a_policy_that_was_lowered_meanwhile_does_not_allow_does_not_follow(life: Life) -> None:
    """What is frozen with the execution allows three."""
    life.judging(policy={"resubmit": "automatic"})
    spec = life.jobstore.specs[life.job_id]
    lowered = spec.policy.model_copy(update={"max_submissions": 1})
    life.jobstore.specs[life.job_id] = replace(spec, policy=lowered)
    life.judged(Outcome.FAIL)
    assert said_last(life)[0] == "submissions_exhausted"
    assert life.told[-1] == "not_met"


@pytest.mark.parametrize(
    ("budget", "usage"), [({"budget_tokens": 1}, Usage(input_tokens=1)), ({"budget_usd": 0.5}, Usage(cost_usd=0.5))]
)
def test_what_a_budget_forbids_does_not_follow(life: Life, budget: dict[str, float], usage: Usage) -> None:
    life.judging(policy=AUTOMATIC | budget)
    life.judged(Outcome.FAIL, usage=usage)
    assert said_last(life)[0] == "budget_exhausted"


def test_a_disabled_agent_is_asked_for_nothing_more(life: Life) -> None:
    after = resubmitted(life)
    after.claim()
    after.claim_judging(value="red")
    agent = life.jobstore.agents["writer"]
    life.jobstore.agents["writer"] = agent.model_copy(update={"enabled": False})
    after.judged(Outcome.FAIL)
    assert said_last(after)[0] == "agent_disabled"


def test_a_job_is_handed_on_to_another_agent_that_has_not_had_it(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore)
    policy = {"hand_over_after": 1, "max_submissions": 5}
    after = resubmitted(life, agent_id=None, capabilities=["sing"], policy=policy)
    assert said_last(life)[1].endswith("able keeps the job, since no other agent matches")
    jobstore.register("abler", "sing")
    after.claim()
    after.claim_judging(value="red")
    after.judged(Outcome.FAIL)
    assert after.told[-2:] == ["handed_on", "requested"]
    assert jobstore.log(life.job_id)[-2].report.message == "handed on from able to abler after 2 not-met verdicts"
    assert said_last(life)[1].endswith("by policy, of abler")
    third = following(after)
    third.claim()
    third.claim_judging(value="green")
    third.judged(Outcome.FAIL)
    assert jobstore.agents["abler"].id == third.job.agent_id


def test_who_repeats_itself_hands_the_job_on_where_another_agent_matches(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    policy = {"hand_over_after": 2, "max_submissions": 5}
    after = resubmitted(Life(jobstore), agent_id=None, capabilities=["sing"], policy=policy)
    jobstore.register("abler", "sing")
    after.claim()
    after.claim_judging()
    after.judged(Outcome.FAIL)
    assert after.told[-2:] == ["handed_on", "requested"]


def test_a_job_is_handed_on_after_a_single_verdict_where_the_policy_says_so(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore).judging(agent_id=None, capabilities=["sing"], policy=AUTOMATIC | {"hand_over_after": 1})
    jobstore.register("abler", "sing")
    life.judged(Outcome.FAIL)
    (handed_on,) = (each.report for each in jobstore.log(life.job_id) if each.report.kind is TransitionKind.HANDED_ON)
    assert (handed_on.message or "").endswith(" after 1 not-met verdict")


def test_the_first_answer_after_a_hand_over_is_compared_with_nothing(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    policy = AUTOMATIC | {"hand_over_after": 1, "max_submissions": 9}
    after = Life(jobstore).judging(agent_id=None, capabilities=["sing"], policy=policy)
    jobstore.register("abler", "sing")
    for _ in range(2):  # both give the same answer, and nobody is left to have the job after the second
        after.judged(Outcome.FAIL)
        assert after.told[-1] == "requested"
        after = following(after)
        after.claim()
        after.claim_judging()
    after.judged(Outcome.FAIL)
    assert said_last(after)[0] == "no_progress"


def test_a_disabled_agent_hands_its_job_on_to_one_that_is_not(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore).judging(agent_id=None, capabilities=["sing"], policy=AUTOMATIC | {"hand_over_after": 1})
    jobstore.register("abler", "sing")
    jobstore.agents["able"] = jobstore.agents["able"].model_copy(update={"enabled": False})
    life.judged(Outcome.FAIL)
    assert life.told[-2:] == ["handed_on", "requested"]


def test_who_has_a_job_is_no_other_agent_though_the_log_does_not_tell_any_more(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore).judging(agent_id=None, capabilities=["sing"], policy=AUTOMATIC | {"hand_over_after": 1})
    jobstore.entries.clear()
    life.judged(Outcome.FAIL)
    assert life.told == ["not_met", "requested"]


def test_a_job_without_capabilities_is_handed_on_to_nobody(life: Life) -> None:
    resubmitted(life, policy={"hand_over_after": 1})
    assert said_last(life)[1] == "submission 2 was requested by policy"


def test_an_outcome_records_when_its_call_began_unless_a_report_under_its_lease_is_recorded(life: Life) -> None:
    began_at = life.jobstore.now - timedelta(seconds=1)
    life.running().report(ReportKind.CALL_FAILED, seq=2, call=1, began_at=began_at)
    life.report(ReportKind.ATTEMPT_FAILED, seq=3, call=2, began_at=began_at)
    begun, *failures = [entry.report for entry in life.jobstore.log(life.job_id)[-3:]]
    assert (begun.kind, begun.at, begun.seq) == (TransitionKind.CALL_BEGUN, began_at, 1)
    assert [report.at for report in failures] == [None, None]


def test_what_a_worker_says_of_a_time_to_come_is_now(life: Life) -> None:
    life.running().report(ReportKind.DECLINED, began_at=life.jobstore.now + timedelta(days=1))
    assert life.jobstore.log(life.job_id)[-2].report.at == life.jobstore.now


def test_an_outcome_that_does_not_count_tells_of_no_call(life: Life) -> None:
    began_at = life.jobstore.now
    stray = reported(uuid4(), life.job_id, 1, ReportKind.FAILED, began_at=began_at)
    assert life.created().jobstore.run(RecordReport(stray, actor=WORKER)).code == "unknown_execution"
    life.execute()
    life.report(ReportKind.FAILED, lease=1, began_at=began_at)
    life.claim()
    life.report(ReportKind.FAILED, lease=2, began_at=began_at)
    life.claim_judging()
    life.report(ReportKind.FAILED, began_at=began_at)
    kinds = [entry.report.kind for entry in life.jobstore.log(life.job_id)]
    assert TransitionKind.CALL_BEGUN not in kinds
    assert kinds[-2:] == [TransitionKind.RESULT, TransitionKind.FAILED]


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (TransitionKind.GIVEN_BACK, None, JobStatus.IN_PROGRESS),
        (TransitionKind.FAILED, "unstorable", JobStatus.FAILED),
        (TransitionKind.DEADLINE, None, JobStatus.IN_PROGRESS),
        (TransitionKind.LAPSED, None, JobStatus.IN_PROGRESS),
    ],
)
def test_a_lease_is_ended(life: Life, kind: TransitionKind, code: str | None, status: JobStatus) -> None:
    life.running()
    life.jobstore.now += timedelta(seconds=60)
    life.jobstore.run(EndLease(life.execution_id, kind, life.execution.lease, code, actor=SIGNOFF))
    assert life.job.status is status


@pytest.mark.parametrize("kind", [TransitionKind.GIVEN_BACK, TransitionKind.FAILED])
def test_only_a_lease_that_is_current_is_given_back_or_fails(life: Life, kind: TransitionKind) -> None:
    life.running()
    stale = EndLease(life.execution_id, kind, life.execution.lease - 1, actor=SIGNOFF)
    assert life.jobstore.run(stale).code == "fenced"


@pytest.mark.parametrize("kind", [TransitionKind.LAPSED, TransitionKind.DEADLINE])
def test_whose_time_is_over_is_ended_whatever_lease_it_had_when_it_was_looked_for(
    life: Life, kind: TransitionKind
) -> None:
    life.running(policy={"deadline_s": 30.0})
    life.jobstore.now += timedelta(seconds=60)
    assert life.jobstore.run(EndLease(life.execution_id, kind, 0, actor=SIGNOFF)) is None
    assert life.jobstore.log(life.job_id)[-1].report.lease == 1


@pytest.mark.parametrize(("begun", "status"), [(True, JobStatus.FAILED), (False, JobStatus.IN_PROGRESS)])
def test_an_agent_that_may_be_called_once_is_not_called_again_once_its_call_has_begun(
    life: Life, begun: bool, status: JobStatus
) -> None:
    life.running(policy={"delivery": "at_most_once"})
    lease = life.execution.lease
    life.jobstore.run(EndLease(life.execution_id, TransitionKind.GIVEN_BACK, lease, begun=begun, actor=SIGNOFF))
    assert life.job.status is status


def test_what_is_given_back_for_later_is_due_then(life: Life) -> None:
    life.judging()
    lease = life.execution.lease
    life.jobstore.run(EndLease(life.execution_id, TransitionKind.GIVEN_BACK, lease, due_after_s=40.0, actor=SIGNOFF))
    assert life.execution.due_at == life.jobstore.now + timedelta(seconds=40)


def test_the_agents_name_for_its_work_is_what_its_executor_reports_and_nobody_else(life: Life) -> None:
    life.running()
    life.report(ReportKind.CALL_BEGUN, handle="run-1")
    assert life.execution.handle == "run-1"
    life.result()
    life.claim_judging()
    life.report(ReportKind.MISJUDGED, handle="of a validator")
    assert life.execution.handle == "run-1"


def test_a_verdict_names_the_references_that_its_job_has_whatever_its_validator_says(life: Life) -> None:
    life.judging(references={1: "sky"})
    made = verdict().model_copy(update={"references_sha256": "0" * 64})
    life.report(ReportKind.VERDICT, verdict=made)
    told = json.loads(life.jobstore.log(life.job_id)[-1].report.response or "")
    assert told["references_sha256"] == hash_references(format_references({1: "sky"}))


@pytest.mark.parametrize("kind", ReportKind)
def test_an_outcome_ends_its_lease_and_no_other_report_does(life: Life, kind: ReportKind) -> None:
    is_of_judging = kind in {ReportKind.VERDICT, ReportKind.MISJUDGED}
    (life.judging if is_of_judging else life.running)()
    life.report(kind, verdict=verdict() if kind is ReportKind.VERDICT else None, retryable=True)
    assert (life.execution.state is not ExecutionState.LEASED) == (kind in OUTCOMES)


def test_a_judging_lease_whose_outcome_cannot_be_recorded_is_spent(life: Life) -> None:
    life.judging()
    life.jobstore.run(
        EndLease(life.execution_id, TransitionKind.FAILED, life.execution.lease, "unstorable", actor=SIGNOFF)
    )
    assert (life.execution.misjudged, life.execution.state) == (1, ExecutionState.QUEUED)


TWO = f"{CRITERIA}\nSays why"
UNPROVEN = unproven()


def left_unproven(life: Life, **fields: Any) -> Life:
    life.judging(policy=AUTOMATIC, **fields)
    life.report(ReportKind.VERDICT, verdict=UNPROVEN, model_and_prompt="a-judge")
    return life


def judged_again(life: Life, said: Verdict, kind: JudgingKind = JudgingKind.REJUDGE) -> JudgingAnswer:
    """What is kept of judging the result of a life again."""
    about: dict[str, Any] = {"execution_id": life.execution_id, "job_id": life.job_id}
    judging = NewJudging(uuid4(), kind, uuid4(), 0, **about)
    life.jobstore.run(QueueRejudging(judging, actor=BOOTSTRAP))
    real = about if kind is JudgingKind.REJUDGE else {}
    assert life.jobstore.run(
        FinishJudging(judging.id, 1, said.model_dump_json(), cost_nanos=500_000_000, tokens=3, **real, actor=SIGNOFF)
    )
    return life.jobstore.answers[judging.id]


def next_id(life: Life) -> UUID:
    return life.jobstore.terms.ids.derive_next(life.execution_id)


def test_an_unproven_verdict_fails_the_job_and_asks_no_agent(life: Life) -> None:
    left_unproven(life)
    job, entry = life.job, life.jobstore.log(life.job_id)[-1]
    assert (job.status, job.live, job.code, job.not_met, job.feedback) == (
        *(JobStatus.FAILED, False, "verdict_unproven", 0, None),
    )
    assert (entry.report.kind, entry.report.message) == ("failed", "a reason")
    assert Verdict.model_validate_json(entry.report.response or "") == UNPROVEN
    assert entry.result_version == life.execution.result_version, "the result is quoted beside its verdict"
    assert next_id(life) not in life.jobstore.executions
    assert job.not_met_criteria == [CRITERIA]


def test_nothing_of_it_is_kept_for_reuse(jobstore: MemoryJobstore) -> None:
    left_unproven(Life(jobstore))
    assert jobstore.reusable == {}
    other = Life(jobstore).running()
    assert other.claim_judging(judge="a-judge").code == "", "it is judged, and not answered by a verdict of before"


def test_neither_its_agent_nor_its_circuit_is_blamed(jobstore: MemoryJobstore) -> None:
    jobstore.put(Kind.JUDGE, "strict", '{"stages":[{"kind":"single"}]}')
    life = Life(jobstore).judging(policy=AUTOMATIC | {"judge": "strict"})
    life.report(ReportKind.VERDICT, verdict=UNPROVEN.model_copy(update={"judge": "strict@1"}))
    assert jobstore.circuits.get("writer", CLOSED) is CLOSED
    (counted,) = jobstore.judged
    assert (counted.reference, counted.met, counted.not_met, counted.unjudged) == ("strict@1", 0, 0, 1)


def test_a_required_fail_beside_it_is_not_met_and_the_feedback_names_that_alone(life: Life) -> None:
    life.judging(policy=AUTOMATIC, acceptance_criteria=TWO)
    life.report(ReportKind.VERDICT, verdict=unproven(Outcome.FAIL, criteria=TWO))
    assert life.told[-2:] == ["not_met", "requested"]
    told = json.loads(life.job.feedback or "")["criteria"]
    assert [each["text"] for each in told] == ["Says why"]


def test_the_judges_own_word_that_it_cannot_say_is_not_met(life: Life) -> None:
    life.judging(policy=AUTOMATIC, acceptance_criteria=TWO)
    life.report(ReportKind.VERDICT, verdict=unproven(Outcome.CANNOT_ASSESS, criteria=TWO))
    assert life.told[-1] == "requested"


def test_an_optional_criterion_decides_nothing(life: Life) -> None:
    criteria = f"{CRITERIA}\noptional: Says why"
    life.judging(acceptance_criteria=criteria)
    said = verdict(Outcome.PASS, Outcome.CANNOT_ASSESS, criteria=criteria)
    said.criteria[1].unproven = True
    life.report(ReportKind.VERDICT, verdict=said.model_copy(update={"judge_error": "judge_refused"}))
    entry = life.jobstore.log(life.job_id)[-1].report
    assert (life.job.status, life.job.code, entry.is_unjudged, entry.code) == (JobStatus.COMPLETED, None, False, None)


@pytest.mark.parametrize("kind", [JudgingKind.REJUDGE, JudgingKind.SHADOW])
@pytest.mark.parametrize("before", [UNPROVEN, verdict(Outcome.PASS), verdict(Outcome.FAIL)])
def test_judging_again_that_proves_nothing_changes_nothing(life: Life, kind: JudgingKind, before: Verdict) -> None:
    life.judging()
    life.report(ReportKind.VERDICT, verdict=before)
    job = life.job
    kept = judged_again(life, UNPROVEN, kind)
    assert (kept.code, kept.message, kept.is_valid) == ("verdict_unproven", "a reason", None)
    assert (kept.was_valid, kept.cost_nanos) == (before.is_valid, 500_000_000)
    assert life.job is job


def test_a_pass_when_judged_again_completes_the_job(life: Life) -> None:
    left_unproven(life)
    kept = judged_again(life, verdict(Outcome.PASS))
    assert (kept.code, kept.was_valid, kept.is_valid, kept.before) == (None, False, True, "c")
    assert (life.job.status, life.job.code, life.told[-2:]) == (JobStatus.COMPLETED, None, ["rejudged", "met"])
    assert life.execution.answer == "failed", "an execution is answered once"


def test_a_not_met_when_judged_again_requests_the_next_submission_by_policy(life: Life) -> None:
    batch_id = uuid4()
    life.created(policy=AUTOMATIC).execute(parameters=ExecutionRequest(batch_id=batch_id))
    life.claim()
    life.claim_judging()
    life.report(ReportKind.VERDICT, verdict=UNPROVEN)
    judged_again(life, verdict(Outcome.FAIL))
    assert life.told[-3:] == ["rejudged", "not_met", "requested"]
    following = life.jobstore.executions[next_id(life)]
    assert (following.submission, following.batch_id) == (2, None), "its batch has ended with what was unproven"
    assert (life.job.not_met, life.job.live, life.job.cost_nanos) == (1, True, 500_000_000)


def test_a_not_met_when_judged_again_requests_nothing_of_what_had_a_verdict(life: Life) -> None:
    life.judging(policy=AUTOMATIC)
    life.judged(Outcome.PASS)
    judged_again(life, verdict(Outcome.FAIL))
    assert life.told[-2:] == ["rejudged", "not_met"]


def test_what_is_in_the_way_of_the_next_submission_is_told(life: Life) -> None:
    left_unproven(life)
    life.jobstore.run(CancelJob(None, next_id(life), actor=SIGNOFF))
    judged_again(life, verdict(Outcome.FAIL))
    last = life.jobstore.log(life.job_id)[-1].report
    assert (last.kind, last.code) == ("not_met", "rejudged")
    assert "not submitted again: its next execution was cancelled" in (last.message or "")
    assert life.job.status is JobStatus.RESUBMISSION_REQUIRED
