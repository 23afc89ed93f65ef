"""The words of deciding: jobs, executions, reports and decisions.

They are values, and nothing changes one; they are not frozen, since a frozen one takes 2.5 times as long to make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.spending import Budget
from contracts.status import Delivery, JobLogStatus, JobStatus
from jobstore.domain.reuse import Reusable


class ExecutionStage(StrEnum):
    """What an execution is about now: its life is twice the same thing."""

    EXECUTING = "EXECUTING"
    JUDGING = "JUDGING"


class ExecutionState(StrEnum):
    """Where an execution stands within its stage: OFFERED is dispatched or awaiting a judge, LEASED is being done."""

    QUEUED = "QUEUED"
    OFFERED = "OFFERED"
    LEASED = "LEASED"
    DONE = "DONE"


class TransitionKind(StrEnum):
    """What is reported, asked for, or noticed."""

    CREATED = "created"
    ASSIGNED = "assigned"
    MATCHED = "matched"
    MATCHING_FAILED = "matching_failed"
    HANDED_ON = "handed_on"
    REQUESTED = "requested"
    CLAIMED = "claimed"
    CALL_BEGUN = "call_begun"
    PROGRESS = "progress"
    CALL_FAILED = "call_failed"
    ATTEMPT_FAILED = "attempt_failed"
    RESULT = "result"
    JUDGING_CLAIMED = "judging_claimed"
    MET = "met"
    NOT_MET = "not_met"
    DECLINED = "declined"
    FAILED = "failed"
    GIVEN_BACK = "given_back"
    LAPSED = "lapsed"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    REBUILT = "rebuilt"
    OVER_BUDGET = "over_budget"
    EDITED = "edited"


@dataclass(slots=True)
class Job:
    """What deciding needs of a job."""

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
    spent_usd: float = 0.0
    spent_tokens: int = 0


def budget_of(job: Job, policy: Mapping[str, Any] | None) -> Budget:
    """What a job may cost under a policy, over all its executions, and what it has."""
    policy = policy or {}
    return Budget(policy.get("budget_usd"), policy.get("budget_tokens"), job.spent_usd, job.spent_tokens)


@dataclass(slots=True)
class Execution:
    """One request to run a job, live or answered."""

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
    policy: Mapping[str, Any] | None = None
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

    @property
    def at_most_once(self) -> bool:
        """Whether the agent must not be called twice."""
        return (self.policy or {}).get("delivery") == Delivery.AT_MOST_ONCE

    def may_call_after(self, spent: int) -> bool:
        """Whether the agent may be called again after so many calls."""
        return spent < int((self.policy or {}).get("max_attempts", 1))

    def fails_after(self, timeout: str, since: datetime) -> datetime | None:
        """When the time that the policy allows under this name is over, or the deadline, whichever is first."""
        seconds = (self.policy or {}).get(timeout)
        ends = [since + timedelta(seconds=seconds)] if seconds else []
        return min([*ends, *([self.deadline_at] if self.deadline_at else [])], default=None)

    @property
    def submissions_left(self) -> bool:
        """Whether a not-met verdict leads to another submission."""
        return self.submission < int((self.policy or {}).get("max_submissions", 1))


@dataclass(slots=True)
class Report:
    """What happened. `request` and `response` are JSON texts; `lease` and `seq` are the worker's token.

    `answered`: whether the agent did, or failed in a way that may pass; None where nothing is said of it.
    `judge`: who gave a verdict, where it may be reused. `reused`: the result of another call, instead of one.
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
    cost_usd: float = 0.0
    tokens: int = 0
    result_hash: bytes | None = None
    judge: str | None = None
    reused: Reusable | None = None


@dataclass(slots=True)
class LogEntry:
    """A row to add to the job's log, and the job as it stands after it."""

    job: Job
    status: JobLogStatus
    report: Report
    execution: Execution | None
    with_result_of: int | None = None
    result_job_id: str | None = None
    next_attempt_at: datetime | None = None


@dataclass(slots=True)
class Refusal:
    """Why nothing is recorded."""

    code: str
    message: str


@dataclass(slots=True)
class Decision:
    """What is recorded: the job and the execution as they stand then, and an entry of the log where the job moves."""

    job: Job
    execution: Execution | None
    entry: LogEntry | None = None


@dataclass(slots=True)
class Clock:
    """The database's clock, and the terms counted from it, in seconds."""

    now: datetime
    lease_s: float
    offer_again_s: float

    def after(self, seconds: float, execution: Execution) -> datetime:
        """So many seconds from now, but not beyond the execution's deadline."""
        due = self.now + timedelta(seconds=seconds)
        return min(due, execution.deadline_at) if execution.deadline_at else due
