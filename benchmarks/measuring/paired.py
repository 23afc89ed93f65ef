"""Compare two variants that were measured in turn, by the ratio of each pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median, quantiles

#: So many standard deviations on both sides hold 95 % of a normal distribution.
_DEVIATIONS = 1.96


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of pairs, and the interval in which it lies with 95 % certainty."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return it as tables have it."""
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"

    def judge(self, most: float) -> str:
        """Return whether the ratio is at most `most`: where that lies within the interval, it is not known."""
        return "holds" if self.high <= most else "fails" if self.low > most else "open"


def compare_pairs(before: Sequence[float], after: Sequence[float]) -> Ratio:
    """Return how many times as large the second of each pair is.

    The bounds of the interval are two of the ratios, by their ranks: whatever their distribution is, and however slow
    some rounds were for both.
    """
    ratios = sorted(second / first for first, second in zip(before, after, strict=True))
    middle, reach = len(ratios) / 2, _DEVIATIONS * sqrt(len(ratios)) / 2
    low, high = round(middle - reach) - 1, round(middle + reach)
    return Ratio(median(ratios), ratios[max(0, low)], ratios[min(high, len(ratios) - 1)])


def describe_times(times: Sequence[float]) -> str:
    """Return the median and the 95th percentile of times in ms."""
    return f"{median(times):.1f} / {find_p95(times):.1f}"


def find_p95(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return quantiles(times, n=20, method="inclusive")[-1]
