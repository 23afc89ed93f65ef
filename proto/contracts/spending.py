"""What calls of agents and judges cost: budgets, and prices of models.

Prices come with the package `genai-prices`: nothing is fetched. It is named among the dependencies of the services that
use it; to others it is of no use.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from contracts.resources import Usage

#: Of a USD: finer differences come of adding fractions, and are none.
DIGITS = 9


@dataclass(slots=True)
class Budget:
    """What may be spent, without bounds where that is None, and what is."""

    usd: float | None = None
    tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0

    @classmethod
    def with_left(
        cls, usd: float | None, left_usd: float | None, tokens: int | None, left_tokens: int | None
    ) -> "Budget":
        """A budget of which so much is left, by what whoever keeps it says."""
        usd, tokens = left_usd if usd is None else usd, left_tokens if tokens is None else tokens
        spent_usd = 0.0 if usd is None or left_usd is None else usd - left_usd
        spent_tokens = 0 if tokens is None or left_tokens is None else tokens - left_tokens
        return cls(usd, tokens, spent_usd, spent_tokens)

    @property
    def left_usd(self) -> float | None:
        """What may still be spent."""
        return None if self.usd is None else max(0.0, round(self.usd - self.spent_usd, DIGITS))

    @property
    def left_tokens(self) -> int | None:
        """What may still be read and written."""
        return None if self.tokens is None else max(0, self.tokens - self.spent_tokens)

    @property
    def used_up(self) -> str | None:
        """How much of how much is spent, where nothing is left; a call may cost more than what was left before it."""
        if self.left_usd == 0:
            return f"{round(self.spent_usd, DIGITS):.10g} of {self.usd:.10g} USD are spent"
        if self.left_tokens == 0:
            return f"{self.spent_tokens} of {self.tokens} tokens are spent"
        return None

    def spend(self, usage: Usage) -> None:
        """Count a call."""
        self.spent_usd += usage.cost_usd or 0.0
        self.spent_tokens += usage.tokens


#: As contracts bounds a cost.
COST_MAX_USD = 1_000_000.0


def with_cost(usage: Usage) -> Usage:
    """With its cost, where that is not said and follows from model and tokens; of an unknown model it stays unknown."""
    if usage.cost_usd is not None or usage.model is None or not usage.tokens:
        return usage
    genai_prices = _genai_prices()
    tokens = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
    # A new one for each look: it remembers every name that it was asked for, and these are a stranger's.
    snapshot = genai_prices.data_snapshot.DataSnapshot(_providers(), from_auto_update=False)
    try:
        price = snapshot.calc(tokens, usage.model, None, None, None).total_price
    except (LookupError, ValueError):
        return usage
    return usage.model_copy(update={"cost_usd": min(float(price), COST_MAX_USD)})


@cache
def _genai_prices() -> Any:
    """Loaded when something is to be priced: it takes a third of a second, and 40 MB."""
    import genai_prices  # noqa: PLC0415 - see above

    return genai_prices


@cache
def _providers() -> Any:
    return _genai_prices().data_snapshot.get_snapshot().providers
