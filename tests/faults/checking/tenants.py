"""Whether a hostile tenant is told nothing of others, delays nobody, and loses what is revoked (invariant 13)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from math import inf

from faults.checking.canaries import HOSTILE, find_words
from faults.checking.models import GOES_ON
from faults.checking.observed import Asked, Fault, Observed, Record

#: Within this a revoked token opens nothing at any jobstore.
REVOKED_S = 1.0
#: A stream's end has a way to its reader, on a machine that is busy; and what a fault leaves behind is over so soon.
SLACK_S, SETTLE_S = 1.0, 5.0
#: So much of the executors' room leaves none to others; a tenant may have four fifths.
FULL, EXECUTORS = 0.95, frozenset({"executor", "executor-2"})
JOBSTORE, CONSOLE, GRPC, POSTGRES = "jobstore", "console", "grpc", "postgres"


def nothing_is_told(seen: Observed) -> Iterator[str]:
    """No word of others, and no id, stands in an answer, a stream, a metric, a log or a request to an agent of it."""
    if seen.hostile is None:
        return
    others = seen.ids_of_others
    for heard in seen.hostile.heard:
        told = [*heard.words, *sorted(heard.ids & others)]
        if told:
            yield f"{heard.by} told {HOSTILE}'s {heard.caller} ({heard.code}) of {', '.join(told[:5])}"
    yield from seen.hostile.stolen
    own = len(seen.hostile_jobs)
    if seen.hostile.counted > own:
        yield f"{HOSTILE} was told that there are {seen.hostile.counted} jobs, and has {own}"


def nothing_stands_in_its_records(seen: Observed) -> Iterator[str]:
    """No word of others stands in a fact of the tenant, or in a dead letter of its record, but what it wrote."""
    if seen.hostile is None:
        return
    own, others = seen.hostile_jobs, seen.forged | seen.copied
    for topic, records in seen.topics.items():
        for record in records:
            source = topic.removesuffix("-dlq"), record.value or b""
            is_its = source in seen.hostile.wrote
            if is_its or (source not in others and _is_of(record, own)):
                text = _spell(record, with_value=not is_its)
                if words := find_words(text, seen.hostile.named):
                    yield f"{topic} has of {HOSTILE} a record with {', '.join(words[:5])}"


def _is_of(record: Record, own: AbstractSet[str]) -> bool:
    try:
        body = json.loads(record.value or b"")
    except ValueError:
        return False
    job = body.get("job") or {} if isinstance(body, dict) else {}
    return isinstance(body, dict) and (body.get("job_id") in own or job.get("tenant") == HOSTILE)


def _spell(record: Record, *, with_value: bool) -> str:
    parts = [record.key or b"", *(value or b"" for _, value in record.headers), *([record.value or b""] * with_value)]
    return "\n".join(part.decode("utf-8", "replace") for part in parts)


def it_changes_nothing_of_others(seen: Observed) -> Iterator[str]:
    """No execution that it asked for is of another's job, and no agent is sent another tenant's key for its jobs."""
    if seen.hostile is None:
        return
    own = seen.hostile_jobs
    for entry in seen.logs:
        if entry.execution_id in seen.hostile.execution_ids and entry.job_id not in own:
            yield f"{entry.job_id} version {entry.version} ({entry.kind}) is of an execution that {HOSTILE} asked for"
    yield from (f"an agent was sent the key of its tenant for {job_id}" for job_id in seen.keyed_for_others)


def nobody_waits_for_it(seen: Observed, healthy: str = "steady") -> Iterator[str]:
    """No job of a healthy agent waits long to begin for it.

    Of the time that one waits, that part is for it which its executions have of all that begin meanwhile or, where
    there is no room, of the time that all are with executors, whichever is more: it takes others' turns, or room.
    """
    if seen.hostile is None:
        return
    for asked, at, waited_s in waits(seen, healthy):
        if waited_s > seen.terms.begins_max_s:
            for_it_s = waited_s * _find_share(seen, asked.at, at)
            if for_it_s > seen.terms.begins_max_s:
                yield f"{asked.job_id} of the healthy agent waited {for_it_s:.1f} of {waited_s:.1f} s for {HOSTILE}"


def _find_share(seen: Observed, begin: float, end: float) -> float:
    """Return which part its executions have of all that begin between two times, or that fill the room."""
    own, began, ran_s = seen.hostile_jobs, Counter[bool](), Counter[bool]()
    since: dict[str, float] = {}
    for entry in sorted(seen.logs, key=lambda e: (e.job_id, e.version)):
        known, is_its = entry.execution_id or "", entry.job_id in own
        if entry.kind == "claimed":
            began[is_its] += begin <= entry.at <= end
            since[known] = entry.at
        elif entry.kind not in GOES_ON and known in since:
            ran_s[is_its] += max(0.0, min(entry.at, end) - max(since.pop(known), begin))
    room_s = seen.terms.capacity * sum(name in EXECUTORS for name in seen.rss) * (end - begin)
    counts = [began, ran_s] if ran_s.total() > FULL * room_s else [began]
    return max(count[True] / (count.total() or 1) for count in counts)


def waits(seen: Observed, healthy: str = "steady") -> Iterator[tuple[Asked, float, float]]:
    """Yield what was asked of a healthy agent, when it began, and how long it waited for that, but for faults.

    Left out is the time of each fault, of what it leaves behind (`settle_s`), and as long again as it lasted, in which
    what waited is caught up with.
    """
    claimed: dict[str, float] = {}
    for entry in seen.logs:
        if entry.kind == "claimed" and entry.execution_id:
            claimed[entry.execution_id] = min(entry.at, claimed.get(entry.execution_id, entry.at))
    disturbed = [
        (fault.began_at, fault.ended_at + seen.terms.settle_s + (fault.ended_at - fault.began_at))
        for fault in seen.faults
    ]
    for asked in seen.asked:
        at = claimed.get(asked.execution_id)
        if at is not None and asked.agent == healthy and not asked.cancelled and asked.settled_at:
            yield asked, at, _left(asked.at, at, disturbed)


def _left(begin: float, end: float, spans: Iterable[tuple[float, float]]) -> float:
    """Return how much of a time lies in none of the spans."""
    left_s, until = 0.0, begin
    for since, over in sorted(spans):
        left_s += max(0.0, min(since, end) - until)
        until = max(until, min(over, end))
    return left_s + max(0.0, end - until)


def revoked_tokens_open_nothing(seen: Observed) -> Iterator[str]:
    """Within a second of its revocation a token is refused at each jobstore and console, and its streams have ended.

    But where a fault keeps the news from it.
    """
    for revoked in seen.hostile.revoked if seen.hostile else ():
        due_at = revoked.at + REVOKED_S
        for door, at, is_let_in in revoked.asked:
            if is_let_in and at > due_at and not _is_cut_off(door, revoked.at, at, seen):
                yield f"{door} took {revoked.name} {at - revoked.at:.1f} s after it was revoked"
        for door, ended_at in revoked.streams:
            late_s = (ended_at or inf) - revoked.at
            if late_s > REVOKED_S + SLACK_S and not _is_cut_off(door, revoked.at, due_at + SLACK_S, seen):
                yield f"a stream of {revoked.name} at {door} ended {late_s:.1f} s after it was revoked"


def refused_at(seen: Observed) -> set[str]:
    """Return the doors that no fault hindered, and that refused a revoked token."""
    return {
        door
        for revoked in (seen.hostile.revoked if seen.hostile else ())
        for door, at, is_let_in in revoked.asked
        if not is_let_in and not _is_cut_off(door, revoked.at, at, seen)
    }


def _is_cut_off(door: str, begin: float, end: float, seen: Observed) -> bool:
    number = door.lstrip("abcdefghijklmnopqrstuvwxyz")
    ways = {f"{name}{number}" for name in (JOBSTORE, GRPC, POSTGRES)} if door.startswith(JOBSTORE) else {door}

    def hinders(fault: Fault) -> bool:
        is_near = fault.target in ways | {POSTGRES, "machine"}
        is_behind = door.startswith(CONSOLE) and fault.target.startswith((JOBSTORE, GRPC, POSTGRES))
        return (is_near or is_behind) and fault.within(begin - SETTLE_S, end)

    return any(map(hinders, seen.faults))
