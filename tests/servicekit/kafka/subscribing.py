"""A subscription of a topic on a real broker, and a handler that remembers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from support.factories import execute_requested
from support.kafka.topics import Place

from contracts.events import ExecuteRequested
from servicekit.errors import ServiceError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Subscription, make_broker, stop_consuming

TOPIC, DLQ = "execute-requested", "execute-requested-dlq"


class Handler:
    """Remembers what it was given, answers by job, and does first what `does` says."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.vouched_by: list[object] = []
        self.tried = 0
        self.answers: dict[str, ServiceError] = {}
        self.does: Callable[[list[str]], None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, requests):
        jobs = [request.event.job_id for request in requests]
        self.tried += 1
        await self.gate.wait()
        self.does(jobs)
        self.seen += jobs
        self.vouched_by += [request.vouched_by for request in requests]
        return [self.answers.get(job) for job in jobs]


@contextlib.asynccontextmanager
async def subscribed(
    place: Place, handler: Handler, batch_grace_s: float = 5.0, payload_max_bytes: int = 100_000, **fields
) -> AsyncIterator[Subscription]:
    publisher = Publisher(KafkaAccess(place.kafka), "test")
    await publisher.start()
    subscription = Subscription(publisher, ExecuteRequested, place.group, handler, payload_max_bytes, **fields)
    broker = make_broker(KafkaAccess(place.kafka), "test", batch_grace_s)
    subscription.attach(broker, max_records=200)
    await broker.start()
    try:
        yield subscription
    finally:
        await stop_consuming(broker, [subscription])
        await publisher.stop()


def body(job_id: str) -> bytes:
    return execute_requested(job_id=job_id).model_dump_json().encode()
