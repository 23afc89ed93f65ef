"""Declare the validator's ports: judges, checks, and the jobstore with its grants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic import JsonValue

from contracts.agents import DEFAULT_TENANT
from contracts.checks import Finding
from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from contracts.spending import Budget
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.worker import Lease
from validator.prompt import Question


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's reply: its text, not parsed yet, the model as the server names it, and the usage.

    `request_id` is the server's id of the request. `latency_s` leaves out the wait for a turn. `refused` counts earlier
    tries without an answer, and `last_refusal` is the HTTP status or the error code of the last such try.
    """

    text: str
    model: str | None = None
    usage: Usage | None = None
    request_id: str | None = None
    latency_s: float | None = None
    refused: int = 0
    last_refusal: str | None = None


class Judge(Protocol):
    """A model that answers questions by the rules of the prompt, in the shape that `prompt.write_schema` states."""

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raise JudgeUnavailableError if no answer comes, and JudgeAnswerError if it cannot be used."""
        ...


#: Return the judge of a policy's model; for None the validator's own. A judge that may not be asked raises
#: JudgeUnavailableError.
JudgeOf = Callable[[JudgeModel | None], Judge]
#: The same of a policy of a tenant, whose keys alone it may be asked with.
FindJudge = Callable[[JudgeModel | None, str], Judge]


@dataclass(frozen=True, slots=True)
class Subject:
    """The input of checks: a result, and its context.

    `is_repeated`: whether the submission before had the same result; None if there was none, or it is not known.
    """

    result: Any
    payload: Any = None
    submission: int = 1
    is_repeated: bool | None = None


#: The traceparent that requests to judges carry, of the judging that is under way; empty: none.
SENT_TRACE: Final[ContextVar[str]] = ContextVar("traceparent", default="")

#: Hold a slot while the judge of this name is asked, once one is free.
Slot = Callable[[str], AbstractAsyncContextManager[None]]

#: Make checks, given by their texts, and return the finding of each.
RunChecks = Callable[[Sequence[str], Subject], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the result in a record: the value of the record, and its signature."""

    result: bytes
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingGrant:
    """A lease of `lease_s` seconds on a judging, with the judging's budget, criteria, policy and other terms.

    If `judge_empty`, judges are asked about an empty result, too. `policy` is the judge policy as JSON text; it is
    empty for the validator's own. `payload` and `previous_result_hash` are set only for checks that read them. `task`
    is the JSON text of an object with those members of the agent's task that the policy names, cut if it is long.
    `references` are model answers and rubrics, by the number of their criterion from 1. Judges are asked with keys of
    `policy_tenant` alone.
    """

    lease: Lease
    lease_s: float
    budget: Budget = field(default_factory=Budget)
    acceptance_criteria: str
    judge_empty: bool = False
    policy: str = ""
    submission: int = 1
    submissions: int | None = None
    payload: JsonValue = None
    previous_result_hash: bytes | None = None
    task: str = ""
    references: Mapping[int, str] = field(default_factory=dict)
    policy_tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(JudgingGrant):
    """The grant to judge a job's result, within the rest of the job's budget.

    `result_hash` is the SHA-256 of the JSON text of the recorded result; no other result may be judged. `traceparent`
    is of the trace of the job's execution; empty: it has none.
    """

    result_hash: bytes
    tenant: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeGrant(JudgingGrant):
    """The grant to judge a result without a job. If the verdict becomes a job's, the budget is what that job has left.

    `kind` is a JudgingKind of this version or a later one; `size` is the bytes of the grant.
    """

    kind: str
    result: JsonValue
    size: int = 0


@dataclass(frozen=True, slots=True)
class FreeOutcome:
    """The outcome of a judging without a job: the verdict as JSON text, or the code and message of the failure."""

    verdict: str | None = None
    code: str = ""
    message: str = ""
    cost_nanos: int = 0
    tokens: int = 0
    duration_s: float = 0.0


class FreeJudgings(Protocol):
    """The jobstore, as the place where judgings without a job are taken and their outcomes reported."""

    def watch(self) -> AsyncIterator[int]:
        """Yield how many judgings wait, now and later on. Raise TransientError if the jobstore is out of reach."""
        ...

    async def take(self, owner: UUID, room: int) -> Sequence[FreeGrant]:
        """Take up to `room` waiting judgings. Raise TransientError if the jobstore is out of reach."""
        ...

    async def finish(
        self, owner: UUID, outcomes: Mapping[Lease, FreeOutcome], held: Sequence[Lease], given_back: Sequence[Lease]
    ) -> AbstractSet[Lease]:
        """Report outcomes, renew the leases `held` and give others back. Return those of `held` that are kept.

        Raise TransientError if the jobstore is out of reach.
        """
        ...


class Judgings(Protocol):
    """The jobstore, as the place where results are claimed for judging."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Claim results, and return one answer to each claim, in order. At most `room` answers are new grants.

        Raise TransientError if the jobstore is out of reach.
        """
        ...
