"""What holds an execution back now, in numbers, and what lifts that. Pure.

What `dispatching.execution_offers` would not offer has a reason here, and what it would offer has none but its turn: a
test holds the one to the other.
"""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from contracts.waiting import CONFIRM_LIMITS, Owner, WaitCode
from jobstore.domain.limits import SharedRoom, agent_limit, tenant_limit
from jobstore.domain.model import ExecutionStage, ExecutionState
from jobstore.domain.waiting.circumstances import Candidate, CircuitUse, Circumstances, LimitUse, Wait
from servicekit.leasing.slots import SHARE
from signoff.types import Reason, WaitingSum

_JUDGING: Final = ExecutionStage.JUDGING
#: How a stage's workers are called, and the codes of their being away and of their being full.
_WORKERS: Final[Mapping[ExecutionStage, tuple[str, WaitCode, WaitCode]]] = {
    ExecutionStage.EXECUTING: ("executor", WaitCode.NO_WORKER, WaitCode.NO_ROOM),
    ExecutionStage.JUDGING: ("validator", WaitCode.JUDGE_MISSING, WaitCode.JUDGE_NO_ROOM),
}
#: Codes of times that are an execution's own.
OWN_TIMES: Final = frozenset({WaitCode.NOT_BEFORE, WaitCode.RETRY_BACKOFF})


def explain(wait: Wait, around: Circumstances) -> list[Reason]:
    """Return what holds an execution back now, the first that it meets first; nothing if it does not wait.

    Of what is not due only that is told, beside the time, which lasts until somebody or something ends it.
    """
    if wait.stage is None:
        return _explain_unmatched(wait)
    if wait.state is ExecutionState.LEASED:
        return _explain_leased(wait, around)
    is_queued, reasons = wait.state is ExecutionState.QUEUED, list[Reason]()
    # What is offered is due again only to be offered again.
    is_due = not is_queued or wait.due_at is None or wait.due_at <= around.now
    if is_queued:
        if not is_due:
            code = WaitCode.RETRY_BACKOFF if wait.attempt else WaitCode.NOT_BEFORE
            reasons.append(_wait_for_time(code, wait.due_at))
        if around.are_limits_lost:
            reasons.append(Reason(code=WaitCode.LIMITS_LOST, owner=Owner.OPERATOR, remedy=CONFIRM_LIMITS))
        if wait.stage is not _JUDGING:
            reasons += _explain_limits(wait, around, is_due=is_due)
    reasons += _explain_room(wait.stage, wait.state, around, is_due=is_due)
    if is_queued and is_due and wait.stage is not _JUDGING:
        reasons += _explain_share(wait, around)
    return reasons or [_explain_turn(wait)]


def find_start(reasons: Sequence[Reason]) -> datetime | None:
    """Return when an execution begins, where that is known: where nothing but its own time holds it back."""
    untils = [reason.until for reason in reasons if reason.code in OWN_TIMES]
    return untils[0] if len(untils) == len(reasons) == 1 else None


def sum_up(waits: Iterable[Wait], around: Circumstances, most: int | None = None) -> list[WaitingSum]:
    """Return how many wait for each reason, or each of the `most` frequent, the most first.

    Each execution counts for the first of its reasons.
    """
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    firsts: dict[tuple[str, str], Reason] = {}
    for wait in waits:
        for reason in explain(wait, around)[:1]:
            key = reason.code, reason.name
            counts[key] += wait.count
            known = firsts.setdefault(key, reason)
            if reason.until and known.until and reason.until < known.until:
                firsts[key] = reason
    return [
        WaitingSum(count=counts[key], **firsts[key].model_dump())
        for key in sorted(counts, key=lambda key: (-counts[key], key))[:most]
    ]


def _explain_leased(wait: Wait, around: Circumstances) -> list[Reason]:
    """Return what the worker that holds an execution waits for."""
    if wait.judge_away_at is not None:
        remedy = "it is asked again until it answers: signoff judge test says what it answers now"
        return [Reason(code=WaitCode.JUDGE_AWAY, since=wait.judge_away_at, owner=Owner.OPERATOR, remedy=remedy)]
    is_later = wait.retry_at is not None and wait.retry_at > around.now
    return [_wait_for_time(WaitCode.RETRY_BACKOFF, wait.retry_at)] if is_later else []


def _wait_for_time(code: WaitCode, until: datetime | None) -> Reason:
    asked = code is WaitCode.NOT_BEFORE
    remedy = "it begins at that time; to begin before, cancel it and execute it again" if asked else "it is tried again"
    return Reason(code=code, until=until, owner=Owner.TIME, remedy=remedy)


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


def _explain_pause(use: LimitUse) -> Reason:
    kind, _, value = use.paused_by.partition(":")
    groups = {"agent": ("agents", value), "batch": ("batches", value)}
    group, about = groups.get(kind, ("limits", use.paused_by)) if value != "*" else ("limits", use.paused_by)
    return Reason(
        code=WaitCode.LIMIT_PAUSED,
        name=use.name,
        since=use.updated_at,
        owner=Owner.OPERATOR,
        remedy=f"resume it: signoff {group} resume {shlex.quote(about)}",
    )


