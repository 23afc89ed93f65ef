"""What is decided while a storage is full: no new work is taken, at any door, and what was taken goes on."""

from uuid import uuid4

import pytest
from support.jobstore.memory import Life
from support.jobstore.steps import new_job

from contracts.resources import NewTenant
from jobstore.engine.parts import Creation
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import CreateJob, Once
from jobstore.jobs.model import BOOTSTRAP
from jobstore.judging.judgings import QueueJudgings
from jobstore.judging.rules import NewJudging
from jobstore.operations.commands import CreateOperation, Item, OperationSpec
from jobstore.tenants.commands import CreateTenant
from signoff.errors import ErrorCode
from signoff.status import JudgingKind, OperationKind, Outcome

WHY = "disk /data is 96% full: no new work is taken until it is below 90%"
ADDING = {OperationKind.EXECUTE, OperationKind.RESUBMIT, OperationKind.RETRY, OperationKind.REJUDGE}


@pytest.fixture
def full(life: Life) -> Life:
    life.jobstore.full = WHY
    return life


def ask(life: Life, request: Creation[object]) -> object:
    return life.jobstore.run(Once(request, actor=BOOTSTRAP))


def refuse(life: Life, request: Creation[object]) -> tuple[str, str]:
    with pytest.raises(RefusedError) as refusal:
        ask(life, request)
    return refusal.value.code, str(refusal.value)


def test_a_new_job_is_refused_and_one_that_was_made_is_answered_as_before(full: Life) -> None:
    request = CreateJob(new_job(), full.job_id, actor=BOOTSTRAP)
    assert refuse(full, request) == (ErrorCode.STORAGE_FULL, WHY)
    full.jobstore.full = None
    ask(full, request)
    full.jobstore.full = WHY
    assert ask(full, request).is_replay  # type: ignore[attr-defined]


def test_an_execution_is_refused_and_its_id_stays_free(life: Life) -> None:
    life.created().jobstore.full = WHY
    request = ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=BOOTSTRAP)
    assert refuse(life, request) == (ErrorCode.STORAGE_FULL, WHY)
    assert not life.jobstore.executions
    life.jobstore.full = None
    ask(life, request)


@pytest.mark.parametrize("kind", OperationKind)
def test_an_operation_that_makes_work_is_refused_and_another_is_not(full: Life, kind: OperationKind) -> None:
    request = CreateOperation(uuid4(), OperationSpec(kind, [Item(0, "a")]), actor=BOOTSTRAP)
    if kind in ADDING:
        assert refuse(full, request) == (ErrorCode.STORAGE_FULL, WHY)
    else:
        ask(full, request)


def test_judgings_without_a_job_are_refused_and_a_tenant_is_not(full: Life) -> None:
    judging = NewJudging(uuid4(), JudgingKind.TRY, uuid4(), 0)
    assert refuse(full, QueueJudgings([judging], actor=BOOTSTRAP))[0] == ErrorCode.STORAGE_FULL
    ask(full, CreateTenant(NewTenant(name="another"), actor=BOOTSTRAP))


def test_a_record_of_new_work_waits_and_nothing_is_kept_of_it(full: Life) -> None:
    answer = full.claim(inline=new_job())
    assert (answer.outcome, answer.code, answer.message) == (ClaimOutcome.DOUBTFUL, ErrorCode.STORAGE_FULL, WHY)
    assert not full.jobstore.jobs
    full.jobstore.full = None
    assert full.claim(inline=new_job()).outcome is ClaimOutcome.GRANTED


def test_a_replayed_record_is_answered_as_ever(full: Life) -> None:
    assert full.claim(inline=new_job(), replay=True).code == ErrorCode.REPLAYED


def test_what_was_taken_goes_on_and_is_submitted_again_by_policy(life: Life) -> None:
    life.requested(policy={"resubmit": "automatic"}).jobstore.full = WHY
    assert life.claim().outcome is ClaimOutcome.GRANTED
    life.result()
    life.claim_judging()
    life.judged(Outcome.FAIL)
    assert life.told[-1] == "requested"
