"""Another judge in the place of a system's own: it says of each criterion what a test says of the model asked."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from support.system import Judge

#: What is said of a criterion: evidence and outcome.
Said = tuple[str | None, str]


@asynccontextmanager
async def in_place_of(judge: Judge, say: Callable[[str], Said]) -> AsyncIterator[list[str]]:
    """Let `say` judge, given the name of the model, and yield the names of the models that were asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body["model"])
        evidence, outcome = say(body["model"])
        names: dict[str, Any] = body["response_format"]["json_schema"]["schema"]["properties"]
        said: dict[str, Any] = {
            name: {"evidence": evidence, "comment": outcome, "outcome": outcome} for name in names if name != "reason"
        }
        message = {"role": "assistant", "content": json.dumps(said | {"reason": f"all is {outcome}"})}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": choices}
        return web.json_response(told)

    await judge.stop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", judge.port).start()
    try:
        yield asked
    finally:
        await runner.cleanup()
        await judge.start()
