"""A golden set: made of lines of cases, read as it was made, and passed by judgings that show enough."""

import json
import random
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts.judging.cases import hash_cases, hash_question, make_case
from contracts.judging.evaluation import measure
from contracts.judging.statistics import Confusion
from contracts.judging.versions import (
    Counts,
    Evaluated,
    GoldenSet,
    Measured,
    Report,
    find_refusal,
    make_golden,
    read_golden,
)
from signoff.judging import NamedGoldenSet
from signoff.types import read_model
from signoff.v1 import judge_service_pb2 as pb

GOOD = {"id": "good", "result": "words", "acceptance_criteria": "It rhymes\nIt is short", "label": True}
BAD = {**GOOD, "id": "bad", "result": "others", "label": False}
EVALUATION = UUID(int=7)


def make(*lines, **least):
    return make_golden([json.dumps(line).encode() for line in lines], **least)


def test_a_golden_set_is_read_as_it_was_made():
    lines = (GOOD, BAD, {**BAD, "id": "worse", "result": "no words"})
    golden, body = make(*lines, flips_max=0.2)
    cases = [make_case(each) for each in lines]
    assert read_golden(body) == (golden, "\n".join(case.write() for case in cases))
    assert (golden.cases, golden.good, golden.bad, golden.flips_max) == (3, 1, 2, 0.2)
    assert golden.cases_hash == hash_cases(cases) == hash_cases(cases[::-1])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([GOOD, {"id": "x"}, BAD], "line 2 "),
        ([GOOD, {**GOOD, "id": "x", "label": None, "labels": [True, None]}, BAD], "line 2 says nothing of the whole"),
        ([GOOD, BAD, {**GOOD, "id": "copy"}], "line 3 is judged as line 1 is: a copy shows nothing more"),
        ([GOOD, {**GOOD, "id": "other", "label": False}], "line 2 is judged as line 1 is"),
        ([GOOD], "a golden set needs good results and bad ones"),
        ([BAD], "a golden set needs good results and bad ones"),
        ([], "a golden set needs good results and bad ones"),
    ],
)
def test_a_golden_set_is_of_different_cases_that_are_good_and_others_that_are_bad(lines, reason):
    with pytest.raises(ValueError, match=f"^{reason}"):
        make(*lines)


@pytest.mark.parametrize("least", [1.0, 0.9999, -0.1])
def test_a_bound_that_no_number_of_cases_reaches_is_refused(least):
    with pytest.raises(ValidationError):
        make(GOOD, BAD, true_negative_rate_min=least)


def set_of(good, bad, **least):
    """Return the body of a set of so many good and bad cases, and the questions of both."""
    lines = [{**GOOD, "id": f"{n}", "result": f"result {n}", "label": n < good} for n in range(good + bad)]
    questions = [hash_question(make_case(line).ask()) for line in lines]
    return make(*lines, **least)[1], questions[:good], questions[good:]


def judge(questions_good, questions_bad, good, bad):
    """Return what is kept of judgings: letters of the good cases, and of the bad ones, one a case or several."""
    pairs = [*zip(questions_good, good, strict=True), *zip(questions_bad, bad, strict=True)]
    overall = Confusion()
    for place, (_, letters) in enumerate(pairs):
        if letters[0] != "-":
            overall.add(label=place < len(questions_good), passed=letters[0] == "p")
    return Evaluated(Measured(cases_hash="0" * 64, overall=Counts.of(overall)), dict(pairs))


def report_of(evaluated, policy="strict@2", **edited):
    overall = {**measure(evaluated.measured.overall.total()), **edited}
    return Report.model_validate({"evaluation": str(EVALUATION), "policies": [{"policy": policy, "overall": overall}]})


def refusal_of(good, bad, **least):
    """Return why a version that judged so is refused."""
    body, *questions = set_of(len(good), len(bad), **least)
    evaluated = judge(*questions, good, bad)
    return find_refusal(body, "strict@2", report_of(evaluated), evaluated)


