"""Whether what was seen keeps docs/protocol.md#invariants, but for the twelfth: pure functions over it."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from statistics import median

from contracts.signing import is_marker
from faults.checking import calls, judging, models, removals, tenants, traces
from faults.checking.canaries import HOSTILE
from faults.checking.observed import (
    AFTERWARDS,
    CONCLUDING,
    RESTING,
    VERSIONS,
    Asked,
    Fault,
    LogRow,
    Observed,
    Record,
    Stop,
    Violation,
)

#: How an execution was settled that must be kept.
KEPT = frozenset({"accepted", "published"})
#: Entries that nobody waits for: operators and retentions add them when they like.
UNAWAITED = frozenset({"rejudged", "removed"})
#: docs/protocol.md#states-of-a-job: from where the job stood, which entry may follow, and where the job stands then.
ARROWS: dict[str | None, frozenset[tuple[str, str]]] = {
    None: frozenset({("PENDING", "PENDING"), ("ASSIGNED", "ASSIGNED")}),
    "PENDING": frozenset(
        {("MATCHING_FAILED", "PENDING"), ("CANCELLED", "PENDING"), ("ASSIGNED", "ASSIGNED"), ("FAILED", "FAILED")}
    ),
    "ASSIGNED": frozenset(
        {("ASSIGNED", "ASSIGNED"), ("IN_PROGRESS", "IN_PROGRESS"), ("FAILED", "FAILED"), ("CANCELLED", "ASSIGNED")}
    ),
    "IN_PROGRESS": frozenset(
        {("IN_PROGRESS", "IN_PROGRESS"), ("CANCELLED", "ASSIGNED"), *((status, status) for status in RESTING)}
    ),
    "COMPLETED": frozenset({("IN_PROGRESS", "IN_PROGRESS")}),
    **{
        status: frozenset({("ASSIGNED", "ASSIGNED"), ("IN_PROGRESS", "IN_PROGRESS")})
        for status in RESTING - {"COMPLETED"}
    },
}


def _by_job(seen: Observed) -> dict[str, list[LogRow]]:
    entries = defaultdict(list)
    for entry in sorted(seen.logs, key=lambda e: e.version):
        entries[entry.job_id].append(entry)
    return entries


def _is_late(entry: LogRow) -> bool:
    """Whether an entry is what comes of work that was cut short, or removes the job."""
    return entry.kind in AFTERWARDS or (entry.kind == "result" and entry.status == "CANCELLED")


def _is_edit(entry: LogRow) -> bool:
    return entry.kind == "edited" and entry.status == entry.job_status and entry.execution_id is None


def _concluded(seen: Observed) -> dict[str, list[LogRow]]:
    ends = defaultdict(list)
    for entry in seen.logs:
        if entry.status in CONCLUDING and entry.execution_id and not _is_late(entry):
            ends[entry.execution_id].append(entry)
    return ends


def nothing_is_lost(seen: Observed) -> Iterator[str]:
    known, ends = {e.execution_id: e for e in seen.executions}, _concluded(seen)
    emptied = max((f.ended_at for f in seen.faults if f.kind == "empty"), default=0.0)
    for asked in seen.asked:
        kept = asked.settled == "accepted" or (asked.settled == "published" and asked.settled_at > emptied)
        if kept and asked.execution_id not in known:
            yield f"{asked.execution_id} of {asked.job_id} was {asked.settled} by {asked.door} and is unknown"
    for execution in seen.executions:
        if execution.state != "DONE":
            yield f"{execution.execution_id} of {execution.job_id} never ended: {execution.state}"
        elif execution.requested and not ends.get(execution.execution_id):
            yield f"{execution.execution_id} of {execution.job_id} ended without an entry in the log"
    for job in seen.jobs:
        if job.live:
            yield f"{job.id} is {job.status} and still live"


def nobody_waits_for_ever(seen: Observed) -> Iterator[str]:
    for one in (*seen.asked, *seen.cancels):
        if one.settled == "unanswered":
            yield f"who asked for {one.job_id} by {one.door} was never answered"


def transitions_are_arrows(seen: Observed) -> Iterator[str]:
    by_job = _by_job(seen)
    for job_id, entries in by_job.items():
        stood: str | None = None
        for expected, entry in enumerate(entries, 1):
            if entry.version != expected:
                yield f"{job_id}: version {entry.version} stands where {expected} should"
                break
            stays = (_is_late(entry) or _is_edit(entry)) and entry.job_status == stood
            opens = stood in RESTING and entry.status == "IN_PROGRESS" and entry.kind != "rejudged"
            if opens or ((entry.status, entry.job_status) not in ARROWS[stood] and not stays):
                yield f"{job_id} version {entry.version}: {stood} -> {entry.job_status} (log {entry.status})"
            stood = entry.job_status
    for job in seen.jobs:
        last = by_job[job.id][-1] if by_job[job.id] else None
        if last is None or (last.job_status, last.version) != (job.status, job.version):
            yield f"{job.id} is {job.status} at version {job.version}, its log ends with {last}"


def facts_have_no_gap(seen: Observed) -> Iterator[str]:
    """A reader from the beginning, that applies only the version after its last, has all there is."""
    logged = {(entry.job_id, entry.version): entry.id for entry in seen.logs}
    emptied = any(fault.kind == "empty" for fault in seen.faults)
    applied: Counter[str] = Counter()
    highest: Counter[str] = Counter()
    for record in _facts(seen):
        job_id, version, fact_id, is_removal = _fact(record)
        # What an adversary read before the topic was emptied may come into the new one ahead of the relay.
        is_early = emptied and (not applied[job_id] or is_removal or (record.topic, record.value or b"") in seen.copied)
        if version > highest[job_id] + 1 and not is_early:
            yield f"job-changed: {job_id} goes from version {highest[job_id]} to {version}"
        highest[job_id] = max(highest[job_id], version)
        if version == applied[job_id] + 1 or is_removal:  # then nothing before it matters any more
            applied[job_id] = version
        if logged.get((job_id, version)) != fact_id:
            yield f"job-changed: {job_id} version {version} is {fact_id}, its log has {logged.get((job_id, version))}"
    for job in seen.jobs:
        if applied[job.id] != job.version:
            yield f"job-changed: a reader ends at version {applied[job.id]} of {job.id}, which has {job.version}"


def _facts(seen: Observed) -> Iterator[Record]:
    records = (r for r in seen.topics.get("job-changed", ()) if not is_marker(r))
    return (r for r in records if (r.topic, r.value or b"") not in seen.forged)


def _fact(record: Record) -> tuple[str, int, str, bool]:
    fact = json.loads(record.value or b"{}")
    return fact["job_id"], fact["version"], fact["log"]["id"], fact["log"].get("kind") == "removed"


def watches_have_no_gap(seen: Observed) -> Iterator[str]:
    """Of a job that was removed meanwhile one that begins again may be told the removal alone."""
    removals = {(entry.job_id, entry.version) for entry in seen.logs if entry.kind == "removed"}
    for watched in seen.watched:
        told: Counter[str] = Counter()
        for job_id, version in watched:
            if version != told[job_id] + 1 and (version <= told[job_id] or (job_id, version) not in removals):
                yield f"a watch told version {version} of {job_id} after {told[job_id]}"
            told[job_id] = version
        yield from (
            f"a watch told {told[job.id]} of {job.version} versions of {job.id}"
            for job in seen.jobs
            if told[job.id] != job.version
        )


def one_execution_is_live(seen: Observed) -> Iterator[str]:
    for job_id, entries in _by_job(seen).items():
        live: str | None = None
        for entry in (e for e in entries if e.execution_id and not _is_late(e)):
            where = f"{job_id} version {entry.version}"
            if entry.kind in {"requested", "rejudged"}:
                if live is not None:
                    yield f"{where}: {entry.execution_id} was {entry.kind} while {live} was live"
                live = entry.execution_id
            elif entry.execution_id != live and entry.job_status != "IN_PROGRESS":
                yield f"{where}: {entry.execution_id} was concluded ({entry.kind}) while {live} was live"
            elif entry.execution_id != live:
                yield f"{where}: {entry.execution_id} went on ({entry.kind}) while {live} was live"
            if entry.status in CONCLUDING:
                live = None
    again = Counter(entry.execution_id for entry in seen.logs if entry.kind == "rejudged")
    for execution_id, ends in _concluded(seen).items():
        if len(ends) > 1 + again[execution_id]:
            yield f"{execution_id} was concluded {len(ends)} times: {[e.kind for e in ends]}"


def fenced_reports_change_nothing(seen: Observed) -> Iterator[str]:
    """Under one execution attempts rise by one, leases never fall, and what is reported counts once."""
    attempts: Counter[str] = Counter()
    leases: Counter[str] = Counter()
    for entry in sorted(seen.logs, key=lambda e: (e.job_id, e.version)):
        if entry.execution_id is None or _is_late(entry) or not entry.lease:
            continue
        where = f"{entry.job_id} version {entry.version}, {entry.kind} of {entry.execution_id}"
        if entry.kind == "claimed":
            if entry.attempt != attempts[entry.execution_id] + 1 or entry.lease <= leases[entry.execution_id]:
                yield f"{where}: attempt {entry.attempt}, lease {entry.lease} after {leases[entry.execution_id]}"
            attempts[entry.execution_id] = entry.attempt or 0
        elif entry.lease < leases[entry.execution_id]:
            yield f"{where}: lease {entry.lease} counted after {leases[entry.execution_id]}"
        leases[entry.execution_id] = max(leases[entry.execution_id], entry.lease)
    told = Counter(entry.event_id for entry in seen.logs if entry.event_id)
    yield from (f"the event {event_id} was recorded {times} times" for event_id, times in told.items() if times > 1)


def replays_change_nothing(seen: Observed) -> Iterator[str]:
    for replay in seen.replays:
        how = f"replaying {replay.topic} {'with' if replay.with_header else 'without'} the header"
        for what, calls_ in (("agents", replay.agent_calls), ("the judge", replay.judge_calls)):
            if calls_:
                yield f"{how} called {what} {calls_} times"
        if replay.differences:
            yield f"{how} changed {len(replay.differences)} rows, such as {replay.differences[0][:500]}"


def rebuilt_tables_are_the_same(seen: Observed) -> Iterator[str]:
    if seen.rebuilt:
        yield f"signoff verify: {seen.rebuilt}"
    if seen.rebuilt_midst:
        yield f"rebuilt in the midst of the storm: {seen.rebuilt_midst}"


def nobody_waits_for_others(seen: Observed, healthy: str = "steady") -> Iterator[str]:
    ends = _concluded(seen)
    took_s = {
        asked.job_id: ended[0].at - asked.at
        for asked in seen.asked
        if (ended := ends.get(asked.execution_id)) and asked.agent == healthy and not asked.cancelled
        if asked.settled_at and _calm(seen, asked, ended[0].at)
    }
    # On a machine where half of them take long, all may take longer, but no more than twice as long.
    usual_s = median(took_s.values()) if took_s else 0.0
    within_s = seen.terms.delay_max_s * min(2.0, max(1.0, usual_s / seen.terms.delay_usual_s))
    for job_id, delay_s in took_s.items():
        if delay_s > within_s:
            yield f"{job_id} of the healthy agent took {delay_s:.1f} of {within_s:.1f} s with nothing broken"


def _calm(seen: Observed, asked: Asked, until: float) -> bool:
    return not any(_disturbs(fault, seen, asked.at, until) for fault in seen.faults)


def _disturbs(fault: Fault, seen: Observed, begin: float, end: float) -> bool:
    """Whether it may have consequences then. What waited for a thief is caught up with in as long as it was there."""
    lasted_s = fault.ended_at - fault.began_at if fault.kind == "thief" else 0.0
    return fault.within(begin - seen.terms.settle_s - lasted_s, end)


def nobody_waits_to_begin(seen: Observed, healthy: str = "steady") -> Iterator[str]:
    """What an adversary does all the time, and a flood among it, keeps no job of a healthy agent from its beginning."""
    claimed: dict[str, float] = {}
    for entry in seen.logs:
        if entry.kind == "claimed" and entry.execution_id:
            claimed[entry.execution_id] = min(entry.at, claimed.get(entry.execution_id, entry.at))
    for asked in seen.asked:
        at = claimed.get(asked.execution_id)
        if at is None or asked.agent != healthy or asked.cancelled or not asked.settled_at:
            continue
        disturbed = (fault.began_at for fault in seen.faults if _disturbs(fault, seen, asked.at, at))
        waited_s = min([at, *disturbed]) - asked.at
        if waited_s > seen.terms.begins_max_s:
            yield f"{asked.job_id} of the healthy agent had not begun {waited_s:.1f} s after it was asked for"


def thieves_are_named(seen: Observed) -> Iterator[str]:
    """Who joins our consumer groups and reads nothing is named by `signoff doctor`."""
    for theft in seen.thefts:
        groups, after_s = ", ".join(sorted(theft.groups)), (theft.named_at or inf) - theft.began_at
        if after_s > seen.terms.named_max_s:
            yield f"a thief of {groups} was named after {after_s:.1f} s, and not within {seen.terms.named_max_s:g}"


def all_goes_on_after_a_thief(seen: Observed, healthy: str = "steady") -> Iterator[str]:
    """Of what a healthy agent's executions wait for while a thief has the partitions, some comes soon after it left."""
    asked = (one for one in seen.asked if one.agent == healthy and not one.cancelled and one.settled in KEPT)
    steps = {one.execution_id: [(one.at, "asked")] for one in asked}
    for entry in sorted(seen.logs, key=lambda e: e.version):
        if entry.execution_id in steps:
            steps[entry.execution_id].append((entry.at, entry.kind))
    for theft in seen.thefts:
        until = theft.ended_at + seen.terms.goes_on_max_s
        if any(fault.kind == "starved" and fault.within(theft.ended_at, until) for fault in seen.faults):
            continue
        first: dict[str, float] = {}
        for (since, _), (at, kind) in (pair for each in steps.values() for pair in pairwise(each)):
            if since <= theft.ended_at < at and kind not in UNAWAITED:
                first[kind] = min(at, first.get(kind, inf))
        for kind, at in first.items():
            if at > until:
                late_s, groups = at - theft.ended_at, ", ".join(sorted(theft.groups))
                yield f"no execution was {kind} within {late_s:.1f} s after a thief of {groups} had left"


