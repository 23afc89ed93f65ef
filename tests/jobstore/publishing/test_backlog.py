"""What was not seen is known as ranges, and what waits is taken in turns."""

from hypothesis import given
from hypothesis import strategies as st

from jobstore.publishing.watches import LAST, Backlog, Unseen

NUMBERS = range(1, 13)


@given(st.lists(st.tuples(st.sets(st.sampled_from(NUMBERS)), st.integers(0, 12), st.sampled_from(NUMBERS))))
def test_ranges_are_the_numbers_that_were_neither_seen_nor_given_up(steps: list[tuple[set[int], int, int]]) -> None:
    unseen, left = Unseen(0), set(NUMBERS)
    for seen, given_up, expected in steps:
        is_new = expected > unseen.last_seen
        assert unseen.expect(expected) == is_new
        assert (unseen.last_seen >= expected, unseen.has(expected)) == (True, expected in left)
        unseen.see(sorted(seen & left))
        left -= seen
        unseen.give_up(given_up)
        left -= set(range(1, given_up + 1))
        assert [n for n in NUMBERS if any(first <= n <= last for first, last in unseen.ranges)] == sorted(left)
        assert unseen.ranges == sorted(unseen.ranges)
        assert unseen.ranges[-1][1] == LAST
        assert unseen.settled == min(left, default=12) - (1 if left else 0)


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    backlog = Backlog()
    backlog.add("large", [1, 2, 3, 5, 6])
    backlog.add("small", [7])
    backlog.add("large", [4])
    assert (backlog.lowest, len(backlog)) == (1, 7)
    taken = backlog.take(4)
    assert taken == [("large", 1), ("small", 7), ("large", 2), ("large", 3)]
    backlog.put_back(taken[2:])
    assert (backlog.lowest, len(backlog)) == (2, 5)
    assert [number for _, number in backlog.take(10)] == [2, 3, 4, 5, 6]
    assert (backlog.lowest, len(backlog)) == (LAST, 0)
