"""Offers what is due to the workers: marked first, committed, and only then published (DESIGN section 5)."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from contracts.events import Event, ExecuteRequested, ResultProduced
from jobstore.dispatching import offers
from jobstore.dispatching.execution_offers import Offered, Turns
from jobstore.domain.model import Stage, State
from jobstore.domain.terms import Terms
from jobstore.storage.database import Database
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Publisher
from servicekit.process.runtime import woken

log = logging.getLogger(__name__)

OFFERS_MAX = 500
OFFER_AGAIN_MAX_S = 60.0
POLL_S = 0.5
#: What a rate holds back is looked at no more often than this.
AGAIN_MIN_S = 0.02
#: A worker that has not been heard of for so many lease lengths has no room.
ALIVE_LEASES = 1.5


class Dispatcher:
    """Publishes no more than the workers have room for: the queue is the table, never the topic."""

    def __init__(self, database: Database, publisher: Publisher, terms: Terms) -> None:
        self._database = database
        self._publisher = publisher
        self._offers = offers.OfferTerms(terms.offer_again_s, OFFER_AGAIN_MAX_S, terms.lease_s * ALIVE_LEASES)
        self._again_at = 0.0
        self._turns = Turns()
        self._wait_s = POLL_S
        self.held_back = False
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Offer, for ever; woken by each commit that queues something."""
        while True:
            try:
                more = await self.offer()
            except TransientError as error:
                log.warning("dispatcher waits", extra={"code": error.code, "reason": str(error)})
                more = False
                await asyncio.sleep(POLL_S)
            if not more:
                await woken(self.wake, self._wait_s)

    async def offer(self) -> bool:
        """Offer what is due and has room, once; whether there may be more."""
        again = time.monotonic() >= self._again_at
        if again:
            self._again_at = time.monotonic() + POLL_S
        more = False
        for stage in Stage:
            offered = await self._whose_turn() if stage is Stage.EXECUTING else await self._due(stage, State.QUEUED)
            repeated = await self._due(stage, State.OFFERED) if again else Offered()
            if rows := [*offered.rows, *repeated.rows]:
                await self._told(stage, rows)
            more = more or offered.more
        return more

    async def _due(self, stage: Stage, state: State) -> Offered:
        async with self._database.session() as session:
            rows = await offers.offer(session, stage, state, OFFERS_MAX, self._offers)
        return Offered(rows, more=len(rows) >= OFFERS_MAX)

    async def _whose_turn(self) -> Offered:
        async with self._database.transaction() as connection:
            offered = await self._turns.offer(connection, OFFERS_MAX, self._offers)
        self.held_back = offered.held_back
        self._wait_s = min(POLL_S, max(offered.again_in_s or POLL_S, AGAIN_MIN_S))
        return offered

    async def _told(self, stage: Stage, rows: Sequence[Any]) -> None:
        try:
            await self._publish(stage, rows)
        except TransientError:  # an outage makes no interval grow: what is offered takes up room until then
            async with self._database.session() as session:
                await offers.offer_soon(session, [row.execution_id for row in rows], self._offers.again_s)
            raise

    async def _publish(self, stage: Stage, rows: Sequence[Any]) -> None:
        if stage is Stage.EXECUTING:
            events: list[Event] = [ExecuteRequested(execution_id=row.execution_id, job_id=row.job_id) for row in rows]
            await self._publisher.publish(*events, keyed=False)
            return
        async with self._database.transaction() as connection:
            results = await offers.results(connection, [row.execution_id for row in rows])
        await self._publisher.publish(*(_result(row, *results[row.execution_id]) for row in rows))


def _result(row: Any, request: Any, response: Any, arrived_at: Any) -> Event:
    """The result as the executor published it, once more."""
    return ResultProduced(
        execution_id=row.execution_id,
        job_id=row.job_id,
        attempt=row.attempt,
        lease=row.result_lease,
        submission=row.submission,
        acceptance_criteria=request["acceptance_criteria"],
        title=request["title"],
        result=response["result"],
        produced_at=arrived_at,
    )
