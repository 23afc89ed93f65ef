"""Compute how good judges are from labels, and what the votes of a quorum are worth.

A positive is a result that is good, or a criterion that is met. What a judge cannot assess is no pass.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import combinations, groupby
from typing import Annotated, Final, NamedTuple

from pydantic import Field, computed_field

from contracts.judging.policy import VOTES_MAX, VOTES_MIN, JudgePolicy
from signoff.errors import ErrorCode
from signoff.fields import Model, optional

#: Standard deviations on either side of the mean that hold 95 % of a normal distribution.
Z_95: Final = 1.959963984540054
#: The share of intervals of 95 % that do not hold the true value.
ALPHA: Final = 0.05
#: Halvings that find a quantile to the last digit of a float.
_HALVINGS: Final = 60
#: More cases than anybody labels.
_MORE_MAX: Final = 1_000_000
#: Cases of each kind that are added to those there are.
_ADDED: Final = 2
#: The relative error at which a series is taken to have converged.
_PRECISION: Final = 1e-15
#: Cases at least of which leaving out each says something.
_LEFT_OUT_MIN: Final = 3


class Interval(NamedTuple):
    """A share, or a mean correlation, and the bounds of its 95 % interval; None for what too few counts do not tell."""

    share: float | None
    low: float | None
    high: float | None


def wilson(count: int, total: int) -> Interval:
    """Return the share `count` of `total` with its 95 % score interval (Wilson, 1927), which holds near 0 and 1."""
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share")
    if not total:
        return Interval(None, None, None)
    share, square = count / total, Z_95 * Z_95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return Interval(share, middle - half if count else 0.0, middle + half if count < total else 1.0)


def clopper_pearson_low(count: int, total: int) -> float:
    """Return the exact lower bound (one-sided, 95 %) of `count` of `total` (Clopper, Pearson, Biometrika 26, 1934)."""
    return _beta_quantile(count, total - count + 1, ALPHA) if count else 0.0


def count_missing(count: int, total: int, least: float) -> int:
    """Return how many more cases, all judged rightly, raise the exact lower bound of the share to `least`, below 1."""
    return _find_least(lambda more: _reaches(count + more, total + more, least), math.inf) or 0


def count_missing_alike(count: int, total: int, least: float) -> int | None:
    """Return how many more cases, judged rightly as often as those so far, raise the exact lower bound to `least`.

    None if `total` is 0, or a million do not suffice. Fewer may suffice if more of them are judged rightly.
    """
    if not total:
        return None
    return _find_least(lambda more: _reaches((total + more) * count // total, total + more, least), _MORE_MAX)


def _find_least(is_enough: Callable[[int], bool], bound: float) -> int | None:
    """Return, by bisection, a number that is enough while the one below is not; None if doubling exceeds `bound`."""
    few, most = -1, 1
    while not is_enough(most):
        most *= 2
        if most > bound:
            return None
    while most - few > 1:
        middle = (few + most) // 2
        few, most = (few, middle) if is_enough(middle) else (middle, most)
    return most


def _reaches(count: int, total: int, least: float) -> bool:
    """Return whether the exact lower bound of the share `count` of `total` is `least` or more."""
    return least <= 0 or (count > 0 and _beta_share(count, total - count + 1, least) <= ALPHA)


def _beta_share(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function, by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_share(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    value, above, below = 1.0, 1.0, 0.0
    for step in range(1, 100_000):  # converges in some hundreds for the largest counts
        m = step // 2
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) if m else 0.0
        term = odd if step % 2 else even
        below = 1 / ((1 + term * below) or 1e-300)
        above = (1 + term / above) or 1e-300
        value *= above * below
        if abs(above * below - 1) < _PRECISION:
            break
    return front / value


def _beta_quantile(a: float, b: float, share: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _beta_share(a, b, middle) < share else (low, middle)
    return (low + high) / 2


@lru_cache(1_000)
def _t_95(freedom: int) -> float:
    """Return how many standard errors on either side hold 95 % of Student's t with `freedom` degrees of freedom."""
    x = _beta_quantile(0.5, freedom / 2, 1 - ALPHA)
    return math.sqrt(freedom * x / (1 - x))


