"""What retentions let go is removed once it is due by the database's time and by the facts' times alike."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.removed import archived
from support.jobstore.shifted import shifted_clock
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.locks import Lock, try_hold_by_session
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import SIGNOFF
from jobstore.keeping import pace, retention
from jobstore.keeping.retention import PERIOD_S, Retention
from jobstore.operations import store
from jobstore.operations.commands import (
    AnswerItems,
    CreateOperation,
    EndOperation,
    Item,
    ItemAnswer,
    OperationSpec,
)
from signoff.status import OperationKind

DAY_S, YEAR = 86_400.0, timedelta(days=365)
Rest = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
async def _empty(database: Database) -> None:
    async with database.transaction() as connection:
        for table in (
            "facts",
            "judgings",
            "holds",
            "retentions",
            "operation_items",
            "operations",
            "executions",
            "job_logs",
            "jobs",
        ):
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(text("DELETE FROM archive_parts"))


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SHARE", 1.0)


async def run(database: Database, statement: str, **parameters: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), parameters)


@pytest.fixture
def rest(database: Database, runner: CommandRunner) -> Rest:
    """Make a job that has rested for some days, as if in a status; it is archived as long ago."""

    async def make(days: float, status: str = "COMPLETED", *, cancelled: bool = False, **fields: Any) -> str:
        steps = Steps(database, runner)
        steps.job_id = f"{fields.get('tenant', 'default')}:{uuid4()}" if "tenant" in fields else str(uuid4())
        await steps.created(**fields)
        await run(
            database,
            """
            UPDATE jobs SET status = :status, cancelled = :cancelled,
                created_at = signoff_now() - make_interval(secs => :s),
                updated_at = signoff_now() - make_interval(secs => :s) WHERE id = :id
            """,
            status=status,
            cancelled=cancelled,
            s=days * DAY_S,
            id=steps.job_id,
        )
        return steps.job_id

    return make


async def keep(database: Database, name: str = "tenant:*", **fields: float) -> None:
    columns, values = ", ".join(fields), ", ".join(f":{each}" for each in fields)
    await run(database, f"INSERT INTO retentions (name, {columns}) VALUES (:name, {values})", name=name, **fields)


async def age(database: Database, days: float) -> None:
    """Archive all, and let it have been so many days ago by the facts' times."""
    await archived(database)
    await run(database, "UPDATE archive_parts SET facts_at = facts_at - make_interval(secs => :s)", s=days * DAY_S)


async def left(database: Database) -> set[str]:
    async with database.session() as session:
        return set(await session.scalars(text("SELECT id FROM jobs")))


async def reasons(database: Database) -> list[str]:
    async with database.session() as session:
        found = await session.scalars(
            text("SELECT DISTINCT message FROM job_logs WHERE kind = 'removed' AND actor = 'retention'")
        )
        return sorted(found)


async def test_what_is_past_its_retention_is_removed_and_nothing_else(
    database: Database, runner: CommandRunner, rest: Rest
) -> None:
    gone = {await rest(100), await rest(91), await rest(8, "FAILED"), await rest(8, "ASSIGNED", cancelled=True)}
    stays = {
        *(await rest(89), await rest(6, "FAILED"), await rest(900, "REJECTED")),
        *(await rest(900, "ASSIGNED"), await rest(900, "PENDING")),
    }
    await keep(database, completed_s=90 * DAY_S, failed_s=7 * DAY_S, cancelled_s=7 * DAY_S)
    await age(database, 1_000)
    assert await left(database) == gone | stays
    await Retention(database, runner).look()
    assert await left(database) == stays
    assert await reasons(database) == ["tenant:*"]


async def test_a_tenants_own_retention_goes_before_that_of_each(
    database: Database, runner: CommandRunner, rest: Rest
) -> None:
    mine, others = await rest(10, tenant="press"), await rest(10)
    failed = await rest(10, "FAILED", tenant="press")
    await keep(database, completed_s=DAY_S, failed_s=DAY_S)
    await keep(database, "tenant:press", completed_s=20 * DAY_S)
    await age(database, 1_000)
    await Retention(database, runner).look()
    assert await left(database) == {mine}, f"{others} and {failed} are as tenant:* says"
    assert await reasons(database) == ["tenant:*"]
    await run(database, "UPDATE retentions SET completed_s = 60 WHERE name = 'tenant:press'")
    await Retention(database, runner).look()
    assert await left(database) == set()
    assert "tenant:press" in await reasons(database)


