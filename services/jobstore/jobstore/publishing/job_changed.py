"""Make the records of facts; JSON of users and agents is passed on as the text that it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json, to_json

from contracts.agents.urls import hide_userinfo
from contracts.events import AgentChanged, ExecutionRefused, JobChanged
from contracts.identity import fact_id
from contracts.jsontext import json_text, members
from contracts.topics import TOPIC_OF
from jobstore.domain.model import TransitionKind
from servicekit.kafka.publisher import Outgoing, build_event_headers

_SOURCE: Final = b"/signoff/jobstore"
_TYPES: Final = {TOPIC_OF[event]: event.type for event in (AgentChanged, ExecutionRefused)}


def make_fact(row: Any) -> Outgoing:
    """Return the record of a stored fact: an AgentChanged or an ExecutionRefused."""
    body = row.body.encode()
    subject = row.execution_id or row.key
    headers = build_event_headers(fact_id(subject, row.seq), _TYPES[row.topic], _SOURCE, row.happened_at)
    return Outgoing(row.topic, body, row.key.encode(), headers)


def make_job_changed(row: Any) -> Outgoing:
    """Return the record of one transition, a JobChanged, from its row of the log."""
    log_part = {
        "id": row.id,
        "job_id": row.job_id,
        "version": row.version,
        "status": row.status,
        "job_status": row.job_status,
        "agent_id": row.agent_id,
        "message": row.message,
        "code": row.code,
        "execution_id": row.execution_id,
        "attempt": row.attempt,
        "lease": row.lease,
        "submission": row.submission,
        "event_id": row.event_id,
        "progress": row.progress,
        "spent_usd": row.spent_usd,
        "spent_tokens": row.spent_tokens,
        "next_attempt_at": row.next_attempt_at,
        "kind": row.kind,
        "calls": row.calls,
        "spent_calls": row.spent,
        "cursor": row.seq,
        "created_at": row.created_at,
    }
    job_part = {
        "id": row.job_id,
        "title": row.title,
        "status": row.job_status,
        "version": row.version,
        "agent_id": row.agent_id,
        "execution_id": row.execution_id,
        "submission": row.submission or 1,
        "priority": row.priority,
        "tenant": row.tenant,
        "progress": row.progress,
        "progress_message": row.progress_message,
        "capabilities": row.capabilities,
        "not_before": row.job_not_before,
        "batch_id": row.batch_id,
        "spent_usd": row.spent_usd,
        "spent_tokens": row.spent_tokens,
        "created_at": row.job_created_at,
        "updated_at": row.created_at,
    }
    payload = extract_payload(row.request) if row.version == 1 else None
    if row.kind == TransitionKind.EDITED:
        payload = members(row.request)["payload"]
    if payload is not None:
        job_part |= {"description": row.description, "acceptance_criteria": row.acceptance_criteria}
    texts = {"labels": row.labels, "policy": row.policy} | _revert_edits(row.edits)
    job_part |= {name: from_json(texts[name]) for name in job_part.keys() & texts.keys()}
    rest = {"kind": row.kind, "spent": row.spent, "spec_hash": row.spec_hash}
    body = _join_json(
        {"job_id": row.job_id, "version": row.version},
        log=_join_json(log_part, request_payload=row.request, response_payload=row.response),
        job=_join_json(job_part, labels=texts["labels"], policy=texts["policy"], payload=payload),
        agent=_conceal(row.agent),
        **{name: to_json(value).decode() for name, value in rest.items() if value is not None},
        requested=_join_request(row) if row.kind == TransitionKind.REQUESTED else None,
    )
    headers = build_event_headers(row.id, JobChanged.type, _SOURCE, row.created_at)
    return Outgoing(TOPIC_OF[JobChanged], body.encode(), row.job_id.encode(), headers)


def _revert_edits(edits: Sequence[str] | None) -> dict[str, str]:
    """Return what a job asked for before later edits, as JSON texts: a fact published late must not show them."""
    before: dict[str, str] = {}
    for edit in reversed(edits or ()):
        before |= members(members(edit)["before"])
    return before


def _conceal(agent: str | None) -> str | None:
    """Return an agent's JSON without a user and password in its URL. A rebuild takes agents from other facts."""
    if agent is None or "@" not in agent:
        return agent
    fields = from_json(agent)
    return json_text(fields | {"url": hide_userinfo(fields["url"])})


def _join_request(row: Any) -> str:
    columns = {"created_at": "requested_at"} | {n: n for n in ("deadline_at", "not_before", "batch_id", "reuse_key")}
    return _join_json({name: getattr(row, column) for name, column in columns.items()}, policy=row.frozen_policy)


def extract_payload(assignment: str | None) -> str | None:
    """Return the payload within the request of an assignment, `{"payload":...}`, as JSON text."""
    return None if assignment is None else assignment.removeprefix('{"payload":')[:-1]


def _join_json(fields: Mapping[str, Any], **texts: str | None) -> str:
    """Return one JSON object of values, and of JSON texts that are put in as they are."""
    head = to_json({name: value for name, value in fields.items() if value is not None}).decode()
    tail = "".join(f',"{name}":{value}' for name, value in texts.items() if value is not None)
    return f"{head[:-1]}{tail}}}"
