"""The database: its connections, its migrations, and its transactions."""

import asyncio
import contextlib
import copy
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import Flag, auto
from functools import partial
from secrets import randbelow
from string import ascii_letters
from typing import Final, Self, TypeVar

import asyncpg
from prometheus_client import Gauge
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from jobstore.engine import patches
from jobstore.engine.address import DRIVER_ERRORS, DatabaseAddress, HostsError
from jobstore.engine.sql import Connection, Row
from jobstore.errors import TooManyCallsError
from jobstore.schema.migrations import migration
from jobstore.schema.tables import metadata
from servicekit.errors import DATABASE_OUTAGES, DoubtfulError, PermanentError, TransientError
from servicekit.process.runtime import run_forever
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "signoff"
SETTLED = "p"
#: Ends the notifications of rows that this process hands over: digits, since every process reads any letter.
HANDS_OVER: Final = f"/{randbelow(10**12)}"


class Wake(Flag):
    """Kinds of work of which a commit notifies loops; a loop that misses a notification finds the work when it polls.

    A payload of NOTIFY has one letter for each kind, or is `p` and the cursor up to which the log is settled. Behind
    the letters there may be the number of the last row that was recorded, and which process hands these rows over. In
    an upgrade processes of two versions notify each other: a letter keeps its meaning, unknown letters are ignored.
    """

    NOTHING = 0
    RECORDED = auto()  # an entry of a log, or another fact: the relay publishes it
    QUEUED = auto()  # an execution waits: the dispatcher offers it
    FREED = auto()  # an execution ended or awaits its judge: what limits held back may be offered, a batch may be done
    AGENTS = auto()  # an agent or a limit changed: the matcher tries the jobs that wait for an agent
    OPERATIONS = auto()  # an operation was asked for, paused, resumed or cancelled: its worker goes on
    JUDGINGS = auto()  # a judging without a job waits for a validator
    LATE = auto()  # a lease is late, and ends once what stood in the topics is read: their consumers hurry
    TASKS = auto()  # a task that is no execution waits for an executor, or an executor has room for one
    IDENTITY = auto()  # a token was made or ended: every jobstore keeps the live ones in memory

    @property
    def payload(self) -> str:
        """The letters of these kinds of work, as `of_payload` reads them."""
        return "".join(letter for wake, letter in _LETTERS.items() if wake in self)

    @classmethod
    def of_payload(cls, payload: str) -> "Wake":
        """Return the kinds of work whose letters a payload of NOTIFY has."""
        wake = cls.NOTHING
        for each, letter in _LETTERS.items():
            if letter in payload:
                wake |= each
        return wake


#: The letter of each kind of work, in their order.
_LETTERS = dict(zip(tuple(Wake), "lqfaojrti", strict=True))
#: The work that a process looks for after its connection was lost. It wakes the loops that FREED wakes, too.
EVERYTHING = Wake.RECORDED | Wake.QUEUED | Wake.AGENTS | Wake.OPERATIONS | Wake.JUDGINGS | Wake.TASKS | Wake.IDENTITY


def notify(wake: Wake) -> str:
    """Return the SQL expression that notifies the loops of kinds of work when its transaction commits."""
    return f"pg_notify('{CHANNEL}', '{wake.payload}')"


def number_handed_over(payload: str) -> int | None:
    """Return the number of the last row that a payload names, if this process hands that row over, else None."""
    return int(payload.removesuffix(HANDS_OVER).lstrip(ascii_letters)) if payload.endswith(HANDS_OVER) else None


def settled_cursor(payload: str) -> int | None:
    """Return the cursor up to which the log is settled, if a payload is such a cursor, else None."""
    return int(payload.removeprefix(SETTLED)) if payload.startswith(SETTLED) else None


CONNECTIONS = Gauge("signoff_database_connections", "Open connections of the pool of the database", ["state"])
CONNECTIONS_MAX = Gauge("signoff_database_connections_max", "How many connections the pool may open")
AWAITED = Gauge("signoff_database_connections_awaited", "Transactions and reads that wait for a connection")
OUTAGE = Gauge("signoff_database_outage", "1 while the database cannot be written, by why", ["code"])

