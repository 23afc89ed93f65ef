"""Leases of judgings without a job as rows: grant, renew, take back and forget them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.commands.judgings import GRANTS_MAX
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection, Row
from signoff.status import JudgingKind

#: Judgings that no operation asked for are kept for a day, and so many are.
KEPT_S: Final = 86_400.0
KEPT_MAX: Final = 100_000
FORGET_BATCH: Final = 5_000
#: Bytes of results that one grant has, but for one result alone.
GRANT_MAX_BYTES: Final = 16 << 20
#: Of more that wait nobody needs to know.
WAITING_MAX: Final = 5_000

FREE: Final = f"kind NOT IN ('{JudgingKind.SHADOW}', '{JudgingKind.REJUDGE}')"
NOTIFY_QUEUED: Final = text(f"SELECT {notify(Wake.JUDGINGS)}")
#: Nothing of an operation that is paused, or cancelled, begins.
_STOPPED: Final = "('PAUSED', 'CANCELLING', 'CANCELLED')"
_RUNS: Final = f"NOT EXISTS (SELECT FROM operations o WHERE o.id = g.group_id AND o.state IN {_STOPPED})"
#: What belongs to a judging of a job: its result, and what its agent was asked, are where its execution says.
_OF_JOB: Final = """
    LEFT JOIN executions e ON e.execution_id = g.execution_id
    LEFT JOIN jobs j ON j.id = e.job_id
    LEFT JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.result_version
    LEFT JOIN job_logs q ON q.job_id = e.job_id AND q.version = e.request_version
"""
#: The criteria of the set that the execution froze.
_OF_SET: Final = """
    LEFT JOIN judging_versions s ON s.kind = 'criteria' AND s.name = split_part(e.policy ->> 'criteria_set', '@', 1)
        AND s.version = CAST(nullif(split_part(e.policy ->> 'criteria_set', '@', 2), '') AS int)
