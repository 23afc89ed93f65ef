"""Count what one judgement consumes, and stop at its budget."""

from contracts.resources import Usage
from contracts.spending import COST_MAX_USD, Budget, with_cost
from validator.errors import BudgetExhaustedError, JudgeAnswerError
from validator.ports import Judge, Reply
from validator.prompt import Question

#: The most tokens of a usage, as contracts bounds them.
TOKENS_MAX = 2**53


class SpendingJudge:
    """Ask a judge for one judgement, but no more once the budget is used up.

    `usage` is what all asks consumed, also those that were answered with nonsense; None if the judge never said.
    """

    def __init__(self, judge: Judge, budget: Budget) -> None:
        self._judge = judge
        self._budget = budget
        self.usage: Usage | None = None

    async def ask(self, question: Question) -> Reply:
        """Ask once, as the port says. Raise BudgetExhaustedError, and do not ask, if the budget is used up."""
        if used_up := self._budget.used_up:
            raise BudgetExhaustedError(f"{used_up}, and the judge is not asked again")
        try:
            reply = await self._judge.ask(question)
        except JudgeAnswerError as error:
            self._spend(error.usage)
            raise
        self._spend(reply.usage)
        return reply

    def _spend(self, usage: Usage | None) -> None:
        if usage is None:
            return
        usage = with_cost(usage)
        self._budget.spend(usage)
        self.usage = usage if self.usage is None else _add(self.usage, usage)


def _add(one: Usage, other: Usage) -> Usage:
    costs = [usage.cost_usd for usage in (one, other) if usage.cost_usd is not None]
    return Usage(
        input_tokens=min(one.input_tokens + other.input_tokens, TOKENS_MAX),
        output_tokens=min(one.output_tokens + other.output_tokens, TOKENS_MAX),
        cost_usd=min(sum(costs), COST_MAX_USD) if costs else None,
        model=other.model,
    )
