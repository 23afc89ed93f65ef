"""What a caller of some tenants asks for on another tenant's job is answered as for a job that is not there."""

import contextlib
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import new_job

from contracts.resources import AgentPatch, JobFilter, JobPatch, NewAgent, NewAgentTry, NewOperation
from jobstore.access.callers import CALLER, Caller
from jobstore.agents.commands import DisableAgent, RegisterAgent, UpdateAgent
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Row
from jobstore.errors import ConflictError, ForbiddenError, NotFoundError
from jobstore.executions.commands import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob, Once
from jobstore.jobs.model import SIGNOFF, Actor, RequestKey
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.tasks import store as tasks
from jobstore.tasks.commands import TryAgent
from servicekit.errors import PermanentError
from signoff.status import Role
from signoff.values import new_execution_id

#: What callers ask for on a job that is there; each is told of its caller by the context in which it is made.
COMMANDS: dict[str, Callable[[str], Command[object]]] = {
    "execute": lambda job_id: ExecuteJob(job_id, new_execution_id(), chosen=True, actor=SIGNOFF),
    "execute once": lambda job_id: Once(ExecuteJob(job_id, UUID(int=7), actor=SIGNOFF), key(job_id), actor=SIGNOFF),
    "resubmit": lambda job_id: ExecuteJob(job_id, new_execution_id(), resubmission=True, actor=SIGNOFF),
    "cancel": lambda job_id: CancelJob(job_id, None, "no more", by_call=True, actor=SIGNOFF),
    "cancel an execution": lambda job_id: CancelJob(job_id, UUID(int=7), by_call=True, actor=SIGNOFF),
    "edit": lambda job_id: EditJob(job_id, JobPatch(title="Mine"), actor=SIGNOFF),
    "edit nothing": lambda job_id: EditJob(job_id, JobPatch(title="A title"), actor=SIGNOFF),
    "edit an old version": lambda job_id: EditJob(job_id, JobPatch(title="Mine"), version=99, actor=SIGNOFF),
    "assign": lambda job_id: AssignAgent(job_id, "writer", actor=SIGNOFF),
    "assign nobody": lambda job_id: AssignAgent(job_id, "nobody", actor=SIGNOFF),
}


def key(job_id: str) -> RequestKey:
    return RequestKey.of("ExecuteJob", f"of {job_id}", [], job_id=job_id)


def call_as(*tenants: str) -> Caller:
    caller = Caller("eve", Actor("token:eve"), Role.OPERATOR, frozenset(tenants) or None)
    CALLER.set(caller)
    return caller


@pytest.fixture
async def job_id(runner: CommandRunner) -> str:
    """A job of the tenant `games` whose execution is live, and was asked for with a key."""
    made = str(uuid4())
    call_as("games")
    await runner.submit.run_one(CreateJob(new_job(tenant="games"), made, actor=SIGNOFF))
    await runner.submit.run_one(Once(ExecuteJob(made, new_execution_id(), actor=SIGNOFF), key(made), actor=SIGNOFF))
    return made


async def ask(runner: CommandRunner, command: Command[object]) -> tuple[type[Exception] | None, str, str]:
    try:
        await runner.submit.run_one(command)
    except PermanentError as error:
        return type(error), error.code, str(error)
    return None, "", ""


async def dump(database: Database, job_id: str) -> list[object]:
    rows: list[object] = []
    for table, column in (("jobs", "id"), ("job_logs", "job_id"), ("executions", "job_id")):
        async with database.session() as session:
            rows += await session.execute(
                text(f"SELECT * FROM {table} WHERE {column} = :id ORDER BY 1"), {"id": job_id}
            )
    return rows


@pytest.mark.parametrize("name", COMMANDS)
async def test_another_tenants_job_is_as_one_that_is_not_there(
    database: Database, runner: CommandRunner, job_id: str, name: str
) -> None:
    before = await dump(database, job_id)
    call_as("press")
    foreign = await ask(runner, COMMANDS[name](job_id))
    absent = await ask(runner, COMMANDS[name]("games:none"))
    assert foreign[0] is not None
    assert foreign == (*absent[:2], absent[2].replace("games:none", job_id))
    assert await dump(database, job_id) == before


