"""Serve KeepingService over gRPC: for how long things are kept, and how much is kept."""

import time
from asyncio import Lock
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from contracts.fields import RetentionName
from contracts.receipts import ReceiptKey
from contracts.resources import NewRetention, RetentionPatch, job_message
from contracts.topic_prefix import bare_name
from contracts.topics import TOPICS
from jobstore.access.audited import ENTRY
from jobstore.access.callers import find_actor, find_tenants
from jobstore.api.requests import (
    Context,
    check_text_size,
    is_full,
    make_page,
    make_page_token,
    parse_page,
    read_change,
    read_version,
    reject_nul,
)
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers, of_all
from jobstore.errors import NotFoundError, RefusedError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.jobs.reads import get_removal, make_receipt
from jobstore.keeping import reads
from jobstore.keeping.commands import DeleteRetention, SetRetention, apply_change, make_unknown_retention_error
from jobstore.keeping.hold_store import list_holds
from jobstore.keeping.holds import HoldJob, ReleaseJob
from jobstore.keeping.removed_jobs import find_removal, find_verdict, make_job, make_logs, read_facts
from jobstore.keeping.rules import GENERAL, find_tenant
from jobstore.keeping.store import get_retentions, list_retentions
from jobstore.schema.scopes import OfAll
from jobstore.tenants.store import resolve_tenants
from servicekit.archive.parts import Archive
from servicekit.errors import TransientError
from signoff.errors import ErrorCode
from signoff.keeping import Kept, KeptTopic, Retention
from signoff.status import View
from signoff.v1 import keeping_service_pb2 as pb
from signoff.v1 import resources_pb2
from signoff.v1.keeping_service_pb2_grpc import KeepingServiceServicer
from signoff.wire import read_field, write_message, write_row, write_time

_NAME: Final[TypeAdapter[str]] = TypeAdapter(RetentionName)
#: Seconds after which it is read again what is kept, which takes up to a second where there is much.
KEPT_AGE_S: Final = 10.0
#: Bytes of the reason of a hold.
REASON_MAX_BYTES: Final = 2_000


