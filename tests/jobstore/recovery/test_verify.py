"""Verification: a difference in any table between a rebuilt and a live database is found and explained."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from jobstore.recovery.verify import TABLES, Verify, open_snapshot
from jobstore.storage.database import Database

PLANTED = {
    "agents": ("UPDATE agents SET capabilities = '{}' WHERE id = 'changed'", "capabilities"),
    "jobs": ("UPDATE jobs SET payload = '{\"n\": 1}' WHERE NOT live", "payload"),
    "job_logs": ("UPDATE job_logs SET message = 'another' WHERE code = 'agent_status'", "message"),
    "executions": ("UPDATE executions SET answer = 'failed' WHERE answer = 'completed'", "answer"),
    "facts": ("UPDATE facts SET body = '{}'", "body"),
}


@pytest.mark.parametrize("table", [compared.name for compared in TABLES])
@pytest.mark.parametrize("how", ["another value", "missing", "live missing"])
async def test_a_difference_in_any_table_is_found_and_explained(
    rebuilt_url: str, database_url: str, table: str, how: str
) -> None:
    change, column = PLANTED[table]
    if how != "another value":
        where = "kind = 'result'" if table == "job_logs" else "true"
        change, column = f"DELETE FROM {table} WHERE {where}", None
    urls = (rebuilt_url, database_url) if how != "live missing" else (database_url, rebuilt_url)
    async with open_snapshot(urls[1]) as other, planted(urls[0]) as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(change))
        pair = (other, connection) if how == "live missing" else (connection, other)
        result = await Verify(*pair).run()
    assert not result["ok"]
    difference = result["difference"]
    assert (difference["table"], difference["column"]) == (table, column)
    assert difference["rebuilt"] != difference["live"]
    if how != "another value":
        words = ("there", "missing") if how == "live missing" else ("missing", "there")
        assert (difference["rebuilt"], difference["live"]) == words


async def test_what_no_fact_tells_is_not_compared(rebuilt_url: str, database_url: str) -> None:
    """Shown by the storm's adversary: whoever forged one report had every verification of the tables fail."""
    async with open_snapshot(rebuilt_url) as rebuilt, planted(database_url) as live:
        await live.execute(text("UPDATE executions SET misjudged = 1, forged_lease = lease"))
        assert (await Verify(rebuilt, live).run())["ok"]


@asynccontextmanager
async def planted(url: str) -> AsyncIterator[Any]:
    """A transaction in which anything may be changed; nothing of it stays."""
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=1)
    async with database.session() as connection:
        transaction = connection.driver.transaction()
        await transaction.start()
        await connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        yield connection
        await transaction.rollback()
    await database.close()