@dataclass
class Spread:
    """A share of items, of which a case may hold several: counted by case, since the items of a case err together."""

    cases: int = 0
    count: int = 0
    total: int = 0
    _squares: int = 0
    _products: int = 0
    _sizes: int = 0

    def add(self, count: int, total: int) -> None:
        """Count a case with `total` items, of which `count` count towards the share."""
        if total:
            self.cases, self.count, self.total = self.cases + 1, self.count + count, self.total + total
            self._squares += count * count
            self._products += count * total
            self._sizes += total * total

    @property
    def interval(self) -> Interval:
        """The share with its 95 % interval by case; Wilson's interval if no case has more than one item.

        The share plus or minus the error of a ratio of sums over cases (Cochran, Sampling Techniques, 1977, 6.4), with
        four cases added, two all right and two all wrong (Agresti and Coull, The American Statistician 52, 1998): a few
        cases that err do not show how far their items err together.
        """
        if self._sizes == self.total:
            return wilson(self.count, self.total)
        share, size = self.count / self.total, self._sizes / self.total
        cases, total = self.cases + 2 * _ADDED, self.total + 2 * _ADDED * size
        middle = (self.count + _ADDED * size) / total
        between = self._squares - 2 * middle * self._products + middle * middle * self._sizes
        between += _ADDED * size * size * ((1 - middle) ** 2 + middle**2)
        half = _t_95(cases - 1) * math.sqrt(between * cases / (cases - 1)) / total
        return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


@dataclass
class Confusion:
    """A confusion matrix: counts of judgements against labels."""

    true_accepts: int = 0
    false_accepts: int = 0
    true_rejects: int = 0
    false_rejects: int = 0
    unsure: int = 0  # of the rejects: what the judge could not assess

    def add(self, *, label: bool, passed: bool, unsure: bool = False) -> None:
        """Count one judgement; `unsure`: the judge could not assess what did not pass."""
        if passed:
            self.true_accepts, self.false_accepts = self.true_accepts + label, self.false_accepts + (not label)
        else:
            self.true_rejects, self.false_rejects = self.true_rejects + (not label), self.false_rejects + label
            self.unsure += unsure

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {one.name: getattr(self, one.name) for one in fields(Confusion)}

    def add_all(self, other: "Confusion") -> None:
        """Add the counts of another confusion matrix."""
        for name, count in other.counts.items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def positives(self) -> int:
        """The number of judged items that are labelled good."""
        return self.true_accepts + self.false_rejects

    @property
    def negatives(self) -> int:
        """The number of judged items that are labelled bad."""
        return self.true_rejects + self.false_accepts

    @property
    def total(self) -> int:
        """The number of judged items."""
        return self.positives + self.negatives

    @property
    def agreement(self) -> Interval:
        """The share of the items that were judged as they are labelled."""
        return wilson(self.true_accepts + self.true_rejects, self.total)

    @property
    def true_positive_rate(self) -> Interval:
        """The share of the items labelled good that passed."""
        return wilson(self.true_accepts, self.positives)

    @property
    def true_negative_rate(self) -> Interval:
        """The share of the items labelled bad that did not pass."""
        return wilson(self.true_rejects, self.negatives)

    @property
    def false_accept_rate(self) -> Interval:
        """The share of the items labelled bad that passed."""
        return _mirror(self.true_negative_rate)

    @property
    def false_reject_rate(self) -> Interval:
        """The share of the items labelled good that did not pass."""
        return _mirror(self.true_positive_rate)

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance (Cohen, 1960); None for no items, or if all have one label and were judged so."""
        if not self.total:
            return None
        passed = self.true_accepts + self.false_accepts
        by_chance = self.positives * passed + self.negatives * (self.total - passed)
        squared = self.total * self.total
        if by_chance == squared:
            return None
        agreed = (self.true_accepts + self.true_rejects) * self.total
        return (agreed - by_chance) / (squared - by_chance)


@dataclass
class ConfusionByCase(Confusion):
    """A confusion matrix of criteria, of which a case may have several; its intervals are computed by case."""

    _agreement: Spread = field(default_factory=Spread)
    _positives: Spread = field(default_factory=Spread)
    _negatives: Spread = field(default_factory=Spread)

    def add_case(self, case: Confusion) -> None:
        """Add the judgements of one case's criteria."""
        self.add_all(case)
        self._agreement.add(case.true_accepts + case.true_rejects, case.total)
        self._positives.add(case.true_accepts, case.positives)
        self._negatives.add(case.true_rejects, case.negatives)

    @property
    def agreement(self) -> Interval:
        """The share of the criteria that were judged as they are labelled."""
        return self._agreement.interval

    @property
    def true_positive_rate(self) -> Interval:
        """The share of the criteria labelled as met that passed."""
        return self._positives.interval

    @property
    def true_negative_rate(self) -> Interval:
        """The share of the criteria labelled as not met that did not pass."""
        return self._negatives.interval


def _mirror(interval: Interval) -> Interval:
    """Return the interval of one minus the share."""
    if interval.share is None or interval.low is None or interval.high is None:
        return interval
    return Interval(1 - interval.share, 1 - interval.high, 1 - interval.low)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test of whether two judges are right equally often.

    `only_first` and `only_second` are the numbers of cases that only the first, or only the second, judged rightly.
    """
    if min(only_first, only_second) < 0:
        raise ValueError("counts are not negative")
    total, least = only_first + only_second, min(only_first, only_second)
    tail, term = 0, 1
    for k in range(least + 1):
        tail += term
        term = term * (total - k) // (k + 1)
    return min(1.0, float(2 * tail / (1 << total)))


def correlate(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Return the correlation of two rows of errors (phi); None where one of them is all right or all wrong."""
    return _phi(len(first), sum(first), sum(second), sum(x and y for x, y in zip(first, second, strict=True)))