#: Seconds between two probes, and how long one may take: together, how late an outage is noticed.
PROBE_EVERY_S: Final = 2.0
PROBE_TIMEOUT_S: Final = 4.0
#: Seconds between two checks of the privileges on each table, while nothing fails.
TABLES_EVERY_S: Final = 60.0
#: For how many seconds an outage that a transaction met counts although the probe succeeds: on a full disk its small
#: write may still find room. It is longer than the waits between two tries (servicekit.retry).
MET_S: Final = 7.0

READ_ONLY: Final = "25006"
#: By the beginning of the SQLSTATE; the first that fits decides. Other errors are doubtful: the command is tried again,
#: and given up once it has failed alone for long while the database could be written.
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

_STATE: Final = text(
    "SELECT pg_is_in_recovery() AS recovering, "
    "ARRAY(SELECT name FROM unnest(CAST(:tables AS text[])) AS name WHERE to_regclass(name) IS NULL) AS missing, "
    "ARRAY(SELECT DISTINCT name "
    "FROM unnest(CAST(:names AS text[]), CAST(:privileges AS text[])) AS needed (name, privilege) "
    "WHERE NOT has_table_privilege(to_regclass(name), privilege)) AS forbidden"
)
_IS_SUPERUSER: Final = text("SELECT current_setting('is_superuser') = 'on'")


#: What lacks for a moment while this process migrates, and is no outage then.
_WHILE_MIGRATING: Final = {ErrorCode.DATABASE_NOT_MIGRATED, ErrorCode.DATABASE_FORBIDDEN}
SUPERUSER_REMEDY: Final = (
    "give it a role that owns nothing, and SIGNOFF_MIGRATE_DATABASE_URL one that owns the tables "
    "(docs/operations.md#who-owns-the-tables)"
)


class RaceError(TransientError):
    """Another transaction wrote first; a retry, which needs no wait, sees the rows that the other one wrote."""

    code = ErrorCode.RACED


class ConstraintError(RaceError):
    """A row violates a constraint: by a race, or, if a command alone in its batch fails so every time, by its data."""


class Availability:
    """Know whether the database can be written, from a write every few seconds and from the errors of transactions."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], write: Callable[[Connection], Awaitable[None]]
    ) -> None:
        """`connect` opens a connection of the probe's own, since a pool may have none free; `write` writes by it."""
        self._connect = connect
        self._write_once = write
        self._connection: Connection | None = None
        self._probed: str | None = None
        self._met, self._met_at = "", 0.0
        self._checked_at = 0.0
        #: While this process migrates, tables that are missing are no outage.
        self.is_migrating = False

    def find_outage(self) -> str | None:
        """Return the code of the current outage (servicekit.errors), or None if the database can be written."""
        if self._probed is None and self._met and time.monotonic() - self._met_at < MET_S:
            return self._met
        return self._probed

    def check(self) -> str | None:
        """Return in words why the database cannot be written and what to do, or None if it can be written."""
        code = self.find_outage()
        return None if code is None else f"{DATABASE_OUTAGES[code]}. To do: {DATABASE_OUTAGES[code].remedy}"

    async def run(self, on_change: Callable[[str | None], Awaitable[None]] | None = None) -> None:
        """Probe for ever. Call `on_change` with the code of an outage when it begins, and with None when it ends."""
        logged: list[str | None] = []

        async def look() -> None:
            reason = None
            try:
                await self.probe(thoroughly=False)
            except TransientError as error:
                reason = str(error)
            outage = self.find_outage()
            if self.is_migrating and outage in _WHILE_MIGRATING:
                return
            if [outage] != logged:
                for code in DATABASE_OUTAGES:
                    OUTAGE.labels(code).set(code == outage)
                logged[:] = [outage]
                level = logging.WARNING if outage else logging.INFO
                log.log(level, self.check() or "the database can be written", extra={"reason": reason})
                if on_change is not None:
                    await on_change(outage)

        await run_forever(look, name="database probe", every_s=PROBE_EVERY_S)

    async def probe(self, *, thoroughly: bool = True) -> None:
        """Write once, and check all tables. TransientError: the database cannot be written; the error's code says why.

        If not `thoroughly`, the tables are checked only where that is due: TABLES_EVERY_S after the last check, on a
        new connection, or after a transaction met an outage.
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
        """Write, or raise TimeoutError after PROBE_TIMEOUT_S. A write that hangs is left behind with its connection."""
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
        """Write on the connection of the last probe, or, at first and after an error, on a new connection."""
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
        """Translate the errors that are raised in this context, and note an outage that such an error shows."""
        try:
            with translate_errors():
                yield
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._met, self._met_at = error.code, time.monotonic()
            raise


async def _check_tables(connection: Connection) -> None:
    names = [table.name for table in metadata.sorted_tables]
    needed = [*migration.list_privileges()]
    asked = {"tables": names, "names": [name for name, _ in needed], "privileges": [each for _, each in needed]}
    state = (await connection.execute(_STATE, asked)).one()
    if state.recovering:
        raise TransientError("pg_is_in_recovery()", code=ErrorCode.DATABASE_IN_RECOVERY)
    if state.missing:
        raise TransientError(f"missing: {', '.join(state.missing)}", code=ErrorCode.DATABASE_NOT_MIGRATED)
    if state.forbidden:
        raise TransientError(f"tables: {', '.join(state.forbidden)}", code=ErrorCode.DATABASE_FORBIDDEN)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the driver's errors as PermanentError if the data are at fault, else as TransientError or DoubtfulError."""
    try:
        yield
    except (PermanentError, TransientError):
        raise
    except (DBAPIError, *DRIVER_ERRORS) as error:
        raise _classify(error) from error


