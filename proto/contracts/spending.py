"""Count what calls of agents and judges cost: budgets, and prices of models.

Prices come with the package `genai-prices`; nothing is fetched. Only the services that use the package depend on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Self

from contracts.resources import Usage
from signoff.values import USD_MAX, to_nanos, to_usd, usd_text


@dataclass(slots=True)
class Budget:
    """What a job may spend (None: no bound), and what it has spent; money in nano-dollars."""

    nanos: int | None = None
    tokens: int | None = None
    spent_nanos: int = 0
    spent_tokens: int = 0

    @classmethod
    def under(cls, policy: Mapping[str, Any], spent_nanos: int, spent_tokens: int) -> Self:
        """Return the budget that a policy's fields set, with the nano-dollars and tokens spent so far."""
        usd = policy.get("budget_usd")
        return cls(None if usd is None else to_nanos(usd), policy.get("budget_tokens"), spent_nanos, spent_tokens)

    @classmethod
    def with_left(
        cls, usd: Decimal | str | None, left_usd: str | None, tokens: int | None, left_tokens: int | None
    ) -> Self:
        """Make a budget from its bounds and what is left of them; without a bound, the rest is taken for the bound."""
        usd, tokens = left_usd if usd is None else usd, left_tokens if tokens is None else tokens
        nanos = None if usd is None else to_nanos(usd)
        spent_nanos = 0 if nanos is None or left_usd is None else nanos - to_nanos(left_usd)
        spent_tokens = 0 if tokens is None or left_tokens is None else tokens - left_tokens
        return cls(nanos, tokens, spent_nanos, spent_tokens)

    @property
    def usd(self) -> str | None:
        """The USD that may be spent in total; None if there is no bound."""
        return None if self.nanos is None else usd_text(self.nanos)

    @property
    def left_usd(self) -> str | None:
        """The USD that may still be spent; None if there is no bound."""
        return None if self.nanos is None else usd_text(max(0, self.nanos - self.spent_nanos))

    @property
    def left_tokens(self) -> int | None:
        """The tokens that may still be used; None if there is no bound."""
        return None if self.tokens is None else max(0, self.tokens - self.spent_tokens)

    @property
    def used_up(self) -> str | None:
        """The amount spent, in words, once nothing is left of the budget, else None; the last call may exceed it."""
        if self.nanos is not None and self.spent_nanos >= self.nanos:
            return f"{usd_text(self.spent_nanos)} of {self.usd} USD are spent"
        if self.left_tokens == 0:
            return f"{self.spent_tokens} of {self.tokens} tokens are spent"
        return None

    def spend(self, usage: Usage) -> None:
        """Add the cost and the tokens of a call to the amounts spent."""
        self.spent_nanos += to_nanos(usage.cost_usd or 0)
        self.spent_tokens += usage.tokens


#: Names of models whose prices are remembered.
MODELS_MAX = 100
#: The bound of `Usage.cost_usd`.
COST_MAX_USD = Decimal(USD_MAX)
#: What one call of an agent may cost, by its own word, unless the executor's settings say otherwise.
CALL_COST_MAX_USD = Decimal(100)


def with_cost(usage: Usage) -> Usage:
    """Return the usage with its cost, if no cost is given and the model's price is known; else the usage unchanged."""
    if usage.cost_usd is not None or usage.model is None or not usage.tokens:
        return usage
    genai_prices = _load_genai_prices()
    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.input_tokens),
        output_tokens=usage.output_tokens,
    )
    try:
        price = _make_snapshot(usage.model).calc(tokens, usage.model, None, None, None).total_price
    except (LookupError, ValueError):
        return usage
    return usage.model_copy(update={"cost_usd": to_usd(to_nanos(min(price, COST_MAX_USD)))})


def bound_cost(usage: Usage, most_usd: Decimal) -> Usage:
    """Return an agent's usage with a cost of at most `most_usd`; a higher cost is kept as `claimed_usd`."""
    claimed = usage.cost_usd if usage.cost_usd is not None and usage.cost_usd > most_usd else None
    bounded = {"claimed_usd": claimed} | ({} if claimed is None else {"cost_usd": most_usd})
    return usage.model_copy(update=bounded)


@lru_cache(maxsize=MODELS_MAX)
def _make_snapshot(_: str) -> Any:
    """Make a snapshot of the prices for one model's name: a shared one would cache every name that agents report."""
    return _load_genai_prices().data_snapshot.DataSnapshot(_load_providers(), from_auto_update=False)


@cache
def _load_genai_prices() -> Any:
    """Import genai_prices at its first use, and return the module: the import takes 0.3 s, and 40 MB of memory."""
    import genai_prices  # noqa: PLC0415 - see above

    return genai_prices


@cache
def _load_providers() -> Any:
    return _load_genai_prices().data_snapshot.get_snapshot().providers
