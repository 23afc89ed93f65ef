"""No statement of a life reads a table, whatever the statistics say and whenever its plan was made."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.fakes import FakeReaders
from support.jobstore.administered import pause_limit, remove_limit
from support.jobstore.steps import Published, Steps, seen, verdict
from support.jobstore.terms import LEASE_S, TERMS

from contracts.resources import NewAgent, NewAgentTry
from jobstore.agents.commands import RegisterAgent
from jobstore.agents.matcher import Matcher
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import bind
from jobstore.executions import leases
from jobstore.executions import store as executions
from jobstore.executions.commands import CancelJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.sweeper import Sweeper
from jobstore.insights.rollups import Rollups
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF, ExecutionStage
from jobstore.limits.rules import batch_limit
from jobstore.operations.worker import OperationWorker
from jobstore.publishing import fact_reader
from jobstore.publishing import relay as relaying
from jobstore.subjects import STORES
from jobstore.tasks import store as tasks
from jobstore.tasks.commands import TryAgent
from jobstore.tasks.rules import TRIES_MAX
from signoff.status import Outcome, ReportKind

#: Jobs that have ended: each has an execution and five entries. Some executions are live, in each state.
JOBS = 10_000
LIVE = 500
_FILL = f"""
INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, agent_id, live, not_met,
    priority, tenant, labels, policy, spec_hash, created_at, updated_at)
SELECT 'old-' || n, 'A title', '', 'Says "blue"', '{{}}', 'COMPLETED', 5, 'writer', false, 0, 5, 'default', '{{}}',
    '{{}}', '', now() - n * interval '1 s', now() - n * interval '1 s' FROM generate_series(1, {JOBS}) n;
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id, priority,
    spent, answer, request_version, result_version)
SELECT md5(n::text)::uuid, 'old-' || n, 'JUDGING', 'DONE', 1, 2, 1, 0, 1, 'writer', 5, 1, 'completed', 2, 4
FROM generate_series(1, {JOBS}) n;
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id, priority,
    spent, request_version, due_at, flow)
SELECT gen_random_uuid(), 'live-' || n, stage, state, 0, 0, 0, 0, 1, 'writer', n % 10, 0, 2, now() + interval '1 h',
    '{{agent:writer}}'
FROM generate_series(1, {LIVE}) n, (VALUES ('EXECUTING', 'QUEUED'), ('EXECUTING', 'LEASED'), ('JUDGING', 'QUEUED'),
    ('JUDGING', 'OFFERED'), ('JUDGING', 'LEASED')) AS s (stage, state);
