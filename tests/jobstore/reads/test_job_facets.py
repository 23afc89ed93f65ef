"""Facets: how many jobs match, by the values of a field."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from support.jobstore.registered import create_old_jobs
from support.jobstore.rows import parsed
from support.jobstore.steps import new_job

from contracts.resources import JobFilter
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.jobs import finding, lists
from jobstore.jobs.lists import Facet, Facets
from signoff.status import FACET_FIELDS, JobStatus

NUMBERS = 60
#: UNNAMED is not known any more; EARLIER executed some of the jobs of BATCH before.
BATCH, UNNAMED, EARLIER = (UUID(int=number) for number in (4_111, 4_112, 4_113))

_ENDED = """
UPDATE jobs SET status = CASE WHEN n % 4 < 2 THEN 'FAILED' ELSE status END,
    created_at = CAST('2026-01-01T00:00Z' AS timestamptz) + n * interval '1 minute',
    batch_id = CASE n % 5 WHEN 0 THEN CAST(:batch AS uuid) WHEN 1 THEN CAST(:unnamed AS uuid) END,
    cost_nanos = n % 8 * 250_000_000, duration_s = n % 9, cancelled = n % 10 = 1,
    code = CASE n % 4 WHEN 0 THEN 'agent_status' WHEN 1 THEN 'no_progress' END,
    not_met_criteria = CASE n % 3 WHEN 0 THEN ARRAY['Is "blue", or so', 'x'] WHEN 1 THEN ARRAY['x'] END
