"""Load and write judgings without a job, as commands decide on them."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.commands.rows import Changes, NewJudging, StoredJudging
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.storage import sql
from jobstore.storage.judging.judgings import FREE, KEPT_MAX, NOTIFY_QUEUED
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection
from jobstore.storage.tables import judgings
from signoff.status import JudgingState

_NEW: Final = sql.columns(
    judgings,
    only={
        *("id", "kind", "group_id", "item", "urgency", "execution_id", "job_id", "job_version", "asked"),
        *("judge_policy", "actor", "evaluation", "judge", "repeat", "question", "labels"),
    },
)
_ANSWER: Final = sql.columns(
    judgings,
    only={
        *("id", "before", "was_valid", "is_valid", "answer", "code", "message", "cost_nanos", "tokens", "duration_s"),
    },
)
#: One that is there is what an item of an operation asked for before a rebuild, and comes from a backup.
_INSERT: Final = text(f"{sql.insert('judgings', _NEW).text} ON CONFLICT (id) DO NOTHING")
_FINISH: Final = text(
    f"""
    UPDATE judgings SET {sql.assignments("u", _ANSWER, key="id")}, state = 'DONE', owner = NULL, due_at = NULL,
        asked = NULL, answered_at = signoff_now()
    FROM {sql.unnest("u", _ANSWER)}
    WHERE judgings.id = u.id AND judgings.id = ANY(CAST(:u_id AS uuid[]))
    """,  # noqa: S608 - names of our own
)
_CANCEL: Final = text(
    """
    UPDATE judgings g SET state = 'DONE', code = 'cancelled', message = 'the operation was cancelled', owner = NULL,
        due_at = NULL, answered_at = signoff_now()
    FROM (SELECT id FROM judgings WHERE group_id = :id AND state <> 'DONE' ORDER BY id FOR UPDATE) AS locked
    WHERE g.id = locked.id
    """,
)
#: What it had cost that was cancelled is known once its validator has told it.
_COUNT_SPENDING: Final = text("UPDATE judgings SET cost_nanos = :cost_nanos, tokens = :tokens WHERE id = :id")
_NOTIFY_ANSWERED: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")
#: Beside a judging that is locked the verdict before, where a job is judged again: its entry has the result, too.
_LOCK: Final = text(
    f"""
    SELECT g.id, g.kind, g.state, g.lease, g.execution_id, g.job_id, g.actor, g.judge_policy::text AS judge_policy,
        g.state = 'LEASED' AND g.due_at <= signoff_now() AS has_lapsed,
        g.code = 'cancelled' AND g.cost_nanos IS NULL AS is_cut_short, (
        SELECT l.response_payload::text FROM job_logs l WHERE l.job_id = g.job_id AND l.version <= g.job_version
            AND {sql.is_verdict("l")} AND l.execution_id = g.execution_id ORDER BY l.version DESC LIMIT 1
    ) AS before
    FROM judgings g WHERE g.id = ANY(CAST(:ids AS uuid[])) ORDER BY g.id FOR UPDATE OF g
    """,  # noqa: S608 - words of our own
)
_GROUPS: Final = text("SELECT DISTINCT group_id FROM judgings WHERE group_id = ANY(CAST(:ids AS uuid[]))")
_COUNT_KEPT: Final = text(f"SELECT count(*) FROM (SELECT FROM judgings WHERE {FREE} LIMIT :most) AS kept")  # noqa: S608


async def load(connection: Connection, ids: Collection[UUID]) -> dict[UUID, StoredJudging]:
    """Lock judgings in the order of their ids, and return them by id."""
    rows = await connection.execute(_LOCK, {"ids": sorted(ids)})
    return {
        row.id: StoredJudging(
            row.id,
            row.kind,
            JudgingState(row.state),
            row.lease,
            row.execution_id,
            row.job_id,
            row.before,
            Actor(row.actor or SIGNOFF),
            row.judge_policy,
            has_lapsed=row.has_lapsed,
            is_cut_short=bool(row.is_cut_short),
        )
        for row in rows
    }


async def find_groups(connection: Connection, group_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these groups there are."""
    return set(await connection.scalars(_GROUPS, {"ids": list(group_ids)}))


async def count_room(connection: Connection) -> int:
    """Return how many more judgings may be kept that no operation asks for."""
    return KEPT_MAX - int(await connection.scalar(_COUNT_KEPT, {"most": KEPT_MAX}))


async def write(connection: Connection, changes: Changes) -> None:
    """Write what was queued, answered and cancelled. RaceError: another transaction has queued one of the new since."""
    if changes.new_judgings:
        rows = [_make_row(judging) for judging in changes.new_judgings]
        await connection.execute(_INSERT, sql.arrays(_NEW, "u", rows))
        await connection.execute(NOTIFY_QUEUED)
    if changes.judging_answers:
        rows = [asdict(answer) for answer in changes.judging_answers]
        await connection.execute(_FINISH, sql.arrays(_ANSWER, "u", rows))
        await connection.execute(_NOTIFY_ANSWERED)
    for judging_id, (cost_nanos, tokens) in changes.judging_costs.items():
        await connection.execute(_COUNT_SPENDING, {"id": judging_id, "cost_nanos": cost_nanos, "tokens": tokens})
    for operation_id in changes.cancelled_judgings:
        await connection.execute(_CANCEL, {"id": operation_id})


def _make_row(judging: NewJudging) -> sql.Values:
    return {name: getattr(judging, name) for name in _NEW} | {"kind": judging.kind.value}
