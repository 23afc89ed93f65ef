"""Lists look at few rows, however the values of a filter lie along an order, and say where that leaves jobs out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from support.jobstore.rows import parsed

from contracts.resources import JobFilter
from jobstore.engine.database import Database
from jobstore.jobs import finding, lists
from signoff.status import JobOrder

JOBS = 3_000
BATCH, UNKNOWN = UUID(int=4_101), UUID(int=4_102)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: What is expensive is old, and of one agent; what has a low number is short.
_FILL = """
INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, agent_id, live, not_met,
    priority, tenant, labels, policy, spec_hash, created_at, updated_at, batch_id, cost_nanos, duration_s, code)
SELECT 'bounded-' || lpad((n * 7919 % 3000)::text, 4, '0'), 'Page ' || n, '', 'x', '{}', 'PENDING', 1, NULL, false, 0,
    CASE WHEN n % 50 = 0 THEN 9 ELSE 5 END, 'tenant-' || n / 1000, jsonb_build_object('team', 't' || n % 3), '{}', '',
    CAST(:begin AS timestamptz) + n * interval '1 s', CAST(:begin AS timestamptz) + (3000 - n) * interval '1 s',
    CASE WHEN n % 100 = 1 THEN CAST(:unknown AS uuid) END, 3000 - n, CASE WHEN n % 10 < 9 THEN n END,
    CASE WHEN n % 100 = 0 THEN 'rare' END
