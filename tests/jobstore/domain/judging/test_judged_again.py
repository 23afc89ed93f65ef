"""Which results can be judged again, and as what."""

import pytest
from support.jobstore.builders import OWNER, TIMES, done, job, report

from jobstore.jobs.model import Decision, Execution, ExecutionStage, Job, Refusal, TransitionKind
from jobstore.jobs.transitions import decide
from signoff.status import JobStatus

S = JobStatus


def test_a_late_result_is_judged_again_as_one_that_was_judged() -> None:
    late = done("cancelled", stage=ExecutionStage.EXECUTING)
    decision = decide(job(S.COMPLETED), late, report(TransitionKind.REJUDGED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert decision.execution.stage is ExecutionStage.JUDGING


@pytest.mark.parametrize(
    ("standing", "execution", "code"),
    [
        (job(S.COMPLETED, live=True), done(), "execution_live"),
        (job(S.COMPLETED), None, "nothing_to_judge"),
        (job(S.COMPLETED, execution_id=OWNER), done(), "nothing_to_judge"),
        (job(S.COMPLETED), done(result_version=None), "nothing_to_judge"),
    ],
)
def test_a_result_is_judged_again_only_of_the_last_execution_that_has_ended(
    standing: Job, execution: Execution | None, code: str
) -> None:
    refused = decide(standing, execution, report(TransitionKind.REJUDGED), TIMES)
    assert isinstance(refused, Refusal)
    assert refused.code == code