INSERT INTO job_logs (job_id, version, status, job_status, kind, execution_id, created_at)
SELECT 'old-' || n, v, 'COMPLETED', 'COMPLETED', 'met', md5(n::text)::uuid, now()
FROM generate_series(1, {JOBS}) n, generate_series(1, 5) v;
INSERT INTO reusable (key, job_id, version) SELECT n::text::bytea, 'old-' || n, 4 FROM generate_series(1, {JOBS}) n;
"""
#: Tries that have ended, and work that is stopped later.
_FILL_TASKS = f"""
INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled)
SELECT 'peer-' || n, 'peer', 'a2a', 'http://127.0.0.1:9/', '{{}}', '{{}}', true FROM generate_series(0, 299) n;
INSERT INTO agent_tasks (id, kind, state, agent_id, protocol, lease_s, due_at, ends_at, created_at)
SELECT gen_random_uuid(), 'try', 'DONE', 'peer-' || n % 300, 'a2a', 60, now(), now(), now() - n * interval '1 s'
FROM generate_series(1, {JOBS}) n;
INSERT INTO agent_tasks (id, kind, agent_id, protocol, lease_s, due_at, ends_at)
SELECT gen_random_uuid(), 'cancel', 'peer-' || n % 300, 'a2a', 60, now() + interval '1 min', now() + interval '1 h'
FROM generate_series(1, {JOBS}) n;
"""
_READ = """
SELECT relname, seq_tup_read, coalesce(idx_tup_fetch, 0) AS fetched FROM pg_stat_user_tables
"""
#: Rows of one table that four lives may fetch by indexes: each statement finds a few by their keys.
FETCHED_MAX = 250


class Tables:
    """The jobstore on one connection, whose plans stay, and the counts of rows that it reads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runner = CommandRunner(database, STORES, TERMS)
        self.dispatcher = Dispatcher(database, Published(), self.runner.terms, SECRETS)  # type: ignore[arg-type]
        self.runner.listeners.on_offered = self.dispatcher.hand_over

    async def execute(self, *statements: str) -> None:
        async with self.database.session() as session:
            for statement in statements:
                await session.execute(text(statement))

    async def fill(self) -> None:
        await self.execute(*_FILL.strip().split(";\n")[:-1], _FILL.strip().rpartition(";\n")[2].rstrip(";"))

    async def count_read(self) -> dict[str, tuple[int, int]]:
        """Of each table the rows read by sequential scans, and those fetched by indexes."""
        await self.execute("SELECT pg_stat_force_next_flush()")
        async with self.database.session() as session:
            return {row.relname: (row.seq_tup_read, row.fetched) for row in await session.execute(text(_READ))}

    async def live(self) -> None:
        """Take jobs to all their ends, and have each loop of the jobstore look at what there is to do."""
        for stage in ExecutionStage:
            await seen(self.database, stage, 1_000)
        lives = [Steps(self.database, self.runner) for _ in range(4)]
        await asyncio.gather(*(steps.requested() for steps in lives))
        while await self.dispatcher.offer():
            pass
        met, not_met, failed, cancelled = lives
        claims = await asyncio.gather(*(steps.claim() for steps in lives))
        granted = [answer.execution.lease for answer in claims if answer.execution is not None]
        await asyncio.gather(*(s.report(lease, ReportKind.CALL_BEGUN) for s, lease in zip(lives, granted, strict=True)))
        async with self.database.session() as session:
            held = [(met.execution_id, granted[0])]
            assert await leases.renew(session, met.executor, ExecutionStage.EXECUTING, held, LEASE_S) == {*held}
        await met.result(granted[0])
        await failed.report(granted[2], ReportKind.FAILED, seq=2, code="agent_status")
        await self.runner.submit.run_one(CancelJob(None, cancelled.execution_id, None, None, actor=SIGNOFF))
        for steps, lease, outcome in ((met, granted[0], Outcome.PASS), (not_met, granted[1], Outcome.FAIL)):
            judged = await steps.claim_judging(lease)
            assert judged.execution is not None
            await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(outcome))
        await self.loop()
        ends = ("COMPLETED", "RESUBMISSION_REQUIRED", "FAILED", "CANCELLED")
        assert tuple([(await steps.logs())[-1].status for steps in lives]) == ends

    async def loop(self) -> None:
        await self.dispatcher.offer()
        await Sweeper(self.database, self.runner, FakeReaders()).sweep()
        await Matcher(self.database, self.runner).match()
        await OperationWorker(self.database, self.runner).work()
        async with self.database.transaction() as connection:
            await connection.execute(
                text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs) WHERE id = 1")
            )
        while await Rollups(self.database).count():
            pass
        async with self.database.transaction() as connection:
            await executions.forget_remembered(connection)


@pytest.fixture
async def tables(database_url: str) -> AsyncIterator[Tables]:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    made = Tables(Database(url, pool_size=1))
    for name in ("jobs", "job_logs", "executions", "reusable"):
        await made.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")
    await made.execute("TRUNCATE jobs, job_logs, executions, reusable, workers, rollup CASCADE")
    yield made
    await made.database.close()


