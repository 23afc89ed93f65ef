"""Verification: a difference in any table between a rebuilt and a live database is found and explained."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.recovery import verify
from jobstore.recovery.verify import TABLES, Verify, open_snapshot

PLANTED = {
    "agents": ("UPDATE agents SET capabilities = '{}' WHERE id = 'changed'", "capabilities"),
    "agent_settings": ("UPDATE agent_settings SET body = '{}'", "body"),
    "jobs": ("UPDATE jobs SET payload = '{\"n\": 1}' WHERE NOT live", "payload"),
    "job_logs": ("UPDATE job_logs SET message = 'another' WHERE code = 'agent_status'", "message"),
    "executions": ("UPDATE executions SET answer = 'failed' WHERE answer = 'completed'", "answer"),
    "facts": ("UPDATE facts SET body = '{}'", "body"),
    "tenants": ("UPDATE tenants SET title = concat(title, 'x')", "title"),
    "limits": ("UPDATE limits SET paused = NOT paused", "paused"),
    "retentions": ("UPDATE retentions SET completed_s = 7", "completed_s"),
    "judging_versions": ("UPDATE judging_versions SET body = '{}'", "body"),
    "judging_moves": ("UPDATE judging_moves SET version = 7", "version"),
    "judging_evaluations": ("UPDATE judging_evaluations SET measured = '{}'", "measured"),
    "operations": ("UPDATE operations SET state = 'CANCELLING'", "state"),
    "operation_items": ("UPDATE operation_items SET code = 'another'", "code"),
    "holds": ("UPDATE holds SET reason = 'another'", "reason"),
}


@pytest.mark.parametrize("table", [compared.name for compared in TABLES])
@pytest.mark.parametrize("how", ["another value", "missing", "live missing"])
async def test_a_difference_in_any_table_is_found_and_explained(
    rebuilt_url: str, database_url: str, table: str, how: str
) -> None:
    change, column = PLANTED[table]
    if how != "another value":
        # The last fact of all is there, or it would be an older copy.
        wheres = {"job_logs": "kind = 'result'", "facts": "seq < (SELECT max(seq) FROM facts)"}
        where = wheres.get(table, "true")
        change, column = f"DELETE FROM {table} WHERE {where}", None
    urls = (rebuilt_url, database_url) if how != "live missing" else (database_url, rebuilt_url)
    async with open_snapshot(urls[1]) as other, planted(urls[0]) as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(change))
        pair = (other, connection) if how == "live missing" else (connection, other)
        result = await Verify(*pair).run()
    assert not result["ok"]
    assert result["older"] is None
    difference = next(each for each in result["differences"] if each["table"] == table)
    assert difference["column"] == column
    assert (difference["job_id"] is None) == (
        table not in {"jobs", "job_logs", "executions", "operation_items", "holds"}
    )
    assert (difference["version"] is None) == (table != "job_logs")
    assert difference["rebuilt"] != difference["live"]
    if how != "another value":
        words = ("there", "missing") if how == "live missing" else ("missing", "there")
        assert (difference["rebuilt"], difference["live"]) == words


async def test_all_differences_are_told_up_to_a_limit_by_job_version_and_column(
    rebuilt_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_snapshot(database_url) as live, planted(rebuilt_url) as rebuilt:
        await rebuilt.execute(text("SET LOCAL session_replication_role = replica"))
        found = await rebuilt.execute(text("SELECT job_id, version FROM job_logs WHERE kind = 'result' LIMIT 2"))
        for row in found:
            await rebuilt.execute(
                text("UPDATE job_logs SET message = 'a', code = 'b' WHERE job_id = :job_id AND version = :version"),
                dict(row),
            )
        await rebuilt.execute(text("UPDATE agents SET name = 'another'"))
        result = await Verify(rebuilt, live).run()
        monkeypatch.setattr(verify, "DIFFERENCES_MAX", 1)
        limited = await Verify(rebuilt, live).run()
    of_jobs = [each for each in result["differences"] if each["table"] == "job_logs"]
    assert {(each["job_id"], each["version"], each["column"]) for each in of_jobs} == {
        (row.job_id, row.version, column) for row in found for column in ("message", "code")
    }
    assert result["complete"]
    assert len({each["key"] for each in result["differences"] if each["table"] == "agents"}) > 1
    assert [each["table"] for each in limited["differences"]] == ["agents", "job_logs", "job_logs"]
    assert not limited["complete"]


async def test_an_older_copy_is_told_apart_from_damage(rebuilt_url: str, database_url: str) -> None:
    """It says for each job at which version the copy ends; what differs before that is told as ever."""
    async with open_snapshot(rebuilt_url) as rebuilt, planted(database_url) as live:
        last = (await live.execute(text("SELECT job_id, version FROM job_logs WHERE kind = 'result' LIMIT 1"))).one()
        await live.execute(
            text(
                "INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at) "
                "SELECT id, version + 1, status, status, 'edited', signoff_now() FROM jobs WHERE id = :job_id"
            ),
            {"job_id": last.job_id},
        )
        ends_at = await live.scalar(
            text("UPDATE jobs SET version = version + 1, title = 'new' WHERE id = :job_id RETURNING version - 1"),
            {"job_id": last.job_id},
        )
        await live.execute(
            text(
                "INSERT INTO facts (topic, key, body) SELECT 'agent-changed', id, '{}' FROM agents WHERE id = 'changed'"
            )
        )
        await live.execute(text("UPDATE agents SET name = 'new' WHERE id = 'changed'"))
        older = await Verify(rebuilt, live).run()
        await live.execute(
            text("UPDATE job_logs SET message = 'x' WHERE job_id = :job_id AND version = :version"), dict(last)
        )
        damaged = await Verify(rebuilt, live).run()
    assert (older["ok"], older["differences"]) == (False, [])
    assert older["older"] == damaged["older"] == {"jobs": 1, "ends_at": {last.job_id: ends_at}}
    (difference,) = damaged["differences"]
    assert (difference["job_id"], difference["version"], difference["column"]) == (last.job_id, last.version, "message")


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
