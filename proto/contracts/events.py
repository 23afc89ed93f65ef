"""The Kafka events, each declared once. A body is one JSON object; CloudEvents attributes go in headers."""

import hashlib
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.fields import AgentId, JobId, Text, matches
from contracts.judging.policy import Verdict
from contracts.resources import Job, NewJob, Usage
from signoff.fields import Model, Open, Time, optional
from signoff.jsontext import Json, json_text
from signoff.status import ReportKind
from signoff.types import Agent, JobLog

_EVENTS = UUID("6b0f3d0e-4f0c-5a7e-9d57-1d5b1f0c5e11")


def event_id(execution_id: UUID, lease: int, name: str) -> UUID:
    """Derive an event's id: an event that is published again has the same id."""
    return uuid5(_EVENTS, f"{execution_id}/{lease}/{name}")


def fact_id(subject: str, cursor: int) -> UUID:
    """Derive the event id of a fact about an agent or an execution (`subject`) from its row's number (`cursor`)."""
    return uuid5(_EVENTS, f"fact/{subject}/{cursor}")


_BEGAN_AT = "when the first call of the attempt began; it is recorded as `call_begun`, unless that was reported before"
_CODE_PATTERN = matches(r"^[a-z][a-z0-9_]{0,63}$", "must be an error code, such as agent_timeout")
Code = Annotated[str, StringConstraints(pattern=_CODE_PATTERN)]
#: Bytes of an agent's name for its work.
HANDLE_MAX_BYTES = 1024


def check_handle(handle: str) -> str:
    """Return an agent's name for its work. Raise ValueError if it is too long or not printable."""
    if not handle.isprintable() or len(handle.encode()) > HANDLE_MAX_BYTES:
        raise ValueError(f"must be printable, of {HANDLE_MAX_BYTES} bytes at most")
    return handle


Handle = Annotated[Text, AfterValidator(check_handle)]


class Event(Model):
    """An event: it has a type, a deterministic id and a partition key."""

    type: ClassVar[str]

    @property
    def event_id(self) -> UUID:
        """The CloudEvents `id`."""
        raise NotImplementedError

    @property
    def key(self) -> str | None:
        """The partition key."""
        raise NotImplementedError


class _ExecutionEvent(Event):
    execution_id: UUID
    job_id: JobId

    @property
    def key(self) -> str | None:
        return self.job_id


class ExecuteRequested(_ExecutionEvent):
    """Run this job: one that the jobstore knows, or one that stands here whole."""

    type: ClassVar[str] = "signoff.execute-requested.v1"
    job: NewJob | None = optional("the whole new job; its id is `job_id`")
    not_before: Time | None = optional("it begins no earlier")

    @property
    def event_id(self) -> UUID:
        return event_id(self.execution_id, 0, "execute-requested")

    @model_validator(mode="after")
    def _check_job_id(self) -> Self:
        if self.job is not None and self.job.id not in {None, self.job_id}:
            raise ValueError("job.id differs from job_id")
        return self


class ResultProduced(_ExecutionEvent):
    """The agent's result, with what is needed to judge it."""

    type: ClassVar[str] = "signoff.result-produced.v1"
    attempt: int = Field(ge=1)
    lease: int = Field(ge=1)
    submission: int = Field(1, ge=1)
    acceptance_criteria: Text
    title: Text = ""
    result: Json = None
    duration_s: float | None = Field(None, ge=0, description="of the call")
    usage: Usage | None = optional("of the call, as the agent said")
    began_at: Time | None = optional(_BEGAN_AT)
    produced_at: Time

    @property
    def event_id(self) -> UUID:
        return event_id(self.execution_id, self.lease, "result-produced")

    @cached_property
    def result_text(self) -> str:
        """Return the JSON text of the result."""
        return json_text(self.result)

    @cached_property
    def result_hash(self) -> bytes:
        """Return the SHA-256 of the result's JSON text, 32 bytes, by which results are compared."""
        return hash_result(self.result_text)