def a_key_is_one_batch(seen: Observed) -> Iterator[str]:
    """Who asks again for a batch by its key is answered with the same; its items of one id have one content."""
    known: dict[str, str] = {}
    for batch in seen.batched:
        if known.setdefault(batch.key, batch.id) != batch.id:
            yield f"the key {batch.key} is the batches {known[batch.key]} and {batch.id}"
        if set(batch.conflicts) - {"job_conflict"}:
            yield f"of the batch {batch.id} items with another's id and other contents came to {list(batch.conflicts)}"


def only_poison_is_dead(seen: Observed) -> Iterator[str]:
    planted = {poison.value: poison.at for poison in seen.poison}
    dead: set[bytes] = set()
    for topic, records in seen.topics.items():
        for record in records if topic.endswith("-dlq") else ():
            dead.add(record.value or b"")
            if record.value not in planted and not _wrote(seen, record):
                why = dict(record.headers).get("dlq-error-code", b"?").decode()
                yield f"{topic} holds what nobody planted ({why}): {(record.value or b'')[:300]!r}"
    emptied = max((f.ended_at for f in seen.faults if f.kind == "empty"), default=0.0)
    for topic, records in seen.topics.items():
        for record in records if planted.keys() - dead else ():
            if record.value in planted and _stands_in_a_run(record, seen.topics.get(f"{topic}-dlq", ())):
                dead.add(record.value)
    yield from (
        f"{value!r} is in no dead-letter queue" for value, at in planted.items() if at > emptied and value not in dead
    )


