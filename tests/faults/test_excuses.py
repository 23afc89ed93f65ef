"""A fault excuses what it can cause, when it can, and nothing else."""

import pytest

from faults.checking.calls import repeated_with_a_reason
from faults.checking.models import ends_are_explained
from faults.checking.observed import AgentCall, Fault, Observed
from faults.stories import LIFE, PID, call, entry, modelled, observed

ONCE, STEADY = "once", "steady"
#: When the lease, granted at 103, was found to have lapsed.
ENDED = 112.0


def lost(code: str, *faults: Fault, agent: str = ONCE, calls: tuple[AgentCall, ...] | None = None) -> Observed:
    """An execution that was claimed and called for, and ended without an answer."""
    called = (call(103.5, ended="aborted", ended_at=110.0),) if calls is None else calls
    ended = entry(4, "failed", "FAILED", code=code, at=ENDED, agent_id=agent)
    known = modelled(agents=frozenset({agent}))
    return observed(*LIFE[:3], ended, faults=faults, agent_calls=called, models=known)


LAPSED_BY = [
    Fault("kill", "executor", 104.0, 106.0, PID),
    Fault("freeze", "executor-2", 104.0, 111.0, PID),
    Fault("freeze", "postgres", 104.0, 110.0),
    Fault("full disk", "postgres", 104.0, 110.0),
    Fault("kill", "jobstore-2", 90.0, 103.5, 7),
    Fault("starved", "machine", 105.0, 109.0),
    Fault("freeze", "kafka", 110.5, 111.5),
]
NOT_LAPSED_BY = [
    Fault("stop", "console-2", 42.0, 44.0, 8),
    Fault("stop", "console-2", 104.0, 106.0, 8),
    Fault("kill", "validator", 104.0, 106.0, 9),
    Fault("hang", "judge", 104.0, 110.0),
    Fault("hang", "agent", 104.0, 110.0),
    Fault("rebalance", "executor", 104.0, 110.0),
    Fault("kill", "executor", 104.0, 106.0, PID + 1),
    Fault("kill", "executor", 90.0, 95.0, PID),
    Fault("freeze", "postgres", 90.0, 99.0),
    Fault("freeze", "kafka", 104.0, 108.0),  # nothing was to be published yet
    Fault("delay", "grpc-2", 104.0, 104.5),
    Fault("hang", "grpc", 104.0, 110.0),
]


@pytest.mark.parametrize("fault", LAPSED_BY, ids=str)
def test_a_lease_lapses_for_what_was_done_while_it_ran(fault: Fault) -> None:
    assert not [*ends_are_explained(lost("lease_lapsed", fault))]
    assert not [*ends_are_explained(lost("attempts_exhausted", fault, agent=STEADY))]


@pytest.mark.parametrize("fault", NOT_LAPSED_BY, ids=str)
def test_a_lease_does_not_lapse_for_what_was_done_elsewhere_or_before(fault: Fault) -> None:
    assert [*ends_are_explained(lost("lease_lapsed", fault))]
    assert [*ends_are_explained(lost("attempts_exhausted", fault, agent=STEADY))]


@pytest.mark.parametrize(("began_at", "is_explained"), [(90.0, True), (50.0, False)])
def test_where_nobody_was_called_the_grant_may_have_been_lost_on_its_way(began_at: float, is_explained: bool) -> None:
    fault = Fault("mute", "postgres", began_at, began_at + 5.0)
    assert (not [*ends_are_explained(lost("lease_lapsed", fault, calls=()))]) == is_explained


def test_of_a_caller_that_is_not_known_any_executor_explains_the_loss() -> None:
    killed = Fault("kill", "executor-2", 104.0, 106.0, PID + 1)
    assert not [*ends_are_explained(lost("lease_lapsed", killed, calls=()))]
    assert not [*ends_are_explained(lost("lease_lapsed", killed, calls=(call(103.5, pid=None),)))]
    assert [*ends_are_explained(lost("lease_lapsed", Fault("kill", "console", 104.0, 106.0, 8), calls=()))]


@pytest.mark.parametrize(
    ("fault", "is_explained"),
    [
        (Fault("stop", "executor", 104.0, 113.0, PID), True),
        (Fault("extra", "executor", 90.0, 113.0, PID), True),
        (Fault("stop", "executor", 104.0, 113.0, PID + 1), False),
        (Fault("kill", "executor", 104.0, 113.0, PID), False),
        (Fault("stop", "jobstore", 104.0, 113.0, 7), False),
    ],
    ids=str,
)
def test_a_worker_stops_because_it_was_told_to(fault: Fault, is_explained: bool) -> None:
    assert bool([*ends_are_explained(lost("worker_stopped", fault))]) is not is_explained


def repeated(*faults: Fault, **fields: object) -> Observed:
    """A call whose caller lost its lease, and left it, and another one's under the next."""
    first = call(103.0, ended="aborted", ended_at=108.0)
    again = entry(4, "lapsed", "IN_PROGRESS", at=109.0), entry(5, "claimed", "IN_PROGRESS", lease=2, at=110.5)
    return observed(*LIFE[:3], *again, agent_calls=[first, call(111.0, pid=PID + 1)], faults=faults, **fields)


HUNG, HUNG_TOO = Fault("hang", "grpc", 104.0, 109.0), Fault("hang", "grpc-2", 105.0, 110.0)
REPEATS = {
    "both links hung": (repeated(HUNG, HUNG_TOO), True),
    "one link hung, and the other jobstore was frozen": (repeated(HUNG, Fault("freeze", "jobstore-2", 104, 110)), True),
    "one hung, and the other had no database": (repeated(HUNG, Fault("cut", "postgres-2", 104.0, 108.5)), True),
    "one after the other, each for a while": (
        repeated(Fault("hang", "grpc", 104.0, 107.0), Fault("cut", "grpc-2", 105.5, 109.0)),
        True,
    ),
    "the only link hung": (repeated(HUNG, rss={"jobstore": 1}), True),
    "the only link was slow for a moment": (repeated(Fault("delay", "grpc", 104, 104.5), rss={"jobstore": 1}), False),
    "a link was slow for a moment": (repeated(Fault("delay", "grpc-2", 104.0, 104.5)), False),
    "one of two links hung": (repeated(HUNG), False),
    "one link hung, and the same jobstore was frozen": (repeated(HUNG, Fault("freeze", "jobstore", 104, 110)), False),
    "both were slow for a moment": (
        repeated(Fault("delay", "grpc", 104.0, 104.5), Fault("delay", "grpc-2", 104.0, 104.5)),
        False,
    ),
    "one link hung, and the other long after": (repeated(HUNG, Fault("hang", "grpc-2", 110.5, 117.0)), False),
    "both links hung before": (repeated(Fault("hang", "grpc", 90, 97), Fault("hang", "grpc-2", 90, 97)), False),
    "its executor was killed": (repeated(Fault("kill", "executor", 104.0, 106.0, PID)), True),
    "one link hung, and another executor was killed": (
        repeated(HUNG, Fault("kill", "executor", 104.0, 106.0, PID + 1)),
        False,
    ),
}


@pytest.mark.parametrize("what", REPEATS)
def test_a_call_is_repeated_where_its_lease_may_have_lapsed(what: str) -> None:
    seen, is_explained = REPEATS[what]
    assert bool([*repeated_with_a_reason(seen)]) is not is_explained
