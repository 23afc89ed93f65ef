"""A process that stops itself while it holds what another jobstore waits for: `python -m support.stopping`."""

import asyncio
import os
import signal
import sys

from sqlalchemy import text

from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock

#: More than the buffers of a connection hold, so that the server cannot send it to who does not read.
LARGE = text("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
LOCK_AGENT = text("SELECT FROM agents FOR UPDATE")


async def hold(url: str, held: str) -> None:
    """Begin an epoch; hold locks in a transaction that is idle or whose rows are unread, or by a session; and stop."""
    database = Database(url)
    await database.availability.probe()
    async with database.session() as session, database.transaction() as transaction:
        reading = None
        if held == "session":
            await locks.try_hold_by_session(session, Lock.RELAY)
        elif held == "unread":
            await locks.hold(transaction, Lock.ROLLUPS)
            reading = asyncio.create_task(transaction.execute(LARGE))
            await asyncio.sleep(0)  # the statement is sent
        else:
            await transaction.execute(LOCK_AGENT)
            await locks.hold(transaction, Lock.OFFERS)
        os.write(1, b"stops\n")
        os.kill(os.getpid(), signal.SIGSTOP)
        if reading is not None:
            await reading
        await transaction.execute(text("UPDATE agents SET name = 'changed by an older epoch'"))


asyncio.run(hold(*sys.argv[1:]))
