"""Which faults, when and for how long: drawn from a seed, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from random import Random

from faults.checking.observed import FUNCTION, VERSIONS, Terms
from faults.stack.world import KAFKA_OF, link_names, numbered, service_names

#: Links that hang or are slow longer than a lease are partitions; those that are cut come back.
_LINK_MODES = ("cut", "tear", "hang", "delay", "drip")
#: The broker and the database may also answer two seconds later, or not at all on the connections that there are.
_BACKING_MODES = ("late", "mute")
_AT_ONCE = ("kill", "stop")
#: Seconds that a process stands still, or a stranger holds partitions that it does not read, now and then in a storm
#: that lasts several times as long: enough for whoever can do without it to have done so.
_LONG_S = 60.0


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault: `after_s` from the storm's beginning, and for `lasts_s` where it lasts.

    One that is `alone` begins once what was done before it has settled, and nothing is done until it has settled, too.
    """

    kind: str
    target: str
    after_s: float
    lasts_s: float
    alone: bool = False

    def __str__(self) -> str:
        return f"{self.after_s:6.1f} s  {self.kind} {self.target}" + (
            f" for {self.lasts_s:.1f} s" * (self.lasts_s > 0) + ", alone" * self.alone
        )


def deck(jobstores: int) -> list[tuple[str, str]]:
    """Every fault there is, once; the emptied broker, the database's death and its full disk more often."""
    return [
        *product((*_AT_ONCE, "freeze"), (*service_names(jobstores), "postgres", "kafka")),
        *product(_AT_ONCE, (FUNCTION,)),
        *product(_LINK_MODES, link_names(jobstores)),
        *product(_BACKING_MODES, (*numbered("postgres", jobstores), *numbered(KAFKA_OF, jobstores), "kafka")),
        *product(VERSIONS, ("executor", "validator")),
        *product(("rebalance", "thief"), ("jobstore", "executor", "validator")),
        ("empty", "kafka"),
        ("empty", "kafka"),
        ("kill", "postgres"),
        ("slow disk", "postgres"),
        ("full disk", "postgres"),
        ("full disk", "postgres"),
    ]


def planned(seed: int, count: int, every_s: float, terms: Terms, jobstores: int) -> list[Planned]:
    """`count` faults, one `every_s` seconds on average: the whole deck before any comes again.

    In a storm that is long enough the first thief of each group is alone, so that what follows is put down to it.
    """
    random = Random(f"faults/{seed}")
    cards = _dealt(random, deck(jobstores))
    long_s = _LONG_S if count * every_s >= 4 * _LONG_S else 0.0
    plan: list[Planned] = []
    stolen_from = set() if long_s else {target for kind, target in deck(jobstores) if kind == "thief"}
    held_s = 0.0
    for n in range(count):
        after_s = n * every_s + random.uniform(0, every_s) + held_s
        fault = _drawn(random, *next(cards), after_s, terms, long_s)
        if fault.kind == "thief" and fault.target not in stolen_from:
            stolen_from.add(fault.target)
            held_s += terms.settle_s + fault.lasts_s + terms.settle_s
            fault = replace(fault, after_s=after_s + terms.settle_s, alone=True)
        plan.append(fault)
    return plan


def _dealt(random: Random, cards: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    while True:
        random.shuffle(cards)
        yield from cards


def _drawn(random: Random, kind: str, target: str, after_s: float, terms: Terms, long_s: float) -> Planned:
    if kind in {*_AT_ONCE, "empty"}:
        return Planned(kind, target, after_s, 0)
    if kind == "freeze":
        lasts_s = terms.lease_s + random.uniform(1, 3)
        return Planned(kind, target, after_s, max(lasts_s, random.choice((0.0, 0.0, long_s))))
    if kind == "thief":
        return Planned(kind, target, after_s, long_s or terms.lease_s)
    if kind == "full disk":  # long enough for the server to need some more of it
        return Planned(kind, target, after_s, random.uniform(1, 3) * terms.lease_s)
    if kind in VERSIONS:  # until others of its group have heard of it, and then it works for a while
        return Planned(kind, target, after_s, terms.lease_s * random.uniform(2, 4))
    return Planned(kind, target, after_s, random.uniform(0.5, terms.lease_s * 2))
