"""Declare what the executor needs of the outside: the jobstore's grants, and agents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from contracts.resources import Policy, Usage
from contracts.spending import Budget
from contracts.status import Protocol as AgentProtocol
from servicekit.leasing.claims import ClaimDenied
from servicekit.leasing.worker import Lease


@dataclass(frozen=True, slots=True)
class Grant:
    """One attempt at one execution, under a lease of `lease_s` seconds.

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
    """An agent's word on work that goes on: the part that is done, from 0 to 1, and what it has so far."""

    fraction: float | None = None
    message: str | None = None
    partial: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the agent; `number` counts those of the execution, from 1.

    An adapter calls `report_progress` as often as there is any, and `spend` once, with what the call consumed. When the
    call is aborted, `is_given_up` says whether nobody goes on with the work: then an agent that still works may be told
    to stop. Otherwise the work is another attempt's.
    """

    grant: Grant
    number: int = 1
    report_progress: Callable[[Progress], None] = lambda _: None
    is_given_up: Callable[[], bool] = lambda: False
    spend: Callable[[Usage], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of what a record asks for: its body, which the jobstore reads, and its signature."""

    request: bytes
    signature: str = ""
    replay: bool = False


class Executions(Protocol):
    """The jobstore, where executions are claimed."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Claim executions, and return one answer each. Raise TransientError if the jobstore is out of reach."""


class Agent(Protocol):
    """One way of calling agents."""

    async def call(self, call: Call) -> Any:
        """Return the agent's result, a JSON value, or raise AgentError. The caller bounds the time of the call."""
