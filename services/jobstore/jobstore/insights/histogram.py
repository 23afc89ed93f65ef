"""Lengths of time, counted by their size: parts of a sum that any number of them make, and percentiles of it."""

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, log
from typing import Final

#: The first part holds up to so many seconds, each other one up to so many times the one before.
FIRST_S: Final = 0.01
FACTOR: Final = 1.5
#: The last part ends beyond a month.
PARTS: Final = 50


def part_of(seconds: float) -> int:
    """The part that a length is counted in."""
    if seconds <= FIRST_S:
        return 0
    return min(PARTS - 1, ceil(log(seconds / FIRST_S, FACTOR)))


def added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The sum of two; parts at the end that are 0 may be left out."""
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The length below which this share of all lies, in seconds, as if a part held them evenly; None of none."""
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
