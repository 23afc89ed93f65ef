"""How many results an operation lets be judged within its budget."""

import pytest

from jobstore.operations.kinds import AHEAD_MAX, AHEAD_UNKNOWN_MAX, COST_UNKNOWN, OVER_BUDGET, Spent, find_affordable


@pytest.mark.parametrize(
    ("spent", "room"),
    [
        (Spent(), AHEAD_UNKNOWN_MAX),
        (Spent(under_way=4), AHEAD_UNKNOWN_MAX - 4),
        (Spent(nanos=2_000_000_000, priced=4), 16),
        (Spent(nanos=2_000_000_000, priced=4, under_way=10), 6),
        (Spent(nanos=2_000_000_000, priced=4, unpriced=4), 12),  # which may have cost as much as the others
        (Spent(nanos=10_000_000_000, priced=4), 0),
        (Spent(nanos=1_000_000, priced=1_000), AHEAD_MAX),
        (Spent(priced=7), AHEAD_MAX),  # nobody was asked, as checks decided
        (Spent(priced=7, unpriced=1), 0),
    ],
)
def test_what_ten_dollars_allow(spent: Spent, room: int) -> None:
    assert find_affordable(10_000_000_000, spent) == room


def test_nothing_more_begins_once_they_are_spent_or_nobody_tells_what_one_costs() -> None:
    assert Spent(nanos=10_000_000_000, priced=1).code == OVER_BUDGET
    assert Spent(priced=3, unpriced=1).code == COST_UNKNOWN
    assert Spent(nanos=10_000_000_000, priced=3, unpriced=1).code == OVER_BUDGET
