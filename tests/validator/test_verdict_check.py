"""A verdict counts if it judges exactly the job's criteria, with evidence, and decides as its outcomes say."""

from typing import Any

import pytest

from contracts.criteria import Criterion
from contracts.judging.policy import Verdict, find_mismatch
from signoff.judging import CriterionVerdict
from signoff.status import Outcome

CRITERIA = [
    Criterion(text="It greets"),
    Criterion(text="It is kind", required=False),
    Criterion(text="It curses", kind="never"),
]


def judged(**changes: Any) -> list[CriterionVerdict]:
    """All criteria passed with evidence, but for what changes in the first."""
    verdicts = [
        CriterionVerdict(text=c.text, required=c.required, kind=c.kind, outcome=Outcome.PASS, evidence=["Good morning"])
        for c in CRITERIA
    ]
    return [verdicts[0].model_copy(update=changes), *verdicts[1:]]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_verdict_on_the_criteria_is_one(outcome: Outcome) -> None:
    assert find_mismatch(CRITERIA, Verdict.of(judged(outcome=outcome), "because")) is None


def test_what_did_not_pass_needs_no_evidence() -> None:
    verdict = Verdict.of(judged(outcome=Outcome.CANNOT_ASSESS, evidence=[]), "because")
    assert find_mismatch(CRITERIA, verdict) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": "It greets "}, "another text"),
        ({"required": False}, "not required"),
        ({"kind": "never"}, "not of the kind"),
        ({"evidence": []}, "without evidence"),
        ({"evidence": [" \n"]}, "without evidence"),
        ({"unproven": True}, "unproven although its outcome is pass"),
        ({"unproven": True, "outcome": Outcome.FAIL}, "unproven although its outcome is fail"),
    ],
)
def test_another_criterion_is_told(changes: dict[str, Any], says: str) -> None:
    mismatch = find_mismatch(CRITERIA, Verdict.of(judged(**changes), "because"))
    assert mismatch is not None
    assert says in mismatch
    assert "criterion 1" in mismatch


@pytest.mark.parametrize("order", [(), (0, 1), (0, 1, 2, 2), (1, 0, 2), (0, 0, 2), (2, 1, 0)])
def test_each_criterion_is_judged_once_and_in_order(order: tuple[int, ...]) -> None:
    assert find_mismatch(CRITERIA, Verdict.of([judged()[at] for at in order], "because")) is not None


def test_a_pass_of_a_kind_that_nobody_can_judge_does_not_count() -> None:
    criterion = Criterion(text="exits with 0", kind="person")
    one = CriterionVerdict(text=criterion.text, kind="person", outcome=Outcome.PASS, evidence=["It exits with 0"])
    assert "person" in (find_mismatch([criterion], Verdict.of([one], "because")) or "")
    failed = one.model_copy(update={"outcome": Outcome.CANNOT_ASSESS})
    assert find_mismatch([criterion], Verdict.of([failed], "because")) is None


def test_a_check_passes_by_what_it_found() -> None:
    criterion = Criterion(text="max_words 9", kind="check")
    one = CriterionVerdict(text=criterion.text, kind="check", outcome=Outcome.PASS, evidence=["7 words"])
    assert find_mismatch([criterion], Verdict.of([one], "because")) is None
    without = one.model_copy(update={"evidence": []})
    assert "without evidence" in (find_mismatch([criterion], Verdict.of([without], "because")) or "")


def test_a_pass_of_never_needs_no_evidence() -> None:
    clean = judged()
    clean[2] = clean[2].model_copy(update={"evidence": []})
    assert find_mismatch(CRITERIA, Verdict.of(clean, "because")) is None


def test_what_is_unproven_cannot_be_assessed() -> None:
    verdict = Verdict.of(judged(outcome=Outcome.CANNOT_ASSESS, unproven=True), "because")
    assert find_mismatch(CRITERIA, verdict) is None


def test_something_must_be_required() -> None:
    optional = [CRITERIA[1]]
    assert "required" in (find_mismatch(optional, Verdict.of([judged()[1]], "because")) or "")
    assert find_mismatch([], Verdict.of([], "because")) is not None


def test_is_valid_is_computed_again() -> None:
    passed = Verdict.of(judged(), "because")
    told = find_mismatch(CRITERIA, passed.model_copy(update={"is_valid": False}))
    assert told == "is_valid is false, which does not follow from the outcomes"
    failed = Verdict.of(judged(outcome=Outcome.FAIL), "because")
    assert "is_valid" in (find_mismatch(CRITERIA, failed.model_copy(update={"is_valid": True})) or "")
