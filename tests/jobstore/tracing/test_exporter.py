"""Traces are sent from a real broker's facts: each once it ends, and again, the same, by whoever goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from support.fakes import until
from support.jobstore.memory import Life
from support.jobstore.traced import TracedJobstore
from support.kafka.topics import Place
from support.otlp import Collector, roots

from contracts.events import JobChanged
from contracts.topics import TOPIC_OF
from jobstore.tracing import otlp
from jobstore.tracing.exporter import Exporter, OtelSettings, Settings, make_consumer
from jobstore.tracing.otlp import Receiver
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics
from signoff.status import Outcome

pytestmark = pytest.mark.real
TOPIC = TOPIC_OF[JobChanged]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "AGAIN_FIRST_S", 0.01)
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.5)


@pytest.fixture
async def place(kafka: str) -> Place:
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    return await Place.now(kafka, TOPIC)


@asynccontextmanager
async def exporting(place: Place, collector: Collector) -> AsyncIterator[Exporter]:
    """An exporter that runs meanwhile, and is then killed."""
    async with collector.serving() as url, aiohttp.ClientSession() as session:
        consumer = make_consumer(KafkaAccess(place.kafka), place.group)
        await consumer.start()
        exporter = Exporter(
            consumer, Receiver(session, f"{url}/v1/traces", {"x-key": "1"}, {"service.name": "signoff"})
        )
        consumer.subscribe([TOPIC], listener=exporter)
        running = asyncio.create_task(exporter.run())
        try:
            yield exporter
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await consumer.stop()


def live(store: TracedJobstore, job_id: str) -> Life:
    life = Life(store, job_id)
    return life.judging()


async def test_each_job_has_one_trace_and_a_killed_exporter_leaves_neither_gap_nor_double(place: Place) -> None:
    store, collector = TracedJobstore(), Collector()
    waits = live(store, "waits")
    ids = [f"job-{number}" for number in range(20)]
    for job_id in ids:
        live(store, job_id).judged(Outcome.PASS, duration_s=0.0)
    await place.put(*store.facts)
    async with exporting(place, collector):
        await until(lambda: len(collector.jobs()) == 20)
    assert collector.jobs() == sorted(ids)
    left = await place.uncommitted()
    assert left >= len(store.facts) - 5  # it stays behind the one that waits
    told = len(store.facts)
    waits.judged(Outcome.FAIL, duration_s=0.0)
    await place.put(*store.facts[told:])
    again = Collector()
    async with exporting(place, again):
        await until(lambda: "waits" in again.jobs())
        await until_committed(place)
    assert again.jobs() == sorted([*ids, "waits"])
    for span_id, span in collector.spans.items():
        assert again.spans[span_id] == span
    assert set(again.times.values()) == {1}
    assert all(len(roots(spans)) == 1 for spans in again.traces().values())
    assert len(again.traces()) == 21


async def until_committed(place: Place) -> None:
    async with asyncio.timeout(30):
        while await place.uncommitted():
            pass


@pytest.mark.parametrize("answers", [(503, 429, 500, 401), (0, 404)], ids=["refuses", "hangs"])
async def test_while_the_receiver_takes_nothing_nothing_more_is_read_and_all_is_sent_then(
    place: Place, answers: tuple[int, ...]
) -> None:
    store, collector = TracedJobstore(), Collector(*answers)
    live(store, "first").judged(Outcome.PASS)
    await place.put(*store.facts)
    async with exporting(place, collector):
        await until(lambda: collector.requests >= 1)
        assert await place.uncommitted() == len(store.facts)
        await until(lambda: collector.jobs() == ["first"])
        await until_committed(place)
    assert collector.requests == len(answers) + 1
    assert collector.headers[0]["x-key"] == "1"


async def test_a_trace_that_is_refused_for_good_holds_up_no_other(place: Place) -> None:
    store, collector = TracedJobstore(), Collector()
    collector.refuses = "job-3"
    for number in range(8):
        live(store, f"job-{number}").judged(Outcome.PASS)
    await place.put(b"no fact", None, *store.facts)
    async with exporting(place, collector):
        await until_committed(place)
    assert collector.jobs() == [f"job-{number}" for number in range(8) if number != 3]


def test_settings_are_those_of_opentelemetry_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNOFF_OTLP_ENDPOINT", raising=False)
    with pytest.raises(ValueError, match="SIGNOFF_OTLP_ENDPOINT is required"):
        Settings()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, tenant=a")
    settings = Settings()
    assert settings.url == "http://127.0.0.1:4318/v1/traces"
    assert OtelSettings().headers == {"authorization": "Bearer x", "tenant": "a"}
