"""An unproven verdict is its judge's failure: no agent is called for it, and judging again goes on from there."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import CRITERIA, unproven, verdict

from contracts.judging.policy import Verdict
from jobstore.agents.rules import CLOSED
from jobstore.executions.commands import CancelJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.model import ADMINISTRATOR, SIGNOFF
from jobstore.judging.judgings import FinishJudging, QueueRejudging
from jobstore.judging.rules import JudgingAnswer, Kind, NewJudging
from signoff.status import JobStatus, JudgingKind, Outcome, ReportKind

AUTOMATIC = {"resubmit": "automatic"}
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
    life.jobstore.run(QueueRejudging(judging, actor=ADMINISTRATOR))
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
