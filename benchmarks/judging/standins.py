"""Stand-in judges of fixed error and abstention, and what each policy costs and lets through: shares exact, not drawn.

500 results, 300 of them bad, 260 of which break a required check. The strong judge is wrong on 10 % of the bad and of
the good ones; the cheap one, at a tenth of the price, on 20 % and 15 %, and calls 30 % unsure. How the errors of both
meet is not known of any real pair, so that three tables stand side by side.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

#: In tenths of what the strong judge takes for an ask.
CHEAP_PRICE: Final = 1
STRONG_PRICE: Final = 10


@dataclass(frozen=True)
class StandIn:
    """A result, and what each judge would say of it."""

    is_good: bool
    breaks_check: bool
    strong_is_wrong: bool
    cheap_is_wrong: bool
    cheap_is_unsure: bool

    @property
    def strong_accepts(self) -> bool:
        """Whether the strong judge passes it."""
        return self.is_good != self.strong_is_wrong

    @property
    def cheap_accepts(self) -> bool:
        """Whether the cheap judge passes it, sure or not."""
        return self.is_good != self.cheap_is_wrong


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


class Said(NamedTuple):
    """What a policy makes of one result."""

    accepted: bool
    cost: int


def judge_by_single(result: StandIn) -> Said:
    """Ask the strong judge."""
    return Said(result.strong_accepts, STRONG_PRICE)


def judge_by_cascade(result: StandIn) -> Said:
    """Ask the cheap judge, and the strong one where that is unsure."""
    if result.cheap_is_unsure:
        return Said(result.strong_accepts, CHEAP_PRICE + STRONG_PRICE)
    return Said(result.cheap_accepts, CHEAP_PRICE)


def check_first(judge: Callable[[StandIn], Said]) -> Callable[[StandIn], Said]:
    """Ask nobody where a required check fails."""
    return lambda result: Said(False, 0) if result.breaks_check else judge(result)


POLICIES: Final[dict[str, Callable[[StandIn], Said]]] = {
    "single": judge_by_single,
    "checks, single": check_first(judge_by_single),
    "cascade": judge_by_cascade,
    "checks, cascade": check_first(judge_by_cascade),
}


class Total(NamedTuple):
    """What a policy costs on all results, as a share of what `single` costs, and where it is wrong."""

    cost: float
    false_accepts: int
    false_rejects: int


def add_up(results: Sequence[StandIn], judge: Callable[[StandIn], Said]) -> Total:
    """Judge all results by a policy."""
    said = [(result, judge(result)) for result in results]
    return Total(
        sum(one.cost for _, one in said) / (STRONG_PRICE * len(results)),
        _count(one.accepted and not result.is_good for result, one in said),
        _count(result.is_good and not one.accepted for result, one in said),
    )


def _count(truths: Iterable[bool]) -> int:
    return sum(truths)


TABLES: Final = {
    "the cheap judge knows its doubt": make_results(KNOWS_ITS_DOUBT),
    "errors are independent of doubt": make_results(INDEPENDENT),
    "the strong judge errs where the cheap one does": make_results(KNOWS_ITS_DOUBT, strong_errs_with_cheap=True),
}
