"""Make the parts of a jobstore from its settings, which no other module reads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import cached_property, partial
from typing import Any, Final

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.receipts import derive_keys
from contracts.signing import FactKeys, Secrets
from contracts.topics import EXECUTOR_GROUP, JOBSTORE_GROUPS, TOPIC_OF, VALIDATOR_GROUP
from jobstore.access.audit import Auditor
from jobstore.access.id_tokens import IdTokens
from jobstore.access.token_store import TokenFollower
from jobstore.access.tokens import Tokens
from jobstore.access.upstreams import Upstreams
from jobstore.agents.matcher import Matcher
from jobstore.api.agent_service import AgentService
from jobstore.api.identity_service import IdentityService
from jobstore.api.job_service import JobService
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.api.keeping_service import KeepingService
from jobstore.api.operations_service import OperationsService
from jobstore.api.receipt_service import ReceiptService
from jobstore.api.server import MESSAGE_MAX_BYTES, CallLimits, HealthService, SeveralServers, create_server
from jobstore.api.work_service import WorkService
from jobstore.config import Settings
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.executions.dispatcher import ACKNOWLEDGED_WITHIN_S, Dispatcher
from jobstore.executions.sweeper import Sweeper
from jobstore.handlers import EventHandlers, check_cancel, read_report
from jobstore.insights.dead_letters import DeadLetterTopics
from jobstore.insights.gauges import Gauges
from jobstore.insights.overview import WaitingSums
from jobstore.insights.processes import ConsumerGroups
from jobstore.insights.rollups import Rollups
from jobstore.insights.storages import Storages
from jobstore.jobs.model import ExecutionTerms
from jobstore.judging.queue import JudgingQueue
from jobstore.keeping.archiver import Archiver
from jobstore.keeping.checkpoints import Checkpoints, CheckpointTerms
from jobstore.keeping.cutting import Cutting
from jobstore.keeping.snapshots import Snapshots
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.publishing.watches import Watches
from jobstore.recovery.database_age import refuse_older_database
from jobstore.recovery.verify import open_snapshot
from jobstore.subjects import STORES
from jobstore.tasks.queue import TaskQueue
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import LogDirs, Readers, Topics, delete_records, ensure_topics, read_committed
from servicekit.kafka.dead_letters import Forgeries
from servicekit.kafka.history import History
from servicekit.kafka.publisher import BoundedPublisher, Publisher
from servicekit.kafka.subscription import Subscription
from servicekit.oidc import Provider
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
WORKER_GROUPS: Final = {TOPIC_OF[ExecuteRequested]: EXECUTOR_GROUP, TOPIC_OF[ResultProduced]: VALIDATOR_GROUP}
#: The jobstore reads a result so many seconds after it was written: by then the claim of a validator has recorded
#: nearly all. It may read twice as late, which must be well within a lease: a worker that has ended renews none.
RESULTS_DELAY_S: Final = 3.0
#: The settings that are terms of executions.
_TERMS: Final = ("policy", "lease_s", "offer_again_s", "breaker", "reuse", "ids")
#: How long a client that only reads may take to disconnect at the end.
DISCONNECT_TIMEOUT_S: Final = 0.5


class Wiring:
    """The parts of a jobstore, each made at its first use; `stack` closes them, the last one first."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.stack = stack
        self.kafka = KafkaAccess.of(settings)
        self.secrets = Secrets.parse(settings.secrets.get_secret_value())
        self.fact_keys = FactKeys.derive(self.secrets)
        self.receipt_keys = derive_keys(self.secrets)
        self.upstreams = Upstreams(settings.upstreams, self.secrets)
        self.terms = ExecutionTerms(
            **{name: getattr(settings, name) for name in _TERMS}, job_max_bytes=settings.payload_max_bytes
        )

    @cached_property
    def database(self) -> Database:
        """The database, whose connections metrics show."""
        migrating = self.settings.migrate_database_url
        database = Database(
            self.settings.database_url.get_secret_value(),
            migrate_url=None if migrating is None else migrating.get_secret_value(),
            pool_size=self.settings.database_pool,
        )
        database.show_connections()
        self.stack.push_async_callback(database.close)
        return database

    @cached_property
    def callers(self) -> Callers:
        """The database for the reads of callers."""
        return Callers(self.database)

    @cached_property
    def runner(self) -> CommandRunner:
        """What carries out commands. It takes no new work while a storage is full."""
        runner = CommandRunner(self.database, STORES, self.terms, self.settings.database_patience_s)
        runner.find_full = self.storages.find_full
        return runner

    @cached_property
    def publisher(self) -> Publisher:
        """What writes records."""
        installation = self.terms.ids.installation
        # A topic may take larger ones than the catalogue allows: an older jobstore may have accepted larger jobs.
        return Publisher(self.kafka, "jobstore", installation, message_max_bytes=MESSAGE_MAX_BYTES)

    async def make_topics(self) -> None:
        """Create the topics that are missing, if the settings say so."""
        settings = self.settings
        if settings.create_topics:
            await ensure_topics(self.kafka, settings.topic_replication, settings.work_partitions, settings.topic_bounds)

    async def check_age(self) -> None:
        """Raise PermanentError if the database is older than the facts in the topics."""
        await refuse_older_database(self.kafka, self.database, self.fact_keys)

    @cached_property
    def relay(self) -> Relay:
        """What publishes facts. Each that a commit records is handed over to it."""
        bounded, topics = BoundedPublisher(self.publisher), self._make_topics_reader()
        signer = FactSigner(self.fact_keys, self.terms.ids.installation)
        await_kafka = partial(bounded.wait, self.make_topics)
        relay = Relay(self.database, bounded, signer, topics.end_offsets, await_kafka, self.check_age)
        self.runner.listeners.on_recorded = relay.hand_over
        return relay

    @cached_property
    def _bounded_offers(self) -> BoundedPublisher:
        return BoundedPublisher(self.publisher, ACKNOWLEDGED_WITHIN_S)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What offers executions to executors."""
        return Dispatcher(self.database, self._bounded_offers, self.terms, self.secrets, upstreams=self.upstreams)

    async def dispatch(self) -> None:
        """Offer executions, for ever."""
        await self.dispatcher.run(self.runner, partial(self._bounded_offers.wait, self.make_topics))

    @cached_property
    def matcher(self) -> Matcher:
        """What finds agents for jobs that seek one."""
        return Matcher(self.database, self.runner)

    @cached_property
    def watches(self) -> Watches:
        """What callers watch jobs by."""
        return Watches(self.database, self.relay.recent)

    @cached_property
    def sweeper(self) -> Sweeper:
        """What ends leases that have lapsed."""
        return Sweeper(self.database, self.runner, self._make_readers(self._own_groups))

    @cached_property
    def operation_worker(self) -> OperationWorker:
        """What carries out operations."""
        return OperationWorker(self.database, self.runner)

    @cached_property
    def batches(self) -> Batches:
        """What makes batches."""
        return Batches(self.callers, self.runner, self.operation_worker)

    @cached_property
    def judging_queue(self) -> JudgingQueue:
        """The judgings that belong to no execution."""
        return JudgingQueue(self.database, self.runner, self.sweeper.may_end)

    @cached_property
    def task_queue(self) -> TaskQueue:
        """The calls of agents that belong to no execution."""
        return TaskQueue(self.database, self.runner, self.sweeper.may_end)

    @cached_property
    def waiting_sums(self) -> WaitingSums:
        """What jobs wait for, counted."""
        waiting = WaitingSums(self.database, self.terms.alive_s)
        self.stack.push_async_callback(waiting.close)
        return waiting

    @cached_property
    def dead_letters(self) -> DeadLetterTopics:
        """The topics of dead letters."""
        letters = DeadLetterTopics(self.kafka, self.fact_keys, self.database, self.runner, self.publisher)
        self._close_soon(letters.close)
        return letters

    @cached_property
    def rollups(self) -> Rollups:
        """What counts the entries of logs."""
        return Rollups(self.database, Gauges(self.database, self.terms.alive_s, self.dead_letters.find_counts))

    @cached_property
    def groups(self) -> ConsumerGroups:
        """The watch of the consumer groups, those of workers too."""
        readers = [self._make_readers(groups) for groups in (self._own_groups, WORKER_GROUPS)]
        stalled_s, reported_within_s = self.settings.stalled_after_s, self.terms.lease_s
        return ConsumerGroups(
            self.database, readers, self.terms.alive_s, stalled_s, reported_within_s=reported_within_s
        )

    @cached_property
    def storages(self) -> Storages:
        """The watch of how full disks and the database are."""
        return Storages(
            self.database,
            self._make_log_dirs().list,
            disks=self.settings.disk_paths,
            database_max_bytes=self.settings.database_max_bytes,
            full_at=self.settings.storage_full_at,
        )

    @cached_property
    def subscriptions(self) -> list[Subscription[Any]]:
        """The topics that this jobstore consumes: reports, results and cancels."""
        handlers = EventHandlers(self.runner, self.database, self.secrets)
        results = self._make_reports(handlers, ResultProduced, "results", handlers.on_result_produced)
        results.delay_s = min(RESULTS_DELAY_S, self.terms.lease_s / 5)
        return [
            self._make_reports(handlers, JobStatusReported, "reports", handlers.on_job_status_reported),
            results,
            Subscription(
                self.publisher,
                CancelRequested,
                f"{JOBSTORE_GROUPS}-cancels",
                handlers.on_cancel_requested,
                check_record=partial(check_cancel, self.upstreams),
                choose_dead=Forgeries().choose_dead,
            ),
        ]

    def _make_reports(
        self, handlers: EventHandlers, event: type[Any], name: str, handle: Callable[..., Any]
    ) -> Subscription[Any]:
        """Return the subscription to the topic of an event whose records are signed with the keys of leases."""
        check, choose = partial(handlers.check_report, event), partial(handlers.choose_dead, event)
        group = f"{JOBSTORE_GROUPS}-{name}"
        return Subscription(
            self.publisher, event, group, handle, check_record=check, choose_dead=choose, decode=read_report
        )

    @property
    def _own_groups(self) -> Mapping[str, str]:
        return {each.topic.name: each.group for each in self.subscriptions}

    @cached_property
    def open_archive(self) -> Callable[[], Archive] | None:
        """What opens the archive of this installation; None: no place is named for it."""
        place, installation = self.settings.archive, self.terms.ids.installation
        if place is None:
            return None
        return lambda: Archive(Objects.open(place, creates=True), self.fact_keys, installation)

    @cached_property
    def archiver(self) -> Archiver | None:
        """What archives facts; None: there is no archive."""
        if self.open_archive is None:
            return None
        return Archiver(
            self.database,
            self.open_archive,
            partial(History, self.kafka, check_crcs=False),
            self._make_topics_reader().end_offsets,
            self.fact_keys,
            self.terms.ids.installation,
            every_s=self.settings.archive_every_s,
        )

    @cached_property
    def checkpoints(self) -> Checkpoints | None:
        """What writes checkpoints into the archive; None: there is no archive."""
        settings = self.settings
        if (place := settings.archive) is None or self.open_archive is None:
            return None
        groups = tuple(name.strip() for name in settings.facts_groups.split(",") if name.strip())
        return Checkpoints(
            self.database,
            partial(open_snapshot, settings.database_url.get_secret_value()),
            lambda: Snapshots(Objects.open(place, creates=True), self.fact_keys, self.terms.ids.installation),
            self.open_archive,
            history=partial(History, self.kafka, check_crcs=False),
            read_committed=partial(read_committed, self.kafka),
            delete_records=partial(delete_records, self.kafka),
            terms=CheckpointTerms(settings.checkpoint_every_s, settings.facts_kept_s, settings.archive_kept_s, groups),
        )

    @cached_property
    def cutting(self) -> Cutting:
        """What cuts the logs of removed jobs."""
        return Cutting(self.database, self.settings.removed_kept_s)

    @cached_property
    def followed(self) -> TokenFollower:
        """What keeps the tokens as the database and the environment have them."""
        settings = self.settings
        of_environment = {
            Role.ADMINISTRATOR: settings.token.values,
            Role.EXECUTOR: settings.executor_token.values,
            Role.VALIDATOR: settings.validator_token.values,
            Role.CONSOLE: settings.console_token.values if settings.console_token is not None else (),
        }
        return TokenFollower(self.database, Tokens(of_environment))

    @cached_property
    def auditor(self) -> Auditor:
        """The audit, which is written to its end when the stack is closed."""
        auditor = Auditor(self.database, reads=self.settings.audit_reads)
        self.stack.push_async_callback(auditor.close)
        return auditor

    @cached_property
    def id_tokens(self) -> IdTokens | None:
        """The check of ID tokens; None: no provider of identities is set."""
        settings = self.settings
        if settings.oidc_issuer is None or settings.oidc_rules is None:
            return None
        provider, device = Provider(settings.oidc_issuer), settings.oidc_device_client_id
        return IdTokens(provider, settings.oidc_rules, settings.oidc_client_id, device)

    def make_server(self) -> tuple[SeveralServers, HealthService]:
        """Return the server with all services, and its health service. The tokens have been read."""
        limits = CallLimits(calls_max=self.settings.calls_max, watches_max=self.settings.watches_max)
        server, health = create_server(self.followed.tokens, limits, id_tokens=self.id_tokens, auditor=self.auditor)
        callers, runner, bytes_max = self.callers, self.runner, self.settings.payload_max_bytes
        add_IdentityServiceServicer_to_server(
            IdentityService(self.database, self.followed, runner, self.id_tokens), server
        )
        work = WorkService(
            self.database,
            runner,
            self.secrets,
            upstreams=self.upstreams,
            judgings=self.judging_queue,
            tasks=self.task_queue,
        )
        add_WorkServiceServicer_to_server(work, server)
        add_AgentServiceServicer_to_server(AgentService(callers, runner), server)
        keeping = KeepingService(
            callers,
            runner,
            open_archive=self.open_archive,
            receipt_key=self.receipt_keys[0],
            measure_topics=self._make_log_dirs().measure_topics,
        )
        add_KeepingServiceServicer_to_server(keeping, server)
        add_ReceiptServiceServicer_to_server(ReceiptService(callers, self.receipt_keys), server)
        add_JudgeServiceServicer_to_server(JudgeService(callers, runner, bytes_max), server)
        jobs = JobService(callers, runner, self.watches, self.batches, bytes_max)
        add_JobServiceServicer_to_server(jobs, server)
        operations = OperationsService(
            callers,
            runner,
            self.watches,
            self.batches,
            self.waiting_sums,
            self.dead_letters,
            groups=self.groups,
            upstreams=self.upstreams,
            followed=self.followed,
            storages=self.storages,
        )
        add_OperationsServiceServicer_to_server(operations, server)
        add_JudgingServiceServicer_to_server(JudgingService(callers, runner, self.judging_queue), server)
        return server, health

    # Each has a connection of its own, which is opened by its first question: none waits for another's answer.
    def _make_topics_reader(self) -> Topics:
        topics = Topics(self.kafka)
        self._close_soon(topics.close)
        return topics

    def _make_log_dirs(self) -> LogDirs:
        log_dirs = LogDirs(self.kafka)
        self._close_soon(log_dirs.close)
        return log_dirs

    def _make_readers(self, groups: Mapping[str, str]) -> Readers:
        readers = Readers(self.kafka, groups)
        self._close_soon(readers.close)
        return readers

    def _close_soon(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have a client that only reads from the broker closed at the end, within DISCONNECT_TIMEOUT_S."""

        async def disconnect() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(DISCONNECT_TIMEOUT_S):
                    await close()

        self.stack.push_async_callback(disconnect)
