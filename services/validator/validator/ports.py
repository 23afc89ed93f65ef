"""Declare what the validator needs of the outside: a judge, and the jobstore's grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contracts.resources import Usage
from contracts.spending import Budget
from servicekit.leasing.claims import ClaimDenied
from servicekit.leasing.worker import Lease
from validator.prompt import Question


@dataclass(frozen=True, slots=True)
class Reply:
    """A judge's text as yet unread, the model that it says it is, and what it consumed."""

    text: str
    model: str | None = None
    usage: Usage | None = None


class Judge(Protocol):
    """Answer by the rules of `prompt.RULES`, in the shape of `prompt.write_schema`."""

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raise JudgeUnavailableError or JudgeAnswerError."""
        ...


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
    own. `payload`, as JSON, and the hash of the submission's result before are there only where a check looks at them.
    """

    lease: Lease
    lease_s: float
    budget: Budget
    acceptance_criteria: str
    title: str
    result_hash: bytes
    judge_empty: bool = False
    policy: str = ""
    submission: int = 1
    submissions: int | None = None
    payload: str | None = None
    previous_result_hash: bytes | None = None


class Judgings(Protocol):
    """The jobstore, where judgings are claimed."""

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> Sequence[Grant | ClaimDenied]:
        """Claim results, and return one answer each.

        Raise TransientError if the jobstore is out of reach.
        """
        ...
