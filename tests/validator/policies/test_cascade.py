"""A cascade: the strong judge is asked only about what the cheap one leaves open."""

import pytest
from stand_ins import BARE_FAIL, FAIL, INVENTED, INVENTED_FAIL, MEETS, PASS, UNSURE, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion
from validator.errors import JudgmentError

CASCADE = policy_of("cascade", "cheap", "strong")


@pytest.mark.parametrize(("said", "outcome"), [(PASS, "p"), (FAIL, "f"), (BARE_FAIL, "f")])
async def test_what_the_cheap_judge_is_sure_of_stands(said, outcome) -> None:
    own, cheap, strong = StandIn(UNSURE), StandIn(said, "cheap"), StandIn(UNSURE, "strong")
    verdict = await judge(CASCADE, own, cheap, strong)
    assert letters(verdict) == outcome * 3
    assert (len(cheap.asked), len(strong.asked)) == (1, 0)
    assert verdict.model == "cheap (prompt 3)"


@pytest.mark.parametrize("said", [UNSURE, INVENTED, INVENTED_FAIL, None])
@pytest.mark.parametrize(("strongly", "outcome"), [(PASS, "p"), (FAIL, "f"), (UNSURE, "c"), (INVENTED, "c")])
async def test_a_cheap_judge_that_doubts_lies_or_rambles_decides_nothing(said, strongly, outcome) -> None:
    cheap, strong = StandIn(said, "cheap"), StandIn(strongly, "strong")
    verdict = await judge(CASCADE, cheap, strong)
    assert letters(verdict) == outcome * 3
    assert len(cheap.asked) == 1
    assert [ask.role for ask in verdict.stages[0].asks][:2] == ["cheap", "strong"]


async def test_the_strong_judge_is_asked_about_those_criteria_alone() -> None:
    cheap = StandIn(lambda _, criterion: UNSURE if criterion == MEETS[1] else PASS, "cheap")
    strong = StandIn(FAIL, "strong")
    verdict = await judge(CASCADE, cheap, strong)
    assert letters(verdict) == "pfp"
    assert [list(question.criteria) for question in strong.asked] == [[MEETS[1]]]
    assert [ask.outcomes for ask in verdict.stages[0].asks] == ["pcp", "-f-"]
    assert verdict.reason.startswith("as strong sees it")


async def test_whoever_decided_says_why() -> None:
    check = Criterion(text="max_words 3", kind="check")
    policy = CASCADE.model_copy(update={"judge_after_checks": True})
    cheap, strong = StandIn(lambda _, one: UNSURE if one == MEETS[1] else PASS, "cheap"), StandIn(PASS, "strong")
    verdict = await judge(policy, cheap, strong, acceptance_criteria=[*MEETS, check])
    failed = f"max_words 3: {verdict.criteria[3].comment}"
    assert verdict.reason == f"{failed}\nas strong sees it\nas cheap sees it"
    verdict = await judge(CASCADE, StandIn(UNSURE, "cheap"), strong)
    assert verdict.reason == "as strong sees it"


async def test_a_strong_judge_that_answers_nothing_sound_is_a_failure() -> None:
    with pytest.raises(JudgmentError):
        await judge(CASCADE, StandIn(UNSURE, "cheap"), StandIn(None, "strong"))
