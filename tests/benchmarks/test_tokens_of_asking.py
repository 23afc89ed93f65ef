"""What asking costs, at a server that counts: the bars that it keeps, and that the page says so."""

import re

import pytest
from judging.quoting import ALONE, CONFIRMED, describe_attacks, describe_honest, judge, read_lines
from judging.tables import read_page
from judging.tokens import CRITERIA, LONG, SHORT, Counted, ask, count, count_tokens, describe_tokens
from measuring.figures import ROOT

from contracts.criteria import Criterion
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


PAGE = (ROOT / "docs" / "judging.md").read_text("utf-8")


def test_right_results_pass_however_a_judge_quotes():
    alone, confirmed = [line for line in describe_honest() if ": " in line and not line.startswith(" ")]
    assert re.match(r"alone: (?:2[7-9]|3[01]) of 31 right results pass by 2 asks", alone)
    assert re.match(r"confirmed: (?:2[7-9]|3[01]) of 31 right results pass by 3 asks", confirmed)
    assert alone in PAGE


def test_one_word_is_enough_by_one_ask():
    result, criterion = "The capital is Oslo.", Criterion(text="Names the capital of Norway")
    for policy, asks in ((ALONE, 1), (CONFIRMED, 2)):
        verdict, asked = judge(result, [criterion], policy, lambda *_: iter(["Oslo"]), is_right=True, seed="")
        assert (verdict.is_valid, asked, verdict.criteria[0].evidence) == (True, asks, ["Oslo"])


def test_no_more_wrong_results_pass_than_before_and_few_that_are_confirmed():
    table = describe_attacks()
    first, anything = (tuple(map(int, line.split("|")[2:4])) for line in table[-2:])
    assert first[0] <= 25
    assert anything[0] <= 28
    assert max(first[1], anything[1]) <= 8
    assert "\n".join(table) in PAGE


def test_each_case_has_what_it_needs():
    assert all(case.keys() == {"name", "result", "criterion", "quote"} for case in read_lines("honest.jsonl"))
    assert all(case.keys() == {"name", "result", "criteria"} for case in read_lines("attacks.jsonl"))