async def test_nothing_goes_that_is_not_archived(database: Database, runner: CommandRunner, rest: Rest) -> None:
    job_id = await rest(100)
    await keep(database, completed_s=60)
    looks = Retention(database, runner)
    await looks.look()
    assert await left(database) == {job_id}, "there is no archive"
    await archived(database)
    await looks.look()
    assert await left(database) == {job_id}, "it is old by the database's time alone"
    await run(database, "UPDATE archive_parts SET facts_at = facts_at - interval '2 minutes'")
    later = await rest(100)
    await looks.look()
    assert await left(database) == {later}, "its entry stands behind the archive's end"


async def test_old_facts_that_are_sent_again_make_nothing_old(
    database: Database, runner: CommandRunner, rest: Rest
) -> None:
    job_id = await rest(100)
    await keep(database, completed_s=60)
    await archived(database)
    await archived(database)
    young, old = "SELECT min(number) FROM archive_parts", "SELECT max(number) FROM archive_parts"
    await run(database, f"UPDATE archive_parts SET facts_at = facts_at - interval '1 year' WHERE number = ({old})")
    await Retention(database, runner).look()
    assert await left(database) == {job_id}, "the part behind that of its last entry is old, and that is not"
    await run(database, f"UPDATE archive_parts SET facts_at = facts_at - interval '1 year' WHERE number = ({young})")
    await Retention(database, runner).look()
    assert await left(database) == set()


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
async def test_a_clock_that_jumps_by_a_year_makes_nothing_due(
    database: Database, runner: CommandRunner, rest: Rest, jump: timedelta
) -> None:
    job_id = await rest(1)
    await keep(database, completed_s=90 * DAY_S)
    await age(database, 1)
    async with shifted_clock(database, jump.total_seconds()):
        await Retention(database, runner).look()
    await Retention(database, runner, lambda: datetime.now(UTC) + jump).look()
    assert await left(database) == {job_id}
    async with shifted_clock(database, YEAR.total_seconds()):
        await Retention(database, runner, lambda: datetime.now(UTC) + YEAR).look()
    assert await left(database) == set(), "both say so"


