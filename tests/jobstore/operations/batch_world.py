"""The gRPC services of batches, and what stands behind them."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.steps import CRITERIA, Published, Steps, verdict
from support.jobstore.terms import IDS

from contracts.judging.policy import Verdict
from contracts.resources import Usage
from jobstore.api.job_service import JobService
from jobstore.api.operations_service import OperationsService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.executions.dispatcher import Dispatcher
from jobstore.insights.overview import WaitingSums
from jobstore.operations import worker
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from servicekit.errors import TransientError
from signoff.status import Outcome, ReportKind
from signoff.types import Operation, OperationItem, read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources


class Caller:
    """The context of a call without metadata."""

    def invocation_metadata(self) -> Any:
        return ()

    def set_trailing_metadata(self, metadata: Any) -> None:
        """What is told beside the answer is of no interest."""


CALLER: Any = Caller()
NOBODY = CALLER


class World:
    """The doors of batches, and what stands behind them."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database = database
        self.runner = runner
        self.operator = OperationWorker(database, runner, items_max=2)
        self.batches = Batches(Callers(database), runner, self.operator)
        self.jobs_service = self.serving(self.operator)
        self.doors = OperationsService(
            Callers(database), runner, Watches(database), self.batches, WaitingSums(database, 60.0)
        )
        self.published = Published()
        self.dispatcher = Dispatcher(database, self.published, runner.terms, SECRETS)  # type: ignore[arg-type]

    def serving(self, operator: OperationWorker) -> JobService:
        batches = Batches(Callers(self.database), self.runner, operator)
        return JobService(Callers(self.database), self.runner, Watches(self.database), batches, 10_000)

    async def execute(self, request: jobs_pb.ExecuteJobsRequest) -> resources.Operation:
        return (await self.jobs_service.ExecuteJobs(request, NOBODY)).operation

    async def items(self, operation_id: Any) -> list[OperationItem]:
        return await self.batches.list_items(str(operation_id), 500, -1, [])

    async def sql(self, query: str, **about: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return await connection.execute(text(query), about)

    async def jobs(self, count: int, **fields: Any) -> list[Steps]:
        return [await Steps(self.database, self.runner).created(**fields) for _ in range(count)]

    async def executed(self, jobs: list[Steps]) -> resources.Operation:
        """A batch of these jobs; each learns which execution was asked of it."""
        batch = await self.execute(jobs_pb.ExecuteJobsRequest(job_ids=[job.job_id for job in jobs]))
        for job in jobs:
            job.execution_id = worker.derive_execution_id(IDS, UUID(batch.id), job.job_id)
        return batch

    async def crashed(self, request: jobs_pb.ExecuteJobsRequest) -> UUID:
        """The batch is stored, and then the database is away."""
        dying = OperationWorker(self.database, Dying(self.runner), items_max=2)  # type: ignore[arg-type]
        with pytest.raises(TransientError):
            await self.serving(dying).ExecuteJobs(request, NOBODY)
        ((batch_id,),) = await self.sql("SELECT id FROM operations ORDER BY created_at DESC LIMIT 1")
        await self.sql("UPDATE operations SET turn_at = now() WHERE id = :id", id=batch_id)  # its taker is lost
        return UUID(str(batch_id))

    async def stands(self, batch_id: Any) -> Operation:
        return read_model((await self.doors.GetOperation(asked(pb.GetOperationRequest, batch_id), NOBODY)).operation)

    async def worked(self) -> None:
        while await self.operator.work():
            pass

    async def offered(self) -> set[UUID]:
        """What is offered to executors now."""
        self.published.events.clear()
        await self.dispatcher.offer()
        return {event.execution_id for event in self.published.events}


class Dying:
    """CommandRunner of a process that ends when it has asked for a chunk, before it keeps the answers."""

    def __init__(self, runner: CommandRunner) -> None:
        self.submit = self
        self._runner, self.terms, self.find_full = runner, runner.terms, runner.find_full

    async def run(self, commands: Any) -> Any:
        await self._runner.submit.run(commands)
        raise TransientError("away")


def asked(kind: Any, batch_id: Any, **fields: Any) -> Any:
    return kind(operation_id=str(batch_id), **fields)


def new(**fields: Any) -> resources.NewJob:
    return resources.NewJob(**{"title": "A title", "acceptance_criteria": CRITERIA, "agent_id": "writer", **fields})


async def ended(job: Steps, kind: ReportKind = ReportKind.FAILED) -> None:
    answer = await job.claim()
    assert answer.execution is not None
    await job.report(answer.execution.lease, kind)


async def judged(job: Steps, outcome: Outcome | Verdict) -> None:
    """The job's execution has a result, and a verdict, or one of its one criterion, by the policy that was frozen."""
    claimed = await job.claim()
    assert claimed.execution is not None
    judging = await job.claim_judging(claimed.execution.lease)
    assert judging.execution is not None
    said = outcome if isinstance(outcome, Verdict) else verdict(outcome)
    said = said.model_copy(update={"judge": (judging.execution.policy or {}).get("judge")})
    await job.report(judging.execution.lease, ReportKind.VERDICT, verdict=said)


async def spend(job: Steps, usd: float, kind: ReportKind = ReportKind.FAILED, **fields: Any) -> None:
    """The job's execution ends by a report that says what it has cost, in dollars and a hundred tokens a dollar."""
    claimed = await job.claim()
    assert claimed.execution is not None
    usage = Usage(cost_usd=usd, output_tokens=int(usd * 100))
    if kind is ReportKind.VERDICT:
        claimed = await job.claim_judging(claimed.execution.lease)
        assert claimed.execution is not None
    await job.report(claimed.execution.lease, kind, usage=usage, **fields)
