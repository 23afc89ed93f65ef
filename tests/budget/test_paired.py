"""Two variants that are measured in turn are compared pair by pair, and judged where the interval allows it."""

import pytest
from measuring.paired import compare_pairs

NOISE = [1.0 + (n * 7 % 20 - 9.5) / 500 for n in range(60)]


def test_a_round_that_was_slow_for_both_changes_nothing() -> None:
    before = [10.0, 100.0, 10.0, 55.0, 20.0] * 12
    ratio = compare_pairs(before, [1.05 * each for each in before])
    assert (round(ratio.median, 3), round(ratio.low, 3), round(ratio.high, 3)) == (1.05, 1.05, 1.05)


def test_the_median_lies_within_its_interval_and_rounds_narrow_it() -> None:
    few, many = (compare_pairs([1.0] * count, NOISE[:count]) for count in (10, 60))
    for ratio in (few, many):
        assert ratio.low <= ratio.median <= ratio.high
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("times", "verdict"), [(1.0, "holds"), (1.1, "open"), (1.2, "fails")])
def test_a_bar_within_the_interval_is_not_judged(times: float, verdict: str) -> None:
    assert compare_pairs([1.0] * 60, [times * each for each in NOISE]).judge(1.1) == verdict


def test_of_two_pairs_the_interval_is_both() -> None:
    ratio = compare_pairs([1.0, 1.0], [1.0, 2.0])
    assert (ratio.low, ratio.high) == (1.0, 2.0)
