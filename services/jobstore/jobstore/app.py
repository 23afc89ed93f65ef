"""Wire and run the jobstore; no other module reads its settings."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.receipts import ReceiptKey, derive_keys
from contracts.signing import FactKeys, Secrets
from contracts.topics import EXECUTOR_GROUP, JOBSTORE_GROUPS, TOPIC_OF, VALIDATOR_GROUP
from jobstore.access.audit import Auditor
from jobstore.access.id_tokens import IdTokens
from jobstore.access.token_store import FORGET_BATCH, TokenFollower, forget_sessions
from jobstore.access.tokens import Tokens
from jobstore.access.upstreams import Upstreams
from jobstore.agents.matcher import Matcher
from jobstore.api import receipt_service
from jobstore.api.agent_service import AgentService
from jobstore.api.identity_service import IdentityService
from jobstore.api.job_service import JobService
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.api.keeping_service import KeepingService
from jobstore.api.operations_service import OperationsService
from jobstore.api.receipt_service import ReceiptService
from jobstore.api.server import MESSAGE_MAX_BYTES, CallLimits, HealthService, SeveralServers, create_server, set_serving
from jobstore.api.work_service import WorkService
from jobstore.config import Settings
from jobstore.engine import facts
from jobstore.engine.database import Database, Wake
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.executions import leases
from jobstore.executions import store as executions
from jobstore.executions.dispatcher import ACKNOWLEDGED_WITHIN_S, Dispatcher
from jobstore.executions.sweeper import Cleanup, Sweeper
from jobstore.handlers import EventHandlers, check_cancel, read_report
from jobstore.insights.dead_letters import DeadLetterTopics
from jobstore.insights.gauges import Gauges
from jobstore.insights.overview import WaitingSums
from jobstore.insights.processes import ConsumerGroups, Report
from jobstore.insights.rollups import Rollups
from jobstore.insights.storages import Storages
from jobstore.jobs.model import ExecutionTerms
from jobstore.jobs.texts import TextIndex
from jobstore.judging import store as judgings
from jobstore.judging.queue import JudgingQueue
from jobstore.keeping.archiver import Archiver
from jobstore.keeping.checkpoints import Checkpoints, CheckpointTerms
from jobstore.keeping.cutting import Cutting
from jobstore.keeping.retention import Retention
from jobstore.keeping.snapshots import Snapshots
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.publishing.watches import Watches
from jobstore.recovery.database_age import refuse_older_database
from jobstore.recovery.verify import open_snapshot
from jobstore.subjects import STORES
from jobstore.tasks import store as tasks
from jobstore.tasks.queue import TaskQueue
from jobstore.tenants.store import adopt_tenants
from servicekit import clock
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.certificates import export_ends
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import (
    LogDirs,
    Readers,
    Topics,
    delete_records,
    ensure_topics,
    read_committed,
    start_consuming,
)
from servicekit.kafka.dead_letters import Forgeries
from servicekit.kafka.history import History
from servicekit.kafka.publisher import BoundedPublisher, Publisher
from servicekit.kafka.subscription import Subscription, make_broker, stop_consuming
from servicekit.oidc import Provider
from servicekit.process import runtime
from servicekit.process.runtime import run_until_first, tune_gc
from servicekit.retry import retry_transient
from signoff.status import Role
from signoff.v1.agent_service_pb2_grpc import add_AgentServiceServicer_to_server
from signoff.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from signoff.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from signoff.v1.judge_service_pb2_grpc import add_JudgeServiceServicer_to_server
from signoff.v1.judging_service_pb2_grpc import add_JudgingServiceServicer_to_server
from signoff.v1.keeping_service_pb2_grpc import add_KeepingServiceServicer_to_server
from signoff.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from signoff.v1.receipt_service_pb2_grpc import add_ReceiptServiceServicer_to_server
from signoff.worker.v1.work_service_pb2_grpc import add_WorkServiceServicer_to_server

#: The consumer groups of the workers, by topic.
WORKER_GROUPS = {TOPIC_OF[ExecuteRequested]: EXECUTOR_GROUP, TOPIC_OF[ResultProduced]: VALIDATOR_GROUP}
#: Records that one poll of a consumer returns at most.
RECORDS_MAX = 200
#: The jobstore reads a result so many seconds after it was written: by then the claim of a validator has recorded
#: nearly all. It may read twice as late, which must be well within a lease: a worker that has ended renews none.
RESULTS_DELAY_S = 3.0
#: The settings that are terms of executions.
_TERMS = ("policy", "lease_s", "offer_again_s", "breaker", "reuse", "ids")
#: How long a client that only reads may take to disconnect at the end.
DISCONNECT_TIMEOUT_S = 0.5


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the jobstore until `stop` is set."""
    async with contextlib.AsyncExitStack() as stack:
        database = _open_database(settings)
        stack.push_async_callback(database.close)
        terms = ExecutionTerms(
            **{name: getattr(settings, name) for name in _TERMS}, job_max_bytes=settings.payload_max_bytes
        )
        runner = CommandRunner(database, STORES, terms, settings.database_patience_s)
        secrets, kafka = Secrets.parse(settings.secrets.get_secret_value()), KafkaAccess.of(settings)
        # A topic may take larger messages than the catalogue allows: an older jobstore may have accepted larger jobs.
        publisher = Publisher(kafka, "jobstore", terms.ids.installation, message_max_bytes=MESSAGE_MAX_BYTES)
        upstreams = Upstreams(settings.upstreams, secrets)
        subscriptions = _make_subscriptions(publisher, EventHandlers(runner, database, secrets), upstreams, terms)
        topics = Topics(kafka)
        stack.push_async_callback(_disconnect, topics.close)
        make_topics, fact_keys = partial(_make_topics, settings), FactKeys.derive(secrets)
        open_archive = _find_archive(settings, fact_keys)
        checkpoints = _make_checkpoints(database, kafka, open_archive, fact_keys, settings)
        check_age = partial(refuse_older_database, kafka, database, fact_keys)
        bounded, bounded_offers = BoundedPublisher(publisher), BoundedPublisher(publisher, ACKNOWLEDGED_WITHIN_S)
        await_kafka, signer = partial(bounded.wait, make_topics), FactSigner(fact_keys, terms.ids.installation)
        relay = Relay(database, bounded, signer, topics.end_offsets, await_kafka, check_age)
        dispatcher = Dispatcher(database, bounded_offers, runner.terms, secrets, upstreams=upstreams)
        runner.listeners.on_recorded = relay.hand_over
        matcher, watches, keys = Matcher(database, runner), Watches(database, relay.recent), derive_keys(secrets)
        readers = _make_readers(stack, kafka, {each.topic.name: each.group for each in subscriptions})
        groups, storages = (
            _watch_groups(stack, database, settings, subscriptions, terms),
            _watch_storages(stack, database, runner, settings),
        )
        callers, sweeper = Callers(database), Sweeper(database, runner, readers)
        operation_worker, waiting = OperationWorker(database, runner), WaitingSums(database, terms.alive_s)
        judging_queue, task_queue = (
            JudgingQueue(database, runner, sweeper.may_end),
            TaskQueue(database, runner, sweeper.may_end),
        )
        stack.push_async_callback(waiting.close)
        dead_letters = DeadLetterTopics(kafka, fact_keys, database, runner, publisher)
        stack.push_async_callback(_disconnect, dead_letters.close)
        if settings.health_address:
            checks = {"database": database.availability.check, **{s.topic.name: s.check for s in subscriptions}}
            await _serve_health(
                stack,
                settings.health_address,
                settings,
                checks,
                {
                    "limits": dispatcher.advise,
                    "storage": storages.find_full,
                    **({} if checkpoints is None else {"facts": checkpoints.advise}),
                },
            )
        batches = Batches(callers, runner, operation_worker)
        await run_until_first(_prepare(database, keys), database.availability.run())
        server, servicer, followed, auditor = await _make_server(stack, database, runner, settings)
        work = WorkService(database, runner, secrets, upstreams=upstreams, judgings=judging_queue, tasks=task_queue)
        add_WorkServiceServicer_to_server(work, server)
        _add_services(server, callers, runner, open_archive, keys, _measure_topics(stack, settings))
        add_ReceiptServiceServicer_to_server(ReceiptService(callers, keys), server)
        add_JudgeServiceServicer_to_server(JudgeService(callers, runner, settings.payload_max_bytes), server)
        add_JobServiceServicer_to_server(
            JobService(callers, runner, watches, batches, settings.payload_max_bytes), server
        )
        operations = OperationsService(
            callers,
            runner,
            watches,
            batches,
            waiting,
            dead_letters,
            groups=groups,
            upstreams=upstreams,
            followed=followed,
            storages=storages,
        )
        add_OperationsServiceServicer_to_server(operations, server)
        add_JudgingServiceServicer_to_server(JudgingService(callers, runner, judging_queue), server)

        others = [
            (Wake.AGENTS, matcher.wake.set),
            (Wake.TASKS, task_queue.wake.set),
            (Wake.IDENTITY, followed.wake.set),
            *((Wake.LATE, each.hurry) for each in subscriptions),
        ]

        async def set_health(outage: str | None) -> None:
            await set_serving(servicer, ready=outage is None and not stop.is_set(), outage=outage)

        tune_gc()
        await run_until_first(
            _serve_until(stop, server, servicer, settings),
            database.availability.run(set_health),
            database.listen(
                partial(_wake, relay, dispatcher, operation_worker, judging_queue, others), watches.set_settled
            ),
            sweeper.run(),
            Cleanup(
                database,
                "reuse cleanup",
                partial(judgings.forget_reusable, terms=terms.reuse),
                judgings.FORGET_REUSABLE_BATCH,
            ).run(),
            Cleanup(database, "answer cleanup", executions.forget_remembered, executions.FORGET_BATCH).run(),
            Cleanup(database, "worker cleanup", leases.forget_workers, leases.FORGET_BATCH).run(),
            Cleanup(database, "judging cleanup", judgings.forget, judgings.FORGET_BATCH).run(),
            Cleanup(database, "try cleanup", tasks.forget, tasks.FORGET_BATCH).run(),
            Cleanup(database, "session cleanup", forget_sessions, FORGET_BATCH).run(),
            followed.run(),
            followed.run_used(),
            auditor.run(),
            judging_queue.run(),
            task_queue.run(),
            task_queue.read_cards(),
            matcher.run(),
            watches.run(),
            operation_worker.run(),
            Rollups(database, Gauges(database, terms.alive_s, dead_letters.find_counts)).run(),
            storages.run(),
            TextIndex(database).run(),
            Retention(database, runner).run(),
            Cutting(database, settings.removed_kept_s).run(),
            _run_on_kafka(
                kafka,
                publisher,
                subscriptions,
                make_topics,
                [
                    partial(retry_transient, check_age, on="kafka"),
                    partial(_begin_administration, database),
                    publisher.start,
                ],
                [
                    partial(dispatcher.run, runner, partial(bounded_offers.wait, make_topics)),
                    relay.run,
                    groups.run,
                    *([] if checkpoints is None else [checkpoints.run]),
                    *_make_archiver(stack, database, kafka, open_archive, fact_keys, settings),
                ],
                close=dispatcher.close,
            ),
        )