class KeepingService(KeepingServiceServicer):
    """Serve retentions, and what is kept."""

    def __init__(
        self,
        database: Callers,
        runner: CommandRunner,
        *,
        open_archive: Callable[[], Archive] | None = None,
        receipt_key: ReceiptKey | None = None,
        measure_topics: Callable[[], Awaitable[Mapping[str, int]]] | None = None,
    ) -> None:
        """Without `open_archive` no archive is configured; without `receipt_key` no receipt is made of what it has."""
        self._database, self._runner = database, runner
        self._open_archive, self._has_archive = open_archive, open_archive is not None
        self._receipt_key, self._measure_topics = receipt_key, measure_topics
        self._reading_archive = Lock()  # parts are large
        self._kept: tuple[float, Kept] | None = None
        self._reading = Lock()

    async def ListRetentions(self, request: pb.ListRetentionsRequest, _: Context) -> pb.ListRetentionsResponse:
        size, after = parse_page(request, 100, str)
        async with self._database.session(request.tenant) as session:
            rows = await list_retentions(session, size, after or "")
        return make_page(pb.ListRetentionsResponse, request, size, "retentions", rows, lambda last: (last.name,))

    async def GetRetention(self, request: pb.GetRetentionRequest, _: Context) -> pb.GetRetentionResponse:
        async with self._database.session() as session:
            found = await get_retentions(session, [request.name])
        if request.name not in found:
            raise make_unknown_retention_error(request.name)
        return write_message(pb.GetRetentionResponse, {"retention": found[request.name]})

    async def SetRetention(self, request: pb.SetRetentionRequest, _: Context) -> pb.SetRetentionResponse:
        name = _NAME.validate_python(request.retention.name)
        change = read_change(request, request.retention, RetentionPatch, NewRetention)
        retention = await self._runner.administer.run_one(
            SetRetention(name, read_version(request), change=change, actor=find_actor(), entry=ENTRY.get())
        )
        return write_message(pb.SetRetentionResponse, {"retention": retention})

    async def DeleteRetention(self, request: pb.DeleteRetentionRequest, _: Context) -> pb.DeleteRetentionResponse:
        name = _NAME.validate_python(request.name)
        await self._runner.administer.run_one(
            DeleteRetention(name, read_version(request), actor=find_actor(), entry=ENTRY.get())
        )
        return pb.DeleteRetentionResponse()

    async def PreviewRetention(self, request: pb.PreviewRetentionRequest, _: Context) -> pb.PreviewRetentionResponse:
        name = _NAME.validate_python(request.retention.name)
        change = read_change(request, request.retention, RetentionPatch, NewRetention)
        tenant, tenants = find_tenant(name), find_tenants()
        if tenants is not None and tenant not in tenants:
            raise make_unknown_retention_error(name)
        async with self._database.transaction() as session:
            everywhere = of_all(session, OfAll.KEEPING)
            if tenant is not None and tenant != DEFAULT_TENANT:
                await resolve_tenants(session, [tenant])
            known = await get_retentions(everywhere, None if tenant is None else [name, GENERAL])
            stored, clock = known.get(name), datetime.now(UTC)
            fields = apply_change(stored, change).model_dump()
            version = stored.version + 1 if stored else 1
            changed = Retention(**fields, name=name, version=version, updated_at=clock)
            preview = await reads.preview_retention(session, name, {**known, name: changed})
            obstacles = await reads.list_obstacles(everywhere, clock, has_archive=self._has_archive)
        effects = {
            each: write_row(
                pb.RetentionEffect,
                effect,
                sample=[job_message(view, as_text=True) for view in effect.sample],
                oldest_at=effect.oldest_at and write_time(effect.oldest_at),
            )
            for each, effect in (("now", preview.now), ("later", preview.later))
        }
        return write_message(pb.PreviewRetentionResponse, {"retention": changed, "kept_back": obstacles}, **effects)

    async def ListHolds(self, request: pb.ListHoldsRequest, _: Context) -> pb.ListHoldsResponse:
        size, after = parse_page(request, 100, str)
        async with self._database.session(request.tenant) as session:
            rows = await list_holds(session, size, after or "")
        return make_page(pb.ListHoldsResponse, request, size, "holds", rows, lambda last: (last.job_id,))

    async def HoldJob(self, request: pb.HoldJobRequest, _: Context) -> pb.HoldJobResponse:
        reason = reject_nul(read_field(request, "reason"))
        check_text_size(reason or "", REASON_MAX_BYTES)
        hold = await self._runner.administer.run_one(HoldJob(request.job_id, reason, actor=find_actor()))
        return write_message(pb.HoldJobResponse, {"hold": hold})

    async def ReleaseJob(self, request: pb.ReleaseJobRequest, _: Context) -> pb.ReleaseJobResponse:
        await self._runner.administer.run_one(ReleaseJob(request.job_id, actor=find_actor()))
        return pb.ReleaseJobResponse()

    async def GetKept(self, _request: pb.GetKeptRequest, _: Context) -> pb.GetKeptResponse:
        async with self._reading:
            now = time.monotonic()
            if self._kept is None or now - self._kept[0] > KEPT_AGE_S:
                async with self._database.transaction() as session:
                    kept = await reads.read_kept(session, datetime.now(UTC), has_archive=self._has_archive)
                self._kept = now, kept.model_copy(update={"topics": await self._list_topics()})
            return write_message(pb.GetKeptResponse, self._kept[1])

    async def _list_topics(self) -> list[KeptTopic]:
        """Return the installation's topics, the largest first; none while the broker is out of reach."""
        try:
            sizes = await self._measure_topics() if self._measure_topics is not None else {}
        except TransientError:
            return []
        found = [KeptTopic(topic=bare_name(name), bytes=size) for name, size in sizes.items() if name in TOPICS]
        return sorted(found, key=lambda each: (-each.bytes, each.topic))

    async def GetRemovedJob(self, request: pb.GetRemovedJobRequest, _: Context) -> pb.GetRemovedJobResponse:
        limit, after = parse_page(request, 100, int)
        texts, tenants = is_full(request.view, View.FULL), find_tenants()
        async with self._database.transaction() as session:
            everywhere = of_all(session, OfAll.REMOVED)
            entry = await find_removal(everywhere, request.job_id)
            if entry is None or (tenants is not None and entry.tenant not in tenants):
                raise NotFoundError(f"no job {request.job_id[:200]} was removed", code=ErrorCode.UNKNOWN_JOB)
            removal = await get_removal(everywhere, request.job_id)
        if self._open_archive is None:
            raise RefusedError("no archive is configured: set SIGNOFF_ARCHIVE", code=ErrorCode.NO_ARCHIVE)
        async with self._reading_archive:
            facts = await read_facts(self._open_archive(), request.job_id, entry)
        chosen = [fact for fact in facts if fact.event.version > (after or 0)][:limit]
        logs = [write_message(resources_pb2.JobLog, log) for log in make_logs(chosen, texts=texts)]
        is_last = len(logs) < limit
        verdict = find_verdict(facts)
        key = self._receipt_key
        return pb.GetRemovedJobResponse(
            job=write_message(resources_pb2.Job, make_job(facts, texts=texts)),
            logs=[*logs, write_row(resources_pb2.JobLog, removal)] if is_last else logs,
            next_page_token=make_page_token(request, None if is_last else (chosen[-1].event.version,)),
            removed_at=write_time(entry.removed_at),
            receipt=None if key is None or verdict is None else make_receipt(key, verdict, texts=texts),
            parts=entry.parts,
        )
