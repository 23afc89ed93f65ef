"""A caller of some tenants reads their rows alone, whatever its statement says."""

from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from support.jobstore.registered import create_old_jobs
from support.jobstore.steps import new_job

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import ScopedConnection, Tenants
from jobstore.schema import scopes
from jobstore.schema.tables import job_logs, jobs

PRESS, BOTH = frozenset({"press"}), frozenset({"press", "games"})
ALL = ["g-1", "p-1", "p-2"]
RECURSIVE = """
    WITH RECURSIVE walked AS (
        (SELECT id FROM jobs ORDER BY id LIMIT 1)
        UNION ALL SELECT following.id FROM walked CROSS JOIN LATERAL (
            SELECT id FROM jobs WHERE jobs.id > walked.id ORDER BY id LIMIT 1) AS following)
    SELECT id FROM walked
"""
#: The same question, in all the ways in which statements are written.
WAYS = {
    "by hand": sa.text("SELECT id FROM jobs"),
    "with an alias": sa.text("SELECT j.id FROM jobs AS j"),
    "joined": sa.text("SELECT o.id FROM (VALUES (1)) AS one (n) LEFT JOIN jobs o ON true"),
    "without FROM": sa.text("SELECT unnest(ARRAY(SELECT id FROM jobs))"),
    "with itself": sa.text("SELECT DISTINCT a.id FROM jobs a, jobs b"),
    "WITH": sa.text("WITH found AS MATERIALIZED (SELECT id FROM jobs) SELECT id FROM found"),
    "in lower case": sa.text("with found as (select id from jobs) select id from found"),
    "RECURSIVE": sa.text(RECURSIVE),
    "RECURSIVE within": sa.text(f"SELECT id FROM (VALUES (1)) AS one (n), ({RECURSIVE}) AS r"),
    "UNION": sa.text("(SELECT id FROM jobs LIMIT 1) UNION (SELECT id FROM jobs)"),
    "logs": sa.text("SELECT DISTINCT job_id FROM job_logs"),
    "logs that are joined": sa.text("SELECT DISTINCT j.id FROM jobs j JOIN job_logs l ON l.job_id = j.id"),
    "select()": sa.select(jobs.c.id),
    "exists()": sa.select(jobs.c.id).where(sa.exists().where(job_logs.c.job_id == jobs.c.id)),
    "a subquery of the same name": sa.select(sa.select(jobs.c.id, jobs.c.title).limit(9).subquery("jobs").c.id),
    "cte()": sa.select(sa.select(jobs.c.id).cte("newest").c.id),
    "another's condition": sa.select(jobs.c.id).where(sa.or_(jobs.c.tenant == "games", sa.true())),
}


@pytest.fixture(scope="module", autouse=True)
async def made(database: Database, runner: CommandRunner) -> None:
    tenants = {"p-1": "press", "p-2": "press", "g-1": "games"}
    await create_old_jobs(database, runner, {job_id: new_job(tenant=t) for job_id, t in tenants.items()})


async def read(
    database: Database,
    statement: sa.ClauseElement,
    tenants: Tenants,
    parameters: Mapping[str, object] | None = None,
) -> list[str]:
    async with database.transaction() as connection:
        scoped = ScopedConnection(connection.driver, tenants)
        found = await scoped.scalars(statement, parameters)
        streamed = [row[0] async for row in scoped.stream(statement, parameters, rows_ahead=2)]
        assert found == streamed
    return sorted(found)


@pytest.mark.parametrize("way", WAYS)
async def test_only_rows_of_own_tenants_are_read(database: Database, way: str) -> None:
    assert await read(database, WAYS[way], PRESS) == ["p-1", "p-2"]
    assert await read(database, WAYS[way], BOTH) == ALL
    assert [each for each in await read(database, WAYS[way], frozenset()) if each is not None] == []


async def test_parameters_keep_their_places(database: Database) -> None:
    by_hand = sa.text("SELECT id FROM jobs WHERE id <> :not AND id LIKE :like AND id <> :not")
    assert await read(database, by_hand, PRESS, {"not": "p-1", "like": "%-%"}) == ["p-2"]
    assert await read(database, sa.select(jobs.c.id).where(jobs.c.id.in_(["p-1", "g-1"])), PRESS) == ["p-1"]


@pytest.mark.parametrize("way", WAYS)
async def test_who_has_all_tenants_executes_the_statement_as_it_is(database: Database, way: str) -> None:
    async with database.session() as connection:
        sql, values = ScopedConnection(connection.driver, None).bind(WAYS[way], {})
        plain, plain_values = connection.bind(WAYS[way], {})
    assert (sql, [*values]) == (plain, [*plain_values])
    assert await read(database, WAYS[way], None) == ALL


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET title = ''",
        "DELETE FROM jobs",
        "INSERT INTO text_index (id, seq) VALUES (1, 1)",
        "WITH gone AS (DELETE FROM job_logs RETURNING 1) SELECT 1",
        "SELECT id FROM public.jobs",
    ],
)
async def test_what_no_scope_holds_is_refused(database: Database, statement: str) -> None:
    with pytest.raises(TypeError, match="only read"):
        await read(database, sa.text(statement), PRESS)


async def test_many_at_once_are_refused(database: Database) -> None:
    async with database.session() as connection:
        with pytest.raises(TypeError, match="only read"):
            await ScopedConnection(connection.driver, PRESS).execute_many(sa.text("SELECT 1"), [{}])


@pytest.mark.parametrize("table", scopes.CLOSED)
async def test_nothing_is_read_of_what_has_no_tenant(database: Database, table: str) -> None:
    """Also where it is named in a way that the search for names could miss."""
    for source in (table, f"(VALUES (1)) AS one (n) ,\n{table}"):
        assert await read(database, sa.text(f"SELECT '' FROM {source}"), PRESS) == []


@pytest.mark.parametrize("statement", [sa.text("SELECT '1' AS jobs_of_all"), sa.text("SELECT ''::text AS facts")])
async def test_what_only_looks_like_a_table_changes_nothing(database: Database, statement: sa.TextClause) -> None:
    assert len(await read(database, statement, PRESS)) == 1
