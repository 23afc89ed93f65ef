"""Wait for a judge that does not answer."""

import time
from collections.abc import Callable, MutableSequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Final

from servicekit.errors import TransientError
from servicekit.retry import retry_transient
from validator.errors import JudgeAnswerError, JudgeUnavailableError
from validator.ports import Judge, Reply
from validator.prompt import Question

#: The longest wait before a judge that does not answer is asked again.
JUDGE_WAIT_MAX_S: Final = 30.0


class PatientJudge:
    """Ask a judge, however long it is away: one judgement goes on where it was, and forgets no doubt.

    While it is away, `absences` has since when, in seconds of the monotonic clock. `take_slot` is entered for each try,
    and not for the waits between them.
    """

    def __init__(
        self,
        judge: Judge,
        absences: MutableSequence[float],
        take_slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self._judge = judge
        self._absences = absences
        self._take_slot = take_slot

    async def ask(self, question: Question) -> Reply:
        """Ask until the judge answers, and say how often it did not. Raise JudgeAnswerError if it answers nonsense."""
        away_at: float | None = None
        refused, last = 0, ""

        async def ask_once() -> Reply:
            nonlocal away_at, refused, last
            try:
                async with self._take_slot():
                    return await self._judge.ask(question)
            except TransientError as error:
                refused, last = refused + 1, _describe(error)
                if away_at is None:
                    self._absences.append(away_at := time.monotonic())
                raise

        try:
            reply = await retry_transient(ask_once, on="judge", longest_s=JUDGE_WAIT_MAX_S)
        except JudgeAnswerError as error:
            error.refused, error.last_refusal = refused, last or None
            raise
        finally:
            if away_at is not None:
                self._absences.remove(away_at)
        return replace(reply, refused=refused, last_refusal=last) if refused else reply


def _describe(error: TransientError) -> str:
    """Return the status that a try met, or else its code."""
    status = error.status if isinstance(error, JudgeUnavailableError) else None
    return error.code if status is None else str(status)