def _stands_in_a_run(record: Record, letters: Iterable[Record]) -> bool:
    """Whether a dead letter stands for this record, too."""
    runs = (headers for letter in letters if "dlq-repeats" in (headers := dict(letter.headers)))
    return any(
        int(run["dlq-partition"]) == record.partition
        and int(run["dlq-offset"]) < record.offset <= int(run["dlq-last-offset"])
        for run in runs
    )


def _wrote(seen: Observed, letter: Record) -> bool:
    """Whether an adversary wrote what became a dead letter."""
    topic, value = letter.topic.removesuffix("-dlq"), letter.value or b""
    if (topic, value) in seen.forged or (topic, value) in seen.copied:
        return True
    if dict(letter.headers).get("dlq-error-code") == b"unreadable_batch":
        return True  # nobody else writes any
    is_cut = dict(letter.headers).get("dlq-body") == b"cut"
    return is_cut and any(of == topic and all_.startswith(value) for of, all_ in (*seen.forged, *seen.copied))


def memory_is_bounded(seen: Observed) -> Iterator[str]:
    for name, size in seen.rss.items():
        if name not in {"kafka", "postgres"} and size > seen.terms.rss_max_bytes:
            yield f"{name} held {size >> 20} MiB"


def stops_are_in_time(seen: Observed) -> Iterator[str]:
    within_s = seen.terms.grace_s + seen.terms.ending_s
    for stop in seen.stops:
        if stop.took_s is None or stop.took_s > within_s:
            yield f"{stop.name}, told to stop, took {stop.took_s or 'for ever, more than'} of {within_s:g} s"
        elif stop.status != 0:
            yield f"{stop.name}, told to stop, ended with status {stop.status}"


