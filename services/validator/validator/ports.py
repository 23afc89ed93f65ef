"""What the validator needs of a judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from contracts.resources import Usage
from contracts.spending import Budget


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge wrote, as yet unread, the model that it says it is, and what it consumed."""

    text: str
    model: str | None = None
    usage: Usage | None = None


class Judge(Protocol):
    """Answers by the rules of `prompt.RULES`, in the shape of `verdict.ANSWER_SCHEMA`."""

    async def ask(self, document: str) -> Reply:
        """One call. Raises JudgeUnavailableError, JudgeAnswerError, or JudgmentError where asking again is no use."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """A result to be judged, under this lease for so long, and within what is left of its job's budget."""

    lease: int
    lease_s: float
    budget: Budget


@dataclass(frozen=True, slots=True)
class ClaimDenied:
    """A claim that was not granted: why."""

    outcome: str
    code: str
    message: str


class Judgings(Protocol):
    """The jobstore's grants."""

    async def begin(self, owner: UUID, room: int, results: Sequence[bytes]) -> Sequence[Grant | ClaimDenied]:
        """Claim results by the bodies of their events: a lease, or why not.

        TransientError: the jobstore is out of reach.
        """
        ...
