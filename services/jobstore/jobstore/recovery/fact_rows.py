"""Make of a fact the row of the log, and what it makes and changes of its job and its execution."""

from datetime import datetime
from operator import attrgetter
from typing import Final

from contracts.criteria import format_references, read_references
from contracts.events import JobChanged, hash_result, hash_task
from contracts.judging.verdict import Verdict
from jobstore.domain.decisions import NO_ENDING, REJUDGED, change_ending, is_end, is_verdict, list_not_met, make_ending
from jobstore.domain.judging.task import read_task
from jobstore.domain.limits import agent_limit
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.domain.reports import format_feedback
from jobstore.json_members import members
from jobstore.recovery.fact_parsing import Fact
from jobstore.storage.entry_bodies import join_response
from jobstore.storage.sql import Values
from signoff.money import to_nanos
from signoff.status import JobLogStatus

#: Columns of a log that have the name that the entry has in its fact.
_ENTRY: Final = (
    *("id", "job_id", "version", "status", "job_status", "agent_id", "message", "code", "execution_id", "attempt"),
    *("lease", "submission", "event_id", "progress", "created_at", "tokens", "next_attempt_at"),
    *("actor", "duration_s"),
)
#: What a job, and each of its executions, has spent.
SPENT: Final = ("cost_nanos", "tokens")
_get_entry: Final = attrgetter("kind", "spent_calls", "cursor", *_ENTRY)
#: The columns of `make_log`.
LOG_COLUMNS: Final = ("kind", "spent", "seq", *_ENTRY, "cost_nanos", "waited", "request_payload", "response_payload")


def make_log(fact: Fact) -> tuple[object, ...]:
    """Return a row of the log."""
    log = fact.event.log
    cost_nanos = None if log.cost_usd is None else to_nanos(log.cost_usd)
    return (*_get_entry(log), cost_nanos, fact.log.get("waited"), fact.request, join_response(fact.log))


def _get_specification(fact: Fact) -> Values:
    """Return what a job asks for, from a fact that has the whole of it: its first, or an edit."""
    names = ("title", "description", "acceptance_criteria", "priority", "capabilities", "not_before")
    defaults = {"payload": "null", "labels": "{}", "policy": "{}"}
    return {
        **{name: getattr(fact.event.job, name) for name in names},
        **{name: fact.job.get(name, default) for name, default in defaults.items()},
        "reference_texts": format_references(read_references(fact.job.get("references"))),
    }


def make_job(fact: Fact) -> Values:
    """Return the columns of a new job that its changes do not give."""
    job = fact.event.job
    return {
        **_get_specification(fact),
        **{name: getattr(job, name) for name in ("id", "tenant", "created_at")},
        "cost_nanos": 0,
        "tokens": 0,
        "live": False,
        "not_met": 0,
        **NO_ENDING,
        "spec_hash": bytes.fromhex(fact.event.spec_hash or ""),
    }


def make_job_change(fact: Fact, requested_at: datetime | None) -> Values:
    """Return a job's columns after a fact, as far as the fact gives them; its execution was requested at a time."""
    event, log = fact.event, fact.event.log
    change: Values = {
        "status": event.job.status,
        "version": event.version,
        "agent_id": log.agent_id,
        "progress": event.job.progress,
        "progress_message": event.job.progress_message,
        "updated_at": log.created_at,
    }
    not_met: list[str] = []
    if event.log.kind == TransitionKind.ASSIGNED:
        change |= {"not_met": 0, "feedback": None, "payload": fact.log["payload"]}
    if event.log.kind == TransitionKind.EDITED:
        change |= _get_specification(fact)
    if event.log.kind == TransitionKind.REJUDGED:
        change |= {"live": True, "not_met": (log.submission or 1) - 1, "feedback": None}
    if event.log.kind != TransitionKind.MET and is_verdict(event.log.kind, log.code):
        verdict = Verdict.model_validate_json(fact.log["verdict"])
        not_met = list_not_met(verdict)
        if event.log.kind == TransitionKind.NOT_MET:
            change |= {"not_met": log.submission, "feedback": format_feedback(verdict)}
    if log.cost_usd is not None or log.tokens is not None:
        change |= {"cost_nanos": to_nanos(log.cost_usd or 0), "tokens": log.tokens or 0}
    if event.requested is not None:
        change |= {"execution_id": log.execution_id, "live": True}
    if event.requested is not None and event.requested.batch_id is not None:
        change["batch_id"] = event.requested.batch_id
    if is_conclusion(event):
        ending = make_ending(log.status, log.code, requested_at, log.created_at, not_met)
        return {**change, "live": False, **ending, "keeps_duration": "duration_s" not in ending}
    ending = change_ending(event.log.kind, log.code)
    return {**change, **ending, **({"keeps_duration": False} if ending else {})}


def make_execution(fact: Fact) -> Values:
    """Return the columns of a new execution."""
    event, log = fact.event, fact.event.log
    assert event.requested is not None
    return {
        "execution_id": log.execution_id,
        "job_id": event.job_id,
        "stage": ExecutionStage.EXECUTING.value,
        "state": ExecutionState.QUEUED.value,
        **dict.fromkeys(("attempt", "lease", "seq", "offers", "spent", "misjudged", "validators_lost", *SPENT), 0),
        "deadline_at": event.requested.deadline_at,
        "submission": log.submission,
        "agent_id": log.agent_id,
        "policy": fact.requested["policy"],
        "request_version": event.version,
        "priority": event.job.priority,
        "created_at": event.requested.created_at,
        "tenant": event.job.tenant,
        "flow": [agent_limit(log.agent_id or "")],
        "batch_id": event.requested.batch_id,
        "not_before": event.requested.not_before,
        "reuse_key": bytes.fromhex(event.requested.reuse_key) if event.requested.reuse_key else None,
        "task_hash": hash_task(*read_task(members(fact.log["request"]))[:3]),
    }


def make_execution_change(fact: Fact) -> Values:
    """Return an execution's columns after a fact, as far as the fact gives them."""
    event, log = fact.event, fact.event.log
    counts = {"attempt": log.attempt, "lease": log.lease, "spent": event.log.spent_calls}
    change: Values = {name: count for name, count in counts.items() if count is not None}
    if event.log.kind == TransitionKind.RESULT:
        change |= {"result_version": event.version, "result_lease": log.lease}
        change["result_hash"] = hash_result(fact.log["result"])
        if log.status is JobLogStatus.IN_PROGRESS:
            change["stage"] = ExecutionStage.JUDGING.value
    if event.log.kind == TransitionKind.SPENT:
        change["seq"] = 1
    if event.log.kind == TransitionKind.REJUDGED:
        change["state"] = ExecutionState.QUEUED.value
    if is_conclusion(event):
        change["state"] = ExecutionState.DONE.value
        if log.code != REJUDGED:  # it is answered once
            change["answer"] = log.status.lower()
    return change


def is_conclusion(event: JobChanged) -> bool:
    """Return whether an execution ended."""
    return is_end(event.log.kind, event.log.status, event.log.execution_id)
