"""KeepingService: what a retention would let go is told before it is set, and how much is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from support.jobstore.steps import Steps

from jobstore.api.keeping_service import KeepingService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError
from jobstore.keeping import reads
from servicekit.errors import TransientError
from signoff.errors import ErrorCode
from signoff.v1 import keeping_service_pb2 as pb

NOBODY: Any = None
DAY_S = 86_400.0


@pytest.fixture
async def doors(database: Database, runner: CommandRunner) -> KeepingService:
    async with database.transaction() as connection:
        for table in ("operation_items", "operations", "holds", "retentions", "executions", "job_logs", "jobs"):
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(text("DELETE FROM archive_parts"))
    archive: Any = object()  # which nothing here reads
    return KeepingService(Callers(database), runner, open_archive=lambda: archive)


@pytest.fixture
def rest(database: Database, runner: CommandRunner) -> Any:
    """Make a job that has rested for some days, as if in a status."""

    async def make(days: float, status: str = "COMPLETED", *, cancelled: bool = False, **fields: Any) -> str:
        steps = await Steps(database, runner).created(**fields)
        async with database.transaction() as connection:
            await connection.execute(
                text(
                    "UPDATE jobs SET status = :status, cancelled = :cancelled, "
                    "updated_at = signoff_now() - make_interval(secs => :s) WHERE id = :id"
                ),
                {"status": status, "cancelled": cancelled, "s": days * DAY_S, "id": steps.job_id},
            )
            await connection.execute(
                text("UPDATE job_logs SET created_at = signoff_now() - make_interval(secs => :s) WHERE job_id = :id"),
                {"s": days * DAY_S, "id": steps.job_id},
            )
        return steps.job_id

    return make


async def preview(doors: KeepingService, name: str, *paths: str, **fields: Any) -> pb.PreviewRetentionResponse:
    request = pb.PreviewRetentionRequest(retention=pb.Retention(name=name, **fields))
    request.update_mask.CopyFrom(FieldMask(paths=[*paths, *fields]))
    return await doors.PreviewRetention(request, NOBODY)


async def run(database: Database, statement: str, **parameters: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), parameters)


async def test_a_preview_counts_what_would_go_now_and_later(doors: KeepingService, rest: Any) -> None:
    old = await rest(100)
    await rest(80)
    await rest(1)
    await rest(200, "FAILED")
    await rest(200, "ASSIGNED")
    cancelled = await rest(120, "ASSIGNED", cancelled=True)
    await rest(400, tenant="press")
    told = await preview(doors, "tenant:default", completed_s=90 * DAY_S, cancelled_s=90 * DAY_S)
    assert dict(told.now.counts) == {"CANCELLED": 1, "COMPLETED": 1}
    assert dict(told.later.counts) == {"CANCELLED": 1, "COMPLETED": 2}
    assert [each.id for each in told.now.sample] == [cancelled, old]
    assert (told.now.jobs, told.now.has_more, told.later.jobs) == (2, False, 3)
    assert told.now.oldest_at == told.now.sample[0].updated_at
    assert told.later.bytes >= told.now.bytes > 0
    assert (told.retention.completed_s, told.retention.version) == (90 * DAY_S, 1)
    assert [each.code for each in told.kept_back] == ["archive_late"]


async def test_what_each_tenant_is_told_is_without_tenants_of_their_own(doors: KeepingService, rest: Any) -> None:
    await rest(100)
    await rest(100, tenant="press")
    await rest(100, "FAILED", tenant="press")
    await doors.SetRetention(
        pb.SetRetentionRequest(retention=pb.Retention(name="tenant:press", completed_s=200 * DAY_S)), NOBODY
    )
    told = await preview(doors, "tenant:*", completed_s=DAY_S, failed_s=DAY_S)
    assert dict(told.now.counts) == {"COMPLETED": 1, "FAILED": 1}
    await doors.SetRetention(
        pb.SetRetentionRequest(retention=pb.Retention(name="tenant:*", completed_s=DAY_S, failed_s=DAY_S)), NOBODY
    )
    own = await preview(doors, "tenant:press")
    assert (dict(own.now.counts), own.retention.version) == ({"FAILED": 1}, 2), "as it is, with that of each"
    shorter = await preview(doors, "tenant:press", "completed_s")
    assert dict(shorter.now.counts) == {"COMPLETED": 1, "FAILED": 1}


async def test_what_is_held_or_in_a_live_operation_is_not_counted(
    doors: KeepingService, rest: Any, database: Database
) -> None:
    held, live = await rest(100), await rest(100)
    await run(database, "INSERT INTO holds (job_id, actor) VALUES (:id, 'token:a')", id=held)
    await run(database, "INSERT INTO operations (id) VALUES (uuidv7())")
    await run(
        database, "INSERT INTO operation_items (operation_id, item, job_id) SELECT id, 0, :id FROM operations", id=live
    )
    assert (await preview(doors, "tenant:*", completed_s=60)).now.jobs == 0
    await run(database, "UPDATE operations SET state = 'DONE', finished_at = signoff_now() - interval '2 days'")
    told = await preview(doors, "tenant:*", completed_s=60, operations_s=DAY_S)
    assert ([each.id for each in told.now.sample], told.now.operations) == ([live], 1)
    assert (await preview(doors, "tenant:press", operations_s=DAY_S)).later.operations == 0
    assert (await preview(doors, "tenant:*", operations_s=3 * DAY_S)).now.operations == 0


async def test_a_preview_is_of_a_tenant_that_is_registered(doors: KeepingService) -> None:
    with pytest.raises(InvalidError) as refused:
        await preview(doors, "tenant:nobody", completed_s=60)
    assert refused.value.code == "unknown_tenant"


async def test_it_is_told_what_is_kept_and_what_goes_next(doors: KeepingService, rest: Any, database: Database) -> None:
    for days in (0.1, 3, 20, 60, 100):
        await rest(days)
    held = await rest(100, "FAILED", tenant="press")
    assert not (await doors.GetKept(pb.GetKeptRequest(), NOBODY)).is_on
    await run(database, "INSERT INTO retentions (name, completed_s, failed_s) VALUES ('tenant:*', 6480000, 864000)")
    await run(database, "INSERT INTO holds (job_id, actor) VALUES (:id, 'token:a')", id=held)
    await run(database, "INSERT INTO archive_parts (number, seq, bytes) VALUES (1, 0, 700), (2, 0, 70)")
    async with database.transaction() as connection:
        kept = await reads.read_kept(connection, datetime.now(UTC), has_archive=True)
    assert [(each.tenant, each.status, each.count, each.by_age) for each in kept.jobs] == [
        ("default", "COMPLETED", 5, [1, 1, 1, 1, 1]),
        ("press", "FAILED", 1, [0, 0, 0, 0, 1]),
    ]
    assert [(each.tenant, each.kind, each.due) for each in kept.next] == [
        ("press", "FAILED", 1),
        ("default", "COMPLETED", 1),
    ]
    assert kept.next[0].at < kept.next[1].at < kept.at - timedelta(days=20)
    assert (kept.is_on, kept.holds, kept.removed, kept.uncut) == (True, 1, 0, 0)
    assert (kept.archive.bytes, kept.archive.parts, kept.archive.is_configured) == (770, 2, True)
    assert kept.archive.newest_at is not None
    assert [(each.code, each.count) for each in kept.kept_back] == [("archive_late", 0), ("job_held", 1)]
    assert "jobs release" in kept.kept_back[1].remedy
    assert kept.database_bytes > sum(table.bytes for table in kept.tables[:3]) > 0
    assert {"jobs", "job_logs", "retentions"} <= {table.name for table in kept.tables}
    assert kept.tables == sorted(kept.tables, key=lambda table: -table.bytes)


@pytest.mark.parametrize(
    ("apart_s", "parts", "codes"),
    [
        (0.0, None, ["no_archive"]),
        (0.0, "", ["archive_late"]),
        (0.0, "(1, 0, 7, signoff_now() - interval '1 hour')", ["archive_late"]),
        (365 * DAY_S, "(1, 0, 7, signoff_now())", ["archive_late", "clocks_differ"]),
        (-365 * DAY_S, "(1, 0, 7, signoff_now())", ["archive_late", "clocks_differ"]),
    ],
)
@pytest.mark.usefixtures("doors")
async def test_what_keeps_all_removal_back_is_told_with_what_helps(
    rest: Any, database: Database, apart_s: float, parts: str | None, codes: list[str]
) -> None:
    await rest(1)
    if parts:
        await run(database, f"INSERT INTO archive_parts (number, seq, bytes, created_at) VALUES {parts}")
    clock = datetime.now(UTC) + timedelta(seconds=apart_s)
    async with database.transaction() as connection:
        obstacles = await reads.list_obstacles(connection, clock, has_archive=parts is not None)
    assert [each.code for each in obstacles] == codes
    assert all(each.message and each.remedy for each in obstacles)


@pytest.mark.usefixtures("doors")
async def test_what_was_recorded_just_now_is_not_late(rest: Any, database: Database) -> None:
    """Neither before the first part, nor hours after the last."""
    await rest(0.001)
    for parts in ("", "INSERT INTO archive_parts (number, seq, bytes, created_at) VALUES (1, 0, 7, '2026-01-01')"):
        async with database.transaction() as connection:
            await connection.execute(text(parts or "SELECT"))
            assert await reads.list_obstacles(connection, datetime.now(UTC), has_archive=True) == []


@pytest.mark.usefixtures("doors")
async def test_of_many_jobs_a_sample_is_counted(rest: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await rest(1)
    monkeypatch.setattr(reads, "SAMPLED_MAX", 2_000)
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO jobs SELECT (json_populate_record(j, json_build_object('id', 'many-' || n))).* "
                "FROM jobs j CROSS JOIN generate_series(1, 4000) AS n"
            )
        )
        await connection.execute(text("ANALYZE jobs"))
        kept = await reads.read_kept(connection, datetime.now(UTC), has_archive=True)
    assert sum(each.count for each in kept.jobs) == pytest.approx(4_001, rel=0.5)


async def test_an_archive_that_fails_is_told_also_where_nothing_is_removed(
    doors: KeepingService, database: Database
) -> None:
    await run(database, "UPDATE keeping SET archive_error = 'part 7 is missing'")
    told = await doors.GetKept(pb.GetKeptRequest(), NOBODY)
    await run(database, "UPDATE keeping SET archive_error = NULL")
    assert ([each.code for each in told.kept_back], told.archive.error) == (["archive_failed"], "part 7 is missing")
    assert "part 7 is missing" in told.kept_back[0].message
    await run(database, "INSERT INTO holds (job_id, actor) VALUES ('gone', 'token:a')")
    await run(database, "INSERT INTO retentions (name, failed_s) VALUES ('tenant:*', 60)")
    async with database.transaction() as connection:
        kept = await reads.read_kept(connection, datetime.now(UTC), has_archive=False)
    assert [each.code for each in kept.kept_back] == ["no_archive", "hold_of_nothing"]


@pytest.mark.usefixtures("doors")
async def test_groups_for_which_facts_stay_are_told_where_there_is_an_archive(database: Database) -> None:
    await run(database, "UPDATE keeping SET held_back = :held_back", held_back='{"crm":7}')
    async with database.transaction() as connection:
        kept, without = [
            await reads.read_kept(connection, datetime.now(UTC), has_archive=has_archive)
            for has_archive in (True, False)
        ]
    await run(database, "UPDATE keeping SET held_back = '{}'")
    told, *others = [[each for each in one.kept_back if each.code == "group_behind"] for one in (kept, without)]
    assert ([each.count for each in told], others) == ([0], [[]])
    assert "the group crm has not read 7 " in told[0].message


async def test_what_is_kept_is_read_every_ten_seconds_at_most(doors: KeepingService, rest: Any) -> None:
    first = await doors.GetKept(pb.GetKeptRequest(), NOBODY)
    await rest(1)
    assert await doors.GetKept(pb.GetKeptRequest(), NOBODY) == first


async def test_topics_are_told_the_largest_first_and_none_while_the_broker_is_away(
    database: Database, runner: CommandRunner
) -> None:
    async def measure() -> dict[str, int]:
        return {"job-changed": 7, "execute-requested": 9, "somebody-elses": 99}

    async def fail() -> dict[str, int]:
        raise TransientError("away", code=ErrorCode.KAFKA_UNAVAILABLE)

    for measured, topics in ((measure, [("execute-requested", 9), ("job-changed", 7)]), (fail, [])):
        doors = KeepingService(Callers(database), runner, measure_topics=measured)
        told = await doors.GetKept(pb.GetKeptRequest(), NOBODY)
        assert [(each.topic, each.bytes) for each in told.topics] == topics
