"""Cut the logs of removed jobs: of each its last entry stays, and goes in its time, too (docs/protocol.md#removal).

The role of the jobstores deletes no entry: functions of the tables' owner do, and only what is archived below the last
entry of a removed job. Each batch is a transaction of its own, so that one that is cut off is done again.
"""

import time
from typing import Final

from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.locks import Lock, try_hold
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
_FORGET: Final = text("SELECT signoff_forget_removed(:limit, :kept_s)")


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
                cut = int(await connection.scalar(_CUT, {"limit": self._batch, "rest_s": self._rest_s}))
            if look.is_old:
                forgotten = int(await connection.scalar(_FORGET, {"limit": self._batch, "kept_s": self._kept_s}))
        await pause(began)
        return cut > 0 or forgotten > 0
