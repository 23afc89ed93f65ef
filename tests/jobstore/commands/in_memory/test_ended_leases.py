"""How leases end, without a database: given back, lapsed, or by an outcome."""

from datetime import timedelta

import pytest
from support.jobstore.memory import Life
from support.jobstore.steps import verdict

from jobstore.executions.commands import OUTCOMES, EndLease
from jobstore.jobs.model import SIGNOFF, ExecutionState, TransitionKind
from signoff.status import JobStatus, ReportKind


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
