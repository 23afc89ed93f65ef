"""Records that cannot be handled yet wait in their topic, however many, and those behind them are handled."""

from collections import Counter

import pytest
from subscribing import Handler, body, subscribed
from support.fakes import until
from support.kafka.topics import Place

from servicekit.errors import PermanentError, PostponedError
from servicekit.kafka import postponed

MANY = [f"waits-{number}" for number in range(150)]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponed, "RETRY_S", 0.1)


def postpone(handler: Handler, jobs: list[str]) -> None:
    handler.answers |= {job: PostponedError("the disk is full", code="storage_full") for job in jobs}


async def test_more_than_may_be_parked_wait_and_those_behind_are_handled(place: Place, handler: Handler) -> None:
    postpone(handler, MANY)
    async with subscribed(place, handler):
        await place.put(*map(body, [*MANY, "live"]))
        await until(lambda: "live" in handler.seen)
        await place.put(body("live-too"))
        await until(lambda: "live-too" in handler.seen)
    assert await place.uncommitted() == len(MANY) + 2
    handler.answers.clear()
    handler.seen.clear()
    async with subscribed(place, handler):
        await until(lambda: set(handler.seen) == {*MANY, "live", "live-too"})


async def test_they_are_handled_once_there_is_room_in_their_order_and_then_all_is_committed(
    place: Place, handler: Handler
) -> None:
    postpone(handler, MANY)
    async with subscribed(place, handler) as subscription:
        await place.put(*map(body, [*MANY, "live"]))
        await until(lambda: "live" in handler.seen)
        handler.answers.clear()
        handler.seen.clear()
        await until(lambda: len(handler.seen) >= len(MANY))
        await until(lambda: not subscription._postponed.first)
    assert handler.seen == MANY
    assert await place.uncommitted() == 0


async def test_while_there_is_no_room_one_alone_is_tried_again(place: Place, handler: Handler) -> None:
    postpone(handler, MANY)
    async with subscribed(place, handler):
        await place.put(*map(body, MANY))
        await until(lambda: len(handler.seen) >= len(MANY))
        handler.seen.clear()
        await until(lambda: len(handler.seen) >= 3)
        assert Counter(handler.seen).keys() == {MANY[0]}


async def test_one_that_then_fails_for_good_is_a_dead_letter(place: Place, handler: Handler, dlq: Place) -> None:
    postpone(handler, ["waits", "wrong"])
    async with subscribed(place, handler):
        await place.put(body("waits"), body("wrong"), body("live"))
        await until(lambda: "live" in handler.seen)
        handler.answers = {"wrong": PermanentError("no", code="unknown_job")}
        (letter,) = await dlq.records(1)
    assert dict(letter.headers)["dlq-error-code"] == b"unknown_job"
