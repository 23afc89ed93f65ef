"""Tell what an error of the database is about: the data, an outage, or nobody knows; and whether it can be written.

An outage is waited out, however long. Of the data's own faults, and of nothing else, a record is blamed at once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import asyncpg
from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from jobstore.storage.sql import Connection
from jobstore.storage.tables import metadata
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.outages import DATABASE_OUTAGES
from servicekit.process.runtime import run_forever
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

OUTAGE = Gauge("signoff_database_outage", "1 while the database cannot be written, by why", ["code"])

#: Seconds between two probes, and how long one may take: together, how late an outage is noticed.
PROBE_EVERY_S: Final = 2.0
PROBE_TIMEOUT_S: Final = 4.0
#: Seconds between two looks at what may be done with each table, while nothing fails.
TABLES_EVERY_S: Final = 60.0
#: For how long an outage that a transaction met is believed, whatever the probe says: on a disk that is full its small
#: write may still find room. Longer than the waits between two tries of whoever waits (servicekit.retry).
MET_S: Final = 7.0

READ_ONLY: Final = "25006"
#: By the beginning of the SQLSTATE; the first that fits decides. What is not here is doubtful: it is waited for, and
#: once it has met one record alone for long, while the database could be written, that record is given up.
_DATA: Final = (
    "22",  # a value, such as a text with U+0000
    "23",  # a constraint; another transaction may have been first, so that it is tried again at once
    "54001",  # JSON that is nested deeper than the server's stack
)
_BUSY: Final = (
    "0A000",  # a plan that was made before a migration
    "40",  # a deadlock, or a transaction that was rolled back for another
    "55",  # a lock that is not to be had
)
_OUTAGES: Final = {
    READ_ONLY: ErrorCode.DATABASE_READ_ONLY,
    "53100": ErrorCode.DATABASE_OUT_OF_SPACE,
    "53300": ErrorCode.DATABASE_OUT_OF_CONNECTIONS,
    "28": ErrorCode.DATABASE_FORBIDDEN,  # who may log in
    "42501": ErrorCode.DATABASE_FORBIDDEN,
    "3D000": ErrorCode.DATABASE_NOT_MIGRATED,  # no such database
    "3F000": ErrorCode.DATABASE_NOT_MIGRATED,  # no such schema
    "42P01": ErrorCode.DATABASE_NOT_MIGRATED,  # no such table
    "42703": ErrorCode.DATABASE_NOT_MIGRATED,  # no such column
    "42883": ErrorCode.DATABASE_NOT_MIGRATED,  # no such function
    "57P03": ErrorCode.DATABASE_IN_RECOVERY,  # it starts, stops or recovers
    **dict.fromkeys(("08", "25P03", "53", "57P", "58", "F0"), ErrorCode.DATABASE_UNAVAILABLE),
}

#: What asyncpg raises. An InternalClientError is a statement on a session that the server has just ended.
DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_STATE: Final = text(
    "SELECT pg_is_in_recovery() AS recovering, "
    "ARRAY(SELECT name FROM unnest(CAST(:tables AS text[])) AS name WHERE to_regclass(name) IS NULL) AS missing, "
    "ARRAY(SELECT name FROM unnest(CAST(:tables AS text[])) AS name CROSS JOIN unnest("
    "ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege "
    "WHERE NOT has_table_privilege(to_regclass(name), privilege) GROUP BY name) AS forbidden"
)


class RaceError(TransientError):
    """Another transaction wrote first; a retry at once sees what it wrote."""

    code = ErrorCode.RACED


class ConstraintError(RaceError):
    """A constraint was not kept: by a race, or, if it is met alone again and again, by the data."""


class Availability:
    """Know whether the database can be written, from a write of its own every few seconds and from others' fortune."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], write: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """`connect` is for the probe alone: a pool whose connections are all at work says nothing of the database."""
        self._connect = connect
        self._write_once = write
        self._connection: Connection | None = None
        self._probed: str | None = None
        self._met, self._met_at = "", 0.0
        self._checked_at = 0.0
        #: While this process migrates, tables that are missing are no outage.
        self.is_migrating = False

    def find_outage(self) -> str | None:
        """Return the code of the outage that lasts (servicekit.outages), or None."""
        if self._probed is None and self._met and time.monotonic() - self._met_at < MET_S:
            return self._met
        return self._probed

    def check(self) -> str | None:
        """Return why the database cannot be written, in words, or None."""
        code = self.find_outage()
        return None if code is None else f"{DATABASE_OUTAGES[code]}. To do: {DATABASE_OUTAGES[code].remedy}"

    async def run(self, on_change: Callable[[str | None], Awaitable[None]] | None = None) -> None:
        """Probe for ever. Call `on_change` with the code of an outage that begins, and with None at its end."""
        told: list[str | None] = []

        async def look() -> None:
            reason = None
            try:
                await self.probe(thoroughly=False)
            except TransientError as error:
                reason = str(error)
            outage = self.find_outage()
            if self.is_migrating and outage == ErrorCode.DATABASE_NOT_MIGRATED:
                return
            if [outage] != told:
                for code in DATABASE_OUTAGES:
                    OUTAGE.labels(code).set(code == outage)
                told[:] = [outage]
                level = logging.WARNING if outage else logging.INFO
                log.log(level, self.check() or "the database can be written", extra={"reason": reason})
                if on_change is not None:
                    await on_change(outage)

        await run_forever(look, name="database probe", every_s=PROBE_EVERY_S)

    async def probe(self, *, thoroughly: bool = True) -> None:
        """Write once, and look at all tables. TransientError: the database cannot be written; the code says why.

        If not `thoroughly`, the tables are looked at only where that is due: once in TABLES_EVERY_S, on a new
        connection, and once a transaction met an outage.
        """
        try:
            with translate_errors():
                await self._write_in_time(thoroughly=thoroughly)
        except DoubtfulError as error:
            self._probed = ErrorCode.DATABASE_UNAVAILABLE
            raise TransientError(str(error), code=self._probed) from error
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._probed = error.code
            raise
        self._probed = None

    async def _write_in_time(self, *, thoroughly: bool) -> None:
        """Write, or raise TimeoutError. What hangs in a server that stands still is left behind with its connection."""
        writing = asyncio.ensure_future(self._write(thoroughly=thoroughly))
        writing.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            done, _ = await asyncio.wait({writing}, timeout=PROBE_TIMEOUT_S)
        finally:
            writing.cancel()
        if not done:
            raise TimeoutError(f"no answer within {PROBE_TIMEOUT_S:g} s")
        await writing

    async def _write(self, *, thoroughly: bool) -> None:
        """Write on the connection of the last probe, or on a new one after any error."""
        kept, self._connection = self._connection, None
        connection, began_at = kept or await self._connect(), time.monotonic()
        try:
            if thoroughly or kept is None or self._checked_at < max(self._met_at, began_at - TABLES_EVERY_S):
                await _check_tables(connection)
                self._checked_at = began_at
            await self._write_once(connection)
        except BaseException:
            connection.invalidate()
            raise
        if self._connection is not None:  # of another probe at the same time
            self._connection.invalidate()
        self._connection = connection

    async def close(self) -> None:
        """Close the connection of the probe."""
        if self._connection is not None:
            self._connection.invalidate()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Translate errors, and remember an outage that is met."""
        try:
            with translate_errors():
                yield
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._met, self._met_at = error.code, time.monotonic()
            raise


async def _check_tables(connection: Connection) -> None:
    names = [table.name for table in metadata.sorted_tables]
    state = (await connection.execute(_STATE, {"tables": names})).one()
    if state.recovering:
        raise TransientError("pg_is_in_recovery()", code=ErrorCode.DATABASE_IN_RECOVERY)
    if state.missing:
        raise TransientError(f"missing: {', '.join(state.missing)}", code=ErrorCode.DATABASE_NOT_MIGRATED)
    if state.forbidden:
        raise TransientError(f"tables: {', '.join(state.forbidden)}", code=ErrorCode.DATABASE_FORBIDDEN)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Translate the driver's errors: PermanentError for the data's own; TransientError, or DoubtfulError."""
    try:
        yield
    except (PermanentError, TransientError):
        raise
    except (DBAPIError, *DRIVER_ERRORS) as error:
        raise _classify(error) from error


def _classify(error: Exception) -> PermanentError | TransientError:
    reason = _first_line(error)
    state = str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
    if state.startswith("23"):
        return ConstraintError(reason)
    if state.startswith(_DATA):
        log.warning("the database refused a value; what held it fails for good", extra={"reason": reason})
        return PermanentError("a value cannot be stored, such as a text with U+0000", code=ErrorCode.INVALID_DATA)
    if state.startswith(_BUSY):
        return TransientError(reason, code=ErrorCode.DATABASE_BUSY)
    outage = next((code for prefix, code in _OUTAGES.items() if state.startswith(prefix)), None)
    if outage is None and _is_connection_lost(error):
        outage = ErrorCode.DATABASE_UNAVAILABLE
    if outage is not None:
        return TransientError(reason, code=outage)
    return DoubtfulError(f"{state or type(error).__name__}: {reason}", code=ErrorCode.DATABASE_ERROR)


def _is_connection_lost(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    if isinstance(error, asyncpg.InterfaceError):  # also of a call that is wrong, such as too many arguments
        return any(word in str(error) for word in ("closed", "closing", "released"))
    return not isinstance(error, asyncpg.PostgresError)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:500]
