"""Declare the metrics that every service has, and write all of a process; services add theirs where they measure.

What names a tenant or an agent is in the registry NAMED, and is written, as are exemplars, for holders of the token of
metrics alone.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import Exemplar, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the series of counters

#: Bounds of a request's time, each of which is a series of each method and route, and of times in the life of a job.
REQUEST_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0)
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
    is_open = choose_encoder(accept if names else "")[1].startswith("application/openmetrics-text")
    text = "".join(list_lines(_ALL if names else REGISTRY, is_open=is_open))
    return text.encode(), CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4


#: The suffix and the type, in the older text format, of families that have others in OpenMetrics.
_OLDER: Final = {"counter": ("_total", "counter"), "info": ("_info", "gauge")}
#: Series of which the name and the labels are kept as they are written.
_KEPT_MAX: Final = 10_000


def list_lines(registry: Collector, *, is_open: bool) -> Iterator[str]:
    """Yield the lines of metrics as prometheus_client writes them, in OpenMetrics if `is_open`.

    That one escapes each name and label at each scrape, letter by letter, and takes more than twice as long for
    OpenMetrics. Names are those that Prometheus always allowed; timestamps and units, which we do not have, are not
    written.
    """
    for family in registry.collect():
        suffix, kind = ("", family.type) if is_open else _OLDER.get(family.type, ("", family.type))
        name, told = f"{family.name}{suffix}", _escape(family.documentation, '\\\n"' if is_open else "\\\n")
        yield f"# HELP {name} {told}\n# TYPE {name} {kind}\n"
        for sample in family.samples:
            exemplar = _write_exemplar(sample.exemplar) if is_open and sample.exemplar else ""
            begin = _begin(sample.name, *sample.labels.items())
            yield f"{begin} {floatToGoString(sample.value)}{exemplar}\n"  # type: ignore[no-untyped-call]
    if is_open:
        yield "# EOF\n"


@lru_cache(_KEPT_MAX)
def _begin(name: str, *labels: tuple[str, str]) -> str:
    return f"{name}{{{_join(labels)}}}" if labels else name


def _write_exemplar(exemplar: Exemplar) -> str:
    at = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    value = floatToGoString(exemplar.value)  # type: ignore[no-untyped-call]
    return f" # {{{_join(exemplar.labels.items())}}} {value}{at}"


def _join(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(labels))


def _escape(text: str, letters: str = '\\\n"') -> str:
    for letter in letters:
        text = text.replace(letter, "\\n" if letter == "\n" else f"\\{letter}")
    return text
