"""Budgets and prices: what calls cost, and what is left."""

from decimal import Decimal
from random import Random

import pytest

from contracts.resources import Usage
from contracts.spending import COST_MAX_USD, MODELS_MAX, Budget, _make_snapshot, with_cost


def test_without_a_budget_nothing_is_ever_used_up() -> None:
    budget = Budget()
    budget.spend(Usage(input_tokens=2**53, output_tokens=2**53, cost_usd=COST_MAX_USD))
    assert (budget.left_usd, budget.left_tokens, budget.used_up) == (None, None, None)


@pytest.mark.parametrize(
    ("budget", "left", "used_up"),
    [
        (Budget(nanos=1_000_000_000, spent_nanos=250_000_000), ("0.75", None), None),
        (Budget(nanos=1_000_000_000, spent_nanos=1_000_000_000), ("0", None), "1 of 1 USD are spent"),
        (Budget(nanos=1_000_000_000, spent_nanos=1_250_000_000), ("0", None), "1.25 of 1 USD are spent"),
        (Budget(nanos=0), ("0", None), "0 of 0 USD are spent"),
        (Budget(tokens=10, spent_tokens=9), (None, 1), None),
        (Budget(tokens=10, spent_tokens=12), (None, 0), "12 of 10 tokens are spent"),
        (
            Budget(nanos=1_000_000_000, tokens=10, spent_nanos=500_000_000, spent_tokens=10),
            ("0.5", 0),
            "10 of 10 tokens are spent",
        ),
        (Budget(nanos=1_000, spent_nanos=900), ("0.0000001", None), None),
    ],
)
def test_what_is_left(budget: Budget, left: tuple[str | None, int | None], used_up: str | None) -> None:
    assert ((budget.left_usd, budget.left_tokens), budget.used_up) == (left, used_up)


def test_fractions_use_a_budget_up_exactly() -> None:
    draw = Random(1)
    for _ in range(200):
        calls = draw.randint(1, 60)
        budget = Budget(nanos=calls * 10_000_000)
        for n in range(calls):
            assert budget.used_up is None, (calls, n)
            budget.spend(Usage(cost_usd=0.01))
        assert budget.used_up is not None, calls


def test_a_budget_is_the_same_from_what_is_left_of_it() -> None:
    kept = Budget(2_000_000_000, 100, 500_000_000, 30)
    told = Budget.with_left(kept.usd, kept.left_usd, kept.tokens, kept.left_tokens)
    assert told == kept
    assert Budget.with_left(None, None, None, None) == Budget()


def test_a_known_model_has_a_price() -> None:
    usage = with_cost(Usage(input_tokens=1_000_000, output_tokens=1_000_000, model="gpt-4o-mini-2024-07-18"))
    assert usage.cost_usd == Decimal("0.75")


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=10, cost_usd=0.5, model="gpt-4o-mini"),
        Usage(input_tokens=10, cost_usd=0.0, model="gpt-4o-mini"),
        Usage(input_tokens=10, model="nobody-knows-it"),
        Usage(input_tokens=10, model=""),
        Usage(input_tokens=10),
        Usage(model="gpt-4o-mini"),
    ],
)
def test_what_is_said_stands_and_what_cannot_be_known_stays_unknown(usage: Usage) -> None:
    assert with_cost(usage) == usage


def test_no_price_is_more_than_a_report_may_say() -> None:
    usage = with_cost(Usage(input_tokens=2**53, output_tokens=2**53, model="gpt-4o-mini"))
    assert Usage.model_validate_json(usage.model_dump_json()).cost_usd == COST_MAX_USD


def test_models_that_strangers_name_do_not_pile_up() -> None:
    for number in range(2 * MODELS_MAX):
        with_cost(Usage(input_tokens=1, model=f"no-such-model-{number}"))
    assert _make_snapshot.cache_info().currsize == MODELS_MAX


def test_a_price_is_the_same_when_it_is_remembered() -> None:
    usages = [with_cost(Usage(input_tokens=tokens, model="gpt-4o")) for tokens in (1_000, 2_000, 1_000)]
    first, second, third = (usage.cost_usd for usage in usages)
    assert first is not None
    assert (second, third) == (2 * first, first)
