"""Declare the values that `decide` takes and returns: jobs, executions, reports, decisions.

These values are never changed once they are made, yet not frozen, since frozen dataclasses take 2.5 times as long to
make; `replace` takes a third of the time of `dataclasses.replace`.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, NewType, Self, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from contracts.agents import FOUND_BY_IDS
from contracts.criteria import format_criteria, hash_references
from contracts.events import JobStatusReported, Requested
from contracts.judging.policy import Verdict
from contracts.resources import NewJob, Policy, Usage
from contracts.signing import decode_base64
from contracts.spending import Budget
from contracts.topics import MESSAGE_MAX_CHARS, PAYLOAD_MAX_BYTES
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json
from signoff.status import Delivery, JobLogKind, JobLogStatus, JobStatus, Outcome, ReportKind
from signoff.values import time_text, to_nanos, usd_text

V = TypeVar("V")

#: Bytes of an IdKey: as many as the hash has.
KEY_BYTES: Final = 32
#: The version of the UUIDs that IdKey makes (RFC 9562); nothing else makes such.
VERSION: Final = 8
#: The tenant of jobs that name none.
DEFAULT_TENANT: Final = "default"
#: The largest number of characters that a grant names.
CHARS_MAX: Final = 2**53
_LAYOUT: Final = VERSION << 76 | 0b10 << 62
_DIGEST: Final = ~(0xF << 76 | 0b11 << 62)


def cut_message(message: str) -> str:
    """Return a message, cut to MESSAGE_MAX_CHARS."""
    return (
        message if len(message) <= MESSAGE_MAX_CHARS else f"{message[: MESSAGE_MAX_CHARS - 1]}\N{HORIZONTAL ELLIPSIS}"
    )


def bound_chars(chars: int | str | None) -> int | None:
    """Return how many characters a judge takes: `chars`, but at most CHARS_MAX; None, any number, stays None."""
    return None if chars is None else min(int(chars), CHARS_MAX)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The idempotency key of a request, within its method and its tenant; if `tenant` is None, the job's tenant.

    Two requests under one key are the same if they have the same `body_hash`. `job_id` is the id of the job that the
    request creates or executes.
    """

    method: str
    key: str
    body_hash: bytes
    tenant: str | None = None
    job_id: str | None = None

    @classmethod
    def of(cls, method: str, key: str, body: object, *, tenant: str | None = None, job_id: str | None = None) -> Self:
        """Return the key of a request with a JSON body. The order of members in the body does not count."""
        text = json.dumps([job_id, body], sort_keys=True, separators=(",", ":"))
        return cls(method, key, hashlib.sha256(text.encode()).digest(), tenant, job_id)


@dataclass(frozen=True, slots=True)
class IdKey:
    """The key from which ids are derived. It never changes: with another key, a repeated request would be a new one."""

    value: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key in a base64 text. ValueError, without the secret: it is not base64, or has too few bytes."""
        try:
            value = decode_base64(text.strip())
        except ValueError:
            raise ValueError("it is not base64: `openssl rand -base64 32` makes one") from None
        if len(value) < KEY_BYTES:
            raise ValueError(f"it has {len(value)} bytes, not {KEY_BYTES}: `openssl rand -base64 32` makes one")
        return cls(value)

    def derive(self, purpose: str, *names: str) -> UUID:
        """Return the id of `names`, a UUID of version 8. For another purpose the same names have another id."""
        digest = hmac.digest(self.value, json_text([purpose, *names]).encode(), "sha256")
        return UUID(int=int.from_bytes(digest[:16]) & _DIGEST | _LAYOUT)

    def derive_request(self, key: RequestKey, tenant: str) -> UUID:
        """Return the id under which a tenant's request with this idempotency key is remembered."""
        return self.derive("request", key.method, tenant, key.key)

    @property
    def installation(self) -> str:
        """The id of this installation, which events name as their source. It is the same as long as the key is."""
        return self.derive("installation").hex[:12]

    def derive_next(self, execution_id: UUID) -> UUID:
        """Return the id of the execution that follows `execution_id` by policy, the same if a verdict is repeated."""
        return self.derive("resubmission", str(execution_id))


