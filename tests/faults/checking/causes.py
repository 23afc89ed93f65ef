"""Which fault can cost an executor a lease, and so end or repeat what it does."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from faults.checking.observed import VERSIONS, Fault, Observed

#: What is done to a process explains that what it called is called again; what is done to others does not.
ENDS_A_CALLER = frozenset({"kill", "stop", "freeze", *VERSIONS})
LINK_FAULTS = frozenset({"cut", "tear", "hang", "delay", "late", "drip", "mute"})
_PROCESS_FAULTS = frozenset({"kill", "stop", "freeze", "empty", "slow disk", "full disk"})
#: A lease is renewed five times while it lasts: after so much of it without a renewal it may have lapsed.
_UNRENEWED_SHARE = 0.8
#: A claim may be granted so long after it was asked for: whoever asked has given up by then, and calls nobody.
_CLAIM_WAITS_S = 30.0
#: A jobstore that does not answer is left for another after so long.
_LEFT_AFTER_S = 3.0
SLACK_S = 1.0


def ends_the_caller(fault: Fault, pids: AbstractSet[int | None], begin: float, end: float) -> bool:
    """Whether it was done to the executor that called; where it is not known which one did, to any."""
    is_caller = fault.pid in pids or not pids - {None}
    is_meant = fault.kind in ENDS_A_CALLER and fault.target.startswith("executor") and is_caller
    return is_meant and fault.within(begin - SLACK_S, end)


def cuts_off(fault: Fault, seen: Observed, begin: float, end: float) -> bool:
    """Whether it kept an executor from all jobstores, between which it turns, until a lease may have lapsed."""
    way, long_s = _way(fault), seen.terms.lease_s * _UNRENEWED_SHARE
    if fault.kind not in LINK_FAULTS or way is None or not fault.within(begin, end):
        return False
    others = {name.removeprefix("jobstore") for name in seen.rss if name.startswith("jobstore")} - {way}
    if not others:
        return fault.ended_at - fault.began_at >= long_s
    both = [other for other in seen.faults if _leaves_no_way(fault, other, begin, end, long_s)]
    return others <= {_way(other) for other in both}


def _leaves_no_way(fault: Fault, other: Fault, begin: float, end: float, long_s: float) -> bool:
    """Whether who waits for one jobstore, and then for another, may come through to neither for so long."""
    together_s = min(fault.ended_at, other.ended_at, end) - max(fault.began_at, other.began_at, begin - SLACK_S)
    in_all_s = max(fault.ended_at, other.ended_at) - min(fault.began_at, other.began_at)
    return together_s >= long_s - _LEFT_AFTER_S and in_all_s >= long_s


def _way(fault: Fault) -> str | None:
    """The number of the jobstore to which it stood in the way, as in its name: "" or "-2"; None: to none, or to all."""
    before = (
        ("jobstore",) if fault.kind in _PROCESS_FAULTS else ("grpc", "postgres") if fault.kind in LINK_FAULTS else ()
    )
    return next((fault.target.removeprefix(name) for name in before if fault.target.startswith(name)), None)


def lapses(seen: Observed, execution_id: str | None, begin: float, end: float) -> Iterator[Fault]:
    """The faults for which a lease may have lapsed that was granted and ended at these times."""
    calls = [c for c in seen.agent_calls if c.execution_id == execution_id and begin <= c.begun_at <= end]
    pids = {call.pid for call in calls}
    answered_at = min((call.ended_at for call in calls if call.ended_at is not None), default=end)
    for fault in seen.faults:
        is_kafka = fault.target == "kafka" and fault.kind in _PROCESS_FAULTS | LINK_FAULTS
        is_owner = fault.kind in _PROCESS_FAULTS and fault.target.startswith(("jobstore", "postgres"))
        if (
            ((is_owner or fault.kind == "starved") and fault.within(begin - SLACK_S, end))
            or (is_kafka and calls and fault.within(answered_at, end))  # the result could not be published
            or ends_the_caller(fault, pids, begin, end)
            or cuts_off(fault, seen, begin, end)
            or (
                not calls and _way(fault) is not None and fault.within(begin - _CLAIM_WAITS_S, end)
            )  # the grant was lost
        ):
            yield fault


def stops(seen: Observed, execution_id: str | None, begin: float, end: float) -> Iterator[Fault]:
    """The faults for which the executor may have stopped that held such a lease."""
    told = {"stop", *VERSIONS}
    return (
        fault
        for fault in lapses(seen, execution_id, begin, end)
        if fault.kind in told and fault.target.startswith("executor")
    )
