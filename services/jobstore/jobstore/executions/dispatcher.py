"""Offer due work to the workers: mark it, commit, and only then publish (rule `mark-before-publish`)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from pydantic_core import from_json

from contracts.events import ExecuteRequested, ResultProduced
from contracts.signing import KeyUse, Secrets
from contracts.waiting import CONFIRM_LIMITS
from jobstore.access.upstreams import OPEN, Upstreams
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Row
from jobstore.executions import offers
from jobstore.executions.offers import FairQueue
from jobstore.jobs.model import Execution, ExecutionStage, ExecutionTerms
from servicekit.errors import TransientError
from servicekit.kafka.publisher import BoundedPublisher, Outgoing, to_record
from servicekit.process.runtime import finish, run_forever, run_until_first
from signoff.errors import ErrorCode

#: The maximum of executions that one transaction marks as offered.
OFFERS_MAX = 500
#: The longest wait in seconds before an unclaimed offer is published again; waits double up to it.
OFFER_AGAIN_MAX_S = 60.0
#: The longest wait in seconds between two passes. Each pass learns what is due next, and commits notify of executions
#: that they queue: only if a notification was missed, they wait for so long.
POLL_S = 5.0
#: The shortest wait in seconds between two passes that nothing has woken.
AGAIN_MIN_S = 0.02
#: Seconds until offers that the broker does not acknowledge are left to other jobstores: perhaps only this one cannot
#: reach it, and to offer twice costs little.
ACKNOWLEDGED_WITHIN_S = 2.0
#: Seconds to wait once Kafka acknowledges again: executions that are claimed by then are not offered again.
CLAIMED_AFTER_S = 1.0
#: Seconds that the current pass, and offers that were handed over, may take when the jobstore stops.
LAST_S = 1.0


class Dispatcher:
    """Publish no more offers than the workers have room for: the queue is the table, never the topic."""

    def __init__(
        self,
        database: Database,
        publisher: BoundedPublisher,
        terms: ExecutionTerms,
        secrets: Secrets,
        *,
        upstreams: Upstreams = OPEN,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._secrets = secrets
        self._upstreams = upstreams
        self._installation = terms.ids.installation
        self._terms = offers.OfferTerms(terms.offer_again_s, OFFER_AGAIN_MAX_S, terms.alive_s)
        self._queue = FairQueue()
        self._wait_s = POLL_S
        self.held_back = False
        self.wake = asyncio.Event()
        self._handed_over: list[Execution] = []
        self._hand_over = asyncio.Event()
        self._is_cut_off = asyncio.Event()

    def advise(self) -> str | None:
        """Return what an administrator has to do before anything is offered; None if there is nothing to do."""
        if not self._queue.are_limits_lost:
            return None
        return f"nothing is offered, since a rebuild did not find what administrators had set. To do: {CONFIRM_LIMITS}"

    async def run(self, runner: CommandRunner, await_kafka: Callable[[], Awaitable[None]]) -> None:
        """Offer executions for ever; each commit that queues something wakes the dispatcher.

        Only while this runs, `runner` offers executions with their requests, since the dispatcher publishes these
        offers. If this is cancelled, executions that are marked OFFERED by then are published: else they would wait
        until they are offered again. Offers that the broker does not acknowledge in time are left to other jobstores,
        and so are all others until `await_kafka` has returned.
        """
        offer, publish = (lambda: finish(self.offer(), LAST_S)), (lambda: finish(self.publish_handed_over(), LAST_S))
        try:
            await run_until_first(
                run_forever(offer, name="dispatcher", every_s=lambda: self._wait_s, wake=self.wake),
                run_forever(publish, name="offers", every_s=POLL_S, wake=self._hand_over),
                self._offer_with_requests(runner, await_kafka),
            )
        finally:
            runner.listeners.on_offered = None

    async def _offer_with_requests(self, runner: CommandRunner, await_kafka: Callable[[], Awaitable[None]]) -> None:
        while True:
            runner.listeners.on_offered = self.hand_over
            await self._is_cut_off.wait()
            runner.listeners.on_offered = None
            self._hand_over.set()  # offers that were handed over are left to others, too
            await await_kafka()
            await asyncio.sleep(CLAIMED_AFTER_S)
            self._is_cut_off.clear()
            self.wake.set()

    async def close(self) -> None:
        """Publish the offers that were handed over last, if the broker acknowledges them soon."""
        with contextlib.suppress(TransientError, TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self.publish_handed_over()

    def hand_over(self, executions: Sequence[Execution]) -> None:
        """Queue, to be published, executions that a committed transaction offered with their requests.

        Executions beyond OFFERS_MAX are dropped: they are offered again, as all that no worker claims.
        """
        self._handed_over += executions[: max(0, OFFERS_MAX - len(self._handed_over))]
        self._hand_over.set()

    async def publish_handed_over(self) -> None:
        """Publish the offers that were handed over. Offers that a crash loses are made again."""
        executions, self._handed_over = self._handed_over, []
        if executions:
            await self._publish_offers(executions)

    async def offer(self) -> bool:
        """Offer once the executions that are due, as far as there is room; return whether more may be offered."""
        if self._is_cut_off.is_set():
            self._wait_s = POLL_S
            return False
        self.held_back = True  # an execution that ends during the pass wakes the next
        async with self._database.transaction() as connection:
            offered = await self._queue.offer(connection, OFFERS_MAX, self._terms)
        held_back = offered.held_back
        if offered.rows:
            await self._publish_offers(offered.rows)
        more = offered.more
        waits = [POLL_S, offered.again_in_s, offered.judge_in_s, *offered.repeat_in_s.values()]
        self._wait_s = min(max(wait_s, AGAIN_MIN_S) for wait_s in waits if wait_s is not None and wait_s > 0)
        if _is_due(offered.judge_in_s):
            has_offered = await self._offer_results()
            more, held_back = has_offered or more, held_back or not has_offered
        for stage, again_in_s in offered.repeat_in_s.items():
            if _is_due(again_in_s):
                more = await self._offer_again(stage) or more
        self.held_back = held_back
        return more

    async def _offer_results(self) -> bool:
        async with self._database.session() as session:
            rows = await offers.offer_results(session, OFFERS_MAX, self._terms)
        if rows:
            await self._publish_results(rows)
        return bool(rows)

    async def _offer_again(self, stage: ExecutionStage) -> bool:
        async with self._database.session() as session:
            rows = await offers.offer_again(session, stage, OFFERS_MAX, self._terms)
        if rows:
            await (self._publish_offers(rows) if stage is ExecutionStage.EXECUTING else self._publish_results(rows))
        return bool(rows)

    async def _publish_offers(self, executions: Sequence[Row | Execution]) -> None:
        ids = [execution.execution_id for execution in executions]
        await self._publish_or_reoffer(ids, [self._make_offer(execution) for execution in executions])

    async def _publish_results(self, rows: Sequence[Row]) -> None:
        ids = [row.execution_id for row in rows]
        async with self._database.session() as session:
            results = await offers.get_results(session, ids)
        await self._publish_or_reoffer(ids, [self._make_result(row, results[row.execution_id]) for row in rows])

    async def _publish_or_reoffer(self, execution_ids: Sequence[UUID], records: Sequence[Outgoing]) -> None:
        try:
            await self._publish(records)
        except TransientError:
            # Unpublished offers take up room. An outage must not double their waits: they are due again at once.
            self._is_cut_off.set()
            async with self._database.session() as session:
                await offers.offer_at_once(session, execution_ids)
            raise

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        if self._is_cut_off.is_set():
            raise TransientError("left to other jobstores until Kafka acknowledges", code=ErrorCode.KAFKA_UNAVAILABLE)
        await self._publisher.publish_records(records)

    def _make_result(self, row: Row, result: Row) -> Outgoing:
        """Return the record of a result, as the executor published it, so that it can be published once more."""
        asked = from_json(result.request)
        event = ResultProduced(
            execution_id=row.execution_id,
            job_id=row.job_id,
            attempt=row.attempt,
            lease=row.result_lease,
            submission=row.submission,
            acceptance_criteria=asked["acceptance_criteria"],
            title=asked["title"],
            result=from_json(result.response)["result"],
            produced_at=result.created_at,
        )
        lease = self._secrets.make_key(KeyUse.EXECUTING, row.execution_id, row.result_lease)
        return to_record(event, "jobstore", self._installation, signed_by=lease)

    def _make_offer(self, execution: Row | Execution) -> Outgoing:
        """Return the record of an offer, without a partition key, so that any executor may claim it."""
        event = ExecuteRequested(execution_id=execution.execution_id, job_id=execution.job_id)
        key = self._upstreams.find_key(event.execution_id)
        return to_record(event, "jobstore", self._installation, keyed=False, signed_by=key)


def _is_due(in_s: float | None) -> bool:
    return in_s is not None and in_s <= 0
