"""Slots: who has waited longest gets the next one, none is lost, and nobody has the last of them."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.leasing.slots import Names, Slots

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def returning(slots: Slots, names: Names = (), weight: int = 1) -> "asyncio.Task[None]":
    """Somebody who waits for a slot."""
    waiting = asyncio.create_task(slots.enter(names, weight))
    await asyncio.sleep(0)
    return waiting


async def test_a_slot_that_is_left_goes_to_who_has_waited_longest():
    slots = Slots(3)
    slots.take()
    slots.take()
    slots.take()
    first, second = await returning(slots), await returning(slots)
    slots.leave()
    await first
    assert (second.done(), slots.free) == (False, 0)
    slots.leave()
    await second
    slots.leave()
    assert slots.free == 1
    slots.leave()
    slots.leave()
    assert slots.free == 3


async def test_a_free_slot_is_taken_at_once():
    slots = Slots(2)
    slots.take()
    await slots.enter()
    assert slots.free == 0


async def test_slots_that_are_taken_beyond_their_number_are_left_before_anybody_returns():
    slots = Slots(1)
    slots.take()
    slots.take()
    waiting = await returning(slots)
    slots.leave()
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.leave()
    await waiting


@pytest.mark.parametrize("is_given", [False, True])
async def test_who_is_cancelled_while_waiting_leaves_its_slot_to_the_next(is_given: bool):
    slots = Slots(1)
    slots.take()
    first, second = await returning(slots), await returning(slots)
    if is_given:
        slots.leave()
    first.cancel()
    await asyncio.wait([first])
    if not is_given:
        slots.leave()
    await second
    slots.leave()
    assert slots.free == 1


async def test_what_is_large_takes_several_and_waits_no_longer_than_what_is_small():
    slots = Slots(10)
    await slots.enter(("tenant:a",), 7)
    large = await returning(slots, ("tenant:a",), 6)
    assert (slots.free, large.done()) == (0, True), "one was free, and it held less than four times that"
    small = await returning(slots, ("tenant:b",))
    slots.leave(("tenant:a",), 6)
    await small
    assert slots.free == 2
    slots.leave(("tenant:a",), 7)
    slots.leave(("tenant:b",))
    assert (slots.free, slots._held) == (10, {})


@pytest.mark.parametrize("is_given", [False, True])
async def test_who_waits_for_several_and_is_cancelled_leaves_as_many(is_given: bool):
    slots = Slots(5)
    slots.take(weight=5)
    waiting = await returning(slots, ("tenant:a",), 4)
    if is_given:
        slots.leave(weight=5)
    waiting.cancel()
    await asyncio.wait([waiting])
    if not is_given:
        slots.leave(weight=5)
    assert (slots.free, slots._held, slots._waiting) == (5, {}, {})


async def test_who_is_cancelled_is_not_remembered():
    """However many are given back while their names have no slot to come."""
    slots = Slots(1)
    slots.take()
    waiting = [await returning(slots, ("tenant:a",)) for _ in range(3)]
    for each in waiting[:2]:
        each.cancel()
        await asyncio.wait([each])
    assert [len(queue) for queue in slots._waiting.values()] == [1]
    waiting[2].cancel()
    await asyncio.wait(waiting)
    assert slots._waiting == {}


async def test_of_each_name_no_more_is_let_in_than_four_times_what_is_free():
    slots = Slots(10)
    for _ in range(8):
        await slots.enter(("tenant:a", "model:dead"))
    waiting = [await returning(slots, names) for names in (("tenant:a", "model:other"), ("tenant:b", "model:dead"))]
    await asyncio.wait_for(slots.enter(("tenant:b", "model:quick")), 1)
    assert (slots.free, [each.done() for each in waiting]) == (1, [False, False])
    slots.leave(("tenant:b", "model:quick"))
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting), "they hold too much of what is free then, too"
    slots.leave(("tenant:a", "model:dead"))
    await waiting[0]
    await waiting[1]
    assert slots.free == 1


async def test_those_of_different_names_take_turns():
    slots = Slots(4)
    for _ in range(4):
        slots.take()
    order: list[str] = []

    async def wait(name: str) -> None:
        await slots.enter((name,))
        order.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in "aaabbc"]
    await asyncio.sleep(0)
    for _ in range(4):
        slots.leave()
        await asyncio.sleep(0)
        slots.take()
    for name in (*"abca", *"abc"):
        slots.leave((name,) if name in order else ())
        await asyncio.sleep(0)
    assert order[:4] == ["a", "b", "c", "a"]
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)


@given(
    st.integers(1, 60), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans()), max_size=200)
)
async def test_whoever_comes_and_goes_nobody_waits_who_may_have_a_slot(count: int, moves: list[tuple[str, str, bool]]):
    slots, held, waiting = Slots(count), Counter[Names](), list[tuple[Names, "asyncio.Task[None]"]]()
    for tenant, model, comes in moves:
        names = (tenant, model)
        if comes:
            waiting.append((names, await returning(slots, names)))
        elif held[names]:
            held[names] -= 1
            slots.leave(names)
            await asyncio.sleep(0)
        held.update(names for names, each in waiting if each.done())
        waiting = [(names, each) for names, each in waiting if not each.done()]
        assert slots.free == count - held.total()
        of = Counter[str]()
        for (one, other), number in held.items():
            of.update({one: number, other: number})
        assert not [names for names, _ in waiting if slots.free and all(of[name] < 4 * slots.free for name in names)]
    for _, each in waiting:
        each.cancel()
    await asyncio.sleep(0)
    for names in held.elements():
        slots.leave(names)
    assert slots.free == count
