"""What the executor needs of the outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.resources import Policy, Usage
from contracts.spending import Budget
from contracts.status import Protocol as AgentProtocol
from servicekit.leasing.worker import Lease


@dataclass(frozen=True, slots=True)
class Grant:
    """One attempt at one execution.

    `request` is the JSON body of every call of the execution; `spent` calls failed, or were lost, before this attempt.
    """

    lease: Lease
    job_id: str
    lease_s: float
    attempt: int
    submission: int
    request: str
    protocol: AgentProtocol
    url: str
    policy: Policy
    spent: int = 0
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class Progress:
    """What an agent says of work that goes on: the part that is done, from 0 to 1, and what it has so far."""

    fraction: float | None = None
    message: str | None = None
    partial: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the agent; `number` counts those of the execution, from 1.

    `tell` may be told progress as often as there is any, and `spend` what the call consumed, once. `given_up` says of
    an aborted call that nobody goes on with it: an agent that still works may be told to stop. Otherwise the work is
    another attempt's.
    """

    grant: Grant
    number: int = 1
    tell: Callable[[Progress], None] = lambda _: None
    given_up: Callable[[], bool] = lambda: False
    spend: Callable[[Usage], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of an execution; with the whole job where its event had it."""

    execution_id: UUID
    job_id: str
    job_json: str | None
    replay: bool
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimDenied:
    """A claim that was not granted: why."""

    outcome: str
    code: str
    message: str


class Executions(Protocol):
    """The jobstore's grants."""

    async def begin(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Claim executions, one answer each. TransientError: the jobstore is out of reach."""


class Agent(Protocol):
    """One way of calling agents."""

    async def call(self, call: Call) -> Any:
        """The agent's result, a JSON value. AgentError: there is none. The caller bounds the time of the whole call."""