def hash_result(text: str) -> bytes:
    """Return the SHA-256 of a result's JSON text."""
    return hashlib.sha256(text.encode()).digest()


def hash_task(title: str, description: str, payload: str) -> bytes:
    """Return the SHA-256 of a task as JSON text: all that the agent is sent, except the feedback on its last result."""
    head = json_text({"title": title, "description": description})
    return hashlib.sha256(f'{head[:-1]},"payload":{payload}}}'.encode()).digest()


class JobStatusReported(_ExecutionEvent):
    """What a worker says happened under a lease; the jobstore decides what becomes of it."""

    type: ClassVar[str] = "signoff.job-status-reported.v1"
    kind: ReportKind
    attempt: int = Field(ge=1)
    lease: int = Field(ge=1)
    seq: int = Field(ge=1, description="counts the reports under one lease; a number already recorded is a repeat")
    code: Code | None = None
    message: Text | None = None
    progress: float | None = Field(None, ge=0, le=1)
    partial: Json = optional("what the agent has so far")
    call: int | None = Field(None, ge=1, description="of a failure: which call of the execution it was")
    retryable: bool | None = optional("of a failure: the agent's, and one that may pass")
    verdict: Verdict | None = None
    retry_after_s: float | None = Field(None, ge=0)
    duration_s: float | None = Field(None, ge=0)
    usage: Usage | None = optional("of the call that failed, or of the judgement")
    handle: Handle | None = optional(
        "the agent's own name for the work, by which it is found again; empty: not any more"
    )
    model_and_prompt: Text | None = optional("of a verdict: which model and prompt were asked")
    began_at: Time | None = optional(f"of a failure: {_BEGAN_AT}")
    reported_at: Time

    @property
    def event_id(self) -> UUID:
        return event_id(self.execution_id, self.lease, f"{self.kind}/{self.seq}")

    @model_validator(mode="after")
    def _check_verdict(self) -> Self:
        if (self.kind is ReportKind.VERDICT) != (self.verdict is not None):
            raise ValueError("a verdict goes with kind `verdict`, and only with it")
        if self.verdict is not None:
            self.verdict.check_words()
        return self


def to_call_begun(execution_id: UUID, job_id: str, attempt: int, lease: int, began_at: datetime) -> JobStatusReported:
    """Return the report that the first call of an attempt began: the first of its lease, if published separately."""
    return JobStatusReported(
        execution_id=execution_id,
        job_id=job_id,
        kind=ReportKind.CALL_BEGUN,
        attempt=attempt,
        lease=lease,
        seq=1,
        message=f"attempt {attempt}: the agent is being called",
        reported_at=began_at,
    )


class CancelRequested(Event):
    """Stop this execution, also one that has not arrived yet."""

    type: ClassVar[str] = "signoff.cancel-requested.v1"
    execution_id: UUID
    job_id: JobId | None = None
    reason: Text | None = None

    @property
    def event_id(self) -> UUID:
        return event_id(self.execution_id, 0, "cancel-requested")

    @property
    def key(self) -> str | None:
        return self.job_id or str(self.execution_id)


class Requested(Model):
    """The terms of an execution, frozen when it is requested."""

    policy: dict[str, Any] = Field(description="whole: the job's over the agent's over the jobstore's")
    deadline_at: Time | None = None
    not_before: Time | None = None
    batch_id: UUID | None = None
    reuse_key: str | None = optional("the same for an identical request; hexadecimal")
    protocol: str | None = optional("by which the agent is called; not given of http")
    settings_hash: str | None = optional("of the agent's settings as they are frozen; hexadecimal")
    traceparent: str | None = optional("the trace that it belongs to, as whoever asked for it gave it")
    created_at: Time


class Stub(Model):
    """Why a fact stands without its texts: its topic did not take it. The whole follows under the same event id."""

    hash: str = Field(description="SHA-256 of the body that was refused; hexadecimal")
    code: Code = Field(description="`fact_too_large`, or `fact_refused` for whatever else")
    bytes: int = Field(ge=0, description="of that body")


