"""Wait for a judge that does not answer."""

from typing import Final

from servicekit.retry import retry_transient
from validator.ports import Judge, Reply
from validator.prompt import Question

#: The longest wait before a judge that does not answer is asked again.
JUDGE_WAIT_MAX_S: Final = 30.0


class PatientJudge:
    """Ask a judge, however long it is away: one judgement goes on where it was, and forgets no doubt."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def ask(self, question: Question) -> Reply:
        """Ask until the judge answers. Raise JudgeAnswerError if it answers nonsense."""
        return await retry_transient(lambda: self._judge.ask(question), on="judge", longest_s=JUDGE_WAIT_MAX_S)
