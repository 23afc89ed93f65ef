"""Rebuild and verify as commands; what they do to databases is tested with the jobstore, and on a whole system."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from jobstore.storage.database import Database


@pytest.fixture
async def server(postgres: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres)
    yield connection
    await connection.close()


@pytest.fixture
async def urls(postgres: str, server: asyncpg.Connection) -> AsyncIterator[tuple[str, str]]:
    names = [f"cli_{uuid4().hex}" for _ in range(2)]
    made = [postgres.rsplit("/", 1)[0] + f"/{name}" for name in names]
    for name, url in zip(names, made, strict=True):
        await server.execute(f'CREATE DATABASE "{name}"')
        database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
        await database.migrate()
        await database.close()
    yield made[0], made[1]
    for name in names:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def add_agent(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, created_at, updated_at) "
        "VALUES ('a', $1, 'http', 'http://x/', '{}', '{}', true, '2026-01-01Z', '2026-01-01Z')",
        name,
    )
    await connection.close()


async def test_databases_that_are_the_same_are_0_with_counts(signoff, urls, tmp_path):
    """The live one is found in the endpoints file."""
    for url in urls:
        await add_agent(url, "one")
    file = tmp_path / "endpoints.json"
    file.write_text(f'{{"grpc": "127.0.0.1:1", "postgres": "{urls[1]}"}}')
    ran = await signoff("verify", "--database-url", urls[0], "--endpoints", str(file))
    assert (ran.status, ran.out) == (0, "ok: 1 agents, 0 jobs, 0 job_logs, 0 executions, 0 facts\n"), ran.err


async def test_the_first_difference_is_1_and_explained(signoff, urls):
    for url, name in zip(urls, ("one", "other \x1b[2J"), strict=True):
        await add_agent(url, name)
    ran = await signoff("verify", "--database-url", urls[0], "--live", urls[1])
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[0] == "the first difference: agents a, column name"
    assert lines[1].split() == ["rebuilt", "one"]
    assert lines[2].split() == ["live", "other", "\N{REPLACEMENT CHARACTER}[2J"]


async def test_a_database_that_is_not_there_or_not_empty_is_1_and_says_so(signoff, urls):
    given = ["--database-url", f"{urls[0]}_missing"]
    ran = await signoff("verify", *given, "--live", urls[1], "--json")
    assert (ran.status, "does not exist" in ran.err) == (1, True)
    ran = await signoff("rebuild", *given, "--kafka", "127.0.0.1:1")
    assert (ran.status, ran.out, "does not exist" in ran.err) == (1, "", True)
    await add_agent(urls[0], "one")
    ran = await signoff("rebuild", "--database-url", urls[0], "--kafka", "127.0.0.1:1", "--json")
    assert (ran.status, ran.out, "database_not_empty" in ran.err) == (1, "", True)


async def test_without_a_broker_or_a_live_database_nothing_is_done(signoff, urls):
    away = await signoff("rebuild", "--database-url", urls[0], "--kafka", "127.0.0.1:1", "--json")
    assert (away.status, away.out, "kafka_unavailable" in away.err) == (1, "", True)
    unknown = await signoff("rebuild", "--database-url", urls[0])
    assert (unknown.status, unknown.out, "--kafka" in unknown.err) == (1, "", True)
    no_live = await signoff("verify", "--database-url", urls[0])
    assert (no_live.status, no_live.out, "--live" in no_live.err) == (1, "", True)
