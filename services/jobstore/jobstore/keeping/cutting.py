"""Cut the logs of removed jobs: of each its last entry stays, and goes in its time, too (docs/protocol.md#removal).

The role of the jobstores deletes no entry: functions of the tables' owner do, and only what is archived below the last
entry of a removed job. Facts of a batch that made the job forget what it was, too. Each batch is a transaction of its
own, so that one that is cut off is done again.
"""

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.facts import ADMINISTRATION
from jobstore.engine.locks import Lock, try_hold
from jobstore.engine.sql import Connection
from jobstore.keeping.pace import pause
from servicekit.process.runtime import run_forever

#: Entries that one transaction deletes, and last entries of jobs.
BATCH: Final = 1_000
#: Seconds for which a log stays once its job is removed: longer than any transaction that had read it by then.
REST_S: Final = 120.0
POLL_S: Final = 10.0

#: Whether anything may be cut, or is old enough to go.
_LOOK: Final = text(
    """
    SELECT EXISTS (SELECT FROM job_logs WHERE kind = 'removed' AND seq > cut_seq AND seq <= archived_seq
            AND created_at <= signoff_now() - make_interval(secs => :rest_s)) AS is_uncut,
        EXISTS (SELECT FROM (
            SELECT created_at FROM job_logs WHERE kind = 'removed' ORDER BY seq LIMIT 1) AS oldest
            WHERE created_at <= signoff_now() - make_interval(secs => :kept_s)) AS is_old
    FROM keeping
    """
)
_CUT: Final = text("SELECT signoff_cut(:limit, :rest_s)")
_CUT_SEQ: Final = text("SELECT cut_seq FROM keeping")
_OPERATIONS: Final = text(
    "SELECT DISTINCT i.operation_id::text FROM job_logs l JOIN operation_items i ON i.job_id = l.job_id "
    "WHERE l.kind = 'removed' AND l.seq > :after AND l.seq <= :until"
)
#: What a fact says of a new job of a batch is its content. The fact stays, and says of the item what is known of it.
_FORGET_NEW_JOBS: Final = text(
    f"""
    UPDATE facts SET body = jsonb_set(body::jsonb, '{{rows}}', (
        SELECT jsonb_agg(CASE WHEN item ->> 'job_id' = ANY(told.job_ids) THEN item - 'spec' ELSE item END ORDER BY n)
        FROM jsonb_array_elements(body::jsonb -> 'rows') WITH ORDINALITY AS items (item, n)
    ))::json
    FROM (
        SELECT f.seq, array_agg(removed.job_id) AS job_ids
        FROM facts f CROSS JOIN LATERAL json_array_elements(f.body -> 'rows') AS item CROSS JOIN LATERAL (
            SELECT l.job_id FROM job_logs l
            WHERE l.job_id = item ->> 'job_id' AND l.kind = 'removed' AND l.seq <= :until LIMIT 1
        ) AS removed
        WHERE f.topic = '{ADMINISTRATION}' AND f.body ->> 'kind' = 'operation_items' AND item ->> 'spec' IS NOT NULL
            AND (CAST(:keys AS text[]) IS NULL OR f.key = ANY(:keys))
        GROUP BY f.seq
    ) AS told
    WHERE facts.seq = told.seq
    """  # noqa: S608 - a name of our own
)
_FORGET: Final = text("SELECT signoff_forget_removed(:limit, :kept_s)")


async def forget_new_jobs(connection: Connection, until: int, keys: Sequence[str] | None = None) -> None:
    """Let facts of operations forget the content of jobs whose last entries have numbers up to `until`.

    `keys`: the operations whose facts are looked through; None: all of them.
    """
    await connection.execute(_FORGET_NEW_JOBS, {"until": until, "keys": keys})


class Cutting:
    """Cut the logs of removed jobs; of all jobstores, one does so at a time."""

    def __init__(self, database: Database, kept_s: float, rest_s: float = REST_S, batch: int = BATCH) -> None:
        """`kept_s`: for how many seconds the last entry of a removed job stays."""
        self._database, self._kept_s, self._rest_s, self._batch = database, kept_s, rest_s, batch

    async def run(self) -> None:
        """Cut for ever."""
        await run_forever(self.cut, name="cutting", every_s=POLL_S)

    async def cut(self) -> bool:
        """Cut a batch, unless another jobstore does; return whether there may be more, after a pause."""
        times = {"rest_s": self._rest_s, "kept_s": self._kept_s}
        async with self._database.session() as session:
            look = (await session.execute(_LOOK, times)).one()
        if not (look.is_uncut or look.is_old):
            return False
        began = time.monotonic()
        cut = forgotten = 0
        async with self._database.transaction() as connection:
            if not await try_hold(connection, Lock.CUTTING):
                return False
            if look.is_uncut:
                after = await connection.scalar(_CUT_SEQ)
                cut = int(await connection.scalar(_CUT, {"limit": self._batch, "rest_s": self._rest_s}))
                span = {"after": after, "until": await connection.scalar(_CUT_SEQ)}
                if keys := list(await connection.scalars(_OPERATIONS, span)):
                    await forget_new_jobs(connection, span["until"], keys)
            if look.is_old:
                forgotten = int(await connection.scalar(_FORGET, {"limit": self._batch, "kept_s": self._kept_s}))
        await pause(began)
        return cut > 0 or forgotten > 0
