"""The database: its connections, its migrations, and the one place that commits."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from servicekit.errors import PermanentError, TransientError
from servicekit.retry import by_size, settle, until_answered

log = logging.getLogger(__name__)

C = TypeVar("C")
MIGRATION_LOCK = 0x51_6E_0F_01
CHANNEL = "signoff"
#: What a commit leaves to do, in a notification; the relay's own are PUBLISHED and a cursor.
LOGGED, QUEUED, FREED, AGENTS, OPERATED, PUBLISHED = "l", "q", "f", "a", "o", "p"
#: Bounds of one transaction.
STATEMENT_TIMEOUT_MS = 30_000


class Database:
    """The connections to PostgreSQL. What comes of them is a TransientError or a PermanentError."""

    def __init__(self, url: str, *, pool_size: int = 10, bounded: bool = True) -> None:
        timeout_ms = STATEMENT_TIMEOUT_MS if bounded else 0
        settings = {
            "application_name": "signoff-jobstore",
            "jit": "off",
            "statement_timeout": str(timeout_ms),
            "idle_in_transaction_session_timeout": str(timeout_ms),
        }
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            connect_args={"timeout": 5, "command_timeout": 60 if bounded else None, "server_settings": settings},
        )

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back on an error."""
        with translated():
            async with self.engine.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection to keep, each statement a transaction of its own."""
        with translated():
            async with self.engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def migrate(self) -> None:
        """Bring the tables up to date; of several processes that start at once, one does it."""
        await until_answered(self._migrate, on="postgres")

    async def _migrate(self) -> None:
        async with self.transaction() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)

    async def listen(self, wake: Callable[[str], None]) -> None:
        """Call `wake` with each notification, for ever; after an outage with all that a commit may leave to do."""
        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(url, timeout=5)
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, lambda *message: wake(message[-1]))
                wake(LOGGED + QUEUED + AGENTS + OPERATED)
                await lost.wait()
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "jobstore:storage/migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextlib.contextmanager
def translated() -> Any:
    """Tell errors that pass by themselves from those that never will."""
    try:
        yield
    except (PermanentError, TransientError):
        raise
    except DataError as error:
        raise _invalid(error) from error
    except IntegrityError as error:  # another transaction was first; the next try sees its rows
        raise RaceError(_first_line(error)) from error
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError) as error:
        raise TransientError(_first_line(error), code="database_unavailable") from error
    except DBAPIError as error:
        if _passes(error):
            raise TransientError(_first_line(error), code="database_unavailable") from error
        if str(getattr(error.orig, "sqlstate", "")).startswith("22"):
            raise _invalid(error) from error
        raise PermanentError(_first_line(error), code="database_error") from error


def _invalid(error: DBAPIError) -> PermanentError:
    log.warning("a value was not taken", extra={"reason": _first_line(error)})
    return PermanentError("the database does not take a value, such as a text with U+0000", code="invalid_data")


class RaceError(TransientError):
    """Another transaction wrote first: trying again at once meets what it wrote."""

    code = "raced"


#: SQLSTATE classes that pass: connection, rollback, resources, operator intervention, system.
_PASSING = ("08", "40", "53", "55", "57", "58")


def _passes(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or str(state).startswith(_PASSING)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:500]


@dataclass(slots=True)
class Lane(Generic[C]):
    """One kind of write: while a transaction is under way the next batch gathers, so that calls share a commit."""

    handle: Callable[[Sequence[C]], Awaitable[Sequence[Any]]]
    size: Callable[[C], int] = lambda _: 0
    items_max: int = 200
    bytes_max: int = 16 << 20
    _waiting: list[tuple[C, asyncio.Future[Any]]] = field(default_factory=list)
    _running: asyncio.Task[None] | None = None

    async def run(self, items: Sequence[C]) -> list[Any]:
        """The result of each item, in order, a PermanentError among them; TransientError: nothing is known of any."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.gather(*futures)

    async def one(self, item: C) -> Any:
        """The result of one item; its PermanentError is raised."""
        (result,) = await self.run([item])
        if isinstance(result, PermanentError):
            raise result
        return result

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                sized = by_size(waiting, lambda w: self.size(w[0]), most=self.items_max, bytes_max=self.bytes_max)
                for batch in sized:
                    await self._settle(batch)
        finally:
            self._running = None

    async def _settle(self, batch: Sequence[tuple[C, asyncio.Future[Any]]]) -> None:
        try:
            results: Sequence[Any] = await settle([item for item, _ in batch], self._without_races)
        except TransientError as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _without_races(self, items: Sequence[C]) -> Sequence[Any]:
        for _ in range(5):
            try:
                return await self.handle(items)
            except RaceError as error:
                log.info("raced with another writer", extra={"reason": str(error)})
        return await self.handle(items)
