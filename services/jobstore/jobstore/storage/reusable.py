"""The table of what may be reused: pointers to entries of jobs' logs, by what was asked for."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.jsontext import members
from contracts.resources import Verdict
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.reuse import Reusable, ReuseTerms, verdict_key

FORGOTTEN_AT_ONCE: Final = 10_000

_VERDICTS: Final = text(
    """
    SELECT r.key, r.job_id, r.version, CAST(l.response_payload AS text) AS response
    FROM unnest(CAST(:keys AS bytea[])) AS k(key)
    JOIN reusable r ON r.key = k.key AND r.created_at > clock_timestamp() - make_interval(secs => :age_s)
    JOIN job_logs l ON l.job_id = r.job_id AND l.version = r.version
    """,
)
#: Nothing from before the agent was changed last, and nothing for who asked before that.
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
_CRITERIA: Final = text("SELECT id, acceptance_criteria FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
#: In the order of the keys, as every writer locks them.
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
_FORGET: Final = text(
    """
    DELETE FROM reusable WHERE key = ANY(ARRAY(
        SELECT key FROM reusable WHERE created_at <= greatest(
            clock_timestamp() - make_interval(secs => :age_s),
            (SELECT created_at FROM reusable ORDER BY created_at DESC OFFSET :entries_max LIMIT 1))
        ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """,
)


async def load(
    connection: AsyncConnection, uow: UnitOfWork, keys: Collection[bytes], execution_ids: Collection[UUID]
) -> None:
    """Add the verdicts that are known by these keys, and the results that these executions may reuse."""
    if keys:
        rows = await connection.execute(_VERDICTS, {"keys": list(keys), "age_s": uow.reuse.verdict_age_s})
        uow.verdicts = {
            row.key: Reusable(row.job_id, row.version, Verdict.model_validate_json(verdict))
            for row in rows
            if (verdict := members(row.response or "{}").get("verdict")) is not None
        }
    if execution_ids:
        rows = await connection.execute(_RESULTS, {"ids": list(execution_ids), "age_s": uow.reuse.result_age_s})
        uow.results = {row.execution_id: Reusable(row.job_id, row.version, result_hash=row.result_hash) for row in rows}


async def keep(connection: AsyncConnection, uow: UnitOfWork) -> None:
    """Remember what may be reused from now on; once all else is written, so that every writer locks in one order."""
    known = dict(uow.kept_results)
    if uow.kept_verdicts:
        ids = sorted({job_id for job_id, *_ in uow.kept_verdicts})
        criteria = {row.id: row.acceptance_criteria for row in await connection.execute(_CRITERIA, {"ids": ids})}
        for job_id, version, result_hash, judge in uow.kept_verdicts:
            known[verdict_key(result_hash, criteria[job_id], judge)] = job_id, version
    if known:
        job_ids, versions = zip(*known.values(), strict=True)
        await connection.execute(_KEEP, {"keys": list(known), "job_ids": list(job_ids), "versions": list(versions)})


async def forget(connection: AsyncConnection, terms: ReuseTerms) -> int:
    """Forget what is too old, and the oldest of too many, some at a time; how many."""
    age_s = max(terms.verdict_age_s, terms.result_age_s)
    about = {"age_s": age_s, "entries_max": terms.entries_max, "most": FORGOTTEN_AT_ONCE}
    return (await connection.execute(_FORGET, about)).rowcount
