"""What is computed of judges, against published figures, exact enumeration, and properties."""

from fractions import Fraction
from itertools import product
from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.judging.calibration.statistics import (
    Confusion,
    correlate,
    effective_votes,
    judge_panel,
    mcnemar,
    quantile,
    wilson,
)

COUNTS = st.integers(0, 200)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), Table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000),
    ],
)
def test_wilson_intervals_are_the_published_ones(count, total, low, high):
    interval = wilson(count, total)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.share == count / total


def test_of_nothing_there_is_no_share():
    assert wilson(0, 0) == (None, None, None)
    assert {(wilson(0, total).low, wilson(total, total).high) for total in range(1, 200)} == {(0.0, 1.0)}
    with pytest.raises(ValueError, match="3 of 2 is no share"):
        wilson(3, 2)


@given(COUNTS, COUNTS)
def test_an_interval_holds_its_share_and_mirrors_the_other(count, rest):
    total = count + rest
    if total:
        share, low, high = wilson(count, total)
        other = wilson(rest, total)
        assert 0 <= low <= share <= high <= 1
        assert isclose(low, 1 - other.high, abs_tol=1e-12)


def fill(tp: int, fp: int, tn: int, fn: int) -> Confusion:
    return Confusion(tp, fp, tn, fn)


def test_kappa_is_the_published_one():
    # Cohen's own numbers as textbooks give them: 50 grant proposals, both yes 20, both no 15, 5 and 10 apart: 0.4.
    assert fill(20, 5, 15, 10).kappa == pytest.approx(0.4)
    # Two tables with the same agreement of 60 of 100, and different chance (Wikipedia, after Uebersax).
    assert fill(45, 25, 15, 15).kappa == pytest.approx(0.1304, abs=5e-5)
    assert fill(25, 5, 35, 35).kappa == pytest.approx(0.2593, abs=5e-5)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (9, 0, 0, 0), (0, 0, 9, 0)])
def test_kappa_of_one_label_alone_is_undefined(counts):
    assert fill(*counts).kappa is None


def test_kappa_of_one_label_that_is_not_always_met_is_zero():
    assert fill(8, 0, 0, 2).kappa == 0


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_kappa_is_exact_and_bounded(tp, fp, tn, fn):
    confusion = fill(tp, fp, tn, fn)
    if (kappa := confusion.kappa) is not None:
        n = tp + fp + tn + fn
        chance = Fraction((tp + fn) * (tp + fp) + (tn + fp) * (tn + fn), n * n)
        assert kappa == pytest.approx(float((Fraction(tp + tn, n) - chance) / (1 - chance)))
        assert -1 <= kappa <= 1


def test_judgements_are_counted_where_they_belong():
    confusion = Confusion()
    confusion.add(label=True, passed=True)
    confusion.add(label=False, passed=True)
    confusion.add(label=False, passed=False)
    confusion.add(label=True, passed=False, unsure=True)
    assert confusion == Confusion(1, 1, 1, 1, unsure=1)
    assert (confusion.positives, confusion.negatives, confusion.total) == (2, 2, 4)
    confusion.true_accepts += 2
    assert confusion.agreement.share == pytest.approx(4 / 6)
    assert confusion.true_positive_rate.share == pytest.approx(3 / 4)
    assert confusion.true_negative_rate.share == confusion.false_accept_rate.share == pytest.approx(1 / 2)
    assert confusion.false_reject_rate.share == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (1, 0, 1.0),
        (0, 6, 0.03125),
        # R: binom.test(c(59, 6)) and binom.test(c(25, 15)), as statsmodels' mcnemar(exact=True) gives them.
        (6, 59, 5.20e-12),
        (25, 15, 0.1539),
    ],
)
def test_mcnemar_is_the_exact_test(first, second, p):
    assert mcnemar(first, second) == pytest.approx(p, rel=2e-3)
    assert mcnemar(second, first) == mcnemar(first, second)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_twice_the_tail_of_a_fair_coin(first, second):
    n = first + second
    tail = Fraction(sum(comb(n, k) for k in range(min(first, second) + 1)), 2**n)
    assert mcnemar(first, second) == pytest.approx(float(min(Fraction(1), 2 * tail)))


