"""Explain what holds an execution back now, in numbers, and what lifts that. Pure.

An execution that `executions.offers` would not offer has a reason here; one that it would offer has no reason but its
turn. A test compares the two.
"""

import shlex
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from contracts.waiting import CONFIRM_LIMITS, Owner, WaitCode
from jobstore.jobs.model import ExecutionStage, ExecutionState
from jobstore.limits.rules import PERIOD_PARTS, SharedRoom, agent_limit, end_of_day, list_protocols, tenant_limit
from servicekit.leasing.slots import SHARE
from signoff.jsontext import json_text
from signoff.types import Reason, WaitingSum
from signoff.values import time_text, to_usd, usd_text

#: The wait that outweighs one level of priority. Nothing starves: ranks do not change, and newer ones come later.
AGEING: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """The use of the limit that applies to a name.

    `own`: the values that the limit of this very name sets. `paused_by`: the limit that sets whether executions are
    paused, since `updated_at`. With a concurrency or a rate, `running` executions are counted, of which `offered` have
    not begun; with a rate, the `starts` of its window, by part of the window, the oldest first. With `nanos_per_day`,
    what a tenant may spend in a day: what was spent this day, as agents claim and by judges.
    """

    name: str
    own: Mapping[str, object]
    paused: bool
    paused_by: str
    updated_at: datetime
    rate_period_s: float
    running: int
    offered: int = 0
    concurrency: int | None = None
    rate: int | None = None
    starts: Sequence[tuple[datetime, int]] = ()
    nanos_per_day: int | None = None
    agents_nanos: int = 0
    judges_nanos: int = 0

    @property
    def has_spent_all(self) -> bool:
        """Whether as much is spent this day as may be."""
        return self.nanos_per_day is not None and self.agents_nanos + self.judges_nanos >= self.nanos_per_day

    @property
    def started(self) -> int:
        """How much of the limit's rate is used: by starts within the window, and by offers, which may begin."""
        return sum(count for _, count in self.starts) + self.offered

    def find_opening(self, now: datetime) -> datetime | None:
        """Return when the rate allows the next start; None if it allows one now, or no rate is set."""
        if self.rate is None:
            return None
        started, opens_at = self.started, None
        window = timedelta(seconds=self.rate_period_s * (1 + 1 / PERIOD_PARTS))
        parts = iter((*self.starts, (now, self.offered)))
        while started >= self.rate:
            began_at, count = next(parts)
            started, opens_at = started - count, max(began_at + window, now)
        return opens_at


@dataclass(frozen=True, slots=True)
class CircuitUse:
    """An agent's circuit that is not closed: it is open until `open_until`, and half open from then on."""

    agent_id: str
    failures: int
    open_until: datetime
    is_probed: bool


@dataclass(frozen=True, slots=True)
class Room:
    """The room of the live workers of a stage: for `free` more leases, beside those `leased` and `offered`.

    `capacity` is how many leases these workers hold at once, which of `by_memory` of them is what their memory allows.
    `partitions` are those that they read, None if one does not report them; `paced` asks wait for a judge's pace.
    """

    workers: int
    free: int
    leased: int
    offered: int
    seen_at: datetime | None = None
    capacity: int = 0
    partitions: int | None = None
    by_memory: int = 0
    paced: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What executions may wait for at the time `now`: limits by name, circuits by agent, rooms by stage.

    `held`: how many executions a tenant or agent runs, by the name of its limit, if that exceeds its share.
    """

    now: datetime
    limits: Mapping[str, LimitUse] = field(default_factory=dict)
    circuits: Mapping[str, CircuitUse] = field(default_factory=dict)
    rooms: Mapping[ExecutionStage, Room] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    #: Whether a rebuild did not find them, so that nothing is offered until somebody has confirmed those that are set.
    are_limits_lost: bool = False
    #: The protocols of waiting executions by which no live executor calls agents.
    uncalled: Sequence[str] = ()
    #: The names of limits under which executions of the caller's tenants alone are counted; None: of all tenants.
    own: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that has all capabilities that a job needs."""

    agent_id: str
    enabled: bool
    paused: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """An execution that waits, or `count` executions for which the same holds.

    If it is not due, `is_again` tells whether `due_at` is the time of another try, of its call or, if an executor could
    not call its agent, of its offer; else it is that before which it must not begin.
    `retry_at` is when the worker that holds the execution calls the agent again; `judge_away_at` is since when the
    judge has not answered the validator that holds it. `needed` are the capabilities that a job without an execution
    needs, and `candidates` the agents that have them all.
    """

    stage: ExecutionStage | None = None
    state: ExecutionState | None = None
    due_at: datetime | None = None
    is_again: bool = False
    tenant: str = ""
    flow: Sequence[str] = ()
    retry_at: datetime | None = None
    judge_away_at: datetime | None = None
    needed: Sequence[str] = ()
    candidates: Sequence[Candidate] = ()
    count: int = 1


