"""The database: its connections, its migrations, and its transactions."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self, TypeVar

import asyncpg
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import NullPool, make_url
from sqlalchemy.dialects.postgresql import asyncpg as sqlalchemy_asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from jobstore.errors import TooManyCallsError
from jobstore.storage import pipelining
from jobstore.storage.epochs import SESSION_NAME, Epochs
from jobstore.storage.migrations import migration
from jobstore.storage.notifications import CHANNEL, EVERYTHING, Wake, number_handed_over, settled_cursor
from jobstore.storage.outages import DRIVER_ERRORS, READ_ONLY, Availability
from jobstore.storage.sql import Connection, Row
from servicekit.errors import TransientError
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode

T = TypeVar("T")

#: Milliseconds that a statement may take, and that a transaction may be idle: what a jobstore that is stopped holds is
#: let go then where no other jobstore runs that ends its epoch. The longest statement is the snapshot of an operation.
STATEMENT_TIMEOUT_MS = 15_000
IDLE_TIMEOUT_MS = 10_000
#: Seconds after which an answer is no longer waited for: it was lost, since the server would have given up before.
COMMAND_TIMEOUT_S = 16.0
#: Rows are looked up by key, whatever the statistics say and however large a table was when a plan was made; a rebuild
#: and migrations read whole tables (docs/adr/0024).
_BY_KEY = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
#: Seconds that a transaction waits for a free connection of the pool.
POOL_TIMEOUT_S = 10.0
#: Seconds that a call of a person or program waits for one.
CALLERS_TIMEOUT_S = 2.0
#: What share of the connections callers have at most, by whether their calls last: one in so many.
_SHARES = {False: 3, True: 6}
#: Seconds that connecting may take.
CONNECT_TIMEOUT_S = 5.0
#: Seconds after which a process asks again whether its turn to migrate has come.
TURN_POLL_S = 0.5
#: Seconds within which the server must end the statement of somebody who was cancelled; else its connection is closed.
CANCEL_TIMEOUT_S = 1.0
#: Prepared statements that a connection keeps: more than there are. Their plans live as long as it does.
STATEMENTS_MAX = 500
#: Statements after which the pool would close a connection: never, since its plans would have to be made anew.
QUERIES_MAX = 2**62


class Database:
    """Connect to PostgreSQL. Every error is a TransientError or a PermanentError (outages.py).

    `bounded`: whether statements time out, and rows are looked up by key; a rebuild's are not.
    """

    def __init__(self, url: str, *, pool_size: int = 10, bounded: bool = True) -> None:
        self.url = make_url(url)
        dialect = sqlalchemy_asyncpg.dialect()  # type: ignore[no-untyped-call]
        self._options: dict[str, object] = {
            **dialect.create_connect_args(self.url)[1],  # type: ignore[no-untyped-call]
            "timeout": CONNECT_TIMEOUT_S,
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

    def for_callers(self, *, lasting: bool = False) -> Self:
        """Return a view for what people and programs read, which never takes all connections of the pool.

        However many callers there are, half of them are left to what is recorded, to workers and to loops: a third is
        for calls, which are refused where they wait too long (TooManyCallsError), and a sixth for those that last, such
        as watches, which wait.
        """
        view = copy.copy(self)
        view._places, view._places_timeout_s = self._callers[lasting], None if lasting else CALLERS_TIMEOUT_S  # noqa: SLF001 - its own
        return view

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: commit it at the end, roll it back on an error."""
        async with self.session() as connection, connection.driver.transaction():
            with _close_if_unanswered(connection):
                yield connection

    @contextlib.asynccontextmanager
    async def pipelined_transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction as `transaction` does, whose first statement begins it; its last may commit it.

        Its first statement is one that `execute` or `scalar` executes. It has no cursors: asyncpg opens these in
        transactions of its own alone.
        """
        async with self.session() as connection, pipelining.begin_with_next(connection.driver):
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
                    if error.sqlstate == READ_ONLY:  # a session that began so stays so, when the database no longer is
                        driver.terminate()
                    raise
                finally:
                    await pool.release(driver)

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
        """Open a session of this process's epoch, and of none before it has one."""
        name = self.epochs.session_name
        session = await self._connect(name)
        await self.epochs.check(session, name)
        return session.driver

    async def _connect(self, name: str) -> Connection:
        settings = self._settings | {"application_name": name}
        return Connection(await asyncpg.connect(**self._options, server_settings=settings))

    async def run_sync(self, use: Callable[[SyncConnection], T]) -> T:
        """Run a function that needs a synchronous connection of SQLAlchemy, as Alembic does, however long it takes.

        It may commit; what it leaves is committed at the end.
        """
        settings = {"timeout": CONNECT_TIMEOUT_S, "server_settings": migration.SESSION}
        engine = create_async_engine(self.url, poolclass=NullPool, connect_args=settings)
        try:
            with self.availability.watching():
                async with engine.connect() as connection:
                    result = await connection.run_sync(use)
                    await connection.commit()
                    return result
        finally:
            await engine.dispose()

    async def migrate(self, *, tell_every_s: float = migration.TELL_S) -> None:
        """Bring the tables up to date. Processes that start at the same time take turns, however long that takes."""
        migrating = migration.Migration()
        telling = asyncio.create_task(migrating.tell(tell_every_s))
        self.availability.is_migrating = True
        try:
            while not await retry_transient(lambda: self.run_sync(migrating.run), on="postgres"):  # noqa: ASYNC110
                await asyncio.sleep(TURN_POLL_S)
        finally:
            self.availability.is_migrating = False
            telling.cancel()

    async def prepare(self) -> None:
        """Migrate, and begin the epoch under which every session is opened from now on."""
        await self.migrate()
        await retry_transient(self.availability.probe, on="postgres")

    async def listen(self, wake: Callable[[Wake, int | None], None], settled: Callable[[int], None]) -> None:
        """Listen for notifications for ever: call `wake` with what there is to do, or `settled` with a cursor.

        `wake` is told the number of the last row that was recorded, too, if this process hands it over. After a
        connection was lost, it is called with everything that may have been missed.
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
            raise  # not for want of a free one: the server did not answer
        raise TransientError(f"no free connection within {POOL_TIMEOUT_S:g} s", code=ErrorCode.DATABASE_BUSY) from error


@contextlib.contextmanager
def _close_if_unanswered(connection: Connection) -> Iterator[None]:
    """Close a connection whose answer was lost; and one that is not free soon after its user was cancelled.

    What would follow on it, a rollback at least, would wait as long again: the server may stand still.
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
    """Keep a cancellation from becoming an error of the rollback after it: a loop would wait that out, and go on."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


async def _keep(_: object) -> None:
    """Reset nothing when a connection goes back to the pool: what would have to be, closes it (`invalidate`)."""
