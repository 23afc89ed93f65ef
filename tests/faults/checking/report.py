"""What a run shows: the faults and what each hit, the longest waits by their cause, and why calls were repeated."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from faults.checking import calls
from faults.checking.observed import CONCLUDING, Fault, LogRow, Observed

#: What an execution waits for, by the entry after which it does.
_WAITS = {
    "requested": "to begin",
    "claimed": "for the agent",
    "call_begun": "for the agent",
    "progress": "for the agent",
    "call_failed": "to be called again",
    "attempt_failed": "to be called again",
    "given_back": "to begin again",
    "lapsed": "to begin again",
    "result": "for the verdict",
    "misjudged": "for the verdict",
}
#: A wait is put down to a fault that it has so much of in common, or to what the fault left behind.
_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Wait:
    """Between two entries of one execution."""

    job_id: str
    agent_id: str | None
    what: str
    began_at: float
    ended_at: float

    @property
    def lasted_s(self) -> float:
        return self.ended_at - self.began_at


@dataclass(slots=True)
class Hit:
    """All faults of one kind and target."""

    times: int = 0
    longest_s: float = 0.0
    acted: int = 0
    #: Executions that were under way.
    executions: int = 0
    repeats: int = 0
    wait: Wait | None = None


@dataclass(slots=True)
class Report:
    """By fault, what it hit; and by cause, the longest wait and the repeated calls."""

    hits: dict[str, Hit] = field(default_factory=lambda: defaultdict(Hit))
    waits: dict[str, Wait] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        """The report as text."""
        yield "  fault                    times  longest  acted on  executions  calls again  longest wait with it"
        for name, hit in sorted(self.hits.items()):
            wait = f"{hit.wait.lasted_s:.1f} s {hit.wait.what}, {hit.wait.job_id}" if hit.wait else "none"
            numbers = f"{hit.times:5}  {hit.longest_s:5.1f} s  {hit.acted:8}  {hit.executions:10}  {hit.repeats:11}"
            yield f"  {name:24} {numbers}  {wait}"
        for cause, wait in sorted(self.waits.items(), key=lambda one: -one[1].lasted_s):
            yield f"  longest wait by {cause}: {wait.lasted_s:.1f} s {wait.what} ({wait.job_id} of {wait.agent_id})"
        for why, count in self.repeats.most_common():
            yield f"  called again, rightly: {why} {count}"


def report(seen: Observed) -> Report:
    """Sum up what was seen."""
    made, spans = Report(), _under_way(seen)
    begins, ends = sorted(span[0] for span in spans), sorted(span[1] for span in spans)
    for fault in seen.faults:
        hit = made.hits[f"{fault.kind} {fault.target}"]
        hit.times += 1
        hit.longest_s = max(hit.longest_s, fault.ended_at - fault.began_at)
        hit.acted += fault.acted
        hit.executions += bisect_right(begins, fault.ended_at) - bisect_right(ends, fault.began_at)
    for wait in _waits(seen.logs):
        cause = _cause(wait, seen.faults)
        name = f"{cause.kind} {cause.target}" if cause else _other_cause(wait)
        if cause and (made.hits[name].wait is None or wait.lasted_s > made.hits[name].wait.lasted_s):
            made.hits[name].wait = wait
        known = made.waits.get(cause.kind if cause else name)
        if known is None or wait.lasted_s > known.lasted_s:
            made.waits[cause.kind if cause else name] = wait
    for why in calls.reasons(seen):
        made.repeats[why] += 1
        if why in made.hits:
            made.hits[why].repeats += 1
    return made


def _under_way(seen: Observed) -> list[tuple[float, float]]:
    """From when to when each execution was."""
    begun: dict[str, float] = {}
    spans = []
    for entry in sorted(seen.logs, key=lambda e: e.at):
        known = entry.execution_id or ""
        if entry.kind == "requested":
            begun[known] = entry.at
        elif entry.status in CONCLUDING and known in begun:
            spans.append((begun.pop(known), entry.at))
    return spans


def _waits(logs: Sequence[LogRow]) -> Iterator[Wait]:
    by_execution = defaultdict(list)
    for entry in logs:
        if entry.execution_id:
            by_execution[entry.execution_id].append(entry)
    for entries in by_execution.values():
        for one, then in pairwise(sorted(entries, key=lambda e: e.version)):
            if one.kind in _WAITS:
                yield Wait(one.job_id, one.agent_id or then.agent_id, _WAITS[one.kind], one.at, then.at)


def _cause(wait: Wait, faults: Iterable[Fault]) -> Fault | None:
    """The fault that a wait has most in common with."""
    shared = ((min(wait.ended_at, f.ended_at) - max(wait.began_at, f.began_at), f) for f in faults)
    most_s, fault = max(shared, key=lambda one: one[0], default=(0.0, None))
    return fault if most_s > 0 and most_s >= _SHARE * wait.lasted_s else None


def _other_cause(wait: Wait) -> str:
    """What a wait is put down to with nothing broken, or with what is left after it."""
    return {"for the agent": "an agent", "to be called again": "an agent's failure"}.get(wait.what, "what else waits")