"""
#: What is next is chosen first, and only then is looked at: the cost follows what is taken, and not what waits. The
#: result of the submission before is of the execution before.
_GRANT: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT g.id, g.urgency, g.created_at, g.item, g.asked, g.judge_policy, g.execution_id
        FROM judgings g WHERE g.state = 'QUEUED' AND {_RUNS}
        ORDER BY g.urgency, g.created_at, g.item LIMIT :take FOR UPDATE OF g SKIP LOCKED
    ), sized AS (
        SELECT g.id, g.urgency, g.created_at, g.item, coalesce(octet_length(g.asked::text), 0)
            + coalesce(octet_length(r.response_payload::text), 0)
            + coalesce(octet_length(q.request_payload::text), 0) AS bytes
        FROM due g {_OF_JOB}
    ), fitting AS (
        SELECT id FROM (
            SELECT id, sum(bytes) OVER (ORDER BY urgency, created_at, item) - bytes AS before FROM sized
        ) AS summed WHERE before < :bytes_max
    ), granted AS (
        UPDATE judgings g SET state = 'LEASED', lease = g.lease + 1, owner = :owner,
            due_at = signoff_now() + make_interval(secs => :lease_s)
        WHERE g.id = ANY(ARRAY(SELECT id FROM fitting))
        RETURNING g.id, g.lease, g.kind, g.asked::text AS asked, g.judge_policy::text AS judge_policy, g.execution_id
    )
    SELECT g.*, j.acceptance_criteria, j.reference_texts::text AS reference_texts, s.body AS criteria_of_set,
        j.policy::text AS policy_of_job, j.cost_nanos, j.tokens,
        r.response_payload::text AS response, q.request_payload::text AS request,
        e.submission, e.policy::text AS policy, p.result_hash AS previous_hash
    FROM granted g {_OF_JOB} {_OF_SET} LEFT JOIN LATERAL (
            SELECT result_hash FROM executions WHERE job_id = e.job_id AND submission = e.submission - 1
            ORDER BY request_version DESC NULLS LAST LIMIT 1
        ) AS p ON true
    """,  # noqa: S608 - fragments of our own
)
_RENEW: Final = text(
    """
    UPDATE judgings g SET state = 'LEASED', owner = :owner, due_at = signoff_now() + make_interval(secs => :lease_s)
    FROM (
        SELECT g.id FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[])) AS u (id, lease)
        JOIN judgings g ON g.id = u.id AND g.lease = u.lease WHERE g.state <> 'DONE' ORDER BY g.id FOR UPDATE OF g
    ) AS locked
    WHERE g.id = locked.id RETURNING g.id, g.lease
    """,
)
_GIVE_BACK: Final = text(
    """
    UPDATE judgings g SET state = 'QUEUED', lease = g.lease + 1, owner = NULL, due_at = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[])) AS u (id, lease)
    WHERE g.id = u.id AND g.lease = u.lease AND g.state = 'LEASED'
    """,
)
#: Of lapsed leases, while any lapse. `state <> 'DONE'`: the index of what is open can serve.
_LAPSED: Final = ":lapse AND state = 'LEASED' AND state <> 'DONE' AND due_at <= signoff_now()"
#: A lapsed lease counts until the next grant, as those of jobs do; after the last, a command ends the judging.
_LOOK: Final = text(
    f"""
    WITH lapsed AS (
        UPDATE judgings SET owner = NULL, due_at = NULL, state = 'QUEUED' WHERE id = ANY(ARRAY(
            SELECT id FROM judgings WHERE {_LAPSED} AND lease < {GRANTS_MAX} LIMIT :most FOR UPDATE SKIP LOCKED))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM lapsed)
        + (SELECT count(*) FROM (SELECT FROM judgings g WHERE state = 'QUEUED' AND {_RUNS} LIMIT :most) AS queued)
        AS waiting, EXISTS (SELECT FROM judgings WHERE state <> 'DONE') AS are_open,
        ARRAY(SELECT id FROM judgings WHERE {_LAPSED} AND lease >= {GRANTS_MAX} LIMIT :most) AS lost
    """,  # noqa: S608 - fragments of our own
)
_REAL: Final = text(
    "SELECT id, execution_id, job_id FROM judgings WHERE id = ANY(CAST(:ids AS uuid[])) AND kind = 'rejudge'"
)
_FORGET: Final = text(
    f"""
    DELETE FROM judgings WHERE id = ANY(ARRAY(
        SELECT id FROM judgings WHERE {FREE} AND created_at <= signoff_now() - make_interval(secs => :kept_s)
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,  # noqa: S608 - fragments of our own
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many judgings wait for a validator, whether any is not done, and of which the last grant lapsed."""

    waiting: int
    are_open: bool
    lost: Sequence[UUID]


async def grant(connection: Connection, owner: UUID, take: int, lease_s: float) -> list[Row]:
    """Grant leases of up to `take` judgings that wait, the most urgent first, with all that is judged."""
    asked = {"owner": owner, "take": take, "lease_s": lease_s, "bytes_max": GRANT_MAX_BYTES}
    return await connection.execute(_GRANT, asked)


async def renew(
    connection: Connection, owner: UUID, leases: Sequence[tuple[UUID, int]], lease_s: float
) -> set[tuple[UUID, int]]:
    """Renew leases for `lease_s` from now, and return those that are held: also lapsed ones that nobody got since."""
    if not leases:
        return set()
    asked = {"owner": owner, "lease_s": lease_s, **_split(leases)}
    return {(row.id, row.lease) for row in await connection.execute(_RENEW, asked)}


async def give_back(connection: Connection, leases: Sequence[tuple[UUID, int]]) -> None:
    """Queue judgings again whose leases are given back; the leases' numbers are spent."""
    if leases:
        await connection.execute(_GIVE_BACK, _split(leases))
        await connection.execute(NOTIFY_QUEUED)


def _split(leases: Sequence[tuple[UUID, int]]) -> dict[str, object]:
    ids, numbers = zip(*sorted(leases), strict=True)
    return {"ids": list(ids), "leases": list(numbers)}


async def find_real(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return those judgings whose verdict is to be their job's: (id, execution_id, job_id), by id."""
    return {row.id: row for row in await connection.execute(_REAL, {"ids": list(ids)})}


async def look(connection: Connection, *, lapse: bool) -> Waiting:
    """Queue those again whose lease lapsed, if `lapse`; return how many wait by now, and which can wait no more."""
    row = (await connection.execute(_LOOK, {"lapse": lapse, "most": WAITING_MAX})).one()
    return Waiting(row.waiting, row.are_open, row.lost)


async def forget(connection: Connection) -> int:
    """Delete up to FORGET_BATCH judgings of more than a day ago that no operation asked for; return how many."""
    return await connection.change(_FORGET, {"kept_s": KEPT_S, "limit": FORGET_BATCH})
