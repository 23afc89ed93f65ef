"""KeepingService: retentions are set, listed and deleted, each change with its fact."""

import asyncio
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import ValidationError
from sqlalchemy import text

from jobstore.api.keeping_service import KeepingService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import NotFoundError, RefusedError
from signoff.v1 import keeping_service_pb2 as pb

NOBODY: Any = None


@pytest.fixture
async def doors(database: Database, runner: CommandRunner) -> KeepingService:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM retentions"))
        await connection.execute(text("DELETE FROM facts"))
    return KeepingService(Callers(database), runner)


async def put(doors: KeepingService, name: str, *paths: str, version: int | None = None, **fields: Any) -> pb.Retention:
    request = pb.SetRetentionRequest(retention=pb.Retention(name=name, **fields), version=version)
    if paths:
        request.update_mask.CopyFrom(FieldMask(paths=paths))
    return (await doors.SetRetention(request, NOBODY)).retention


async def test_a_retention_is_set_changed_listed_and_deleted(doors: KeepingService, database: Database) -> None:
    made = await put(doors, "tenant:press", completed_s=60, failed_s=120.5)
    assert (made.completed_s, made.failed_s, made.HasField("rejected_s"), made.version) == (60, 120.5, False, 1)
    changed = await put(doors, "tenant:press", "failed_s", "rejected_s", rejected_s=90, version=1)
    assert (changed.completed_s, changed.HasField("failed_s"), changed.rejected_s) == (60, False, 90)
    await put(doors, "tenant:*", operations_s=3600)
    first = await doors.ListRetentions(pb.ListRetentionsRequest(page_size=1), NOBODY)
    rest = await doors.ListRetentions(pb.ListRetentionsRequest(page_token=first.next_page_token, page_size=1), NOBODY)
    assert [each.name for each in (*first.retentions, *rest.retentions)] == ["tenant:*", "tenant:press"]
    assert (await doors.GetRetention(pb.GetRetentionRequest(name="tenant:press"), NOBODY)).retention == changed
    await doors.DeleteRetention(pb.DeleteRetentionRequest(name="tenant:press", version=2), NOBODY)
    with pytest.raises(NotFoundError):
        await doors.GetRetention(pb.GetRetentionRequest(name="tenant:press"), NOBODY)
    async with database.session() as session:
        facts = await session.execute(text("SELECT body ->> 'removed' AS removed, body FROM facts ORDER BY seq"))
        told = [(row.removed, row.body) for row in facts]
    assert [removed for removed, _ in told] == ["false", "false", "false", "true"]


async def test_two_that_set_the_first_at_once_are_one_after_the_other(doors: KeepingService) -> None:
    async def first(kept_s: float) -> str:
        try:
            return str((await put(doors, "tenant:press", failed_s=kept_s, version=0)).version)
        except RefusedError as refused:
            return str(refused.code)

    assert sorted(await asyncio.gather(first(60), first(61))) == ["1", "version_conflict"]


@pytest.mark.parametrize("name", ["", "press", "agent:a", "tenant:", "tenant:The Mill", "tenant:press\0"])
async def test_a_retention_is_of_a_tenant_or_of_each(doors: KeepingService, name: str) -> None:
    with pytest.raises(ValidationError):
        await put(doors, name, completed_s=60)
    with pytest.raises(ValidationError):
        await doors.DeleteRetention(pb.DeleteRetentionRequest(name=name), NOBODY)


@pytest.mark.parametrize("kept_s", [59.99, -1.0, float("nan"), float("inf")])
async def test_what_is_kept_for_less_than_a_minute_is_refused(doors: KeepingService, kept_s: float) -> None:
    with pytest.raises(ValidationError):
        await put(doors, "tenant:press", completed_s=kept_s)
    with pytest.raises(ValidationError):
        await put(doors, "tenant:press", "completed_s", completed_s=kept_s)