#: Bounds the exponent, so that 2**n stays a finite float.
_DOUBLINGS_MAX: Final = 30
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """Settings of circuits: `failures` in a row open a circuit, for a time that doubles if it opens again in a row."""

    failures: int = 5
    open_first_s: float = 5.0
    open_max_s: float = 300.0

    def open_until(self, now: datetime, times_opened: int) -> datetime:
        """Return until when a circuit is open that opens now, and opened `times_opened` times in a row before."""
        seconds = min(self.open_first_s * 2 ** min(times_opened, _DOUBLINGS_MAX), self.open_max_s)
        return now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class ReuseTerms:
    """Settings of reuse: for how many seconds verdicts and results may be reused (0: never), and how many are kept."""

    verdict_age_s: float = 86_400.0
    result_age_s: float = 86_400.0
    entries_max: int = 100_000


@dataclass(frozen=True, slots=True)
class Reusable:
    """A log entry whose verdict or result may be reused: the `verdict` itself, or the hash of the result."""

    job_id: str
    version: int
    verdict: Verdict | None = None
    result_hash: bytes | None = None
    kept_at: datetime = _LONG_AGO

    def __str__(self) -> str:
        return f"job {self.job_id} version {self.version}"


#: A worker that was silent for so many lease lengths counts as gone.
ALIVE_LEASES: Final = 1.5


@dataclass(frozen=True, slots=True)
class ExecutionTerms:
    """Settings of executions. A field of `policy` applies where neither the job nor its agent sets that field.

    `ids` derives ids that cannot be guessed. `lease_s`: how long a lease lasts unless it is renewed. `offer_again_s`:
    after how long an offer is repeated. `remembered_max`: how many cancels of unknown executions are remembered, and
    how many answers to wrong records. `job_max_bytes`: the maximum size of a job, as `contracts.topics` measures it.
    """

    policy: Policy
    lease_s: float
    offer_again_s: float
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    reuse: ReuseTerms = field(default_factory=ReuseTerms)
    job_max_bytes: int = PAYLOAD_MAX_BYTES
    remembered_max: int = 100_000
    ids: IdKey = field(kw_only=True)
    #: Registered tenants that were read, by the names that mean them: these stay, so that no life reads them again.
    known_tenants: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def alive_s(self) -> float:
        """For how many seconds a worker counts after its last report; then it is gone, and its room is not used."""
        return self.lease_s * ALIVE_LEASES


#: A token by its name, a user, a worker, or an upstream by the id of its secret: the text that is stored and published.
Actor = NewType("Actor", str)

#: The holder of the token in SIGNOFF_TOKEN.
BOOTSTRAP: Final = Actor("token:bootstrap")
EXECUTOR: Final = Actor("executor")
VALIDATOR: Final = Actor("validator")
#: The holder of a lease: EXECUTOR or VALIDATOR is stored, by the stage of the execution.
WORKER: Final = Actor("worker")
#: Anybody who can write to the topics of requests, if upstreams have no secrets.
UPSTREAM: Final = Actor("upstream")
#: Signoff itself, for what follows from a policy, from time, or from a rebuild.
SIGNOFF: Final = Actor("signoff")


#: The answer of an execution that was cancelled.
CANCELLED: Final = ErrorCode.CANCELLED
#: The code of a job whose criteria are passed or unproven: its judge has failed, and not its agent.
UNPROVEN: Final = ErrorCode.VERDICT_UNPROVEN
#: A policy as it is frozen with an execution: the fields of contracts.resources.Policy that are set.
FrozenPolicy: TypeAlias = Mapping[str, Any]


def replace(value: V, **changes: object) -> V:
    """Return a copy of a value of this module, with other values in the fields in `changes`."""
    read, places = _read_fields(type(value))  # type: ignore[arg-type] # types are hashable
    values = list(read(value))
    for name, changed in changes.items():
        values[places[name]] = changed
    return type(value)(*values)


