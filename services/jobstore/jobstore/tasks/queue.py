"""Wake executors for tasks that are due, and give up those that are out of time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Final
from uuid import UUID

from prometheus_client import Counter
from pydantic_core import from_json

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Row
from jobstore.tasks import store
from servicekit.process.runtime import run_forever

log = logging.getLogger(__name__)

GIVEN_UP = Counter(
    "signoff_tasks_given_up", "Stops of agents' work, and reads of cards, that failed until the end", ["kind"]
)
#: Seconds between two looks while nothing is open, and while something is that nobody takes.
POLL_S: Final = 60.0
OPEN_POLL_S: Final = 5.0
#: The shortest time between two looks, however many tasks are queued meanwhile.
REST_S: Final = 0.1


class TaskQueue:
    """Look for due tasks for all watchers at once; a watcher reads only when some are due.

    Leases last as long as a silent worker counts as alive; tries whose leases have ended are lost, if they `may_end`.
    """

    def __init__(self, database: Database, runner: CommandRunner, may_end: Callable[[], bool] = lambda: True) -> None:
        self._database = database
        self._lease_s = runner.terms.alive_s
        self._may_end = may_end
        self._wait_s = 0.0
        self.wake = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Look for ever: after each commit that queues or finishes a task, and when the next one is due or over."""
        await run_forever(self._look_and_rest, name="tasks", every_s=lambda: self._wait_s, wake=self.wake)

    async def _look_and_rest(self) -> None:
        self._wait_s = OPEN_POLL_S  # if it fails, too
        await self.look()
        await asyncio.sleep(REST_S)

    async def look(self) -> None:
        """Look once: give up what is out of time, and wake the watchers if anything is due."""
        async with self._database.session() as session:
            found = await store.look(session, may_end=self._may_end())
        for task in from_json(found.given_up):
            GIVEN_UP.labels(task["kind"]).inc()
            log.error("a task of executors is given up: it failed for too long", extra=task)
        if found.are_due:
            self._news.set()
            self._news = asyncio.Event()
        next_in_s = POLL_S if found.next_in_s is None else found.next_in_s
        self._wait_s = min(max(next_in_s, REST_S), OPEN_POLL_S if found.are_due else POLL_S)

    async def read_cards(self) -> None:
        """Have cards read again, for ever: those that are old, and those that no executor has read yet."""
        await run_forever(self.queue_cards, name="cards", every_s=POLL_S)

    async def queue_cards(self) -> bool:
        """Queue cards that are to be read, some at once, and return whether there may be more."""
        async with self._database.session() as session:
            return await store.queue_cards(session) == store.CARDS_BATCH

    async def watch(self, owner: UUID, protocols: Collection[str], room: int) -> AsyncIterator[Sequence[Row]]:
        """Yield granted tasks: those that are due now, and later others, while the executor has room."""
        while True:
            news = self._news  # taken before the read, so that no later task is missed
            async with self._database.session() as session:
                rows = await store.grant(session, owner, protocols, room, self._lease_s)
            if rows:
                yield rows
            else:
                await news.wait()

    async def renew(self, leases: Collection[tuple[UUID, int]]) -> None:
        """Renew the leases (id, lease) of tasks that an executor has under way."""
        async with self._database.session() as session:
            await store.renew(session, leases, self._lease_s)
