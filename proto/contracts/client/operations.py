"""The part of the jobstore's client for batches, other operations, limits and insights."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from contracts import messages
from contracts.client.connection import JobStoreError, list_all, watch_backoffs_s
from contracts.client.judgings import JudgingsClient
from contracts.identity import new_execution_id
from contracts.messages.filters import job_filter_message
from signoff.errors import ErrorCode
from signoff.status import JobStatus, OperationState
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub
from signoff.wire import write_words

if TYPE_CHECKING:
    from contracts.messages.operations import NewOperation, OperationPreview
    from contracts.messages.views import AgentStats, DeadLetters, NewResolution, Overview, Resolved
    from contracts.resources import JobFilter, Limit, LimitPatch, NewJob, NewLimit, Operation, OperationItem

#: A call that accepts many jobs may take at least this long, in seconds, however short `timeout_s` is.
ACCEPT_TIMEOUT_S: Final = 120.0
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})


class OperationsClient(JudgingsClient):
    """Call the jobstore about batches, operations and limits; the base of JobStoreClient."""

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
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Operation:
        """Execute jobs that exist, by id or by filter, or create jobs and execute them, as one operation, a batch.

        It is answered once each job was accepted or refused. One key is one batch.
        """
        request = jobs_pb.ExecuteJobsRequest(
            job_ids=job_ids,
            jobs=[messages.convert.new_job_message(job) for job in jobs],
            idempotency_key=idempotency_key or str(new_execution_id()),
            filter=job_filter_message(filter) if filter else None,
            name=name,
        )
        response = await self._call(self._batches.ExecuteJobs, request, timeout_s=self._accept_timeout_s)
        return self._read(response.operation)

    async def get_operation(self, operation_id: UUID | str) -> Operation:
        """Return an operation as it stands; NOT_FOUND."""
        request = pb.GetOperationRequest(operation_id=str(operation_id))
        return self._read((await self._call(self._operations.GetOperation, request)).operation)

    async def preview_operation(self, new: NewOperation) -> OperationPreview:
        """Return what an operation would be about: how many jobs, some of them, and what they may cost."""
        request = pb.PreviewOperationRequest(operation=messages.operations.new_operation_message(new))
        return self._read(await self._call(self._operations.PreviewOperation, request))

    async def create_operation(self, new: NewOperation, *, idempotency_key: str | None = None) -> Operation:
        """Make an operation on the jobs that match now, which is carried out from then on. One key is one operation."""
        request = pb.CreateOperationRequest(
            operation=messages.operations.new_operation_message(new),
            idempotency_key=idempotency_key or str(new_execution_id()),
        )
        response = await self._call(self._operations.CreateOperation, request, timeout_s=self._accept_timeout_s)
        return self._read(response.operation)

    async def list_operation_items(
        self, operation_id: UUID | str, outcomes: Iterable[str] = (), *, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[OperationItem], str]:
        """Return a page of an operation's items, of all outcomes unless some are named, and the next page's token."""
        request = pb.ListOperationItemsRequest(
            operation_id=str(operation_id),
            outcomes=write_words(resources_pb.ItemOutcome.DESCRIPTOR, outcomes),
            page_size=page_size,
            page_token=page_token,
        )
        response = await self._call(self._operations.ListOperationItems, request)
        return [self._read(item) for item in response.items], response.next_page_token

    async def list_operations(
        self, kinds: Iterable[str] = (), *, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Operation], str]:
        """Return a page of operations, newest first (50 unless `page_size` is given), and the next token or ""."""
        request = pb.ListOperationsRequest(
            kinds=write_words(resources_pb.OperationKind.DESCRIPTOR, kinds), page_size=page_size, page_token=page_token
        )
        response = await self._call(self._operations.ListOperations, request)
        return [self._read(operation) for operation in response.operations], response.next_page_token

    async def watch_operation(self, operation_id: UUID | str) -> AsyncGenerator[Operation]:
        """Yield an operation as it stands and after each change, until it has ended. A lost stream is opened again."""
        request, backoffs_s = pb.WatchOperationRequest(operation_id=str(operation_id)), watch_backoffs_s()
        while True:
            async with aclosing(self._stream(self._operations.WatchOperation, request)) as responses:
                async for response in responses:
                    backoffs_s = watch_backoffs_s()
                    operation = self._read(response.operation)
                    yield operation
                    if operation.state in ENDED:
                        return
            await asyncio.sleep(next(backoffs_s))

    async def pause_operation(self, operation_id: UUID | str) -> Operation:
        """Pause an operation: no more of its executions begin."""
        request = pb.PauseOperationRequest(operation_id=str(operation_id))
        return self._read((await self._call(self._operations.PauseOperation, request)).operation)

    async def resume_operation(self, operation_id: UUID | str) -> Operation:
        """Resume a paused operation."""
        request = pb.ResumeOperationRequest(operation_id=str(operation_id))
        return self._read((await self._call(self._operations.ResumeOperation, request)).operation)

    async def cancel_operation(self, operation_id: UUID | str, reason: str | None = None) -> Operation:
        """Cancel an operation: none of its executions begin any more, and the live ones are cancelled."""
        request = pb.CancelOperationRequest(operation_id=str(operation_id), reason=reason)
        return self._read((await self._call(self._operations.CancelOperation, request)).operation)

    async def retry_operation(
        self,
        operation_id: UUID | str,
        statuses: Sequence[JobStatus] = (),
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Operation:
        """Execute again what FAILED of an operation, or ended so; `nothing_to_retry` if nothing did."""
        request = pb.RetryOperationRequest(
            operation_id=str(operation_id),
            statuses=[resources_pb.JobStatus.Value(f"JOB_STATUS_{status}") for status in statuses],
            idempotency_key=idempotency_key or str(new_execution_id()),
            name=name,
        )
        response = await self._call(self._operations.RetryOperation, request, timeout_s=self._accept_timeout_s)
        return self._read(response.operation)

    async def list_limits(self, *, page_size: int = 0, page_token: str = "") -> tuple[list[Limit], str]:
        """Return a page of limits by name (100 unless `page_size` is given), and the next page's token or ""."""
        request = pb.ListLimitsRequest(page_size=page_size, page_token=page_token)
        response = await self._call(self._operations.ListLimits, request)
        return [self._read(limit) for limit in response.limits], response.next_page_token

    async def get_limit(self, name: str) -> Limit:
        """Return a limit; `unknown_limit` if there is none of this name."""
        return self._read((await self._call(self._operations.GetLimit, pb.GetLimitRequest(name=name))).limit)

    async def set_limit(self, name: str, limit: NewLimit | LimitPatch, *, version: int | None = None) -> Limit:
        """Set or replace a limit, or change what a patch gives; it applies at once, also to executions that wait."""
        message, mask = messages.patches.change_message(resources_pb.Limit, limit, name=name)
        request = pb.SetLimitRequest(limit=message, update_mask=mask, version=version)
        response = await self._call(self._operations.SetLimit, request)
        return self._read(response.limit)

    async def remove_limit(self, name: str, *, version: int | None = None) -> None:
        """Remove a limit; `unknown_limit` if there is none of this name."""
        listed = await list_all(self.list_limits)
        try:
            await self._call(self._operations.RemoveLimit, pb.RemoveLimitRequest(name=name, version=version))
        except JobStoreError as error:
            # A call may be sent again after it was carried out: what was there is removed.
            if error.code != ErrorCode.UNKNOWN_LIMIT or name not in {limit.name for limit in listed}:
                raise

    async def pause(self, name: str, *, version: int | None = None) -> Limit:
        """Pause the executions that a name applies to, such as `agent:writer` or `tenant:a`: none begin.

        `version`: of the agent of this name, or else of its limit.
        """
        return await self._set_paused(name, version, paused=True)

    async def resume(self, name: str, *, version: int | None = None) -> Limit:
        """Resume the executions that a name applies to, within the rest of its limit."""
        return await self._set_paused(name, version, paused=False)

    async def confirm_limits(self) -> None:
        """Say that the limits that are set now are all there are, where a rebuild did not find them."""
        await self._call(self._operations.ConfirmLimits, pb.ConfirmLimitsRequest())

    async def get_overview(self, range_s: int = 3_600) -> Overview:
        """Return counts and times of the last `range_s` seconds (30 days at most), and what is live now."""
        response = await self._call(self._operations.GetOverview, pb.GetOverviewRequest(range_s=range_s))
        return self._read(response)

    async def diagnose(self) -> pb.DiagnoseResponse:
        """Return how processes, consumer groups and what is yet to be published stand, as the jobstore tells it."""
        return await self._call(self._operations.Diagnose, pb.DiagnoseRequest())

    async def get_agent_stats(self, *, page_size: int = 0, page_token: str = "") -> tuple[list[AgentStats], str]:
        """Return a page of agents' work now and results of the last 24 hours, and the next page's token or "".

        Agents without work are left out; a page has 100 unless `page_size` is given.
        """
        request = pb.GetAgentStatsRequest(page_size=page_size, page_token=page_token)
        response = await self._call(self._operations.GetAgentStats, request)
        return [self._read(stats) for stats in response.agents], response.next_page_token

    async def list_dead_letters(
        self, *, page_size: int = 0, page_token: str = "", include_done: bool = False
    ) -> DeadLetters:
        """Return how many dead letters are open, by topic, and a page of them (50 unless `page_size` is given)."""
        request = pb.ListDeadLettersRequest(page_size=page_size, page_token=page_token, include_done=include_done)
        return self._read(await self._call(self._operations.ListDeadLetters, request))

    async def resolve_dead_letters(self, new: NewResolution) -> Resolved:
        """Redrive or discard open dead letters: some of them, and `next_offset` says where the rest begins."""
        request = messages.views.new_resolution_message(new)
        response = await self._call(self._operations.ResolveDeadLetters, request, timeout_s=self._accept_timeout_s)
        return self._read(response)

    async def create_login_code(self) -> str:
        """Return a code that logs the owner of the client's token in, once and within a quarter of an hour."""
        return (await self._call(self._operations.CreateLoginCode, pb.CreateLoginCodeRequest())).code

    async def spend_login_code(self, code: str) -> str:
        """Return the token that a code is for; `unknown_login_code` if it was spent, or is too old."""
        return (await self._call(self._operations.SpendLoginCode, pb.SpendLoginCodeRequest(code=code))).token

    async def _set_paused(self, name: str, version: int | None, *, paused: bool) -> Limit:
        request = pb.PauseRequest(name=name, paused=paused, version=version)
        response = await self._call(self._operations.Pause, request)
        return self._read(response.limit)

    @property
    def _accept_timeout_s(self) -> float:
        return max(self._timeout_s, ACCEPT_TIMEOUT_S)
