"""Read what keeps jobs back and what stays of them, and take the rest out of the tables."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from jobstore.engine import sql
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Last, Store
from jobstore.engine.sql import Connection, Row
from jobstore.keeping.removal import Removable, Removals, RemovalsWish, Requested
from jobstore.schema.tables import executions

#: An operation that removes jobs does not keep them back.
_UNDER_WAY: Final = "o.kind <> 'remove' AND o.state NOT IN ('CANCELLED', 'DONE')"
#: A verdict stands last in the response of its entry. It is found as text: operators of json fail on U+0000.
_BEGIN: Final = ',"verdict":'
_VERDICT: Final = f"""
    SELECT l.version, encode(sha256(convert_to(substr(
            right(l.response_payload::text, strpos(reverse(l.response_payload::text), reverse('{_BEGIN}')) - 1), 1,
            strpos(reverse(l.response_payload::text), reverse('{_BEGIN}')) - 2), 'UTF8')), 'hex') AS sha256
    FROM job_logs l WHERE l.job_id = j.id AND {sql.is_verdict("l")} AND strpos(l.response_payload::text, '{_BEGIN}') > 0
    ORDER BY l.version DESC LIMIT 1
"""  # noqa: S608 - words of our own
#: Parts overlap a little, since facts of tenants are published in turn: some that end late are looked at, too.
_PARTS: Final = """
    SELECT array_agg(p.number ORDER BY p.number) FROM archive_parts p
    WHERE p.number >= (
            SELECT min(number) FROM (
                SELECT number FROM archive_parts WHERE last_seq >= log.first_seq ORDER BY last_seq LIMIT 20
            ) AS early)
        AND p.number <= (SELECT number FROM archive_parts WHERE seq >= log.last_seq ORDER BY seq, number LIMIT 1)
        AND EXISTS (SELECT FROM job_logs l WHERE l.job_id = j.id AND l.seq BETWEEN p.first_seq AND p.last_seq)
