"""A database of each earlier revision, filled by that version's own code, is migrated and goes on."""

import asyncio
import json
import lzma
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from support.jobstore.older import find_differences
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.steps import Steps, swept, verdict
from support.jobstore.terms import TERMS

from contracts.fact_keys import FactKeys, is_marker
from contracts.signing import Secrets
from contracts.status import ReportKind
from jobstore.domain.model import ExecutionStage, ExecutionState
from jobstore.publishing.fact_signer import FactSigner
from jobstore.publishing.relay import Relay
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from localstack.postgres import find_binaries
from upgrades.make_dump import COMMITS, NEVER_LAST, SECRETS, get_dump, get_dumped_revisions

AT_ONCE = 50
JOBS = 2_000
UNPUBLISHED = "SELECT seq FROM {} WHERE seq > (SELECT published_seq FROM relay)"


@dataclass
class Upgraded:
    """A migrated database, and what was in it before."""

    url: str
    database: Database
    jobs: list[Any]
    logs: list[Any]

    async def fetch(self, query: str) -> list[Any]:
        session = await asyncpg.connect(self.url)
        try:
            return list(await session.fetch(query))
        finally:
            await session.close()

    async def fetch_jobs(self) -> list[Any]:
        return await self.fetch("SELECT id, status, version, execution_id, live, title FROM jobs ORDER BY id")

    async def fetch_logs(self, columns: str) -> list[Any]:
        return await self.fetch(f"SELECT {columns} FROM job_logs ORDER BY seq")


def _run(program: str, *arguments: str, text_in: bytes = b"") -> str:
    command = [str(find_binaries() / program), *arguments]
    return subprocess.run(command, input=text_in, capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module", params=get_dumped_revisions())
async def upgraded(request: pytest.FixtureRequest, postgres: str) -> AsyncIterator[Upgraded]:
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = f"{postgres.rpartition('/')[0]}/{name}"
    dump = lzma.decompress(get_dump(request.param).read_bytes())
    await asyncio.to_thread(_run, "psql", "-q", "-v", "ON_ERROR_STOP=1", url, text_in=dump)
    made = Upgraded(url, Database(url.replace("postgresql://", "postgresql+asyncpg://")), [], [])
    made.jobs, made.logs = await made.fetch_jobs(), await made.fetch_logs("*")
    await made.database.migrate()
    yield made
    await made.database.close()
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


def test_each_earlier_revision_has_a_dump() -> None:
    """A new migration needs a dump of the revision before it: a line in COMMITS, and `make_dump.py REVISION`."""
    config = Config()
    config.set_main_option("script_location", "jobstore:storage/migrations")
    scripts = ScriptDirectory.from_config(config)
    earlier = {script.revision for script in scripts.walk_revisions()} - set(scripts.get_heads())
    assert earlier <= {*get_dumped_revisions(), *NEVER_LAST}
    assert get_dumped_revisions() == sorted(COMMITS)


async def test_every_job_and_its_log_are_as_they_were(upgraded: Upgraded) -> None:
    assert len(upgraded.jobs) == JOBS
    assert len({job["status"] for job in upgraded.jobs}) == len("PAIRCFR")
    assert await upgraded.fetch_jobs() == upgraded.jobs
    assert await upgraded.fetch_logs(", ".join(upgraded.logs[0].keys())) == upgraded.logs


async def test_the_schema_is_that_of_new_tables(upgraded: Upgraded, database_url: str) -> None:
    assert await find_differences(upgraded.database) == []
    found, expected = [
        [line for line in _run("pg_dump", "--schema-only", "--no-owner", url).splitlines() if "restrict " not in line]
        for url in (upgraded.url, database_url)
    ]
    assert found == expected


async def test_facts_that_were_not_published_are_published_once(upgraded: Upgraded) -> None:
    waiting = await upgraded.fetch(
        "SELECT job_id, version FROM job_logs WHERE seq > (SELECT published_seq FROM relay) ORDER BY seq"
    )
    assert len(waiting) >= 100
    topics = TopicsInMemory()
    (state,) = await upgraded.fetch("SELECT offsets FROM relay")
    for place, offset in json.loads(state["offsets"]).items():
        topic, _, number = place.rpartition("/")
        topics.ends[topic, int(number)] = offset + 1
    signer = FactSigner(FactKeys.derive(Secrets.parse(SECRETS)))
    relay = Relay(upgraded.database, topics, signer, topics.end_offsets, AsyncNothing())  # type: ignore[arg-type]
    async with upgraded.database.session() as session:
        await relay.load(session)
        await relay._probe(session)
        while await relay.relay(session) or relay.has_gaps:
            pass
    told = [json.loads(record.value) for record in topics.records if not is_marker(record)]
    versions = [(fact["job_id"], fact["version"]) for fact in told if "version" in fact]
    assert Counter(versions) == Counter((row["job_id"], row["version"]) for row in waiting)


async def test_what_was_live_goes_on(upgraded: Upgraded) -> None:
    database, runner = upgraded.database, CommandRunner(upgraded.database, TERMS)
    live = await upgraded.fetch("SELECT * FROM executions WHERE state <> 'DONE'")
    states = {(row["stage"], row["state"]) for row in live}
    assert states >= {("EXECUTING", state) for state in ("QUEUED", "OFFERED", "LEASED")}
    assert states >= {("JUDGING", state) for state in ("OFFERED", "LEASED")}
    async with database.transaction() as connection:  # the time of the dump's leases and retries has come
        await connection.execute(text("UPDATE executions SET due_at = now() WHERE state <> 'DONE'"))
    await swept(database, runner)
    free = asyncio.Semaphore(AT_ONCE)

    async def end(row: Any) -> None:
        steps = Steps(database, runner)
        steps.job_id, steps.execution_id = row["job_id"], row["execution_id"]
        async with free:
            await carry_on(steps)

    await asyncio.gather(*map(end, live))
    ended = await upgraded.fetch("SELECT count(*) FROM executions WHERE state <> 'DONE'")
    assert ended[0]["count"] == 0
    jobs = {row["id"]: row for row in await upgraded.fetch("SELECT * FROM jobs")}
    statuses = Counter(jobs[row["job_id"]]["status"] for row in live)
    assert set(statuses) == {"COMPLETED", "FAILED"}
    assert statuses["FAILED"] == 50, "what may have been called under at_most_once is called by nobody again"


async def carry_on(steps: Steps) -> None:
    """Lead an execution to its end, from wherever it stands, as workers do today."""
    row = await steps.row()
    if row.state == ExecutionState.DONE:
        return
    lease = row.result_lease
    if row.stage == ExecutionStage.EXECUTING:
        answer = await steps.claim()
        assert answer.execution is not None, answer
        lease = answer.execution.lease
    judging = await steps.claim_judging(lease, value="It is blue.", attempt=max(row.attempt, 1))
    assert judging.execution is not None, judging
    await steps.report(judging.execution.lease, ReportKind.VERDICT, verdict=verdict())


class AsyncNothing:
    """Makes no topics."""

    async def __call__(self) -> None:
        pass