_JUDGING: Final = ExecutionStage.JUDGING
#: How a stage's workers are called, and the codes of their being away and of their being full.
_WORKERS: Final[Mapping[ExecutionStage, tuple[str, WaitCode, WaitCode]]] = {
    ExecutionStage.EXECUTING: ("executor", WaitCode.NO_WORKER, WaitCode.NO_ROOM),
    ExecutionStage.JUDGING: ("validator", WaitCode.JUDGE_MISSING, WaitCode.JUDGE_NO_ROOM),
}
#: Who can lift each code: the operator, unless it stands here.
_OWNERS: Final = {
    **dict.fromkeys((WaitCode.NOT_BEFORE, WaitCode.RETRY_BACKOFF, WaitCode.LIMIT_RATE), Owner.TIME),
    WaitCode.LIMIT_USD_PER_DAY: Owner.TIME,
    **dict.fromkeys((WaitCode.CIRCUIT_OPEN, WaitCode.CIRCUIT_PROBING), Owner.AGENT),
    **dict.fromkeys((WaitCode.OFFERED, WaitCode.QUEUE), Owner.SIGNOFF),
    WaitCode.AGENT_MISSING: Owner.CALLER,
}
_OF_CIRCUITS: Final = frozenset({WaitCode.CIRCUIT_OPEN, WaitCode.CIRCUIT_PROBING})
_OF_LIMITS: Final = frozenset({WaitCode.LIMIT_CONCURRENCY, WaitCode.LIMIT_RATE})
#: Codes of times that are an execution's own.
OWN_TIMES: Final = frozenset({WaitCode.NOT_BEFORE, WaitCode.RETRY_BACKOFF})


def explain(wait: Wait, around: Circumstances) -> list[Reason]:
    """Return what holds an execution back now, in the order in which it meets these; [] if it does not wait.

    If the execution is not due, these are its time, and what lasts until somebody ends it, such as a pause. A caller of
    some tenants learns no number in which executions of others are counted.
    """
    reasons = _explain(wait, around)
    return reasons if around.own is None else [_hide_others(reason, around.own) for reason in reasons]


def _hide_others(reason: Reason, own: Collection[str]) -> Reason:
    """Return a reason without its counts, unless these are of names in `own`."""
    name = agent_limit(reason.name) if reason.code in _OF_CIRCUITS else reason.name
    if reason.used is None or name in own:
        return reason
    is_set = reason.code in _OF_LIMITS  # and so is no count
    return reason.model_copy(update={"used": None, "allowed": reason.allowed if is_set else None})


def _explain(wait: Wait, around: Circumstances) -> list[Reason]:
    if wait.stage is None:
        return _explain_unmatched(wait)
    if wait.state is ExecutionState.LEASED:
        return _explain_leased(wait, around)
    is_queued, reasons = wait.state is ExecutionState.QUEUED, list[Reason]()
    # The due time of an offer is only that of its repetition.
    is_due = not is_queued or wait.due_at is None or wait.due_at <= around.now
    if is_queued:
        uncalled = [] if wait.stage is _JUDGING else _explain_protocols(wait, around)
        if not is_due and not (wait.is_again and uncalled):  # nothing is tried again while no executor calls it
            code = WaitCode.RETRY_BACKOFF if wait.is_again else WaitCode.NOT_BEFORE
            reasons.append(_explain_time(code, wait.due_at))
        if around.are_limits_lost:
            reasons.append(_make_reason(WaitCode.LIMITS_LOST, CONFIRM_LIMITS))
        if wait.stage is not _JUDGING:
            reasons += _explain_limits(wait, around, is_due=is_due)
        if is_due and (use := around.limits.get(tenant_limit(wait.tenant))) is not None and use.has_spent_all:
            reasons.append(_explain_spending(use, around.now))
        reasons += uncalled
    reasons += _explain_room(wait.stage, wait.state, around, is_due=is_due)
    if is_queued and is_due and wait.stage is not _JUDGING:
        reasons += _explain_share(wait, around)
    return reasons or [_explain_turn(wait)]


def find_start(reasons: Sequence[Reason]) -> datetime | None:
    """Return when an execution begins, if nothing but its own time holds it back; else None."""
    untils = [reason.until for reason in reasons if reason.code in OWN_TIMES]
    return untils[0] if len(untils) == len(reasons) == 1 else None


