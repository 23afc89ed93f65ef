"""Run the jobstore."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from jobstore.access.token_store import FORGET_BATCH, forget_sessions
from jobstore.api import receipt_service
from jobstore.api.server import HealthService, SeveralServers, set_serving
from jobstore.config import Settings
from jobstore.engine import facts
from jobstore.engine.database import Wake
from jobstore.executions import leases
from jobstore.executions import store as executions
from jobstore.executions.sweeper import Cleanup
from jobstore.insights.processes import Report
from jobstore.jobs.texts import TextIndex
from jobstore.judging import store as judgings
from jobstore.keeping.retention import Retention
from jobstore.tasks import store as tasks
from jobstore.tenants.store import adopt_tenants
from jobstore.wiring import Wiring
from servicekit import clock
from servicekit.certificates import export_ends
from servicekit.kafka.broker import start_consuming
from servicekit.kafka.subscription import Subscription, make_broker, stop_consuming
from servicekit.process import runtime
from servicekit.process.runtime import run_until_first, tune_gc
from servicekit.retry import retry_transient

#: Records that one poll of a consumer returns at most.
RECORDS_MAX: Final = 200


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the jobstore until `stop` is set."""
    async with AsyncExitStack() as stack:
        made = Wiring(settings, stack)
        made.database.epochs.describe = partial(_describe, made.subscriptions)
        await _serve_health(made)
        await run_until_first(_prepare(made), made.database.availability.run())
        await retry_transient(made.followed.follow, on="postgres")
        server, health = made.make_server()

        async def set_health(outage: str | None) -> None:
            await set_serving(health, ready=outage is None and not stop.is_set(), outage=outage)

        tune_gc()
        await run_until_first(
            _serve_until(stop, server, health, settings),
            made.database.availability.run(set_health),
            made.database.listen(partial(_wake, made, [*_list_wakes(made)]), made.watches.set_settled),
            *_begin_loops(made),
            _run_on_kafka(made),
        )


async def _serve_health(made: Wiring) -> None:
    """Serve what is ready, and metrics, if an address is set for them."""
    settings = made.settings
    if not settings.health_address:
        return
    checks = {"database": made.database.availability.check, **{s.topic.name: s.check for s in made.subscriptions}}
    advice = {"limits": made.dispatcher.advise, "storage": made.storages.find_full}
    if made.checkpoints is not None:
        advice["facts"] = made.checkpoints.advise
    served = await runtime.serve(settings.health_address, checks, advice, tokens=settings.metrics_tokens)
    made.stack.push_async_callback(served.cleanup)


async def _prepare(made: Wiring) -> None:
    """Prepare the database, and store the public parts of this jobstore's keys of receipts."""
    await made.database.prepare()

    async def add_keys() -> None:
        async with made.database.session() as session:
            await receipt_service.add_keys(session, [key.public for key in made.receipt_keys])

    await retry_transient(add_keys, on="postgres")


def _begin_loops(made: Wiring) -> Iterator[Awaitable[None]]:
    """Yield the loops that need no broker."""
    database, runner = made.database, made.runner
    forget_reusable = partial(judgings.forget_reusable, terms=made.terms.reuse)
    yield made.sweeper.run()
    yield Cleanup(database, "reuse cleanup", forget_reusable, judgings.FORGET_REUSABLE_BATCH).run()
    yield Cleanup(database, "answer cleanup", executions.forget_remembered, executions.FORGET_BATCH).run()
    yield Cleanup(database, "worker cleanup", leases.forget_workers, leases.FORGET_BATCH).run()
    yield Cleanup(database, "judging cleanup", judgings.forget, judgings.FORGET_BATCH).run()
    yield Cleanup(database, "try cleanup", tasks.forget, tasks.FORGET_BATCH).run()
    yield Cleanup(database, "session cleanup", forget_sessions, FORGET_BATCH).run()
    yield made.followed.run()
    yield made.followed.run_used()
    yield made.auditor.run()
    yield made.judging_queue.run()
    yield made.task_queue.run()
    yield made.task_queue.read_cards()
    yield made.matcher.run()
    yield made.watches.run()
    yield made.operation_worker.run()
    yield made.rollups.run()
    yield made.storages.run()
    yield TextIndex(database).run()
    yield Retention(database, runner).run()
    yield made.cutting.run()


