"""The cases of a file are judged by policies: all lines are read first, and each case is judged as often as asked."""

from uuid import uuid4

import pytest

from cli.errors import CommandError
from cli.evaluating import BATCH, check_file, evaluate
from contracts.judging.cases import hash_cases, make_case

BAD = {"label": False}
EVALUATION = uuid4()


async def test_each_case_is_judged_by_each_policy_and_as_often_as_asked(cases, judge):
    judge.say = lambda case, policy, asked: "f" if case.label is False and (policy == "b" or asked) else "p"
    report = await evaluate(check_file(cases({}, BAD), skip_bad=False), ["a", "b"], 3, judge, EVALUATION)
    assert len(judge.asked) == 2 * 2 * 3
    first, second = report["policies"]
    assert (first["overall"]["false_accepts"], second["overall"]["false_accepts"]) == (1, 0)
    assert (first["flips"]["cases"]["count"], second["flips"]["cases"]["count"]) == (1, 0)
    assert report["comparisons"][0]["only_second_right"] == 1
    assert (report["cases"], report["repeats"], first["asks"]) == (2, 3, 6)


async def test_many_cases_are_judged_in_batches(cases, judge):
    file = check_file(cases(*[{}] * (2 * BATCH + 1)), skip_bad=False)
    report = await evaluate(file, ["a"], 1, judge, EVALUATION)
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
    report = await evaluate(file, ["a"], 1, judge, EVALUATION)
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


async def test_a_report_names_its_evaluation_and_its_cases_in_any_order(cases, judge):
    report = await evaluate(check_file(cases({}, BAD), skip_bad=False), ["strict@2"], 1, judge, EVALUATION)
    plain = {"result": "words", "criteria": [{"text": "It rhymes"}]}
    values = [{**plain, "id": "case-2", "label": False}, {**plain, "id": "case-1", "label": True}]
    assert report["cases_hash"] == hash_cases([make_case(value) for value in values])
    assert report["evaluation"] == str(EVALUATION)
    later = check_file(cases({}, BAD), skip_bad=False, submission=2)
    assert later.cases_hash != report["cases_hash"], "judged as another submission they are other questions"