async def _serve_health(
    stack: contextlib.AsyncExitStack,
    address: str,
    settings: Settings,
    checks: Mapping[str, runtime.Check],
    advice: Mapping[str, runtime.Check],
) -> None:
    runner = await runtime.serve(address, checks, advice, tokens=settings.metrics_tokens)
    stack.push_async_callback(runner.cleanup)


def _wake(  # noqa: PLR0917 - the loops, and what a commit left for them
    relay: Relay,
    dispatcher: Dispatcher,
    operation_worker: OperationWorker,
    judging_queue: JudgingQueue,
    others: Iterable[tuple[Wake, Callable[[], None]]],
    reasons: Wake,
    handed_over: int | None,
) -> None:
    """Wake each loop that has something to do after a commit with these `reasons`; `handed_over` is for the relay.

    `others` are the loops that one reason wakes.
    """
    if Wake.RECORDED in reasons:
        relay.note_recorded(handed_over)
    if Wake.QUEUED in reasons or (Wake.FREED in reasons and dispatcher.held_back):
        dispatcher.wake.set()
    if Wake.OPERATIONS in reasons or (Wake.FREED in reasons and operation_worker.has_open):
        operation_worker.wake.set()
    if Wake.JUDGINGS in reasons or (Wake.OPERATIONS in reasons and judging_queue.has_open):
        judging_queue.wake.set()
    if Wake.OPERATIONS in reasons:
        judging_queue.note_answers()
    for reason, wake in others:
        if reason in reasons:
            wake()


