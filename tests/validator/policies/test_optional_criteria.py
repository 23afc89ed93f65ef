"""What is optional never decides, whatever a judge makes of it."""

import pytest
from stand_ins import FAIL, MEETS, PASS, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion

KIND = Criterion(text="It is kind", required=False)
CRITERIA = [MEETS[0], KIND, MEETS[1]]


def silent_on_kindness(said=PASS):
    """Answers about everything, but for whatever question that has the optional criterion in it."""
    return StandIn(lambda question, _: None if KIND in question.criteria else said, "a")


@pytest.mark.parametrize("asks", ["all", "each"])
@pytest.mark.parametrize(("said", "outcome", "is_valid"), [(PASS, "pcp", True), (FAIL, "fcf", False)])
async def test_nonsense_on_what_is_optional_leaves_the_rest_judged(asks, said, outcome, is_valid) -> None:
    own = silent_on_kindness(said)
    verdict = await judge(policy_of("single", "a", asks=asks), own, acceptance_criteria=CRITERIA)
    assert (letters(verdict), verdict.is_valid, verdict.judge_error) == (outcome, is_valid, None)
    assert not verdict.is_unproven


async def test_a_judge_that_is_broken_on_it_alone_ends_no_judgement() -> None:
    """Nobody is asked about a harmless result on its account."""
    own = silent_on_kindness()
    await judge(policy_of("single", "a"), own, acceptance_criteria=CRITERIA)
    assert "control" not in {"Two and two" in question.result and "control" for question in own.asked}


async def test_its_faults_are_not_the_reason_of_a_verdict() -> None:
    own = StandIn(lambda _, one: PASS._replace(evidence="Never said") if one == KIND else PASS, "a")
    verdict = await judge(policy_of("single", "a"), own, acceptance_criteria=CRITERIA)
    assert (letters(verdict), verdict.reason) == ("pcp", "as a sees it")


@pytest.mark.parametrize("kind", ["quorum", "cascade"])
async def test_nor_does_it_of_votes(kind: str) -> None:
    judges = silent_on_kindness(), StandIn(PASS, "b"), StandIn(PASS, "c")
    names = ("a", "b", "c") if kind == "quorum" else ("a", "b")
    verdict = await judge(policy_of(kind, *names), *judges, acceptance_criteria=CRITERIA)
    assert (verdict.is_valid, verdict.judge_error) == (True, None)


async def test_a_vote_that_never_comes_is_no_vote_against_the_agent() -> None:
    """One of three judges answers nonsense throughout, and the two others differ."""
    judges = StandIn(PASS, "a"), StandIn(FAIL, "b"), StandIn(None, "c")
    verdict = await judge(policy_of("quorum", "a", "b", "c"), *judges, acceptance_criteria=MEETS[:1])
    assert (letters(verdict), verdict.is_unproven) == ("c", True)
    judges = StandIn(FAIL, "a"), StandIn(FAIL, "b"), StandIn(None, "c")
    verdict = await judge(policy_of("quorum", "a", "b", "c"), *judges, acceptance_criteria=MEETS[:1])
    assert (letters(verdict), verdict.is_unproven) == ("f", False)