def _classify(error: Exception) -> PermanentError | TransientError:
    reason, state = str(error).partition("\n")[0][:500], _find_state(error)
    if state.startswith("23"):
        return ConstraintError(reason)
    if state.startswith(_DATA):
        log.warning("the database refused a value; what held it fails for good", extra={"reason": reason})
        return PermanentError("a value cannot be stored, such as a text with U+0000", code=ErrorCode.INVALID_DATA)
    if state.startswith(_BUSY):
        return TransientError(reason, code=ErrorCode.DATABASE_BUSY)
    if (outage := _find_outage(error)) is not None:
        return TransientError(reason, code=outage)
    return DoubtfulError(f"{state or type(error).__name__}: {reason}", code=ErrorCode.DATABASE_ERROR)


def _find_state(error: Exception) -> str:
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def _find_outage(error: Exception) -> str | None:
    if isinstance(error, HostsError):  # of several hosts, what says most: of one that is out of reach there is least
        codes = {_find_outage(each) for each in error.errors}
        return next((code for code in _OUTAGES.values() if code in codes), ErrorCode.DATABASE_UNAVAILABLE)
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ErrorCode.DATABASE_IN_RECOVERY
    state = _find_state(error)
    outage = next((code for prefix, code in _OUTAGES.items() if state.startswith(prefix)), None)
    return outage or (ErrorCode.DATABASE_UNAVAILABLE if _is_connection_lost(error) else None)


