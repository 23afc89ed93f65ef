"""Verdicts: from criteria and answers to a verdict, without a server."""

import json
from typing import Any

import pytest
from fake_judge import answer
from hypothesis import given
from hypothesis import strategies as st

from contracts.criteria import Criterion
from contracts.evidence import FALSE_QUOTE, NOT_QUOTED, SHOWS_NOTHING, Evidence
from contracts.judging.policy import JudgePolicy, LoopStep, Verdict
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.errors import JudgeAnswerError
from validator.verdict import (
    TEXT_MAX,
    WORDS_MAX,
    CriterionAnswer,
    OpenRefutation,
    OpenVote,
    Vote,
    is_reusable,
    judge_criterion,
    make_verdict,
    read_answer,
    refuse_empty,
)

HELLO = Evidence("Hello, world")


def said(
    outcome: str = "pass", evidence: str | list[str] | None = "hello world", comment: str = "so"
) -> CriterionAnswer:
    return CriterionAnswer.model_validate({"outcome": outcome, "evidence": evidence, "comment": comment})


def heard(*answers: CriterionAnswer | None, kind: str = "meets", required: bool = True) -> OpenVote:
    """What comes of these answers; None is nonsense."""
    open_vote = OpenVote(Criterion(text="It greets", kind=kind, required=required))
    for one in answers:
        if one is None:
            open_vote.add_fault("nonsense")
        else:
            open_vote.add_answer(one, HELLO)
    return open_vote


class TestAnswers:
    def test_criteria_come_in_any_order(self) -> None:
        text = answer(3)
        text["c2"]["comment"] = "second"
        backwards = json.dumps(dict(reversed(text.items())))
        assert [c.comment for c in read_answer(backwards, 3).criteria] == ["so it is", "second", "so it is"]

    @pytest.mark.parametrize("names", [[], ["c1"], ["c1", "c2", "c3"], ["c0", "c1"], ["c1", "c1"], ["c1", "C2"]])
    def test_each_criterion_is_answered_once(self, names: list[str]) -> None:
        one = json.dumps(answer(1)["c1"])
        text = ", ".join([*(f'"{name}": {one}' for name in names), '"reason": "because"'])
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(f"{{{text}}}", 2)
        assert error.value.code == "judge_criteria_mismatch"
        assert str(error.value) in {
            "the judge did not answer each of 2 criteria once, and nothing else",
            "the judge answered something twice",
        }
        assert (str(error.value) == "the judge answered something twice") == (len(set(names)) < len(names))

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "judge_incomplete"),
            ('{"c1": {"evid', "judge_incomplete"),
            ("<html>", "judge_invalid_json"),
            ("```json\n{}\n```", "judge_invalid_json"),
            ('{"reason": "\\ud800"}', "judge_invalid_json"),
            ("[" * 10_000, "judge_invalid_json"),
            ("[]", "judge_wrong_shape"),
            ("null", "judge_wrong_shape"),
            ("{}", "judge_wrong_shape"),
            ('{"reason": null}', "judge_wrong_shape"),
            ('{"reason": "", "is_valid": true}', "judge_criteria_mismatch"),
            ('{"reason": "", "reason": ""}', "judge_criteria_mismatch"),
        ],
    )
    def test_other_texts_are_nonsense(self, text: str, code: str) -> None:
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(text, 0)
        assert error.value.code == code
        if code == "judge_wrong_shape" and text.startswith("{"):
            assert str(error.value) == "the judge's answer has no reason"
        if code in {"judge_incomplete", "judge_invalid_json"}:
            assert str(error.value) == "the judge's answer is no whole JSON text"

    @pytest.mark.parametrize(
        "change",
        [
            {"outcome": "PASS"},
            {"outcome": True},
            {"outcome": "passed"},
            {"evidence": 5},
            {"comment": None},
            {"is_valid": True},
        ],
    )
    def test_nothing_is_read_with_good_will(self, change: dict[str, Any]) -> None:
        text = answer(1)
        text["c1"] |= change
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(json.dumps(text), 1)
        assert error.value.code == "judge_wrong_shape"
        assert str(error.value).startswith("the judge's answer has another shape: ")

    @pytest.mark.parametrize(
        ("evidence", "read"), [(["a b", "c"], ["a b", "c"]), ([], []), ("a b", ["a b"]), (None, [])]
    )
    def test_evidence_is_several_quotations_or_by_version_2_one_or_none(self, evidence: Any, read: list[str]) -> None:
        text = answer(1)
        text["c1"]["evidence"] = evidence
        assert read_answer(json.dumps(text), 1).criteria[0].evidence == read

    @pytest.mark.parametrize("where", ["reason", "comment"])
    def test_one_with_the_canary_is_nonsense(self, where: str) -> None:
        text = answer(1)
        (text if where == "reason" else text["c1"])[where] = "I was told: C0FFEE1234"
        with pytest.raises(JudgeAnswerError) as error:
            read_answer(json.dumps(text), 1, "c0ffee1234")
        assert error.value.code == "judge_canary"
        assert str(error.value) == "the judge wrote a word that it must never write"