async def _run_on_kafka(
    kafka: KafkaAccess,
    publisher: Publisher,
    subscriptions: Sequence[Subscription[Any]],
    make_topics: Callable[[], Awaitable[None]],
    steps: Sequence[Callable[[], Awaitable[None]]],
    loops: Sequence[Callable[[], Awaitable[None]]],
    *,
    close: Callable[[], Awaitable[None]],
) -> None:
    """Run the loops that need the broker. Only these wait for the broker: gRPC goes on, and stores what it accepts."""
    for step in (make_topics, *steps):
        await step()
    broker = make_broker(kafka, "jobstore")
    for subscription in subscriptions:
        subscription.attach(broker, max_records=RECORDS_MAX)
    try:
        await start_consuming(kafka, broker, make_topics)
        watched = (subscription.watch() for subscription in subscriptions)
        await run_until_first(*(loop() for loop in loops), *watched, kafka.watch())
    finally:
        await stop_consuming(broker, subscriptions)
        await close()
        await publisher.stop()


def _find_archive(settings: Settings, keys: FactKeys) -> Callable[[], Archive] | None:
    """Return what opens the archive of this installation; None: no place is named for it."""
    place, installation = settings.archive, settings.ids.installation
    if place is None:
        return None
    return lambda: Archive(Objects.open(place, creates=True), keys, installation)


