"""Reusable results and verdicts as rows: a key of what was asked for, and the log entry that holds the answer."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.judging.verdict import Verdict
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.reuse import Reusable, ReuseTerms
from jobstore.json_members import members
from jobstore.storage import sql
from jobstore.storage.sql import Connection
from jobstore.storage.tables import reusable

#: Rows deleted by one `forget`.
FORGET_BATCH: Final = 10_000

_VERDICTS: Final = text(
    """
    SELECT r.key, r.job_id, r.version, r.created_at, CAST(l.response_payload AS text) AS response
    FROM unnest(CAST(:keys AS bytea[])) AS k(key)
    JOIN reusable r ON r.key = k.key AND r.created_at > signoff_now() - make_interval(secs => :age_s)
    LEFT JOIN job_logs l ON l.job_id = r.job_id AND l.version = r.version
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
        AND r.created_at > signoff_now() - make_interval(secs => :age_s)
    JOIN executions s ON s.job_id = r.job_id AND s.result_version = r.version AND s.result_hash IS NOT NULL
    """,
)
#: The columns of `make_rows`, and the alias of its rows.
COLUMNS: Final = sql.columns(reusable, without={"created_at"})
ALIAS: Final = "r"
#: Stores such rows. By key: all writers lock the rows in this order, so that none deadlock.
KEEP: Final = f"""
    {sql.insert("reusable", COLUMNS, order="key", alias=ALIAS).text} ON CONFLICT (key) DO UPDATE
        SET job_id = excluded.job_id, version = excluded.version, created_at = excluded.created_at
"""  # noqa: S608 - names of our own
#: SKIP LOCKED: rows that a command is renewing are not forgotten.
_FORGET: Final = text(
    """
    DELETE FROM reusable WHERE key = ANY(ARRAY(
        SELECT key FROM reusable WHERE created_at <= greatest(
            signoff_now() - make_interval(secs => :age_s),
            (SELECT created_at FROM reusable ORDER BY created_at DESC OFFSET :entries_max LIMIT 1))
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,
)


async def load_verdicts(connection: Connection, keys: Collection[bytes], age_s: float) -> dict[bytes, Reusable]:
    """Return what is kept under these keys and is not older: without a verdict where its entry has none any more."""
    return {
        row.key: Reusable(row.job_id, row.version, _read_verdict(row.response), kept_at=row.created_at)
        for row in await connection.execute(_VERDICTS, {"keys": list(keys), "age_s": age_s})
    }


def _read_verdict(response: str | None) -> Verdict | None:
    verdict = members(response or "{}").get("verdict")
    return None if verdict is None else Verdict.model_validate_json(verdict)


async def load_results(connection: Connection, execution_ids: Collection[UUID], age_s: float) -> dict[UUID, Reusable]:
    """Return the results that these executions may reuse, and that are not older."""
    rows = await connection.execute(_RESULTS, {"ids": list(execution_ids), "age_s": age_s})
    return {row.execution_id: Reusable(row.job_id, row.version, result_hash=row.result_hash) for row in rows}


def make_rows(uow: UnitOfWork) -> list[sql.Values]:
    """Return the rows of what may be reused from now on."""
    entries = uow.changes.results | uow.changes.verdicts
    return [{"key": key, "job_id": entry.job_id, "version": entry.version} for key, entry in entries.items()]


async def forget(connection: Connection, terms: ReuseTerms) -> int:
    """Delete up to FORGET_BATCH rows that are too old, or the oldest of too many; return how many."""
    age_s = max(terms.verdict_age_s, terms.result_age_s)
    parameters = {"age_s": age_s, "entries_max": terms.entries_max, "limit": FORGET_BATCH}
    return await connection.change(_FORGET, parameters)