def stopped_work_goes_on(seen: Observed) -> Iterator[str]:
    """What a stopping executor held was finished or handed over: nobody waited for its lease to lapse."""
    stopped = {stop.pid: stop for stop in seen.stops if stop.name.startswith("executor")}
    for entry in seen.logs:
        if entry.code not in {"lease_lapsed", "attempts_exhausted"}:
            continue
        before = [c for c in seen.agent_calls if c.execution_id == entry.execution_id and c.begun_at < entry.at]
        stop = stopped.get(before[-1].pid or 0) if before else None
        if stop and before[-1].begun_at < stop.told_at and not any(_hinders(f, stop, seen) for f in seen.faults):
            yield f"{entry.job_id}: {entry.execution_id} lapsed, its executor {stop.name} had been told to stop"


def _hinders(fault: Fault, stop: Stop, seen: Observed) -> bool:
    """Whether a stopping worker could not reach what it needs to hand over."""
    until = stop.told_at + seen.terms.grace_s
    own = fault.pid == stop.pid and fault.kind in {"stop", *VERSIONS}
    return not own and fault.within(stop.told_at - seen.terms.settle_s, until)


def nobody_crashes(seen: Observed) -> Iterator[str]:
    """A process may end itself, to be started again; a signal that nobody sent is a crash."""
    for death in seen.deaths:
        sent = (f for f in seen.faults if f.target == death.name and f.began_at <= death.at <= f.ended_at)
        if death.status < 0 and not any(fault.kind in {"kill", "stop", "empty", "full disk"} for fault in sent):
            yield f"{death.name} was ended by signal {-death.status}, at {death.at:.1f}, which nobody had sent"