def _make_archiver(
    stack: contextlib.AsyncExitStack,
    database: Database,
    kafka: KafkaAccess,
    open_archive: Callable[[], Archive] | None,
    keys: FactKeys,
    settings: Settings,
) -> list[Callable[[], Awaitable[None]]]:
    """Return the loop that archives facts; none: there is no archive."""
    if open_archive is None:
        return []
    topics, history = Topics(kafka), partial(History, kafka, check_crcs=False)
    stack.push_async_callback(_disconnect, topics.close)
    archiver = Archiver(
        database,
        open_archive,
        history,
        topics.end_offsets,
        keys,
        settings.ids.installation,
        every_s=settings.archive_every_s,
    )
    return [archiver.run]


def _make_checkpoints(
    database: Database,
    kafka: KafkaAccess,
    open_archive: Callable[[], Archive] | None,
    keys: FactKeys,
    settings: Settings,
) -> Checkpoints | None:
    """Return the loop that writes checkpoints into the archive; None: there is no archive."""
    if (place := settings.archive) is None or open_archive is None:
        return None
    groups = tuple(name.strip() for name in settings.facts_groups.split(",") if name.strip())
    return Checkpoints(
        database,
        partial(open_snapshot, settings.database_url.get_secret_value()),
        lambda: Snapshots(Objects.open(place, creates=True), keys, settings.ids.installation),
        open_archive,
        history=partial(History, kafka, check_crcs=False),
        read_committed=partial(read_committed, kafka),
        delete_records=partial(delete_records, kafka),
        terms=CheckpointTerms(settings.checkpoint_every_s, settings.facts_kept_s, settings.archive_kept_s, groups),
    )


