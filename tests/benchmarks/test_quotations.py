"""What the benchmark of judging says of right results, however a judge quotes, and of wrong ones that are quoted."""

import re

from judging.quoting import ALONE, CONFIRMED, describe_attacks, describe_honest, judge, read_lines
from measuring.figures import ROOT

from contracts.criteria import Criterion

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