def _phi(n: int, a: int, b: int, both: int) -> float | None:
    variances = a * (n - a) * b * (n - b)
    return (n * both - a * b) / math.sqrt(variances) if variances else None


def effective_votes(votes: int, correlation: float) -> float | None:
    """Return how many independent votes `votes` votes with this correlation are worth: n / (1 + (n - 1) r).

    None if the correlation is so negative that the divisor is not positive.
    """
    divisor = 1 + (votes - 1) * correlation
    return votes / divisor if divisor > 0 else None


def judge_panel(
    errors: Sequence[Sequence[int]], labels: Sequence[int] | None = None, cases: Sequence[int] | None = None
) -> "QuorumWorth":
    """Return what votes are worth: `errors` has a row for each vote, with 1 for each label that the vote got wrong.

    A vote without an answer is wrong. A pair with a vote that is always or never wrong has no correlation: it is left
    out. `labels` says what is good: that passes only by more than half of the votes. Without `labels`, a tie is not
    wrong. `cases` has the case of each label, the labels of a case side by side; without it, each label has its own
    case.
    """
    if not errors or len({len(row) for row in (*errors, *(each for each in (labels, cases) if each is not None))}) != 1:
        raise ValueError("a panel needs votes, each on the same cases")
    good = [False] * len(errors[0]) if labels is None else labels
    majority = sum(2 * sum(row) + one > len(errors) for *row, one in zip(*errors, good, strict=True))
    by_case = groupby(zip(range(len(good)) if cases is None else cases, *errors, strict=True), lambda label: label[0])
    spread = Counter(_count_errors([wrong for _, *wrong in of_case]) for _, of_case in by_case)
    mean, low, high = _correlate_by_case(spread)
    return QuorumWorth.model_construct(  # of any number of votes
        votes=len(errors),
        labels=len(errors[0]),
        correlation=mean,
        correlation_low=low,
        correlation_high=high,
        wrong=list(map(sum, errors)),
        majority_wrong=majority,
    )