class JobChanged(Event):
    """A fact: one recorded transition, and the job as it stood after it.

    `job` has all of a Job but its texts (description, criteria, references, payload), which it has at version 1 and
    after an edit alone: a rebuild makes the job of them. There a text stands once: `log.payload` and `log.after` are
    not given (docs/adr/0017). `spec_hash` and `requested` are what a rebuild needs besides.
    """

    type: ClassVar[str] = "signoff.job-changed.v1"
    job_id: JobId
    version: int = Field(ge=1)
    log: JobLog
    job: Job
    agent: Agent | None = optional("the agent as it was, where the transition assigns one")
    spec_hash: str | None = optional("at version 1: the same for the same new job; hexadecimal")
    requested: Requested | None = optional("where the transition requests an execution")
    stub: Stub | None = optional("given where the fact is not whole: set the job aside until it is")

    @property
    def event_id(self) -> UUID:
        return self.log.id

    @property
    def key(self) -> str | None:
        return self.job_id


class AgentChanged(Event):
    """A fact: an agent was registered or changed, and how it is since. The newest has the highest cursor."""

    type: ClassVar[str] = "signoff.agent-changed.v1"
    agent_id: AgentId
    cursor: int = Field(ge=1, description="the number of its row, as in a job's log")
    agent: Agent
    actor: str | None = optional("who asked for it, by their credentials")
    stub: Stub | None = optional("given where the fact is not whole")

    @property
    def event_id(self) -> UUID:
        return fact_id(self.agent_id, self.cursor)

    @property
    def key(self) -> str | None:
        return self.agent_id


class RefusedAs(StrEnum):
    """What an execution was answered of which nothing was requested."""

    REFUSED = "refused"
    CANCELLED = "cancelled"


class ExecutionRefused(Event):
    """A fact: an execution id was answered although nothing was requested, and is answered so for ever."""

    type: ClassVar[str] = "signoff.execution-refused.v1"
    execution_id: UUID
    job_id: JobId | None = optional("None: cancelled before its job was known")
    cursor: int = Field(ge=1, description="the number of its row, as in a job's log")
    answer: Open[RefusedAs]
    code: Code | None = optional("why it was refused")
    refused_at: Time
    actor: str | None = optional("who asked for it, by their credentials")
    stub: Stub | None = optional("given where the fact is not whole")

    @property
    def event_id(self) -> UUID:
        return fact_id(str(self.execution_id), self.cursor)

    @property
    def key(self) -> str | None:
        return self.job_id or str(self.execution_id)


class AdministrationKind(StrEnum):
    """What administrators set, by the tables that hold it; and `complete`: what is set from there on is all told."""

    COMPLETE = "complete"
    TENANTS = "tenants"
    LIMITS = "limits"
    RETENTIONS = "retentions"
    JUDGING_VERSIONS = "judging_versions"
    JUDGING_MOVES = "judging_moves"
    JUDGING_EVALUATIONS = "judging_evaluations"
    OPERATIONS = "operations"
    OPERATION_ITEMS = "operation_items"
    HOLDS = "holds"


class AdministrationChanged(Event):
    """A fact: administrators set or removed tenants, limits, retentions, judge policies, criteria, operations or holds.

    Each row takes the place of the one with the same key, and the highest cursor is the newest.
    """

    type: ClassVar[str] = "signoff.administration-changed.v1"
    kind: Open[AdministrationKind]
    name: str = Field(description="which limit, policy, set or operation the rows are of")
    cursor: int = Field(ge=1, description="the number of its row, as in a job's log")
    rows: list[dict[str, Json]] = Field(description="each as it is since, by column; JSON as its text; 1,000 at most")
    removed: bool = Field(False, description="whether the rows are no more")
    changed_at: Time
    actor: str = Field(description="who asked for it, by their credentials")
    stub: Stub | None = optional("given where the fact is not whole: it has no rows then")

    @property
    def event_id(self) -> UUID:
        return fact_id(self.name, self.cursor)

    @property
    def key(self) -> str | None:
        return self.name