FROM generate_series(0, 2999) n
"""
_ITEMS = """
INSERT INTO operation_items (operation_id, item, job_id)
SELECT :batch, row_number() OVER (ORDER BY created_at) - 1, id FROM jobs WHERE tenant <> 'tenant-2'
"""


@pytest.fixture(scope="module")
async def rows(database: Database) -> list[Any]:
    """Jobs whose values lie along each order as no planner knows."""
    async with database.transaction() as connection:
        await connection.execute(text(_FILL), {"begin": BEGIN, "unknown": UNKNOWN})
        await connection.execute(text("INSERT INTO operations (id) VALUES (:id)"), {"id": BATCH})
        await connection.execute(text(_ITEMS), {"batch": BATCH})
        return [*map(parsed, await connection.execute(text("SELECT * FROM jobs WHERE id LIKE 'bounded-%'")))]


FILTERS: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
    ({"tenant": "tenant-0"}, lambda row: row.tenant == "tenant-0"),
    ({"labels": {"team": "t1"}}, lambda row: row.labels["team"] == "t1"),
    ({"codes": ["rare"]}, lambda row: row.code == "rare"),
    ({"codes": ["rare"], "tenant": "tenant-1"}, lambda row: row.code == "rare" and row.tenant == "tenant-1"),
    ({"batch_id": BATCH}, lambda row: row.tenant != "tenant-2"),
    ({"batch_id": BATCH, "codes": ["rare"]}, lambda row: row.tenant != "tenant-2" and row.code == "rare"),
    ({"batch_id": UNKNOWN}, lambda row: str(row.batch_id) == str(UNKNOWN)),
    ({"created_after": BEGIN + timedelta(seconds=2_000)}, lambda row: row.tenant == "tenant-2"),
    ({"cost_usd_min": "0.0000025"}, lambda row: row.cost_nanos >= 2_500 and row.duration_s is not None),
    ({"tenant": "nobody"}, lambda _: False),
    ({"not_tenants": ["tenant-1", "tenant-2"]}, lambda row: row.tenant == "tenant-0"),
    (
        {"not_tenants": ["tenant-1", "tenant-2"], "codes": ["rare"]},
        lambda r: r.tenant == "tenant-0" and r.code == "rare",
    ),
    ({"batch_id": BATCH, "not_tenants": ["tenant-0"]}, lambda row: row.tenant == "tenant-1"),
    ({"not_batch_ids": [BATCH, UNKNOWN]}, lambda row: row.tenant == "tenant-2" and row.batch_id is None),
]


async def walk(database: Database, order: JobOrder, limit: int, **chosen: Any) -> tuple[list[str], set[int | None]]:
    """Return the ids of all pages of a list, and what they say of how many were searched."""
    ids, searched, after = [], set(), None
    async with database.transaction() as connection:
        while True:
            page = await lists.list_jobs(connection, limit=limit, chosen=JobFilter(**chosen), order=order, after=after)
            ids += [view["id"] for view in page.views]
            searched.add(page.searched)
            if (after := page.next) is None:
                return ids, searched


def sort(found: list[Any], order: JobOrder) -> list[str]:
    name = order.value.removeprefix("-")
    of_ended = name in {"cost_usd", "duration_s"}
    name = "cost_nanos" if name == "cost_usd" else name
    columns = (name, "created_at", "id") if name == "priority" else (name, "id")
    placed = [row for row in found if not of_ended or row.duration_s is not None]
    placed.sort(key=lambda row: [getattr(row, column) for column in columns], reverse=order.value.startswith("-"))
    return [row.id for row in placed]


@pytest.mark.parametrize("order", JobOrder)
@pytest.mark.parametrize(("chosen", "has"), FILTERS, ids=[repr(chosen) for chosen, _ in FILTERS])
async def test_a_list_is_what_sorting_all_that_match_gives_however_short_its_walks_are(
    database: Database,
    rows: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    order: JobOrder,
    chosen: dict[str, Any],
    has: Callable[[Any], bool],
) -> None:
    wanted = sort([row for row in rows if has(row)], order)
    assert await walk(database, order, 400, **chosen) == (wanted, {None})
    monkeypatch.setattr(finding, "SKIMMED_MAX", 450)
    monkeypatch.setattr(finding, "WALKED_MAX", 600)
    assert await walk(database, order, 400, **chosen) == (wanted, {None}), "fewer than are sorted"


@pytest.mark.parametrize("order", [JobOrder.COST, JobOrder.UPDATED_DESC, JobOrder.PRIORITY_DESC])
async def test_of_more_than_are_sorted_the_newest_are_and_that_is_said(
    database: Database, rows: list[Any], monkeypatch: pytest.MonkeyPatch, order: JobOrder
) -> None:
    for name, most in (("SKIMMED_MAX", 40), ("WALKED_MAX", 60), ("SORTED_MAX", 200)):
        monkeypatch.setattr(finding, name, most)
    matching = sorted((row for row in rows if row.tenant == "tenant-0"), key=lambda row: row.created_at)
    elsewhere = {"tenant": "tenant-0", "labels": {"team": "t0"}}
    found, searched = await walk(database, order, 30, **elsewhere)
    newest = [row for row in matching if row.labels["team"] == "t0"][-200:]
    if order is JobOrder.COST:
        newest = [row for row in newest if row.duration_s is not None]
    assert 200 in searched
    assert set(found) >= {row.id for row in newest}, "at least the newest are shown"
    assert len(found) == len(set(found))


async def test_where_exclusions_leave_few_the_newest_are_looked_at_and_that_is_said(
    database: Database, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("SKIMMED_MAX", 40), ("WALKED_MAX", 60), ("SORTED_MAX", 1_500), ("COUNTED_MAX", 1_500)):
        monkeypatch.setattr(finding, name, most)
    chosen: dict[str, Any] = {"not_tenants": ["tenant-2"]}
    newest = sorted(
        (row for row in rows if row.created_at >= BEGIN + timedelta(seconds=1_500)), key=lambda r: r.created_at
    )
    left = [row for row in newest if row.tenant != "tenant-2"]
    found, searched = await walk(database, JobOrder.CREATED_DESC, 30, **chosen)
    assert found[: len(left)] == sort(left, JobOrder.CREATED_DESC)
    assert 1_500 in searched
    async with database.transaction() as connection:
        assert await lists.count_jobs(connection, JobFilter(**chosen)) == ({"PENDING": len(left)}, 0, 1_500)
        codes = await lists.list_job_facets(connection, "code", JobFilter(**chosen), 20)
    assert ([(one.value, one.count) for one in codes.facets], codes.searched) == (
        [("rare", sum(row.code == "rare" for row in left))],
        1_500,
    )


async def test_of_a_large_batch_the_newest_items_are_counted(
    database: Database, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as connection:
        assert await lists.count_jobs(connection, JobFilter(batch_id=BATCH)) == ({"PENDING": 2_000}, 0, None)
        monkeypatch.setattr(finding, "COUNTED_MAX", 150)
        counts = await lists.count_jobs(connection, JobFilter(batch_id=BATCH))
        assert counts == ({"PENDING": 150}, 0, 150)
        few = await lists.count_jobs(connection, JobFilter(batch_id=BATCH, codes=["rare"]))
    assert few == ({"PENDING": 1}, 0, 150), "those among the newest items"
    assert rows


async def test_frequent_words_are_searched_among_the_newest(
    database: Database, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "INSERT INTO job_texts SELECT id, created_at, to_tsvector('simple', title || ' often') FROM jobs"
    async with database.transaction() as connection:
        await connection.execute(text(words))
        for modules, name, most in (
            ((finding, finding), "FOUND_MAX", 300),
            ((finding,), "FREQUENT", 30),
            ((finding,), "SEARCHED_MAX", 300),
        ):
            for module in modules:
                monkeypatch.setattr(module, name, most)
        counts = await lists.count_jobs(connection, JobFilter(text="often"))
        rare = await lists.count_jobs(connection, JobFilter(text="page 1234"))
    assert counts == ({"PENDING": 300}, 0, 300), "what many have, of the newest"
    assert rare.by_status == {"PENDING": 1}, "what few have, of all"
    found, _ = await walk(database, JobOrder.UPDATED, 100, text="often")
    newest = sorted(rows, key=lambda row: row.created_at)[-300:]
    assert found == sort(newest, JobOrder.UPDATED)
