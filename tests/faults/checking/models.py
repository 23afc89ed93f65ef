"""Whether each job came to what is known of it: its agents, its submissions, its budget, and what holds it back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from faults.checking import causes
from faults.checking.judging import UNPROVEN
from faults.checking.observed import AFTERWARDS, BACKGROUND, CHAT, FUNCTION, GRAPH, ONCE, TASKS, LogRow, Model, Observed
from faults.checking.spans import most_at_once

STEADY = "steady"
#: By agent, the codes with which its own failures end an execution.
OWN_CODES: dict[str, frozenset[str]] = {
    "flaky": frozenset({"agent_status", "agent_connection_lost", "agent_timeout"}),
    "slow": frozenset({"agent_status"}),
    "babbling": frozenset({"agent_invalid_json", "agent_connection_lost"}),
    ONCE: frozenset({"agent_status", "agent_connection_lost", "agent_timeout"}),
    "patient": frozenset({"agent_status", "agent_failed", "agent_work_lost", "agent_heartbeat_timeout"}),
    CHAT: frozenset({"agent_status", "agent_connection_lost", "agent_timeout", "agent_refused"}),
    BACKGROUND: frozenset(
        {"agent_status", "agent_connection_lost", "agent_timeout", "agent_failed", "agent_work_lost"}
    ),
    GRAPH: frozenset({"agent_status", "agent_connection_lost", "agent_timeout", "agent_failed"}),
    TASKS: frozenset({"agent_status", "agent_connection_lost", "agent_timeout", "agent_failed"}),
    FUNCTION: frozenset({"agent_failed", "agent_timeout"}),
}
DECLINING = frozenset({"choosy", "patient", TASKS, FUNCTION})
#: Codes that follow from what is done to executors, and to the way to an agent.
FAULT_CODES = frozenset(
    {"agent_unreachable", "agent_connect_timeout", "agent_connection_lost", "agent_timeout", "agent_heartbeat_timeout"}
)
#: By agent, those that follow from what is done to the agent itself, or to the way to its card.
FAULT_CODES_OF = {TASKS: {"agent_card_unreadable"}, FUNCTION: {"agent_work_lost", "agent_status"}}
LOST_CODES = frozenset({"attempts_exhausted"})
LOST_ONCE_CODES = frozenset({"lease_lapsed", "worker_stopped", "agent_work_unknown"})
#: What a judge may have said of what it left unproven.
UNSOUND = frozenset({"unquoted", "nonsense", "refusal", "gibberish"})
#: The code of a verdict after which the same agent is not asked again by policy.
NO_PROGRESS = "no_progress"
#: Entries of an execution between its claim and its end.
GOES_ON = frozenset({"call_begun", "progress", "call_failed"})
#: Over so long a span are beginnings counted, and their limit is of spans that touch it.
RATE_SPAN_S = 5.0


def _modelled(seen: Observed) -> Iterator[tuple[LogRow, Model]]:
    """The entries of jobs of which something is known."""
    return ((entry, seen.models[entry.job_id]) for entry in seen.logs if entry.job_id in seen.models)


def ends_are_explained(seen: Observed) -> Iterator[str]:
    """Each end is one that its job may come to, by whom it was given to, or by what was done to the system."""
    cancelled = {one.job_id for one in (*seen.cancels, *(asked for asked in seen.asked if asked.cancelled))}
    for entry, model in _modelled(seen):
        where = f"{entry.job_id} version {entry.version}, of {entry.agent},"
        if entry.status == "CANCELLED" and entry.job_id not in cancelled:
            yield f"{where} was cancelled by nobody"
        if (
            entry.status == "FAILED"
            and entry.kind not in {"edited", *AFTERWARDS}
            and entry.code not in _codes(entry, model, seen)
        ):
            yield f"{where} FAILED with {entry.code}, of which nobody knows why"
        if entry.kind == "declined" and entry.agent not in DECLINING:
            yield f"{where} was declined by an agent that declines nothing"


def _codes(entry: LogRow, model: Model, seen: Observed) -> frozenset[str | None]:
    agent = entry.agent
    codes = OWN_CODES.get(agent, frozenset())
    if any(f.within(entry.at - 60 - seen.terms.settle_s, entry.at) for f in seen.faults):
        codes |= FAULT_CODES | FAULT_CODES_OF.get(agent, set())
    lost = LOST_ONCE_CODES if agent == ONCE or model.is_once else LOST_CODES
    if entry.code in lost and _lost_by_a_fault(entry, seen):
        codes |= {entry.code or ""}
    if model.budget_tokens is not None:
        codes |= {"budget_exhausted"}
    if model.is_large:
        codes |= {"result_too_large_to_judge"}
    if agent != STEADY:  # the judge answers the steady one's work well
        codes |= {code for code in (entry.code or "",) if code.startswith(("judge_", "judging_"))}
    if entry.code == UNPROVEN:
        said = {call.said for call in seen.judge_calls if call.execution_id == entry.execution_id}
        codes |= {UNPROVEN} if said & UNSOUND else set()
    return frozenset(codes)


def _lost_by_a_fault(entry: LogRow, seen: Observed) -> bool:
    """Whether something was done, while its last lease ran, to who held it or to what leases hang on."""
    own = (e for e in seen.logs if e.execution_id == entry.execution_id and e.version < entry.version)
    claimed = [e.at for e in own if e.kind == "claimed"] or [entry.at]
    claimed_at = claimed[0] if entry.code == "agent_work_unknown" else max(claimed)  # it was lost under an earlier one
    found = causes.stops if entry.code == "worker_stopped" else causes.lapses
    return any(True for _ in found(seen, entry.execution_id, claimed_at, entry.at))


def only_good_work_is_completed(seen: Observed) -> Iterator[str]:
    """What lacks something is never COMPLETED, and the steady agent's work, which lacks nothing, is not refused."""
    for entry, model in _modelled(seen):
        lacks = (entry.submission or 1) <= model.lacking
        if entry.status == "COMPLETED" and entry.kind not in AFTERWARDS and lacks:
            yield f"{entry.job_id} is COMPLETED with submission {entry.submission}, which lacks something"
        if entry.kind == "not_met" and not lacks and entry.agent == STEADY:
            yield f"{entry.job_id} version {entry.version} is {entry.status}, though its work is good"


