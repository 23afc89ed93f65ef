"""Make stored data by SQL, in bulk: jobs that are done, and their logs."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg

from jobstore.engine.database import Database
from jobstore.jobs.texts import TextIndex
from signoff import AsyncClient

SQL_MAX_S = 7_200.0
#: The SQL of the tenant of the job with the number `n`.
TENANT_OF = "'tenant-' || n % 20"

#: Columns of a table, and the query that makes them.
Columns: TypeAlias = tuple[str, str]
_AGENTS = """
INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled)
SELECT name, name, 'http', 'http://127.0.0.1:1/', '{}', '{}', true
FROM (SELECT 'agent-' || n AS name FROM generate_series(0, 49) n UNION ALL SELECT 'rare') AS named
ON CONFLICT DO NOTHING
"""
#: One agent and one label are rare, and most jobs are done; times lie a few seconds apart.
_JOBS: Columns = (
    (
        "id, title, description, acceptance_criteria, payload, status, version, agent_id, execution_id, live, not_met,"
        " priority, tenant, labels, policy, spec_hash, batch_id, created_at, updated_at, cost_nanos, duration_s, code,"
        " cancelled, not_met_criteria"
    ),
    """
SELECT 'job-' || lpad(n::text, 8, '0'), 'Translate the contract of customer ' || n % 10007, repeat('words ', 30),
    'Names both parties', json_build_object('text', repeat('text ', 20)), s.status, $2::int,
    CASE WHEN n % 100003 = 0 THEN 'rare' ELSE 'agent-' || n % 50 END, md5(n::text)::uuid, false, 0,
    CASE WHEN n % 40 = 5 THEN 9 WHEN n % 60 = 7 THEN 1 ELSE 5 END, {tenant},
    jsonb_build_object('team', 't' || n % 10, 'customer', 'c' || n % 10007), '{}'::jsonb, ''::bytea,
    CASE WHEN n % 10 = 0 THEN md5((n / 10000)::text)::uuid END,
    now() - ($1::int - n) * interval '2 seconds', now() - (n * 7919::bigint % $1::int) * interval '2 seconds',
    n * 104729::bigint % 1000 * 1000000,
    CASE WHEN s.status NOT IN ('IN_PROGRESS', 'PENDING') THEN n * 7919::bigint % 3600 / 10.0 END,
    CASE WHEN s.status = 'FAILED' THEN CASE n % 3 WHEN 0 THEN 'agent_timeout' ELSE 'agent_status' END
        WHEN s.status = 'REJECTED' AND n % 7000 = 0 THEN 'judge_error' END,
    s.status = 'ASSIGNED',
    CASE WHEN s.status IN ('REJECTED', 'RESUBMISSION_REQUIRED') THEN ARRAY['Names both parties'] END
FROM generate_series(1, $1::int) n, LATERAL (SELECT CASE
    WHEN n % 1000 = 0 THEN 'REJECTED' WHEN n % 500 = 1 THEN 'RESUBMISSION_REQUIRED' WHEN n % 50 = 2 THEN 'FAILED'
    WHEN n % 200 = 6 THEN 'ASSIGNED'
    WHEN n % 5000 = 3 THEN 'IN_PROGRESS' WHEN n % 100 = 4 THEN 'PENDING' ELSE 'COMPLETED' END AS status) AS s
""",
)
#: The first four and the last entry are those of a life; between them is progress.
#: Each tenth job was in two: first in the one of all of these, and then in one of a thousand.
_ITEMS = """
    (SELECT n, named.* FROM generate_series(10, $1::int, 10) n, LATERAL (VALUES
        (md5('large')::uuid, 'large', n / 10 - 1), (md5((n / 10000)::text)::uuid, 'batch ' || n / 10000, n % 10000 / 10)
    ) AS named (id, name, item)) AS items
"""
_OPERATIONS: Columns = (
    "id, request_hash, name, state, finished_at",
    f"SELECT DISTINCT id, ''::bytea, name, 'DONE', now() FROM {_ITEMS}",  # noqa: S608 - ours
)
_OPERATION_ITEMS: Columns = (
    "operation_id, item, job_id, execution_id",
    f"SELECT id, item, 'job-' || lpad(n::text, 8, '0'), md5(n::text)::uuid FROM {_ITEMS} ORDER BY id, item",  # noqa: S608
)
_LOGS: Columns = (
    (
        "job_id, version, status, job_status, agent_id, request_payload, response_payload, kind, execution_id, message,"
        " created_at"
    ),
    """
SELECT 'job-' || lpad(n::text, 8, '0'), v, k.status, k.status, 'agent-' || n % 50,
    CASE WHEN v <= 2 THEN ('{"payload":"' || repeat('text ', 20) || '"}')::json END,
    CASE WHEN v = 4 OR v = $2 THEN json_build_object('result', repeat('answer ', 20)) END, k.kind,
    CASE WHEN v > 1 THEN md5(n::text)::uuid END, 'a message',
    now() - ($1::int - n) * interval '2 seconds' + v * interval '100 milliseconds'
