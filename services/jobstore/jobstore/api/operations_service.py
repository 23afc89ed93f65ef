"""Serve OperationsService over gRPC: operations on many jobs, limits, the overview and dead letters."""

import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text

from contracts.fields import LimitName
from contracts.resources import LimitPatch, NewLimit, NewOperation, NewResolution, job_message
from jobstore.access.audit import add_own
from jobstore.access.audited import ENTRY
from jobstore.access.callers import CALLER, find_actor, find_tenants, narrow_tenants
from jobstore.access.token_store import TokenFollower, begin_session
from jobstore.access.tokens import Tokens
from jobstore.access.upstreams import OPEN, Upstreams
from jobstore.api.requests import (
    Context,
    make_page,
    make_page_token,
    mark_replay,
    parse_page,
    parse_page_size,
    parse_page_token,
    read_change,
    read_key,
    read_name,
    read_session_s,
    read_version,
    reject_nul,
    wants_text,
)
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Connection
from jobstore.errors import ForbiddenError, InvalidError, NotFoundError
from jobstore.insights import overview, quality
from jobstore.insights.dead_letters import DeadLetterTopics, find_dlq
from jobstore.insights.inbox import Inboxes, read_batch_groups
from jobstore.insights.overview import WaitingSums
from jobstore.insights.processes import (
    ConsumerGroups,
    GroupFindings,
    Process,
    Trouble,
    find_trouble,
    list_processes,
    read_backlog,
)
from jobstore.insights.storages import Measured, Storages
from jobstore.limits import store as limits
from jobstore.limits.commands import ConfirmLimits, PauseLimit, RemoveLimit, SetLimit, make_unknown_limit_error
from jobstore.operations import reads as operations
from jobstore.operations.batches import Batches
from jobstore.operations.commands import ENDED
from jobstore.publishing.watches import Watches
from jobstore.schema.scopes import OfAll
from servicekit.errors import TransientError
from servicekit.process.runtime import VERSION
from signoff.errors import ErrorCode
from signoff.status import JobStatus, OperationKind, OperationState, Role
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2
from signoff.v1.operations_service_pb2_grpc import OperationsServiceServicer
from signoff.wire import parse_words, read_fields, write_message, write_row, write_time

log = logging.getLogger(__name__)


#: Seconds after which a login code expires.
LASTS_S: Final = 900

_FORGET: Final = text("DELETE FROM login_codes WHERE ends_at <= signoff_now()")
_ADD: Final = text(
    """
    INSERT INTO login_codes (code_hash, maker_hash, ends_at)
    VALUES (:code_hash, :maker_hash, signoff_now() + make_interval(secs => :lasts_s))
    """
)
_SPEND: Final = text(
    """
    DELETE FROM login_codes WHERE code_hash = :code_hash
    RETURNING CASE WHEN ends_at > signoff_now() THEN maker_hash END
    """
)


async def create_code(connection: Connection, maker_hash: bytes) -> str:
    """Return a new login code for the holder of a token, and delete the codes that have expired."""
    code = token_urlsafe()
    await connection.execute(_FORGET)
    new = {"code_hash": _hash(code), "maker_hash": maker_hash, "lasts_s": float(LASTS_S)}
    await connection.execute(_ADD, new)
    return code


async def spend_code(connection: Connection, code: str) -> bytes | None:
    """Spend a login code, and return the hash of the token for which it was made; None: it is unknown or expired."""
    maker_hash: bytes | None = await connection.scalar(_SPEND, {"code_hash": _hash(code)})
    return maker_hash


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


#: The shortest time until a watch reads its operation again,
WATCH_MIN_S: Final = 0.5
#: and the longest, since a pause publishes nothing that would wake the watch.
WATCH_MAX_S: Final = 1.0
#: The shortest time is at least this multiple of the time that the last read took, up to WATCH_REST_MAX_S: of a large
#: operation all items are counted.
WATCH_REST: Final = 10.0
WATCH_REST_MAX_S: Final = 5.0

#: Seconds that an overview covers by default, and the highest number that a request may give.
RANGE_S: Final = 3_600
RANGE_MAX_S: Final = 30 * 24 * 3_600