def test_a_version_takes_over_that_judges_enough_cases_rightly():
    assert refusal_of("p" * 29, "f" * 29) is None, "1 - 0.9 ** 29 is more than 0.95"
    assert refusal_of("p" * 45 + "f", "f" * 46) is None
    assert refusal_of("p" * 6, "f" * 6, true_positive_rate_min=0.6, true_negative_rate_min=0.6) is None
    assert refusal_of("f", "f" * 29, true_positive_rate_min=0) is None


SHOWS = "with 95 % certainty, and not 0.9:"


@pytest.mark.parametrize(
    ("good", "bad", "messages"),
    [
        (
            "p",
            "f",
            [
                f"1 of 1 good results pass, which shows 0.050 or more {SHOWS} 28 more good cases are missing",
                f"1 of 1 bad results are refused, which shows 0.050 or more {SHOWS} 28 more bad cases are missing",
            ],
        ),
        ("p" * 28, "f" * 29, [f"28 of 28 good results pass, which shows 0.899 or more {SHOWS} 1 more"]),
        (
            "p" * 29,
            "f" * 19 + "p",
            [
                f"19 of 20 bad results are refused, which shows 0.784 or more {SHOWS}",
                "26 more bad cases would be enough if all of them are judged rightly; 109 are if as many are as so far",
            ],
        ),
        (
            "p" * 29,
            "f" * 16 + "p" * 4,
            [
                f"16 of 20 bad results are refused, which shows 0.599 or more {SHOWS}",
                "69 more bad cases would be enough if all of them are judged rightly; at this share not even a million",
            ],
        ),
        ("p" * 29 + "-", "f" * 29, ["58 of 59 cases have a verdict"]),
        ("-" * 29, "f" * 29, ["0 of 0 good results pass, which shows 0.000 or more"]),
    ],
)
def test_a_version_that_does_not_show_enough_is_told_how_many_cases_are_missing(good, bad, messages):
    refusal = refusal_of(good, bad)
    assert refusal.code == "golden_failed"
    assert [message for message in messages if message not in refusal.message] == []


def test_as_many_cases_more_as_are_missing_are_enough():
    assert "26 more" in refusal_of("p" * 29, "f" * 19 + "p").message
    assert refusal_of("p" * 29, "f" * 45 + "p") is None
    assert refusal_of("p" * 29, "f" * 44 + "p") is not None


def test_a_judge_that_refuses_four_fifths_of_bad_work_hardly_passes_a_gate_of_nine_tenths():
    drawn = random.Random(38)
    for bad, runs in ((20, 200), (40, 200), (80, 100)):
        body, *questions = set_of(29, bad)
        passed = 0
        for _ in range(runs):
            said = ["f" if drawn.random() < 0.8 else "p" for _ in range(bad)]
            evaluated = judge(*questions, "p" * 29, said)
            passed += find_refusal(body, "strict@2", report_of(evaluated), evaluated) is None
        assert passed <= 0.05 * runs


def test_an_edited_report_is_refused_and_named():
    body, *questions = set_of(29, 29)
    failing, passing = (judge(*questions, "p" * 29, said) for said in ("f" * 20 + "p" * 9, "f" * 29))
    edited = {"true_rejects": 29, "false_accepts": 0}
    refusal = find_refusal(body, "strict@2", report_of(failing, **edited), failing)
    assert refusal.code == "golden_report_differs"
    assert "false_accepts is 9 by the judgings that are kept" in refusal.message
    share = {"true_negative_rate": {"share": 1.0, "low": 1.0, "high": 1.0}}
    for evaluated in (failing, passing):
        assert find_refusal(body, "strict@2", report_of(evaluated, **share), evaluated).code == "golden_report_differs"
    assert find_refusal(body, "strict@2", report_of(passing), failing).code == "golden_report_differs"


