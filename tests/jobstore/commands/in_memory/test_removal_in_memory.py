"""What is removed, held, or answered of a removed job is decided on rows, without a database."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.builders import NOW, TIMES, job
from support.jobstore.steps import new_job
from support.jobstore.terms import TERMS

from jobstore.engine.parts import Command, UnitOfWork
from jobstore.errors import NotFoundError, RefusedError
from jobstore.executions.claims import ClaimExecution, ClaimOutcome
from jobstore.executions.commands import CancelJob
from jobstore.executions.rows import REMOVED, Executions
from jobstore.jobs.commands import AssignAgent, CreateJob
from jobstore.jobs.model import BOOTSTRAP, Execution, ExecutionState, members, read_removal, replace
from jobstore.jobs.rows import Jobs
from jobstore.keeping.holds import HoldJob, Holds, ReleaseJob
from jobstore.keeping.removal import Removable, Removals, RemoveJob, RemoveJobs, Requested
from signoff.status import JobStatus

EXECUTION, BATCH = UUID(int=1), UUID(int=2)
REQUESTED = Requested(EXECUTION, 2, "completed", NOW, BATCH, 250_000_000, 7)


OTHER = REQUESTED._replace(id=uuid4(), batch_id=None, cost_nanos=0, tokens=0)
FOUND = Removable("press", NOW, NOW, 9, 2, [REQUESTED, OTHER], (4, "0" * 64), (1, 2))


def unit_of_work(
    status: JobStatus = JobStatus.COMPLETED, *, kept_seq: int | None = 9, live: bool = False, **facts: Any
) -> UnitOfWork:
    uow = UnitOfWork(TERMS, TIMES)
    uow[Jobs].jobs.stored["a"] = replace(job(status, live=live, execution_id=EXECUTION), id="a")
    uow[Removals].found["a"] = FOUND._replace(**facts)
    uow[Removals].kept_seq = kept_seq
    return uow


def code_of(uow: UnitOfWork, command: Command[Any]) -> str | None:
    try:
        command.decide(uow)
    except (NotFoundError, RefusedError) as error:
        return str(error.code)
    return None


def test_what_stays_of_a_job_is_said_by_its_last_entry() -> None:
    uow = unit_of_work()
    assert RemoveJobs({"a": None}, "tenant:* completed_s", actor=BOOTSTRAP).decide(uow) == {}
    (entry,) = uow[Jobs].entries
    assert (entry.job.agent_id, entry.report.message) == (None, "tenant:* completed_s")
    assert entry.execution is not None
    assert (entry.execution.execution_id, entry.execution.submission) == (EXECUTION, 2)
    said = members(read_removal(entry.report.response or ""))
    assert (said["tenant"], said["parts"]) == ('"press"', "[1,2]")
    assert '"cost_usd":"0.25"' in said["executions"].replace(" ", "")
    assert uow[Jobs].removed == {"a": "press"}
    assert "a" not in uow[Jobs].jobs
    again = RemoveJobs({"a": None, "b": None}, "", actor=BOOTSTRAP).decide(uow)
    assert [refusal.code for refusal in again.values()] == ["job_removed", "unknown_job"]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"is_held": True}, "job_held"),
        ({"is_in_operation": True}, "operation_live"),
        ({"is_labelled": True}, "job_labelled"),
        ({"kept_seq": None}, "no_archive"),
        ({"kept_seq": 8}, "not_archived"),
        ({"is_stub": True}, "not_archived"),
        ({"live": True, "is_held": True}, "execution_live"),
        ({"status": JobStatus.IN_PROGRESS}, "illegal_transition"),
        ({"verdict": None, "executions": ()}, None),
        ({"submission": None}, None),
    ],
)
def test_what_keeps_a_job_back_is_said_by_a_code(facts: dict[str, Any], code: str | None) -> None:
    uow = unit_of_work(**facts)
    assert code_of(uow, RemoveJob("a", "", actor=BOOTSTRAP)) == code
    assert len(uow[Jobs].entries) == (code is None)


def test_a_job_that_went_on_or_has_just_changed_stays() -> None:
    uow = unit_of_work()
    version = uow[Jobs].jobs["a"].version
    assert code_of(uow, RemoveJob("a", "", version + 1, actor=BOOTSTRAP)) == "moved_on"
    uow[Jobs].jobs["a"] = uow[Jobs].jobs["a"]
    assert code_of(uow, RemoveJob("a", "", version, actor=BOOTSTRAP)) == "not_archived"


def test_a_caller_of_some_tenants_has_the_specs_read_that_say_whose_jobs_are() -> None:
    own = RemoveJob("a", "", actor=BOOTSTRAP, limited_to=frozenset({"press"}))
    assert [wish.specs for wish in own.locks()] == [frozenset({"a"})]  # type: ignore[attr-defined]
    assert [wish.jobs for wish in own.reads(unit_of_work())] == [frozenset({"a"})]  # type: ignore[attr-defined]


def removed_job() -> UnitOfWork:
    uow = UnitOfWork(TERMS, TIMES)
    uow[Jobs].removed["a"] = "press"
    return uow


@pytest.mark.parametrize(
    "command",
    [
        CreateJob(new_job(), "a", actor=BOOTSTRAP),
        AssignAgent("a", "writer", actor=BOOTSTRAP),
        HoldJob("a", actor=BOOTSTRAP),
        ReleaseJob("a", actor=BOOTSTRAP),
        RemoveJob("a", "", actor=BOOTSTRAP),
    ],
)
def test_a_removed_job_is_answered_so(command: Command[Any]) -> None:
    assert code_of(removed_job(), command) == "job_removed"


@pytest.mark.parametrize("tenants", [None, frozenset({"press"}), frozenset({"games"})])
def test_a_record_of_a_removed_job_is_refused_and_one_of_another_tenant_learns_nothing(
    tenants: frozenset[str] | None,
) -> None:
    claim = ClaimExecution(EXECUTION, "a", uuid4(), 1, tenants=tenants, actor=BOOTSTRAP)
    answer = claim.decide(removed_job())
    expected = (ClaimOutcome.REFUSED, "job_removed")
    assert (answer.outcome, answer.code) == (
        expected if tenants != frozenset({"games"}) else (ClaimOutcome.INVALID, "forbidden_tenant")
    )


def test_a_removed_job_of_another_tenant_is_as_one_that_is_not_there() -> None:
    uow = removed_job()
    for tenant, is_shown in (("press", True), ("games", False)):
        command = AssignAgent("a", "writer", actor=BOOTSTRAP, limited_to=frozenset({tenant}))
        assert (uow.show_to(command) is uow) is is_shown


def test_a_cancel_of_an_execution_that_only_the_entry_of_its_job_names_is_answered_so() -> None:
    uow = removed_job()
    uow[Executions].executions.stored[EXECUTION] = Execution(EXECUTION, "a", state=ExecutionState.DONE, answer=REMOVED)
    assert code_of(uow, CancelJob(None, EXECUTION, by_call=True, actor=BOOTSTRAP)) == "job_removed"
    assert code_of(uow, CancelJob(None, EXECUTION, actor=BOOTSTRAP)) is None
    assert not uow[Executions].executions.changes


def test_a_hold_is_kept_once_and_released_once() -> None:
    uow = unit_of_work()
    held = HoldJob("a", "an audit", actor=BOOTSTRAP).decide(uow)
    assert HoldJob("a", "another", actor=BOOTSTRAP).decide(uow) == held
    assert HoldJob("a", actor=BOOTSTRAP).reads(uow)[0].jobs == frozenset({"a"})  # type: ignore[attr-defined]
    for _ in range(2):
        ReleaseJob("a", actor=BOOTSTRAP).decide(uow)
    assert (uow[Holds].released, dict(uow[Holds].holds)) == ({"a": BOOTSTRAP}, {})
