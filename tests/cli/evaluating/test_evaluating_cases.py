"""The cases of a file are judged by policies: all lines are read first, and each case is judged as often as asked."""

import pytest

from cli.errors import CommandError
from cli.evaluating.run import BATCH, check_file, evaluate
from contracts.judging.calibration.cases import hash_cases, make_case
from contracts.judging.calibration.golden import GoldenSet, Report, find_refusal

BAD = {"label": False}


async def test_each_case_is_judged_by_each_policy_and_as_often_as_asked(cases, judge):
    judge.say = lambda case, policy, asked: "f" if case.label is False and (policy == "b" or asked) else "p"
    report = await evaluate(check_file(cases({}, BAD), skip_bad=False), ["a", "b"], 3, judge)
    assert len(judge.asked) == 2 * 2 * 3
    first, second = report["policies"]
    assert (first["overall"]["false_accepts"], second["overall"]["false_accepts"]) == (1, 0)
    assert (first["flips"]["cases"]["count"], second["flips"]["cases"]["count"]) == (1, 0)
    assert report["comparisons"][0]["only_second_right"] == 1
    assert (report["cases"], report["repeats"], first["asks"]) == (2, 3, 6)


async def test_many_cases_are_judged_in_batches(cases, judge):
    file = check_file(cases(*[{}] * (2 * BATCH + 1)), skip_bad=False)
    report = await evaluate(file, ["a"], 1, judge)
    assert judge.batches == [BATCH, BATCH, 1]
    assert report["cases"] == file.cases == 2 * BATCH + 1


def test_a_file_with_a_bad_line_is_refused_before_anybody_is_asked(cases):
    path = cases({}, "{", {"id": "case-1"}, {"labels": {"It sings": True}})
    with pytest.raises(CommandError) as refused:
        check_file(path, skip_bad=False)
    assert refused.value.code == "bad_cases"
    message = str(refused.value)
    assert "line 2 is no JSON" in message
    assert "line 3 id 'case-1' is that of line 1" in message
    assert "line 4 labels names 'It sings', which is none of the criteria" in message
    assert "--skip-bad" in message


def test_many_bad_lines_are_told_in_part(cases):
    with pytest.raises(CommandError, match="and 2 more"):
        check_file(cases({}, *["{"] * 12), skip_bad=False)


async def test_bad_lines_are_left_out_where_that_is_asked_for_and_stay_told(cases, judge):
    file = check_file(cases({}, "{"), skip_bad=True)
    report = await evaluate(file, ["a"], 1, judge)
    assert [one["line"] for one in report["skipped"]] == [2]
    assert report["cases"] == 1


@pytest.mark.parametrize("lines", [(), ("",), ("{",)])
def test_a_file_without_cases_is_refused(cases, lines):
    with pytest.raises(CommandError) as refused:
        check_file(cases(*lines), skip_bad=True)
    assert refused.value.code == "no_cases"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        check_file(tmp_path / "none.jsonl", skip_bad=False)


async def test_a_report_passes_the_golden_set_that_it_is_of(cases, judge):
    judge.say = lambda case, _policy, _asked: "p" if case.label else "f"
    report = await evaluate(check_file(cases({}, BAD), skip_bad=False), ["strict@2"], 1, judge)
    plain = {"result": "words", "criteria": [{"text": "It rhymes"}]}
    values = [{**plain, "id": "case-1", "label": True}, {**plain, "id": "case-2", "label": False}]
    own = hash_cases([make_case(value) for value in values])
    assert find_refusal(GoldenSet(cases_hash=own, cases=2), "strict@2", Report.model_validate(report)) is None
