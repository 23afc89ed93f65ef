"""Declare the executor's ports: the jobstore with its grants, and agents."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from contracts.agents import DEFAULT_TENANT, HIDDEN, hide_userinfo
from contracts.resources import Policy, Usage
from contracts.spending import Budget
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.slots import Names
from servicekit.leasing.worker import Lease
from signoff.status import Protocol as AgentProtocol
from signoff.status import TaskKind

#: A value of fewer characters is no secret, and would be found in every text.
SECRET_MIN = 4


@dataclass(frozen=True, slots=True)
class Grant:
    """The grant of one attempt at an execution, under a lease of `lease_s` seconds.

    `request` is the JSON body of every call of the execution. `spent` is the number of calls that failed, or were lost,
    before this attempt. `headers` has a reference to each header's value. `judged_max_chars` is the most characters, of
    criteria and result together, that validators judge; None if no validator has reported it.

    `settings` are those of the agent's protocol, as they were frozen with the request; `signing` refers to the secrets
    that sign calls. `handle` is the agent's own name for the work, as an earlier call reported it. All executions of
    the job have `context_id`, all calls of this one `message_id`; nobody else can foretell either. If it
    `follows_only`, the work may have been sent, and must not be sent again. Headers and signing secrets are of
    `agent_tenant` alone. `traceparent` is of the execution's trace; empty: it has none.
    """

    lease: Lease
    job_id: str
    lease_s: float
    attempt: int
    submission: int
    request: str
    protocol: AgentProtocol | None
    url: str
    policy: Policy
    spent: int = 0
    budget: Budget = field(default_factory=Budget)
    headers: Mapping[str, str] = field(default_factory=dict)
    judged_max_chars: int | None = None
    names: Names = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    signing: str | None = None
    handle: str | None = None
    context_id: str = ""
    message_id: str = ""
    follows_only: bool = False
    agent_tenant: str = DEFAULT_TENANT
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """An agent's report on work that goes on: the fraction done, from 0 to 1, a message and a partial result."""

    fraction: float | None = None
    message: str | None = None
    partial: Any = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to an agent as it was sent, and the answer, or why none came; not hidden and not cut yet."""

    method: str
    url: str
    sent: Mapping[str, str]
    data: bytes
    status: int | None
    received: Mapping[str, str]
    body: bytes
    duration_s: float
    error: BaseException | None


async def _reserve_nothing(_: int) -> None:
    """Have memory for any answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the agent; `number` is its number among the calls of the execution, from 1.

    An adapter calls `report_progress` for each report of progress, `spend` once, with the call's usage, and
    `keep_handle` as soon as the agent has named the work; `handle` is the name that an earlier call of the execution
    has kept. When the call is cancelled, `is_given_up` returns whether no attempt will continue the work, so that the
    agent may be asked to stop. Otherwise another attempt may continue the work, as it may once the lease `has_lapsed`
    by the local clock. `secrets` are the values of sent headers; `hide` removes them from texts in which the agent may
    repeat them. Of a try, `note_exchange` is called with the call and each exchange; a call that `forges` is signed
    wrongly, to see whether the agent notices. `tokens_left` is what is left of the job's budget of tokens; None if it
    has none. Before an adapter reads a large answer, it waits until `reserve` finds memory for so many bytes;
    `note_body` is called with the bytes of each answer.
    """

    grant: Grant
    number: int = 1
    report_progress: Callable[[Progress], None] = lambda _: None
    is_given_up: Callable[[], bool] = lambda: False
    spend: Callable[[Usage], None] = lambda _: None
    has_lapsed: Callable[[], bool] = lambda: False
    secrets: set[str] = field(default_factory=set)
    handle: str | None = None
    keep_handle: Callable[[str], None] = lambda _: None
    tokens_left: int | None = None
    note_exchange: Callable[["Call", Exchange], None] | None = None
    forges: bool = False
    reserve: Callable[[int], Awaitable[None]] = _reserve_nothing
    note_body: Callable[[int], None] = lambda _: None

    @property
    def is_first(self) -> bool:
        """Whether no earlier call or attempt of the execution can have sent the work."""
        return self.number == 1 and self.grant.attempt == 1 and not self.grant.follows_only and self.handle is None

    def keep_secret(self, values: Iterable[str]) -> None:
        """Add values of headers to `secrets`, and the part of each that follows a scheme, as in `Bearer <token>`."""
        parts = {part for value in values for part in (value, value.partition(" ")[2].strip())}
        self.secrets.update(part for part in parts if len(part) >= SECRET_MIN)

    def hide(self, text: str) -> str:
        """Return a text with `***` in place of each secret, and of users and passwords in URLs."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return hide_userinfo(text)


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the execution that a record requests: its value, signature and traceparent, and if it is a replay."""

    request: bytes
    signature: str = ""
    replay: bool = False
    traceparent: str = ""


class Executions(Protocol):
    """The jobstore, as the place where executions are claimed."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Return an answer to each claim, at most `room` new grants. Raise TransientError if no jobstore answers."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done for an agent beside executions, under a lease that ends for good after `lease_s`."""

    lease: Lease
    lease_s: float
    kind: TaskKind | None
    grant: Grant


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """What came of a task: an answer, a JSON value, or why it failed; and what all its calls spent."""

    answer: Any = None
    code: str = ""
    message: str = ""
    spent: Budget = field(default_factory=Budget)
    duration_s: float = 0.0


class Tasks(Protocol):
    """The jobstore, as the place where tasks come from."""

    def watch(self, owner: UUID, room: int) -> AsyncIterator[Task]:
        """Yield granted tasks, at most `room` at once. Raise TransientError if the jobstore is out of reach."""

    async def finish(self, owner: UUID, lease: Lease, outcome: TaskOutcome) -> bool:
        """Say what came of a task; return whether its lease still counted. Raise TransientError in an outage."""


class Agent(Protocol):
    """An adapter that calls agents by one protocol."""

    async def call(self, call: Call) -> Any:
        """Call the agent, and return its result, a JSON value, or raise AgentError. The caller bounds the time."""
