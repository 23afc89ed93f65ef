"""When a verdict stands for another one on the same result, and when none does any more; without a database."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import CRITERIA, verdict

from contracts.judging.policy import JudgePolicy, LoopStep, name_judging
from jobstore.executions.claims import ClaimOutcome
from jobstore.jobs.model import SIGNOFF
from jobstore.judging.judgings import FinishJudging, QueueRejudging
from jobstore.judging.rules import Kind, NewJudging, format_body
from signoff.judging import StageVerdict
from signoff.status import JobStatus, JudgingKind, Outcome, ReportKind
from signoff.values import new_execution_id

JUDGE = "a-model (chat, prompt 1)"
LOOP = [LoopStep(asks=0, check="max_words 1")]


@pytest.fixture
def jobstore() -> MemoryJobstore:
    jobstore = MemoryJobstore()
    jobstore.put(Kind.JUDGE, "strict", format_body(JudgePolicy(name="strict", loop=LOOP)))
    jobstore.put(Kind.JUDGE, "mild", format_body(JudgePolicy(name="mild")))
    return jobstore


def answered(jobstore: MemoryJobstore, value: str = "blue", **fields: Any) -> Life:
    """A life whose result waits for its judge."""
    life = Life(jobstore).running(**{"policy": {"judge": "strict"}, **fields})
    life.result(value=value)
    return life


def claimed(life: Life, value: str = "blue", judge: str = JUDGE) -> Any:
    return life.claim_judging(judge=judge, value=value)


def judged(life: Life, outcome: Outcome, value: str = "blue", stages: str = "single", **fields: Any) -> Life:
    """A life whose result has a verdict, which was made by these stages."""
    assert claimed(life, value).outcome is ClaimOutcome.GRANTED
    reference = (life.execution.policy or {}).get("judge")
    submission = {"submission": life.execution.submission, "submissions": 3}
    made = [StageVerdict(kind=kind, outcomes="p") for kind in stages.split()]
    said = verdict(outcome).model_copy(update={"judge": reference, "stages": made, **submission})
    life.report(ReportKind.VERDICT, verdict=said, model_and_prompt=name_judging(JUDGE, str(reference)), **fields)
    return life


def resubmitted(life: Life, value: str) -> Life:
    """A life whose next submission waits for its judge, with this result."""
    life.execution_id = new_execution_id()
    life.execute(resubmission=True)
    life.claim()
    life.result(value=value)
    return life


def judged_again(life: Life, outcome: Outcome, kind: JudgingKind = JudgingKind.REJUDGE, **fields: Any) -> None:
    """The last result of a life is judged again."""
    life.jobstore.now += timedelta(seconds=1)
    judging = NewJudging(uuid4(), kind, uuid4(), 0, execution_id=life.execution_id, job_id=life.job_id)
    life.jobstore.run(QueueRejudging(judging, actor=SIGNOFF))
    about = {"execution_id": life.execution_id, "job_id": life.job_id} if kind is JudgingKind.REJUDGE else {}
    said = verdict(outcome).model_copy(update={"judge": (life.execution.policy or {}).get("judge"), **fields})
    assert life.jobstore.run(FinishJudging(judging.id, 1, said.model_dump_json(), **about, actor=SIGNOFF))


@pytest.mark.parametrize("before", [Outcome.PASS, Outcome.FAIL])
@pytest.mark.parametrize("after", [Outcome.PASS, Outcome.FAIL])
def test_after_a_real_judging_again_no_verdict_from_before_is_reused(
    jobstore: MemoryJobstore, before: Outcome, after: Outcome
) -> None:
    life = judged(answered(jobstore), before)
    assert claimed(answered(jobstore)).code == "verdict_reused"
    judged_again(life, after)
    later = answered(jobstore)
    assert claimed(later).outcome is ClaimOutcome.GRANTED

    jobstore.now += timedelta(seconds=1)
    judged(answered(jobstore), Outcome.FAIL)
    assert claimed(answered(jobstore)).code == "verdict_reused", "what was judged since is"


def test_nor_one_that_another_job_was_given_or_another_judge_gave(jobstore: MemoryJobstore) -> None:
    judged(answered(jobstore), Outcome.PASS)
    life = answered(jobstore)
    assert claimed(life).code == "verdict_reused", "the job that is judged again has another job's"
    mild = {"policy": {"judge": "mild"}}
    judged(answered(jobstore, **mild), Outcome.PASS)
    judged_again(life, Outcome.FAIL)
    assert life.job.status is JobStatus.RESUBMISSION_REQUIRED
    for fields in ({}, mild):
        assert claimed(answered(jobstore, **fields)).outcome is ClaimOutcome.GRANTED


def test_nor_one_by_the_criteria_of_a_set(jobstore: MemoryJobstore) -> None:
    jobstore.put(Kind.CRITERIA, "house", CRITERIA)
    policy = {"judge": "strict", "criteria_set": "house"}
    life = judged(answered(jobstore, policy=policy), Outcome.PASS)
    assert claimed(answered(jobstore, policy=policy)).code == "verdict_reused"
    judged_again(life, Outcome.FAIL)
    assert claimed(answered(jobstore, policy=policy)).outcome is ClaimOutcome.GRANTED


def test_what_is_judged_again_ends_no_other_reuse(jobstore: MemoryJobstore) -> None:
    others = {"value": "red"}, {"tenant": "b"}, {"acceptance_criteria": f"{CRITERIA}\noptional: Is short"}
    for other in others[:2]:
        judged(answered(jobstore, **other), Outcome.PASS, other.get("value", "blue"))
    life = judged(answered(jobstore), Outcome.PASS)
    judged_again(life, Outcome.FAIL, JudgingKind.SHADOW)
    assert claimed(answered(jobstore)).code == "verdict_reused", "a shadow changes nothing"
    judged_again(life, Outcome.CANNOT_ASSESS, judge_error="judge_refused")
    assert claimed(answered(jobstore)).code == "verdict_reused", "nothing was recorded"
    judged_again(life, Outcome.FAIL)
    for other in others[:2]:
        assert claimed(answered(jobstore, **other), other.get("value", "blue")).code == "verdict_reused"
    assert claimed(answered(jobstore, **others[2])).outcome is ClaimOutcome.GRANTED


@pytest.mark.parametrize("stages", ["single checks", "checks checks", "single refute", "checks single refute"])
def test_a_fail_that_a_resubmission_alone_has_is_reused_no_earlier_than_at_that(
    jobstore: MemoryJobstore, stages: str
) -> None:
    second = resubmitted(judged(answered(jobstore, "red"), Outcome.FAIL, "red"), "blue")
    judged(second, Outcome.CANNOT_ASSESS, stages=stages)
    assert claimed(answered(jobstore)).outcome is ClaimOutcome.GRANTED, "nothing more is needed of a first one"
    again = resubmitted(judged(answered(jobstore, "green"), Outcome.FAIL, "green"), "blue")
    assert claimed(again).code == "verdict_reused"


@pytest.mark.parametrize("stages", ["", "single", "checks single", "checks"])
def test_any_other_fail_is_reused_at_any_submission(jobstore: MemoryJobstore, stages: str) -> None:
    second = resubmitted(judged(answered(jobstore, "red"), Outcome.FAIL, "red"), "blue")
    judged(second, Outcome.FAIL, stages=stages)
    assert claimed(answered(jobstore)).code == "verdict_reused"
    third = judged(answered(jobstore, "green"), Outcome.FAIL, "green")
    assert claimed(resubmitted(third, "blue")).code == "verdict_reused"
