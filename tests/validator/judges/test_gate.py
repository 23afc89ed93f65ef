"""The way to one server: who may go goes at once, the others in their order, and who leaves keeps no place."""

import asyncio
import random

import pytest
from prometheus_client import REGISTRY
from support.fakes import until

from validator.judges import pace
from validator.judges.pace import AnswerHeaders, Gate, Quota


async def test_who_may_go_by_what_the_server_said_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    gate = Gate("a server of its own")
    async with asyncio.timeout(0):  # which ends whatever waits at all
        gate.note_answer(await gate.enter(1_000), AnswerHeaders(tokens=Quota(1_000, 10_000, 50)))
        gate.note_refusal(await gate.enter(1_000), AnswerHeaders(), 0.0)
        await gate.enter(0)
    assert REGISTRY.get_sample_value("signoff_judge_refusals_total", {"server": "a server of its own"}) == 1


async def test_who_waits_goes_in_order_and_may_leave() -> None:
    gate = Gate("a-server")
    turn = await gate.enter(1.0)
    gate.note_refusal(turn, AnswerHeaders(), 0.05)
    went: list[int] = []

    async def go(number: int) -> None:
        mine = await gate.enter(1.0)
        went.append(number)
        await asyncio.sleep(0)
        gate.note_answer(mine, AnswerHeaders())

    tasks = [asyncio.create_task(go(number)) for number in range(6)]
    await asyncio.sleep(0)
    for left in (0, 3):
        tasks[left].cancel()
    await until(lambda: len(went) == 4)
    assert went == [1, 2, 4, 5]


async def test_who_left_holds_up_nobody_behind() -> None:
    gate = Gate("a-server")
    gate.note_refusal(await gate.enter(1.0), AnswerHeaders(), 0.05)
    first, leaving, last = (asyncio.create_task(gate.enter(1.0)) for _ in range(3))
    await asyncio.sleep(0)
    leaving.cancel()
    async with asyncio.timeout(60):
        await asyncio.gather(first, last)


async def test_whoever_is_let_in_as_it_leaves_keeps_no_place() -> None:
    gate = Gate("a-server")
    turns = [await gate.enter(1.0) for _ in range(int(pace.WINDOW_FIRST))]
    late = asyncio.create_task(gate.enter(1.0))
    await asyncio.sleep(0)
    gate.leave()  # lets it in
    late.cancel()  # before it runs
    with pytest.raises(asyncio.CancelledError):
        await late
    assert len(turns) == pace.WINDOW_FIRST
    async with asyncio.timeout(60):
        await gate.enter(1.0)


async def test_a_small_question_does_not_overtake_a_large_one_that_waits_for_tokens() -> None:
    gate = Gate("a-server")
    gate.note_answer(await gate.enter(1.0), AnswerHeaders(tokens=Quota(100, 10_000, 600)))
    large, small = (asyncio.create_task(gate.enter(tokens)) for tokens in (5_000.0, 1.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not small.done()
    large.cancel()
    async with asyncio.timeout(60):
        await small
