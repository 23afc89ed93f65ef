"""Leases as rows of executions: renew them, and find those that lapsed or are out of time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from jobstore.engine.sql import Connection, Row
from jobstore.jobs.model import ExecutionStage

#: A lapsed lease that no other worker was granted still has its number: it is revived, and what `_lapse` of
#: jobs.transitions counted is taken back. Rows are locked in the order of their ids, as all lock them.
#: `|| ''`: only the index of the ids can serve (docs/adr/0024).
_RENEW: Final = text(
    """
    UPDATE executions e SET state = 'LEASED', owner = :owner,
        spent = e.spent - CAST(e.stage = 'EXECUTING' AND e.state <> 'LEASED' AS int),
        validators_lost = e.validators_lost - CAST(e.stage = 'JUDGING' AND e.state <> 'LEASED' AS int),
        due_at = least(signoff_now() + make_interval(secs => :lease_s), e.deadline_at),
        judge_away_at = CASE WHEN locked.away_s IS NOT NULL
            THEN coalesce(e.judge_away_at, signoff_now() - make_interval(secs => locked.away_s)) END,
        fails_at = CASE WHEN e.stage = 'EXECUTING' THEN e.deadline_at ELSE e.fails_at END
    FROM (
        SELECT e.execution_id, u.away_s
        FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[]), CAST(:away_s AS float8[]))
            AS u(execution_id, lease, away_s)
        JOIN executions e ON e.execution_id = u.execution_id AND e.lease = u.lease
        WHERE e.stage || '' = :stage AND e.state || '' <> 'DONE'
        ORDER BY e.execution_id FOR UPDATE OF e
    ) AS locked
    WHERE e.execution_id = locked.execution_id
    RETURNING e.execution_id, e.lease
    """
)
#: A report counts while its lease is the row's, and for judging only above the one under which the result came
#: (jobs.transitions); the result of a cancelled execution is kept once. Locked in the same order.
_NOTE_FORGED: Final = text(
    """
    UPDATE executions e SET forged_lease = e.lease
    FROM (
        SELECT e.execution_id
        FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS bigint[])) AS u(execution_id, lease)
        JOIN executions e ON e.execution_id = u.execution_id AND e.lease = u.lease
        WHERE e.forged_lease IS DISTINCT FROM e.lease AND (
            e.state <> 'DONE' AND (e.stage = 'EXECUTING' OR e.lease > e.result_lease)
            OR e.answer = 'cancelled' AND e.result_lease IS NULL)
        ORDER BY e.execution_id FOR UPDATE OF e
    ) AS locked
    WHERE e.execution_id = locked.execution_id
    RETURNING e.execution_id, e.lease
    """
)
_STATES: Final = text(
    "SELECT execution_id, state, lease, result_lease, answer FROM executions "
    "WHERE execution_id = ANY(CAST(:ids AS uuid[]))"
)
_LEASED: Final = "FROM executions WHERE stage = '{stage}' AND state = 'LEASED'"
_TIMED: Final = "FROM executions WHERE state <> 'DONE' AND fails_at IS NOT NULL"
#: Beside the rows, or in a row of its own: seconds until the next lease lapses or the next execution is out of time.
_LATE: Final = text(
    f"""
    SELECT extract(epoch FROM least(
            (SELECT due_at {_LEASED.format(stage="EXECUTING")} AND due_at > signoff_now() ORDER BY due_at LIMIT 1),
            (SELECT due_at {_LEASED.format(stage="JUDGING")} AND due_at > signoff_now() ORDER BY due_at LIMIT 1),
            (SELECT fails_at {_TIMED} AND fails_at > signoff_now() ORDER BY fails_at LIMIT 1)
        ) - signoff_now())::float8 AS next_in_s, signoff_now() AS now, late.*
    FROM (SELECT 1) AS one LEFT JOIN (
        (SELECT execution_id, lease, fails_at AS since, attempt > 0 AS may_be_reported, true AS is_overdue
            {_TIMED} AND fails_at <= signoff_now() LIMIT :limit)
        UNION ALL
        (SELECT execution_id, lease, due_at, true, false
            {_LEASED.format(stage="EXECUTING")} AND due_at <= signoff_now() LIMIT :limit)
        UNION ALL
        (SELECT execution_id, lease, due_at, true, false
            {_LEASED.format(stage="JUDGING")} AND due_at <= signoff_now() LIMIT :limit)
    ) AS late ON true
    """  # noqa: S608 - fragments of our own
)


class LateLease(NamedTuple):
    """A lease that was not renewed in time, or, if `is_overdue`, the lease of an execution that is out of time.

    `may_be_reported`: whether a worker has ever had the lease, so that a topic may hold its outcome.
    """

    execution_id: UUID
    lease: int
    since: datetime
    may_be_reported: bool
    is_overdue: bool


class Late(NamedTuple):
    """The leases that are late at the time `now`; `next_in_s`: seconds until another lease is, unless it is renewed."""

    leases: Sequence[LateLease]
    now: datetime
    next_in_s: float | None


async def renew(
    connection: Connection,
    owner: UUID,
    stage: ExecutionStage,
    leases: Sequence[tuple[UUID, int]],
    lease_s: float,
    away_s: Mapping[tuple[UUID, int], float] | None = None,
) -> set[tuple[UUID, int]]:
    """Renew leases (execution_id, lease) for `lease_s` from now, and return those that the owner now holds.

    A lapsed lease that no other worker was granted is revived, and its attempt is not counted. `away_s`: for how many
    seconds the judges of some leases have not answered, by lease.
    """
    if not leases:
        return set()
    leases = sorted(leases)
    ids, numbers = zip(*leases, strict=True)
    parameters = {
        "owner": owner,
        "stage": stage.value,
        "lease_s": lease_s,
        "ids": list(ids),
        "leases": list(numbers),
        "away_s": [(away_s or {}).get(lease) for lease in leases],
    }
    return {(row.execution_id, row.lease) for row in await connection.execute(_RENEW, parameters)}


async def note_forged(connection: Connection, leases: Collection[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Note leases that still count, and for which a forged report came; return the leases not noted before."""
    ids, numbers = zip(*sorted(leases), strict=True)
    rows = await connection.execute(_NOTE_FORGED, {"ids": list(ids), "leases": list(numbers)})
    return {(row.execution_id, row.lease) for row in rows}


