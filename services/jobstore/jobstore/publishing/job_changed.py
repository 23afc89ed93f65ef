"""Make the records of facts; JSON of users and agents is passed on as the text that it is.

A text stands in a fact once (docs/adr/0017): the request of version 1, and of an edit, is left out, as the job has it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pydantic_core import from_json, to_json

from contracts.agents import hide_userinfo
from contracts.events import AdministrationChanged, AgentChanged, ExecutionRefused, JobChanged, Stub, fact_id
from contracts.topics import TOPIC_OF
from jobstore.domain.decisions import NO_ENDING, change_ending, is_end, make_ending
from jobstore.domain.model import TransitionKind
from jobstore.json_members import members
from jobstore.storage.entry_bodies import split
from jobstore.storage.facts import ADMINISTRATION, COMPLETE
from jobstore.storage.sql import Row
from jobstore.storage.work.recorded import EntryRow
from servicekit.kafka.publisher import Outgoing, build_event_headers
from signoff.jsontext import json_text
from signoff.money import usd_text
from signoff.status import JobLogStatus
from signoff.times import time_text

#: The CloudEvents type of the fact that all is told from there on, which tells of nothing else.
COMPLETE_TYPE: Final = "signoff.administration-complete.v1"
_OUTLINE_OF_AN_AGENT: Final = frozenset({"id", "name", "protocol", "url", "created_at", "updated_at", "version"})
_TYPES: Final = {TOPIC_OF[event]: event.type for event in (AgentChanged, ExecutionRefused, AdministrationChanged)}


def make_fact(row: Row) -> Outgoing:
    """Return the record of a stored fact: an AgentChanged, an ExecutionRefused or an AdministrationChanged."""
    body = row.body.encode()
    subject = row.execution_id or row.key
    schema = _TYPES[row.topic]
    event_type = COMPLETE_TYPE if (row.topic, row.key) == (ADMINISTRATION, COMPLETE) else schema
    headers = build_event_headers(fact_id(subject, row.seq), event_type, None, row.happened_at, row.key, schema)
    return Outgoing(row.topic, body, row.key.encode(), headers)


def make_job_changed(row: EntryRow, reverted: Mapping[str, str]) -> Outgoing:
    """Return the record of one transition, a JobChanged, from its row of the log, read back or as it was recorded.

    `reverted`: what later edits changed of the job, as it was then, as JSON texts by field.
    """
    cost_usd = None if row.cost_nanos is None else usd_text(row.cost_nanos)
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
        "cost_usd": cost_usd,
        "tokens": row.tokens,
        "next_attempt_at": row.next_attempt_at,
        "kind": row.kind,
        "max_calls": row.max_calls,
        "spent_calls": row.spent,
        "actor": row.actor,
        "duration_s": row.duration_s,
        "cursor": row.seq,
        "created_at": row.created_at,
    }
    standing = row.standing if isinstance(row.standing, Mapping) else _find_standing(from_json(row.standing or "[]"))
    job_part = {
        "id": row.job_id,
        "title": row.title,
        "status": row.job_status,
        "version": row.version,
        "agent_id": row.agent_id,
        "execution_id": row.job_execution_id,
        "submission": row.job_submission or 1,
        "priority": row.priority,
        "tenant": row.tenant,
        "progress": row.progress,
        "progress_message": row.progress_message,
        "capabilities": row.capabilities,
        "not_before": row.job_not_before,
        "batch_id": row.batch_id,
        "cost_usd": cost_usd,
        "tokens": row.tokens,
        "live": standing["live"] or None,
        "cancelled": standing["cancelled"] or None,
        "code": standing["code"],
        "duration_s": standing["duration_s"],
        "created_at": row.job_created_at,
        "updated_at": row.created_at,
    }
    request = _split_request(row)
    if request is not None:
        job_part |= {"description": row.description, "acceptance_criteria": row.acceptance_criteria}
    texts = {name: reverted[name] for name in reverted.keys() & {*job_part, "labels", "policy"}}
    texts = {"labels": row.labels, "policy": row.policy} | texts
    if request is not None:
        if (references := reverted.get("references", row.reference_texts)) not in {None, "{}"}:
            texts["references"] = references
        texts |= members(request.get("changed", "{}")) | {"payload": request["payload"]}
    body = _join_json(
        {"job_id": row.job_id, "version": row.version, "spec_hash": row.spec_hash},
        log=_join_json(
            log_part,
            waited=row.waited,
            **_get_bodies(row, request),
        ),
        job=_join_json({name: value for name, value in job_part.items() if name not in texts}, **texts),
        agent=_conceal(row.agent),
        requested=_join_request(row) if row.kind == TransitionKind.REQUESTED else None,
    )
    headers = build_event_headers(row.id, JobChanged.type, None, row.created_at, row.job_id)
    return Outgoing(TOPIC_OF[JobChanged], body.encode(), row.job_id.encode(), headers)


def _find_standing(turns: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
    """Return how a job stood after the entries of its log since it began anew, of those that may change that."""
    standing: dict[str, object] = {"live": False, **NO_ENDING}
    for turn in turns:
        kind, status, code = turn["kind"], JobLogStatus(turn["status"]), turn.get("code")
        if is_end(kind, status, turn.get("execution_id")):
            requested_at, at = (datetime.fromisoformat(turn[name]) for name in ("requested_at", "at"))
            standing |= {"live": False, **make_ending(status, code, requested_at, at, ())}
        else:
            standing |= change_ending(kind, code)
            standing["live"] = standing["live"] or kind in {TransitionKind.REQUESTED, TransitionKind.REJUDGED}
    return standing


def make_stub(row: EntryRow, reverted: Mapping[str, str], whole: Outgoing, code: str) -> Outgoing:
    """Return the record that stands for a fact that its topic does not take: small, and with the same event id."""
    stub = Stub(hash=hashlib.sha256(whole.value).hexdigest(), code=code, bytes=len(whole.value))
    fields = _outline_job(row, reverted) if whole.topic == TOPIC_OF[JobChanged] else _outline_fact(from_json(row.body))
    return Outgoing(whole.topic, to_json(fields | {"stub": stub}), whole.key, whole.headers)


def _outline_job(row: EntryRow, reverted: Mapping[str, str]) -> dict[str, object]:
    """Return what a JobChanged must have. Its entry has no `kind`: a reader that knows no stubs does not apply it."""
    title = reverted.get("title")
    log = {name: getattr(row, name) for name in ("id", "job_id", "version", "status", "job_status")}
    log |= {"created_at": time_text(row.created_at), "cursor": row.seq}
    job = {
        "id": row.job_id,
        "title": row.title if title is None else from_json(title),
        "status": row.job_status,
        "version": row.version,
        "created_at": time_text(row.job_created_at),
        "updated_at": time_text(row.created_at),
    }
    return {"job_id": row.job_id, "version": row.version, "log": log, "job": job}


def _outline_fact(body: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return what a stored fact must have."""
    agent = {name: value for name, value in body.get("agent", {}).items() if name in _OUTLINE_OF_AN_AGENT}
    return {**body, **({"agent": agent} if agent else {}), **({"rows": []} if "rows" in body else {})}