def _open_database(settings: Settings) -> Database:
    migrating = settings.migrate_database_url
    database = Database(
        settings.database_url.get_secret_value(),
        migrate_url=None if migrating is None else migrating.get_secret_value(),
        pool_size=settings.database_pool,
    )
    database.show_connections()
    return database


async def _disconnect(close: Callable[[], Awaitable[None]]) -> None:
    """Disconnect a client that only reads from the broker, or give up after DISCONNECT_TIMEOUT_S."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
            await close()


async def _make_topics(settings: Settings) -> None:
    if settings.create_topics:
        asked = settings.topic_replication, settings.work_partitions, settings.topic_bounds
        await ensure_topics(KafkaAccess.of(settings), *asked)


async def _prepare(database: Database, keys: Sequence[ReceiptKey]) -> None:
    """Prepare the database, and store the public parts of this jobstore's keys of receipts."""
    await database.prepare()

    async def add_keys() -> None:
        async with database.session() as session:
            await receipt_service.add_keys(session, [key.public for key in keys])

    await retry_transient(add_keys, on="postgres")


def _watch_groups(
    stack: contextlib.AsyncExitStack,
    database: Database,
    settings: Settings,
    subscriptions: Sequence[Subscription[Any]],
    terms: ExecutionTerms,
) -> ConsumerGroups:
    """Return the watch of the consumer groups, and make this process report the members that are its own."""
    database.epochs.describe = partial(_describe, subscriptions)
    own = {each.topic.name: each.group for each in subscriptions}
    readers = [_make_readers(stack, KafkaAccess.of(settings), groups) for groups in (own, WORKER_GROUPS)]
    return ConsumerGroups(database, readers, terms.alive_s, settings.stalled_after_s, reported_within_s=terms.lease_s)


def _watch_storages(
    stack: contextlib.AsyncExitStack, database: Database, runner: CommandRunner, settings: Settings
) -> Storages:
    """Return the watch of storages, by which `runner` takes no new work while one is full."""
    log_dirs = LogDirs(KafkaAccess.of(settings))
    stack.push_async_callback(_disconnect, log_dirs.close)
    storages = Storages(
        database,
        log_dirs.list,
        disks=settings.disk_paths,
        database_max_bytes=settings.database_max_bytes,
        full_at=settings.storage_full_at,
    )
    runner.find_full = storages.find_full
    return storages


def _describe(subscriptions: Sequence[Subscription[Any]]) -> str:
    """Return the report of this process on itself, with its members of consumer groups, as JSON."""
    members = [each.member_id for each in subscriptions if each.member_id]
    return Report(version=runtime.VERSION, clock=clock.now(), members=members, removes=True).model_dump_json(
        exclude={"at"}
    )


async def _begin_administration(database: Database) -> None:
    """Publish a fact that the administrators' settings are complete, unless one exists or a rebuild lost settings."""

    async def begin() -> None:
        async with database.transaction() as connection:
            await adopt_tenants(connection)
            await facts.begin_administration(connection)

    await retry_transient(begin, on="postgres")


def _make_readers(stack: contextlib.AsyncExitStack, kafka: KafkaAccess, groups: Mapping[str, str]) -> Readers:
    readers = Readers(kafka, groups)
    stack.push_async_callback(_disconnect, readers.close)
    return readers


def _make_subscriptions(
    publisher: Publisher, handlers: EventHandlers, upstreams: Upstreams, terms: ExecutionTerms
) -> list[Subscription[Any]]:
    results = _make_reports(publisher, handlers, ResultProduced, "results", handlers.on_result_produced)
    results.delay_s = min(RESULTS_DELAY_S, terms.lease_s / 5)
    return [
        _make_reports(publisher, handlers, JobStatusReported, "reports", handlers.on_job_status_reported),
        results,
        Subscription(
            publisher,
            CancelRequested,
            f"{JOBSTORE_GROUPS}-cancels",
            handlers.on_cancel_requested,
            check_record=partial(check_cancel, upstreams),
            choose_dead=Forgeries().choose_dead,
        ),
    ]


