"""Spans of time, and how many lie over one another."""

from collections.abc import Iterable
from heapq import heappop, heappush


def most_at_once(spans: Iterable[tuple[float, float]]) -> tuple[int, float]:
    """The most that go on at once, and when that begins."""
    ends: list[float] = []
    most, most_at = 0, 0.0
    for since, until in sorted(spans):
        while ends and ends[0] <= since:
            heappop(ends)
        heappush(ends, until)
        if len(ends) > most:
            most, most_at = len(ends), since
    return most, most_at