@pytest.mark.parametrize("name", COMMANDS)
async def test_its_own_callers_are_answered(runner: CommandRunner, job_id: str, name: str) -> None:
    call_as("games")
    own = await ask(runner, COMMANDS[name](job_id))
    call_as()
    assert own[1] != "unknown_job"
    assert (await ask(runner, COMMANDS[name](job_id)))[1] != "unknown_job"


async def test_callers_of_several_tenants_share_a_transaction_and_no_more(runner: CommandRunner, job_id: str) -> None:
    call_as("press")
    foreign = EditJob(job_id, JobPatch(title="Mine"), actor=SIGNOFF)
    call_as("games")
    own = EditJob(job_id, JobPatch(title="Ours"), actor=SIGNOFF)
    answers = await runner.carry_out([foreign, own, foreign])
    assert [isinstance(each, NotFoundError) for each in answers] == [True, False, True]


async def test_an_id_that_another_tenant_has_is_taken_and_says_no_more(runner: CommandRunner, job_id: str) -> None:
    call_as("press")
    for command in (
        CreateJob(new_job(tenant="press"), job_id, actor=SIGNOFF),
        CreateAndExecute(
            CreateJob(new_job(tenant="press"), job_id, actor=SIGNOFF),
            ExecuteJob(job_id, new_execution_id(), actor=SIGNOFF),
            actor=SIGNOFF,
        ),
    ):
        with pytest.raises(ConflictError, match=f"^another job has the id {job_id}$"):
            await runner.submit.run_one(command)


async def test_an_execution_of_another_tenant_is_taken_and_says_no_more(
    database: Database, runner: CommandRunner, job_id: str
) -> None:
    before = await dump(database, job_id)
    async with database.session() as session:
        execution_id = await session.scalar(
            text("SELECT execution_id FROM executions WHERE job_id = :id"), {"id": job_id}
        )
    call_as("press")
    await runner.submit.run_one(CreateJob(new_job(tenant="press"), mine := f"press:{uuid4()}", actor=SIGNOFF))
    for command in (
        CancelJob(None, execution_id, by_call=True, actor=SIGNOFF),
        CancelJob(mine, execution_id, by_call=True, actor=SIGNOFF),
        ExecuteJob(mine, execution_id, chosen=True, actor=SIGNOFF),
    ):
        with pytest.raises(ConflictError, match=r"^the execution id is another job's$"):
            await runner.submit.run_one(command)
    assert await dump(database, job_id) == before


async def test_a_cancel_before_its_request_is_of_the_tenant_that_asked(
    database: Database, runner: CommandRunner
) -> None:
    call_as("press")
    await runner.submit.run_one(CancelJob(None, execution_id := new_execution_id(), by_call=True, actor=SIGNOFF))
    async with Callers(database).session() as session:
        sql = text("SELECT answer FROM executions WHERE execution_id = :id")
        assert await session.scalar(sql, {"id": execution_id}) == "cancelled"


async def test_a_batch_takes_jobs_of_its_callers_tenants_alone(
    database: Database, runner: CommandRunner, job_id: str
) -> None:
    """Also where another jobstore, in no call, carries out its items."""
    before = await dump(database, job_id)
    call_as("press")
    await runner.submit.run_one(CreateJob(new_job(tenant="press"), mine := f"press:{uuid4()}", actor=SIGNOFF))
    worker = OperationWorker(database, runner)
    batches = Batches(Callers(database), runner, worker)
    named = await make_operation(batches, database, [job_id, mine, "games:none"], None)
    filtered = await make_operation(batches, database, [], JobFilter(statuses=["ASSIGNED", "IN_PROGRESS"]))
    call_as()
    while await worker.work():
        pass
    assert await dump(database, job_id) == before
    items = await read_items(database, named)
    assert [(item.job_id, item.code) for item in items] == [
        (job_id, "unknown_job"),
        (mine, None),
        ("games:none", "unknown_job"),
    ]
    assert items[0].message.replace(job_id, "") == items[2].message.replace("games:none", "")
    assert {item.job_id.partition(":")[0] for item in await read_items(database, filtered)} == {"press"}


