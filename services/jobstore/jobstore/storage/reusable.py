"""Reusable results and verdicts as rows: a key of what was asked for, and the log entry that holds the answer."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.jsontext import members
from contracts.resources import Verdict
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.reuse import Reusable, ReuseTerms, verdict_key
from jobstore.storage.sql import Connection

#: Rows deleted by one `forget`.
FORGET_BATCH: Final = 10_000

_VERDICTS: Final = text(
    """
    SELECT r.key, r.job_id, r.version, CAST(l.response_payload AS text) AS response
    FROM unnest(CAST(:keys AS bytea[])) AS k(key)
    JOIN reusable r ON r.key = k.key AND r.created_at > clock_timestamp() - make_interval(secs => :age_s)
    JOIN job_logs l ON l.job_id = r.job_id AND l.version = r.version
    """,
)
#: A result from before the agent was last changed is not reused, nor is any for an execution requested before that.
_RESULTS: Final = text(
    """
    SELECT e.execution_id, r.job_id, r.version, s.result_hash
    FROM unnest(CAST(:ids AS uuid[])) AS u(execution_id)
    JOIN executions e ON e.execution_id = u.execution_id
    JOIN agents a ON a.id = e.agent_id AND a.updated_at < e.created_at
    JOIN reusable r ON r.key = e.reuse_key AND r.created_at > a.updated_at
        AND r.created_at > clock_timestamp() - make_interval(secs => :age_s)
    JOIN executions s ON s.job_id = r.job_id AND s.result_version = r.version AND s.result_hash IS NOT NULL
    """,
)
#: ORDER BY: all writers lock the rows in the order of their keys, so that none deadlock.
_KEEP: Final = text(
    """
    INSERT INTO reusable (key, job_id, version)
    SELECT u.key, u.job_id, u.version
    FROM unnest(CAST(:keys AS bytea[]), CAST(:job_ids AS text[]), CAST(:versions AS bigint[]))
        AS u(key, job_id, version)
    ORDER BY u.key
    ON CONFLICT (key) DO UPDATE
        SET job_id = excluded.job_id, version = excluded.version, created_at = excluded.created_at
    """,
)
#: SKIP LOCKED: rows that a command is renewing are not forgotten.
_FORGET: Final = text(
    """
    DELETE FROM reusable WHERE key = ANY(ARRAY(
        SELECT key FROM reusable WHERE created_at <= greatest(
            clock_timestamp() - make_interval(secs => :age_s),
            (SELECT created_at FROM reusable ORDER BY created_at DESC OFFSET :entries_max LIMIT 1))
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,
)


async def load(
    connection: Connection, uow: UnitOfWork, keys: Collection[bytes], execution_ids: Collection[UUID]
) -> None:
    """Load the verdicts with these keys, and the results that these executions may reuse, into the unit of work."""
    if keys:
        rows = await connection.execute(_VERDICTS, {"keys": list(keys), "age_s": uow.reuse_terms.verdict_age_s})
        uow.reusable_verdicts = {
            row.key: Reusable(row.job_id, row.version, Verdict.model_validate_json(verdict))
            for row in rows
            if (verdict := members(row.response or "{}").get("verdict")) is not None
        }
    if execution_ids:
        rows = await connection.execute(_RESULTS, {"ids": list(execution_ids), "age_s": uow.reuse_terms.result_age_s})
        uow.reusable_results = {r.execution_id: Reusable(r.job_id, r.version, result_hash=r.result_hash) for r in rows}


async def keep(connection: Connection, uow: UnitOfWork) -> None:
    """Store what may be reused from now on. Called after all else is written, as the order of locks wants it."""
    entries = dict(uow.results_to_keep)
    for entry, result_hash, judge in uow.verdicts_to_keep:
        question = uow.questions[entry.job_id]
        entries[verdict_key(question.tenant, result_hash, question.acceptance_criteria, judge)] = entry
    if entries:
        parameters = {
            "keys": list(entries),
            "job_ids": [entry.job_id for entry in entries.values()],
            "versions": [entry.version for entry in entries.values()],
        }
        await connection.execute(_KEEP, parameters)


async def forget(connection: Connection, terms: ReuseTerms) -> int:
    """Delete up to FORGET_BATCH rows that are too old, or the oldest of too many; return how many."""
    age_s = max(terms.verdict_age_s, terms.result_age_s)
    parameters = {"age_s": age_s, "entries_max": terms.entries_max, "limit": FORGET_BATCH}
    return await connection.change(_FORGET, parameters)
