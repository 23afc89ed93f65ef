"""What a call of a model cost, by public prices that come with the package `genai-prices`: nothing is fetched.

Whoever calls this names that package among its own dependencies: it is of no use to the other services.
"""

from functools import cache
from typing import Any

from contracts.resources import Usage

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