def _is_connection_lost(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    if isinstance(error, asyncpg.ClientConfigurationError):  # such as of a file of CAs that is not there
        return True
    if isinstance(error, asyncpg.InterfaceError):  # also of a call that is wrong, such as too many arguments
        return any(word in str(error) for word in ("closed", "closing", "released"))
    return not isinstance(error, asyncpg.PostgresError)


#: Seconds until an epoch lapses that is not renewed. The probe of its process renews it, and the next probe of another
#: process ends it once it has lapsed: together with LEAD_EVERY_S of the relay that takes less than 15 s.
EPOCH_S: Final = 10.0
#: Seconds after which sessions of ended epochs are looked for, even if no epoch has ended since.
LOOK_EVERY_S: Final = 60.0
#: The `application_name` of sessions, followed by their epoch.
SESSION_NAME: Final = "signoff-jobstore"

_BEGIN: Final = text(
    "INSERT INTO epochs (until, report) VALUES (signoff_now() + make_interval(secs => :epoch_s), "
    "CAST(CAST(:report AS text) AS jsonb) || jsonb_build_object('at', signoff_now())) RETURNING epoch"
)
#: A process ends lapsed epochs only while its own has not lapsed: during an outage of the database all lapse.
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
#: A session has its name before its epoch is looked up, so that no session of an ended epoch is left.
_END_SESSIONS: Final = text(
    f"""
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name LIKE '{SESSION_NAME} %'
        AND NOT EXISTS (SELECT FROM epochs WHERE '{SESSION_NAME} ' || epoch = application_name)
    """  # noqa: S608 - a name of our own
)


class Epochs:
    """Hold the epoch of this process. `current` is the number of the epoch, None until `renew` is first called."""

    def __init__(self) -> None:
        self.current: int | None = None
        #: Returns the report of this process on itself, as JSON, if there is one (insights.processes).
        self.describe: Callable[[], str | None] = lambda: None
        self._renewing = asyncio.Lock()
        self._look_at = 0.0

    @property
    def session_name(self) -> str:
        """The `application_name` of sessions that are opened now: it ends with the epoch's number, if there is one."""
        return SESSION_NAME if self.current is None else f"{SESSION_NAME} {self.current}"

    async def renew(self, session: Connection) -> None:
        """Renew this process's epoch, or begin another if it has ended; end other, lapsed epochs, with their sessions.

        Every LOOK_EVERY_S sessions of ended epochs are looked for in any case: the process that ended an epoch may have
        stopped before it ended the sessions. `session` belongs to no epoch.
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
        """Close `session`, and raise TransientError (`epoch_ended`), if the epoch in its `name` has ended."""
        number = name.removeprefix(SESSION_NAME)
        if number and not await session.scalar(_IS_CURRENT, {"epoch": int(number)}):
            session.invalidate()
            raise TransientError(
                "this jobstore had stopped or was cut off: its epoch has ended", code=ErrorCode.EPOCH_ENDED
            )


#: Milliseconds that a statement may take, and that a transaction may be idle: then a stopped jobstore loses its locks,
#: even if no other jobstore runs that ends its epoch. The longest statement is the snapshot of an operation.
STATEMENT_TIMEOUT_MS = 15_000
IDLE_TIMEOUT_MS = 10_000
#: Seconds after which an answer is no longer waited for: it was lost, since the server would have given up before.
COMMAND_TIMEOUT_S = 16.0
#: Rows are looked up by key, with any statistics and any size of a table when a plan was made; a rebuild and migrations
#: read whole tables (docs/adr/0024).
_BY_KEY = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
#: Seconds that a transaction waits for a free connection of the pool.
POOL_TIMEOUT_S = 10.0
#: Seconds that a call waits for one.
CALLERS_TIMEOUT_S = 2.0
#: Callers have up to one in so many of the connections, by whether their calls last.
_SHARES = {False: 3, True: 6}
#: Seconds after which a process asks again whether its turn to migrate has come.
TURN_POLL_S = 0.5
#: Seconds within which the server must end the statement of a cancelled task; else its connection is closed.
CANCEL_TIMEOUT_S = 1.0
#: Prepared statements that a connection keeps: more than there are. Their plans last as long as the connection.
STATEMENTS_MAX = 500
#: Statements after which the pool would close a connection: never, since its plans would have to be made anew.
QUERIES_MAX = 2**62


class Database:
    """Connect to PostgreSQL. Every error is raised as a TransientError or a PermanentError (servicekit.errors).

    `bounded`: statements time out, and rows are looked up by key. A rebuild has a database that is not bounded.
    """

    def __init__(self, url: str, *, migrate_url: str | None = None, pool_size: int = 10, bounded: bool = True) -> None:
        """`migrate_url`: of a role that owns the tables, and grants their use to the role of `url`."""
        self.address = DatabaseAddress(url)
        self._migrates_at = None if migrate_url is None else DatabaseAddress(migrate_url)
        self._options: dict[str, object] = {
            "command_timeout": COMMAND_TIMEOUT_S if bounded else None,
            "record_class": Row,
            "statement_cache_size": STATEMENTS_MAX,
            "max_cached_statement_lifetime": 0,
            "max_cacheable_statement_size": 0,
        }
        self._settings = {
            "jit": "off",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS if bounded else 0),
            "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS if bounded else 0),
            **(_BY_KEY if bounded else {}),
        }
        self._pool_size = pool_size
        self._pools: list[asyncpg.Pool[Row]] = []  # one, once it is open; shared with the view for callers
        self._callers = {lasting: asyncio.Semaphore(max(1, pool_size // share)) for lasting, share in _SHARES.items()}
        self._places: asyncio.Semaphore | None = None
        self._places_timeout_s: float | None = None
        self.epochs = Epochs()
        self.availability = Availability(lambda: self._connect(SESSION_NAME), self.epochs.renew)

    def show_connections(self) -> None:
        """Show in metrics how many connections are used and waited for; this is counted when somebody asks."""
        CONNECTIONS_MAX.set(self._pool_size)
        CONNECTIONS.labels("used").set_function(lambda: sum(p.get_size() - p.get_idle_size() for p in self._pools))
        CONNECTIONS.labels("idle").set_function(lambda: sum(pool.get_idle_size() for pool in self._pools))
        AWAITED.set_function(lambda: patches.count_waiting(self._pools, self._callers.values()))

    def for_callers(self, *, lasting: bool = False) -> Self:
        """Return a view of this database for the reads of callers, which never take all connections of the pool.

        Half of the connections are left to commands, workers and loops. A third is for calls, which get
        TooManyCallsError if they wait too long; a sixth is for `lasting` calls, such as watches, which wait for ever.
        """
        view = copy.copy(self)
        view._places, view._places_timeout_s = self._callers[lasting], None if lasting else CALLERS_TIMEOUT_S  # noqa: SLF001 - its own
        return view

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: commit it when the context ends, or roll it back if the context raises an error."""
        async with self.session() as connection, connection.driver.transaction():
            with _close_if_unanswered(connection):
                yield connection

    @contextlib.asynccontextmanager
    async def pipelined_transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: BEGIN is sent with its first statement, and COMMIT may be sent with its last one.

        The first statement is executed by `execute` or `scalar`. The transaction has no cursors, which asyncpg opens
        only in transactions of its own.
        """
        async with self.session() as connection, patches.begin_with_next(connection.driver):
            with _close_if_unanswered(connection):
                yield connection

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """Open a connection on which each statement is a transaction of its own."""
        async with self._hold_place():
            with self.availability.watching(), _stay_cancelled():
                pool = await self._open_pool()
                driver = await _acquire(pool)
                connection = Connection(driver)
                try:
                    with _close_if_unanswered(connection):
                        yield connection
                except asyncpg.PostgresError as error:
                    if error.sqlstate == READ_ONLY:  # the session stays so, even when the database no longer is
                        driver.terminate()
                    raise
                finally:
                    await pool.release(driver)

    @contextlib.asynccontextmanager
    async def new_session(self) -> AsyncIterator[Connection]:
        """Open a new connection beside those of the pool, of which each may be silent, and close it at the end."""
        with self.availability.watching(), _stay_cancelled():
            connection = Connection(await self._open())
            try:
                yield connection
            finally:
                connection.invalidate()

    @contextlib.asynccontextmanager
    async def _hold_place(self) -> AsyncIterator[None]:
        if self._places is None:
            yield
            return
        try:
            async with asyncio.timeout(self._places_timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise TooManyCallsError("too much is read at once; try again later") from None
        try:
            yield
        finally:
            self._places.release()

    async def _open_pool(self) -> "asyncpg.Pool[Row]":
        if not self._pools:
            bounds: dict[str, int] = {"min_size": 0, "max_size": self._pool_size, "max_queries": QUERIES_MAX}
            self._pools.append(asyncpg.create_pool(**bounds, reset=_keep, connect=self._open, record_class=Row))
        return await self._pools[0]

    async def _open(self, *_: object, **__: object) -> "asyncpg.Connection[Row]":
        """Open a session under this process's epoch, or under none while this process has no epoch yet."""
        name = self.epochs.session_name
        session = await self._connect(name)
        await self.epochs.check(session, name)
        return session.driver

    async def _connect(self, name: str) -> Connection:
        settings = self._settings | {"application_name": name}
        return Connection(await self.address.connect(self._options, server_settings=settings))

    async def run_sync(self, use: Callable[[SyncConnection], T]) -> T:
        """Call `use` with a synchronous connection of SQLAlchemy, as Alembic needs it; return its result. No timeout.

        It is of the role that migrates.

        `use` may commit; changes that `use` has not committed are committed at the end.
        """
        connect = partial((self._migrates_at or self.address).connect, server_settings=migration.SESSION)
        engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)
        try:
            with self.availability.watching():
                async with engine.connect() as connection:
                    result = await connection.run_sync(use)
                    await connection.commit()
                    return result
        finally:
            await engine.dispose()

    async def migrate(self, *, tell_every_s: float = migration.TELL_S) -> None:
        """Bring the tables up to date, logging it every `tell_every_s`. Processes that start together take turns."""
        migrating = migration.Migration(None if self._migrates_at is None else self.address.user)
        telling = asyncio.create_task(migrating.tell(tell_every_s))
        self.availability.is_migrating = True
        try:
            while not await retry_transient(lambda: self.run_sync(migrating.run), on="postgres"):  # noqa: ASYNC110
                await asyncio.sleep(TURN_POLL_S)
        finally:
            self.availability.is_migrating = False
            telling.cancel()

    async def prepare(self) -> None:
        """Migrate the tables, and begin the epoch under which every session is opened from now on."""
        await self.migrate()
        await retry_transient(self.availability.probe, on="postgres")
        await retry_transient(self._warn_of_superuser, on="postgres")

    async def _warn_of_superuser(self) -> None:
        async with self.session() as session:
            if await session.scalar(_IS_SUPERUSER):
                log.warning("the jobstore is a superuser of its database: %s", SUPERUSER_REMEDY)

    async def listen(self, wake: Callable[[Wake, int | None], None], settled: Callable[[int], None]) -> None:
        """Listen for notifications for ever: call `wake` with the kinds of work, or `settled` with the settled cursor.

        The second argument of `wake` is the number of the last row that was recorded, if this process hands it over,
        else None. On each new connection `wake` is first called with EVERYTHING, since notifications may be lost.
        """

        def dispatch(payload: str) -> None:
            cursor = settled_cursor(payload)
            if cursor is None:
                wake(Wake.of_payload(payload), number_handed_over(payload))
            else:
                settled(cursor)

        while True:
            with contextlib.suppress(TransientError, *DRIVER_ERRORS):
                driver = await self._open()
                lost = asyncio.Event()
                driver.add_termination_listener(lambda _, lost=lost: lost.set())
                await driver.add_listener(CHANNEL, lambda *message: dispatch(message[-1]))
                wake(EVERYTHING, None)
                await lost.wait()
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Close all connections."""
        await self.availability.close()
        for pool in self._pools:
            pool.terminate()


async def _acquire(pool: "asyncpg.Pool[Row]") -> "asyncpg.Connection[Row]":
    try:
        return await pool.acquire(timeout=POOL_TIMEOUT_S)
    except TimeoutError as error:
        if pool.get_size() < pool.get_max_size() or pool.get_idle_size():
            raise  # a connection was free: the server did not answer
        raise TransientError(f"no free connection within {POOL_TIMEOUT_S:g} s", code=ErrorCode.DATABASE_BUSY) from error


@contextlib.contextmanager
def _close_if_unanswered(connection: Connection) -> Iterator[None]:
    """Close a connection whose answer was lost, or that is still in use CANCEL_TIMEOUT_S after its task was cancelled.

    A rollback on such a connection could wait as long again, since the server may hang.
    """
    try:
        yield
    except TimeoutError:
        connection.invalidate()
        raise
    except asyncio.CancelledError:
        asyncio.get_running_loop().call_later(CANCEL_TIMEOUT_S, connection.invalidate)
        raise


@contextlib.contextmanager
def _stay_cancelled() -> Iterator[None]:
    """In a cancelled task, raise CancelledError in place of a rollback's error, which a loop takes for an outage."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


async def _keep(_: object) -> None:
    """Reset nothing when a connection returns to the pool: one that needs a reset was closed (`invalidate`)."""