FROM generate_series(1, $1::int) n, generate_series(1, $2::int) v, LATERAL (SELECT
    CASE v WHEN 1 THEN 'ASSIGNED' WHEN 2 THEN 'ASSIGNED' WHEN $2 THEN 'COMPLETED' ELSE 'IN_PROGRESS' END AS status,
    CASE v WHEN 1 THEN 'created' WHEN 2 THEN 'requested' WHEN 3 THEN 'claimed' WHEN 4 THEN 'result' WHEN $2 THEN 'met'
        ELSE 'progress' END AS kind) AS k
ORDER BY n, v
""",
)
_EXECUTIONS: Columns = (
    (
        "execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id, policy,"
        " request_version, result_version, answer, priority, spent, tenant, flow"
    ),
    """
SELECT md5(n::text)::uuid, 'job-' || lpad(n::text, 8, '0'), 'JUDGING', 'DONE', 1, 2, 2, 2, 1, 'agent-' || n % 50,
    '{}'::json, 2, 4, 'accepted', 5, 0, {tenant}, ARRAY['agent:agent-' || n % 50]
FROM generate_series(1, $1::int) n
""",
)
_QUEUED = """
WITH jobs_made AS (
    INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, agent_id, execution_id,
        live, not_met, priority, tenant, labels, policy, spec_hash, created_at, updated_at)
    SELECT $2::text || n, 'A job', '', 'Is not empty', '{}', 'ASSIGNED', 2, $3::text, md5($2::text || n)::uuid,
        true, 0, 5, 'flood', '{}', '{}', '', now(), now()
    FROM generate_series(1, $1::int) n RETURNING id
), logs_made AS (
    INSERT INTO job_logs (job_id, version, status, job_status, agent_id, request_payload, kind, execution_id,
        created_at)
    SELECT $2::text || n, v, 'ASSIGNED', 'ASSIGNED', $3::text,
        CASE v WHEN 1 THEN '{"payload":{}}'::json ELSE json_build_object(
            'job_id', $2::text || n, 'title', 'A job', 'acceptance_criteria', 'Is not empty') END,
        CASE v WHEN 1 THEN 'created' ELSE 'requested' END, CASE v WHEN 2 THEN md5($2::text || n)::uuid END, now()
    FROM generate_series(1, $1::int) n, generate_series(1, 2) v ORDER BY n, v RETURNING 1
)
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, due_at, offers, submission, agent_id,
    policy, request_version, priority, spent, tenant, flow)
SELECT md5($2::text || n)::uuid, $2::text || n, 'EXECUTING', 'QUEUED', 0, 0, 0, now(), 0, 1, $3::text,
    '{"max_calls": 1, "attempt_timeout_s": 60.0}', 2, 5, 0, 'flood', ARRAY['agent:' || $3::text]