FROM (SELECT id AS job_id, substr(id, 7)::int AS n FROM jobs WHERE id LIKE 'facet-%') AS numbered WHERE id = job_id
"""
_ITEMS = """
INSERT INTO operation_items (operation_id, item, job_id)
SELECT :batch, n, 'facet-' || lpad(n::text, 3, '0') FROM generate_series(0, 59) n
WHERE CASE WHEN :more THEN n % 10 < 2 ELSE n % 5 = 0 END
"""


def batches_of(row: Any) -> list[str]:
    """All batches that a job is an item of, or the last one, which is not known."""
    n = int(row.id[-3:])
    held = {BATCH: n % 5 == 0, EARLIER: n % 10 < 2, UNNAMED: n % 5 == 1}
    return [str(batch_id) for batch_id, is_item in held.items() if is_item]


@pytest.fixture(scope="module")
async def rows(database: Database, runner: CommandRunner) -> list[Any]:
    """Sixty jobs with values of every field, some of them without one."""
    made = {
        f"facet-{n:03}": new_job(
            title=f"Translate page {n}" if n % 7 == 0 else f"Summarise {n}",
            tenant=f"tenant-{n % 3}",
            labels={"team": f"t{n % 4}", **({"a:b": "c:d"} if n % 6 == 0 else {})} if n % 2 else {},
            agent_id="writer" if n % 2 else None,
        )
        for n in range(NUMBERS)
    }
    await create_old_jobs(database, runner, made)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE agents SET name = 'The writer' WHERE id = 'writer'"))
        await connection.execute(text("INSERT INTO operations (id, name) VALUES (:id, 'nightly')"), {"id": BATCH})
        await connection.execute(text("INSERT INTO operations (id) VALUES (:id)"), {"id": EARLIER})
        await connection.execute(text(_ENDED), {"batch": BATCH, "unnamed": UNNAMED})
        for batch_id in (BATCH, EARLIER):
            await connection.execute(text(_ITEMS), {"batch": batch_id, "more": batch_id == EARLIER})
        return [*map(parsed, await connection.execute(text("SELECT * FROM jobs WHERE id LIKE 'facet-%'")))]


async def facets(database: Database, field: str, limit: int = 20, **chosen: Any) -> Facets:
    async with database.transaction() as connection:
        return await lists.list_job_facets(connection, field, JobFilter(**chosen), limit)


VALUES: dict[str, Callable[[Any], Iterable[Any]]] = {
    "agent": lambda row: [row.agent_id],
    "tenant": lambda row: [row.tenant],
    "batch": batches_of,
    "code": lambda row: [row.code],
    "criterion": lambda row: row.not_met_criteria or (),
    "label": lambda row: row.labels,
    "label:team": lambda row: [row.labels.get("team")],
    "label:a:b": lambda row: [row.labels.get("a:b")],
    "label:nobody": lambda row: [row.labels.get("nobody")],
    "status": lambda row: [row.status, *(["CANCELLED"] if row.cancelled else [])],
}
FILTERS: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
    ({}, lambda _: True),
    ({"statuses": [JobStatus.FAILED]}, lambda row: row.status == "FAILED"),
    ({"agent_id": "writer"}, lambda row: row.agent_id == "writer"),
    ({"tenant": "tenant-1"}, lambda row: row.tenant == "tenant-1"),
    ({"labels": {"team": "t1"}}, lambda row: row.labels.get("team") == "t1"),
    ({"codes": ["no_progress"]}, lambda row: row.code == "no_progress"),
    ({"criterion_not_met": 'Is "blue", or so'}, lambda row: len(row.not_met_criteria or ()) == 2),
    ({"cancelled": True}, lambda row: row.cancelled),
    ({"cost_usd_min": 1, "duration_s_max": 5}, lambda row: row.cost_nanos >= 1_000_000_000 and row.duration_s <= 5),
    ({"text": "translate"}, lambda row: "Translate" in row.title),
    ({"tenant": "nobody"}, lambda _: False),
    ({"not_agent_ids": ["writer"]}, lambda row: row.agent_id is None),
    ({"not_tenants": ["tenant-1"]}, lambda row: row.tenant != "tenant-1"),
    ({"not_labels": ["team:t1"]}, lambda row: row.labels.get("team") != "t1"),
    ({"not_codes": ["no_progress"]}, lambda row: row.code != "no_progress"),
    ({"not_criteria_not_met": ['Is "blue", or so']}, lambda row: len(row.not_met_criteria or ()) < 2),
    ({"not_batch_ids": [EARLIER]}, lambda row: str(EARLIER) not in batches_of(row)),
    ({"batch_id": EARLIER}, lambda row: str(EARLIER) in batches_of(row)),
    ({"batch_id": UNNAMED}, lambda row: str(UNNAMED) in batches_of(row)),
]
#: What a filter says of the field itself is ignored.
OWN = {
    "agent": {"agent_id", "not_agent_ids"},
    "tenant": {"tenant", "not_tenants"},
    "batch": {"batch_id", "not_batch_ids"},
    "code": {"codes", "not_codes"},
    "criterion": {"criterion_not_met", "not_criteria_not_met"},
    "label:team": {"labels", "not_labels"},
    "status": {"statuses", "cancelled"},
}


def test_each_field_is_tested() -> None:
    assert {field.partition(":")[0] for field in VALUES} == set(FACET_FIELDS)


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize(("chosen", "has"), FILTERS, ids=[repr(chosen) for chosen, _ in FILTERS])
async def test_the_values_of_each_field_are_counted_among_those_that_match(
    database: Database, rows: list[Any], field: str, chosen: dict[str, Any], has: Callable[[Any], bool]
) -> None:
    is_own = chosen.keys() & OWN.get(field, set())
    values = Counter(v for row in rows if is_own or has(row) for v in VALUES[field](row) if v is not None)
    found = await facets(database, field, **chosen)
    expected = sorted(values.items(), key=lambda each: (-each[1], each[0]))
    assert [(one.value, one.count) for one in found.facets] == expected
    assert found.searched is None, "all were"
    assert found.last is None


async def test_agents_and_batches_are_named(database: Database, rows: list[Any]) -> None:
    assert rows
    assert (await facets(database, "agent")).facets == [Facet("writer", 30, "The writer")]
    batches = (await facets(database, "batch")).facets
    assert {one.value: one.name for one in batches} == {str(BATCH): "nightly", str(UNNAMED): None, str(EARLIER): None}


async def test_the_most_frequent_come_first_and_what_is_left_out_is_said(
    database: Database, rows: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows
    found = await facets(database, "criterion", limit=1)
    assert (found.facets, found.last) == ([Facet("x", 40)], Facet("x", 40))
    whole, seen, last = (await facets(database, "label:team")).facets, [], None
    while True:
        async with database.transaction() as connection:
            page = await lists.list_job_facets(connection, "label:team", JobFilter(), 1, last)
        seen += page.facets
        if (last := page.last) is None:
            break
    assert seen == whole
    assert len(whole) > 1
    monkeypatch.setattr(finding, "COUNTED_MAX", 5)
    assert (await facets(database, "criterion", limit=1)).facets == [Facet("x", 5)]
    assert (await facets(database, "criterion", 1, text="translate")).facets == [Facet("x", 5)]
    monkeypatch.setattr(finding, "COUNTED_MAX", 12)
    found = await facets(database, "tenant")
    assert found == Facets([Facet(f"tenant-{n}", 4) for n in range(3)], 12)
    assert (await facets(database, "label:nobody")).searched == 12
    monkeypatch.setattr(finding, "SEARCHED_MAX", 30)
    assert (await facets(database, "criterion", text="translate")).searched == 30, "of more, the newest were searched"
    assert (await facets(database, "code", agent_id="writer")).facets == [Facet("no_progress", 12)]


@pytest.mark.parametrize("batch_id", [BATCH, UNNAMED, EARLIER])
async def test_as_many_are_counted_of_a_batch_as_its_list_has(
    database: Database, rows: list[Any], batch_id: UUID
) -> None:
    (counted,) = [one.count for one in (await facets(database, "batch")).facets if one.value == str(batch_id)]
    async with database.transaction() as connection:
        page = await lists.list_jobs(connection, limit=100, chosen=JobFilter(batch_id=batch_id))
    assert counted == len(page.views) == sum(str(batch_id) in batches_of(row) for row in rows)


@pytest.mark.parametrize("field", ["", "title", "tenant:x", "label:", "Tenant", "x" * 300, "agent_id; DROP TABLE jobs"])
async def test_what_is_no_field_is_said_so(database: Database, field: str) -> None:
    with pytest.raises(InvalidError, match=r"must be one of status, agent, .*, or label:NAME") as refused:
        await facets(database, field)
    assert refused.value.code == "unknown_field"
    assert len(str(refused.value)) < 250