_NAME: Final[TypeAdapter[str]] = TypeAdapter(LimitName)


class OperationsService(OperationsServiceServicer):
    """Serve operations on many jobs, limits, the overview and dead letters."""

    def __init__(  # noqa: PLR0913 - each is a source of an answer
        self,
        database: Callers,
        runner: CommandRunner,
        watches: Watches,
        batches: Batches,
        waiting: WaitingSums,
        dead_letters: DeadLetterTopics | None = None,
        *,
        groups: ConsumerGroups | None = None,
        upstreams: Upstreams = OPEN,
        followed: TokenFollower | None = None,
        storages: Storages | None = None,
    ) -> None:
        """`followed`: the tokens for whose holders login codes are made."""
        self._followed = followed or TokenFollower(database.of_all(OfAll.LOGIN_CODES), Tokens({}))
        self._dead_letters = dead_letters
        self._waiting = waiting
        self._inboxes = Inboxes(database, waiting, dead_letters)
        self._groups = groups
        self._storages = storages
        self._database = database
        self._runner = runner
        self._watches = watches
        self._upstreams = upstreams
        self._batches = batches

    async def GetOperation(self, request: pb.GetOperationRequest, _: Context) -> pb.GetOperationResponse:
        operation = await self._batches.get_operation(request.operation_id)
        return write_message(pb.GetOperationResponse, {"operation": operation})

    async def GetOperationGroups(
        self, request: pb.GetOperationGroupsRequest, _: Context
    ) -> pb.GetOperationGroupsResponse:
        operation = await self._batches.get_operation(request.operation_id)
        async with self._database.session() as session:
            groups = await read_batch_groups(session, operation)
        return write_message(pb.GetOperationGroupsResponse, {"groups": groups})

    async def PreviewOperation(
        self, request: pb.PreviewOperationRequest, context: Context
    ) -> pb.PreviewOperationResponse:
        preview = await self._batches.preview(NewOperation(**read_fields(request.operation)))
        as_text = wants_text(context)
        sample = [job_message(view, as_text=as_text) for view in preview.sample]
        return write_row(pb.PreviewOperationResponse, preview, sample=sample)

    async def CreateOperation(self, request: pb.CreateOperationRequest, context: Context) -> pb.CreateOperationResponse:
        new = NewOperation(**read_fields(request.operation))
        if new.kind is OperationKind.REMOVE and CALLER.get().role is not Role.ADMINISTRATOR:
            raise ForbiddenError("jobs are removed for administrators alone")
        answer = await self._batches.create(new, read_key(request), find_actor())
        return write_message(pb.CreateOperationResponse, {"operation": mark_replay(context, answer)})

    async def ListOperationItems(
        self, request: pb.ListOperationItemsRequest, _: Context
    ) -> pb.ListOperationItemsResponse:
        limit, after = parse_page(request, 50, int)
        outcomes = parse_words(resources_pb2.ItemOutcome.DESCRIPTOR, request.outcomes)
        items = await self._batches.list_items(request.operation_id, limit, -1 if after is None else after, outcomes)
        return make_page(pb.ListOperationItemsResponse, request, limit, "items", items, lambda last: (last.item,))

    async def ListOperations(self, request: pb.ListOperationsRequest, _: Context) -> pb.ListOperationsResponse:
        limit, before = parse_page(request, 50, lambda at, id_: (datetime.fromisoformat(at), UUID(id_)))
        kinds = parse_words(resources_pb2.OperationKind.DESCRIPTOR, request.kinds)
        async with self._database.session(request.tenant) as session:
            found = await operations.list_operations(session, limit, before, kinds)
        return make_page(
            pb.ListOperationsResponse,
            request,
            limit,
            "operations",
            found,
            lambda last: (last.created_at.isoformat(), str(last.id)),
        )

    async def WatchOperation(
        self, request: pb.WatchOperationRequest, _: Context
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        last_sent: object = None
        while True:
            began = time.monotonic()
            operation = await self._batches.get_operation(request.operation_id)
            rest_s = min(WATCH_REST * (time.monotonic() - began), WATCH_REST_MAX_S)
            shown = operation.model_dump(exclude={"rate_per_s", "ends_at"}), round(operation.rate_per_s, 1)
            if shown != last_sent:
                last_sent = shown
                yield write_message(pb.WatchOperationResponse, {"operation": operation})
            if operation.state in ENDED:
                return
            await self._watches.wait_for_change(max(WATCH_MIN_S, rest_s), max(WATCH_MAX_S, rest_s))

    async def PauseOperation(self, request: pb.PauseOperationRequest, _: Context) -> pb.PauseOperationResponse:
        operation = await self._batches.move(request.operation_id, OperationState.PAUSED, find_actor())
        return write_message(pb.PauseOperationResponse, {"operation": operation})

    async def ResumeOperation(self, request: pb.ResumeOperationRequest, _: Context) -> pb.ResumeOperationResponse:
        operation = await self._batches.move(request.operation_id, OperationState.RUNNING, find_actor())
        return write_message(pb.ResumeOperationResponse, {"operation": operation})

    async def CancelOperation(self, request: pb.CancelOperationRequest, _: Context) -> pb.CancelOperationResponse:
        reason = reject_nul(request.reason) or ""
        operation = await self._batches.move(request.operation_id, OperationState.CANCELLING, find_actor(), reason)
        return write_message(pb.CancelOperationResponse, {"operation": operation})

    async def RetryOperation(self, request: pb.RetryOperationRequest, context: Context) -> pb.RetryOperationResponse:
        asked = parse_words(resources_pb2.JobStatus.DESCRIPTOR, request.statuses)
        statuses = [JobStatus(word) for word in asked] or [JobStatus.FAILED]
        name, key = read_name(request), read_key(request)
        answer = await self._batches.retry(request.operation_id, statuses, name, key, find_actor())
        return write_message(pb.RetryOperationResponse, {"operation": mark_replay(context, answer)})

    async def ListLimits(self, request: pb.ListLimitsRequest, _: Context) -> pb.ListLimitsResponse:
        size, after = parse_page(request, 100, str)
        async with self._database.session(request.tenant) as session:
            rows = await limits.list_limits(session, size, after or "")
        return make_page(pb.ListLimitsResponse, request, size, "limits", rows, lambda last: (last.name,))

    async def GetLimit(self, request: pb.GetLimitRequest, _: Context) -> pb.GetLimitResponse:
        async with self._database.session() as session:
            limit = await limits.get_limit(session, request.name)
        if limit is None:
            raise make_unknown_limit_error(request.name)
        return write_message(pb.GetLimitResponse, {"limit": limit})

    async def SetLimit(self, request: pb.SetLimitRequest, _: Context) -> pb.SetLimitResponse:
        name = _parse_limit_name(request.limit.name)
        change = read_change(request, request.limit, LimitPatch, NewLimit)
        limit = await self._runner.limit.run_one(
            SetLimit(name, change, read_version(request), actor=find_actor(), entry=ENTRY.get())
        )
        return write_message(pb.SetLimitResponse, {"limit": limit})

    async def RemoveLimit(self, request: pb.RemoveLimitRequest, _: Context) -> pb.RemoveLimitResponse:
        name = _parse_limit_name(request.name)
        await self._runner.limit.run_one(
            RemoveLimit(name, read_version(request), actor=find_actor(), entry=ENTRY.get())
        )
        return pb.RemoveLimitResponse()

    async def Pause(self, request: pb.PauseRequest, _: Context) -> pb.PauseResponse:
        name = _parse_limit_name(request.name)
        command = PauseLimit(name, request.paused, read_version(request), actor=find_actor(), entry=ENTRY.get())
        limit = await self._runner.limit.run_one(command)
        return write_message(pb.PauseResponse, {"limit": limit})

    async def ConfirmLimits(self, _request: pb.ConfirmLimitsRequest, _: Context) -> pb.ConfirmLimitsResponse:
        await self._runner.limit.run_one(ConfirmLimits(actor=find_actor(), entry=ENTRY.get()))
        return pb.ConfirmLimitsResponse()

    async def GetOverview(self, request: pb.GetOverviewRequest, _: Context) -> pb.GetOverviewResponse:
        if not 0 <= request.range_s <= RANGE_MAX_S:
            raise InvalidError(f"must be between 0 and {RANGE_MAX_S}", field="range_s")
        counts: dict[str, int] = {}
        now = await self._waiting.get() if (is_of_all := narrow_tenants(request.tenant) is None) else None
        if self._dead_letters is not None and is_of_all:  # what cannot be read is of no tenant
            counts |= await self._dead_letters.count_if_reachable()
        async with self._database.session(request.tenant) as session:
            now = now or await self._waiting.read(session)
            view = await overview.get_overview(session, request.range_s or RANGE_S, now, counts, of_all=is_of_all)
        view.upstreams_sign = self._upstreams.secrets is not None
        view.signing_secret = self._upstreams.own.signing.id if self._upstreams.own is not None else ""
        return write_message(pb.GetOverviewResponse, view)

    async def GetQuality(self, request: pb.GetQualityRequest, _: Context) -> pb.GetQualityResponse:
        if not 0 <= request.range_s <= quality.RANGE_MAX_S:
            raise InvalidError(f"must be between 0 and {quality.RANGE_MAX_S}", field="range_s")
        chosen = {name: reject_nul(getattr(request, name)) or "" for name in ("agent_id", "judge", "of_criterion")}
        range_s = request.range_s or quality.BY_HOUR_MAX_S
        async with self._database.session(request.tenant) as session:
            view = await quality.get_quality(session, range_s, datetime.now(UTC), **chosen)
        return write_message(pb.GetQualityResponse, view)

    async def GetInbox(self, request: pb.GetInboxRequest, _: Context) -> pb.GetInboxResponse:
        return write_message(pb.GetInboxResponse, {"inbox": await self._inboxes.get(request.tenant)})

    async def UpdateInbox(self, request: pb.UpdateInboxRequest, _: Context) -> pb.UpdateInboxResponse:
        await self._inboxes.note(**read_fields(request))
        return write_message(pb.UpdateInboxResponse, {"inbox": await self._inboxes.get(request.tenant)})

    async def Diagnose(self, _request: pb.DiagnoseRequest, _: Context) -> pb.DiagnoseResponse:
        error = await self._groups.ask() if self._groups is not None else ""
        waiting = await self._waiting.get()
        async with self._database.session() as session:
            processes = await list_processes(session)
            backlog = await read_backlog(session)
        return write_message(
            pb.DiagnoseResponse,
            backlog,
            at=write_time(backlog.now),
            version=VERSION,
            alive_s=self._runner.terms.alive_s,
            processes=map(to_message, processes),
            groups=map(_group_message, self._groups.findings if self._groups is not None else ()),
            groups_error=error,
            storages=map(_storage_message, self._storages.measured.values() if self._storages is not None else ()),
            turn_s=None if waiting.turn_since is None else (backlog.now - waiting.turn_since).total_seconds(),
        )

    async def GetWorkers(self, _request: pb.GetWorkersRequest, _: Context) -> pb.GetWorkersResponse:
        async with self._database.session() as session:
            processes = await list_processes(session)
        findings = self._groups.findings if self._groups is not None else ()
        told = [(find_trouble(each, self._runner.terms.alive_s, findings), each) for each in processes]
        told.sort(key=lambda one: (one[0] is None, -one[1].silent_s if one[0] else 0.0, one[1].kind, one[1].id))
        return pb.GetWorkersResponse(workers=[_worker_message(process, trouble) for trouble, process in told])

    async def GetAgentStats(self, request: pb.GetAgentStatsRequest, _: Context) -> pb.GetAgentStatsResponse:
        limit, after = parse_page(request, 100, str)
        async with self._database.session() as session:
            stats = await overview.get_agent_stats(
                session,
                limit,
                after or "",
                of_all=find_tenants() is None,
                agent_id=reject_nul(request.agent_id) or None,
            )
        return make_page(pb.GetAgentStatsResponse, request, limit, "agents", stats, lambda last: (last.agent_id,))

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, _: Context) -> pb.ListDeadLettersResponse:
        limit = parse_page_size(request.page_size, 50)
        if self._dead_letters is None:
            return pb.ListDeadLettersResponse()
        before = parse_page_token(request, lambda *ends: {str(topic): int(offset) for topic, offset in ends})
        found = await self._dead_letters.list_newest(limit, before, include_done=request.include_done)
        token = make_page_token(request, None if found.before is None else list(found.before.items()))
        letters = {"counts": await self._dead_letters.count(), "items": found.letters, "next_page_token": token}
        return write_message(pb.ListDeadLettersResponse, letters)

    async def ResolveDeadLetters(
        self, request: pb.ResolveDeadLettersRequest, _: Context
    ) -> pb.ResolveDeadLettersResponse:
        new = NewResolution(**read_fields(request))
        find_dlq(new.topic)
        if self._dead_letters is None:
            raise TransientError("no broker is known", code=ErrorCode.KAFKA_UNAVAILABLE)
        resolved = await self._dead_letters.resolve(new, find_actor())
        return write_message(pb.ResolveDeadLettersResponse, resolved)

    async def CreateLoginCode(self, _request: pb.CreateLoginCodeRequest, _: Context) -> pb.CreateLoginCodeResponse:
        caller = CALLER.get()
        async with self._database.of_all(OfAll.LOGIN_CODES).session() as session:
            code = await create_code(session, caller.token_hash)
        log.info("a login code was made", extra={"actor": caller.actor})
        return pb.CreateLoginCodeResponse(code=code)

    async def SpendLoginCode(self, request: pb.SpendLoginCodeRequest, _: Context) -> pb.SpendLoginCodeResponse:
        lasts_s = read_session_s(request)
        async with self._followed.changing() as connection:
            maker_hash = await spend_code(connection, request.code)
            maker = None if maker_hash is None else self._followed.tokens.get(maker_hash)
            if maker is not None:
                _, secret = await begin_session(connection, maker, "console", lasts_s)
                await add_own(connection, actor=maker.actor, tenants=maker.tenants, name="console")
        if maker is None:  # after the commit: the code is spent
            raise NotFoundError("the link was used already, or is too old", code=ErrorCode.UNKNOWN_LOGIN_CODE)
        log.info("a login code was spent", extra={"actor": maker.actor})
        return pb.SpendLoginCodeResponse(token=secret)


