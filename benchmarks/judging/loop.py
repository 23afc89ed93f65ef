"""Simulate what a loop of submissions accepts, on real votes: each submission is a case taken at random.

Nothing is drawn: shares of cases are multiplied. A real agent's second try resembles its first, so that these are
bounds of a kind, and no forecasts.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from judging.votes import GIVEN, SWAPPED, Ask, Votes

#: After how many submissions it is looked.
SUBMISSIONS: Final = (1, 3, 10)


class Judging(NamedTuple):
    """How one submission is judged: the share of cases that pass, and the asks that it takes on average."""

    accepted: float
    asks: float


class Outcome(NamedTuple):
    """How loops stand after some submissions, as shares of all, and the asks that each took on average."""

    reported: float
    true: float
    asks: float


def list_further_asks(judge: str, other: str) -> dict[str, list[Ask]]:
    """Return by name what a pass needs besides from submission 2 on, plain retrying first."""
    order, family = Ask(judge, SWAPPED), Ask(other, GIVEN)
    return {
        "plain retrying": [],
        "one further ask, other order": [order],
        "one further ask, another family": [family],
        "one further ask, another family in the swapped order": [Ask(other, SWAPPED)],
        "two further asks, other order and another family": [order, family],
    }


def judge_submission(votes: Votes, asks: Sequence[Ask], *, good: bool) -> Judging:
    """Return what becomes of a submission that is good or bad work: each ask is made where all before it accepted."""
    standing, made = [True] * len(votes), 0
    for ask in asks:
        made += sum(standing)
        accepts = votes.list_accepts(ask, good=good)
        standing = [stood and accepted for stood, accepted in zip(standing, accepts, strict=True)]
    return Judging(sum(standing) / len(votes), made / len(votes))


def run_loop(votes: Votes, first: Ask, further: Sequence[Ask], good: float) -> list[Outcome]:
    """Return how loops stand after SUBMISSIONS, in each of which the work is good with the same probability.

    A loop ends at the first acceptance. Reported is what was accepted, true what was accepted and is good.
    """
    outcomes = []
    going, true, asks = 1.0, 0.0, 0.0
    for submission in range(1, max(SUBMISSIONS) + 1):
        order = [first, *(further if submission > 1 else ())]
        right, wrong = (judge_submission(votes, order, good=is_good) for is_good in (True, False))
        asks += going * (good * right.asks + (1 - good) * wrong.asks)
        true += going * good * right.accepted
        going *= 1 - (good * right.accepted + (1 - good) * wrong.accepted)
        if submission in SUBMISSIONS:
            outcomes.append(Outcome(1 - going, true, asks))
    return outcomes


def find_inflation(outcomes: Sequence[Outcome]) -> float:
    """Return how much more is reported as accepted after all submissions than after the first."""
    return outcomes[-1].reported - outcomes[0].reported