async def load_states(connection: Connection, execution_ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Return the columns state, lease, result_lease and answer of executions, as rows by execution id."""
    if not execution_ids:
        return {}
    rows = await connection.execute(_STATES, {"ids": list(execution_ids)})
    return {row.execution_id: row for row in rows}


async def find_late(connection: Connection, limit: int) -> Late:
    """Return leases that lapsed, and executions past a timeout or their deadline: up to `limit` of each kind."""
    rows = await connection.execute(_LATE, {"limit": limit})
    late = [LateLease(*map(row.get, LateLease._fields)) for row in rows if row.execution_id is not None]
    return Late(late, rows[0].now, rows[0].next_in_s)


#: The maximum of queued executions that are searched for one that is due.
_LOOKED_AT_MAX: Final = 20
#: Whether a rebuild did not find what administrators had set, and none has confirmed since what is set now.
ARE_LOST: Final = "(SELECT administered_since IS NULL FROM relay WHERE id = 1)"
#: The condition of a worker that reported itself lately.
IS_HEARD_OF: Final = "seen_at > signoff_now() - make_interval(secs => :alive_s)"


def is_alive(stage: ExecutionStage) -> str:
    """Return the SQL condition that a worker is of a stage, and has reported itself lately (`:alive_s`)."""
    return f"stage = '{stage}' AND {IS_HEARD_OF}"


def count_offered(stage: ExecutionStage = ExecutionStage.EXECUTING) -> str:
    """Return the SQL expression that counts the offers of a stage that are not claimed yet."""
    return f"(SELECT count(*) FROM executions WHERE stage = '{stage}' AND state = 'OFFERED')"  # noqa: S608 - a word of our own


def read_room(stage: ExecutionStage) -> str:
    """Return the SQL of a subquery: live workers' room, less the offers that are not claimed yet, and their capacity.

    While limits are lost, the room is 0.
    """
    return f"""
        (SELECT CASE WHEN {ARE_LOST} THEN 0 ELSE coalesce(sum(room), 0) - {count_offered(stage)} END AS room,
            coalesce(sum(capacity), 0) AS capacity
        FROM workers WHERE {is_alive(stage)}) AS of_workers
    """  # noqa: S608 - words of our own


#: SQL columns beside the row of the room: those of executions.states.Openings but for limits.
OPENINGS: Final = f"""
    room, capacity,
    (SELECT coalesce(bool_or(due_at <= signoff_now()), false) OR count(*) = {_LOOKED_AT_MAX} FROM (
        SELECT due_at FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED' LIMIT {_LOOKED_AT_MAX}
    ) AS queued) AS is_waiting,
    (SELECT array_agg(agent_id) FROM circuits WHERE open_until IS NOT NULL) AS open_circuits
"""  # noqa: S608 - words of our own

#: Each start of a worker has a row of its own, which is kept for so many seconds after its last report; and how many
#: rows are kept.
WORKERS_AGE_S: Final = 3_600.0
WORKERS_MAX: Final = 10_000
#: Rows deleted by one `forget_workers`.
FORGET_BATCH: Final = 10_000
#: SKIP LOCKED: a worker that is just reporting is not gone. A row that is forgotten too early comes back as it renews.
_FORGET: Final = text(
    """
    DELETE FROM workers WHERE owner = ANY(ARRAY(
        SELECT owner FROM workers WHERE seen_at <= greatest(
            signoff_now() - make_interval(secs => :age_s),
            (SELECT seen_at FROM workers ORDER BY seen_at DESC OFFSET :workers_max LIMIT 1))
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """
)


async def forget_workers(connection: Connection, workers_max: int = WORKERS_MAX) -> int:
    """Delete up to FORGET_BATCH workers that were silent for long, or longest beyond `workers_max`; return how many."""
    parameters = {"age_s": WORKERS_AGE_S, "workers_max": workers_max, "limit": FORGET_BATCH}
    return await connection.change(_FORGET, parameters)