@cache
def _read_fields(kind: type[object]) -> tuple[Callable[[object], Iterable[object]], Mapping[str, int]]:
    names = [each.name for each in fields(kind)]  # type: ignore[arg-type] # all are dataclasses
    return attrgetter(*names), {name: place for place, name in enumerate(names)}


class ExecutionStage(StrEnum):
    """The two stages of an execution, each with the same states (docs/protocol.md#executions)."""

    EXECUTING = "EXECUTING"
    JUDGING = "JUDGING"


class ExecutionState(StrEnum):
    """The states of an execution within its stage; DONE ends both stages (docs/protocol.md#executions)."""

    QUEUED = "QUEUED"
    OFFERED = "OFFERED"
    LEASED = "LEASED"
    DONE = "DONE"


#: Transitions of the table of states (docs/protocol.md#states-of-a-job); the values are stored and published.
TransitionKind = JobLogKind


@dataclass(slots=True)
class Job:
    """The columns of a job that decisions read or change.

    `execution_id` is the live execution, or the last one; `not_met` counts not-met verdicts since the last assignment
    by hand; `feedback` is JSON text; `cost_nanos` and `tokens` are of all executions. `updated_at` is the time of the
    last entry before this transaction. The fields after it say how the last execution ended (jobs.transitions).
    """

    id: str
    status: JobStatus
    version: int
    agent_id: str | None = None
    execution_id: UUID | None = None
    live: bool = False
    not_met: int = 0
    feedback: str | None = None
    progress: float | None = None
    progress_message: str | None = None
    batch_id: UUID | None = None
    cost_nanos: int = 0
    tokens: int = 0
    updated_at: datetime | None = None
    cancelled: bool = False
    code: str | None = None
    duration_s: float | None = None
    not_met_criteria: Sequence[str] | None = None


def budget_of(job: Job, policy: FrozenPolicy | None) -> Budget:
    """Return the budget that a policy gives a job, with the cost and tokens of all executions of the job."""
    policy = policy or {}
    return Budget.under(policy, job.cost_nanos, job.tokens)


#: The fields of an execution that the fact of its request has as they are.
TERMS: Final = [
    name for name in Requested.model_fields if name not in {"policy", "reuse_key", "settings_hash", "created_at"}
]


@dataclass(slots=True)
class Execution:
    """One request to run a job. The fields are columns of its row; schema/tables.py documents each.

    `policy` is frozen at the request, with every field. `spent` counts calls that failed or were lost with their
    worker. `waited` is the JSON text of its waits since its last log entry. `handle` is the agent's name for the work;
    empty: it has none any more. `created_at` is None for an execution that is requested in this transaction.
    """

    execution_id: UUID
    job_id: str
    stage: ExecutionStage = ExecutionStage.EXECUTING
    state: ExecutionState = ExecutionState.QUEUED
    attempt: int = 0
    lease: int = 0
    seq: int = 0
    owner: UUID | None = None
    due_at: datetime | None = None
    deadline_at: datetime | None = None
    fails_at: datetime | None = None
    offers: int = 0
    submission: int = 1
    agent_id: str | None = None
    policy: FrozenPolicy | None = None
    request_version: int | None = None
    result_version: int | None = None
    result_lease: int | None = None
    answer: str | None = None
    priority: int = 5
    spent: int = 0
    tenant: str = "default"
    flow: Sequence[str] = ()
    batch_id: UUID | None = None
    not_before: datetime | None = None
    reuse_key: bytes | None = None
    result_hash: bytes | None = None
    task_hash: bytes | None = None
    misjudged: int = 0
    validators_lost: int = 0
    waited: str | None = None
    cost_nanos: int = 0
    tokens: int = 0
    protocol: str | None = None
    settings_hash: bytes | None = None
    handle: str | None = None
    follows_only: bool = False
    traceparent: str | None = None
    created_at: datetime | None = None

    @property
    def is_at_most_once(self) -> bool:
        """Whether the agent must not be called again once a first call has begun."""
        return (self.policy or {}).get("delivery") == Delivery.AT_MOST_ONCE

    @property
    def can_be_found(self) -> bool:
        """Whether the agent shows work that it was given, by our ids or its own name for it."""
        return self.protocol in FOUND_BY_IDS or bool(self.handle)

    @property
    def ends_with_its_worker(self) -> bool:
        """Whether a call that may have begun is the last one: it must not be sent again, and cannot be found."""
        return self.is_at_most_once and not self.can_be_found

    @property
    def is_remembered(self) -> bool:
        """Whether this is an answer that is remembered for a time: an early cancel, or the error of a wrong record."""
        return self.state is ExecutionState.DONE and self.request_version is None and self.due_at is not None

    @property
    def is_wrong_record(self) -> bool:
        """Whether this is the remembered error of a wrong record."""
        return self.is_remembered and self.answer != CANCELLED

    @property
    def is_early_cancel(self) -> bool:
        """Whether this is the remembered cancel of an execution that is not requested yet."""
        return self.is_remembered and self.answer == CANCELLED

    def may_call_after(self, spent: int) -> bool:
        """Return whether `max_calls` allows another call after `spent` calls."""
        return spent < int((self.policy or {}).get("max_calls", 1))

    def fails_after(self, timeout: str, since: datetime) -> datetime | None:
        """Return when the policy's `timeout`, counted from `since`, ends, or the deadline, if earlier; None: never."""
        seconds = (self.policy or {}).get(timeout)
        timeout_at = since + timedelta(seconds=seconds) if seconds else None
        return min((at for at in (timeout_at, self.deadline_at) if at), default=None)

    @property
    def has_submissions_left(self) -> bool:
        """Whether a not-met verdict leaves the job RESUBMISSION_REQUIRED; otherwise it is REJECTED."""
        return self.submission < int((self.policy or {}).get("max_submissions", 1))