"""


def _of_job(table: str) -> str:
    """Return the rows `r` of a table that are of the job `j`: found by their index, however few jobs are asked for.

    Without OFFSET 0 PostgreSQL may read those of all jobs once, and hash them.
    """
    return f"(SELECT * FROM {table} WHERE job_id = j.id OFFSET 0) AS r"  # noqa: S608 - names of our own


#: The condition that the entry which removes the job `j` names its execution `e`, of which no row is needed then.
_IS_NAMED: Final = "(e.execution_id IS NOT DISTINCT FROM j.execution_id AND e.batch_id IS NULL)"
_FIND: Final = text(
    f"""
    SELECT j.id, j.tenant, j.created_at, j.updated_at AS ended_at, log.last_seq AS newest_seq,
        verdict.version AS verdict_version, verdict.sha256, ({_PARTS}) AS parts,
        (SELECT submission FROM executions WHERE execution_id = j.execution_id) AS submission,
        (SELECT json_agg(json_build_object('id', e.execution_id, 'submission', e.submission, 'answer', e.answer,
                'created_at', {sql.time_text("e.created_at")}, 'batch_id', e.batch_id, 'cost_nanos', e.cost_nanos,
                'tokens', e.tokens) ORDER BY e.request_version)::text
            FROM executions e WHERE e.job_id = j.id AND e.request_version IS NOT NULL AND NOT {_IS_NAMED}
        ) AS executions,
        EXISTS (SELECT FROM holds h WHERE h.job_id = j.id) AS is_held,
        EXISTS (SELECT FROM {_of_job("operation_items")} JOIN operations o ON o.id = r.operation_id WHERE {_UNDER_WAY})
            OR EXISTS (SELECT FROM {_of_job("executions")} JOIN operations o ON o.id = r.batch_id WHERE {_UNDER_WAY})
            OR EXISTS (SELECT FROM {_of_job("judgings")} WHERE state <> 'DONE' OR NOT is_counted)
            AS is_in_operation,
        EXISTS (SELECT FROM judging_versions v WHERE v.kind = 'golden' AND (
            strpos(v.body, '"id":' || to_json(j.id)::text) > 0 OR strpos(v.body, '"id": ' || to_json(j.id)::text) > 0)
            AND v.version = (SELECT max(version) FROM judging_versions WHERE kind = 'golden' AND name = v.name)
        ) AS is_labelled,
        EXISTS (SELECT FROM stubs s WHERE s.key = j.id AND s.version IS NOT NULL) AS is_stub
    FROM jobs j CROSS JOIN LATERAL (
        SELECT min(seq) AS first_seq, max(seq) AS last_seq FROM job_logs WHERE job_id = j.id
    ) AS log LEFT JOIN LATERAL ({_VERDICT}) AS verdict ON true
    WHERE j.id = ANY(CAST(:ids AS text[]))
    """  # noqa: S608 - words of our own
)
#: What is not indexed for searches, or not counted, would be lost, or come back, once its job is gone. Nothing is
#: removed while a jobstore runs that knows of no removal: it would pass over the entry, and make the id anew.
_KEPT: Final = text(
    """
    SELECT CASE WHEN part > 0 THEN least(archived_seq, coalesce((SELECT seq FROM text_index), 0),
        coalesce((SELECT seq FROM rollup), 0), CASE WHEN EXISTS (
            SELECT FROM epochs WHERE until > signoff_now() AND report ->> 'removes' IS DISTINCT FROM 'true'
        ) THEN 0 ELSE archived_seq END) END FROM keeping
    """
)
#: What stays of the other executions of removed jobs: all other columns are empty, or as of a new row.
STAYS: Final = (
    *("execution_id", "job_id", "stage", "state", "submission", "answer", "created_at", "tenant", "batch_id"),
    *("cost_nanos", "tokens"),
)
#: The values of the other columns.
EMPTY: Final[Mapping[str, str]] = {
    column.name: "NULL" if column.nullable else {"text[]": "'{}'", "boolean": "false"}.get(kind, "0")
    for column, kind in zip(executions.c, sql.columns(executions).values(), strict=True)
    if column.name not in STAYS
} | {"stage": "'EXECUTING'"}
#: No index has the jobs of what is kept for reuse: all is read once, and joined, as an array is searched for each row.
#: Lock what is kept for reuse in the order of its keys, when all else is written: no claim quotes it from then on.
_REMOVE: Final = text(
    f"""
    WITH reused AS MATERIALIZED (
        SELECT key FROM reusable JOIN unnest(CAST(:ids AS text[])) AS gone (id) ON gone.id = job_id
    ), named AS (
        DELETE FROM executions e USING jobs j
        WHERE j.id = ANY(CAST(:ids AS text[])) AND e.job_id = j.id AND e.request_version IS NOT NULL AND {_IS_NAMED}
    ), slim AS (
        UPDATE executions e SET {", ".join(f"{name} = {value}" for name, value in EMPTY.items())} FROM jobs j
        WHERE j.id = ANY(CAST(:ids AS text[])) AND e.job_id = j.id AND e.request_version IS NOT NULL AND NOT {_IS_NAMED}
    ), judged AS (
        DELETE FROM judgings WHERE job_id = ANY(CAST(:ids AS text[]))
    ), texts AS (
        DELETE FROM job_texts WHERE job_id = ANY(CAST(:ids AS text[]))
    ), gone AS (
        DELETE FROM jobs WHERE id = ANY(CAST(:ids AS text[]))
    )
    DELETE FROM reusable WHERE key = ANY(ARRAY(
        SELECT key FROM reusable WHERE key = ANY(ARRAY(SELECT key FROM reused)) ORDER BY key FOR UPDATE))
    """  # noqa: S608 - names of our own
)


class RemovalsStore(Store):
    """Read jobs that may be removed, and remove those that are."""

    part, wish = Removals, RemovalsWish

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Read what keeps jobs back, and what stays of them."""
        removals = uow[Removals]
        removals.kept_seq = await connection.scalar(_KEPT)
        for row in await connection.execute(_FIND, {"ids": sorted(asked[RemovalsWish].jobs)}):
            removals.found[row.id] = _make_removable(row)

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return the function that takes removed jobs out of the tables; None if no job was removed."""
        removed = sorted(uow[Removals].removed)
        if not removed:
            return None

        async def remove(connection: Connection) -> None:
            await connection.execute(_REMOVE, {"ids": removed})

        return remove


def _make_removable(row: Row) -> Removable:
    fields = {name: row[name] for name in Removable._fields if name in row}
    requested = [_make_requested(**each) for each in from_json(row.executions or "[]")]
    verdict = None if row.sha256 is None else (row.verdict_version, row.sha256)
    return Removable(**fields | {"executions": requested, "verdict": verdict, "parts": row.parts or ()})


def _make_requested(id: str, created_at: str, batch_id: str | None, **fields: object) -> Requested:  # noqa: A002
    whole = {"id": UUID(id), "created_at": datetime.fromisoformat(created_at), "batch_id": batch_id and UUID(batch_id)}
    return Requested(**whole, **fields)  # type: ignore[arg-type] # of the query
