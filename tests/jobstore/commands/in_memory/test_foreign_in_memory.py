"""A command of a caller of some tenants decides as if nothing of others had any id."""

from contextvars import copy_context
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.resources import AgentPatch, JobPatch, NewAgent, NewAgentTry
from jobstore.access.callers import CALLER, Caller
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.engine.parts import Command, UnitOfWork
from jobstore.errors import ConflictError, ForbiddenError, NotFoundError
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.commands import CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF
from jobstore.jobs.rows import Jobs
from jobstore.judging.judgings import QueueRejudging
from jobstore.judging.rules import Judgings, NewJudging
from jobstore.operations.commands import CarryOutItem, Item, Operations, StoredOperation
from jobstore.tasks.commands import TryAgent
from signoff.status import JudgingKind, OperationState, Role
from signoff.values import new_execution_id

PRESS, LAW = frozenset({"press"}), frozenset({"law"})
URL = "http://127.0.0.1:1/"


def limited(command: Command[Any], tenants: frozenset[str] | None) -> Command[Any]:
    return replace(command, limited_to=tenants)


@pytest.fixture
def job_id(jobstore: MemoryJobstore) -> str:
    return Life(jobstore).created(tenant="press").job_id


def test_outside_of_calls_commands_are_of_all_tenants(jobstore: MemoryJobstore, job_id: str) -> None:
    edit = EditJob(job_id, JobPatch(title="b"), actor=SIGNOFF)
    assert edit.limited_to is None
    jobstore.run(edit)
    assert jobstore.specs[job_id].title == "b"


@pytest.mark.parametrize("tenants", [None, LAW])
def test_what_a_call_asks_for_is_of_its_callers_tenants(tenants: frozenset[str] | None) -> None:
    def make() -> Command[Any]:
        CALLER.set(Caller("eve", SIGNOFF, Role.OPERATOR, tenants))
        return EditJob("a", JobPatch(title="b"), actor=SIGNOFF)

    assert copy_context().run(make).limited_to == tenants


def test_a_command_without_an_actor_or_with_tenants_by_place_is_none(job_id: str) -> None:
    """Else a field of a command would be taken for them."""
    with pytest.raises(TypeError):
        EditJob(job_id, JobPatch(title="b"))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        EditJob(job_id, JobPatch(title="b"), None, SIGNOFF, LAW)  # type: ignore[misc]


def test_a_foreign_job_is_not_there_and_an_own_one_is(jobstore: MemoryJobstore, job_id: str) -> None:
    edit = EditJob(job_id, JobPatch(title="b"), actor=SIGNOFF)
    with pytest.raises(NotFoundError, match=f"no job has the id {job_id}"):
        jobstore.run(limited(edit, LAW))
    with pytest.raises(NotFoundError):
        jobstore.run(limited(edit, frozenset()))
    jobstore.run(limited(edit, PRESS | LAW))
    assert jobstore.specs[job_id].title == "b"


def test_one_command_of_a_batch_hides_nothing_from_another(jobstore: MemoryJobstore, job_id: str) -> None:
    edits = [EditJob(job_id, JobPatch(title=title), actor=SIGNOFF) for title in "bcd"]
    results = jobstore.carry_out(*map(limited, edits, (LAW, PRESS, LAW)))
    assert [isinstance(each, NotFoundError) for each in results] == [True, False, True]
    assert jobstore.specs[job_id].title == "c"


def test_a_foreign_job_is_not_cancelled_before_it_is_asked_for(jobstore: MemoryJobstore, job_id: str) -> None:
    """A cancel of an unknown execution would be remembered."""
    with pytest.raises(NotFoundError):
        jobstore.run(limited(CancelJob(job_id, new_execution_id(), by_call=True, actor=SIGNOFF), LAW))
    assert jobstore.executions == {}


def test_an_id_that_is_to_be_made_is_told_to_be_taken(jobstore: MemoryJobstore, job_id: str) -> None:
    make = CreateJob(new_job(tenant="law"), job_id, actor=SIGNOFF)
    with pytest.raises(ConflictError):
        jobstore.run(limited(make, LAW))


def test_a_job_whose_tenant_a_command_does_not_read_is_not_there(jobstore: MemoryJobstore, job_id: str) -> None:
    """So that a command which forgets to read it opens nothing."""
    uow = jobstore.lock(limited(EditJob(job_id, JobPatch(title="b"), actor=SIGNOFF), PRESS))
    uow[Jobs].specs.stored.clear()
    shown = uow.show_to(limited(EditJob(job_id, JobPatch(title="b"), actor=SIGNOFF), PRESS))
    assert shown is not uow
    assert (shown.clock, shown.terms) == (uow.clock, uow.terms)
    assert job_id not in shown[Jobs].jobs


