"""Read the facts of jobs, and send a trace of each as it ends. Nothing else of Signoff waits for it.

The offset of its group stays behind the begin of the oldest trace that has not ended: killed, it reads from there, and
sends what it sent before with the same ids. While the receiver takes nothing, nothing is read.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Self
from urllib.parse import unquote

import aiohttp
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from pydantic import SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.events import JobChanged
from contracts.signing import MARKER_HEADER, FactKeys, Unvouched
from contracts.topics import JOBSTORE_GROUPS, TOPIC_OF
from jobstore.tracing.facts import read_fact
from jobstore.tracing.otlp import Receiver
from jobstore.tracing.spans import Chain, Chains, Span, fold
from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.patches import UnreadableBatch, skip_unreadable_batches
from servicekit.process import runtime
from servicekit.process.settings import EnvironmentSettings, ServiceSettings

log = logging.getLogger(__name__)

#: Its consumer group: facts that it has not read may be kept for it (SIGNOFF_FACTS_GROUPS).
GROUP: Final = f"{JOBSTORE_GROUPS}-traces"
#: Records that are read at once, and spans in one request.
RECORDS_MAX: Final = 2_000
SPANS_MAX: Final = 2_000
#: Facts of traces that have not ended: 170 MB where each has one alone. Beyond, the oldest traces end incomplete.
FACTS_MAX: Final = 100_000
#: Seconds after which a trace ends whose next submission did not follow, as its policy said it would.
HELD_S: Final = 3_600.0
#: A broker answers once there is so much to read, or after so long: nobody waits for a trace, and each answer costs.
FETCH_MIN_BYTES: Final = 256 << 10
FETCH_WAIT_MS: Final = 1_000
_FOREVER_MS: Final = 2**31 - 1

TRACES: Final = Counter("signoff_traces", "Traces that were sent")
OPEN: Final = Gauge("signoff_traces_open", "Traces that have begun and not ended")
SHED: Final = Counter("signoff_traces_incomplete", "Traces that were sent before their end, since too many were open")
STALLED: Final = Gauge(
    "signoff_traces_stalled_seconds", "For how long the receiver has taken nothing; 0 while it takes"
)
CUT: Final = Counter("signoff_trace_facts_cut", "Facts that were gone before they were read")
UNREAD: Final = Counter("signoff_trace_facts_unreadable", "Records that are no facts, or that no secret vouches for")


class OtelSettings(EnvironmentSettings):
    """Settings that have OpenTelemetry's names."""

    model_config = SettingsConfigDict(env_prefix="OTEL_")

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_headers: SecretStr | None = None
    service_name: str = "signoff"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of requests, from OTEL_EXPORTER_OTLP_HEADERS: `name=value`, with commas between."""
        given = self.exporter_otlp_headers.get_secret_value() if self.exporter_otlp_headers else ""
        pairs = (pair.partition("=") for pair in given.split(",") if "=" in pair)
        return {name.strip(): unquote(value.strip()) for name, _, value in pairs}

    @property
    def resource(self) -> dict[str, str]:
        """The attributes of who sends."""
        return {"service.name": self.service_name, "service.version": runtime.VERSION}


def to_url(endpoint: str) -> str:
    """Return the URL that spans are posted to."""
    return f"{endpoint.rstrip('/')}/v1/traces"


class Settings(ServiceSettings):
    """Settings of the process, each SIGNOFF_<NAME>. Without `otlp_endpoint`, OTEL_EXPORTER_OTLP_ENDPOINT is taken.

    Traces hold texts of users, agents and judges if `trace_content`. With `fact_keys`, only facts that these keys
    signed are read.
    """

    otlp_endpoint: str | None = None
    trace_content: bool = False
    fact_keys: SecretStr | None = None

    @model_validator(mode="after")
    def _find_endpoint(self) -> Self:
        endpoint = self.otlp_endpoint or OtelSettings().exporter_otlp_endpoint
        if not endpoint:
            raise ValueError("SIGNOFF_OTLP_ENDPOINT is required: where traces are sent, such as http://localhost:4318")
        self.otlp_endpoint = endpoint
        return self

    @property
    def url(self) -> str:
        """The URL that spans are posted to."""
        return to_url(self.otlp_endpoint or "")

    @property
    def keys(self) -> FactKeys | None:
        """The keys that sign facts; None: they are not checked."""
        return None if self.fact_keys is None else FactKeys.parse(self.fact_keys.get_secret_value())


class Partition:
    """The traces of one partition's jobs: which have begun, and from which offset on it is to be read again."""

    def __init__(self, offset: int | None = None) -> None:
        self._chains = Chains()
        self._begins: dict[str, int] = {}
        self._held_at: dict[str, float] = {}
        self._next = offset

    def pass_by(self, first: int, last: int) -> None:
        """Count offsets that are gone before `first`, and go on behind `last`."""
        if self._next is not None and first > self._next:
            CUT.inc(first - self._next)
        self._next = last + 1

    def read(self, record: ConsumerRecord[bytes | None, bytes | None]) -> list[Chain]:
        """Read the next record, and return the chains that it ends. Raise ValueError if it holds no fact."""
        fact = read_fact(record.value or b"")
        ended = self._chains.add(fact)
        for chain in ended:
            self._forget(chain)
        chain_now = self._chains.open.get(fact.job_id)
        if chain_now is not None:
            self._begins.setdefault(fact.job_id, record.offset)
            if chain_now.is_held:
                self._held_at[fact.job_id] = time.monotonic()
            else:
                self._held_at.pop(fact.job_id, None)
        return ended

    def end_held(self) -> list[Chain]:
        """End the chains that wait for a submission that did not follow."""
        late = [job_id for job_id, at in self._held_at.items() if time.monotonic() - at > HELD_S]
        chains = [self._chains.close(self._chains.open[job_id]) for job_id in late]
        for chain in chains:
            self._forget(chain)
        return chains

    def shed(self, facts_max: int) -> list[Chain]:
        """End the oldest chains, incomplete, as long as there are more facts than `facts_max`."""
        if self._chains.facts <= facts_max:
            return []
        oldest = iter(list(self._chains.open.values()))
        chains = list[Chain]()
        while self._chains.facts > facts_max:
            chains.append(self._chains.close(next(oldest)))
            self._forget(chains[-1])
        SHED.inc(len(chains))
        return chains

    def _forget(self, chain: Chain) -> None:
        self._begins.pop(chain.job_id, None)
        self._held_at.pop(chain.job_id, None)

    @property
    def offset(self) -> int | None:
        """The offset behind which nothing is needed any more; None: nothing was read."""
        return next(iter(self._begins.values()), self._next)  # they began in the order of offsets

    def __len__(self) -> int:
        return len(self._begins)


