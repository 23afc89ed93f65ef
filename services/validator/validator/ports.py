"""Declare the validator's ports: judges, checks, and the jobstore with its grants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from pydantic import JsonValue

from contracts.checks import Finding
from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from contracts.spending import Budget
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.worker import Lease
from validator.prompt import Question


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's text, not parsed yet, the model that the server names, and the usage.

    `request_id` is the server's; `latency_s` is without the wait for a turn. `refused` counts the tries before that had
    no answer, and `last_refusal` is the status or code of the last.
    """

    text: str
    model: str | None = None
    usage: Usage | None = None
    request_id: str | None = None
    latency_s: float | None = None
    refused: int = 0
    last_refusal: str | None = None


class Judge(Protocol):
    """Answer questions by the rules of the prompt, in the shape of `prompt.write_schema`."""

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raise JudgeUnavailableError or JudgeAnswerError."""
        ...


#: Return the judge of a policy's model; for None the validator's own. A judge that may not be asked raises
#: JudgeUnavailableError.
JudgeOf = Callable[[JudgeModel | None], Judge]


@dataclass(frozen=True, slots=True)
class Subject:
    """The input of checks: a result, and its context.

    `is_repeated`: the submission before had the same result; None if there was none, or that is not known.
    """

    result: Any
    payload: Any = None
    submission: int = 1
    is_repeated: bool | None = None


#: Hold a slot while the judge of this name is asked, once one is free.
Slot = Callable[[str], AbstractAsyncContextManager[None]]

#: Make checks, given by their texts, and return the finding of each.
RunChecks = Callable[[Sequence[str], Subject], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A result to claim: the body and the signature of its record."""

    result: bytes
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingGrant:
    """A lease for `lease_s` seconds on a judging, its budget, and all by which it is judged.

    `judge_empty`: the judge is asked about an empty result, too. `policy` is the judge policy as JSON text, empty for
    the validator's own. `payload` and `previous_result_hash` are set only for checks that look at them. `task` is the
    JSON text of an object with those members of the agent's task that the policy names, cut if it is long;
    `references` are by the number of their criterion, from 1.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(JudgingGrant):
    """The judging of a job's result, within the rest of the job's budget.

    `result_hash` is the SHA-256 of the JSON text of the recorded result: no other may be judged.
    """

    result_hash: bytes
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeGrant(JudgingGrant):
    """A judging without a job, with its result. If its verdict will be a job's, the budget is the rest of the job's.

    `kind` is a JudgingKind of this version or a later one.
    """

    kind: str
    result: JsonValue


@dataclass(frozen=True, slots=True)
class FreeOutcome:
    """The outcome of a judging without a job: a verdict as JSON text, or the code and message of its failure."""

    verdict: str | None = None
    code: str = ""
    message: str = ""
    cost_nanos: int = 0
    tokens: int = 0
    duration_s: float = 0.0


class FreeJudgings(Protocol):
    """The jobstore, where judgings without a job are taken and reported."""

    def watch(self) -> AsyncIterator[int]:
        """Yield the number that wait, now and later. Raise TransientError if the jobstore is out of reach."""
        ...

    async def take(self, owner: UUID, room: int) -> Sequence[FreeGrant]:
        """Take up to `room` of those that wait. Raise TransientError if the jobstore is out of reach."""
        ...

    async def finish(
        self, owner: UUID, outcomes: Mapping[Lease, FreeOutcome], held: Sequence[Lease], given_back: Sequence[Lease]
    ) -> AbstractSet[Lease]:
        """Report outcomes, renew leases and give some back. Return the leases held that are kept.

        Raise TransientError if the jobstore is out of reach.
        """
        ...


class Judgings(Protocol):
    """The jobstore, where judgings are claimed."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Claim results, and return one answer each.

        Raise TransientError if the jobstore is out of reach.
        """
        ...
