"""Slots: who has waited longest gets the next one, and none is lost."""

import asyncio

import pytest

from servicekit.leasing.slots import Slots

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def returning(slots: Slots) -> "asyncio.Task[None]":
    """Somebody who waits for a slot."""
    waiting = asyncio.create_task(slots.retake())
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
    await slots.retake()
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
