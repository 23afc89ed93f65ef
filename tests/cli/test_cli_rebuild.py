"""Rebuild and verify as commands; what they do to databases is tested with the jobstore, and on a whole system."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from support.kafka.batches import poison, produce

from contracts.signing import FactKeys, Secrets, make_secret
from jobstore.engine.database import Database
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics
from servicekit.kafka.publisher import Outgoing, Publisher

SECRET = make_secret("test", b"t" * 32)
KEY = FactKeys.derive(Secrets.parse(SECRET)).signing
#: With it there is something that somebody vouches for.
MARKER = Outgoing("job-changed", b"", None, KEY.make_marker("job-changed", 0), 0)


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


@pytest.mark.parametrize("command", ["rebuild", "verify"])
async def test_topics_with_another_prefix_are_not_taken_for_empty_ones(signoff, command, tmp_path):
    file = tmp_path / "endpoints.json"
    there = {"grpc": "127.0.0.1:1", "kafka": "127.0.0.1:1", "postgres": "postgresql://127.0.0.1:1/a"}
    file.write_text(json.dumps(there | {"topic_prefix": "press.", "secrets": SECRET}))
    ran = await signoff(command, "--database-url", "postgresql://127.0.0.1:1/b", "--endpoints", str(file), "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "unknown_topic")
    assert "begin with 'press.', and are looked for with '': set SIGNOFF_TOPIC_PREFIX to that here, too" in ran.err


async def test_databases_that_are_the_same_are_0_with_counts(signoff, urls, tmp_path):
    """The live one is found in the endpoints file."""
    for url in urls:
        await add_agent(url, "one")
    file = tmp_path / "endpoints.json"
    file.write_text(f'{{"grpc": "127.0.0.1:1", "postgres": "{urls[1]}"}}')
    ran = await signoff("verify", "--database-url", urls[0], "--endpoints", str(file))
    assert ran.status == 0, ran.err
    first, second = ran.out.splitlines()
    assert first.startswith(
        "ok: 1 agents, 0 agent_settings, 0 jobs, 0 job_logs, 0 executions, 0 facts, 0 tenants, 0 limits, "
    )
    assert "not checked" in second
    assert "SIGNOFF_FACT_KEYS" in second


async def test_differences_are_1_and_explained(signoff, urls):
    for url, name in zip(urls, ("one", "other \x1b[2J"), strict=True):
        await add_agent(url, name)
    ran = await signoff("verify", "--database-url", urls[0], "--live", urls[1])
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[0] == "agents a: column name"
    assert lines[1].split() == ["rebuilt", "one"]
    assert lines[2].split() == ["live", "other", "\N{REPLACEMENT CHARACTER}[2J"]


async def test_an_older_copy_is_1_and_says_where_it_ends(signoff, urls):
    connection = await asyncpg.connect(urls[1])
    await connection.execute(
        "INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, live, not_met, "
        "priority, tenant, labels, policy, spec_hash, created_at, updated_at) "
        "VALUES ('j', '', '', '', '{}', 'PENDING', 1, false, 0, 5, 'default', '{}', '{}', '', now(), now())"
    )
    await connection.execute(
        "INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at) "
        "VALUES ('j', 1, 'PENDING', 'PENDING', 'created', now())"
    )
    await connection.close()
    ran = await signoff("verify", "--database-url", urls[0], "--live", urls[1])
    assert ran.status == 1
    assert ran.out.splitlines()[:2] == [
        "the rebuilt database is older: 1 jobs were created or have gone on since", "  job j is not there yet",
    ]  # fmt: skip
    assert "  rebuilt  " not in ran.out


async def test_a_database_that_is_not_there_or_not_empty_ends_the_command_and_says_so(signoff, urls, env):
    env["SIGNOFF_SECRETS"] = SECRET
    given = ["--database-url", f"{urls[0]}_missing"]
    ran = await signoff("verify", *given, "--live", urls[1], "--json")
    assert (ran.status, "does not exist" in ran.err) == (4, True)
    ran = await signoff("rebuild", *given, "--kafka", "127.0.0.1:1")
    assert (ran.status, ran.out, "does not exist" in ran.err) == (4, "", True)
    await add_agent(urls[0], "one")
    ran = await signoff("rebuild", "--database-url", urls[0], "--kafka", "127.0.0.1:1", "--json")
    assert (ran.status, ran.out, "database_not_empty" in ran.err) == (3, "", True)


async def test_without_a_key_of_facts_nothing_is_rebuilt(signoff, urls):
    ran = await signoff("rebuild", "--database-url", urls[0], "--kafka", "127.0.0.1:1", "--json")
    assert (ran.status, ran.out, "no_fact_keys" in ran.err, "SIGNOFF_FACT_KEYS" in ran.err) == (2, "", True, True)


async def test_what_nobody_vouches_for_is_left_out_and_told(signoff, urls, env, kafka):
    """Whether it is rebuilt or only verified; both go on."""
    await ensure_topics(KafkaAccess(kafka), 1)
    publisher = Publisher(KafkaAccess(kafka), "test")
    await publisher.start()
    await publisher.send([MARKER, Outgoing("job-changed", b"{}", b"forged")])
    await publisher.stop()
    env |= {"SIGNOFF_SECRETS": SECRET, "SIGNOFF_KAFKA": kafka}
    given = ["--database-url", urls[0]]
    ran = await signoff("rebuild", *given)
    assert ran.status == 0, ran.err
    assert "left out of job-changed: " in ran.out
    told = (await signoff("verify", *given, "--live", urls[1], "--json")).json
    assert (told["ok"], sum(told["left"]["job-changed"].values()) > 0) == (True, True)
    ran = await signoff("verify", *given, "--live", urls[1])
    assert (ran.status, "left out of job-changed: " in ran.out) == (0, True)


async def test_a_batch_that_nobody_can_read_ends_neither_rebuild_nor_verify(signoff, urls, env, kafka):
    await ensure_topics(KafkaAccess(kafka), 1)
    publisher = Publisher(KafkaAccess(kafka), "test")
    await publisher.start()
    await publisher.send([MARKER])
    await publisher.stop()
    assert await produce(KafkaAccess(kafka), "job-changed", 1, poison(), poison()) == [0, 0]
    env |= {"SIGNOFF_SECRETS": SECRET, "SIGNOFF_KAFKA": kafka}
    given = ["--database-url", urls[0]]
    told = (await signoff("rebuild", *given, "--json")).json_lines[-1]
    assert told["ok"]
    assert told["unread"]["batches"] >= 2
    assert [place for place in told["unread"]["offsets"] if place.startswith("job-changed/1 at ")]
    ran = await signoff("verify", *given, "--live", urls[1])
    assert (ran.status, "passed by, since nobody can read them: " in ran.out) == (0, True)


async def test_without_a_broker_or_a_live_database_nothing_is_done(signoff, urls, env):
    env["SIGNOFF_FACT_KEYS"] = SECRET
    away = await signoff("rebuild", "--database-url", urls[0], "--kafka", "127.0.0.1:1", "--json")
    assert (away.status, away.out, "kafka_unavailable" in away.err) == (4, "", True)
    unknown = await signoff("rebuild", "--database-url", urls[0])
    assert (unknown.status, unknown.out, "--kafka" in unknown.err) == (2, "", True)
    no_live = await signoff("verify", "--database-url", urls[0])
    assert (no_live.status, no_live.out, "--live" in no_live.err) == (2, "", True)


async def test_a_backup_and_its_restore_say_what_they_have_and_what_is_lost(signoff, urls, tmp_path, kafka, server):
    """A restore takes none that is not there, and fills no database that holds something."""
    await ensure_topics(KafkaAccess(kafka), 1)
    place, empty = str(tmp_path / "backups"), urls[0].rsplit("/", 1)[0] + f"/cli_{uuid4().hex}"
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"grpc": "127.0.0.1:1", "postgres": urls[1], "secrets": SECRET, "kafka": kafka}))
    given = ("--endpoints", str(file))
    none = await signoff("restore", place, "--database-url", empty, "--create", "--json", *given)
    assert json.loads(none.err)["code"] == "archive_unavailable"
    none = await signoff("restore", str(tmp_path), "--database-url", empty, "--json", *given)
    assert f"there is no checkpoint in {tmp_path}" in json.loads(none.err)["detail"]
    ran = await signoff("backup", place, *given)
    assert ran.status == 0, ran.err
    assert ran.out.startswith(f"backup 1 is in {place}: 0 jobs, 0 job_logs, 0 executions, 0 facts; ")
    await add_agent(urls[0], "one")
    filled = await signoff("restore", place, "--database-url", urls[0], "--json", *given)
    assert (filled.status, json.loads(filled.err)["code"]) == (3, "database_not_empty")
    restored = await signoff("restore", place, "--database-url", empty, "--number", "1", *given)
    assert restored.status == 0, restored.err
    assert f"begun at checkpoint 1 of {place}, made at " in restored.out
    assert "recorded after number 0, 0 facts are in the archive or in topics, and the rest is lost" in restored.out
    assert "all tokens and sign-ins: make new ones" in restored.out
    assert "\nok: 0 agents, " in restored.out  # which is compared with the database that there was
    known = json.loads(file.read_text())
    file.write_text(json.dumps(known | {"postgres": "postgresql://127.0.0.1:1/a"}))
    again = f"{empty}_again"
    lost = await signoff("restore", place, "--database-url", again, "--create", *given)
    assert (lost.status, "not compared with the database before, which is out of reach" in lost.out) == (0, True)
    file.write_text(json.dumps(known))
    kept = (await signoff("backup", place, "--keep-days", "10", "--json", *given)).json
    assert (kept["number"], kept["removed"], kept["behind"]) == (2, 0, 0)
    unmigrated = await signoff(
        "backup", place, "--database-url", urls[0].rsplit("/", 1)[0] + "/postgres", "--json", *given
    )
    assert json.loads(unmigrated.err)["code"] == "database_not_migrated"
    for url in (empty, again):
        await server.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')
