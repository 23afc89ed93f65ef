"""Give each jobstore an epoch, and end the sessions of one that no longer renews it.

A process that is stopped or cut off keeps its sessions, and with them the relay's lock, rows and open transactions:
its kernel answers for it. Every session is opened under an epoch and ends with it, so that nothing of an older epoch
changes the database (docs/adr/0026).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import text

from jobstore.storage.sql import Connection
from servicekit.errors import TransientError
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

#: Seconds until an epoch lapses that is not renewed. The probe of the database renews it, and whoever probes next ends
#: it: with the seconds until another relay tries to lead, these are less than 15.
EPOCH_S: Final = 10.0
#: Seconds after which sessions of epochs that have ended are looked for, though none has ended since.
LOOK_EVERY_S: Final = 60.0
#: The `application_name` of sessions, followed by their epoch.
SESSION_NAME: Final = "signoff-jobstore"

_BEGIN: Final = text(
    "INSERT INTO epochs (until, report) VALUES (signoff_now() + make_interval(secs => :epoch_s), "
    "CAST(CAST(:report AS text) AS jsonb) || jsonb_build_object('at', signoff_now())) RETURNING epoch"
)
#: Only whose own epoch has not lapsed ends others: during an outage of the database all lapse.
_RENEW: Final = text(
    """
    WITH lapsed AS (
        DELETE FROM epochs WHERE epoch <> :epoch AND until < signoff_now()
            AND EXISTS (SELECT FROM epochs own WHERE own.epoch = :epoch AND own.until >= signoff_now())
        RETURNING 1
    )
    UPDATE epochs SET until = signoff_now() + make_interval(secs => :epoch_s),
        report = CAST(CAST(:report AS text) AS jsonb) || jsonb_build_object('at', signoff_now()) WHERE epoch = :epoch
    RETURNING (SELECT count(*) FROM lapsed)
    """
)
_IS_CURRENT: Final = text("SELECT EXISTS (SELECT FROM epochs WHERE epoch = :epoch)")
#: A session shows its name before its epoch is looked up: whichever comes first, none is left of an epoch that ended.
_END_SESSIONS: Final = text(
    f"""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name LIKE '{SESSION_NAME} %'
        AND NOT EXISTS (SELECT FROM epochs WHERE '{SESSION_NAME} ' || epoch = application_name)
    """  # noqa: S608 - a name of our own
)


class Epochs:
    """Hold the epoch of this process; `current` is None until it is first renewed."""

    def __init__(self) -> None:
        self.current: int | None = None
        #: Returns what this process says of itself, as JSON, where it does (insights.processes).
        self.describe: Callable[[], str | None] = lambda: None
        self._renewing = asyncio.Lock()
        self._look_at = 0.0

    @property
    def session_name(self) -> str:
        """The name of the sessions that are opened now."""
        return SESSION_NAME if self.current is None else f"{SESSION_NAME} {self.current}"

    async def renew(self, session: Connection) -> None:
        """Renew the epoch, or begin another if it has ended; end those of others that have lapsed, with their sessions.

        Once in a while sessions are looked for in any case: whoever has ended their epoch may have ended before them.
        `session` is of no epoch.
        """
        async with self._renewing:  # of two probes at once only one begins it
            parameters = {"epoch": self.current, "epoch_s": EPOCH_S, "report": self.describe()}
            lapsed = None if self.current is None else await session.scalar(_RENEW, parameters)
            if lapsed is None:
                before, self.current = self.current, await session.scalar(_BEGIN, parameters)
                log.info("an epoch begins", extra={"epoch": self.current, "ended": before})
        if lapsed == 0 and time.monotonic() < self._look_at:
            return
        ended = await session.scalar(_END_SESSIONS)
        self._look_at = time.monotonic() + LOOK_EVERY_S
        if ended:
            log.warning("sessions were ended of a jobstore that had stopped or was cut off", extra={"sessions": ended})

    async def check(self, session: Connection, name: str) -> None:
        """Raise TransientError (`epoch_ended`) if the epoch has ended under which a session was opened."""
        number = name.removeprefix(SESSION_NAME)
        if number and not await session.scalar(_IS_CURRENT, {"epoch": int(number)}):
            session.invalidate()
            raise TransientError(
                "this jobstore had stopped or was cut off: its epoch has ended", code=ErrorCode.EPOCH_ENDED
            )
