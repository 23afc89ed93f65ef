"""Verdicts: from criteria and an answer to a verdict, without a server."""

import json
from typing import Any

import pytest
from fake_judge import answer
from hypothesis import given
from hypothesis import strategies as st

from contracts.resources import Verdict
from contracts.status import Outcome
from validator.errors import JudgeAnswerError
from validator.evidence import to_quotable
from validator.verdict import (
    ANSWER_SCHEMA,
    FALSE_QUOTE,
    TEXT_MAX,
    Answer,
    Criterion,
    assess,
    read_answer,
    split_criteria,
)

WORDS = st.from_regex(r"[A-Za-z][A-Za-z ,]{0,30}[A-Za-z]", fullmatch=True).filter(
    lambda text: not text.lower().startswith("optional")
)


def said(*outcomes: Outcome, evidence: str | None = None, reason: str = "because") -> Answer:
    one = [{"index": i, "outcome": o, "evidence": evidence, "comment": "so"} for i, o in enumerate(outcomes, 1)]
    return Answer.model_validate_json(json.dumps({"criteria": one, "reason": reason}))


def required(count: int) -> list[Criterion]:
    return [Criterion(f"criterion {i}") for i in range(count)]


class TestCriteria:
    @pytest.mark.parametrize(
        ("line", "criterion"),
        [
            ("It is short", Criterion("It is short")),
            ("  - It is short  ", Criterion("It is short")),
            ("* It is short", Criterion("It is short")),
            ("\u2022 It is short", Criterion("It is short")),
            ("12. It is short", Criterion("It is short")),
            ("1) It is short", Criterion("It is short")),
            ("optional: It is short", Criterion("It is short", required=False)),
            ("- OPTIONAL:It is short", Criterion("It is short", required=False)),
            ("-5 is the answer", Criterion("-5 is the answer")),
            ("3.5 seconds at most", Criterion("3.5 seconds at most")),
            ("2026. was the year", Criterion("2026. was the year")),
            ("Nothing optional: all of it", Criterion("Nothing optional: all of it")),
        ],
    )
    def test_a_line_is_a_criterion(self, line: str, criterion: Criterion) -> None:
        assert split_criteria(line) == [criterion]

    @pytest.mark.parametrize("text", ["", "\n \n\t", "-", "- \n*\n1.", "optional:", "- optional: "])
    def test_a_line_without_words_is_none(self, text: str) -> None:
        assert split_criteria(text) == []

    @given(
        st.lists(
            st.tuples(
                WORDS,
                st.booleans(),
                st.sampled_from(["", "- ", "* ", "1. ", "10) ", "  \u2022  "]),
                st.sampled_from(["\n", "\r\n", "\n\n", "\n  \n"]),
            )
        )
    )
    def test_bullets_and_blank_lines_change_nothing(self, lines: list[tuple[str, bool, str, str]]) -> None:
        text = "".join(f"{bullet}{'' if must else 'Optional: '}{words}{end}" for words, must, bullet, end in lines)
        assert split_criteria(text) == [Criterion(words.strip(), required=must) for words, must, _, _ in lines]

    @given(st.text())
    def test_no_text_is_too_strange(self, text: str) -> None:
        assert all(c.text and c.text == c.text.strip() for c in split_criteria(text))


class TestAnswers:
    def test_criteria_come_in_any_order(self) -> None:
        text = answer(3)
        text["criteria"].reverse()
        assert [c.index for c in read_answer(json.dumps(text), 3).criteria] == [1, 2, 3]

    @pytest.mark.parametrize("indexes", [[], [1], [1, 2, 3], [1, 1], [0, 1], [2, 3], [1, -2]])
    def test_each_criterion_is_answered_once(self, indexes: list[int]) -> None:
        text = answer(len(indexes))
        for criterion, index in zip(text["criteria"], indexes, strict=True):
            criterion["index"] = index
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(json.dumps(text), 2)
        assert error.value.code == "judge_criteria_mismatch"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "judge_incomplete"),
            ('{"criteria": [{"index": 1, "outc', "judge_incomplete"),
            ("<html>", "judge_invalid_json"),
            ("```json\n{}\n```", "judge_invalid_json"),
            ('{"criteria": [], "reason": "\\ud800"}', "judge_invalid_json"),
            ("[]", "judge_wrong_shape"),
            ("null", "judge_wrong_shape"),
            ('{"criteria": []}', "judge_wrong_shape"),
            ('{"criteria": [], "reason": "", "is_valid": true}', "judge_wrong_shape"),
        ],
    )
    def test_other_texts_are_nonsense(self, text: str, code: str) -> None:
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(text, 0)
        assert error.value.code == code

    @pytest.mark.parametrize(
        "change",
        [
            {"outcome": "PASS"},
            {"outcome": True},
            {"outcome": "passed"},
            {"index": "1"},
            {"index": 1.0},
            {"index": True},
            {"evidence": 5},
            {"comment": None},
            {"is_valid": True},
        ],
    )
    def test_nothing_is_read_with_good_will(self, change: dict[str, Any]) -> None:
        text = answer(1)
        text["criteria"][0] |= change
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(json.dumps(text), 1)
        assert error.value.code == "judge_wrong_shape"

    def test_the_schema_is_one_that_strict_mode_takes(self) -> None:
        shapes = [ANSWER_SCHEMA, ANSWER_SCHEMA["$defs"]["CriterionAnswer"]]
        assert all(s["additionalProperties"] is False for s in shapes)
        assert all(set(s["required"]) == set(s["properties"]) for s in shapes)