async def make_operation(batches: Batches, database: Database, job_ids: list[str], chosen: JobFilter | None) -> UUID:
    new = NewOperation(kind="cancel", job_ids=job_ids) if chosen is None else NewOperation(kind="cancel", filter=chosen)
    known = await list_operations(database)
    with contextlib.suppress(NotFoundError):
        await batches.create(new, "", SIGNOFF)
    (made,) = await list_operations(database) - known
    return made


async def list_operations(database: Database) -> set[UUID]:
    async with database.session() as session:
        return set(await session.scalars(text("SELECT id FROM operations")))


async def read_items(database: Database, operation_id: UUID) -> list[object]:
    async with database.session() as session:
        sql = text("SELECT * FROM operation_items WHERE operation_id = :id ORDER BY item")
        return list(await session.execute(sql, {"id": operation_id}))


@pytest.fixture
async def agent_ids(runner: CommandRunner) -> dict[str, str]:
    """An agent of the tenant `games`, and one that is shared."""
    call_as()
    made = {}
    for name, shared in (("own", False), ("shared", True)):
        made[name] = f"games:{uuid4()}"
        new = NewAgent(name=name, url="http://127.0.0.1:1/", tenant="games", shared=shared)
        await runner.administer.run_one(RegisterAgent(made[name], new, actor=SIGNOFF))
    return made


AGENT_COMMANDS: dict[str, Callable[[str], Command[object]]] = {
    "update": lambda agent_id: UpdateAgent(agent_id, AgentPatch(name="mine"), actor=SIGNOFF),
    "disable": lambda agent_id: DisableAgent(agent_id, actor=SIGNOFF),
    "try": lambda agent_id: TryAgent(uuid4(), agent_id, NewAgentTry(), actor=SIGNOFF),
}


@pytest.mark.parametrize("name", AGENT_COMMANDS)
async def test_another_tenants_agent_is_as_one_that_is_not_there(
    runner: CommandRunner, agent_ids: dict[str, str], name: str
) -> None:
    call_as("press")
    foreign = await ask(runner, AGENT_COMMANDS[name](agent_ids["own"]))
    absent = await ask(runner, AGENT_COMMANDS[name]("games:none"))
    assert foreign[0] is not None
    assert foreign == (*absent[:2], absent[2].replace("games:none", agent_ids["own"]))
    call_as("games")
    assert (await ask(runner, AGENT_COMMANDS[name](agent_ids["own"])))[0] is None


async def test_an_agent_that_another_tenant_shares_is_tried_and_not_changed(
    database: Database, runner: CommandRunner, agent_ids: dict[str, str]
) -> None:
    call_as("press")
    assert (await ask(runner, AGENT_COMMANDS["update"](agent_ids["shared"])))[0] is ForbiddenError
    assert (await ask(runner, AGENT_COMMANDS["disable"](agent_ids["shared"])))[0] is ForbiddenError
    assert (await ask(runner, AGENT_COMMANDS["try"](agent_ids["shared"])))[0] is None
    assert len(await list_tries(database, agent_ids["shared"])) == 1
    call_as("games")
    assert await list_tries(database, agent_ids["shared"]) == []


async def list_tries(database: Database, agent_id: str) -> list[Row]:
    async with Callers(database).session() as session:
        return await tasks.list_tries(session, agent_id, 10, None)


async def test_an_id_of_an_agent_that_another_tenant_has_is_taken(
    runner: CommandRunner, agent_ids: dict[str, str]
) -> None:
    call_as("press")
    new = NewAgent(name="own", url="http://127.0.0.1:1/", tenant="press")
    with pytest.raises(ConflictError, match="another agent has the id"):
        await runner.administer.run_one(RegisterAgent(agent_ids["own"], new, actor=SIGNOFF))
