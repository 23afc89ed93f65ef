"""What asking costs, at a server that counts: the bars that it keeps, and that the page says so."""

import pytest
from judging.tables import read_page
from judging.tokens import CRITERIA, LONG, SHORT, Counted, ask, count, count_tokens, describe_tokens

from validator.prompt import PROMPT_VERSION


@pytest.fixture(scope="module")
async def counted() -> Counted:
    return await count(PROMPT_VERSION)


def test_the_rules_are_short(counted: Counted) -> None:
    assert counted.fixed + counted.schema <= 800


def test_a_further_ask_begins_as_the_first(counted: Counted) -> None:
    assert min(counted.next_short, counted.next_long) >= 0.9
    assert min(counted.again_short, counted.again_long) >= 0.9


def test_an_ask_for_each_criterion_costs_little_more_than_one_for_all(counted: Counted) -> None:
    assert 1 < counted.auto < counted.each <= 2.5


async def test_the_server_counts_what_was_asked_and_the_verdict_says_so() -> None:
    server, verdict = await ask(SHORT, CRITERIA[:2], asks="each")
    assert verdict.is_valid
    first, second = verdict.stages[0].asks
    assert (first.cached_tokens, second.cached_tokens) == (None, server.cached[1])
    assert second.input_tokens == count_tokens(server.asked[1]) + count_tokens(server.schemas[1])
    assert len(LONG) == 8_000


def test_the_page_says_what_asking_costs() -> None:
    assert read_page(name="tokens") == describe_tokens(), (
        "`make bench OF=judging ARGS='--only tokens --write'` writes it"
    )