def _count_errors(labels: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return, of a case, the number of labels, each vote's number of errors, and each pair's number of common ones."""
    votes = list(zip(*labels, strict=True))
    both = (sum(x and y for x, y in zip(*pair, strict=True)) for pair in combinations(votes, 2))
    return len(labels), *map(sum, votes), *both


def _correlate_by_case(spread: Counter[tuple[int, ...]]) -> Interval:
    """Return the mean correlation of all pairs with its 95 % interval, by leaving out each case (jackknife).

    The interval is made on Fisher's scale, as in Efron (The Jackknife, the Bootstrap and Other Resampling Plans, 1982).
    Correlations are kept below 1 - 1/cases: one more case could show that votes do not always err alike.
    """
    cases = spread.total()
    scaled = ([often * count for count in one] for one, often in spread.items())
    sums = [sum(column) for column in zip(*scaled, strict=True)]
    mean = _mean_correlation(sums) if sums else None
    if mean is None or cases < _LEFT_OUT_MIN:
        return Interval(mean, None, None)
    bound = 1 - 1 / cases
    scale = {
        one: math.atanh(max(-bound, min(bound, rest)))
        for one in spread
        if (rest := _mean_correlation([a - b for a, b in zip(sums, one, strict=True)])) is not None
    }
    middle = math.fsum(scale[one] * spread[one] for one in scale) / sum(spread[one] for one in scale)
    squares = math.fsum(spread[one] * (scale[one] - middle) ** 2 for one in scale)
    half = _t_95(cases - 1) * math.sqrt((cases - 1) / cases * squares)
    if not half and abs(mean) < bound:
        return Interval(mean, mean, mean)
    here = math.atanh(max(-bound, min(bound, mean)))
    return Interval(mean, min(mean, math.tanh(here - half)), max(mean, math.tanh(here + half)))


def _mean_correlation(sums: Sequence[int]) -> float | None:
    """Return the mean correlation of all pairs of votes from summed `_count_errors`; None if no pair has one."""
    votes = (math.isqrt(8 * len(sums) - 7) - 1) // 2  # 1 + n + n (n - 1) / 2 counts are of n votes
    labels, wrong, both = sums[0], sums[1 : votes + 1], sums[votes + 1 :]
    pairs = zip(combinations(wrong, 2), both, strict=True)
    known = [r for (a, b), together in pairs if (r := _phi(labels, a, b, together)) is not None]
    return math.fsum(known) / len(known) if known else None


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that this share of all values does not exceed; None where there are no values."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else None


Count = Annotated[int, Field(ge=0)]
#: What measures a policy.
EVALUATE: Final = "signoff judge evaluate CASES.jsonl --judge"


class QuorumWorth(Model):
    """How the votes of a quorum judged labelled criteria. No answer is an error."""

    votes: Annotated[int, Field(ge=VOTES_MIN, le=VOTES_MAX)]
    labels: Count
    correlation: Annotated[float, Field(ge=-1, le=1)] | None = optional(
        "of errors, the mean of all pairs; left out where no pair errs"
    )
    correlation_low: Annotated[float, Field(ge=-1, le=1)] | None = optional(
        "of its 95 % interval, which is by case; left out where it is not known"
    )
    correlation_high: Annotated[float, Field(ge=-1, le=1)] | None = None
    wrong: Annotated[list[Count], Field(min_length=VOTES_MIN, max_length=VOTES_MAX)] = Field(description="by vote")
    majority_wrong: Count

    @computed_field(description="independent votes that they are worth")  # type: ignore[prop-decorator]
    @property
    def worth_votes(self) -> float | None:
        """How many independent votes the quorum's votes are worth; None if that is not known."""
        return self._find_worth(self.correlation)

    @computed_field(description="of the 95 % interval of what they are worth")  # type: ignore[prop-decorator]
    @property
    def worth_votes_low(self) -> float | None:
        """The lower bound of `worth_votes`; None if the bound is not known."""
        return self._find_worth(self.correlation_high)

    @computed_field(description="left out where it is not known, or has no bound")  # type: ignore[prop-decorator]
    @property
    def worth_votes_high(self) -> float | None:
        """The upper bound of `worth_votes`; None if `worth_votes` has no bound, or the bound is not known."""
        return self._find_worth(self.correlation_low)

    def _find_worth(self, correlation: float | None) -> float | None:
        return None if correlation is None else effective_votes(self.votes, correlation)

    @computed_field(description="of the best vote")  # type: ignore[prop-decorator]
    @property
    def best_wrong(self) -> int:
        """The number of labels on which the best vote is wrong."""
        return min(self.wrong)

    @computed_field(description="the best vote alone is wrong no more often than the majority")  # type: ignore[prop-decorator]
    @property
    def adds_nothing(self) -> bool:
        """Whether the best vote alone is wrong no more often than the majority."""
        return self.majority_wrong >= self.best_wrong

    @property
    def sentence(self) -> str:
        """A sentence that says how many independent votes the quorum is worth."""
        worth = "no known number of" if self.worth_votes is None else f"{self.worth_votes:.1f}"
        between = ""
        if self.worth_votes is not None and self.worth_votes_low is not None:
            high = "or more" if self.worth_votes_high is None else f"to {self.worth_votes_high:.1f}"
            between = f" (95 % interval {self.worth_votes_low:.1f} {high})"
        correlation = "undefined" if self.correlation is None else f"{self.correlation:.2f}"
        return (
            f"a quorum of {self.votes} is worth {worth} independent votes{between} on {self.labels} labels (mean "
            f"correlation of errors {correlation}): its majority is wrong in {self.majority_wrong}, its best vote in "
            f"{self.best_wrong}" + ("; it adds nothing to that one" if self.adds_nothing else "")
        )


def find_quorum_warnings(policy: JudgePolicy, measured: Sequence[QuorumWorth] | None) -> Iterator[tuple[str, str]]:
    """Yield the codes and messages of warnings about the quorum of a policy, if it has one.

    `measured` has the worth of quorums in an evaluation of the policy; None if there was no evaluation.
    """
    stage = policy.stages[-1]
    if stage.kind != "quorum":
        return
    models, families = {judge.model for judge in stage.judges}, {judge.family for judge in stage.judges}
    if len(models) <= 1 or (len(families) == 1 and None not in families):
        alike = f"of the family {families.pop()}" if len(models) > 1 else f"of {', '.join(models) or 'one model'}"
        yield (
            ErrorCode.QUORUM_ALIKE,
            f"all votes are {alike}, which errs alike in any order and wording: name judges of others",
        )
    votes = stage.votes or len(stage.judges)
    worth = None if measured is None else next((one for one in measured if one.votes == votes), None)
    if worth is None:
        message = f"what a quorum of {votes} is worth is not measured: {EVALUATE} {policy.reference}"
        yield ErrorCode.QUORUM_NOT_MEASURED, message
    elif worth.adds_nothing:
        best = worth.wrong.index(worth.best_wrong)
        whose = f" ({stage.judges[best % len(stage.judges)].model})" if stage.judges else ""
        yield ErrorCode.QUORUM_ADDS_NOTHING, f"{worth.sentence}: take vote {best + 1}{whose} alone"
