"""Declare what the validator needs of the outside: a judge, and the jobstore's grants."""

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
    """A judge's text as yet unread, the model that it says it is, and what it consumed.

    `request_id` is the server's own; `latency_s` is how long it took, without the wait for its turn. `refused` tries
    before it had no answer, and `last_refusal` is what came of the last.
    """

    text: str
    model: str | None = None
    usage: Usage | None = None
    request_id: str | None = None
    latency_s: float | None = None
    refused: int = 0
    last_refusal: str | None = None


class Judge(Protocol):
    """Answer by the rules of `prompt.RULES`, in the shape of `prompt.write_schema`."""

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raise JudgeUnavailableError or JudgeAnswerError."""
        ...


#: The judge of a policy's model; of None, the validator's own. One that may not be asked raises JudgeUnavailableError.
JudgeOf = Callable[[JudgeModel | None], Judge]


@dataclass(frozen=True, slots=True)
class Subject:
    """What checks look at: a result, and what is known about it.

    `is_repeated` says whether the submission before had the same result; None if there was none, or nobody knows.
    """

    result: Any
    payload: Any = None
    submission: int = 1
    is_repeated: bool | None = None


#: Have a slot while a judge is asked that is known by a name; until there is one, it waits.
Slot = Callable[[str], AbstractAsyncContextManager[None]]

#: Make checks, given by their texts, and return what each found.
RunChecks = Callable[[Sequence[str], Subject], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A result to claim: the body and the signature of its record."""

    result: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A result to be judged, under this lease for `lease_s` seconds, and within what is left of its job's budget.

    `result_hash` is the SHA-256 of the JSON text of the result that is recorded: no other may be judged. `judge_empty`:
    whether the judge is asked about an empty one, too. `policy` is the judge policy as JSON; empty: the validator's
    own. `payload` and the hash of the submission's result before are there only where a check looks at them. `task` is
    what the agent was asked, as the JSON text of an object with the members that the policy names, cut where it is
    long; `references` are by the number of their criterion, from 1.
    """

    lease: Lease
    lease_s: float
    budget: Budget
    acceptance_criteria: str
    result_hash: bytes
    judge_empty: bool = False
    policy: str = ""
    submission: int = 1
    submissions: int | None = None
    payload: JsonValue = None
    previous_result_hash: bytes | None = None
    tenant: str = ""
    task: str = ""
    references: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FreeGrant:
    """A judging without a job, under this lease for `lease_s` seconds, with all that is judged.

    `budget` is what is left of that of a job whose verdict this is to be.
    `kind` is a JudgingKind of this version or a later one; `policy` is JSON text, and stands for this validator's own
    settings where it is empty.
    """

    lease: Lease
    lease_s: float
    kind: str
    result: JsonValue
    acceptance_criteria: str
    policy: str = ""
    judge_empty: bool = False
    submission: int = 1
    submissions: int | None = None
    payload: JsonValue = None
    previous_result_hash: bytes | None = None
    task: str = ""
    references: Mapping[int, str] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True)
class FreeOutcome:
    """What came of a judging without a job: a verdict as JSON text, or why there is none."""

    verdict: str | None = None
    code: str = ""
    message: str = ""
    cost_nanos: int = 0
    tokens: int = 0
    duration_s: float = 0.0


class FreeJudgings(Protocol):
    """The jobstore, where judgings without a job are taken and reported."""

    def watch(self) -> AsyncIterator[int]:
        """Yield how many wait: now, and whenever some do. Raise TransientError if the jobstore is out of reach."""
        ...

    async def take(self, owner: UUID, room: int) -> Sequence[FreeGrant]:
        """Take up to `room` of those that wait. Raise TransientError if the jobstore is out of reach."""
        ...

    async def finish(
        self,
        owner: UUID,
        outcomes: Mapping[Lease, FreeOutcome],
        held: Sequence[Lease],
        given_back: Sequence[Lease],
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