def test_a_report_may_name_the_evaluation_alone():
    body, *questions = set_of(29, 29)
    for said, is_refused in (("f" * 29, False), ("f" * 28 + "p", True)):
        evaluated = judge(*questions, "p" * 29, said)
        refusal = find_refusal(body, "strict@2", Report(evaluation=EVALUATION), evaluated)
        assert (refusal is not None) is is_refused


def test_judgings_that_are_not_kept_and_reports_of_other_versions_pass_nothing():
    body, *questions = set_of(29, 29)
    evaluated = judge(*questions, "p" * 29, "f" * 29)
    lost = find_refusal(body, "strict@2", report_of(evaluated), None)
    assert lost.code == "golden_not_kept"
    assert f"no evaluation {EVALUATION} of strict@2 is kept" in lost.message
    assert find_refusal(body, "strict@3", report_of(evaluated), None) == (
        "golden_other_version",
        "the report is of strict@2, and not of strict@3 alone: evaluate that one",
    )
    both = {"policy": "strict", "versions": {"strict@2": 30, "strict@3": 28}}
    report = Report.model_validate({"evaluation": EVALUATION, "policies": [both]})
    assert find_refusal(body, "strict@2", report, evaluated).code == "golden_other_version"


def test_the_labels_of_the_set_count_and_cases_that_were_not_judged_are_others():
    body, *questions = set_of(29, 29)
    evaluated = judge(*questions, "p" * 29, "f" * 29)
    relabelled = "\n".join(line.replace('"label":false', '"label":true') for line in body.split("\n")[1:-1])
    other = make_golden([*relabelled.encode().splitlines(), json.dumps({**BAD, "id": "bad"}).encode()])[1]
    refusal = find_refusal(other, "strict@2", report_of(evaluated), evaluated)
    assert refusal.code == "golden_other_cases"
    assert "1 of the 58 cases of the golden set were not judged" in refusal.message
    wider = Evaluated(evaluated.measured, {**evaluated.judged, "0" * 64: "p"})
    assert find_refusal(body, "strict@2", report_of(wider), wider) is None, "more than the set was judged"


def test_later_submissions_are_other_cases():
    case = make_case(GOOD)
    assert hash_question(case.ask(2)) != hash_question(case.ask())


def test_flips_are_looked_at_where_the_set_says_so():
    assert "evaluate with --repeats 2" in refusal_of("p" * 29, "f" * 29, flips_max=0.2).message
    flipping = [["pf"] * 15 + ["pp"] * 14, ["ff"] * 29]
    assert "0.259 of the cases flipped" in refusal_of(*flipping, flips_max=0.2).message
    assert refusal_of(*flipping, flips_max=0.26) is None
    assert "evaluate with --repeats 2" in refusal_of(["p-"] * 29, ["f-"] * 29, flips_max=0.2).message


@pytest.mark.parametrize(
    "broken", [{"policies": [{}]}, {"policies": None}, {"evaluation": 7}, {"policies": [{"policy": "x"}] * 101}]
)
def test_a_report_of_another_shape_is_none(broken):
    with pytest.raises(ValidationError):
        Report.model_validate({"evaluation": str(EVALUATION), "policies": [], **broken})


def test_what_a_set_says_of_its_cases_is_checked():
    with pytest.raises(ValidationError):
        GoldenSet(cases_hash="0" * 64, cases=4, good=4, bad=0)


AT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize("is_retired", [False, True])
@pytest.mark.parametrize("least", [0.0, 0.9])
def test_a_golden_set_is_received_as_it_was_sent(is_retired: bool, least: float):
    rates = {"true_positive_rate_min": least, "true_negative_rate_min": least}
    said = {
        "name": "strict",
        "version": 1,
        "cases": 2,
        "good": 1,
        "bad": 1,
        "cases_hash": "a" * 64,
        "actor": "anna",
        "cases_jsonl": "{}",
    }
    sent = pb.GoldenSet(**said, **rates, is_retired=is_retired, created_at=AT)
    received = read_model(pb.GoldenSet.FromString(sent.SerializeToString()))
    assert received == NamedGoldenSet(**said, **rates, is_retired=is_retired, created_at=AT)
