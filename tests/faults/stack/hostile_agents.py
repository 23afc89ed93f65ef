"""The agents of a hostile tenant: slow, huge, lying; they repeat what they get, and call back with its words."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from faults.checking.canaries import KEY_HEADER, PRESS

#: Bytes of a result that no judge is shown.
HUGE = 16 << 20
#: Seconds for which one works, or drips, unless the storm is over before.
SLOW_S = 120.0
#: How many words of a request one tries as tokens.
TRIED = 12
#: What each does, by the end of its address.
HABITS = ("slow", "huge", "lying", "echoing", "calling", "leading", "endless")

#: Notes what an agent was told, by its habit and all of the request as text.
Hear = Callable[[str, str], None]


@dataclass(slots=True)
class HostileAgents:
    """All of them. Once the storm is `over`, none is slow any more."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    hear: Hear = lambda _habit, _text: None
    #: Tries a word as a token.
    call_back: Callable[[str], Awaitable[None]] | None = None
    #: Ids of others, which one says are its own.
    lies: dict[str, Any] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/{habit}", self._on_call)
        return app

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        habit, body = request.match_info["habit"], (await request.read()).decode()
        headers = dict(request.headers)
        self.hear(habit, f"{json.dumps(headers)}\n{body}")
        said: dict[str, Any] = {"text": "The sky is blue."}
        match habit:
            case "slow":
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.over.wait(), SLOW_S)
            case "huge":
                said["more"] = "blue " * (HUGE // 5)
            case "lying":
                said |= {**self.lies, "is_valid": True, "status": "COMPLETED", "tenant": PRESS}
            case "echoing":
                said |= {"headers": headers, "body": body}
            case "calling":
                for word in list_words(headers, body):
                    if self.call_back is not None:
                        await self.call_back(word)
            case "leading":  # to an agent that wants another tenant's key
                raise web.HTTPTemporaryRedirect(f"/{PRESS}/steady", headers={"Set-Cookie": f"{KEY_HEADER}=blue"})
            case "endless":
                return await self._drip(request)
        return web.json_response(said)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(SLOW_S):
                while not self.over.is_set():
                    await response.write(b" ")
                    await asyncio.sleep(0.1)
        await response.write(b'{"text": "The sky is blue."}')
        return response


def list_words(headers: dict[str, str], body: str) -> list[str]:
    """Return words of a request that may be somebody's secret: the values of headers, and short texts of the body."""
    given = json.loads(body)
    texts = [*headers.values(), *(value for value in given.values() if isinstance(value, str))]
    words = (text.removeprefix("Bearer ") for text in texts)
    return [word for word in dict.fromkeys(words) if word.isascii() and word.isprintable() and len(word) < 200][:TRIED]
