"""Workers as rows: for how much more they have room, whether anything waits for it, and which are gone for good."""

from typing import Final

from sqlalchemy import text

from jobstore.domain.model import ExecutionStage
from jobstore.storage.sql import Connection

#: Queued executions that are looked through at most for one that is due.
_LOOKED_AT_MAX: Final = 20
#: Whether a rebuild did not find what administrators set, and nobody has confirmed since what is set now.
ARE_LOST: Final = "(SELECT administered_since IS NULL FROM relay WHERE id = 1)"
#: The condition of a worker that was heard of lately.
IS_HEARD_OF: Final = "seen_at > signoff_now() - make_interval(secs => :alive_s)"


def is_alive(stage: ExecutionStage) -> str:
    """Return the condition of a worker of a stage that was heard of lately."""
    return f"stage = '{stage}' AND {IS_HEARD_OF}"


def count_offered(stage: ExecutionStage = ExecutionStage.EXECUTING) -> str:
    """Return the expression of the offers of a stage that are not claimed yet."""
    return f"(SELECT count(*) FROM executions WHERE stage = '{stage}' AND state = 'OFFERED')"  # noqa: S608 - a word of our own


def read_room(stage: ExecutionStage) -> str:
    """Return the row of the leases that live workers would still take, less the offers not claimed yet, and hold.

    There is no room for anything while limits are lost.
    """
    return f"""
        (SELECT CASE WHEN {ARE_LOST} THEN 0 ELSE coalesce(sum(room), 0) - {count_offered(stage)} END AS room,
            coalesce(sum(capacity), 0) AS capacity
        FROM workers WHERE {is_alive(stage)}) AS of_workers
    """  # noqa: S608 - words of our own


#: SQL columns beside the row of the room, as domain.execution_states.Openings but for limits.
OPENINGS: Final = f"""
    room, capacity,
    (SELECT coalesce(bool_or(due_at <= signoff_now()), false) OR count(*) = {_LOOKED_AT_MAX} FROM (
        SELECT due_at FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED' LIMIT {_LOOKED_AT_MAX}
    ) AS queued) AS is_waiting,
    (SELECT array_agg(agent_id) FROM circuits WHERE open_until IS NOT NULL) AS open_circuits
"""  # noqa: S608 - words of our own

#: Each start of a worker has a row of its own. It is kept for so long after it was last heard of; and so many are.
WORKERS_AGE_S: Final = 3_600.0
WORKERS_MAX: Final = 10_000
#: Rows deleted by one `forget_workers`.
FORGET_BATCH: Final = 10_000
#: SKIP LOCKED: a worker that is just heard of is not gone. A row that is forgotten too early comes back as it renews.
_FORGET: Final = text(
    """
    DELETE FROM workers WHERE owner = ANY(ARRAY(
        SELECT owner FROM workers WHERE seen_at <= greatest(
            signoff_now() - make_interval(secs => :age_s),
            (SELECT seen_at FROM workers ORDER BY seen_at DESC OFFSET :workers_max LIMIT 1))
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,
)


async def forget_workers(connection: Connection, workers_max: int = WORKERS_MAX) -> int:
    """Delete up to FORGET_BATCH workers not heard of for long, or the longest silent of too many; return how many."""
    parameters = {"age_s": WORKERS_AGE_S, "workers_max": workers_max, "limit": FORGET_BATCH}
    return await connection.change(_FORGET, parameters)
