"""What administrators set, of every kind, as its facts tell it."""

from typing import Any
from uuid import UUID, uuid4

from support.jobstore.steps import Steps
from support.jobstore.terms import IDS

from contracts.resources import AgentPatch, LimitPatch, NewAgent, NewJob, NewLimit
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.engine import facts
from jobstore.engine.database import Database
from jobstore.engine.parts import Command, UnitOfWork
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.judging.commands import PromoteVersion, PutVersion, RetireName
from jobstore.judging.rules import Kind, Named, NewEvaluation, Policies
from jobstore.limits.commands import PauseLimit, RemoveLimit, SetLimit
from jobstore.operations.commands import (
    CreateOperation,
    EndOperation,
    Item,
    MoveOperation,
    OperationSpec,
    RemoveOperation,
)
from jobstore.operations.worker import OperationWorker, make_items
from jobstore.schema import tables
from signoff.status import OperationKind, OperationState

#: A job whose JSON PostgreSQL can keep, and cannot read.
ODD: Any = {"title": "odd \N{SNOWMAN} \\ \"'", "acceptance_criteria": "c", "payload": {"nul": "\0", "n": 2**70}}


class _Keep(Command[None]):
    """Keep evaluations, whose report nobody checks here."""

    def locks(self) -> Any:
        return SetLimit("", NewLimit(), actor=self.actor).locks()

    def decide(self, uow: UnitOfWork) -> None:
        for version in (1, 2, 3, 1):
            measured = f'{{"n": {len(uow[Policies].evaluations)}.50, "text": "\\u0000"}}'
            judged = '{"0": "pf-"}'
            uow[Policies].evaluations.append(
                NewEvaluation("strict", version, "0" * 64, UUID(int=version), measured, judged, self.actor)
            )


async def set_everything(database: Database, runner: CommandRunner) -> UUID:
    """Set and change something of each kind, and return the id of a batch that is paused half-way."""
    async with database.transaction() as connection:
        await facts.begin_administration(connection)
    limit, change = runner.limit, runner.administer
    await limit.run_one(SetLimit("tenant:press", NewLimit(rate=3, rate_period_s=0.1, weight=1 / 3), actor=BOOTSTRAP))
    await limit.run_one(SetLimit("label:team=*", NewLimit(concurrency=2), actor=BOOTSTRAP))
    await limit.run_one(SetLimit("tenant:press", LimitPatch(concurrency=9, weight=None), actor=BOOTSTRAP))
    new = NewAgent(name="a", url="http://a/", policy={"max_calls": 3}, headers={"X-Key": "file:a"})
    await change.run_one(RegisterAgent("patched", new, actor=BOOTSTRAP))
    patch = AgentPatch(policy={"max_calls": None, "deadline_s": 9}, headers={"X-Key": None, "X-New": "file:b"})
    await change.run_one(UpdateAgent("patched", patch, actor=BOOTSTRAP))
    await limit.run_one(PauseLimit("agent:patched", True, 2, actor=BOOTSTRAP))
    await limit.run_one(PauseLimit("agent:resting", True, actor=BOOTSTRAP))
    await limit.run_one(SetLimit("agent:gone", NewLimit(concurrency=1), actor=BOOTSTRAP))
    await limit.run_one(RemoveLimit("agent:gone", actor=BOOTSTRAP))
    policy, criteria, golden = (Named(kind, "strict") for kind in (Kind.JUDGE, Kind.CRITERIA, Kind.GOLDEN))
    for n in (1, 2):
        await change.run_one(PutVersion(policy, f'{{"n": {n}.50, "x": "\\u0000"}}', "a note", actor=BOOTSTRAP))
    await change.run_one(PromoteVersion(policy, 2, "it is better", actor=BOOTSTRAP))
    await change.run_one(PutVersion(criteria, "It is short.\n", actor=BOOTSTRAP))
    await change.run_one(RetireName(criteria, "too short", actor=BOOTSTRAP))
    await change.run_one(PutVersion(golden, '{"id": "1"}\n{"id": "2"}', actor=BOOTSTRAP))
    await change.run_one(_Keep(actor=BOOTSTRAP))
    for parameters in ({"reason": "late"}, {"x": 1e300}, {}):
        ended = await made(runner, OperationSpec(OperationKind.CANCEL, parameters=parameters))
        await change.run_one(EndOperation(ended, actor=SIGNOFF))
    assert await change.run_one(RemoveOperation(ended, actor=BOOTSTRAP))
    for table, columns, rows in (
        (tables.retentions, "name, completed_s", "('tenant:*', 3600.5), ('tenant:press', NULL), ('tenant:a', 60)"),
        (tables.holds, "job_id, actor", "('held', 'token:a'), ('held, too', 'token:b'), ('kept', 'token:a')"),
    ):
        async with database.transaction() as connection:
            beside = f"made AS (INSERT INTO {table.name} ({columns}) VALUES {rows} RETURNING *),"
            added = facts.tell(table, "SELECT * FROM made", beside=beside)
            await connection.execute(added, {"actor": BOOTSTRAP})
    return await half_way(database, runner)


async def half_way(database: Database, runner: CommandRunner) -> UUID:
    """Return a batch, paused when its first item was refused; the others are jobs to be made."""
    batch_id = uuid4()
    items = make_items(IDS, batch_id, ["unknown"], [NewJob(**ODD), NewJob(**ODD | {"labels": {"team": "a"}})])
    spec = OperationSpec(items=items, name="the odd ones")
    await runner.administer.run_one(CreateOperation(batch_id, spec, actor=BOOTSTRAP))
    worker = OperationWorker(database, runner, items_max=1)
    while not await _count_answered(database, batch_id):
        await worker.work()
    await runner.limit.run_one(MoveOperation(batch_id, OperationState.PAUSED, actor=BOOTSTRAP))
    return batch_id


async def made(runner: CommandRunner, spec: OperationSpec) -> UUID:
    """Return the id of a new operation."""
    operation_id = uuid4()
    await runner.administer.run_one(CreateOperation(operation_id, spec, actor=BOOTSTRAP))
    return operation_id


def items_of(*jobs: Steps) -> list[Item]:
    """Return items for jobs, and what their last executions were."""
    return [Item(number, job.job_id, execution_id=job.execution_id) for number, job in enumerate(jobs)]


async def _count_answered(database: Database, operation_id: UUID) -> int:
    async with database.session() as session:
        query = "SELECT count(*) FROM operation_items WHERE operation_id = $1 AND answered"
        return int(await session.driver.fetchval(query, operation_id))