def sum_up(waits: Iterable[Wait], around: Circumstances, limit: int | None = None) -> list[WaitingSum]:
    """Return how many executions wait for each reason, the most frequent first; with a `limit`, only so many reasons.

    Each execution is counted under the first of its reasons.
    """
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    firsts: dict[tuple[str, str], Reason] = {}
    sinces: dict[tuple[str, str], datetime] = {}
    for wait in waits:
        for reason in explain(wait, around)[:1]:
            key = reason.code, reason.name
            counts[key] += wait.count
            known = firsts.setdefault(key, reason)
            if reason.since is not None:
                sinces[key] = min(reason.since, sinces.get(key, reason.since))
            if reason.until and known.until and reason.until < known.until:
                firsts[key] = reason
    return [
        WaitingSum(count=counts[key], **firsts[key].model_dump() | {"since": sinces.get(key)})
        for key in sorted(counts, key=lambda key: (-counts[key], key))[:limit]
    ]


def _make_reason(code: WaitCode, remedy: str, **about: object) -> Reason:
    return Reason(code=code, owner=_OWNERS.get(code, Owner.OPERATOR), remedy=remedy, **about)


def _explain_leased(wait: Wait, around: Circumstances) -> list[Reason]:
    """Return what the worker that holds an execution waits for; [] if the worker does not wait."""
    if wait.judge_away_at is not None:
        remedy = "it is asked again until it answers: signoff judge test says what it answers now"
        return [_make_reason(WaitCode.JUDGE_AWAY, remedy, since=wait.judge_away_at)]
    is_later = wait.retry_at is not None and wait.retry_at > around.now
    return [_explain_time(WaitCode.RETRY_BACKOFF, wait.retry_at)] if is_later else []


def _explain_time(code: WaitCode, until: datetime | None) -> Reason:
    asked = code is WaitCode.NOT_BEFORE
    remedy = "it begins at that time; to begin before, cancel it and execute it again" if asked else "it is tried again"
    return _make_reason(code, remedy, until=until)


def _explain_limits(wait: Wait, around: Circumstances, *, is_due: bool) -> list[Reason]:
    names = (tenant_limit(wait.tenant), *wait.flow)
    uses = [around.limits[name] for name in names if name in around.limits]
    reasons = [_explain_pause(use) for use in uses if use.paused]
    agents = (name.removeprefix("agent:") for name in wait.flow if name.startswith("agent:"))
    circuits = [around.circuits[agent_id] for agent_id in agents if agent_id in around.circuits]
    for circuit in circuits:
        if circuit.open_until > max(around.now, wait.due_at or around.now):
            reasons.append(_explain_open_circuit(circuit))
        elif is_due and circuit.is_probed and circuit.open_until <= around.now:
            reasons.append(_explain_probing(circuit))
    for use in uses:
        if use.concurrency is not None and use.running >= use.concurrency and (is_due or not use.concurrency):
            reasons.append(_explain_concurrency(use))
        if is_due and (opens_at := use.find_opening(around.now)) is not None:
            reasons.append(_explain_rate(use, opens_at))
    return reasons


def _explain_protocols(wait: Wait, around: Circumstances) -> list[Reason]:
    uncalled = sorted(list_protocols(wait.flow).intersection(around.uncalled))
    remedy = "start executors that call agents by this protocol: of this release or later"
    return [_make_reason(WaitCode.PROTOCOL_NOT_CALLED, remedy, name=name) for name in uncalled]


def _explain_pause(use: LimitUse) -> Reason:
    kind, _, value = use.paused_by.partition(":")
    groups = {"agent": ("agents", value), "batch": ("batches", value)}
    group, about = groups.get(kind, ("limits", use.paused_by)) if value != "*" else ("limits", use.paused_by)
    remedy = f"resume it: signoff {group} resume {shlex.quote(about)}"
    return _make_reason(WaitCode.LIMIT_PAUSED, remedy, name=use.name, since=use.updated_at)


def _explain_open_circuit(circuit: CircuitUse) -> Reason:
    remedy = "mend the agent; its log entries say how its calls failed. Then one call finds out whether it answers"
    about = {"name": circuit.agent_id, "used": circuit.failures, "until": circuit.open_until}
    return _make_reason(WaitCode.CIRCUIT_OPEN, remedy, **about)


def _explain_probing(circuit: CircuitUse) -> Reason:
    remedy = "one call finds out whether the agent answers; the others go on once it has"
    return _make_reason(WaitCode.CIRCUIT_PROBING, remedy, name=circuit.agent_id, used=circuit.failures)


