"""A quorum: a majority of all votes passes, and nothing less does."""

import asyncio
from decimal import Decimal

import pytest
from stand_ins import (
    BARE_FAIL,
    FAIL,
    INVENTED,
    LOOP,
    MEETS,
    PASS,
    TRUE,
    UNSURE,
    StandIn,
    is_harmless,
    judge,
    letters,
    policy_of,
)

from contracts.judging.policy import JudgeModel
from contracts.spending import Budget
from validator.errors import BudgetExhaustedError, JudgeUnavailableError, JudgmentError
from validator.judging import BudgetedJudge, JudgingBudget, validate_agent_response
from validator.ports import Reply
from validator.prompt import PLAIN, Question

THREE = policy_of("quorum", "a", "b", "c")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([PASS, PASS, PASS], "p"),
        ([PASS, PASS, FAIL], "p"),
        ([PASS, FAIL, FAIL], "f"),
        ([PASS, PASS, UNSURE], "p"),
        ([PASS, FAIL, UNSURE], "c"),
        ([PASS, UNSURE, UNSURE], "c"),
        ([PASS, PASS, INVENTED], "p"),
        ([PASS, INVENTED, INVENTED], "c"),
        ([INVENTED, INVENTED, INVENTED], "c"),
        ([BARE_FAIL, BARE_FAIL, PASS], "f"),
    ],
)
async def test_the_majority_decides_and_a_pass_that_does_not_count_is_none(said, outcome) -> None:
    judges = [StandIn(one, name) for one, name in zip(said, "abc", strict=True)]
    verdict = await judge(THREE, *judges)
    assert letters(verdict) == outcome * 3
    assert verdict.is_valid == (outcome == "p")
    assert {tuple(one.evidence) for one in verdict.criteria} == (
        {(TRUE,)} if outcome == "p" else {tuple(one.evidence) for one in verdict.criteria}
    )
    assert {one.by for one in verdict.criteria} == {"quorum"}


async def test_a_tie_is_no_pass() -> None:
    verdict = await judge(policy_of("quorum", "a", "b"), StandIn(PASS, "a"), StandIn(FAIL, "b"))
    assert letters(verdict) == "ccc"
    assert verdict.judge_error is None
    assert "1 of 2 votes pass, 1 fail" in verdict.criteria[0].comment


async def test_each_criterion_has_its_own_majority() -> None:
    def rule_of(number: int):
        return lambda _, criterion: FAIL if criterion == MEETS[number] else PASS

    verdict = await judge(THREE, *(StandIn(rule_of(number), name) for number, name in enumerate("abc")))
    assert letters(verdict) == "ppp"
    assert sorted(ask.outcomes for ask in verdict.stages[0].asks) == ["fpp", "pfp", "ppf"]
    assert [(ask.model, ask.role, ask.vote) for ask in verdict.stages[0].asks] == [
        ("a", "vote", 1),
        ("b", "vote", 2),
        ("c", "vote", 3),
    ]
    assert verdict.model == "a, b, c (prompt 3)"


async def test_votes_of_one_model_come_in_other_orders_and_words() -> None:
    own = StandIn(PASS)
    assert (await judge(policy_of("quorum", votes=9), own)).is_valid
    questions = {one.request.partition("\n")[2] for one in own.asked}
    assert len({one.instructions for one in own.asked}) == 1
    assert (len(own.asked), len(questions)) == (9, 9)


async def test_whoever_votes_with_the_majority_says_why() -> None:
    verdict = await judge(THREE, StandIn(FAIL, "a"), StandIn(PASS, "b"), StandIn(PASS, "c"))
    assert verdict.reason == "as b sees it"


async def test_each_model_has_its_own_plain_vote() -> None:
    judges = [StandIn(PASS, name) for name in "ab"]
    await judge(policy_of("quorum", "a", "b", votes=3), *judges)
    assert [[question.manner == PLAIN for question in one.asked] for one in judges] == [[True, False], [True]]


async def test_a_judge_that_answers_nothing_sound_has_no_vote_and_stops_nobody() -> None:
    broken = StandIn(None, "c")
    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(PASS, "b"), broken)
    assert verdict.is_valid
    assert verdict.judge_error is None
    asks_of_it = [ask for ask in verdict.stages[0].asks if ask.model == "c"]
    assert [(ask.outcomes, ask.vote) for ask in asks_of_it] == [(None, 3)] * 5
    # Two votes that differ are no majority of three, and it is not the result's fault.
    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(FAIL, "b"), broken)
    assert letters(verdict) == "ccc"


@pytest.mark.parametrize("names", ["abc", "bc"])
async def test_half_of_the_judges_broken_decide_nothing(names) -> None:
    working, *broken = names
    with pytest.raises(JudgmentError) as error:
        await judge(policy_of("quorum", *names), StandIn(FAIL, working), *(StandIn(None, name) for name in broken))
    assert error.value.code == "judge_refused"


async def test_a_result_that_silences_most_judges_is_not_assessed_and_marked() -> None:
    def silenced(question: Question, _):
        return PASS if is_harmless(question) else None

    verdict = await judge(THREE, StandIn(PASS, "a"), StandIn(silenced, "b"), StandIn(silenced, "c"))
    assert (letters(verdict), verdict.judge_error) == ("ccc", "judge_refused")


async def test_a_judge_that_is_away_delays_and_never_decides() -> None:
    class Away:
        name = "c"

        async def ask(self, _: Question) -> Reply:
            raise JudgeUnavailableError("away", code="judge_unreachable")

    with pytest.raises(JudgeUnavailableError):
        await judge(THREE, StandIn(PASS, "a"), StandIn(PASS, "b"), Away())


async def test_where_one_vote_fails_by_a_bug_the_others_are_stopped() -> None:
    stopped = []

    class Slow:
        name = "b"

        async def ask(self, question: Question) -> Reply:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(question)
            raise AssertionError

    def fail(_, __):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await judge(THREE, StandIn(fail, "a"), Slow(), StandIn(PASS, "c"))
    assert len(stopped) == 1


async def test_all_votes_are_within_one_budget_and_each_says_its_cost() -> None:
    budget = JudgingBudget(Budget(nanos=50_000_000))
    models = {name: JudgeModel(model=name, input_usd=100.0, output_usd=200.0) for name in "ab"}
    judges = {name: StandIn(PASS, name) for name in "ab"}
    policy = policy_of("quorum", "a", "b").model_copy(update={"loop": LOOP})

    def judge_of(model: JudgeModel | None) -> BudgetedJudge:
        return BudgetedJudge(judges[model.model], budget, models[model.model])

    terms = {"result": {"text": TRUE}, "acceptance_criteria": MEETS, "policy": policy, "judge_of": judge_of}
    verdict = await validate_agent_response(**terms)
    assert [ask.cost_usd for ask in verdict.stages[0].asks] == [Decimal("0.012")] * 2
    assert budget.usage.cost_usd == Decimal("0.024")
    await validate_agent_response(**terms)
    with pytest.raises(BudgetExhaustedError):
        await validate_agent_response(**terms, submission=2)