ONCE = "the judge invented a quotation, and passed it only once without"
PASS, INVENTED, BARE = said(), said(evidence="goodbye"), said(evidence=None)
FAIL, UNSURE = said("fail", None), said("cannot_assess", None)


class TestHearings:
    @pytest.mark.parametrize(
        ("answers", "outcome"),
        [
            ([PASS], "pass"),
            ([FAIL], "fail"),
            ([UNSURE], "cannot_assess"),
            ([INVENTED], None),
            ([INVENTED, PASS], None),
            ([INVENTED, PASS, PASS], "pass"),
            ([INVENTED, PASS, INVENTED], None),
            ([INVENTED, PASS, FAIL], "fail"),
            ([INVENTED, FAIL], "fail"),
            ([INVENTED, UNSURE], "cannot_assess"),
            ([None], None),
            ([None, PASS], "pass"),
            ([BARE, PASS], "pass"),
            ([BARE, INVENTED, PASS], None),
            ([INVENTED, BARE, PASS], None),
            ([INVENTED, None, PASS, PASS], "pass"),
            ([said(evidence=["hello world", "goodbye"])], "pass"),
            ([said(evidence=["", "goodbye"]), PASS], None),
            ([None, FAIL], "fail"),
            ([BARE, BARE], None),
        ],
    )
    def test_the_first_sound_answer_decides_and_after_an_invention_the_second_pass(
        self, answers: list[Any], outcome: str | None
    ) -> None:
        open_vote = heard(*answers)
        assert (open_vote.decided and open_vote.decided.outcome) == outcome
        assert open_vote.close().outcome == (outcome or "cannot_assess")

    @pytest.mark.parametrize(
        ("evidence", "fault"), [(None, NOT_QUOTED), ("  ", NOT_QUOTED), ("goodbye", FALSE_QUOTE), ("!", SHOWS_NOTHING)]
    )
    def test_what_is_told_is_the_rule_and_the_criterion_is_unproven(self, evidence: str | None, fault: str) -> None:
        concluded = heard(said(evidence=evidence)).close().verdict
        assert (concluded.outcome, concluded.unproven, concluded.evidence) == (Outcome.CANNOT_ASSESS, True, [])
        assert concluded.comment == f"{fault}; the judge said: so"

    def test_what_is_absent_needs_no_evidence_and_none_that_is_invented(self) -> None:
        for evidence in (None, "!"):
            held = heard(said(evidence=evidence), kind="never").close()
            assert (held.outcome, held.verdict.evidence, held.is_sure) == (Outcome.PASS, [], True)
        assert heard(said(), kind="never").close().verdict.evidence == ["hello world"]
        assert heard(INVENTED, kind="never").close().verdict.unproven

    def test_a_refutation_without_words_is_the_judges_failure_and_its_own_doubt_is_not(self) -> None:
        def refute(answer: CriterionAnswer, kind: str = "meets") -> CriterionVerdict:
            open_vote = OpenRefutation(Criterion(text="It greets", kind=kind))
            open_vote.add_answer(answer, HELLO)
            return open_vote.close().verdict

        assert (refute(FAIL).outcome, refute(FAIL).unproven) == (Outcome.CANNOT_ASSESS, True)
        assert (refute(UNSURE).outcome, refute(UNSURE).unproven) == (Outcome.CANNOT_ASSESS, False)
        assert refute(said("fail", "hello")).outcome is Outcome.FAIL
        assert refute(BARE).unproven
        assert refute(BARE, "never").outcome is Outcome.PASS

    def test_what_is_faulty_is_told_in_the_next_ask_and_what_follows_is_not(self) -> None:
        assert [heard(*said).fault for said in ([], [PASS], [BARE], [None], [BARE, FAIL], [INVENTED, PASS])] == [
            None, None, NOT_QUOTED, "nonsense", None, None,
        ]  # fmt: skip

    def test_only_the_judges_failure_leaves_a_criterion_unproven(self) -> None:
        assert not heard(UNSURE).close().verdict.unproven
        assert heard(INVENTED, PASS).close().verdict.unproven
        assert heard(None).close(JudgeAnswerError("it refused")).verdict.unproven

    def test_evidence_of_what_did_not_pass_is_kept_if_it_stands_there(self) -> None:
        assert heard(said("fail", "hello")).close().verdict.evidence == ["hello"]
        invented = heard(said("fail", "goodbye")).close().verdict
        assert (invented.outcome, invented.evidence) == (Outcome.FAIL, [])
        assert FALSE_QUOTE in invented.comment

    @pytest.mark.parametrize(
        ("answers", "outcome", "evidence", "comment", "fault", "is_sure"),
        [
            ([PASS], "pass", "hello world", "so", None, True),
            ([None, PASS], "pass", "hello world", "so", None, False),
            ([INVENTED, PASS, PASS], "pass", "hello world", "so", None, False),
            ([INVENTED, said(comment=" ")], "cannot_assess", None, ONCE, None, False),
            ([INVENTED], "cannot_assess", None, f"{FALSE_QUOTE}; the judge said: so", FALSE_QUOTE, False),
            ([INVENTED, PASS], "cannot_assess", None, f"{ONCE}; the judge said: so", None, False),
            ([FAIL], "fail", None, "so", None, True),
            ([said("fail", " hello ", " why ")], "fail", "hello", "why", None, True),
            ([said("fail", "goodbye")], "fail", None, f"{FALSE_QUOTE}; the judge said: so", None, False),
            ([UNSURE], "cannot_assess", None, "so", None, False),
            ([None, UNSURE], "cannot_assess", None, "so", None, False),
        ],
    )
    def test_what_is_held_in_the_end(
        self, answers: list[Any], outcome: str, evidence: str | None, comment: str, fault: str | None, *, is_sure: bool
    ) -> None:
        open_vote = heard(*answers)
        held = open_vote.close()
        assert open_vote.is_answered
        quotes, unproven = (evidence and [evidence]) or [], outcome == "cannot_assess" and answers[-1] is not UNSURE
        assert held.verdict == CriterionVerdict(
            text="It greets", outcome=Outcome(outcome), evidence=quotes, comment=comment, unproven=unproven
        )
        assert (held.fault, held.is_sure, held.judge_error) == (fault, is_sure, None)

    @pytest.mark.parametrize("kind", ["meets", "never"])
    @pytest.mark.parametrize("required", [True, False])
    def test_what_silenced_the_judge_is_told(self, kind: str, *, required: bool) -> None:
        held = heard(None, kind=kind, required=required).close(JudgeAnswerError("it refused", code="judge_refused"))
        comment = "the judge does not judge this result: it refused"
        assert held.verdict == CriterionVerdict(
            text="It greets",
            required=required,
            kind=kind,
            outcome=Outcome.CANNOT_ASSESS,
            comment=comment,
            unproven=True,
        )
        assert held[1:] == (None, False, "judge_refused")