def _split_request(row: EntryRow) -> Mapping[str, str] | None:
    """Return the members of the request of version 1 or of an edit, whose texts the job's part has; else None."""
    if row.kind == TransitionKind.EDITED:
        return members(row.request)
    is_first = row.version == 1  # it is `{"payload":...}`, and may be large
    return {"payload": row.request.removeprefix('{"payload":')[:-1]} if is_first else None


def _get_bodies(row: EntryRow, request: Mapping[str, str] | None) -> Mapping[str, str | None]:
    """Return the texts of an entry that its fact has: of the request what the job's part has not."""
    if request is not None:
        return {**split(row.kind, None, row.response), "before": request.get("before")}
    return split(row.kind, row.request, row.response)


def _conceal(agent: str | None) -> str | None:
    """Return an agent's JSON without a user and password in its URL. A rebuild takes agents from other facts."""
    if agent is None or "@" not in agent:
        return agent
    fields = from_json(agent)
    return json_text(fields | {"url": hide_userinfo(fields["url"])})


def _join_request(row: EntryRow) -> str:
    columns = {"created_at": "requested_at"} | {n: n for n in ("deadline_at", "not_before", "batch_id", "reuse_key")}
    return _join_json({name: getattr(row, column) for name, column in columns.items()}, policy=row.frozen_policy)


def _join_json(fields: Mapping[str, object], **texts: str | None) -> str:
    """Return one JSON object of values, and of JSON texts that are put in as they are."""
    head = to_json({name: _write(value) for name, value in fields.items() if value is not None}).decode()
    tail = "".join(f',"{name}":{value}' for name, value in texts.items() if value is not None)
    return f"{head[:-1]}{tail}}}"


def _write(value: object) -> object:
    return time_text(value) if isinstance(value, datetime) else value
