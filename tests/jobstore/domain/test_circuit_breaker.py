"""The circuit breaker of an agent, on every pair of where it stands and what happens."""

from datetime import timedelta
from uuid import UUID

import pytest
from support.jobstore.builders import NOW

from jobstore.agents.rules import CLOSED, Breaker
from jobstore.jobs.model import BreakerTerms
from signoff.status import Circuit

TERMS = BreakerTerms(failures=3, open_first_s=5.0, open_max_s=60.0)
PROBE, OTHER = UUID(int=1), UUID(int=2)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)

STANDS = {
    "closed": CLOSED,
    "failing": Breaker(failures=1),
    "about to open": Breaker(failures=2),
    "open": Breaker(3, 1, LATER),
    "open again": Breaker(4, 2, LATER, PROBE),
    "open, probe still called": Breaker(4, 2, LATER, PROBE, probing=True),
    "half open": Breaker(3, 1, EARLIER),
    "half open at this moment": Breaker(3, 1, NOW),
    "probing": Breaker(3, 1, EARLIER, PROBE, probing=True),
    "probe lost": Breaker(3, 1, EARLIER, PROBE),
}


@pytest.mark.parametrize(
    ("stands", "circuit", "admits_probe", "admits_other"),
    [
        ("closed", Circuit.CLOSED, True, True),
        ("failing", Circuit.CLOSED, True, True),
        ("about to open", Circuit.CLOSED, True, True),
        ("open", Circuit.OPEN, False, False),
        ("open again", Circuit.OPEN, False, False),
        ("open, probe still called", Circuit.OPEN, False, False),
        ("half open", Circuit.HALF_OPEN, True, True),
        ("half open at this moment", Circuit.HALF_OPEN, True, True),
        ("probing", Circuit.HALF_OPEN, True, False),
        ("probe lost", Circuit.HALF_OPEN, True, True),
    ],
)
def test_whom_it_admits(stands: str, circuit: Circuit, *, admits_probe: bool, admits_other: bool) -> None:
    breaker = STANDS[stands]
    assert breaker.circuit_at(NOW) is circuit
    assert [breaker.may_call(execution, NOW) for execution in (PROBE, OTHER)] == [admits_probe, admits_other]


#: Where it stands after a failure of the probe's call, and of another one; None: as before.
FAILED: dict[str, tuple[Breaker | None, Breaker | None]] = {
    "closed": (Breaker(1), Breaker(1)),
    "failing": (Breaker(2), Breaker(2)),
    "about to open": (Breaker(3, 1, NOW + timedelta(seconds=5)), Breaker(3, 1, NOW + timedelta(seconds=5))),
    "open": (None, None),
    "open again": (None, None),
    "open, probe still called": (None, None),
    "half open": (None, None),
    "half open at this moment": (None, None),
    "probing": (Breaker(4, 2, NOW + timedelta(seconds=10), PROBE, probing=True), None),
    "probe lost": (Breaker(4, 2, NOW + timedelta(seconds=10), PROBE), None),
}


@pytest.mark.parametrize("stands", STANDS)
def test_what_a_failure_makes_of_it(stands: str) -> None:
    before = STANDS[stands]
    of_probe, of_other = FAILED[stands]
    assert before.note_failure(PROBE, NOW, TERMS) == (of_probe or before)
    assert before.note_failure(OTHER, NOW, TERMS) == (of_other or before)


@pytest.mark.parametrize("stands", STANDS)
def test_only_a_grant_while_half_open_takes_the_place_of_the_probe(stands: str) -> None:
    before = STANDS[stands]
    after = before.note_grant(OTHER, NOW)
    if before.circuit_at(NOW) is Circuit.HALF_OPEN:
        assert after == Breaker(before.failures, before.opened, before.open_until, OTHER, probing=True)
        assert not after.may_call(PROBE, NOW)
    else:
        assert after == before


def test_the_time_doubles_with_each_opening_up_to_the_longest() -> None:
    breaker, now, seconds = Breaker(failures=2), NOW, []
    for _ in range(7):
        breaker = breaker.note_failure(PROBE, now, TERMS)
        assert breaker.open_until is not None
        seconds.append((breaker.open_until - now).total_seconds())
        now = breaker.open_until
        breaker = breaker.note_grant(PROBE, now)
    assert seconds == [5, 10, 20, 40, 60, 60, 60]
    assert TERMS.open_until(NOW, 10_000) == NOW + timedelta(seconds=60)
