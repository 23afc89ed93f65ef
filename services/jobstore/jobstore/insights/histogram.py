"""Count durations in parts (buckets) whose bounds grow by a factor, add such counts, and estimate percentiles. Pure."""

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
    """Return the index of the part in which a duration is counted."""
    if seconds <= FIRST_S:
        return 0
    return min(PARTS - 1, ceil(log(seconds / FIRST_S, FACTOR)))


def add(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Return the sum of two histograms; either may lack parts at its end that are 0."""
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def estimate_percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the duration in seconds below which a share of all durations lies, assuming that parts are evenly filled.

    `share` is between 0 and 1. None: the histogram is empty.
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