class TestVerdicts:
    @given(st.lists(st.tuples(st.sampled_from(Outcome), st.booleans()), min_size=1))
    def test_valid_is_what_passed_every_required_criterion(self, pairs: list[tuple[Outcome, bool]]) -> None:
        criteria = [Criterion(f"criterion {i}", required=must) for i, (_, must) in enumerate(pairs)]
        verdict, doubtful = assess(criteria, said(*(outcome for outcome, _ in pairs)), to_quotable("x"), "m")
        assert verdict.is_valid == all(outcome is Outcome.PASS for outcome, must in pairs if must)
        assert [(c.text, c.outcome, c.required) for c in verdict.criteria] == [
            (c.text, outcome, c.required) for c, (outcome, _) in zip(criteria, pairs, strict=True)
        ]
        assert not doubtful

    def test_true_evidence_is_kept(self) -> None:
        verdict, doubtful = assess(required(1), said(Outcome.PASS, evidence="Hello"), to_quotable("hello world"), "m")
        assert (verdict.is_valid, verdict.criteria[0].evidence, doubtful) == (True, "Hello", False)

    def test_a_pass_on_an_invented_quote_is_not_assessed(self) -> None:
        verdict, doubtful = assess(required(1), said(Outcome.PASS, evidence="goodbye"), to_quotable("hello"), "m")
        assert doubtful
        assert not verdict.is_valid
        assert verdict.criteria[0].outcome is Outcome.CANNOT_ASSESS
        assert verdict.criteria[0].evidence is None
        assert FALSE_QUOTE in verdict.criteria[0].comment
        assert FALSE_QUOTE in verdict.reason

    def test_a_fail_on_an_invented_quote_is_still_one(self) -> None:
        verdict, doubtful = assess(required(1), said(Outcome.FAIL, evidence="goodbye"), to_quotable("hello"), "m")
        assert not doubtful
        assert verdict.criteria[0].outcome is Outcome.FAIL
        assert verdict.criteria[0].evidence is None
        assert FALSE_QUOTE in verdict.criteria[0].comment

    @pytest.mark.parametrize("blank", [None, "", "  \n"])
    def test_no_evidence_is_no_invented_one(self, blank: str | None) -> None:
        verdict, doubtful = assess(required(1), said(Outcome.PASS, evidence=blank), to_quotable("hello"), "m")
        assert (verdict.is_valid, verdict.criteria[0].evidence, doubtful) == (True, None, False)

    @given(st.text(), st.text(), st.text(), st.text())
    def test_what_a_model_writes_can_be_stored(self, reason: str, comment: str, evidence: str, result: str) -> None:
        criterion = {"index": 1, "outcome": Outcome.FAIL, "evidence": evidence, "comment": comment}
        answered = Answer.model_validate({"criteria": [criterion], "reason": reason})
        verdict, _ = assess(required(1), answered, to_quotable(result), reason)
        assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
        assert "\\u0000" not in json.dumps(verdict.model_dump(mode="json"))

    def test_control_characters_surrogates_and_lengths_are_cut(self) -> None:
        noisy = "a\x00b\x1b[31mc\u202ed\ud800e\nf"
        text = Answer.model_construct(
            criteria=said(Outcome.PASS).criteria,
            reason=noisy + "x" * 5_000,
        )
        verdict, _ = assess(required(1), text, to_quotable(""), "m\x00")
        assert verdict.reason.startswith("ab[31mcde\nfx")
        assert len(verdict.reason) <= TEXT_MAX
        assert verdict.model == "m"
