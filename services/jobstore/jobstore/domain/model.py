"""The values that `decide` takes and returns: jobs, executions, reports, decisions.

Nothing changes one after it was made. They are not frozen dataclasses, because those take 2.5 times as long to make;
and `replace` is a third as long as that of dataclasses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from contracts.sizes import cut_message
from contracts.spending import Budget
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.domain.reuse import Reusable
from signoff.errors import ErrorCode
from signoff.status import Delivery, JobLogKind, JobLogStatus, JobStatus

#: The answer of an execution that was cancelled.
CANCELLED: Final = ErrorCode.CANCELLED
#: The code of a job of which all that is open is unproven: its judge has failed, and not its agent.
UNPROVEN: Final = ErrorCode.VERDICT_UNPROVEN
#: A policy as it is frozen with an execution: the fields of contracts.resources.Policy that are set.
FrozenPolicy: TypeAlias = Mapping[str, Any]
V = TypeVar("V")


def replace(value: V, **changes: object) -> V:
    """Return a value of this module with other fields."""
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

    `execution_id` is the live execution, or the last one; `not_met` counts verdicts since the last assignment by hand;
    `feedback` is JSON text; `cost_nanos` and `tokens` cover all executions. `updated_at` is when the entry before
    those of this transaction was recorded. What follows it says how the last execution ended (domain.decisions).
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
    """Return a job's budget under a policy, with what all its executions have spent."""
    policy = policy or {}
    return Budget.under(policy, job.cost_nanos, job.tokens)


@dataclass(slots=True)
class Execution:
    """One request to run a job. The fields are columns of its row; storage.tables documents each.

    `policy` is whole and frozen at the request. `spent` counts calls that failed or were lost with their worker.
    `waited` is the JSON text of what it has waited for since the last entry that is about it.
    `created_at` None: it is requested in this transaction.
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
    created_at: datetime | None = None

    @property
    def is_at_most_once(self) -> bool:
        """Whether the agent must not be called again once a call has begun."""
        return (self.policy or {}).get("delivery") == Delivery.AT_MOST_ONCE

    @property
    def is_remembered(self) -> bool:
        """Whether this is an answer that is remembered for a time: an early cancel, or why a record was wrong."""
        return self.state is ExecutionState.DONE and self.request_version is None and self.due_at is not None

    @property
    def is_wrong_record(self) -> bool:
        """Whether this says why a record was wrong."""
        return self.is_remembered and self.answer != CANCELLED

    @property
    def is_early_cancel(self) -> bool:
        """Whether this is a cancel of an execution that nobody has asked for."""
        return self.is_remembered and self.answer == CANCELLED

    def may_call_after(self, spent: int) -> bool:
        """Return whether `max_calls` allows another call after `spent` calls."""
        return spent < int((self.policy or {}).get("max_calls", 1))

    def fails_after(self, timeout: str, since: datetime) -> datetime | None:
        """Return when a timeout of the policy, in seconds from `since`, ends; or the deadline, if that is earlier."""
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
    what an entry may have. `call` is the number of the call within the execution, 0 if the report is about none.
    `answered`: True if the agent answered, False if it failed in a way that may pass, None if the report does not say.
    `judge` names who gave a verdict that may be reused. `reused` is where a reused result is recorded.
    `judge_policy` is by which version a result was judged again, empty where none was named; None: as was frozen.
    `is_unjudged`: the verdict is not met because the judge did not answer, or proved nothing, which no other submission
    makes good.
    `at` is when it happened, if it is recorded with something later. `duration_s` is of the call or judging it ends.
    `actor` asked for it; what follows from a policy or from time is Signoff's own.
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
    actor: Actor = SIGNOFF

    def __post_init__(self) -> None:
        if self.message is not None:
            self.message = cut_message(self.message)
        if self.duration_s is not None:  # a fact is kept for ever, and nobody can tell more
            self.duration_s = round(self.duration_s, 6)


@dataclass(slots=True)
class LogEntry:
    """An entry to add to a job's log, with the job as it is after it.

    `result_version`, and `result_job_id` if it is another job's, name the entry whose result this one quotes. `waited`
    is the JSON text of what the execution waited for before it.
    """

    job: Job
    status: JobLogStatus
    report: Report
    execution: Execution | None
    result_version: int | None = None
    result_job_id: str | None = None
    next_attempt_at: datetime | None = None
    waited: str | None = None


class Said(NamedTuple):
    """What an entry of a log says of the request that it tells of, by which a repeat is known."""

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
    """The database's time of a transaction, and how long leases and offers last, in seconds."""

    now: datetime
    lease_s: float
    offer_again_s: float

    def after(self, seconds: float, execution: Execution) -> datetime:
        """Return the time `seconds` from now, but not beyond the execution's deadline."""
        due = self.now + timedelta(seconds=seconds)
        return min(due, execution.deadline_at) if execution.deadline_at else due
