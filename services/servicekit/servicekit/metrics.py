"""Declare the metrics that every service has, and write all of a process; services add theirs where they measure.

What names a tenant or an agent is in the registry NAMED, and is written, as are exemplars, for holders of the token of
metrics alone.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the series of counters

#: Bounds of a request's time, and of times in the life of a job, in seconds.
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LIFE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0)
#: Families whose labels name tenants or agents.
NAMED: Final = CollectorRegistry()
#: The value of a label that stands for all beyond those that are counted by themselves.
OTHER: Final = "other"

DEAD_LETTERS = Counter("signoff_dead_letters", "Records put into a dead-letter queue", ["topic", "code"])
REFUSED_RECORDS = Counter("signoff_refused_records", "Records that cannot be processed", ["topic", "code"])
UNREADABLE_BATCHES = Counter("signoff_unreadable_batches", "Batches of records that were passed by unread", ["topic"])
CERTIFICATE_ENDS = Gauge("signoff_certificate_ends_seconds", "When a certificate ends, since 1970", ["file"])
WAITING = Gauge("signoff_waiting", "How many wait for a part that is out of reach", ["on"])
BATCH_RECORDS = Histogram("signoff_batch_records", "Records a batch", ["topic"], buckets=[1, 5, 20, 50, 100, 200, 500])
IN_FLIGHT = Gauge("signoff_in_flight", "Leases held", ["kind"])
OUTCOMES = Gauge("signoff_outcomes_awaited", "Outcomes reported and not known to be recorded", ["kind"])
LOOP_DELAY = Histogram(
    "signoff_loop_delay_seconds",
    "By how much the event loop was late for a timer that rings once a second",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)


class Names:
    """Bound the values of a label: beyond the first `most` all are OTHER, so that nobody makes series without end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known = set[str]()

    def bound(self, value: str) -> str:
        """Return a value, or OTHER if as many others are known as may be."""
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value


class Family(NamedTuple):
    """A family of gauges that is shown from time to time, with the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def make(self, values: Mapping[tuple[str, ...], float]) -> Metric:
        """Return the family with these values by their labels."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


class Sampled(Collector):
    """Gauges that one process at a time samples for all, and shows until the time when another one may."""

    def __init__(self, *families: Family) -> None:
        self._families = families
        self._values: Mapping[Family, Mapping[tuple[str, ...], float]] = {}
        self._until = 0.0
        REGISTRY.register(self)

    def show(self, values: Mapping[Family, Mapping[tuple[str, ...], float]], until: float) -> None:
        """Show these values until a time of the monotonic clock, and no others."""
        self._values, self._until = values, until

    def collect(self) -> Iterable[Metric]:
        """Yield the families; they have values while this process is the one that shows them."""
        values = self._values if time.monotonic() < self._until else {}
        return [family.make(values.get(family, {})) for family in self._families]

    def describe(self) -> Iterable[Metric]:
        """Yield the families without values."""
        return [family.make({}) for family in self._families]


class _All(CollectorRegistry):
    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from NAMED.collect()


_ALL: Final = _All()


def write(accept: str, *, names: bool) -> tuple[bytes, str]:
    """Return all metrics of this process, and their Content-Type: one that `accept` asks for.

    Without `names` nothing is of one tenant, agent or execution: OpenMetrics, which has exemplars, is not written then.
    """
    encode, content_type = choose_encoder(accept if names else "")
    return encode(_ALL if names else REGISTRY), content_type