async def test_what_is_held_or_in_an_operation_stays_until_it_is_not(
    database: Database, runner: CommandRunner, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, live = await rest(100), await rest(100)
    await keep(database, completed_s=60)
    await age(database, 1_000)
    await run(database, "INSERT INTO holds (job_id, actor) VALUES (:id, 'token:a')", id=held)
    await run(database, "INSERT INTO operations (id) VALUES (uuidv7())")
    await run(
        database, "INSERT INTO operation_items (operation_id, item, job_id) SELECT id, 0, :id FROM operations", id=live
    )
    looks = Retention(database, runner)
    await looks.look()
    assert await left(database) == {held, live}
    await run(database, "DELETE FROM holds")
    await run(database, "UPDATE operations SET state = 'DONE'")
    await looks.look()
    assert await left(database) == {live}, "a refusal is remembered for a time"
    monkeypatch.setattr(retention, "ASIDE_S", -1.0)
    looks._aside = dict.fromkeys(looks._aside, 0.0)
    await looks.look()
    assert await left(database) == set()


async def test_what_is_not_counted_yet_is_tried_again_by_the_next_pass(
    database: Database, runner: CommandRunner, rest: Rest
) -> None:
    await rest(100)
    await keep(database, completed_s=60)
    await age(database, 1_000)
    looks = Retention(database, runner)
    await run(database, "UPDATE rollup SET seq = seq - 1_000_000")
    await looks.look()
    assert len(await left(database)) == 1
    await run(database, "UPDATE rollup SET seq = seq + 1_000_000")
    await looks.look()
    assert await left(database) == set()


async def test_many_are_walked_and_removed_in_batches(
    database: Database, runner: CommandRunner, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = {await rest(10, tenant="press") for _ in range(3)}
    for _ in range(5):
        await rest(10)
    await keep(database, completed_s=60)
    await keep(database, "tenant:press", completed_s=20 * DAY_S)
    await age(database, 1_000)
    monkeypatch.setattr(retention, "WALKED_MAX", 2)
    await Retention(database, runner).look()
    assert await left(database) == stays


async def test_one_jobstore_at_a_time_removes(database: Database, runner: CommandRunner, rest: Rest) -> None:
    job_id = await rest(100)
    await keep(database, completed_s=60)
    await age(database, 1_000)
    async with database.new_session() as session:
        assert await try_hold_by_session(session, Lock.RETENTION)
        await Retention(database, runner).look()
        assert await left(database) == {job_id}
    one, other = Retention(database, runner), Retention(database, runner)
    await asyncio.gather(one.look(), other.look())
    await one.look()
    assert await left(database) == set()


@pytest.mark.parametrize(("kept_s", "wait_s"), [(None, PERIOD_S), (60.0, 10.0), (90 * DAY_S, PERIOD_S)])
async def test_it_looks_more_often_where_things_are_kept_for_less(
    database: Database, runner: CommandRunner, kept_s: float | None, wait_s: float
) -> None:
    if kept_s is not None:
        await keep(database, failed_s=kept_s)
    looks = Retention(database, runner)
    await looks.look()
    assert looks._wait_s == wait_s


async def test_it_rests_for_four_fifths_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def note(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(pace, "SHARE", 0.2)
    monkeypatch.setattr(asyncio, "sleep", note)
    monkeypatch.setattr(pace.time, "monotonic", lambda: 10.0)
    await pace.pause(9.0)
    assert paused == [pytest.approx(4.0)]


async def ended(runner: CommandRunner, *job_ids: str, name: str = "") -> UUID:
    """Make an operation on these jobs that has ended."""
    operation_id = uuid4()
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    spec = OperationSpec(OperationKind.CANCEL, items=items, name=name, tenant="default")
    await runner.administer.run_one(CreateOperation(operation_id, spec, actor=SIGNOFF))
    answers = [ItemAnswer(item.item, None, "no_live_execution", "a message") for item in items]
    await runner.administer.run_one(AnswerItems(operation_id, answers, 0.0, actor=SIGNOFF))
    await runner.administer.run_one(EndOperation(operation_id, actor=SIGNOFF))
    return operation_id


async def facts_of(database: Database, operation_id: UUID) -> list[Any]:
    async with database.session() as session:
        asked = {"key": str(operation_id)}
        return list(await session.execute(text("SELECT body FROM facts WHERE key = :key ORDER BY seq"), asked))


async def operations(database: Database) -> set[UUID]:
    async with database.session() as session:
        return set(await session.scalars(text("SELECT id FROM operations")))


async def test_an_operation_past_its_own_retention_goes_with_its_items_and_its_jobs_stay(
    database: Database, runner: CommandRunner, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_ids = [await rest(1) for _ in range(5)]
    old, new = await ended(runner, *job_ids, name="canary-5c0b"), await ended(runner, job_ids[0])
    await run(database, "UPDATE operations SET finished_at = signoff_now() - interval '10 days' WHERE id = :id", id=old)
    await keep(database, operations_s=9 * DAY_S)
    looks = Retention(database, runner)
    await archived(database)
    await looks.look()
    assert await operations(database) == {old, new}, "it is not as old by the facts' times"
    await run(database, "UPDATE archive_parts SET facts_at = facts_at - interval '10 days'")
    monkeypatch.setattr(store, "FORGOTTEN_AT_ONCE", 2)
    await looks.look()
    assert await operations(database) == {new}
    assert await left(database) == set(job_ids)
    async with database.session() as session:
        asked = {"id": old}
        assert not await session.scalars(text("SELECT item FROM operation_items WHERE operation_id = :id"), asked)
    told = await facts_of(database, old)
    last = json.loads(told[-1].body)
    assert (last["kind"], last["removed"], last["rows"]) == ("operations", True, [{"id": str(old)}])
    assert "canary-5c0b" not in told[-1].body
    await Retention(database, runner).look()
    assert len(await facts_of(database, old)) == len(told), "that it is removed is not archived yet"
    await archived(database)
    await Retention(database, runner).look()
    assert await facts_of(database, old) == [], "another jobstore finds what is to be cut"
    assert await facts_of(database, new)


async def test_an_operation_that_is_under_way_or_not_counted_stays(
    database: Database, runner: CommandRunner, rest: Rest
) -> None:
    operation_id = await ended(runner, await rest(1))
    await run(database, "UPDATE operations SET finished_at = signoff_now() - interval '10 days'")
    await keep(database, operations_s=60)
    await age(database, 10)
    await run(
        database,
        """
        INSERT INTO judgings (id, kind, group_id, item, urgency, state)
        VALUES (uuidv7(), 'shadow', :id, 0, 1, 'DONE')
        """,
        id=operation_id,
    )
    looks = Retention(database, runner)
    await looks.look()
    assert await operations(database) == {operation_id}
    await run(database, "UPDATE judgings SET is_counted = true")
    await looks.look()
    assert await operations(database) == set()
    async with database.session() as session:
        assert not await session.scalars(text("SELECT id FROM judgings"))