def _list_wakes(made: Wiring) -> Iterator[tuple[Wake, Callable[[], None]]]:
    """Yield the reasons that each wake one loop alone, and what wakes it."""
    yield Wake.AGENTS, made.matcher.wake.set
    yield Wake.TASKS, made.task_queue.wake.set
    yield Wake.IDENTITY, made.followed.wake.set
    yield from ((Wake.LATE, each.hurry) for each in made.subscriptions)


def _wake(
    made: Wiring, others: Sequence[tuple[Wake, Callable[[], None]]], reasons: Wake, handed_over: int | None
) -> None:
    """Wake each loop that has something to do after a commit with these `reasons`; `handed_over` is for the relay."""
    if Wake.RECORDED in reasons:
        made.relay.note_recorded(handed_over)
    if Wake.QUEUED in reasons or (Wake.FREED in reasons and made.dispatcher.held_back):
        made.dispatcher.wake.set()
    if Wake.OPERATIONS in reasons or (Wake.FREED in reasons and made.operation_worker.has_open):
        made.operation_worker.wake.set()
    if Wake.JUDGINGS in reasons or (Wake.OPERATIONS in reasons and made.judging_queue.has_open):
        made.judging_queue.wake.set()
    if Wake.OPERATIONS in reasons:
        made.judging_queue.note_answers()
    for reason, wake in others:
        if reason in reasons:
            wake()


async def _run_on_kafka(made: Wiring) -> None:
    """Run the loops that need the broker. Only these wait for the broker: gRPC goes on, and stores what it accepts."""
    await made.make_topics()
    await retry_transient(made.check_age, on="kafka")
    await _begin_administration(made)
    await made.publisher.start()
    broker = make_broker(made.kafka, "jobstore")
    for subscription in made.subscriptions:
        subscription.attach(broker, max_records=RECORDS_MAX)
    loops: list[Callable[[], Awaitable[None]]] = [made.dispatch, made.relay.run, made.groups.run, made.kafka.watch]
    loops += [each.run for each in (made.checkpoints, made.archiver) if each is not None]
    loops += [subscription.watch for subscription in made.subscriptions]
    try:
        await start_consuming(made.kafka, broker, made.make_topics)
        await run_until_first(*(loop() for loop in loops))
    finally:
        await stop_consuming(broker, made.subscriptions)
        await made.dispatcher.close()
        await made.publisher.stop()


def _describe(subscriptions: Sequence[Subscription[Any]]) -> str:
    """Return the report of this process on itself, with its members of consumer groups, as JSON."""
    members = [each.member_id for each in subscriptions if each.member_id]
    report = Report(version=runtime.VERSION, clock=clock.now(), members=members, removes=True)
    return report.model_dump_json(exclude={"at"})


async def _begin_administration(made: Wiring) -> None:
    """Publish a fact that the administrators' settings are complete, unless one exists or a rebuild lost settings."""

    async def begin() -> None:
        async with made.database.transaction() as connection:
            await adopt_tenants(connection)
            await facts.begin_administration(connection)

    await retry_transient(begin, on="postgres")


async def _serve_until(stop: asyncio.Event, server: SeveralServers, health: HealthService, settings: Settings) -> None:
    """Serve gRPC until `stop` is set; then let calls under way end, while the loops for their commands still run."""
    if settings.grpc_tls is None:
        server.add_insecure_port(settings.grpc_address)
    else:
        server.add_tls_port(settings.grpc_address, settings.grpc_tls)
        export_ends(settings.grpc_certificate, settings.grpc_client_ca)
    await set_serving(health, ready=False)  # until the first probe
    await server.start()
    try:
        await stop.wait()
    finally:
        await set_serving(health, ready=False)
        await server.stop(grace=min(settings.grace_s, 2.0))
