"""Ask a judge within the budget of one judgement, and again until it answers."""

import asyncio
import time
from collections.abc import Callable, Coroutine, MutableSequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from contracts.spending import COST_MAX_USD, Budget, with_cost
from servicekit.errors import ServiceError, TransientError
from servicekit.retry import retry_transient
from validator.errors import BudgetExhaustedError, JudgeAnswerError, JudgeUnavailableError
from validator.ports import Judge, Reply
from validator.prompt import Question

#: Seconds that an ask under way may still take when its judgement is stopped: its cost is known by the answer alone.
LEFT_S: Final = 30.0
#: Tokens of a usage at most, as contracts bounds them.
TOKENS_MAX = 2**53


class JudgingBudget:
    """The budget of one judgement, for all judges that it asks.

    `usage` is the sum over all asks, also those whose answers cannot be used; None if no judge reported any.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.usage: Usage | None = None
        self._late = set[asyncio.Task[None]]()

    def check(self) -> None:
        """Raise BudgetExhaustedError if the budget is used up."""
        if used_up := self._budget.used_up:
            raise BudgetExhaustedError(f"{used_up}, and the judge is not asked again")

    def spend(self, usage: Usage) -> None:
        """Count the usage of an ask."""
        self._budget.spend(usage)
        self.usage = usage if self.usage is None else _add(self.usage, usage)

    def count_later(self, counting: Coroutine[Any, Any, None]) -> None:
        """Have an ask counted that is under way as the judgement is stopped."""
        task = asyncio.create_task(counting)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def settle(self) -> Usage | None:
        """Return the usage of a stopped judgement, once its asks under way have answered or are too late."""
        if self._late:
            await asyncio.wait(self._late)
        return self.usage


class BudgetedJudge:
    """Ask a judge until a budget is used up; `model` has the price that its policy states."""

    def __init__(self, judge: Judge, budget: JudgingBudget, model: JudgeModel | None = None) -> None:
        self._judge = judge
        self._budget = budget
        self._model = model

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raise BudgetExhaustedError, and do not ask, if the budget is used up.

        An ask that is under way as the judgement is stopped is counted if it answers within LEFT_S.
        """
        self._budget.check()
        asking = asyncio.ensure_future(self._judge.ask(question))
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._budget.count_later(self._count_late(asking))
            raise
        except JudgeAnswerError as error:
            error.usage = self._spend(error.usage)
            raise
        if reply.usage is None:
            return reply
        return replace(reply, usage=self._spend(reply.usage))

    async def _count_late(self, asking: asyncio.Future[Reply]) -> None:
        try:
            async with asyncio.timeout(LEFT_S):
                self._spend((await asking).usage)
        except JudgeAnswerError as error:
            self._spend(error.usage)
        except (ServiceError, TimeoutError):
            return

    def _spend(self, usage: Usage | None) -> Usage | None:
        if usage is None:
            return None
        tokens = usage.input_tokens, usage.output_tokens, usage.cached_tokens
        price = None if self._model is None else self._model.price(*tokens)
        usage = with_cost(usage) if price is None else usage.model_copy(update={"cost_usd": min(price, COST_MAX_USD)})
        self._budget.spend(usage)
        return usage


def _add(one: Usage, other: Usage) -> Usage:
    costs = [usage.cost_usd for usage in (one, other) if usage.cost_usd is not None]
    return Usage(
        input_tokens=min(one.input_tokens + other.input_tokens, TOKENS_MAX),
        cached_tokens=min(one.cached_tokens + other.cached_tokens, TOKENS_MAX),
        output_tokens=min(one.output_tokens + other.output_tokens, TOKENS_MAX),
        cost_usd=min(sum(costs, Decimal(0)), COST_MAX_USD) if costs else None,
        model=other.model,
    )


#: The longest wait before a judge that does not answer is asked again.
JUDGE_WAIT_MAX_S: Final = 30.0


class RetryingJudge:
    """Ask a judge again until it answers, so that a judgement goes on where it was.

    While the judge is away, `absences` has the time since when, by the monotonic clock. `take_slot` is entered for each
    try, and not for the waits between them.
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
        """Ask until the judge answers, and count the tries before. Raise JudgeAnswerError as it does."""
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
    """Return the status of a failed try, or else its code."""
    status = error.status if isinstance(error, JudgeUnavailableError) else None
    return error.code if status is None else str(status)
