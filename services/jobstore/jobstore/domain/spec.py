"""The content of a job, and the body that its agent is sent. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.criteria import format_criteria
from contracts.resources import NewJob, Policy
from jobstore.domain.model import Execution, Job
from signoff.jsontext import json_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The content of a job: the fields that only an edit or an assignment changes. `payload` is JSON text.

    No body of a call has `references`, which are for judges alone.
    """

    title: str
    description: str
    acceptance_criteria: str
    references: Mapping[int, str] = field(default_factory=dict)
    payload: str
    priority: int
    tenant: str
    labels: Mapping[str, str]
    policy: Policy
    capabilities: Sequence[str]
    not_before: datetime | None
    spec_hash: bytes
    created_at: datetime
    updated_at: datetime


def hash_spec(new: NewJob) -> bytes:
    """Hash a new job, to tell whether one of the same id is the same job.

    The order of its JSON does not change the hash, nor how its criteria are spelled, nor a field that is added to the
    contract with a default.
    """
    fields = new.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    fields["acceptance_criteria"] = format_criteria(new.criteria) if new.criteria else ""
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).digest()


def is_same(spec: Spec, new: NewJob) -> bool:
    """Return whether a job was created from what a new one asks for."""
    return spec.spec_hash == hash_spec(new)


def format_assignment(payload: str) -> str:
    """Return the request payload of an assignment, as JSON text."""
    return f'{{"payload":{payload}}}'


def format_edit(payload: str, changed: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return the request payload of an edit, as JSON text: the payload, as in an assignment, and what changed."""
    new, old = (",".join(f'"{name}":{value}' for name, value in fields.items()) for fields in (changed, before))
    return f'{{"payload":{payload},"changed":{{{new}}},"before":{{{old}}}}}'


def format_request_body(job: Job, spec: Spec, execution: Execution, comment: str | None) -> str:
    """Return the JSON body of every call of one execution (docs/protocol.md#doors)."""
    ids = {"execution_id": execution.execution_id, "job_id": job.id, "submission": execution.submission}
    return f"{json_text(ids)[:-1]},{format_request_content(job, spec, comment)[1:]}"


def format_request_content(job: Job, spec: Spec, comment: str | None) -> str:
    """Return the part of the body without ids, which is the same for an identical request."""
    head = json_text({name: getattr(spec, name) for name in ("title", "description", "acceptance_criteria")})
    feedback = job.feedback or "null"
    if comment is not None:
        verdict = "" if job.feedback is None else f',"verdict":{job.feedback}'
        feedback = f'{{"comment":{json_text(comment)}{verdict}}}'
    return f'{head[:-1]},"payload":{spec.payload},"feedback":{feedback}}}'
