"""Whether the traces that are made of the topic's facts say what the jobs' logs say."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from contracts.signing import is_marker
from faults.checking.observed import AFTERWARDS, CONCLUDING, LogRow, Observed, Record
from jobstore.tracing.facts import read_fact
from jobstore.tracing.spans import Chains, Span, fold

#: Seconds by which a time of a span and one of the log may differ: of digits alone.
SAME_S = 0.001


def say_what_logs_say(seen: Observed) -> Iterator[str]:
    """Each execution that has ended is one submission of one trace, with the times and the outcome of its log."""
    entries = defaultdict[str, list[LogRow]](list)
    for entry in sorted(seen.logs, key=lambda entry: entry.version):
        entries[entry.job_id].append(entry)
    records = (record for record in seen.topics.get("job-changed", ()) if not is_marker(record))
    facts = [record for record in records if (record.topic, record.value or b"") not in seen.forged]
    by_job = _make_traces(facts, {job_id: len(rows) for job_id, rows in entries.items()})
    ids = Counter(span.span_id for traces in by_job.values() for spans in traces for span in spans)
    yield from (f"span {span_id} stands in {times} places" for span_id, times in ids.items() if times > 1)
    for job_id, traces in by_job.items():
        yield from (f"{job_id}: {story}" for story in _compare(entries[job_id], traces))


def _make_traces(facts: Sequence[Record], versions: dict[str, int]) -> dict[str, list[list[Span]]]:
    """Return the traces of jobs all of whose facts are there, as the process makes them that sends traces."""
    chains, made, there = Chains(), defaultdict[str, list[list[Span]]](list), defaultdict[str, set[int]](set)
    for record in facts:
        try:
            fact = read_fact(record.value or b"")
        except ValueError:  # whoever sends traces passes it by
            continue
        there[fact.job_id].add(fact.version)
        for chain in chains.add(fact):
            made[chain.job_id].append(fold(chain))
    for chain in list(chains.open.values()):
        made[chain.job_id].append(fold(chain))
    return {job_id: made[job_id] for job_id, last in versions.items() if len(there[job_id]) == last}


def _compare(entries: Sequence[LogRow], traces: Sequence[Sequence[Span]]) -> Iterator[str]:
    trace_ids = Counter(spans[0].trace.trace_id for spans in traces)
    yield from (f"{times} traces have the id {each}" for each, times in trace_ids.items() if times > 1)
    for spans in traces:
        yield from _find_outside(spans)
    for before, spans in pairwise(traces):
        if [link.trace_id for link in spans[0].links] != [before[0].trace.trace_id]:
            yield f"trace {spans[0].trace.trace_id} has no link to the one before"
    submissions = defaultdict[object, list[Span]](list)
    below = defaultdict[object, Counter[str]](Counter)
    for span in (span for spans in traces for span in spans):
        submissions[span.attributes.get("signoff.execution.id")].append(span)
        below[span.parent_id][span.name] += 1
    for execution_id, rows in _list_executions(entries).items():
        found = submissions[execution_id]
        if len(found) != 1:
            yield f"{execution_id} is {len(found)} submissions"
            continue
        yield from (f"{execution_id}: {story}" for story in _compare_one(rows, found[0], below[found[0].span_id]))


def _list_executions(entries: Sequence[LogRow]) -> dict[str, list[LogRow]]:
    """Return the entries of each execution that was requested and has ended, up to its end."""
    rows = defaultdict[str, list[LogRow]](list)
    ended = set[str]()
    for entry in entries:
        execution_id = entry.execution_id
        if execution_id and execution_id not in ended and (rows[execution_id] or entry.kind == "requested"):
            rows[execution_id].append(entry)
            is_late = entry.kind in AFTERWARDS
            ended |= {execution_id} if entry.status in CONCLUDING and not is_late else set()
    return {execution_id: found for execution_id, found in rows.items() if execution_id in ended}


def _compare_one(rows: Sequence[LogRow], span: Span, below: Counter[str]) -> Iterator[str]:
    end = rows[-1]
    outcome = span.attributes.get("signoff.status"), span.attributes.get("signoff.code")
    if outcome != (end.status, end.code):
        yield f"its span ends {outcome}, its log ({end.status}, {end.code})"
    for name, at, logged in (("begins", span.begun_at, rows[0].at), ("ends", span.ended_at, end.at)):
        if abs(at.timestamp() - logged) > SAME_S:
            yield f"its span {name} at {at.timestamp()}, its log at {logged}"
    counted = {
        "attempt": sum(row.kind == "claimed" for row in rows),
        "judge": sum(row.is_valid is not None for row in rows),
    }
    for name, count in counted.items():
        if below[name] < count or (name == "attempt" and below[name] > count):
            yield f"it has {below[name]} spans {name}, its log {count}"


def _find_outside(spans: Sequence[Span]) -> Iterator[str]:
    by_id = {span.span_id: span for span in spans}
    for span in spans[1:]:
        parent = by_id[span.parent_id or ""]
        if not parent.begun_at <= span.begun_at <= span.ended_at <= parent.ended_at:
            yield f"span {span.name} lies outside its parent {parent.name}"
