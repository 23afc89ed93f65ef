"""Compute how good judges are from labels: plain arithmetic, exact where it can be.

A positive is a result that is good, or a criterion that is met. What a judge cannot assess is no pass.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

#: Standard deviations on either side of the mean that hold 95 % of a normal distribution.
Z_95: Final = 1.959963984540054


class Interval(NamedTuple):
    """A share and its 95 % interval; each is None where nothing was counted."""

    share: float | None
    low: float | None
    high: float | None


def wilson(count: int, total: int) -> Interval:
    """Return a share with its 95 % score interval (Wilson, 1927), which holds near 0 and 1, too."""
    if not 0 <= count <= total:
        msg = f"{count} of {total} is no share"
        raise ValueError(msg)
    if not total:
        return Interval(None, None, None)
    share, square = count / total, Z_95 * Z_95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return Interval(share, middle - half if count else 0.0, middle + half if count < total else 1.0)


@dataclass
class Confusion:
    """What was said against what is so, counted."""

    true_accepts: int = 0
    false_accepts: int = 0
    true_rejects: int = 0
    false_rejects: int = 0
    unsure: int = 0  # of the rejects: what the judge could not assess

    def add(self, *, label: bool, passed: bool, unsure: bool = False) -> None:
        """Count one judgement."""
        if passed:
            self.true_accepts, self.false_accepts = self.true_accepts + label, self.false_accepts + (not label)
        else:
            self.true_rejects, self.false_rejects = self.true_rejects + (not label), self.false_rejects + label
            self.unsure += unsure

    @property
    def positives(self) -> int:
        """How many are labelled good."""
        return self.true_accepts + self.false_rejects

    @property
    def negatives(self) -> int:
        """How many are labelled bad."""
        return self.true_rejects + self.false_accepts

    @property
    def total(self) -> int:
        """How many were counted."""
        return self.positives + self.negatives

    @property
    def agreement(self) -> Interval:
        """The share judged as labelled."""
        return wilson(self.true_accepts + self.true_rejects, self.total)

    @property
    def true_positive_rate(self) -> Interval:
        """The share of good ones that pass."""
        return wilson(self.true_accepts, self.positives)

    @property
    def true_negative_rate(self) -> Interval:
        """The share of bad ones that do not."""
        return wilson(self.true_rejects, self.negatives)

    @property
    def false_accept_rate(self) -> Interval:
        """The share of bad ones that pass."""
        return wilson(self.false_accepts, self.negatives)

    @property
    def false_reject_rate(self) -> Interval:
        """The share of good ones that do not."""
        return wilson(self.false_rejects, self.positives)

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance (Cohen, 1960); None where all have one label and got it: then there is no chance."""
        if not self.total:
            return None
        passed = self.true_accepts + self.false_accepts
        by_chance = self.positives * passed + self.negatives * (self.total - passed)
        squared = self.total * self.total
        if by_chance == squared:
            return None
        agreed = (self.true_accepts + self.true_rejects) * self.total
        return (agreed - by_chance) / (squared - by_chance)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: how likely one of two is right so much more often, by chance.

    Only cases count which one of the two judged rightly and the other did not.
    """
    if min(only_first, only_second) < 0:
        msg = "counts are not negative"
        raise ValueError(msg)
    total, least = only_first + only_second, min(only_first, only_second)
    tail, term = 0, 1
    for k in range(least + 1):
        tail += term
        term = term * (total - k) // (k + 1)
    return min(1.0, float(2 * tail / (1 << total)))


def correlate(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Return the correlation of two rows of errors (phi); None where one of them is all right or all wrong."""
    n = len(first)
    a, b = sum(first), sum(second)
    both = sum(x and y for x, y in zip(first, second, strict=True))
    variances = a * (n - a) * b * (n - b)
    return (n * both - a * b) / math.sqrt(variances) if variances else None


def effective_votes(votes: int, correlation: float) -> float | None:
    """Return how many independent votes as many correlated ones are worth: n / (1 + (n - 1) r).

    None where they are so opposed that the formula says nothing.
    """
    divisor = 1 + (votes - 1) * correlation
    return votes / divisor if divisor > 0 else None


@dataclass(frozen=True)
class Panel:
    """What votes on the same labelled cases are worth together."""

    votes: int
    cases: int
    wrong: tuple[int, ...]  # by vote
    majority_wrong: int  # more than half of the votes are, or half of them on what is labelled good
    correlation: float | None  # the mean of all pairs; None where no pair errs
    effective: float | None

    @property
    def adds_nothing(self) -> bool:
        """Whether the best vote alone is wrong no more often than the majority."""
        return self.majority_wrong >= min(self.wrong)


def judge_panel(errors: Sequence[Sequence[int]], labels: Sequence[int] | None = None) -> Panel:
    """Return what votes are worth: `errors` has a row a vote, and in it whether each case was judged wrongly.

    No answer is an error. A pair of which one never errs, or always, has no correlation and is left out. `labels` says
    whether each case is good: such a one passes only by more than half of the votes. Without, half decide nothing.
    """
    if not errors or len({len(row) for row in (*errors, errors[0] if labels is None else labels)}) != 1:
        msg = "a panel needs votes, each on the same cases"
        raise ValueError(msg)
    known = [r for pair in combinations(errors, 2) if (r := correlate(*pair)) is not None]
    mean = math.fsum(known) / len(known) if known else None
    good = [False] * len(errors[0]) if labels is None else labels
    majority = sum(2 * sum(row) + one > len(errors) for *row, one in zip(*errors, good, strict=True))
    worth = None if mean is None else effective_votes(len(errors), mean)
    return Panel(len(errors), len(errors[0]), tuple(map(sum, errors)), majority, mean, worth)


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the least value that so many of all do not exceed; None of none."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else None
