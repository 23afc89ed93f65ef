"""Labels are bounded, what is sampled is shown by one process at a time, and a scrape is cheap."""

import asyncio
import time
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from support.fakes import until

from servicekit import metrics
from servicekit.metrics import LOOP_DELAY, OTHER, Family, Names, Sampled, list_lines, write
from servicekit.process.runtime import tick


def test_beyond_the_first_all_values_of_a_label_are_counted_together() -> None:
    names = Names(2)
    assert [names.bound(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


def test_what_was_sampled_is_shown_until_another_may_sample() -> None:
    family = Family("test_sampled", "of a test", ("state",))
    sampled = Sampled(family)
    try:
        assert REGISTRY.get_sample_value("test_sampled", {"state": "queued"}) is None
        sampled.show({family: {("queued",): 3.0}}, time.monotonic() + 60)
        assert REGISTRY.get_sample_value("test_sampled", {"state": "queued"}) == 3.0
        assert 'test_sampled{state="queued"} 3.0' in write("", names=False)[0].decode().splitlines()
        sampled.show({family: {("queued",): 3.0}}, time.monotonic())
        assert REGISTRY.get_sample_value("test_sampled", {"state": "queued"}) is None
        assert "# TYPE test_sampled gauge" in write("", names=False)[0].decode().splitlines()
    finally:
        REGISTRY.unregister(sampled)


TEXTS = some.text(some.sampled_from('\\\n"n{}=, #aä\u2028'), max_size=6)
VALUES = some.floats() | some.integers(-(2**70), 2**70) | some.booleans()


class Shown(Collector):
    """Shows one family of gauges, as what is sampled is shown."""

    def __init__(self, family: Family, values: dict[tuple[str, ...], float]) -> None:
        self._family, self._values = family, values

    def collect(self) -> Iterable[object]:
        yield self._family.make(self._values)


@given(TEXTS, some.dictionaries(some.tuples(TEXTS, TEXTS), VALUES), some.floats(0), TEXTS)
def test_what_is_written_is_what_prometheus_client_writes(
    told: str, values: dict[tuple[str, str], float], seconds: float, text: str
) -> None:
    registry = CollectorRegistry()
    registry.register(Shown(Family("a_gauge", told, ("of", "by")), values))
    counter = Counter("a_counter", told, ["of"], registry=registry)
    for each in values:
        counter.labels(each[0]).inc(seconds, {"trace_id": text} if text else None)
    Histogram("a_histogram", told, registry=registry, buckets=(0.5, 7)).observe(seconds, {"a": text, "b": "1"})
    Histogram("a_labelled_histogram", told, ["le_of"], registry=registry).labels(text).observe(seconds)
    Gauge("another_gauge", told, registry=registry).set(seconds)
    Info("an_info", told, registry=registry).info({"version": text})
    assert "".join(list_lines(registry, is_open=False)) == generate_latest(registry).decode()
    assert "".join(list_lines(registry, is_open=True)) == openmetrics.generate_latest(registry).decode()


def test_counters_have_no_series_of_when_they_were_made() -> None:
    metrics.DEAD_LETTERS.labels("test-dlq", "a").inc(0)
    body, kind = write("application/openmetrics-text; version=1.0.0", names=True)
    series = {line.partition("{")[0].partition(" ")[0] for line in body.decode().splitlines() if line[0] != "#"}
    assert not [name for name in series if name.endswith("_created")]
    assert kind.startswith("application/openmetrics-text")
    assert write("", names=True)[1].startswith("text/plain; version=0.0.4")


async def test_a_loop_that_is_held_up_is_seen() -> None:
    measuring = asyncio.create_task(tick(lambda: None, 0.01))
    before = LOOP_DELAY._sum.get()
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - what holds the loop up
    await until(lambda: LOOP_DELAY._sum.get() >= before + 0.15)
    measuring.cancel()