@pytest.mark.parametrize("age", ["empty", "young", "grown", "old"])
async def test_no_statement_of_a_life_reads_a_table(tables: Tables, age: str) -> None:
    """Young tables have no statistics; on grown ones the plans were made when all tables were empty."""
    if age == "grown":
        for _ in range(7):  # the driver and the server keep plans only after some executions
            await tables.live()
    if age != "empty":
        await tables.fill()
        await tables.loop()  # what was filled in is counted
    if age == "old":
        await tables.execute("VACUUM ANALYZE")
    await tables.live()
    before = await tables.count_read()
    await tables.live()
    after = await tables.count_read()
    read = {name: rows - before[name][0] for name, (rows, _) in after.items()}
    fetched = {name: rows - before[name][1] for name, (_, rows) in after.items()}
    assert {name: rows for name, rows in read.items() if rows} == {}
    many = {name: rows for name, rows in fetched.items() if rows > FETCHED_MAX}
    assert many == {}


@pytest.mark.parametrize("age", ["young", "old"])
async def test_no_statement_of_tasks_reads_those_that_wait_or_have_ended(tables: Tables, age: str) -> None:
    """Tries are asked for, counted, granted, renewed, finished, listed and forgotten; cards are queued."""
    await tables.execute("TRUNCATE agent_tasks, agent_cards", "DELETE FROM agents WHERE protocol = 'a2a'")
    await tables.execute(*_FILL_TASKS.strip().rstrip(";").split(";\n"))
    if age == "old":
        await tables.execute("VACUUM ANALYZE")
    before = await tables.count_read()
    tries = [uuid4() for _ in range(TRIES_MAX)]
    for try_id in tries:
        await tables.runner.administer.run_one(TryAgent(try_id, "peer-1", NewAgentTry(), actor=BOOTSTRAP))
    new = NewAgent(name="sky", url="http://127.0.0.1:9/", protocol="a2a")
    await tables.runner.administer.run_one(RegisterAgent("sky", new, actor=BOOTSTRAP))
    async with tables.database.session() as session:
        assert await tasks.queue_cards(session) == tasks.CARDS_BATCH
        granted = await tasks.grant(session, uuid4(), ["a2a"], 20, LEASE_S)
        assert len(granted) == 20
        await tasks.renew(session, [(row.id, row.lease) for row in granted], LEASE_S)
        for row in granted:
            assert await tasks.finish(session, row.id, row.lease, tasks.Finished()) is not None
        assert (await tasks.look(session, may_end=True)).given_up == "[]"
        assert await tasks.get_try(session, "peer-1", tries[0]) is not None
        assert len(await tasks.list_tries(session, "peer-1", 10, None)) == 10
        assert await tasks.forget(session) == 0
    after = await tables.count_read()
    read, fetched = (after["agent_tasks"][number] - before["agent_tasks"][number] for number in (0, 1))
    assert (read, fetched <= 2 * FETCHED_MAX) == (0, True), fetched


@pytest.mark.parametrize("age", ["young", "old"])
async def test_a_batch_is_paused_however_many_executions_wait(tables: Tables, age: str) -> None:
    await tables.fill()
    if age == "old":
        await tables.execute("VACUUM ANALYZE")
    before = await tables.count_read()
    async with tables.database.transaction() as connection:
        batch = batch_limit(uuid4())
        await pause_limit(connection, batch, paused=True)
        await remove_limit(connection, batch)
    after = await tables.count_read()
    assert after["executions"] == before["executions"]


async def test_the_relay_looks_jobs_up_by_their_ids_also_where_all_were_made_at_once(tables: Tables) -> None:
    """Of one tenant and one time, an index by both and the id is thought to be skipped through in a moment."""
    await tables.fill()
    await tables.execute("UPDATE jobs SET created_at = now()", "VACUUM ANALYZE")
    look, _ = bind(fact_reader._LOOK, dict.fromkeys(("firsts", "lasts", "limit")))
    async with tables.database.session() as session:
        for statement in (*relaying._SETTINGS, f"PREPARE look(bigint[], bigint[], bigint) AS {look}"):
            await session.driver.execute(statement)
        plan = await session.driver.fetch("EXPLAIN EXECUTE look('{1}', '{9000}', 50000)")
        session.invalidate()  # its settings would stay
    assert [word for (line,) in plan for word in line.split() if word.startswith("jobs_")] == ["jobs_pkey"]
