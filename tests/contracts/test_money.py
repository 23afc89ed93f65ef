"""Money: decimal texts at doors, whole nano-dollars inside."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.resources import JobFilter, Policy, Usage
from contracts.spending import Budget
from signoff import types
from signoff.v1 import resources_pb2 as pb
from signoff.values import NANOS, to_nanos, to_usd, usd_text
from signoff.wire import read, write_message


@given(st.integers(0, 10**16))
def test_what_is_written_is_read_as_it_was(nanos: int) -> None:
    text = usd_text(nanos)
    assert (to_nanos(text), to_nanos(Decimal(text)), to_nanos(to_usd(nanos))) == (nanos,) * 3
    assert "e" not in text.lower()
    assert not (("." in text) and text.endswith(("0", ".")))
    assert len(text.partition(".")[2]) <= 9


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_sums_are_exact(amounts: list[int]) -> None:
    texts = [f"{amount / 1_000:.3f}" for amount in amounts]
    budget = Budget()
    for text in texts:
        budget.spend(Usage(cost_usd=text))
    assert budget.spent_nanos == sum(amounts) * NANOS // 1_000
    assert usd_text(sum(to_nanos("0.1") for _ in range(10))) == "1"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        *((same, "0.0000001") for same in (1e-7, "0.0000001", "1e-7")),
        *((same, "0.1") for same in (0.1, "0.1", "0.10", "00.1")),
        *((same, "1000000") for same in (1_000_000, 1e6, "1E+6")),
        *((same, "0") for same in (0, "0.000")),
        (Decimal("1E-9"), "0.000000001"),
    ],
)
def test_texts_and_numbers_are_the_same_amount(given: Any, text: str) -> None:
    policy = Policy(budget_usd=given)
    assert policy.model_dump_json(exclude_none=True) == f'{{"budget_usd":"{text}"}}'
    message = write_message(pb.Policy, policy)
    assert message.budget_usd == text
    assert read(message, types.Policy).budget_usd == policy.budget_usd == Decimal(text)


NONSENSE = ["", " 1", "1_0", "one", "NaN", "Infinity", "٣", "1" * 10_000, "0." + "1" * 10_000, True, [], {}]
OUT_OF_BOUNDS = ["1e400", "1e999999999", -1, "-0.1", -0.1, 1_000_001, "1000000.000000001", 10**5_000]


@pytest.mark.parametrize("model", [Policy, Usage, JobFilter])
@pytest.mark.parametrize(
    "given", [*NONSENSE, float("nan"), float("inf"), *OUT_OF_BOUNDS], ids=lambda value: str(type(value))
)
def test_what_is_no_amount_is_refused_in_words(model: Any, given: Any) -> None:
    name = {Policy: "budget_usd", Usage: "cost_usd", JobFilter: "cost_usd_min"}[model]
    with pytest.raises(ValidationError) as refused:
        model(**{name: given})
    (problem,) = refused.value.errors()
    words = (
        "must be from 0 to 1,000,000 USD" if given in OUT_OF_BOUNDS else 'must be an amount in USD, such as "0.0123"'
    )
    assert (problem["loc"], problem["msg"]) == ((name,), f"Value error, {words}")


@pytest.mark.parametrize(
    ("said", "counts"),
    [(1e-12, "0"), ("0.0000000005", "0.000000001"), ("0.00000000049", "0"), (0.1 + 0.2, "0.3"), ("1e-400", "0")],
)
def test_finer_than_a_nano_is_rounded_where_it_is_reported_and_refused_where_it_is_asked_for(
    said: Any, counts: str
) -> None:
    assert Usage(cost_usd=said).cost_usd == Decimal(counts)
    for ask in (lambda: Policy(budget_usd=said), lambda: JobFilter(cost_usd_max=said)):
        with pytest.raises(ValidationError, match="must have at most 9 digits after the point"):
            ask()


def test_the_rest_of_a_budget_is_told_to_the_digit() -> None:
    budget = Budget.under({"budget_usd": "0.3"}, to_nanos("0.1"), 0)
    budget.spend(Usage(cost_usd=0.1))
    assert (budget.left_usd, budget.used_up) == ("0.1", None)
    budget.spend(Usage(cost_usd="0.1"))
    assert (budget.left_usd, budget.used_up) == ("0", "0.3 of 0.3 USD are spent")
