"""What held the queue back, pass by pass, so that an execution that is offered is told what it waited for. Pure.

In memory alone, of the passes of one process: after a start, or of what another process has seen, less is told.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from contracts.waiting import WaitCode
from jobstore.domain.model import Execution, replace
from signoff.jsontext import json_text
from signoff.times import time_text

#: What waited for less is not told.
TOLD_MIN: Final = timedelta(seconds=0.1)
#: Waits that are told of one offer, the longest; and changes that are remembered of one flow.
WAITS_MAX: Final = 4
_CHANGES_MAX: Final = 32

#: The names of the limits that apply to the executions of a flow, its tenant's among them.
FlowKey: TypeAlias = tuple[str, ...]


class Cause(NamedTuple):
    """A code of what holds executions back, and what that is about."""

    code: WaitCode
    name: str = ""


class Hold(NamedTuple):
    """That something held an execution back, from when to when."""

    cause: Cause
    since: datetime
    until: datetime


#: From when on something holds back, or nothing does; the oldest first.
_Changes: TypeAlias = deque[tuple[datetime, Cause | None]]


@dataclass(slots=True)
class Holds:
    """What holds back each flow of the queue, and what holds back all of them, since the last pass and before."""

    _of_flows: dict[FlowKey, _Changes] = field(default_factory=dict)
    _of_all: _Changes = field(default_factory=lambda: deque(maxlen=_CHANGES_MAX))

    def note(self, now: datetime, causes: Mapping[FlowKey, Cause | None], of_all: Cause | None = None) -> None:
        """Note what a pass has found: of all flows that wait, or, where none was read, of all alike."""
        _change(self._of_all, now, of_all)
        if of_all is not None:
            return
        for key in self._of_flows.keys() - causes.keys():  # none of them waits
            del self._of_flows[key]
        for key, cause in causes.items():
            if cause is not None or key in self._of_flows:
                _change(self._of_flows.setdefault(key, deque(maxlen=_CHANGES_MAX)), now, cause)

    def find_holds(self, key: FlowKey, now: datetime) -> list[Hold]:
        """Return what has held back a flow until now, in order."""
        own = self._of_flows.get(key, ())
        times = sorted({at for at, _ in (*own, *self._of_all)} | {now})
        holds: list[Hold] = []
        for since, until in pairwise(times):
            cause = _find_cause(self._of_all, since) or _find_cause(own, since)
            if cause is None:
                continue
            if holds and (holds[-1].cause, holds[-1].until) == (cause, since):
                holds[-1] = holds[-1]._replace(until=until)
            else:
                holds.append(Hold(cause, since, until))
        return holds


def wait_for_time(execution: Execution, now: datetime, until: datetime) -> Execution:
    """Return an execution that is asked for, with the time for which it waits from now on, if that is to come."""
    if until <= now:
        return execution
    return replace(execution, waited=format_waits([Hold(Cause(WaitCode.NOT_BEFORE), now, until)]))


def choose_waits(holds: Sequence[Hold], due_at: datetime) -> list[Hold]:
    """Return for what an execution waited since it was due: the longest waits, in order."""
    waits = [hold._replace(since=max(hold.since, due_at)) for hold in holds]
    told = [wait for wait in waits if wait.until - wait.since >= TOLD_MIN]
    longest = sorted(told, key=lambda wait: wait.since - wait.until)[:WAITS_MAX]
    return sorted(longest, key=lambda wait: wait.since)


def format_waits(waits: Sequence[Hold]) -> str | None:
    """Return waits as the JSON text that rows and entries have: signoff.types.PastWait."""
    told = [
        {"code": cause.code, "name": cause.name, "since": time_text(since), "until": time_text(until)}
        for cause, since, until in waits
    ]
    return json_text(told) if told else None


def _change(changes: _Changes, now: datetime, cause: Cause | None) -> None:
    if (changes[-1][1] if changes else None) != cause:
        changes.append((now, cause))


def _find_cause(changes: Sequence[tuple[datetime, Cause | None]], at: datetime) -> Cause | None:
    return next((cause for changed_at, cause in reversed(changes) if changed_at <= at), None)