def _make_reports(
    publisher: Publisher, handlers: EventHandlers, event: type[Any], name: str, handle: Callable[..., Any]
) -> Subscription[Any]:
    """Return the subscription of `handle` to the topic of `event`, whose records are signed with the keys of leases."""
    check, choose = partial(handlers.check_report, event), partial(handlers.choose_dead, event)
    group = f"{JOBSTORE_GROUPS}-{name}"
    return Subscription(publisher, event, group, handle, check_record=check, choose_dead=choose, decode=read_report)


async def _make_server(
    stack: contextlib.AsyncExitStack, database: Database, runner: CommandRunner, settings: Settings
) -> tuple[SeveralServers, HealthService, TokenFollower, Auditor]:
    """Return a server that knows the tokens of the environment and of the database, what follows these, and its audit.

    The audit is written to its end when the stack is closed.
    """
    auditor = Auditor(database, reads=settings.audit_reads)
    stack.push_async_callback(auditor.close)
    of_environment = {
        Role.ADMINISTRATOR: settings.token.values,
        Role.EXECUTOR: settings.executor_token.values,
        Role.VALIDATOR: settings.validator_token.values,
        Role.CONSOLE: settings.console_token.values if settings.console_token is not None else (),
    }
    followed = TokenFollower(database, Tokens(of_environment))
    await retry_transient(followed.follow, on="postgres")
    limits = CallLimits(calls_max=settings.calls_max, watches_max=settings.watches_max)
    id_tokens = _make_id_tokens(settings)
    server, servicer = create_server(followed.tokens, limits, id_tokens=id_tokens, auditor=auditor)
    identity = IdentityService(database, followed, runner, id_tokens)
    add_IdentityServiceServicer_to_server(identity, server)
    return server, servicer, followed, auditor


def _make_id_tokens(settings: Settings) -> IdTokens | None:
    """Return the check of ID tokens; None: no provider of identities is set."""
    if settings.oidc_issuer is None or settings.oidc_rules is None:
        return None
    provider, device = Provider(settings.oidc_issuer), settings.oidc_device_client_id
    return IdTokens(provider, settings.oidc_rules, settings.oidc_client_id, device)


def _measure_topics(stack: contextlib.AsyncExitStack, settings: Settings) -> Callable[[], Awaitable[Mapping[str, int]]]:
    """Return the function that asks brokers for the bytes of each topic; its first call opens a connection."""
    log_dirs = LogDirs(KafkaAccess.of(settings))
    stack.push_async_callback(_disconnect, log_dirs.close)
    return log_dirs.measure_topics


def _add_services(
    server: SeveralServers,
    callers: Callers,
    runner: CommandRunner,
    open_archive: Callable[[], Archive] | None,
    keys: Sequence[ReceiptKey],
    measure_topics: Callable[[], Awaitable[Mapping[str, int]]],
) -> None:
    """Add the services that need little but the database and the runner."""
    add_AgentServiceServicer_to_server(AgentService(callers, runner), server)
    keeping = KeepingService(
        callers, runner, open_archive=open_archive, receipt_key=keys[0], measure_topics=measure_topics
    )
    add_KeepingServiceServicer_to_server(keeping, server)


async def _serve_until(
    stop: asyncio.Event, server: SeveralServers, servicer: HealthService, settings: Settings
) -> None:
    """Serve gRPC until `stop` is set; then let calls under way end, while the loops for their commands still run."""
    if settings.grpc_tls is None:
        server.add_insecure_port(settings.grpc_address)
    else:
        server.add_tls_port(settings.grpc_address, settings.grpc_tls)
        export_ends(settings.grpc_certificate, settings.grpc_client_ca)
    await set_serving(servicer, ready=False)  # until the first probe
    await server.start()
    try:
        await stop.wait()
    finally:
        await set_serving(servicer, ready=False)
        await server.stop(grace=min(settings.grace_s, 2.0))
