"""Look for rows of the log that were not seen yet, and read the facts of those that are to be published."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from jobstore.domain.decisions import BEGINNINGS, ENDS
from jobstore.domain.model import TransitionKind
from jobstore.publishing import job_changed
from jobstore.publishing.backlog import LAST, Taken
from jobstore.publishing.late_facts import find_reverted
from jobstore.publishing.recent import Recent
from jobstore.publishing.stubs import Fact
from jobstore.storage import agents
from jobstore.storage.sql import Connection

#: Bytes of stored bodies that one pass reads, so that memory is bounded however large they are.
BATCH_BYTES: Final = 4 << 20
#: Bytes of records that one pass makes of them.
RECORDS_BYTES: Final = 16 << 20
#: Rows that are looked for at once. They cost little, and what is behind them waits until they were seen.
LOOK_MAX: Final = 50_000

#: Stands for the tenant, whose name is never empty, of facts that have none: of agents and of refused executions.
NO_TENANT: Final = ""

#: Bytes of JSON in a column; what is compressed may be a hundred times larger than it is stored.
_SIZE: Final = (
    "coalesce(CASE WHEN pg_column_compression({0}) IS NULL THEN pg_column_size({0}) "
    "ELSE octet_length({0}::text) END, 0)"
)
#: The kinds of entries with which a job begins anew, as an array; those that change how it stands and end nothing; and
#: the statuses of entries that may end an execution.
_BEGINNINGS: Final = f"{{{','.join(sorted(BEGINNINGS))}}}"
_TURNS: Final = f"{{{','.join(sorted({*BEGINNINGS, TransitionKind.REJUDGED, TransitionKind.MATCHING_FAILED}))}}}"
_ENDS: Final = f"{{{','.join(sorted(ENDS))}}}"
#: Jobs change while their entries wait: what a fact says of its job comes from the entry, or from `late_facts`.
_ROWS: Final = text(
    f"""
    SELECT l.seq, l.id, l.job_id, l.version, l.status, l.job_status, l.agent_id, l.message, l.code, l.execution_id,
        l.attempt, l.lease, l.submission, l.event_id, l.progress, l.cost_nanos, l.tokens,
        l.next_attempt_at, l.actor, l.duration_s, l.waited::text AS waited, l.created_at,
        l.request_payload::text AS request, l.response_payload::text AS response,
        j.title, j.priority, j.tenant, j.labels::text AS labels, j.policy::text AS policy, j.capabilities,
        j.not_before AS job_not_before, j.created_at AS job_created_at,
        CASE WHEN l.progress IS NOT NULL THEN (
            SELECT p.message FROM job_logs p
            WHERE p.job_id = l.job_id AND p.version <= l.version AND p.kind = 'progress'
            ORDER BY p.version DESC LIMIT 1) END AS progress_message,
        (SELECT json_agg(json_strip_nulls(json_build_object('kind', p.kind, 'status', p.status, 'code', p.code,
                'execution_id', p.execution_id, 'at', p.created_at, 'requested_at', of.created_at))
                ORDER BY p.version)::text
            FROM job_logs p LEFT JOIN executions of ON of.execution_id = p.execution_id
            WHERE p.job_id = l.job_id AND p.version BETWEEN (
                SELECT max(version) FROM job_logs WHERE job_id = l.job_id AND version <= l.version
                    AND (version = 1 OR kind = ANY('{_BEGINNINGS}'))) AND l.version
                AND (p.kind = ANY('{_TURNS}') OR p.status = ANY('{_ENDS}'))) AS standing,
        coalesce(now.execution_id, l.execution_id) AS job_execution_id,
        coalesce(now.submission, l.submission) AS job_submission,
        CASE WHEN l.version = 1 OR l.kind = 'edited' THEN j.description END AS description,
        CASE WHEN l.version = 1 OR l.kind = 'edited' THEN j.acceptance_criteria END AS acceptance_criteria,
        CASE WHEN l.version = 1 OR l.kind = 'edited' THEN j.reference_texts::text END AS reference_texts,
        EXISTS (SELECT FROM job_logs x
            WHERE x.job_id = l.job_id AND x.version > l.version AND x.kind = 'edited') AS is_edited_later,
        CASE WHEN l.status = 'ASSIGNED' AND l.execution_id IS NULL THEN {agents.json_object("a")}::text END AS agent,
        l.kind, l.spent, CASE WHEN l.version = 1 THEN encode(j.spec_hash, 'hex') END AS spec_hash,
        e.policy::text AS frozen_policy, CAST(e.policy ->> 'max_calls' AS int) AS max_calls,
        e.deadline_at, e.not_before, e.batch_id,
        encode(e.reuse_key, 'hex') AS reuse_key, e.created_at AS requested_at, l.bytes
    FROM (
        SELECT *, sum(size) OVER (ORDER BY place) AS bytes FROM (
            SELECT log.*, taken.place, {_SIZE.format("request_payload")} + {_SIZE.format("response_payload")}
                + CASE WHEN version = 1 OR kind = 'edited' THEN (
                    SELECT octet_length(description) + octet_length(acceptance_criteria)
                        + coalesce(octet_length(reference_texts::text), 0) FROM jobs WHERE id = job_id)
                ELSE 0 END AS size
            FROM unnest(CAST(:seqs AS bigint[])) WITH ORDINALITY AS taken (seq, place)
                CROSS JOIN LATERAL (SELECT * FROM job_logs WHERE seq = taken.seq) AS log
        ) AS sized
    ) AS l JOIN jobs j ON j.id = l.job_id LEFT JOIN agents a ON a.id = l.agent_id
        LEFT JOIN executions e ON e.execution_id = l.execution_id
        LEFT JOIN LATERAL (
            SELECT p.execution_id, p.submission FROM job_logs p
            WHERE p.job_id = l.job_id AND p.version < l.version AND p.kind = 'requested'
                AND (l.kind = 'result' AND l.status = 'CANCELLED' OR l.kind = 'spent')  -- of an older one
            ORDER BY p.version DESC LIMIT 1) AS now ON true
    WHERE l.bytes - l.size < :bytes
    ORDER BY l.place
    """,  # noqa: S608 - fragments of our own
)
_FACTS: Final = text(
    """
    SELECT seq, topic, key, body::text AS body, body ->> 'execution_id' AS execution_id,
        CAST(coalesce(body ->> 'refused_at', body ->> 'changed_at', body -> 'agent' ->> 'updated_at') AS timestamptz)
            AS happened_at
    FROM facts WHERE seq = ANY(CAST(:seqs AS bigint[]))
    """,
)
#: One statement, so that of a job no version is seen before those below it, which committed before.
_LOOK: Final = text(
    f"""
    SELECT tenant, array_agg(seq ORDER BY seq) AS seqs FROM (
        SELECT found.* FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS unseen (first, last)
        CROSS JOIN LATERAL (
            (SELECT l.seq, j.tenant FROM job_logs l JOIN jobs j ON j.id = l.job_id
            WHERE l.seq BETWEEN unseen.first AND unseen.last ORDER BY l.seq LIMIT :limit)
            UNION ALL
            (SELECT seq, '{NO_TENANT}' FROM facts
            WHERE seq BETWEEN unseen.first AND unseen.last ORDER BY seq LIMIT :limit)
        ) AS found ORDER BY seq LIMIT :limit
    ) AS found GROUP BY tenant
    """,  # noqa: S608 - a name of our own
)

#: Whoever writes a table holds this lock from before it draws a number until its rows can be seen, or never will be.
_WRITERS: Final = text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
    "AND granted AND relation IN (CAST('job_logs' AS regclass), CAST('facts' AS regclass)) "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
)


async def find_writers(session: Connection) -> frozenset[str]:
    """Return the transactions that are writing the log."""
    return frozenset(await session.scalars(_WRITERS))


async def look(session: Connection, ranges: Sequence[tuple[int, int]]) -> tuple[dict[str, list[int]], int]:
    """Return the numbers of the rows that are in some ranges by now, by tenant, and up to where those are all.

    However many ranges there are: without the last nothing new is seen, and one left out would break the order of a
    job. Each takes some two microseconds.
    """
    firsts, lasts = zip(*ranges, strict=True)
    parameters = {"firsts": list(firsts), "lasts": list(lasts), "limit": LOOK_MAX}
    found = {row.tenant: row.seqs for row in await session.execute(_LOOK, parameters)}
    is_cut = sum(map(len, found.values())) >= LOOK_MAX
    return found, max(seqs[-1] for seqs in found.values()) if is_cut else LAST


async def read(session: Connection, taken: Sequence[Taken], recent: Recent) -> tuple[list[Fact], int]:
    """Return the facts of rows, in the order given, and of how many rows: of one at least, and not too much at once.

    What was recorded a moment ago is taken from memory; `recent` learns from what is read.
    """
    facts, seqs, size = dict[int, Fact](), [seq for _, seq in taken], 0
    of_jobs = [seq for tenant, seq in taken if tenant != NO_TENANT and not recent.has_whole(seq)]
    entries = await session.execute(_ROWS, {"seqs": of_jobs, "bytes": BATCH_BYTES}) if of_jobs else []
    reverted = await find_reverted(session, entries)
    for row in entries:
        before = reverted.get(row.seq, {})
        facts[row.seq] = Fact(row.seq, row, before, job_changed.make_job_changed(row, before))
        recent.learn(row)
        size += len(facts[row.seq].record.value)
        if row.bytes >= BATCH_BYTES or size >= RECORDS_BYTES:
            seqs = seqs[: seqs.index(row.seq) + 1]
            break
    for recorded in recent.pop_whole(seqs):
        facts[recorded.seq] = Fact(recorded.seq, recorded, {}, job_changed.make_job_changed(recorded, {}))
    if len(seqs) > len(facts):
        for row in await session.execute(_FACTS, {"seqs": [seq for seq in seqs if seq not in facts]}):
            facts[row.seq] = Fact(row.seq, row, {}, job_changed.make_fact(row))
    return [facts[seq] for seq in seqs if seq in facts], len(seqs)