def nothing_forged_counts(seen: Observed) -> Iterator[str]:
    """What an adversary writes leaves nothing in a log, makes no job but those that it asked for, and calls nobody."""
    for entry in seen.logs:
        if entry.forged:
            yield f"{entry.job_id} version {entry.version} ({entry.kind}) says what an adversary said"
    asked = {asked.job_id for asked in seen.asked} | seen.adversary_jobs
    for job in seen.jobs:
        # A companion that nobody answered for, or the job of another tenant that its batch named before it was there.
        if job.tenant != HOSTILE and not asked & {job.id, job.id.rpartition("-")[0], job.id.removeprefix("late:")}:
            yield f"{job.id} was asked for by nobody"
    known = {(execution.execution_id, execution.job_id) for execution in seen.executions}
    for call in seen.agent_calls:
        if (call.execution_id, call.job_id) not in known:
            yield f"{call.agent} was called for {call.execution_id} of {call.job_id}, which nobody knows"


def what_is_judged_is_what_is_recorded(seen: Observed) -> Iterator[str]:
    """A job is COMPLETED by a verdict of the judge on the very result that its log has, or on a section of it."""
    recorded = {entry.execution_id: entry.shown for entry in seen.logs if entry.kind == "result"}
    passed, hostile = defaultdict(set), seen.hostile_jobs
    for call in seen.judge_calls:
        if call.is_valid:
            passed[call.execution_id].add(call.judged)
    for entry in seen.logs:
        is_passed = entry.job_id in hostile or passed[entry.execution_id or ""].intersection(
            recorded.get(entry.execution_id, ())
        )
        if entry.status == "COMPLETED" and not is_passed:
            yield f"{entry.job_id} is COMPLETED, and its logged result of {entry.execution_id} never passed"


