"""The database: its connections, its migrations, and the only place that commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from jobstore.storage import locks
from jobstore.storage.locks import Lock
from jobstore.storage.notifications import CHANNEL, EVERYTHING, Wake, published_cursor
from jobstore.storage.outages import Availability, forget_read_only_sessions
from servicekit.retry import retry_transient

#: Milliseconds that a statement may take, and that a transaction may be idle.
STATEMENT_TIMEOUT_MS = 30_000
#: Rows are looked up by key, whatever the statistics say and however large a table was when a plan was made; a rebuild
#: and migrations read whole tables (docs/adr/0024).
_BY_KEY = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}


class Database:
    """Connect to PostgreSQL. Every error is a TransientError or a PermanentError (outages.py).

    `bounded`: whether statements time out, and rows are looked up by key; a rebuild's are not.
    """

    def __init__(self, url: str, *, pool_size: int = 10, bounded: bool = True) -> None:
        timeout_ms = STATEMENT_TIMEOUT_MS if bounded else 0
        settings = {
            "application_name": "signoff-jobstore",
            "jit": "off",
            "statement_timeout": str(timeout_ms),
            "idle_in_transaction_session_timeout": str(timeout_ms),
            **(_BY_KEY if bounded else {}),
        }
        options: dict[str, Any] = {
            "max_overflow": 0,
            "pool_timeout": 10,
            "pool_pre_ping": False,
            "connect_args": {"timeout": 5, "command_timeout": 60 if bounded else None, "server_settings": settings},
        }
        self.engine: AsyncEngine = create_async_engine(url, pool_size=pool_size, **options)
        self._probing = create_async_engine(url, pool_size=1, **options)
        for engine in (self.engine, self._probing):
            forget_read_only_sessions(engine)
        self.availability = Availability(self._probing)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: commit it at the end, roll it back on an error."""
        with self.availability.watching():
            async with self.engine.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection on which each statement is a transaction of its own."""
        with self.availability.watching():
            async with self.engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def migrate(self) -> None:
        """Bring the tables up to date. Processes that start at the same time take turns."""
        await retry_transient(self._migrate, on="postgres")

    async def _migrate(self) -> None:
        async with self.transaction() as connection:
            await locks.hold(connection, Lock.MIGRATION)
            await connection.execute(text("SET LOCAL enable_seqscan = on"))
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
        await self._probing.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "jobstore:storage/migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
