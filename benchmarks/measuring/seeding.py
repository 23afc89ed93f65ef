"""Make stored data by SQL, in bulk: jobs that are done, and their logs."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from contracts.client import JobStoreClient

SQL_MAX_S = 7_200.0

_AGENTS = """
INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled)
SELECT name, name, 'http', 'http://127.0.0.1:1/', '{}', '{}', true
FROM (SELECT 'agent-' || n AS name FROM generate_series(0, 49) n UNION ALL SELECT 'rare') AS named
ON CONFLICT DO NOTHING
"""
#: One agent and one label are rare, and most jobs are done; times lie a few seconds apart.
_JOBS = """
INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, agent_id, execution_id, live,
    not_met, priority, tenant, labels, policy, spec_hash, batch_id, created_at, updated_at)
SELECT 'job-' || lpad(n::text, 8, '0'), 'Translate the contract of customer ' || n % 10007, repeat('words ', 30),
    'Names both parties', json_build_object('text', repeat('text ', 20)), s.status, $2::int,
    CASE WHEN n % 100003 = 0 THEN 'rare' ELSE 'agent-' || n % 50 END, md5(n::text)::uuid, false, 0, 5,
    'tenant-' || n % 20, jsonb_build_object('team', 't' || n % 10, 'customer', 'c' || n % 10007), '{}', '',
    CASE WHEN n % 10 = 0 THEN md5((n / 10000)::text)::uuid END,
    now() - ($1::int - n) * interval '2 seconds', now() - (n * 7919::bigint % $1::int) * interval '2 seconds'
FROM generate_series(1, $1::int) n, LATERAL (SELECT CASE
    WHEN n % 1000 = 0 THEN 'REJECTED' WHEN n % 500 = 1 THEN 'RESUBMISSION_REQUIRED' WHEN n % 50 = 2 THEN 'FAILED'
    WHEN n % 5000 = 3 THEN 'IN_PROGRESS' WHEN n % 100 = 4 THEN 'PENDING' ELSE 'COMPLETED' END AS status) AS s
"""
#: The first four and the last entry are those of a life; between them is progress.
_LOGS = """
INSERT INTO job_logs (job_id, version, status, job_status, agent_id, request_payload, response_payload, kind,
    execution_id, message, created_at)
SELECT 'job-' || lpad(n::text, 8, '0'), v, k.status, k.status, 'agent-' || n % 50,
    CASE WHEN v <= 2 THEN json_build_object('payload', repeat('text ', 20)) END,
    CASE WHEN v = 4 OR v = $2 THEN json_build_object('result', repeat('answer ', 20)) END, k.kind,
    CASE WHEN v > 1 THEN md5(n::text)::uuid END, 'a message',
    now() - ($1::int - n) * interval '2 seconds' + v * interval '100 milliseconds'
FROM generate_series(1, $1::int) n, generate_series(1, $2::int) v, LATERAL (SELECT
    CASE v WHEN 1 THEN 'ASSIGNED' WHEN 2 THEN 'ASSIGNED' WHEN $2 THEN 'COMPLETED' ELSE 'IN_PROGRESS' END AS status,
    CASE v WHEN 1 THEN 'created' WHEN 2 THEN 'requested' WHEN 3 THEN 'claimed' WHEN 4 THEN 'result' WHEN $2 THEN 'met'
        ELSE 'progress' END AS kind) AS k
ORDER BY n, v
"""
_EXECUTIONS = """
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id, policy,
    request_version, result_version, answer, priority, spent, tenant, flow)
SELECT md5(n::text)::uuid, 'job-' || lpad(n::text, 8, '0'), 'JUDGING', 'DONE', 1, 2, 2, 2, 1, 'agent-' || n % 50, '{}',
    2, 4, 'accepted', 5, 0, 'tenant-' || n % 20, ARRAY['agent:agent-' || n % 50]
FROM generate_series(1, $1::int) n
"""
TABLES = ("jobs", "job_logs", "executions")
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY($1) AND indexname NOT LIKE '%pkey'"


async def store_jobs(connection: asyncpg.Connection, jobs: int, entries: int = 5) -> None:
    """Store jobs that are done, with so many entries of logs each, all published; no jobstore may run meanwhile."""
    await connection.execute("SET session_replication_role = replica")
    indexes = list(await connection.fetch(_INDEXES, TABLES))
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    await connection.execute(_AGENTS)
    await connection.execute(_JOBS, jobs, entries, timeout=SQL_MAX_S)
    await connection.execute(_LOGS, jobs, entries, timeout=SQL_MAX_S)
    await connection.execute(_EXECUTIONS, jobs, timeout=SQL_MAX_S)
    for row in indexes:
        await connection.execute(row["indexdef"], timeout=SQL_MAX_S)
    await connection.execute("RESET session_replication_role")
    await skip_facts(connection)


async def skip_facts(connection: asyncpg.Connection) -> None:
    """Say that all that is stored is published and counted."""
    await connection.execute("UPDATE relay SET published_seq = (SELECT last_value FROM job_logs_seq_seq)")


async def vacuum(connection: asyncpg.Connection) -> None:
    """Vacuum and analyze what was stored, as autovacuum does in time."""
    for table in TABLES:
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=SQL_MAX_S)


async def while_stopped(
    read_processes: Callable[[], dict[str, int]], client: JobStoreClient, make: Callable[[], Awaitable[Any]]
) -> None:
    """Make data while the jobstore stands still; then kill it, and wait for its successor, which knows nothing older."""
    pid = read_processes()["jobstore"]
    os.kill(pid, signal.SIGSTOP)
    try:
        await make()
    finally:
        os.kill(pid, signal.SIGKILL)
    while read_processes()["jobstore"] == pid or not await client.is_serving():
        await asyncio.sleep(0.1)