@dataclass(slots=True)
class Report:
    """A transition to decide on: something that happened to a job or an execution, or is asked of it.

    `request`, `response` and `feedback` are JSON texts; `lease` and `seq` are the worker's token. A `message` is cut to
    the maximum of an entry. `call` is the number of the call within the execution, 0 if the report is about no call.
    `answered`: True if the agent answered, False if it failed in a way that may pass, None if that is not known.
    `judge` is set if the verdict may be reused. `reused` is the entry of a reused result. `judge_policy` is the version
    that a result was judged again by, empty if none was named; None: the frozen one. `is_unjudged`: the verdict is not
    met because the judge failed, which no other submission can change. `at` is when it happened, if that was before the
    transaction. `duration_s` is that of the call or judging that ends. `handle` is the agent's name for the work, empty
    if it has none any more. `actor` asked for the transition, or is SIGNOFF.
    """

    kind: TransitionKind
    lease: int = 0
    seq: int = 0
    code: str | None = None
    message: str | None = None
    request: str | None = None
    response: str | None = None
    event_id: UUID | None = None
    owner: UUID | None = None
    agent_id: str | None = None
    feedback: str | None = None
    retry_after_s: float = 0.0
    call: int = 0
    progress: float | None = None
    answered: bool | None = None
    cost_nanos: int = 0
    tokens: int = 0
    result_hash: bytes | None = None
    judge: str | None = None
    judge_policy: str | None = None
    not_met_criteria: Sequence[str] = ()
    is_unjudged: bool = False
    reused: Reusable | None = None
    at: datetime | None = None
    duration_s: float | None = None
    handle: str | None = None
    actor: Actor = SIGNOFF

    def __post_init__(self) -> None:
        if self.message is not None:
            self.message = cut_message(self.message)
        if self.duration_s is not None:  # a fact is kept for ever, and clocks are no finer
            self.duration_s = round(self.duration_s, 6)


@dataclass(slots=True)
class LogEntry:
    """An entry to add to a job's log, with the job as it is after the entry.

    `result_version`, and `result_job_id` if it is another job's, name the entry whose result this entry quotes.
    `waited` is the JSON text of the waits of the execution before this entry.
    """

    job: Job
    status: JobLogStatus
    report: Report
    execution: Execution | None
    result_version: int | None = None
    result_job_id: str | None = None
    next_attempt_at: datetime | None = None
    waited: str | None = None


