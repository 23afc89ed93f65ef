"""Stand-in judges of fixed error and abstention, and what each policy costs and lets through: shares exact, not drawn.

500 results, 300 of them bad, 260 of which break a required check. The strong judge is wrong on 10 % of the bad and of
the good ones; the cheap one, at a tenth of the price, on 20 % and 15 %, and calls 30 % unsure. How the errors of both
meet is not known of any real pair, so that three tables stand side by side.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from judging.engine import POLICIES, STRONG_PRICE, StandIn, judge


class Cell(NamedTuple):
    """Results alike in what meets: how many there are, and on how many of them each judge is wrong."""

    count: int
    breaks_check: bool
    cheap_is_unsure: bool
    cheap_wrong: int


#: Nine in ten of the cheap judge's wrong answers are among those that it calls unsure: 54 of 60, and 27 of 30.
KNOWS_ITS_DOUBT: Final = {
    False: [
        Cell(28, breaks_check=False, cheap_is_unsure=False, cheap_wrong=1),
        Cell(12, breaks_check=False, cheap_is_unsure=True, cheap_wrong=7),
        Cell(78, breaks_check=True, cheap_is_unsure=True, cheap_wrong=47),
        Cell(182, breaks_check=True, cheap_is_unsure=False, cheap_wrong=5),
    ],
    True: [
        Cell(60, breaks_check=False, cheap_is_unsure=True, cheap_wrong=27),
        Cell(140, breaks_check=False, cheap_is_unsure=False, cheap_wrong=3),
    ],
}
#: It is as often wrong where it is sure: 18 of 60 are among the unsure, and 9 of 30.
INDEPENDENT: Final = {
    False: [
        Cell(28, breaks_check=False, cheap_is_unsure=False, cheap_wrong=6),
        Cell(12, breaks_check=False, cheap_is_unsure=True, cheap_wrong=2),
        Cell(78, breaks_check=True, cheap_is_unsure=True, cheap_wrong=16),
        Cell(182, breaks_check=True, cheap_is_unsure=False, cheap_wrong=36),
    ],
    True: [
        Cell(60, breaks_check=False, cheap_is_unsure=True, cheap_wrong=9),
        Cell(140, breaks_check=False, cheap_is_unsure=False, cheap_wrong=21),
    ],
}


def make_results(cells: dict[bool, list[Cell]], *, strong_errs_with_cheap: bool = False) -> list[StandIn]:
    """Return the 500 results.

    The strong judge is wrong on each tenth, so that of any ten neighbours it gets one wrong; or else, as often, only
    where the cheap one is wrong, first where that one is unsure.
    """
    results: list[StandIn] = []
    for is_good, some in cells.items():
        own = [
            StandIn(is_good, cell.breaks_check, False, place < cell.cheap_wrong, cell.cheap_is_unsure)
            for cell in some
            for place in range(cell.count)
        ]
        ranked = sorted(range(len(own)), key=lambda at: (not own[at].cheap_is_wrong, not own[at].cheap_is_unsure))
        wrong = set(ranked[: len(own) // 10] if strong_errs_with_cheap else range(9, len(own), 10))
        results += [
            StandIn(one.is_good, one.breaks_check, at in wrong, one.cheap_is_wrong, one.cheap_is_unsure)
            for at, one in enumerate(own)
        ]
    return results


class Total(NamedTuple):
    """What a policy costs on all results, as a share of what `single` costs, and where it is wrong."""

    cost: float
    false_accepts: int
    false_rejects: int


def add_up(results: Sequence[StandIn], policy: str) -> Total:
    """Judge all results by a policy: those that are alike once, by the validator's own code."""
    said = {one: judge(one, POLICIES[policy]) for one in set(results)}
    return Total(
        sum(said[one].cost for one in results) / (STRONG_PRICE * len(results)),
        sum(said[one].accepted and not one.is_good for one in results),
        sum(one.is_good and not said[one].accepted for one in results),
    )


TABLES: Final = {
    "the cheap judge knows its doubt": make_results(KNOWS_ITS_DOUBT),
    "errors are independent of doubt": make_results(INDEPENDENT),
    "the strong judge errs where the cheap one does": make_results(KNOWS_ITS_DOUBT, strong_errs_with_cheap=True),
}
