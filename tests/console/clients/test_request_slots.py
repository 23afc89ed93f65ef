"""Requests beyond those that are worked on wait in turn, for a while."""

import asyncio
from typing import Any

import pytest

from console.clients import RequestSlots
from console.config import ClientLimits


class Requests:
    """Requests to an application that answers each once it is let go."""

    def __init__(self, requests_max: int, turn_s: float = 30) -> None:
        self.slots = RequestSlots(self.answer, ClientLimits(requests_max=requests_max, turn_s=turn_s))
        self.begun: list[str] = []
        self.let_go: dict[str, asyncio.Event] = {}

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["path"])
        await self.let_go[scope["path"]].wait()
        if scope["path"].startswith("/body"):
            await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask(self, path: str) -> int:
        """Return the status of the answer."""
        statuses: list[int] = []

        async def receive() -> dict[str, object]:
            await self.let_go["body comes"].wait()
            return {"type": "http.request"}

        async def send(message: dict[str, Any]) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        await self.slots({"type": "http", "path": path}, receive, send)
        return statuses[0]

    async def begin(self, *paths: str) -> list[asyncio.Task[int]]:
        """Begin requests, one after another, and let all go on as far as they can."""
        self.let_go |= {path: asyncio.Event() for path in (*paths, "body comes")}
        asked = [asyncio.create_task(self.ask(path)) for path in paths]
        await self.settle()
        return asked

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def test_who_waits_is_worked_on_in_turn() -> None:
    requests = Requests(2)
    asked = await requests.begin("/1", "/2", "/3", "/4")
    assert requests.begun == ["/1", "/2"]
    for path, begun in (("/2", "/3"), ("/1", "/4")):
        requests.let_go[path].set()
        await requests.settle()
        assert requests.begun[-1] == begun
    for event in requests.let_go.values():
        event.set()
    assert await asyncio.gather(*asked) == [200] * 4


async def test_who_waits_too_long_is_refused_and_takes_no_slot() -> None:
    requests = Requests(1, turn_s=0.01)
    (first,) = await requests.begin("/1")
    (refused,) = await requests.begin("/2")
    assert await refused == 429
    requests.let_go["/1"].set()
    assert await first == 200
    (last,) = await requests.begin("/3")
    requests.let_go["/3"].set()
    assert await last == 200


@pytest.mark.parametrize("has_its_turn", [False, True])
async def test_who_gives_up_leaves_the_turn_to_the_next(has_its_turn: bool) -> None:
    requests = Requests(1)
    _, second, third = await requests.begin("/1", "/2", "/3")
    if has_its_turn:  # and is cancelled before it goes on
        requests.let_go["/1"].set()
        await asyncio.sleep(0)
    second.cancel()
    requests.let_go["/1"].set()
    await requests.settle()
    assert requests.begun == ["/1", "/3"]
    requests.let_go["/3"].set()
    assert await third == 200


async def test_who_waits_for_a_body_leaves_its_slot_to_others() -> None:
    requests = Requests(1)
    body, other = await requests.begin("/body", "/other")
    requests.let_go["/body"].set()
    await requests.settle()
    requests.let_go["/other"].set()
    assert await other == 200
    requests.let_go["body comes"].set()
    assert await body == 200