class LastEntry(NamedTuple):
    """The kind, message and actor of a log entry, by which a repetition of the request behind it is recognized."""

    kind: str
    message: str | None
    actor: str | None


@dataclass(slots=True)
class Refusal:
    """A decision to record nothing: a stable code, and a message for people."""

    code: str
    message: str


@dataclass(slots=True)
class Decision:
    """The changes to record: the job and the execution as they become, and a log entry if the job's version rises."""

    job: Job
    execution: Execution | None
    entry: LogEntry | None = None


@dataclass(slots=True)
class Clock:
    """The database's time in a transaction, and how long leases and offers last, in seconds."""

    now: datetime
    lease_s: float
    offer_again_s: float

    def after(self, seconds: float, execution: Execution) -> datetime:
        """Return the time `seconds` from now, but not beyond the execution's deadline."""
        due = self.now + timedelta(seconds=seconds)
        return min(due, execution.deadline_at) if execution.deadline_at else due


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The content of a job: the fields that only an edit or an assignment changes. `payload` is JSON text.

    Agents are never sent `references`, which are for judges alone.
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
    """Return the hash of a new job, by which a later request with the same id is recognized as the same.

    The hash does not depend on the order of members in JSON, nor on the spelling of criteria, nor on fields that are
    added to the contract and have their default.
    """
    fields = new.model_dump(mode="json", exclude={"id"}, exclude_defaults=True)
    fields["acceptance_criteria"] = format_criteria(new.criteria) if new.criteria else ""
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).digest()


def is_same(spec: Spec, new: NewJob) -> bool:
    """Return whether the job with this spec was created from a new job that was identical to `new`."""
    return spec.spec_hash == hash_spec(new)


def format_assignment(payload: str) -> str:
    """Return the request payload of an assignment's log entry, as JSON text; `payload` is JSON text, too."""
    return f'{{"payload":{payload}}}'