def test_mcnemar_refuses_what_is_no_count():
    with pytest.raises(ValueError, match="not negative"):
        mcnemar(-1, 2)


def test_mcnemar_of_many_cases_neither_overflows_nor_takes_long():
    assert mcnemar(50_000, 50_000) == 1.0
    assert mcnemar(20_000, 30_000) < 1e-300


def make_exchangeable(votes: int, error: Fraction, correlation: Fraction) -> list[list[bool]]:
    """Return rows of errors with exactly this rate and correlation: of copies, and of independent ones."""
    cells = list(product((False, True), repeat=votes))
    weights = []
    for cell in cells:
        independent = Fraction(1)
        for wrong in cell:
            independent *= error if wrong else 1 - error
        common = (error if cell[0] else 1 - error) if len(set(cell)) == 1 else Fraction(0)
        weights.append(correlation * common + (1 - correlation) * independent)
    unit = 1
    for weight in weights:
        unit = unit * (weight * unit).denominator
    columns = [cell for cell, weight in zip(cells, weights, strict=True) for _ in range(int(weight * unit))]
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("votes", "correlation", "effective"),
    [(3, Fraction(0), 3.0), (5, Fraction(1, 4), 2.5), (3, Fraction(1, 2), 1.5), (9, Fraction(7, 16), 2.0)],
)
def test_correlated_votes_are_worth_what_the_formula_says(votes, correlation, effective):
    panel = judge_panel(make_exchangeable(votes, Fraction(1, 2), correlation))
    assert panel.correlation == pytest.approx(float(correlation))
    assert panel.effective == pytest.approx(effective)
    assert panel.wrong == (panel.cases // 2,) * votes


def test_copies_of_one_judge_are_one_vote_and_add_nothing():
    row = [True, False, False, True, False]
    panel = judge_panel([row] * 3)
    assert (panel.correlation, panel.effective, panel.majority_wrong) == (1.0, 1.0, 2)
    assert panel.adds_nothing


def test_independent_equal_votes_are_better_than_the_best_of_them():
    panel = judge_panel(make_exchangeable(3, Fraction(1, 5), Fraction(0)))
    assert panel.effective == pytest.approx(3)
    assert panel.majority_wrong / panel.cases == pytest.approx(0.104)
    assert not panel.adds_nothing


def test_half_of_the_votes_decide_nothing():
    assert judge_panel([[True], [False]]).majority_wrong == 0
    assert judge_panel([[True], [True]]).majority_wrong == 1


def test_with_labels_a_good_one_needs_more_than_half_of_the_votes():
    tie = [[True, True], [False, False]]
    assert judge_panel(tie, labels=[True, True]).majority_wrong == 2
    assert judge_panel(tie, labels=[True, False]).majority_wrong == 1
    assert judge_panel(tie, labels=[False, False]).majority_wrong == 0
    three = [[True, True], [False, False], [False, True]]
    for labels in ([True, True], [False, False]):
        assert judge_panel(three, labels=labels).majority_wrong == 1
    with pytest.raises(ValueError, match="each on the same cases"):
        judge_panel(tie, labels=[True])


def test_votes_of_which_none_errs_have_no_correlation():
    panel = judge_panel([[False, False], [False, False]])
    assert (panel.correlation, panel.effective) == (None, None)
    assert panel.adds_nothing


def test_a_vote_alone_has_no_correlation():
    panel = judge_panel([[True, False]])
    assert (panel.votes, panel.cases, panel.correlation, panel.majority_wrong) == (1, 2, None, 1)


def test_opposed_votes_are_worth_no_number():
    panel = judge_panel([[True, False], [False, True]])
    assert (panel.correlation, panel.effective) == (-1.0, None)
    assert effective_votes(3, -0.5) is None


def test_a_panel_needs_votes_on_the_same_cases():
    with pytest.raises(ValueError, match="each on the same cases"):
        judge_panel([[True], [True, False]])
    with pytest.raises(ValueError, match="a panel needs votes"):
        judge_panel([])


def test_errors_correlate_as_phi():
    assert correlate([True, True, False, False], [True, False, True, False]) == 0
    assert correlate([True, False], [False, False]) is None


def test_quantiles_are_values_that_were_seen():
    assert quantile([], 0.5) is None
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 2.0, 3.0, 3.0]