class Exporter(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Reads the facts of the partitions that its group gives it, and sends traces."""

    def __init__(
        self, consumer: AIOKafkaConsumer, receiver: Receiver, keys: FactKeys | None = None, *, content: bool = False
    ) -> None:
        self._consumer = consumer
        self._receiver = receiver
        self._keys = keys
        self._content = content
        self._partitions: dict[TopicPartition, Partition] = {}
        self._committed: dict[TopicPartition, int] = {}

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit what was sent, and forget the rest: whoever reads it next begins there."""
        del revoked
        await self.commit()
        self._partitions.clear()
        self._committed.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin where the group has come to, also if records were read before this was called (aiokafka issue 738)."""
        for place in assigned:
            committed = await self._consumer.committed(place)
            if committed is None:
                await self._consumer.seek_to_beginning(place)
            else:
                self._consumer.seek(place, committed)
            self._partitions[place] = Partition(committed)

    async def run(self) -> None:
        """Read and send, for ever."""
        while True:
            await self.step()

    async def step(self) -> None:
        """Read some records, send the traces that they end, and commit."""
        fetched = await self._consumer.getmany(timeout_ms=500, max_records=RECORDS_MAX)
        ended = [chain for place, records in fetched.items() for chain in self._read(place, records)]
        for partition in self._partitions.values():
            ended += [*partition.end_held(), *partition.shed(FACTS_MAX // len(self._partitions))]
        for batch in divide(fold(chain, content=self._content) for chain in ended):
            await self._receiver.send(batch)
            TRACES.inc(len(batch))
        OPEN.set(sum(map(len, self._partitions.values())))
        await self.commit()

    def _read(
        self, place: TopicPartition, records: Iterable[ConsumerRecord[bytes | None, bytes | None]]
    ) -> Iterable[Chain]:
        partition = self._partitions.setdefault(place, Partition())
        for record in records:
            partition.pass_by(getattr(record, "first_offset", record.offset), record.offset)
            if isinstance(record, UnreadableBatch):
                UNREAD.inc()
            elif MARKER_HEADER not in (headers := dict(record.headers)):
                is_vouched_for = self._keys is None or not isinstance(
                    self._keys.find_signer(record, headers), Unvouched
                )
                try:
                    yield from partition.read(record) if is_vouched_for else ()
                except ValueError as error:
                    is_vouched_for = False
                    log.warning("a record is no fact", extra={"offset": record.offset, "reason": str(error)[:200]})
                UNREAD.inc(not is_vouched_for)

    async def commit(self) -> None:
        """Commit the offsets behind the oldest traces that go on. If that fails, more is read again after a crash."""
        offsets = {place: each.offset for place, each in self._partitions.items()}
        changed = {place: at for place, at in offsets.items() if at is not None and at != self._committed.get(place)}
        if not changed:
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._consumer.commit(changed)
        except (KafkaError, OSError) as error:
            log.warning("offsets are not committed", extra={"reason": str(error)[:200]})
            return
        self._committed |= changed


#: Seconds for a commit.
TIMEOUT_S: Final = 10.0


def divide(traces: Iterable[list[Span]]) -> Iterable[list[list[Span]]]:
    """Yield traces in lists of about SPANS_MAX spans."""
    batch, size = list[list[Span]](), 0
    for spans in traces:
        batch.append(spans)
        size += len(spans)
        if size >= SPANS_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def make_consumer(kafka: KafkaAccess, group: str = GROUP) -> AIOKafkaConsumer:
    """Return a consumer of a group, which is a member however long a receiver takes."""
    skip_unreadable_batches()
    return kafka.make_consumer(
        client_id="signoff-traces",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_interval_ms=_FOREVER_MS,
        fetch_min_bytes=FETCH_MIN_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Send traces until `stop` is set."""
    async with contextlib.AsyncExitStack() as stack:
        checks: dict[str, runtime.Check] = {"reading": lambda: "waits for Kafka"}
        receiver: list[Receiver] = []
        if settings.health_address:
            advice: Mapping[str, runtime.Check] = {"receiver": lambda: receiver[0].explain() if receiver else None}
            runner = await runtime.serve(settings.health_address, checks, advice, tokens=settings.metrics_tokens)
            stack.push_async_callback(runner.cleanup)
        kafka = KafkaAccess.of(settings)
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=True))
        otel = OtelSettings()
        receiver.append(Receiver(session, settings.url, otel.headers, otel.resource))
        STALLED.set_function(lambda: receiver[0].stalled_s)
        consumer = make_consumer(kafka)
        await _start(consumer, kafka)
        stack.push_async_callback(consumer.stop)
        exporter = Exporter(consumer, receiver[0], settings.keys, content=settings.trace_content)
        consumer.subscribe([TOPIC_OF[JobChanged]], listener=exporter)
        del checks["reading"]
        runtime.tune_gc()
        log.info("traces are sent", extra={"url": settings.url})
        await runtime.run_until_first(stop.wait(), exporter.run(), kafka.watch())


async def _start(consumer: AIOKafkaConsumer, kafka: KafkaAccess) -> None:
    while True:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            reason: TransientError = await kafka.explain(error)
            log.warning("Kafka is out of reach", extra={"code": reason.code, "reason": str(reason)})
            await asyncio.sleep(1.0)
        else:
            return
