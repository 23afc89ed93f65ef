"""Assemble, run and stop a service that works under leases."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from servicekit import clock
from servicekit.certificates import export_ends
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import start_consuming, wait_for_topics
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Subscription, make_broker, stop_consuming
from servicekit.leasing.client import MESSAGE_MAX_BYTES, GrpcLeases
from servicekit.leasing.worker import Worker
from servicekit.process import runtime
from servicekit.process.runtime import run_until_first, tune_gc
from servicekit.process.settings import WorkerSettings
from signoff.channels import open_channel
from signoff.wire import write_time
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

log = logging.getLogger(__name__)

#: Records in one batch that is consumed.
RECORDS_MAX = 200
#: The share of the grace time for work; the rest is for closing its connections.
GRACE_SHARE = 0.8
#: The share of the grace time that stopping to consume may take, before work is finished or handed over.
STOP_SHARE = 0.3
#: Seconds that closing the broker may take; connections that are open then end with the process.
CLOSE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The parts from which a service builds its handlers. `stack` closes the resources that the handlers open."""

    stack: contextlib.AsyncExitStack
    publisher: Publisher
    leases: GrpcLeases
    worker: Worker


async def run_worker(
    stop: asyncio.Event,
    settings: WorkerSettings,
    name: str,
    kind: "pb.WorkKind.ValueType",
    token: str,
    subscribe: Callable[[WorkerContext], Awaitable[Subscription[Any]]],
) -> None:
    """Run a worker until `stop` is set: then take no new work, finish or hand over the work under way, and end."""
    async with contextlib.AsyncExitStack() as stack:
        checks: dict[str, runtime.Check] = {"consuming": lambda: "waits for Kafka to have its topics"}
        if settings.health_address:  # before the wait, in which it is alive
            runner = await runtime.serve(settings.health_address, checks, tokens=settings.metrics_tokens)
            stack.push_async_callback(runner.cleanup)
        kafka = KafkaAccess.of(settings)
        await wait_for_topics(kafka, name)
        publisher = Publisher(kafka, name)
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        opening = open_channel(settings.jobstore, MESSAGE_MAX_BYTES, settings.jobstore_tls)
        channel = await stack.enter_async_context(opening)
        export_ends(settings.jobstore_certificate)
        capacity = settings.find_capacity()
        log.info("work is bounded", extra=capacity._asdict())
        leases = GrpcLeases(WorkServiceStub(channel), kind, token, capacity.leases)
        leases.on_installation = publisher.set_installation
        worker = Worker(name, leases, capacity.leases, settings.outcomes_max, slot_bytes=capacity.lease_bytes)
        subscription = await subscribe(WorkerContext(stack, publisher, leases, worker))
        worker.is_reading, subscription.on_assigned = (lambda: subscription.partitions > 0), worker.note_reading
        leases.describe = partial(_describe, worker, subscription, capacity.bound)
        broker = make_broker(kafka, name)
        subscription.attach(broker, max_records=RECORDS_MAX)
        checks["consuming"] = subscription.check
        tune_gc()
        stack.push_async_callback(stop_consuming, broker, [subscription], CLOSE_TIMEOUT_S)
        try:
            await start_consuming(kafka, broker, partial(wait_for_topics, kafka, name))
            await run_until_first(stop.wait(), worker.run(), subscription.watch(), kafka.watch())
        finally:
            ends_at = time.monotonic() + settings.grace_s * GRACE_SHARE
            worker.take_no_more()
            stopping = stop_consuming(broker, [subscription], settings.grace_s * STOP_SHARE)
            await run_until_first(stopping, worker.run())
            await worker.stop(ends_at - time.monotonic())


def _describe(worker: Worker, subscription: Subscription[Any], bound: str) -> pb.ProcessReport:
    """Return a worker's report about its own process; `bound` is what bounds how many leases it holds at once."""
    members = [subscription.member_id] if subscription.member_id else []
    return pb.ProcessReport(
        version=runtime.VERSION,
        clock=write_time(clock.now()),
        members=members,
        ends=worker.is_stopping,
        partitions=subscription.partitions,
        bound=bound,
        paced=worker.count_paced(),
    )
