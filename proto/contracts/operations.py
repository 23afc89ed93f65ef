"""The doors of batches, other operations and limits."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Final, Self
from uuid import UUID

from contracts.asking import job_filter_message
from contracts.calls import Calls, watch_backoffs_s
from contracts.convert import (
    limit_message,
    limit_of,
    new_job_message,
    operation_of,
    status_message,
)
from contracts.identity import new_execution_id
from contracts.resources import JobFilter, Limit, NewJob, NewLimit, Operation, OperationState
from contracts.status import JobStatus
from contracts.views import (
    AgentStats,
    Batch,
    DeadLetters,
    Overview,
    agent_stats_of,
    batch_of,
    dead_letters_of,
    overview_of,
)
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub

#: What many jobs may take to be accepted, however short other calls are to be.
ACCEPTING_TIMEOUT_S: Final = 120.0
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})


class OperationsClient(Calls):
    """Batches, operations and limits: a part of JobStoreClient."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._batches = JobServiceStub(self._channel)
        self._operations = OperationsServiceStub(self._channel)
        return self

    async def execute_jobs(
        self,
        job_ids: Iterable[str] = (),
        jobs: Iterable[NewJob] = (),
        *,
        filter: JobFilter | None = None,  # noqa: A002 - the word of the contract
        idempotency_key: str | None = None,
    ) -> Batch:
        """Execute jobs that exist, by id or by what they are, and create and execute others. One key is one batch."""
        request = jobs_pb.ExecuteJobsRequest(
            job_ids=job_ids,
            jobs=[new_job_message(job) for job in jobs],
            idempotency_key=idempotency_key or str(new_execution_id()),
            filter=job_filter_message(filter) if filter else None,
        )
        answer = await self._call(self._batches.ExecuteJobs, request, timeout_s=self._accepting_s)
        return batch_of(answer.batch)

    async def get_batch(self, batch_id: UUID | str) -> Batch:
        """The batch as it stands, with its items; NOT_FOUND."""
        answer = await self._call(self._batches.GetBatch, jobs_pb.GetBatchRequest(batch_id=str(batch_id)))
        return batch_of(answer.batch)

    async def get_operation(self, operation_id: UUID | str) -> Operation:
        """An operation as it stands; NOT_FOUND."""
        request = pb.GetOperationRequest(operation_id=str(operation_id))
        return operation_of((await self._call(self._operations.GetOperation, request)).operation)

    async def list_operations(self, *, limit: int = 0, page_token: str = "") -> tuple[list[Operation], str]:
        """A page of operations, newest first (50 unless told otherwise), and the next page's token or ""."""
        request = pb.ListOperationsRequest(page_size=limit, page_token=page_token)
        answer = await self._call(self._operations.ListOperations, request)
        return [operation_of(operation) for operation in answer.operations], answer.next_page_token

    async def watch_operation(self, operation_id: UUID | str) -> AsyncGenerator[Operation]:
        """The operation as it stands, and whenever it changed, until it has ended. Connects again by itself."""
        request, backoffs_s = pb.WatchOperationRequest(operation_id=str(operation_id)), watch_backoffs_s()
        while True:
            async with aclosing(self._stream(self._operations.WatchOperation, request)) as answers:
                async for answer in answers:
                    backoffs_s = watch_backoffs_s()
                    operation = operation_of(answer.operation)
                    yield operation
                    if operation.state in ENDED:
                        return
            await asyncio.sleep(next(backoffs_s))

    async def pause_operation(self, operation_id: UUID | str) -> Operation:
        """Let nothing more of an operation begin."""
        request = pb.PauseOperationRequest(operation_id=str(operation_id))
        return operation_of((await self._call(self._operations.PauseOperation, request)).operation)

    async def resume_operation(self, operation_id: UUID | str) -> Operation:
        """Let a paused operation go on."""
        request = pb.ResumeOperationRequest(operation_id=str(operation_id))
        return operation_of((await self._call(self._operations.ResumeOperation, request)).operation)

    async def cancel_operation(
        self, operation_id: UUID | str, reason: str | None = None, *, requested_by: str | None = None
    ) -> Operation:
        """Let nothing more of an operation begin, and cancel what is live of it."""
        request = pb.CancelOperationRequest(operation_id=str(operation_id), reason=reason, requested_by=requested_by)
        return operation_of((await self._call(self._operations.CancelOperation, request)).operation)

    async def retry_operation(
        self, operation_id: UUID | str, statuses: Sequence[JobStatus] = (), *, idempotency_key: str | None = None
    ) -> Operation:
        """Do it again for its jobs that stand at FAILED, or at these statuses; `nothing_to_retry` where none does."""
        request = pb.RetryOperationRequest(
            operation_id=str(operation_id),
            statuses=[status_message(status) for status in statuses],
            idempotency_key=idempotency_key or str(new_execution_id()),
        )
        answer = await self._call(self._operations.RetryOperation, request, timeout_s=self._accepting_s)
        return operation_of(answer.operation)

    async def list_limits(self) -> list[Limit]:
        """All limits, by name."""
        answer = await self._call(self._operations.ListLimits, pb.ListLimitsRequest())
        return [limit_of(limit) for limit in answer.limits]

    async def set_limit(self, name: str, limit: NewLimit) -> Limit:
        """Set or replace what holds back the executions that a name applies to; at once, also what waits."""
        answer = await self._call(self._operations.SetLimit, pb.SetLimitRequest(limit=limit_message(name, limit)))
        return limit_of(answer.limit)

    async def remove_limit(self, name: str) -> None:
        """Remove a limit; `unknown_limit` where there is none."""
        await self._call(self._operations.RemoveLimit, pb.RemoveLimitRequest(name=name))

    async def pause(self, name: str) -> Limit:
        """Let nothing begin that a name applies to, such as `agent:writer` or `tenant:a`."""
        return await self._paused(name, paused=True)

    async def resume(self, name: str) -> Limit:
        """Let what a name applies to begin again, within the rest of its limit."""
        return await self._paused(name, paused=False)

    async def get_overview(self, range_s: int = 3_600) -> Overview:
        """How it went over the last so many seconds (a month at most), and how much is there now."""
        answer = await self._call(self._operations.GetOverview, pb.GetOverviewRequest(range_s=range_s))
        return overview_of(answer)

    async def get_agent_stats(self) -> list[AgentStats]:
        """What each agent has to do now, and how it did over the last 24 hours; of those that had anything to do."""
        answer = await self._call(self._operations.GetAgentStats, pb.GetAgentStatsRequest())
        return [agent_stats_of(stats) for stats in answer.agents]

    async def list_dead_letters(self, *, limit: int = 0) -> DeadLetters:
        """How many dead letters there are, and the newest (50 unless told otherwise)."""
        answer = await self._call(self._operations.ListDeadLetters, pb.ListDeadLettersRequest(page_size=limit))
        return dead_letters_of(answer)

    async def _paused(self, name: str, *, paused: bool) -> Limit:
        answer = await self._call(self._operations.Pause, pb.PauseRequest(name=name, paused=paused))
        return limit_of(answer.limit)

    @property
    def _accepting_s(self) -> float:
        return max(self._timeout_s, ACCEPTING_TIMEOUT_S)