FROM generate_series(1, $1::int) n
"""
#: What a life leaves behind in tables and indexes: each execution is queued, offered, leased twice and done.
_CHURNS = (
    "UPDATE jobs SET status = 'IN_PROGRESS', live = true, updated_at = clock_timestamp() WHERE id = ANY($1)",
    "UPDATE executions SET stage = 'EXECUTING', state = 'QUEUED', due_at = clock_timestamp() WHERE job_id = ANY($1)",
    "UPDATE executions SET state = 'OFFERED' WHERE job_id = ANY($1)",
    "UPDATE executions SET state = 'LEASED', fails_at = clock_timestamp() WHERE job_id = ANY($1)",
    "UPDATE executions SET stage = 'JUDGING' WHERE job_id = ANY($1)",
    "UPDATE executions SET state = 'DONE', due_at = NULL, fails_at = NULL WHERE job_id = ANY($1)",
    "UPDATE jobs SET status = 'COMPLETED', live = false, updated_at = clock_timestamp() WHERE id = ANY($1)",
)
CHURNED_AT_ONCE = 1_000
TABLES = ("jobs", "job_logs", "executions", "job_texts", "operation_items")
#: A jobstore that stands still may do so in the middle of a statement, with locks that no time limit ends.
_END_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
_COLUMNS = "SELECT array_agg(column_name::text) FROM information_schema.columns WHERE table_name = $1"
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY($1) AND indexname NOT LIKE '%pkey'"


async def provide_database(postgres: str, name: str, fill: Callable[[str], Awaitable[object]]) -> str:
    """Return the URL of a database, which is made and filled if it is not there, and is kept."""
    url = f"{postgres.rpartition('/')[0]}/{name}"
    server = await asyncpg.connect(postgres)
    if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await server.execute(f'CREATE DATABASE "{name}_filling"')
        await fill(f"{url}_filling")
        await server.execute(f'ALTER DATABASE "{name}_filling" RENAME TO "{name}"')
    await server.close()
    return url


async def store_jobs(connection: asyncpg.Connection, jobs: int, entries: int = 5, tenant: str = TENANT_OF) -> None:
    """Store jobs that are done, with so many entries of logs each; no jobstore may run meanwhile."""
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(_END_OTHERS)
    indexes = list(await connection.fetch(_INDEXES, TABLES))
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    await connection.execute(_AGENTS)
    jobs_made, executions_made = ((names, made.replace("{tenant}", tenant)) for names, made in (_JOBS, _EXECUTIONS))
    await _insert(connection, "jobs", jobs_made, jobs, entries)
    await _insert(connection, "operations", _OPERATIONS, jobs)
    await _insert(connection, "operation_items", _OPERATION_ITEMS, jobs)
    await _insert(connection, "job_logs", _LOGS, jobs, entries)
    await _insert(connection, "executions", executions_made, jobs)
    for row in indexes:
        await connection.execute(row["indexdef"], timeout=SQL_MAX_S)
    await connection.execute("RESET session_replication_role")


async def _insert(connection: asyncpg.Connection, table: str, columns: Columns, *values: int) -> None:
    """Insert what a query makes; of a database that is to be upgraded, into the columns that are there."""
    names, made = columns
    there = set(await connection.fetchval(_COLUMNS, table))
    known = ", ".join(name for name in names.split(", ") if name in there)
    into = f"INSERT INTO {table} ({known}) SELECT {known} FROM ({made}) AS made ({names})"  # noqa: S608 - ours
    await connection.execute(into, *values, timeout=SQL_MAX_S)


async def queue_jobs(connection: asyncpg.Connection, jobs: int, prefix: str, agent_id: str) -> None:
    """Store jobs of the tenant `flood` that wait for an agent, with two entries of logs each."""
    await connection.execute(_QUEUED, jobs, prefix, agent_id, timeout=SQL_MAX_S)


async def churn(connection: asyncpg.Connection, jobs: int) -> None:
    """Change stored jobs and their executions as lives do, some after some; autovacuum does what it can meanwhile."""
    ids = [f"job-{number:08}" for number in range(1, jobs + 1)]
    for begin in range(0, jobs, CHURNED_AT_ONCE):
        for statement in _CHURNS:
            await connection.execute(statement, ids[begin : begin + CHURNED_AT_ONCE])


async def skip_facts(connection: asyncpg.Connection) -> None:
    """Say that all that is stored is published and counted; no jobstore may run meanwhile."""
    await connection.execute("UPDATE relay SET published_seq = (SELECT last_value FROM job_logs_seq_seq)")
    if await _has(connection, "rollup"):
        await connection.execute(
            "INSERT INTO rollup (id, seq) SELECT 1, published_seq FROM relay "
            "ON CONFLICT (id) DO UPDATE SET seq = excluded.seq"
        )


async def _has(connection: asyncpg.Connection, table: str) -> bool:
    """Return whether a table is there, which an older database may not have."""
    return await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table) is True


async def settle(postgres: str, *, vacuums: bool = True) -> None:
    """Do at once what a jobstore and autovacuum would do for minutes with all that is stored: facts, texts, statistics.

    No jobstore may run meanwhile.
    """
    connection = await asyncpg.connect(postgres)
    await skip_facts(connection)
    database = Database(postgres.replace("postgresql://", "postgresql+asyncpg://"))
    while await TextIndex(database).index():
        pass
    await database.close()
    if vacuums:
        await vacuum(connection)
    await connection.close()


async def vacuum(connection: asyncpg.Connection) -> None:
    """Vacuum and analyze what was stored, as autovacuum does in time."""
    for table in TABLES:
        if await _has(connection, table):
            await connection.execute(f"VACUUM ANALYZE {table}", timeout=SQL_MAX_S)


async def while_stopped(
    find_processes: Callable[[], dict[str, int]],
    client: AsyncClient,
    make: Callable[[], Awaitable[Any]],
    console: str | None = None,
) -> None:
    """Make data while the jobstore stands still, then kill it, and wait for its successor, which knows of nothing.

    So is the console, where its URL is given: one that was there before would read all that was made, as changes since
    its cursor, where one that starts begins at the latest.
    """
    names = ("jobstore",) if console is None else ("jobstore", "console")
    before = {name: pid for name, pid in find_processes().items() if name in names}
    os.kill(before["jobstore"], signal.SIGSTOP)
    try:
        await make()
    finally:
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
    while before.items() & find_processes().items() or not await client.is_serving():  # noqa: ASYNC110 - told by no event
        await asyncio.sleep(0.1)
    while console is not None and not await _is_healthy(console):  # noqa: ASYNC110 - told by no event
        await asyncio.sleep(0.1)


async def while_all_stopped(endpoints: dict[str, Any], client: AsyncClient, make: Callable[[], Awaitable[Any]]) -> None:
    """Do the same in a whole system, whose endpoints have the new `processes` then."""
    await while_stopped(lambda: read_processes(endpoints), client, make, endpoints["http"])
    endpoints["processes"] = read_processes(endpoints)


def read_processes(endpoints: Mapping[str, Any]) -> dict[str, int]:
    """Read the ids of the processes as they are now: one that was killed has a successor."""
    processes: dict[str, int] = json.loads(Path(endpoints["file"]).read_text())["processes"]
    return processes


async def _is_healthy(console: str) -> bool:
    """Return whether a console serves, and watches its jobstore."""
    try:
        async with aiohttp.ClientSession(console) as http, http.get("/api/health") as answer:
            return answer.ok and (await answer.json())["live"] is True
    except (aiohttp.ClientError, OSError):
        return False
