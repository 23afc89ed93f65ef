"""What the validator needs of a judge."""

from dataclasses import dataclass
from typing import Protocol


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