def test_an_execution_of_another_tenant_is_taken(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).requested(tenant="press")
    before = life.execution
    with pytest.raises(ConflictError):
        jobstore.run(limited(CancelJob(None, life.execution_id, by_call=True, actor=SIGNOFF), LAW))
    assert life.execution == before
    jobstore.run(limited(CancelJob(None, life.execution_id, by_call=True, actor=SIGNOFF), PRESS))
    assert life.execution.answer == "cancelled"


@pytest.mark.parametrize(("tenants", "tenant"), [(None, "default"), (PRESS | LAW, "law"), (PRESS, "press")])
def test_a_cancel_before_its_request_is_of_who_asks(
    jobstore: MemoryJobstore, tenants: frozenset[str] | None, tenant: str
) -> None:
    asked = CancelJob(None, execution_id := new_execution_id(), by_call=True, actor=SIGNOFF)
    jobstore.cancel_room = 1
    jobstore.run(limited(asked, tenants))
    assert jobstore.executions[execution_id].tenant == tenant


def test_a_refusal_that_is_kept_is_of_the_jobs_tenant(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).requested(tenant="press")
    asked = ExecuteJob(life.job_id, refused := new_execution_id(), chosen=True, actor=SIGNOFF)
    assert len(jobstore.carry_out(asked)) == 1
    assert jobstore.executions[refused].tenant == "press"


def test_a_foreign_agent_is_not_there_and_a_shared_one_is_not_changed(jobstore: MemoryJobstore) -> None:
    for agent_id, shared in (("press:own", False), ("press:all", True)):
        new = NewAgent(name="a", url=URL, tenant="press", shared=shared)
        jobstore.run(limited(RegisterAgent(agent_id, new, actor=SIGNOFF), None))
    own, shared_one, none = (
        UpdateAgent(agent_id, AgentPatch(name="b"), actor=SIGNOFF) for agent_id in ("press:own", "press:all", "none")
    )
    for command, error in ((own, NotFoundError), (none, NotFoundError), (shared_one, ForbiddenError)):
        with pytest.raises(error):
            jobstore.run(limited(command, LAW))
    for command in (own, shared_one):
        jobstore.run(limited(command, PRESS))
    with pytest.raises(NotFoundError):
        jobstore.run(limited(TryAgent(uuid4(), "press:own", NewAgentTry(), actor=SIGNOFF), LAW))
    for agent_id, tenants, tenant in (
        ("press:all", LAW, "law"),
        ("press:own", PRESS, "press"),
        ("press:all", None, "press"),
    ):
        jobstore.run(limited(TryAgent(try_id := uuid4(), agent_id, NewAgentTry(), actor=SIGNOFF), tenants))
        assert jobstore.tasks[try_id].tenant == tenant


def test_an_agents_id_that_is_to_be_made_is_told_to_be_taken(jobstore: MemoryJobstore) -> None:
    agent_id = str(uuid4())
    jobstore.run(RegisterAgent(agent_id, NewAgent(name="a", url=URL, tenant="press"), actor=SIGNOFF))
    new = NewAgent(name="a", url=URL, tenant="law")
    with pytest.raises(ConflictError):
        jobstore.run(limited(RegisterAgent(agent_id, new, actor=SIGNOFF), LAW))


def test_a_result_is_judged_again_for_its_tenant_alone(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).judging(tenant="press")
    life.judged()
    judging = NewJudging(uuid4(), JudgingKind.SHADOW, uuid4(), 0, execution_id=life.execution_id, job_id=life.job_id)
    with pytest.raises(NotFoundError):
        jobstore.run(limited(QueueRejudging(judging, actor=SIGNOFF), LAW))
    jobstore.run(limited(QueueRejudging(judging, actor=SIGNOFF), PRESS))


def carry_out(uow: UnitOfWork, command: Command[Any]) -> str | None:
    """The code of an item whose command is carried out for nobody's call."""
    operation_id = UUID(int=1)
    uow[Operations].operations.stored[operation_id] = StoredOperation(OperationState.RUNNING)
    uow[Operations].open_items = {(operation_id, 0)}
    CarryOutItem(operation_id, Item(0, "a job"), command, actor=SIGNOFF).decide(uow)
    (answer,) = uow[Operations].answers[operation_id]
    return answer.code


def test_an_item_is_carried_out_for_the_tenants_of_its_operation(jobstore: MemoryJobstore, job_id: str) -> None:
    for tenants, code in ((LAW, "unknown_job"), (PRESS, None)):
        command = limited(EditJob(job_id, JobPatch(title="b"), actor=SIGNOFF), tenants)
        uow = jobstore.lock(command)
        assert carry_out(uow, command) == code
        assert not uow[Judgings].new