def forged_reports_are_buried_once(seen: Observed) -> Iterator[str]:
    """Of all that is forged under one lease, at most one record becomes a dead letter."""
    buried: defaultdict[tuple[str, int], set[bytes]] = defaultdict(set)
    for topic in ("result-produced-dlq", "job-status-reported-dlq"):
        for letter in seen.topics.get(topic, ()):
            headers = dict(letter.headers)
            if headers.get("dlq-error-code") == b"bad_signature":
                report = json.loads(letter.value or b"")
                # One that is written twice, since its acknowledgement was lost, is one.
                where = b"/".join(headers[f"dlq-{name}"] for name in ("topic", "partition", "offset"))
                buried[report["execution_id"], report["lease"]].add(where)
    for (execution_id, lease), records in buried.items():
        if len(records) > 1:
            yield f"{len(records)} records that are forged under lease {lease} of {execution_id} are dead letters"


def everybody_comes_back(seen: Observed) -> Iterator[str]:
    """What was killed or stopped is ready again, and not only when it is started once more."""
    yield from seen.lost


#: By invariant, what finds it broken.
CHECKS: dict[int, Sequence[Callable[[Observed], Iterator[str]]]] = {
    1: (
        nothing_is_lost,
        removals.nothing_is_removed_that_stays,
        nobody_waits_for_ever,
        models.ends_are_explained,
        models.who_makes_progress_goes_on,
        judging.judging_again_ends,
    ),
    2: (
        transitions_are_arrows,
        facts_have_no_gap,
        watches_have_no_gap,
        judging.judged_again_as_asked,
        traces.say_what_logs_say,
    ),
    3: (
        one_execution_is_live,
        a_key_is_one_batch,
        fenced_reports_change_nothing,
        calls.none_after_the_end,
        judging.results_are_recorded_once,
    ),
    4: (
        calls.repeated_with_a_reason,
        calls.the_same_every_time,
        calls.at_most_once,
        calls.made_once_where_it_is_shown,
        calls.shown_work_is_found,
        models.the_right_agent_is_asked_the_right_thing,
        judging.nothing_follows_what_is_unproven,
    ),
    5: (replays_change_nothing, removals.removed_jobs_call_nobody, removals.removed_ids_are_refused),
    6: (rebuilt_tables_are_the_same, removals.nothing_is_left_of_removed_jobs),
    7: (judging.verdicts_are_the_judges, models.only_good_work_is_completed, judging.judged_by_what_was_frozen),
    8: (
        nobody_waits_for_others,
        nobody_waits_to_begin,
        thieves_are_named,
        all_goes_on_after_a_thief,
        only_poison_is_dead,
    ),
    9: (
        memory_is_bounded,
        calls.within_capacity,
        models.submissions_are_bounded,
        models.budgets_hold,
        models.limits_hold,
        models.pauses_hold,
    ),
    10: (stops_are_in_time, stopped_work_goes_on, nobody_crashes, everybody_comes_back),
    11: (nothing_forged_counts, what_is_judged_is_what_is_recorded, forged_reports_are_buried_once),
    13: (
        tenants.nothing_is_told,
        tenants.nothing_stands_in_its_records,
        tenants.it_changes_nothing_of_others,
        tenants.nobody_waits_for_it,
        tenants.revoked_tokens_open_nothing,
    ),
}


def check(seen: Observed) -> list[Violation]:
    """Every violation, by invariant."""
    return [Violation(n, story) for n, parts in CHECKS.items() for part in parts for story in part(seen)]


def stories(violations: Iterable[Violation], most: int = 20) -> str:
    """The violations as text, a line each."""
    lines = [str(violation) for violation in violations]
    return "\n".join([*lines[:most], *([f"... and {len(lines) - most} more"] if len(lines) > most else [])])