def format_edit(payload: str, changed: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return the request payload of an edit as JSON text: `payload`, the `changed` fields, and these as `before`."""
    new, old = (",".join(f'"{name}":{value}' for name, value in fields.items()) for fields in (changed, before))
    return f'{{"payload":{payload},"changed":{{{new}}},"before":{{{old}}}}}'


def format_request_body(job: Job, spec: Spec, execution: Execution, comment: str | None) -> str:
    """Return the JSON body of every call of an agent in one execution (docs/protocol.md#doors)."""
    ids = {"execution_id": execution.execution_id, "job_id": job.id, "submission": execution.submission}
    return f"{json_text(ids)[:-1]},{format_request_content(job, spec, comment)[1:]}"


def format_request_content(job: Job, spec: Spec, comment: str | None) -> str:
    """Return the JSON body of a call without its ids, which is the same for an identical request."""
    head = json_text({name: getattr(spec, name) for name in ("title", "description", "acceptance_criteria")})
    feedback = job.feedback or "null"
    if comment is not None:
        verdict = "" if job.feedback is None else f',"verdict":{job.feedback}'
        feedback = f'{{"comment":{json_text(comment)}{verdict}}}'
    return f'{head[:-1]},"payload":{spec.payload},"feedback":{feedback}}}'


def read_verdict(verdict: Verdict) -> tuple[TransitionKind, str | None]:
    """Return the transition of a verdict, and a code if the judge failed (did not answer or proved nothing), else None.

    The verdict of a judge that failed says nothing of the result, and no other submission can change that.
    """
    if verdict.is_valid:
        return TransitionKind.MET, None
    if verdict.is_unproven:
        return TransitionKind.FAILED, UNPROVEN
    return TransitionKind.NOT_MET, verdict.judge_error


def with_cost(report: Report, usage: Usage | None) -> Report:
    """Return a report with the cost of its call; the message has the cost that the agent claimed, if it was higher."""
    if usage is None:
        return report
    cost_nanos, message = to_nanos(usage.cost_usd or 0), report.message
    if usage.claimed_usd is not None:
        claim = f"the agent claimed {usage.claimed_usd:f} USD for the call, of which {usd_text(cost_nanos)} count"
        message = f"{message}; {claim}" if message else claim
    return replace(report, cost_nanos=cost_nanos, tokens=usage.tokens, message=message)


def has_answered(event: JobStatusReported) -> bool | None:
    """Return whether the agent answered: True, False or None, as `Report.answered` has it."""
    if event.kind is ReportKind.DECLINED:
        return True
    return None if event.retryable is None else not event.retryable


def name_references(verdict: Verdict, references: str | None) -> Verdict:
    """Return a verdict with the hash of the known `references` in place of the hash that its validator gave."""
    known = hash_references(references)
    return verdict if verdict.references_sha256 == known else verdict.model_copy(update={"references_sha256": known})


def format_response(event: JobStatusReported, verdict: Verdict | None = None) -> str | None:
    """Return the response of a report's log entry: a verdict, or the agent's partial result, or None without either."""
    if verdict is not None:
        return verdict.model_dump_json(exclude_none=True)
    if event.kind is not ReportKind.PROGRESS or event.partial is None:
        return None
    return json_text({"partial": event.partial})


def format_feedback(verdict: Verdict) -> str:
    """Return a not-met verdict as JSON text for the agent: its reason, and the criteria that were not passed.

    Unproven criteria are left out, since the judge failed there; so are words of the judge that disclose a reference.
    """
    not_passed = [c for c in verdict.criteria if c.outcome is not Outcome.PASS and not c.unproven]
    criteria = [{"text": c.text, "outcome": c.outcome, "comment": "" if c.discloses else c.comment} for c in not_passed]
    return json_text({"reason": "" if verdict.discloses else verdict.reason, "criteria": criteria})


_DECODER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def members(text: str) -> dict[str, str]:
    """Split the JSON text of an object into its members, each as its JSON text. ValueError: the text is no object."""
    try:
        return {name: str(raw, "utf-8") for name, raw in _DECODER.decode(text).items()}
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def split_bodies(kind: str | None, request: str | None, response: str | None) -> dict[str, str]:
    """Return the members of an entry's request and response that JobLog shows, as JSON texts by JobLog's names."""
    if kind == TransitionKind.REMOVED:
        return {} if response is None else {"removed": read_removal(response)}
    shown = {} if response is None else members(response)
    if request is None:
        return shown
    if kind == TransitionKind.REQUESTED:
        return {**shown, "request": request}
    parts = members(request)
    if kind == TransitionKind.EDITED:
        return {**shown, "before": parts["before"], "after": parts["changed"]}
    return {**shown, "payload": parts["payload"]}


_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def write_removal(told: str) -> str:
    """Return what an entry says that removes its job (signoff.types.Removal), as its row has it: in half of the bytes.

    An array: the tenant; when the job was created, in microseconds since 1970; for how many it lasted; the parts; the
    version and the SHA-256, in base64, of the verdict; the executions. What is empty at the end is left out.
    """
    removed = parse_json(told)
    created, ended = (datetime.fromisoformat(removed[name]) - _EPOCH for name in ("created_at", "ended_at"))
    times = [each // timedelta(microseconds=1) for each in (created, ended - created)]
    verdict, executions = removed.get("verdict"), removed.get("executions")
    row = [removed["tenant"], *times, removed["parts"]]
    if verdict or executions:
        sha256 = verdict and base64.b64encode(bytes.fromhex(verdict["sha256"])).decode().rstrip("=")
        row += [verdict and verdict["version"], sha256]
    return json_text([*row, executions] if executions else row)


def read_removal(row: str) -> str:
    """Return what an entry says that removes its job, as facts and answers have it (`write_removal`)."""
    tenant, created, lasted, parts, *rest = parse_json(row)
    version, sha256, executions = rest + [None] * (3 - len(rest))
    created_at = _EPOCH + timedelta(microseconds=created)
    ended_at = created_at + timedelta(microseconds=lasted)
    told = {"tenant": tenant, "created_at": time_text(created_at), "ended_at": time_text(ended_at)}
    if executions:
        told["executions"] = executions
    if sha256:
        told["verdict"] = {"version": version, "sha256": base64.b64decode(f"{sha256}=").hex()}
    return json_text(told | {"parts": parts})
