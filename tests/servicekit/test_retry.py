"""Retries wait for what comes back, and find the one item that never will."""

import asyncio
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from support.fakes import until

from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.retry import backoffs_s, chunk_by_size, isolate_failures, retry_transient


def waiting(on: str) -> float:
    return REGISTRY.get_sample_value("signoff_waiting", {"on": on})


class Operation:
    """Raises its errors in order, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tried = 0

    async def __call__(self) -> str:
        self.tried += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


async def test_what_is_out_of_reach_is_tried_until_it_answers():
    operation = Operation(TransientError(), TransientError())
    assert await retry_transient(operation, on="a") == "answer"
    assert operation.tried == 3


@pytest.mark.parametrize("error", [PermanentError("no"), KeyError("a bug")])
async def test_every_other_error_is_raised_at_once(error):
    operation = Operation(error)
    with pytest.raises(type(error)):
        await retry_transient(operation, on="b")
    assert operation.tried == 1


async def test_the_gauge_counts_those_that_wait_until_each_is_answered_or_gives_up():
    away = True

    async def ask(*, has_luck: bool = False) -> None:
        if away and not has_luck:
            raise TransientError

    waiters = [asyncio.create_task(retry_transient(ask, on="c")) for _ in range(3)]
    await until(lambda: waiting("c") == 3)
    await retry_transient(lambda: ask(has_luck=True), on="c")
    assert waiting("c") == 3  # one answer says nothing of the others
    waiters[0].cancel()
    await until(lambda: waiting("c") == 2)
    away = False
    await asyncio.gather(*waiters[1:])
    assert waiting("c") == 0


async def test_the_wait_that_the_other_side_asks_for_is_bounded():
    operation = Operation(TransientError(retry_after_s=3600))
    async with asyncio.timeout(60):
        await retry_transient(operation, on="d", longest_s=0.01)


@given(st.floats(0.001, 10), st.floats(0.001, 100))
def test_waits_grow_and_stay_within_bounds(first, longest):
    waits = list(islice(backoffs_s(first, longest), 30))
    assert 0 < waits[0] <= first
    assert max(waits) <= max(first, longest)
    assert waits[-1] >= min(first, longest) / 2


@given(st.lists(st.booleans(), max_size=40))
async def test_items_that_fail_for_good_stand_alone_and_all_others_succeed(are_bad):
    items = list(enumerate(are_bad))

    async def operation(chunk):
        if any(is_bad for _, is_bad in chunk):
            raise PermanentError("a bad one", code="bad")
        return [f"done {number}" for number, _ in chunk]

    results = await isolate_failures(items, operation)
    assert [isinstance(result, PermanentError) for result in results] == are_bad
    assert [r for r in results if isinstance(r, str)] == [f"done {n}" for n, is_bad in items if not is_bad]


@given(st.lists(st.integers(), min_size=1, max_size=40))
async def test_items_are_applied_in_their_order(items):
    applied = []

    async def operation(chunk):
        if len(chunk) > 1:
            raise PermanentError("too many at once")
        applied.extend(chunk)
        return chunk

    assert await isolate_failures(items, operation) == items
    assert applied == items


async def test_one_bad_item_among_many_costs_few_tries():
    tries = 0

    async def operation(chunk):
        nonlocal tries
        tries += 1
        if 700 in chunk:
            raise PermanentError("bad")
        return chunk

    await isolate_failures(range(1000), operation)
    assert tries <= 21


async def test_a_bug_that_one_item_meets_is_logged_and_stops_no_other(caplog):
    async def operation(chunk):
        return [1 / item for item in chunk]

    ok, bad, also_ok = await isolate_failures([1, 0, 2], operation)
    assert (ok, also_ok) == (1.0, 0.5)
    assert bad.code == "internal"
    assert "ZeroDivisionError" in caplog.text


async def test_an_outage_says_nothing_of_any_item():
    async def operation(chunk):
        if len(chunk) > 1:
            raise PermanentError("a bad one")
        raise TransientError

    with pytest.raises(TransientError):
        await isolate_failures([1, 2], operation)


async def test_an_item_that_fails_doubtfully_stands_alone_and_all_others_succeed():
    async def operation(chunk):
        if 0 in chunk:
            raise DoubtfulError("nobody knows")
        return chunk

    one, doubtful, two = await isolate_failures([1, 0, 2], operation)
    assert (one, two) == (1, 2)
    assert isinstance(doubtful, DoubtfulError)


async def test_nothing_is_settled_without_an_operation():
    assert await isolate_failures([], Operation(KeyError())) == []


@given(st.lists(st.integers(0, 50)), st.integers(1, 5), st.integers(1, 100))
def test_chunks_keep_the_order_and_both_bounds_but_for_one_larger_item(sizes, limit, bytes_max):
    chunks = list(chunk_by_size(sizes, lambda size: size, limit=limit, bytes_max=bytes_max))
    assert [size for chunk in chunks for size in chunk] == sizes
    assert all(chunk and len(chunk) <= limit for chunk in chunks)
    assert all(len(chunk) == 1 or sum(chunk) <= bytes_max for chunk in chunks)
