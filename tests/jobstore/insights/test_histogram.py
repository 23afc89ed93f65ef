"""Histograms: a percentile is as exact as the part that it falls into."""

from hypothesis import given
from hypothesis import strategies as st

from jobstore.insights import histogram


@given(st.lists(st.floats(0.011, 1e6), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_as_exact_as_its_part(lengths: list[float], share: float) -> None:
    counts: list[int] = []
    for length in lengths:
        counts = histogram.add(counts, [0] * histogram.get_part(length) + [1])
    exact = sorted(lengths)[max(0, -int(-share * len(lengths) // 1) - 1)]
    estimate = histogram.estimate_percentile(counts, share)
    assert estimate is not None
    assert exact / histogram.FACTOR / 1.001 <= estimate <= exact * histogram.FACTOR * 1.001


def test_nothing_has_no_percentile() -> None:
    assert histogram.estimate_percentile([], 0.5) is histogram.estimate_percentile([0, 0], 0.5) is None
