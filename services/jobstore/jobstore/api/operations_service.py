"""OperationsService: what operators do with many jobs at once, and with limits, as gRPC."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from contracts import convert
from contracts.jsontext import json_text
from contracts.resources import Limit, LimitName, NewLimit, Operation, OperationState
from contracts.status import JobStatus
from contracts.views import DeadLetters, agent_stats_message, dead_letters_message, overview_message
from jobstore.api.requests import Context, limit_of, next_token, token_of, without_nul
from jobstore.domain.limits import batch_limit
from jobstore.errors import InvalidError, RefusedError
from jobstore.insights import overview
from jobstore.insights.dead_letters import DeadLetterTopics
from jobstore.operations import repository
from jobstore.operations.batches import Batches
from jobstore.publishing.watches import Watches
from jobstore.storage import limits
from jobstore.storage.database import Database
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1.operations_service_pb2_grpc import OperationsServiceServicer

#: A watch looks no more often than this,
WATCH_MIN_S: Final = 0.5
#: and no less often: a pause is nothing that is published.
WATCH_MAX_S: Final = 1.0

#: Of an overview, unless it is said; and no further back.
RANGE_S: Final = 3_600
RANGE_MAX_S: Final = 30 * 24 * 3_600

_NAME: Final[TypeAdapter[str]] = TypeAdapter(LimitName)
_OF_TENANTS: Final = ("weight", "queue_max")


class OperationsService(OperationsServiceServicer):
    """Operations on many jobs, and limits."""

    def __init__(
        self, database: Database, watches: Watches, batches: Batches, dead_letters: DeadLetterTopics | None = None
    ) -> None:
        self._dead_letters = dead_letters
        self._database = database
        self._watches = watches
        self._batches = batches

    async def GetOperation(self, request: pb.GetOperationRequest, context: Context) -> pb.GetOperationResponse:
        del context
        operation = await self._batches.operation(request.operation_id)
        return pb.GetOperationResponse(operation=convert.operation_message(operation))

    async def ListOperations(self, request: pb.ListOperationsRequest, context: Context) -> pb.ListOperationsResponse:
        del context
        limit = limit_of(request.page_size, 50)
        before = token_of(request.page_token, lambda at, known: (datetime.fromisoformat(at), UUID(known)))
        async with self._database.session() as session:
            found = await repository.list_(session, limit, before)
        last = (found[-1].created_at.isoformat(), str(found[-1].id)) if len(found) == limit else None
        messages = [convert.operation_message(operation) for operation in found]
        return pb.ListOperationsResponse(operations=messages, next_page_token=next_token(last))

    async def WatchOperation(
        self, request: pb.WatchOperationRequest, context: Context
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        del context
        told: Any = None
        while True:
            operation = await self._batches.operation(request.operation_id)
            shown = operation.model_dump(exclude={"rate_per_s", "ends_at"}), round(operation.rate_per_s, 1)
            if shown != told:
                told = shown
                yield pb.WatchOperationResponse(operation=convert.operation_message(operation))
            if operation.state in repository.ENDED:
                return
            await self._watches.anything(WATCH_MIN_S, WATCH_MAX_S)

    async def PauseOperation(self, request: pb.PauseOperationRequest, context: Context) -> pb.PauseOperationResponse:
        del context
        operation = await self._moved(request.operation_id, OperationState.PAUSED, OperationState.RUNNING)
        return pb.PauseOperationResponse(operation=convert.operation_message(operation))

    async def ResumeOperation(self, request: pb.ResumeOperationRequest, context: Context) -> pb.ResumeOperationResponse:
        del context
        operation = await self._moved(request.operation_id, OperationState.RUNNING, OperationState.PAUSED)
        return pb.ResumeOperationResponse(operation=convert.operation_message(operation))

    async def CancelOperation(self, request: pb.CancelOperationRequest, context: Context) -> pb.CancelOperationResponse:
        del context
        said = {name: without_nul(getattr(request, name)) for name in ("reason", "requested_by")}
        about = json_text({name: text for name, text in said.items() if text})
        running = OperationState.RUNNING, OperationState.PAUSED
        operation = await self._moved(request.operation_id, OperationState.CANCELLING, *running, about=about)
        return pb.CancelOperationResponse(operation=convert.operation_message(operation))

    async def RetryOperation(self, request: pb.RetryOperationRequest, context: Context) -> pb.RetryOperationResponse:
        del context
        statuses = [convert.status_of(status) for status in request.statuses] or [JobStatus.FAILED]
        operation = await self._batches.retry(request.operation_id, statuses, request.idempotency_key)
        return pb.RetryOperationResponse(operation=convert.operation_message(operation))

    async def ListLimits(self, request: pb.ListLimitsRequest, context: Context) -> pb.ListLimitsResponse:
        del request, context
        async with self._database.session() as session:
            found = await limits.list_(session)
        return pb.ListLimitsResponse(limits=[convert.limit_message(limit.name, limit) for limit in found])

    async def SetLimit(self, request: pb.SetLimitRequest, context: Context) -> pb.SetLimitResponse:
        del context
        name, new = _limit_name(request.limit.name), convert.new_limit_of(request.limit)
        wrong = [field for field in _OF_TENANTS if getattr(new, field) is not None and not name.startswith("tenant:")]
        if wrong:
            raise InvalidError(f"{wrong[0]}: only tenants have one, and {name[:100]} is none")
        async with self._database.transaction() as connection:
            await limits.put(connection, name, new)
            limit = await limits.one(connection, name)
        return pb.SetLimitResponse(limit=_message(limit))

    async def RemoveLimit(self, request: pb.RemoveLimitRequest, context: Context) -> pb.RemoveLimitResponse:
        del context
        async with self._database.transaction() as connection:
            await limits.remove(connection, _limit_name(request.name))
        return pb.RemoveLimitResponse()

    async def Pause(self, request: pb.PauseRequest, context: Context) -> pb.PauseResponse:
        del context
        name = _limit_name(request.name)
        async with self._database.transaction() as connection:
            await limits.pause(connection, name, paused=request.paused)
            limit = await limits.one(connection, name)
        return pb.PauseResponse(limit=_message(limit))

    async def GetOverview(self, request: pb.GetOverviewRequest, context: Context) -> pb.GetOverviewResponse:
        del context
        if not 0 <= request.range_s <= RANGE_MAX_S:
            raise InvalidError(f"range_s is between 0 and {RANGE_MAX_S}")
        dead = await self._dead_letters.counts_if_reachable() if self._dead_letters is not None else {}
        async with self._database.session() as session:
            return overview_message(await overview.get(session, request.range_s or RANGE_S, dead))

    async def GetAgentStats(self, request: pb.GetAgentStatsRequest, context: Context) -> pb.GetAgentStatsResponse:
        del request, context
        async with self._database.session() as session:
            stats = await overview.agents(session)
        return pb.GetAgentStatsResponse(agents=[agent_stats_message(each) for each in stats])

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        del context
        limit = limit_of(request.page_size, 50)
        if self._dead_letters is None:
            return pb.ListDeadLettersResponse()
        items = await self._dead_letters.newest(limit)
        return dead_letters_message(DeadLetters(counts=dict(await self._dead_letters.counts()), items=items))

    async def _moved(
        self, operation_id: str, to: OperationState, *allowed: OperationState, about: str = "{}"
    ) -> Operation:
        """Pause, resume or cancel an operation; what is as it is to be already stays as it is.

        The limit goes before the row, as everywhere: who holds back executions waits for all that are being requested.
        """
        known = (await self._batches.operation(operation_id)).id
        async with self._database.transaction() as connection:
            await limits.hold(connection)
            state = await repository.locked(connection, known)
            if state in allowed:
                if to is OperationState.RUNNING:
                    await limits.drop(connection, batch_limit(known))
                else:
                    await limits.pause(connection, batch_limit(known), paused=True)
                await repository.move(connection, known, to, about)
            elif state is not to and (to, state) != (OperationState.CANCELLING, OperationState.CANCELLED):
                raise RefusedError(f"the batch is {state}", code="operation_ended")
        return await self._batches.operation(operation_id)


def _limit_name(text: str) -> str:
    """The name of a limit that people may set; a batch is paused by its own door."""
    name = _NAME.validate_python(text)
    if name.startswith("batch:"):
        raise InvalidError("a batch is paused and resumed as an operation", code="invalid_request")
    return name


def _message(limit: Limit | NewLimit | None) -> Any:
    assert isinstance(limit, Limit)
    return convert.limit_message(limit.name, limit)
