"""A pass rests on passages of the result: they are shown to another judge alone, and must show what passed."""

from collections.abc import Callable

import pytest
from stand_ins import FAIL, MEETS, PASS, RESULT, TRUE, UNSURE, Said, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, LoopStep
from validator.prompt import Question

OTHER = "It stays open for everybody"
CONFIRM = LoopStep(confirm=True, judge=JudgeModel(model="b"))
CONFIRMED = policy_of("single", "a", loop=[CONFIRM, LoopStep(asks=0)])
ONE = {"acceptance_criteria": MEETS[:1]}


def finding(*wanted: str) -> Callable[[Question, Criterion], Said]:
    """Confirms what is shown beside one of these words."""
    return lambda question, _: PASS if any(words in question.result for words in wanted) else FAIL


def answering(*said: Said) -> StandIn:
    """A judge that says one thing after the other, and the last one for ever."""
    left = list(said)
    return StandIn(lambda *_: left.pop(0) if len(left) > 1 else left[0], "a")


async def test_a_pass_whose_passages_show_it_stands() -> None:
    first, other = StandIn(PASS, "a"), StandIn(PASS, "b")
    verdict = await judge(CONFIRMED, first, other)
    assert (verdict.is_valid, len(first.asked), len(other.asked)) == (True, 1, 3)
    assert [stage.kind for stage in verdict.stages] == ["single", "confirm"]
    assert {ask.role for ask in verdict.stages[1].asks} == {"confirm"}
    assert {one.by for one in verdict.criteria} == {"single"}


async def test_the_other_judge_is_shown_the_criterion_the_task_and_the_passages_alone() -> None:
    first, other = StandIn(PASS, "a"), StandIn(PASS, "b")
    await judge(CONFIRMED, first, other, **ONE, task='{"title": "Bridges"}', references={1: "40 tonnes"})
    (question,) = other.asked
    assert (list(question.criteria), question.manner.confirms) == (MEETS[:1], True)
    assert f"{TRUE}." in question.result
    assert OTHER not in question.result
    assert "Bridges" in question.task
    assert "40 tonnes" in question.request


async def test_what_is_not_confirmed_is_asked_again_and_the_judge_is_told_what_was_found_wanting() -> None:
    first, other = answering(PASS, Said("pass", OTHER)), StandIn(finding("stays open"), "b")
    verdict = await judge(CONFIRMED, first, other, **ONE)
    assert (verdict.is_valid, len(first.asked), len(other.asked)) == (True, 2, 2)
    assert "b says so" in first.asked[1].request
    assert verdict.criteria[0].evidence == [OTHER]


async def test_the_same_passages_are_never_shown_again_and_leave_the_criterion_unproven() -> None:
    first, other = StandIn(PASS, "a"), StandIn(FAIL, "b")
    verdict = await judge(CONFIRMED, first, other, **ONE)
    assert (letters(verdict), len(first.asked), len(other.asked)) == ("c", 2, 1)
    assert verdict.is_unproven
    assert verdict.criteria[0].comment.startswith("what was quoted was not confirmed: b says so")


async def test_new_passages_are_confirmed_once_more_and_then_no_more() -> None:
    first, other = answering(PASS, Said("pass", OTHER)), StandIn(UNSURE, "b")
    verdict = await judge(CONFIRMED, first, other, **ONE)
    assert (letters(verdict), verdict.is_unproven, len(first.asked), len(other.asked)) == ("c", True, 2, 2)


@pytest.mark.parametrize("said", [FAIL, UNSURE])
async def test_a_judge_that_takes_its_pass_back_is_believed(said: Said) -> None:
    verdict = await judge(CONFIRMED, answering(PASS, said), StandIn(FAIL, "b"), **ONE)
    assert (letters(verdict), verdict.is_unproven) == ("f" if said is FAIL else "c", False)


async def test_a_confirmer_that_answers_nonsense_proves_nothing_and_decides_against_nobody() -> None:
    verdict = await judge(CONFIRMED, StandIn(PASS, "a"), StandIn(None, "b"), **ONE)
    assert (letters(verdict), verdict.is_unproven, verdict.judge_error) == ("c", True, None)
    assert "nobody could confirm it: nonsense" in verdict.criteria[0].comment


@pytest.mark.parametrize("said", [FAIL, UNSURE])
async def test_where_something_fails_anyway_nothing_is_confirmed(said: Said) -> None:
    own = StandIn(lambda _, criterion: said if criterion == MEETS[0] else PASS, "a")
    other = StandIn(FAIL, "b")
    assert letters(await judge(CONFIRMED, own, other))[1:] == "pp"
    assert other.asked == []


async def test_what_never_decides_or_rests_on_no_passage_is_not_confirmed() -> None:
    criteria = [MEETS[0], Criterion(text="It is kind", required=False), Criterion(text="It lies", kind="never")]
    own, other = StandIn(PASS, "a"), StandIn(PASS, "b")
    assert (await judge(CONFIRMED, own, other, acceptance_criteria=criteria)).is_valid
    assert [list(question.criteria) for question in other.asked] == [criteria[:1]]


@pytest.mark.parametrize("kind", ["quorum", "cascade"])
async def test_passes_of_votes_and_cascades_are_confirmed_too(kind: str) -> None:
    policy = policy_of(kind, "a", "c", loop=[CONFIRM, LoopStep(asks=0)])
    judges = StandIn(PASS, "a"), StandIn(FAIL, "b"), StandIn(PASS, "c")
    verdict = await judge(policy, *judges, **ONE)
    assert (letters(verdict), verdict.is_unproven, len(judges[1].asked)) == ("c", True, 1)
    assert judges[2].asked[-1].count == 1


async def test_the_refuter_follows_from_the_second_submission_on_after_the_confirmation() -> None:
    policy = policy_of("single", "a", loop=[CONFIRM])
    for submission, kinds in ((1, ["single", "confirm"]), (2, ["single", "confirm", "refute"])):
        verdict = await judge(policy, StandIn(PASS, "a"), StandIn(PASS, "b"), **ONE, submission=submission)
        assert [stage.kind for stage in verdict.stages] == kinds


async def test_a_step_without_a_model_asks_the_judge_itself() -> None:
    policy = policy_of("single", "a", loop=[LoopStep(confirm=True), LoopStep(asks=0)])
    own = StandIn(PASS, "a")
    assert (await judge(policy, own, **ONE, result=RESULT)).is_valid
    assert [question.manner.confirms for question in own.asked] == [False, True]


async def test_each_step_that_confirms_asks_a_judge_of_its_own() -> None:
    second = LoopStep(confirm=True, judge=JudgeModel(model="c"), from_submission=2)
    policy = policy_of("single", "a", loop=[CONFIRM, second, LoopStep(asks=0)])
    for submission, is_valid in ((1, True), (2, False)):
        judges = StandIn(PASS, "a"), StandIn(PASS, "b"), StandIn(FAIL, "c")
        verdict = await judge(policy, *judges, **ONE, submission=submission)
        assert (verdict.is_valid, verdict.is_unproven) == (is_valid, not is_valid)
        assert (len(judges[1].asked), len(judges[2].asked)) == (1, submission - 1)