def submissions_are_bounded(seen: Observed) -> Iterator[str]:
    """No job is submitted more often than it may be; by policy, as often as it may, and by hand alone otherwise."""
    for entry, model in _modelled(seen):
        last = (entry.submission or 1) >= model.max_submissions
        if entry.kind == "not_met" and last is (entry.status == "RESUBMISSION_REQUIRED"):
            yield f"{entry.job_id} is {entry.status} after submission {entry.submission} of {model.max_submissions}"
    by_hand = {asked.execution_id for asked in seen.asked}
    for entry, model in _modelled(seen):
        again = entry.kind == "requested" and (entry.submission or 1) > 1 and entry.execution_id not in by_hand
        if again and not model.automatic:
            yield f"{entry.job_id} was submitted again by nobody ({entry.execution_id})"


def who_makes_progress_goes_on(seen: Observed) -> Iterator[str]:
    """Only who says again what it said before makes no progress: after a hand-over the answer before is another's."""
    last: dict[str, LogRow] = {}
    for entry in sorted(seen.logs, key=lambda e: (e.job_id, e.version)):
        if entry.kind != "not_met":
            continue
        before = last.get(entry.job_id)
        if entry.code == NO_PROGRESS and (before is None or before.agent_id != entry.agent_id):
            yield f"{entry.job_id} version {entry.version}: {entry.agent_id} has {NO_PROGRESS} by its first answer"
        last[entry.job_id] = entry