def _explain_concurrency(use: LimitUse) -> Reason:
    allowed = use.concurrency or 0
    remedy = f"raise it: {_set_limit(use, concurrency=max(1, 2 * allowed))}"
    return _make_reason(WaitCode.LIMIT_CONCURRENCY, remedy, name=use.name, used=use.running, allowed=allowed)


def _explain_rate(use: LimitUse, opens_at: datetime) -> Reason:
    assert use.rate is not None
    remedy = f"raise it: {_set_limit(use, rate=2 * use.rate)}"
    about = {"name": use.name, "used": use.started, "allowed": use.rate, "until": opens_at}
    return _make_reason(WaitCode.LIMIT_RATE, remedy, **about)


def _explain_spending(use: LimitUse, now: datetime) -> Reason:
    allowed = use.nanos_per_day or 0
    remedy = f"raise it: signoff limits set {shlex.quote(use.name)} --usd-per-day {usd_text(2 * allowed)}"
    spent = {"agents_usd": to_usd(use.agents_nanos), "judges_usd": to_usd(use.judges_nanos)}
    about = {"name": use.name, "until": end_of_day(now), "allowed_usd": to_usd(allowed), **spent}
    return _make_reason(WaitCode.LIMIT_USD_PER_DAY, remedy, **about)


def _set_limit(use: LimitUse, **changes: int) -> str:
    """Return the command line that changes some values of a limit and keeps the others."""
    given = {name: use.own.get(name) for name in ("concurrency", "rate", "queue_max", "weight")} | changes
    if given["rate"] and use.rate_period_s != 1:
        given["per_s"] = use.rate_period_s
    words = [f"--{name.replace('_', '-')} {value:g}" for name, value in given.items() if value is not None]
    return " ".join(["signoff limits set", shlex.quote(use.name), *words])


def _explain_room(
    stage: ExecutionStage, state: ExecutionState | None, around: Circumstances, *, is_due: bool
) -> list[Reason]:
    room = around.rooms.get(stage)
    name, away, full = _WORKERS[stage]
    if room is None or not room.workers:
        remedy = f"start {_one(name)} that reaches the jobstore and Kafka: signoff doctor says what is wrong"
        return [_make_reason(away, remedy, name=name, since=room and room.seen_at)]
    # What is offered has its place already, and waits to be claimed.
    taken = room.leased + (room.offered if state is ExecutionState.QUEUED else 0)
    allowed = room.leased + room.free
    if not is_due or allowed > taken:
        return []
    return [_make_reason(full, _find_remedy(name, room), name=name, used=taken, allowed=allowed)]


def _find_remedy(name: str, room: Room) -> str:
    """Return what gives the workers of a stage more room, by what bounds it: a judge, partitions, memory, a setting."""
    if 2 * room.paced > room.leased:
        return "most asks wait for the pace that their judge's server takes: it has to take more at once"
    more = f"start more {name}s"
    if room.partitions is not None and room.workers >= room.partitions:
        more = (
            f"have more partitions than {room.partitions}, which {room.workers} {name}s read (SIGNOFF_WORK_PARTITIONS)"
        )
    if 2 * room.by_memory > room.workers:
        return f"{more}, or give each more memory, which bounds its capacity (SIGNOFF_WORK_MAX_BYTES)"
    return f"{more}, or give each a larger capacity (SIGNOFF_CAPACITY)"


def _explain_share(wait: Wait, around: Circumstances) -> list[Reason]:
    room = around.rooms.get(ExecutionStage.EXECUTING)
    if room is None or not around.held:
        return []
    shared = SharedRoom(room.free - room.offered, room.capacity, dict(around.held))
    full = [name for name in (tenant_limit(wait.tenant), *wait.flow) if shared.find_full([name])]
    remedy = "what is free is kept for others: start more executors, or give each a larger capacity (SIGNOFF_CAPACITY)"
    allowed = SHARE * shared.free
    return [_make_reason(WaitCode.SHARE, remedy, name=name, used=shared.held[name], allowed=allowed) for name in full]


def _one(name: str) -> str:
    return f"an {name}" if name.startswith("e") else f"a {name}"


def _explain_turn(wait: Wait) -> Reason:
    if wait.state is ExecutionState.OFFERED:
        name = _WORKERS[wait.stage or _JUDGING][0]
        remedy = f"it is published, and again until one takes it: {_one(name)} does in a moment"
        return _make_reason(WaitCode.OFFERED, remedy, name=name)
    return _make_reason(WaitCode.QUEUE, "nothing holds it back: its turn comes")


