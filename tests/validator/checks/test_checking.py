"""Checks before the judge: it is not asked where one fails."""

from collections.abc import Sequence
from typing import Any

import pytest
from counting_judge import WORDS, judge

from contracts.checks import Finding
from contracts.criteria import Criterion
from contracts.events import hash_result
from contracts.judging.policy import JudgePolicy, Stage
from signoff.jsontext import json_text
from signoff.status import Outcome
from validator.errors import JudgmentError
from validator.ports import Subject
from validator.verdict import is_reusable


async def test_a_failed_check_asks_no_judge_and_says_what_was_found() -> None:
    verdict, stand_in = await judge("It is about the sea\ncheck: max_words 5\noptional: check: min_chars 100")
    assert stand_in.asked == []
    assert not verdict.is_valid
    assert [one.outcome for one in verdict.criteria] == [Outcome.CANNOT_ASSESS, Outcome.FAIL, Outcome.FAIL]
    assert verdict.criteria[0].comment == "no judge was asked, since a required check did not pass"
    assert verdict.criteria[0].evidence == []
    assert (verdict.criteria[1].evidence, verdict.criteria[1].comment) == (
        ["7 words"],
        "it has 7 words; at most 5 are allowed",
    )
    assert verdict.reason == "max_words 5: it has 7 words; at most 5 are allowed"
    assert verdict.model is None
    assert [(stage.kind, stage.outcomes) for stage in verdict.stages or ()] == [("checks", "-ff")]


@pytest.mark.parametrize("votes", [None, 2])
async def test_a_policy_may_ask_the_judge_all_the_same(votes: int | None) -> None:
    stages = [Stage(kind="checks"), Stage(kind="single" if votes is None else "quorum", votes=votes)]
    policy = JudgePolicy(name="p", judge_after_checks=True, stages=stages)
    verdict, stand_in = await judge("It is about the sea\ncheck: max_words 5", policy=policy)
    assert len(stand_in.asked) == (votes or 1)
    assert verdict.reason == "max_words 5: it has 7 words; at most 5 are allowed\nit is as asked"
    assert [one.outcome for one in verdict.criteria] == [Outcome.PASS, Outcome.FAIL]
    assert not verdict.is_valid


async def test_what_is_no_check_is_judged_where_the_checks_are_met() -> None:
    verdict, stand_in = await judge('check: contains "sea"\nIt is about the sea\noptional: check: max_words 5')
    assert verdict.is_valid
    assert [one.outcome for one in verdict.criteria] == [Outcome.PASS, Outcome.PASS, Outcome.FAIL]
    (asked,) = stand_in.asked
    assert verdict.stages is not None
    assert 0 <= (verdict.stages[1].asks[0].latency_s or 0) < 60
    assert "It is about the sea" in asked
    assert "contains" not in asked.partition("The rules again")[0]
    assert [stage.outcomes for stage in verdict.stages or () if stage.kind == "checks"] == ["p-f"]


async def test_a_job_of_checks_alone_asks_nobody_and_can_be_met() -> None:
    verdict, stand_in = await judge('check: contains "sea"\ncheck: max_words 9')
    assert verdict.is_valid
    assert stand_in.asked == []
    assert all(one.evidence for one in verdict.criteria)
    assert verdict.model is None
    assert verdict.reason == "every required check is met"


@pytest.mark.parametrize("result", [None, "", " \n", {}, {"a": [""]}])
async def test_an_empty_result_meets_no_check(result: Any) -> None:
    criteria = "check: max_words 5\ncheck: json_path $.error absent"
    verdict, _ = await judge(criteria, result)
    assert not verdict.is_valid
    verdict, _ = await judge(criteria, result, judge_empty=True)
    assert verdict.is_valid


async def test_checks_are_made_where_the_caller_has_them_made() -> None:
    async def run_checks(texts: Sequence[str], _: Subject) -> list[Finding]:
        return [Finding(Outcome.PASS, "found", f"{text} elsewhere") for text in texts]

    verdict, _ = await judge("check: max_words 1", run_checks=run_checks)
    assert verdict.criteria[0].comment == "max_words 1 elsewhere"


async def test_a_check_that_cannot_be_read_is_never_met() -> None:
    stored = [Criterion(text="It rhymes", kind="check"), Criterion(text="max_words 0", kind="check")]
    verdict, _ = await judge(stored)
    assert [one.outcome for one in verdict.criteria] == [Outcome.CANNOT_ASSESS] * 2


async def test_the_context_says_what_came_before() -> None:
    criteria = 'check: differs\ncheck: cel result.startsWith("The") && payload.about == "sea" && submission == 2'
    payload = {"about": "sea"}
    same, other = hash_result(json_text(WORDS)), hash_result(json_text("another"))
    for known, outcomes in [
        ({"payload": payload, "submission": 2, "previous_result_hash": other}, "pp"),
        ({"payload": payload, "submission": 2, "previous_result_hash": same}, "fp"),
        ({"payload": payload, "submission": 2}, "cp"),
        ({"payload": payload, "submission": 1}, "pf"),
        ({"payload": {"about": "x"}, "submission": 2, "previous_result_hash": other}, "pf"),
        ({"submission": 2}, "cf"),
    ]:
        verdict, _ = await judge(criteria, **known)
        assert [stage.outcomes for stage in verdict.stages or ()] == [outcomes], known
        assert not is_reusable(verdict, WORDS)
        assert not is_reusable(verdict, WORDS, JudgePolicy(name="p", stages=[Stage(kind="single")]))


async def test_what_looks_at_the_result_alone_may_be_reused() -> None:
    verdict, _ = await judge("check: max_words 5")
    assert is_reusable(verdict, WORDS)


async def test_a_result_that_cannot_be_written_is_told() -> None:
    with pytest.raises(JudgmentError) as error:
        await judge("check: max_words 5", {"a": object()})
    assert error.value.code == "result_not_json"
