"""Who has a token with a name stands by it in logs, facts, operations and limits, whatever asks for a change."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from support.real_console import TOKEN, jobstore_on

from jobstore.engine.database import Database
from signoff import AsyncClient

#: What an operation comes to is told by Signoff itself.
ACTORS = text(
    """
    SELECT 'log' AS of_what, actor FROM job_logs UNION
    SELECT concat_ws(' ', topic, body->>'kind'),
        coalesce(body->>'actor', body->'log'->>'actor', body->'change'->>'actor') FROM facts
    WHERE coalesce(body->>'kind', '') NOT LIKE 'operation%' OR body->>'actor' <> 'signoff' UNION
    SELECT 'operation', actor FROM operations UNION
    SELECT 'audit', actor FROM audit WHERE action <> 'create_token'
    """
)
TOLD = {"log", "operation", "audit", "agent-changed", "administration-changed limits"}


@pytest.fixture
async def eve(database: Database) -> AsyncIterator[AsyncClient]:
    async with database.transaction() as connection:
        for table in ("job_logs", "facts", "operation_items", "operations", "audit", "tokens"):
            await connection.execute(text(f"DELETE FROM {table}"))
    async with jobstore_on(database) as (_, address), AsyncClient(address, TOKEN) as bootstrap:
        made = await bootstrap.create_token(name="eve", role="administrator", all_tenants=True)
        yield bootstrap.with_token(made.secret)


async def test_each_change_of_hers_has_her_name(eve: AsyncClient, database: Database) -> None:
    await eve.create_job(id="a", title="A job", acceptance_criteria="is done")
    await eve.create_job(id="b", title="A job", acceptance_criteria="is done", agent_id="writer")
    await eve.edit_job("a", {"title": "Another"})
    await eve.assign_agent("a", "writer")
    await eve.execute_job("a")
    batch = await eve.execute_jobs(["b"])
    await eve.cancel_job("a")
    await eve.pause_operation(batch.id)
    await eve.cancel_operation(batch.id)
    await eve.create_agent(id="drafter", name="Drafter", url="http://127.0.0.1:1/")
    await eve.disable_agent("drafter")
    await eve.set_limit("tenant:default", concurrency=2)
    await eve.pause("agent:writer")
    await eve.remove_limit("tenant:default")
    await eve.put_criteria_set("tidy", "It is tidy")
    async with database.session() as session:
        found = {(row.of_what, row.actor) for row in await session.execute(ACTORS)}
    assert {each for each in found if each[1] != "token:eve"} == set()
    assert {of_what for of_what, _ in found} >= TOLD