def to_message(process: Process) -> pb.ProcessState:
    """Return a process, with what it has reported of itself."""
    if (report := process.report) is None:
        return write_message(pb.ProcessState, process)
    reported = report.model_dump(include={"version", "ends", "partitions", "bound", "paced"})
    return write_message(pb.ProcessState, process, clock_ahead_s=report.ahead_s, **reported)


def _worker_message(process: Process, trouble: Trouble | None) -> pb.Worker:
    report = process.report
    reported = {} if report is None else report.model_dump(include={"version", "ends", "partitions", "bound", "paced"})
    return write_message(pb.Worker, process, **reported, **({} if trouble is None else trouble._asdict()))


def _storage_message(measured: Measured) -> pb.StorageState:
    return write_message(pb.StorageState, {**measured.storage._asdict(), **measured._asdict()})


def _group_message(found: GroupFindings) -> pb.GroupState:
    return write_message(
        pb.GroupState,
        found,
        group=found.group.name,
        topic=found.group.topic,
        members=len(found.group.members),
        stalled_partitions=len(found.stalled),
        stalled_s=max(found.stalled, default=0.0),
    )


def _parse_limit_name(text: str) -> str:
    """Return the name of a limit that callers may set. InvalidError: a batch has the name; pause its operation."""
    name = _NAME.validate_python(text)
    if name.startswith("batch:"):
        raise InvalidError(
            "a batch is paused and resumed as an operation: call PauseOperation or ResumeOperation",
            code=ErrorCode.INVALID_REQUEST,
        )
    return name
