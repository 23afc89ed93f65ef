"""Count durations in parts whose bounds grow by a factor, add such counts, and estimate percentiles. Pure."""

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, log
from typing import Final

#: The upper bound of the first part, in seconds; that of each other part is FACTOR times the one before.
FIRST_S: Final = 0.01
FACTOR: Final = 1.5
#: The number of parts; the last one ends beyond a month.
PARTS: Final = 50


def get_part(seconds: float) -> int:
    """Return the index of the part that a duration is counted in."""
    if seconds <= FIRST_S:
        return 0
    return min(PARTS - 1, ceil(log(seconds / FIRST_S, FACTOR)))


def add(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Add two histograms up; parts at the end that are 0 may be left out."""
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def estimate_percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the duration in seconds below which a share of all durations lies, assuming that parts are evenly filled.

    None: the histogram is empty.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, passed = share * total, 0
    for part, count in enumerate(counts):
        if count and passed + count >= wanted:
            begin = FIRST_S * FACTOR ** (part - 1) if part else 0.0
            end = FIRST_S * FACTOR**part
            return begin + (end - begin) * (wanted - passed) / count
        passed += count
    raise AssertionError
