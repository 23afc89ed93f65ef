"""A judge's words that disclose a reference are marked, and no agent is sent them."""

import json
from typing import Any

import pytest

from contracts.judging.policy import Verdict
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.disclosure import mark_disclosing

TASK = {"title": "Norway", "description": "What is its capital, and since when?", "payload": {"year": 2026}}
RESULT = {"text": "Bergen, since 1814."}


def discloses(comment: str, *references: str, known: Any = (TASK, RESULT), text: str = "Names the capital") -> bool:
    one = CriterionVerdict(text=text, outcome=Outcome.FAIL, comment=comment)
    verdict = Verdict.of([one], comment)
    mark_disclosing(verdict, dict(enumerate(references, 1)), known)
    assert verdict.criteria[0].discloses == verdict.discloses
    return verdict.discloses


@pytest.mark.parametrize(
    "comment",
    [
        "It should be Oslo.",
        "OSLO!",
        "The \uff2f\uff53\uff4c\uff4f is meant",
        "Oslo's name is missing",
        "spelled O-s-l-o",
        "o s l o",
        "os\u00adlo",
        "read olsO backwards",
        "Osloer would say so",
        "since 1624, not 1814",
        "since 1.624",
        'it says "union of crowns" nowhere',
        "dissol... of what?" + " dissolved",
    ],
)
def test_words_of_a_reference_are_found_however_they_are_written(comment: str) -> None:
    assert discloses(comment, "Oslo", "Founded anew in 1,624; the union of crowns was dissolved", known=(TASK, RESULT))


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "The result names Bergen, which is not the capital of Norway.",
        "It does not say since when; 1814 is not explained.",
        "The answer is wrong, and its reason is missing.",
        "What is its capital, and since when?",
    ],
)
def test_what_stands_in_task_result_or_criteria_or_says_nothing_may_be_told(comment: str) -> None:
    assert not discloses(comment, "The capital of Norway is Oslo, since 1624, and not Bergen")


def test_a_run_of_words_is_found_though_each_of_them_is_known() -> None:
    known = ["red green", "blue green", "blue and red"]
    assert discloses("they are red, blue, green", "red blue green", known=known)
    assert not discloses("they are red green", "red blue green", known=known)


@pytest.mark.parametrize("reference", ["pass", "yes", "none", "42", "x"])
def test_a_reference_of_one_common_word_is_one_all_the_same(reference: str) -> None:
    assert discloses(f"the label should be {reference}", reference)
    assert not discloses(f"the label should be {reference}", reference, known=[{reference: 1}])


def test_names_and_values_of_the_result_are_known() -> None:
    result = {"town": [{"Oslo": None}], "n": 17.5, "flag": True}
    assert not discloses("true and 17.5 of Oslo", "Oslo: 17.5, true", known=[None, result])
    assert discloses("Oslo has 17.6", "Oslo: 17.6", known=[None, result])


def test_without_references_nothing_is_disclosed() -> None:
    assert not discloses("Oslo")
    assert "discloses" not in json.loads(Verdict.of([], "a").model_dump_json())
