"""Serve KeepingService over gRPC: for how long things are kept, and how much is kept."""

import time
from asyncio import Lock
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter

from contracts.fields import RetentionName
from contracts.resources import NewRetention, RetentionPatch, job_message
from jobstore.access.audited import ENTRY
from jobstore.access.callers import find_actor, find_tenants
from jobstore.api.requests import Context, make_page, parse_page, read_change, read_version
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers, of_all
from jobstore.errors import NotFoundError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.keeping import reads
from jobstore.keeping.commands import DeleteRetention, SetRetention, apply_change, make_unknown_retention_error
from jobstore.keeping.rules import GENERAL, find_tenant
from jobstore.keeping.store import get_retentions, list_retentions
from jobstore.schema.scopes import OfAll
from jobstore.tenants.store import resolve_tenants
from signoff.errors import ErrorCode
from signoff.keeping import Kept, Retention
from signoff.v1 import keeping_service_pb2 as pb
from signoff.v1.keeping_service_pb2_grpc import KeepingServiceServicer
from signoff.wire import write_message, write_row, write_time

_NAME: Final[TypeAdapter[str]] = TypeAdapter(RetentionName)
#: Seconds after which it is read again what is kept, which takes up to a second where there is much.
KEPT_AGE_S: Final = 10.0


class KeepingService(KeepingServiceServicer):
    """Serve retentions, and what is kept."""

    def __init__(self, database: Callers, runner: CommandRunner, *, has_archive: bool = False) -> None:
        self._database, self._runner, self._has_archive = database, runner, has_archive
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

    async def GetKept(self, _request: pb.GetKeptRequest, _: Context) -> pb.GetKeptResponse:
        async with self._reading:
            now = time.monotonic()
            if self._kept is None or now - self._kept[0] > KEPT_AGE_S:
                async with self._database.transaction() as session:
                    kept = await reads.read_kept(session, datetime.now(UTC), has_archive=self._has_archive)
                self._kept = now, kept
            return write_message(pb.GetKeptResponse, self._kept[1])

    async def GetRemovedJob(self, request: pb.GetRemovedJobRequest, _: Context) -> pb.GetRemovedJobResponse:
        raise NotFoundError(f"no job {request.job_id[:200]} was removed", code=ErrorCode.UNKNOWN_JOB)
