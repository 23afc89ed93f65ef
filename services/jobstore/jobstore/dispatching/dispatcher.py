"""Offer due work to the workers: mark it, commit, and only then publish (rule `mark-before-publish`)."""

import asyncio
import time
from collections.abc import Sequence

from contracts.events import ExecuteRequested, ResultProduced
from contracts.signing import KeyUse, Secrets
from jobstore.dispatching import offers
from jobstore.dispatching.execution_offers import FairQueue, Offers
from jobstore.domain.model import ExecutionStage, ExecutionState
from jobstore.domain.terms import ExecutionTerms
from jobstore.domain.upstreams import OPEN, Upstreams
from jobstore.storage.database import Database
from jobstore.storage.sql import Row
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing, Publisher, to_record
from servicekit.process.runtime import run_forever

#: Executions that one transaction marks as offered at most.
OFFERS_MAX = 500
#: The longest wait in seconds before an unclaimed offer is published again; waits double up to it.
OFFER_AGAIN_MAX_S = 60.0
POLL_S = 0.5
#: The shortest wait in seconds before executions that a rate holds back are tried again.
AGAIN_MIN_S = 0.02
#: A worker that was silent for so many lease lengths counts as gone, and its room is not used.
ALIVE_LEASES = 1.5


class Dispatcher:
    """Publish no more than the workers have room for: the queue is the table, never the topic."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        terms: ExecutionTerms,
        secrets: Secrets,
        *,
        upstreams: Upstreams = OPEN,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._secrets = secrets
        self._upstreams = upstreams
        self._terms = offers.OfferTerms(terms.offer_again_s, OFFER_AGAIN_MAX_S, terms.lease_s * ALIVE_LEASES)
        self._again_at = 0.0
        self._queue = FairQueue()
        self._wait_s = POLL_S
        self.held_back = False
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Offer for ever; each commit that queues something wakes it."""
        await run_forever(self.offer, name="dispatcher", every_s=lambda: self._wait_s, wake=self.wake)

    async def offer(self) -> bool:
        """Offer once what is due and has room, and return whether there may be more."""
        is_time_to_repeat = time.monotonic() >= self._again_at
        if is_time_to_repeat:
            self._again_at = time.monotonic() + POLL_S
        more = False
        for stage in ExecutionStage:
            offered = (
                await self._mark_by_fair_share()
                if stage is ExecutionStage.EXECUTING
                else await self._mark_due(stage, ExecutionState.QUEUED)
            )
            repeated = await self._mark_due(stage, ExecutionState.OFFERED) if is_time_to_repeat else Offers()
            if rows := [*offered.rows, *repeated.rows]:
                await self._publish_or_reoffer(stage, rows)
            more = more or offered.more
        return more

    async def _mark_due(self, stage: ExecutionStage, state: ExecutionState) -> Offers:
        async with self._database.session() as session:
            rows = await offers.offer(session, stage, state, OFFERS_MAX, self._terms)
        return Offers(rows, more=len(rows) >= OFFERS_MAX)

    async def _mark_by_fair_share(self) -> Offers:
        async with self._database.transaction() as connection:
            offered = await self._queue.offer(connection, OFFERS_MAX, self._terms)
        self.held_back = offered.held_back
        self._wait_s = min(POLL_S, max(offered.again_in_s or POLL_S, AGAIN_MIN_S))
        return offered

    async def _publish_or_reoffer(self, stage: ExecutionStage, rows: Sequence[Row]) -> None:
        try:
            await self._publish(stage, rows)
        except TransientError:
            # Unpublished offers take up room. An outage must not double their waits: they are due again soon.
            async with self._database.session() as session:
                await offers.offer_soon(session, [row.execution_id for row in rows], self._terms.again_s)
            raise

    async def _publish(self, stage: ExecutionStage, rows: Sequence[Row]) -> None:
        if stage is ExecutionStage.EXECUTING:
            await self._publisher.publish_records([self._make_offer(row) for row in rows])
            return
        async with self._database.transaction() as connection:
            results = await offers.get_results(connection, [row.execution_id for row in rows])
        await self._publisher.publish_records([self._make_result(row, results[row.execution_id]) for row in rows])

    def _make_result(self, row: Row, result: offers.ResultToJudge) -> Outgoing:
        """Return the record of a result as the executor published it, to be published once more."""
        event = _to_event(row, result)
        lease = self._secrets.make_key(KeyUse.EXECUTING, row.execution_id, row.result_lease)
        return to_record(event, "jobstore", signed_by=lease)

    def _make_offer(self, row: Row) -> Outgoing:
        """Return the record of an offer, without a key: the claim decides, so that it goes where there is room."""
        event = ExecuteRequested(execution_id=row.execution_id, job_id=row.job_id)
        key = self._upstreams.find_key(event.execution_id)
        return to_record(event, "jobstore", keyed=False, signed_by=key)


def _to_event(row: Row, result: offers.ResultToJudge) -> ResultProduced:
    return ResultProduced(
        execution_id=row.execution_id,
        job_id=row.job_id,
        attempt=row.attempt,
        lease=row.result_lease,
        submission=row.submission,
        acceptance_criteria=result.request["acceptance_criteria"],
        title=result.request["title"],
        result=result.response["result"],
        produced_at=result.arrived_at,
    )
