"""The database: its connections, its migrations, and the only place that commits."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from jobstore.storage import locks
from jobstore.storage.locks import Lock
from jobstore.storage.notifications import CHANNEL, EVERYTHING, Wake, published_cursor
from servicekit.errors import PermanentError, TransientError
from servicekit.retry import retry_transient

log = logging.getLogger(__name__)

#: Milliseconds that a statement may take, and that a transaction may be idle.
STATEMENT_TIMEOUT_MS = 30_000
#: The code of an error about a value that cannot be stored.
INVALID_DATA = "invalid_data"


class Database:
    """Connect to PostgreSQL. Every error is a TransientError or a PermanentError.

    `bounded`: whether statements time out; a rebuild's do not.
    """

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
        """Open a transaction: commit it at the end, roll it back on an error."""
        with translate_errors():
            async with self.engine.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection on which each statement is a transaction of its own."""
        with translate_errors():
            async with self.engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def migrate(self) -> None:
        """Bring the tables up to date. Processes that start at the same time take turns."""
        await retry_transient(self._migrate, on="postgres")

    async def _migrate(self) -> None:
        async with self.transaction() as connection:
            await locks.hold(connection, Lock.MIGRATION)
            await connection.run_sync(_upgrade)

    async def listen(self, wake: Callable[[Wake], None], published: Callable[[int], None]) -> None:
        """Listen for notifications for ever: call `wake` with what there is to do, or `published` with a cursor.

        After a connection was lost, call `wake` with everything that may have been missed.
        """

        def dispatch(payload: str) -> None:
            cursor = published_cursor(payload)
            if cursor is None:
                wake(Wake.of_payload(payload))
            else:
                published(cursor)

        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(url, timeout=5)
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, lambda *message: dispatch(message[-1]))
                wake(EVERYTHING)
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
def translate_errors() -> Iterator[None]:
    """Translate the driver's errors into TransientError, which passes by itself, and PermanentError, which does not."""
    try:
        yield
    except (PermanentError, TransientError):
        raise
    except DataError as error:
        raise _refuse_value(error) from error
    except IntegrityError as error:  # another transaction was first; the next try sees its rows
        raise RaceError(_first_line(error)) from error
    except (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError) as error:
        raise TransientError(_first_line(error), code="database_unavailable") from error
    except DBAPIError as error:
        if _is_transient(error):
            raise TransientError(_first_line(error), code="database_unavailable") from error
        if str(getattr(error.orig, "sqlstate", "")).startswith("22"):
            raise _refuse_value(error) from error
        raise PermanentError(_first_line(error), code="database_error") from error


def _refuse_value(error: DBAPIError) -> PermanentError:
    log.warning("the database refused a value; what held it fails for good", extra={"reason": _first_line(error)})
    return PermanentError("a value cannot be stored, such as a text with U+0000", code=INVALID_DATA)


class RaceError(TransientError):
    """Another transaction wrote first; a retry at once sees what it wrote."""

    code = "raced"


#: SQLSTATE classes of errors that pass: connection, rollback, resources, locks, operator intervention, system.
_TRANSIENT_CLASSES = ("08", "40", "53", "55", "57", "58")


def _is_transient(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or str(state).startswith(_TRANSIENT_CLASSES)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:500]