def _explain_unmatched(wait: Wait) -> list[Reason]:
    """Return why a job has no agent: those with its capabilities are disabled or paused, or there is no such agent."""
    if not wait.needed:
        return [_make_reason(WaitCode.AGENT_MISSING, "assign an agent: signoff jobs assign JOB AGENT")]
    if any(candidate.enabled and not candidate.paused for candidate in wait.candidates):
        return [_explain_turn(wait)]
    if wait.candidates:
        return [_explain_candidate(candidate) for candidate in wait.candidates]
    words = " ".join(f"--capability {shlex.quote(name)}" for name in wait.needed)
    remedy = f"register an agent that has all of them: signoff agents create --name NAME --url URL {words}"
    return [_make_reason(WaitCode.NO_AGENT_MATCHES, remedy, name=", ".join(wait.needed))]


def _explain_candidate(candidate: Candidate) -> Reason:
    quoted = shlex.quote(candidate.agent_id)
    if not candidate.enabled:
        remedy = f"enable it: signoff agents update {quoted} --enabled"
        return _make_reason(WaitCode.AGENT_DISABLED, remedy, name=candidate.agent_id)
    name = agent_limit(candidate.agent_id)
    return _make_reason(WaitCode.LIMIT_PAUSED, f"resume it: signoff agents resume {quoted}", name=name)


#: Shorter waits are not recorded.
RECORDED_MIN: Final = timedelta(seconds=0.1)
#: The waits that are recorded of one offer, the longest; and the changes of one flow that are kept.
WAITS_MAX: Final = 4
_CHANGES_MAX: Final = 32

#: The names of the limits that apply to the executions of a flow, its tenant's among them.
FlowKey: TypeAlias = tuple[str, ...]


class Cause(NamedTuple):
    """The code of a reason that holds executions back, and the name of the limit, agent or workers in question."""

    code: WaitCode
    name: str = ""


class Hold(NamedTuple):
    """A cause that held an execution back, with the times from which and until which it did."""

    cause: Cause
    since: datetime
    until: datetime


#: From when on a cause holds a flow back, or, with None, nothing does; the oldest first.
_Changes: TypeAlias = deque[tuple[datetime, Cause | None]]


@dataclass(slots=True)
class Holds:
    """The causes that held back each flow of the queue, or all flows, noted from pass to pass."""

    _of_flows: dict[FlowKey, _Changes] = field(default_factory=dict)
    _of_all: _Changes = field(default_factory=lambda: deque(maxlen=_CHANGES_MAX))

    def note(self, now: datetime, causes: Mapping[FlowKey, Cause | None], of_all: Cause | None = None) -> None:
        """Note what holds back each flow that a pass has read; if it has read none, `of_all` holds all of them back."""
        _change(self._of_all, now, of_all)
        if of_all is not None:
            return
        for key in self._of_flows.keys() - causes.keys():  # none of them waits
            del self._of_flows[key]
        for key, cause in causes.items():
            if cause is not None or key in self._of_flows:
                _change(self._of_flows.setdefault(key, deque(maxlen=_CHANGES_MAX)), now, cause)

    def find_holds(self, key: FlowKey, now: datetime) -> list[Hold]:
        """Return what has held a flow back until `now`, in the order of time."""
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


def choose_waits(holds: Sequence[Hold], due_at: datetime) -> list[Hold]:
    """Return the longest waits, up to WAITS_MAX, of an execution since it was due, in the order of time."""
    waits = [hold._replace(since=max(hold.since, due_at)) for hold in holds]
    recorded = [wait for wait in waits if wait.until - wait.since >= RECORDED_MIN]
    longest = sorted(recorded, key=lambda wait: wait.since - wait.until)[:WAITS_MAX]
    return sorted(longest, key=lambda wait: wait.since)


def format_waits(waits: Sequence[Hold]) -> str | None:
    """Return waits as JSON text (signoff.types.PastWait), as rows and log entries have it; None if there are none."""
    rows = [
        {"code": cause.code, "name": cause.name, "since": time_text(since), "until": time_text(until)}
        for cause, since, until in waits
    ]
    return json_text(rows) if rows else None


def _change(changes: _Changes, now: datetime, cause: Cause | None) -> None:
    if (changes[-1][1] if changes else None) != cause:
        changes.append((now, cause))


def _find_cause(changes: Sequence[tuple[datetime, Cause | None]], at: datetime) -> Cause | None:
    return next((cause for changed_at, cause in reversed(changes) if changed_at <= at), None)