def the_right_agent_is_asked_the_right_thing(seen: Observed) -> Iterator[str]:
    """Only who has a job is called for it, with what the job was when it was asked for."""
    editions = {asked.execution_id: asked.edition for asked in seen.asked if asked.settled == "accepted"}
    for call in seen.agent_calls:
        model = seen.models.get(call.job_id)
        if model is not None and call.agent not in model.agents:
            yield f"{call.agent} was called for {call.job_id}, which is for {sorted(model.agents)}"
        if call.edition != editions.get(call.execution_id, call.edition):
            asked = f"and asked for as of {editions[call.execution_id]}"
            yield f"{call.execution_id} of {call.job_id} was called as of edit {call.edition}, {asked}"


def budgets_hold(seen: Observed) -> Iterator[str]:
    """No work is begun of a job that has spent what it may."""
    spent: defaultdict[str, int] = defaultdict(int)
    for entry, model in sorted(_modelled(seen), key=lambda one: (one[0].job_id, one[0].version)):
        is_over = model.budget_tokens is not None and spent[entry.job_id] >= model.budget_tokens
        if is_over and entry.kind == "claimed":
            yield f"{entry.job_id} version {entry.version} began with {spent[entry.job_id]} tokens spent"
        spent[entry.job_id] = max(spent[entry.job_id], entry.tokens)


def pauses_hold(seen: Observed) -> Iterator[str]:
    """Nothing of a batch begins while it is paused."""
    begun = [entry for entry in seen.logs if entry.kind == "claimed"]
    for pause in seen.pauses:
        for entry in begun:
            if entry.execution_id in pause.execution_ids and pause.began_at < entry.at < pause.ended_at:
                yield f"{entry.job_id} version {entry.version} began {entry.at - pause.began_at:.2f} s into a pause"


def limits_hold(seen: Observed) -> Iterator[str]:
    """No more are with executors at once, and no more begin, than a limit says."""
    for name, spans in _with_executors(seen).items():
        allowed = seen.concurrency.get(name, seen.concurrency.get(f"{name.partition('=')[0]}=*", 10**9))
        most, at = most_at_once(spans)
        if most > allowed:
            yield f"{most} executions of {name} were with executors at once, at {at:.1f}; {allowed} may"
    begun = defaultdict(list)
    for entry, model in _modelled(seen):
        if entry.kind == "claimed" and entry.code is None and model.tenant in seen.rates:  # else a result is reused
            begun[model.tenant].append(entry.at)
    for tenant, times in begun.items():
        yield from _too_fast(tenant, sorted(times), seen)


def _too_fast(tenant: str, times: Sequence[float], seen: Observed) -> Iterator[str]:
    """Also what was offered while executors were away: beginnings are counted, and not offers."""
    most = seen.rates[tenant] * (RATE_SPAN_S + 2)
    for number, at in enumerate(times):
        later = times[min(number + int(most), len(times) - 1)]
        if number + most < len(times) and later - at < RATE_SPAN_S:
            yield f"more than {most:g} executions of {tenant} began within {RATE_SPAN_S:g} s, from {at:.1f}"


def _with_executors(seen: Observed) -> dict[str, list[tuple[float, float]]]:
    """By limit, from when to when each execution was leased for executing."""
    spans = defaultdict(list)
    open_since: dict[str, tuple[float, list[str]]] = {}
    for entry in sorted(seen.logs, key=lambda e: (e.job_id, e.version)):
        known = entry.execution_id or ""
        if entry.kind == "claimed":
            model = seen.models.get(entry.job_id)
            book = [f"label:book={model.book}"] if model and model.book else []
            open_since[known] = entry.at, [f"agent:{entry.agent_id}", *book]
        elif entry.kind not in GOES_ON and known in open_since:
            since, names = open_since.pop(known)
            for name in names:
                spans[name].append((since, entry.at))
    return spans
