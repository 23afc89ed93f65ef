"""What a job asks for, and what an agent is sent of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.jsontext import json_text
from contracts.resources import NewJob, Policy
from jobstore.domain.model import Execution, Job


@dataclass(frozen=True, slots=True)
class Spec:
    """What a job asks for: everything of it that does not move with its status. `payload` is JSON text."""

    title: str
    description: str
    acceptance_criteria: str
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


def spec_hash(new: NewJob) -> bytes:
    """The same for the same new job, in whatever order its JSON came, and whatever fields are added to the contract."""
    fields = new.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).digest()


def text_hash(text: str) -> bytes:
    """The same for the same text."""
    return hashlib.sha256(text.encode()).digest()


def assignment(payload: str) -> str:
    """The request payload of an assignment."""
    return f'{{"payload":{payload}}}'


def request_body(job: Job, spec: Spec, execution: Execution, comment: str | None) -> str:
    """The JSON body of every call of one execution (docs/protocol.md#doors)."""
    ids = {"execution_id": execution.execution_id, "job_id": job.id, "submission": execution.submission}
    return f"{json_text(ids)[:-1]},{what_is_asked(job, spec, comment)[1:]}"


def what_is_asked(job: Job, spec: Spec, comment: str | None) -> str:
    """All of the body that is the same where the identical thing is asked for once more."""
    head = json_text({name: getattr(spec, name) for name in ("title", "description", "acceptance_criteria")})
    feedback = job.feedback or "null"
    if comment is not None:
        verdict = "" if job.feedback is None else f',"verdict":{job.feedback}'
        feedback = f'{{"comment":{json_text(comment)}{verdict}}}'
    return f'{head[:-1]},"payload":{spec.payload},"feedback":{feedback}}}'