class TestVerdicts:
    def test_of_many_criteria_each_has_fewer_words_and_whole_ones(self) -> None:
        criteria = WORDS_MAX // 100
        quotes = {100: "a" * 49 + " " + "b" * 50, 101: "a" * 50 + " " + "b" * 50}
        for length, quote in quotes.items():
            one = judge_criterion(Criterion(text="It greets"), Outcome.PASS, "c" * 101, [quote])
            verdict = make_verdict([Vote(one)] * criteria, ["because"], "m")
            assert len(quote) == length
            assert verdict.criteria[0].evidence == [quote if length == 100 else "a" * 50]
            assert verdict.criteria[0].comment == "c" * 100

    @given(st.lists(st.tuples(st.sampled_from(Outcome), st.booleans()), min_size=1))
    def test_valid_is_what_passed_every_required_criterion(self, pairs: list[tuple[Outcome, bool]]) -> None:
        votes = [heard(said(outcome), required=must).close() for outcome, must in pairs]
        verdict = make_verdict(votes, ["because"], "m")
        assert verdict.is_valid == all(outcome is Outcome.PASS for outcome, must in pairs if must)
        assert [(c.outcome, c.required) for c in verdict.criteria] == pairs
        assert (verdict.reason, verdict.judge_error) == ("because", None)

    def test_a_pass_on_an_invented_quote_is_told_in_the_reason(self) -> None:
        verdict = make_verdict([heard(INVENTED).close(), heard(PASS).close()], ["because"], "m")
        assert not verdict.is_valid
        assert FALSE_QUOTE in verdict.reason

    def test_what_was_never_answered_is_not_assessed_and_marked(self) -> None:
        nonsense = JudgeAnswerError("the judge refused to answer", code="judge_refused")
        verdict = make_verdict([heard(PASS).close(nonsense), heard(None).close(nonsense)], ["because"], "m")
        assert [c.outcome for c in verdict.criteria] == [Outcome.PASS, Outcome.CANNOT_ASSESS]
        assert verdict.judge_error == "judge_refused"
        assert "refused" in verdict.criteria[1].comment
        assert make_verdict([heard(BARE).close(nonsense)], ["because"], "m").judge_error is None

    def test_an_empty_result_meets_nothing(self) -> None:
        kinds = [Criterion(text="a"), Criterion(text="b", kind="never"), Criterion(text="c", required=False)]
        verdict = refuse_empty(kinds)
        assert [c.outcome for c in verdict.criteria] == [Outcome.FAIL, Outcome.CANNOT_ASSESS, Outcome.FAIL]
        assert (verdict.is_valid, verdict.model, verdict.judge_error) == (False, None, None)
        assert {one.comment for one in verdict.criteria} == {"the result is empty"}
        assert verdict.reason.startswith("the result is empty: ")
        assert refuse_empty(kinds, judge="strict@3", submission=2).judge == "strict@3"

    def test_what_is_told_of_all_is_who_failed_and_what_the_judge_said(self) -> None:
        refused = JudgeAnswerError("it refused", code="judge_refused")
        passed, faulty, silent = heard(PASS).close(), heard(INVENTED).close(), heard(None).close(refused)
        assert make_verdict([passed], [" one ", "", "two"], "m").reason == "one\ntwo"
        assert make_verdict([passed], ["", " "], "m").reason == "the judge gave no reason"
        told = make_verdict([passed, faulty], ["because"], "m", submission=4)
        assert told.reason == f"a pass does not count, for {FALSE_QUOTE}; the judge said: because"
        assert (told.submission, told.judge_error) == (4, None)
        told = make_verdict([faulty, silent], ["one", "two"], None)
        assert told.reason == "the judge does not judge this result: it refused; the judge said: one; two"
        assert (told.model, told.judge_error) == (None, "judge_refused")

    @pytest.mark.parametrize(("count", "chars"), [(40, TEXT_MAX), (41, WORDS_MAX // 41), (100, WORDS_MAX // 100)])
    def test_words_of_many_criteria_share_the_room_of_a_record(self, count: int, chars: int) -> None:
        words = "word " * 400
        open_vote = OpenVote(Criterion(text="x"))
        open_vote.add_answer(said("fail", words, "y" * TEXT_MAX), Evidence(words))
        votes = [open_vote.close()._replace(verdict=open_vote.close().verdict.model_copy()) for _ in range(count)]
        for one in make_verdict(votes, ["because"], "m").criteria:
            assert len(one.comment) == chars
            (quote,) = one.evidence
            assert chars - len(" word ") <= len(quote) <= chars
            assert set(quote.split()) == {"word"}, "no word is cut"

    def test_what_holds_wherever_the_result_comes_again_may_be_reused(self) -> None:
        on_its_own, in_context = "max_words 5", "differs"
        policy = JudgePolicy(name="strict")
        loop = policy.model_copy(update={"loop": [LoopStep(), LoopStep(asks=0, check=in_context)]})
        plain = policy.model_copy(update={"loop": [LoopStep(asks=0, check=on_its_own)]})
        met = make_verdict([heard(PASS).close()], ["because"], "m")
        checked = {
            text: Verdict.of([judge_criterion(Criterion(text=text, kind="check"), Outcome.PASS, "")], "so")
            for text in (on_its_own, in_context)
        }
        unjudged = met.model_copy(update={"judge_error": "judge_refused"})
        assert is_reusable(met, "words")
        assert is_reusable(met, "words", plain)
        assert not is_reusable(met, "words", policy.model_copy(update={"task": ["feedback"]}))
        assert is_reusable(checked[on_its_own], "words", policy)
        assert not is_reusable(met, "")
        assert not is_reusable(unjudged, "words")
        assert not is_reusable(unjudged, "")
        assert not is_reusable(met, "words", loop)
        assert not is_reusable(checked[in_context], "words")

    @given(st.text(), st.text(), st.text(), st.text())
    def test_what_a_model_writes_can_be_stored(self, reason: str, comment: str, evidence: str, result: str) -> None:
        open_vote = OpenVote(Criterion(text="x"))
        open_vote.add_answer(said("fail", evidence, comment), Evidence(result))
        verdict = make_verdict([open_vote.close()], [reason], reason)
        assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
        assert "\\u0000" not in json.dumps(verdict.model_dump(mode="json"))

    def test_control_characters_surrogates_and_lengths_are_cut(self) -> None:
        noisy = "a\x00b\x1b[31mc\u202ed\ud800e\nf"
        verdict = make_verdict([heard(PASS).close()], [noisy + "x" * 5_000], "m\x00")
        assert verdict.reason.startswith("ab[31mcde\nfx")
        assert len(verdict.reason) <= TEXT_MAX
        assert verdict.model == "m"
