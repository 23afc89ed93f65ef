"""What the validator needs of a judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reply:
    """What the judge wrote, as yet unread, and the model that it says it is."""

    text: str
    model: str | None = None


class Judge(Protocol):
    """Answers by the rules of `prompt.RULES`, in the shape of `verdict.ANSWER_SCHEMA`."""

    async def ask(self, document: str) -> Reply:
        """One call. Raises JudgeUnavailableError, JudgeAnswerError, or JudgmentError where asking again is no use."""
        ...


@dataclass(frozen=True, slots=True)
class Turned:
    """A claim that was not granted: why."""

    outcome: str
    code: str
    message: str


class Judgings(Protocol):
    """The jobstore's grants."""

    async def begin(self, owner: UUID, room: int, results: Sequence[bytes]) -> Sequence[tuple[int, float] | Turned]:
        """Claim results by the bodies of their events: a lease and its length in seconds, or why not.

        TransientError: the jobstore is out of reach.
        """
        ...
