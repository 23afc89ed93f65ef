"""What is computed of judges, against published figures, exact enumeration, and properties."""

import random
from fractions import Fraction
from itertools import product
from math import comb, isclose
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.judging.statistics import (
    Confusion,
    Spread,
    clopper_pearson_low,
    correlate,
    count_missing,
    count_missing_alike,
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
    assert panel.worth_votes == pytest.approx(effective)
    assert panel.wrong == [panel.labels // 2] * votes


def test_copies_of_one_judge_are_one_vote_and_add_nothing():
    row = [True, False, False, True, False]
    panel = judge_panel([row] * 3)
    assert (panel.correlation, panel.worth_votes, panel.majority_wrong) == (1.0, 1.0, 2)
    assert panel.adds_nothing


def test_independent_equal_votes_are_better_than_the_best_of_them():
    panel = judge_panel(make_exchangeable(3, Fraction(1, 5), Fraction(0)))
    assert panel.worth_votes == pytest.approx(3)
    assert panel.majority_wrong / panel.labels == pytest.approx(0.104)
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
    assert (panel.correlation, panel.worth_votes) == (None, None)
    assert panel.adds_nothing


def test_a_vote_alone_has_no_correlation():
    panel = judge_panel([[True, False]])
    assert (panel.votes, panel.labels, panel.correlation, panel.majority_wrong) == (1, 2, None, 1)


def test_opposed_votes_are_worth_no_number():
    panel = judge_panel([[True, False], [False, True]])
    assert (panel.correlation, panel.worth_votes) == (-1.0, None)
    assert effective_votes(3, -0.5) is None


def test_a_panel_needs_votes_on_the_same_cases():
    with pytest.raises(ValueError, match="each on the same cases"):
        judge_panel([[True], [True, False]])
    with pytest.raises(ValueError, match="a panel needs votes"):
        judge_panel([])


def test_quantiles_are_values_that_were_seen():
    assert quantile([], 0.5) is None
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("count", "total", "low"),
    [
        # The quantile at 0.05 of Beta(x, n - x + 1).
        (0, 20, 0.0),
        (16, 20, 0.5989719),
        (18, 20, 0.7173815),
        (19, 20, 0.7838938),
    ],
)
def test_the_lower_bound_of_a_share_is_the_exact_one(count, total, low):
    assert clopper_pearson_low(count, total) == pytest.approx(low, abs=1e-6)


@given(st.integers(1, 120), st.integers(0, 60))
def test_the_lower_bound_is_where_as_many_are_seen_in_one_run_of_twenty(count, wrong):
    total = count + wrong
    low = Fraction(clopper_pearson_low(count, total))
    tail = sum(comb(total, k) * low**k * (1 - low) ** (total - k) for k in range(count, total + 1))
    assert float(tail) == pytest.approx(0.05, rel=1e-9)


def test_the_lower_bound_of_a_perfect_record_is_a_root():
    assert [clopper_pearson_low(n, n) for n in (1, 28, 29, 100_000)] == pytest.approx(
        [0.05 ** (1 / n) for n in (1, 28, 29, 100_000)], rel=1e-9
    )


@given(st.integers(0, 80), st.integers(0, 20), st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_so_many_right_cases_more_reach_the_bound_and_one_less_does_not(count, wrong, least):
    missing = count_missing(count, count + wrong, least)
    assert clopper_pearson_low(count + missing, count + wrong + missing) >= least
    if missing:
        assert clopper_pearson_low(count + missing - 1, count + wrong + missing - 1) < least
    alike = count_missing_alike(count, count + wrong, least)
    if count <= least * (count + wrong):
        assert alike is None
    if alike is not None:
        total = count + wrong + alike
        assert clopper_pearson_low(total * count // (count + wrong), total) >= least


def test_no_case_is_missing_where_nothing_is_asked_for():
    assert count_missing(0, 0, 0.0) == count_missing(3, 9, 0.0) == 0


def spread(*cases):
    counted = Spread()
    for count, total in cases:
        counted.add(count, total)
    return counted


def test_of_one_criterion_a_case_the_interval_is_wilsons():
    assert spread(*[(1, 1)] * 81, *[(0, 1)] * 182).interval == wilson(81, 263)
    assert spread().interval == spread((0, 0)).interval == wilson(0, 0)


def test_what_errs_together_counts_about_once_and_what_does_not_about_as_often_as_it_is():
    together = spread(*[(5, 5)] * 360, *[(0, 5)] * 40).interval
    apart = spread(*[(4, 5), (5, 5)] * 200).interval
    assert together.share == apart.share == 0.9
    widths = [each.high - each.low for each in (together, wilson(360, 400), apart, wilson(1_800, 2_000))]
    assert widths[0] == pytest.approx(widths[1], rel=0.1)
    assert widths[2] < 0.8 * widths[0], "at most as wide as by cases, and hardly narrower than as if none were together"


def test_where_nothing_varies_a_case_counts_once():
    once, thrice = wilson(20, 20), spread(*[(3, 3)] * 20).interval
    assert thrice == (1.0, pytest.approx(once.low, abs=0.08), 1.0)
    assert spread(*[(0, 3)] * 20).interval == (0.0, 0.0, pytest.approx(1 - thrice.low))
    assert spread((2, 3)).interval.low < 0.2, "one case says little of others"


@given(st.lists(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1))
def test_an_interval_by_case_holds_its_share(cases):
    share, low, high = spread(*cases).interval
    assert 0 <= low <= share <= high <= 1
    mirrored = spread(*((total - count, total) for count, total in cases)).interval
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def cover(drawn, runs, cases, right, together):
    """Return how often intervals hold the true share: by case, and as if each criterion were a case.

    A case has one to eight criteria; so often as `together` says, all of one are judged alike.
    """
    by_case = alone = 0
    for _ in range(runs):
        counted = Spread()
        for _ in range(cases):
            criteria = drawn.randint(1, 8)  # as many as Wilson's intervals take for as many cases
            is_alike = drawn.random() < together
            said = (
                [drawn.random() < right] * criteria if is_alike else [drawn.random() < right for _ in range(criteria)]
            )
            counted.add(sum(said), criteria)
        by_case += counted.interval.low <= right <= counted.interval.high
        alone += wilson(counted.count, counted.total).low <= right <= wilson(counted.count, counted.total).high
    return by_case / runs, alone / runs


@pytest.mark.parametrize("together", [0.5, 1.0])
@pytest.mark.parametrize("cases", [30, 100])
@pytest.mark.parametrize("right", [0.8, 0.9])
def test_intervals_by_case_hold_the_share_where_criteria_err_together_and_others_do_not(right, cases, together):
    by_case, alone = cover(random.Random(38), 300, cases, right, together)
    assert by_case >= 0.93
    assert alone < 0.88


def test_what_votes_are_worth_is_held_by_its_interval():
    drawn, runs, held = random.Random(38), 300, 0
    for _ in range(runs):
        rows = [[], [], []]
        for _ in range(150):
            is_alike, all_wrong = drawn.random() < 0.4, drawn.random() < 0.15
            for row in rows:
                row.append(all_wrong if is_alike else drawn.random() < 0.15)
        panel = judge_panel(rows)
        held += panel.correlation_low <= 0.4 <= panel.correlation_high
    assert held / runs >= 0.92


def test_the_interval_of_a_correlation_is_about_fishers():
    drawn = random.Random(38)
    rows = make_exchangeable(2, Fraction(1, 2), Fraction(1, 4))
    columns = [drawn.choice(list(zip(*rows, strict=True))) for _ in range(400)]
    panel = judge_panel(list(zip(*columns, strict=True)))
    half = NormalDist().inv_cdf(0.975) / 397**0.5 * (1 - panel.correlation**2)
    assert panel.correlation_high - panel.correlation_low == pytest.approx(2 * half, rel=0.25)


def test_of_few_cases_and_of_none_that_err_no_interval_is_known():
    for errors in ([[1, 0], [0, 1]], [[0, 0, 0], [0, 0, 0]]):
        assert judge_panel(errors).correlation_low is None
    assert judge_panel([[1, 0, 0, 1]] * 2).correlation_high == 1.0
    assert judge_panel([[1, 0, 0, 1]] * 2).correlation_low < 1.0


def test_labels_of_one_case_count_as_one():
    errors = [[1, 0, 0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1, 1, 0]]
    four = [[wrong for wrong in row for _ in range(4)] for row in errors]
    cases = [case for case in range(8) for _ in range(4)]
    alone, by_case, apart = judge_panel(errors), judge_panel(four, cases=cases), judge_panel(four)
    assert by_case.correlation == pytest.approx(alone.correlation)
    assert by_case.correlation_low == pytest.approx(alone.correlation_low)
    assert apart.correlation_low > by_case.correlation_low
    with pytest.raises(ValueError, match="each on the same cases"):
        judge_panel(errors, cases=[1])


def test_errors_correlate_as_phi():
    assert correlate([True, True, False, False], [True, False, True, False]) == 0
    assert correlate([True, False], [False, False]) is None