def _explain_open_circuit(circuit: CircuitUse) -> Reason:
    return Reason(
        code=WaitCode.CIRCUIT_OPEN,
        name=circuit.agent_id,
        used=circuit.failures,
        until=circuit.open_until,
        owner=Owner.AGENT,
        remedy="mend the agent; its log entries say how its calls failed. Then one call finds out whether it answers",
    )


def _explain_probing(circuit: CircuitUse) -> Reason:
    return Reason(
        code=WaitCode.CIRCUIT_PROBING,
        name=circuit.agent_id,
        used=circuit.failures,
        owner=Owner.AGENT,
        remedy="one call finds out whether the agent answers; the others go on once it has",
    )


def _explain_concurrency(use: LimitUse) -> Reason:
    allowed = use.concurrency or 0
    return Reason(
        code=WaitCode.LIMIT_CONCURRENCY,
        name=use.name,
        used=use.running,
        allowed=allowed,
        owner=Owner.OPERATOR,
        remedy=f"raise it: {_set_limit(use, concurrency=max(1, 2 * allowed))}",
    )


def _explain_rate(use: LimitUse, opens_at: datetime) -> Reason:
    assert use.rate is not None
    return Reason(
        code=WaitCode.LIMIT_RATE,
        name=use.name,
        used=use.started,
        allowed=use.rate,
        until=opens_at,
        owner=Owner.TIME,
        remedy=f"raise it: {_set_limit(use, rate=2 * use.rate)}",
    )


def _set_limit(use: LimitUse, **changes: int) -> str:
    """Return the command that changes the own limit of a name, and keeps the rest of what that sets."""
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
        seen_at = room and room.seen_at
        remedy = f"start {_one(name)} that reaches the jobstore and Kafka: signoff doctor says what is wrong"
        return [Reason(code=away, name=name, since=seen_at, owner=Owner.OPERATOR, remedy=remedy)]
    # What was offered has its own place already, and waits for whoever takes it.
    taken = room.leased + (room.offered if state is ExecutionState.QUEUED else 0)
    if not is_due or room.free + room.leased > taken:
        return []
    remedy = f"start more {name}s, or give each a larger capacity (SIGNOFF_CAPACITY)"
    allowed = room.leased + room.free
    return [Reason(code=full, name=name, used=taken, allowed=allowed, owner=Owner.OPERATOR, remedy=remedy)]


def _explain_share(wait: Wait, around: Circumstances) -> list[Reason]:
    room = around.rooms.get(ExecutionStage.EXECUTING)
    if room is None or not around.held:
        return []
    shared = SharedRoom(room.free - room.offered, room.capacity, dict(around.held))
    full = [name for name in (tenant_limit(wait.tenant), *wait.flow) if shared.find_full([name])]
    remedy = "what is free is kept for others: start more executors, or give each a larger capacity (SIGNOFF_CAPACITY)"
    about = {"code": WaitCode.SHARE, "allowed": SHARE * shared.free, "owner": Owner.OPERATOR, "remedy": remedy}
    return [Reason(name=name, used=shared.held[name], **about) for name in full]


def _one(name: str) -> str:
    return f"an {name}" if name.startswith("e") else f"a {name}"


def _explain_turn(wait: Wait) -> Reason:
    if wait.state is ExecutionState.OFFERED:
        name = _WORKERS[wait.stage or _JUDGING][0]
        remedy = f"it is published, and again until one takes it: {_one(name)} does in a moment"
        return Reason(code=WaitCode.OFFERED, name=name, owner=Owner.SIGNOFF, remedy=remedy)
    return Reason(code=WaitCode.QUEUE, owner=Owner.SIGNOFF, remedy="nothing holds it back: its turn comes")


def _explain_unmatched(wait: Wait) -> list[Reason]:
    """Return why a job has no agent: which of those that could do it are disabled or paused, or that none is there."""
    if not wait.needed:
        remedy = "assign an agent: signoff jobs assign JOB AGENT"
        return [Reason(code=WaitCode.AGENT_MISSING, owner=Owner.CALLER, remedy=remedy)]
    if any(candidate.enabled and not candidate.paused for candidate in wait.candidates):
        return [_explain_turn(wait)]
    if wait.candidates:
        return [_explain_candidate(candidate) for candidate in wait.candidates]
    words = " ".join(f"--capability {shlex.quote(name)}" for name in wait.needed)
    return [
        Reason(
            code=WaitCode.NO_AGENT_MATCHES,
            name=", ".join(wait.needed),
            owner=Owner.OPERATOR,
            remedy=f"register an agent that has all of them: signoff agents create --name NAME --url URL {words}",
        )
    ]


def _explain_candidate(candidate: Candidate) -> Reason:
    quoted = shlex.quote(candidate.agent_id)
    if not candidate.enabled:
        remedy = f"enable it: signoff agents update {quoted} --enabled"
        return Reason(code=WaitCode.AGENT_DISABLED, name=candidate.agent_id, owner=Owner.OPERATOR, remedy=remedy)
    remedy = f"resume it: signoff agents resume {quoted}"
    return Reason(code=WaitCode.LIMIT_PAUSED, name=agent_limit(candidate.agent_id), owner=Owner.OPERATOR, remedy=remedy)
