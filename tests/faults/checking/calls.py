"""What may be said of calls of agents: when one may be repeated, and how many there may be (invariants 3, 4, 9)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf

from faults.checking.causes import LINK_FAULTS, SLACK_S, cuts_off, ends_the_caller
from faults.checking.observed import (
    ABORTED,
    AFTERWARDS,
    ANSWERED,
    CONCLUDING,
    DECLINED,
    KEYED,
    ONCE,
    RUNNING,
    SHOWN,
    AgentCall,
    Fault,
    LogRow,
    Observed,
)
from faults.checking.spans import most_at_once

#: Between a caller that begins a call and the agent that sees it lie a link, this process and a busy machine.
SEEN_LATE_S = 5.0


def by_execution(seen: Observed) -> dict[str, list[AgentCall]]:
    calls = defaultdict(list)
    for call in sorted(seen.agent_calls, key=lambda c: c.begun_at):
        calls[call.execution_id].append(call)
    return calls


def repeated_with_a_reason(seen: Observed) -> Iterator[str]:
    for first, again, why in _repeats(seen):
        if why is None:
            yield (
                f"{first.execution_id} of {first.job_id} was called again without a reason: the first call "
                f"{first.ended} after {(first.ended_at or again.begun_at) - first.begun_at:.1f} s "
                f"(pid {first.pid}), the second came {again.begun_at - first.begun_at:.1f} s after it "
                f"(pid {again.pid}), at {again.begun_at:.1f}"
            )


def reasons(seen: Observed) -> Iterator[str]:
    """Of each call that was repeated, why that was right."""
    return (why for _, _, why in _repeats(seen) if why is not None)


def _repeats(seen: Observed) -> Iterator[tuple[AgentCall, AgentCall, str | None]]:
    entries = defaultdict(list)
    for entry in seen.logs:
        entries[entry.execution_id].append(entry)
    for execution_id, calls in by_execution(seen).items():
        for first, again in pairwise(calls):
            why = _explained(first, again, seen)
            if why is None and _timed_out(first, again, entries[execution_id], seen):
                why = "timed out before it arrived"
            yield first, again, why


def _explained(first: AgentCall, again: AgentCall, seen: Observed) -> str | None:
    """The agent failed it, it took too long, its caller was lost or cut off from the agent or its leases."""
    if first.ended not in {ANSWERED, DECLINED, ABORTED, RUNNING}:
        return f"the agent: {first.ended}"
    ended_at = first.ended_at or again.begun_at
    if ended_at - first.begun_at >= seen.terms.attempt_timeout_s - SLACK_S / 2:
        return "timed out"
    found = (f for f in seen.faults if _explains(f, first, ended_at, again, seen))
    return next((f"{fault.kind} {fault.target}" for fault in found), None)


def _timed_out(first: AgentCall, again: AgentCall, entries: Sequence[LogRow], seen: Observed) -> bool:
    """The caller counts from before its request arrives: since it had its lease, it may have waited for so long.

    So it has where it called again under that lease, and where it said so and another lease followed.
    """
    leased_at = max((e.at for e in entries if e.kind == "claimed" and e.at <= first.begun_at), default=first.begun_at)
    said_at = [
        e.at for e in entries if e.code == "agent_timeout" and first.begun_at - SLACK_S <= e.at <= again.begun_at
    ]
    lapsed = any(e.kind == "claimed" and first.begun_at < e.at <= again.begun_at for e in entries)
    until = max(said_at, default=leased_at) if lapsed else again.begun_at
    return until - leased_at >= seen.terms.attempt_timeout_s - SLACK_S / 2


def _explains(fault: Fault, first: AgentCall, ended_at: float, again: AgentCall, seen: Observed) -> bool:
    if fault.kind == "starved":  # nobody had a turn, and leases lapse
        return fault.within(first.begun_at - SLACK_S, again.begun_at)
    if fault.kind in LINK_FAULTS and fault.target == "agent":
        return fault.within(first.begun_at - SLACK_S, ended_at + SLACK_S)
    if ends_the_caller(fault, {first.pid}, first.begun_at, again.begun_at):
        return True
    return fault.target.startswith("grpc") and cuts_off(fault, seen, first.begun_at, again.begun_at)


def the_same_every_time(seen: Observed) -> Iterator[str]:
    for execution_id, calls in by_execution(seen).items():
        if any(call.key != execution_id for call in calls):
            yield f"{execution_id} was called with the keys {sorted({str(c.key) for c in calls})}"
        if len({call.body for call in calls}) > 1:
            yield f"{execution_id} was called with {len({call.body for call in calls})} different bodies"


def at_most_once(seen: Observed) -> Iterator[str]:
    once = {job_id for job_id, model in seen.models.items() if model.is_once}
    for execution_id, calls in by_execution(seen).items():
        if (calls[0].agent == ONCE or calls[0].job_id in once) and len(calls) > 1:
            yield f"{execution_id}, of {calls[0].agent} that is called at most once, was called {len(calls)} times"


def made_once_where_it_is_shown(seen: Observed) -> Iterator[str]:
    """An agent that shows its work, or knows it by a key, makes no second piece of it, whatever is done to the system.

    But of what failed, or was stopped; and where two requests, of which one was held up, cross.
    """
    for execution_id, calls in by_execution(seen).items():
        for first, again in pairwise(calls):
            is_kept = first.agent in SHOWN | KEYED and first.ended in {ANSWERED, RUNNING}
            if is_kept and not (first.agent in SHOWN and _cross(first, again, seen)):
                after_s = again.begun_at - first.begun_at
                yield f"{first.agent} made {execution_id} of {first.job_id} again, {after_s:.1f} s after the first"


def _cross(first: AgentCall, again: AgentCall, seen: Observed) -> bool:
    """Whether the agent may have been asked for its work before the first call arrived, and called again after it."""
    if again.begun_at - first.begun_at > seen.terms.attempt_timeout_s:
        return False
    slow = (
        f
        for f in seen.faults
        if (f.kind in LINK_FAULTS and f.target == "agent")
        or (f.kind == "freeze" and f.target.startswith("executor"))
        or f.kind == "starved"
    )
    return any(fault.within(first.begun_at - seen.terms.attempt_timeout_s, again.begun_at) for fault in slow)


def shown_work_is_found(seen: Observed) -> Iterator[str]:
    """Of an execution whose work an agent showed when it was last granted, nobody says that it shows none."""
    claimed = {e.execution_id: e.at for e in sorted(seen.logs, key=lambda e: e.at) if e.kind == "claimed"}
    unknown = {e.execution_id for e in seen.logs if e.code == "agent_work_unknown"}
    for call in seen.agent_calls:
        is_shown = call.agent in SHOWN and call.ended in {ANSWERED, RUNNING}
        if is_shown and call.execution_id in unknown and call.begun_at < claimed.get(call.execution_id, 0.0):
            yield f"{call.execution_id} of {call.job_id} ended as unknown, and {call.agent} shows its work"


def none_after_the_end(seen: Observed) -> Iterator[str]:
    """A call begins only under a lease that runs, so none begins a lease length after its execution ended."""
    ends = [
        e
        for e in seen.logs
        if e.status in CONCLUDING and e.kind not in {"result", *AFTERWARDS} and e.code != "rejudged"
    ]
    ended = {e.execution_id: e.at for e in ends}
    for call in seen.agent_calls:
        late_s = call.begun_at - ended.get(call.execution_id, call.begun_at)
        if late_s > seen.terms.lease_s + SEEN_LATE_S and not _held_up(call, seen):
            yield f"{call.execution_id} of {call.job_id} was called {late_s:.1f} s after it had ended"


def _held_up(call: AgentCall, seen: Observed) -> bool:
    """Whether the request had left its caller and was under way, on a link or in a frozen process."""
    slow = (f for f in seen.faults if f.target == "agent" or (f.kind == "freeze" and f.pid == call.pid))
    return any(fault.within(call.begun_at - SLACK_S, call.begun_at) for fault in slow)


def within_capacity(seen: Observed) -> Iterator[str]:
    """How many calls each executor had open at once, as the agents saw it."""
    by_pid = defaultdict(list)
    for call in seen.agent_calls:
        if call.pid is not None:
            by_pid[call.pid].append(call)
    for pid, calls in by_pid.items():
        # One that is aborted is seen to end a little later.
        most, _ = most_at_once([(c.begun_at, c.ended_at if c.ended_at is not None else inf) for c in calls])
        if most > seen.terms.capacity * 1.1 + 3:
            yield f"the executor {pid} had {most} calls open, with a capacity of {seen.terms.capacity}"
