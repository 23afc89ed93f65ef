"""A server that speaks both of OpenAI's APIs and does, call by call, what a script says."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any

from aiohttp import web

MEBIBYTE = b" " * (1 << 20)

MODEL: web.AppKey["FakeModel"] = web.AppKey("model")

Step = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class FakeModel:
    """Plays its steps in order, and the last one for ever. `asked` holds the request bodies.

    What goes on in the background has an id and steps of its own, one for each poll: `polled` and `cancelled` hold ids.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = [says("It is blue.")]
        self.going_on: dict[str, list[Step]] = {}
        self.polled: list[str] = []
        self.cancelled: list[str] = []
        self.refuses_to_cancel: Step | None = None
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sent_bytes = 0

    def plays(self, *steps: Step) -> None:
        self.steps = list(steps)

    def routes(self) -> web.Application:
        """Return the application that serves it."""
        app = web.Application(client_max_size=16 << 20)
        app[MODEL] = self
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/responses", self._answer)
        app.router.add_get("/v1/responses/{id}", self._poll)
        app.router.add_post("/v1/responses/{id}/cancel", self._cancel)
        return app

    async def start(self) -> None:
        # A caller that hangs up ends its handler; at the end nobody waits for those that never end.
        self._runner = web.AppRunner(self.routes(), handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        return await _take(self.steps)(request, body)

    async def _poll(self, request: web.Request) -> web.StreamResponse:
        response_id = request.match_info["id"]
        self.polled.append(response_id)
        if response_id not in self.going_on:
            return await status(404, "not_found")(request, {})
        return await _take(self.going_on[response_id])(request, {"id": response_id})

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        response_id = request.match_info["id"]
        self.cancelled.append(response_id)
        if self.refuses_to_cancel is not None:
            return await self.refuses_to_cancel(request, {})
        ended = {"id": response_id, "status": "cancelled", "output": []}
        self.going_on[response_id] = [raw(ended)]
        return web.json_response(ended)


def _take(steps: list[Step]) -> Step:
    return steps.pop(0) if len(steps) > 1 else steps[0]


def says(text: str, *, finish: str = "stop") -> Step:
    """An envelope with this text in it, as if the model had written it."""

    async def step(request: web.Request, _: dict[str, Any]) -> web.Response:
        if request.path.endswith("/chat/completions"):
            message = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return web.json_response({"object": "chat.completion", "model": "fake", "choices": [choice]})
        return web.json_response(_response([{"type": "output_text", "text": text, "annotations": []}], finish))

    return step


def refuses() -> Step:
    async def step(request: web.Request, _: dict[str, Any]) -> web.Response:
        if request.path.endswith("/chat/completions"):
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
            return web.json_response({"model": "fake", "choices": [{"message": message, "finish_reason": "stop"}]})
        return web.json_response(_response([{"type": "refusal", "refusal": "I cannot help with that."}], "stop"))

    return step


def status(code: int, error_code: str | None = None, headers: dict[str, str] | None = None) -> Step:
    async def step(_: web.Request, __: dict[str, Any]) -> web.Response:
        error = {"error": {"message": "no, sk-secret", "type": "some_error", "code": error_code, "param": None}}
        return web.json_response(error, status=code, headers=headers)

    return step


def picky(
    said: Step, *faults: Callable[[str, dict[str, Any]], str | None], code: int = 400, error_code: str | None = None
) -> Step:
    """The same answer, once no fault is found in a request by its path and body: else a refusal in these words."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for fault in faults:
            if (message := fault(request.path, body)) is not None:
                error = {"message": message, "type": "invalid_request_error", "code": error_code, "param": None}
                return web.json_response({"error": error}, status=code)
        return await said(request, body)

    return step


def html(code: int = 200) -> Step:
    async def step(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.Response(status=code, text="<!doctype html><title>Proxy</title>", content_type="text/html")

    return step


def raw(body: Any) -> Step:
    async def step(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.json_response(body)

    return step


def cut_off(said: Step) -> Step:
    """The first half of an answer, as its own JSON, with 200."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.Response:
        response = await said(request, body)
        assert isinstance(response, web.Response)
        text = response.text or ""
        return web.Response(text=text[: len(text) // 2], content_type="application/json")

    return step


def hangs() -> Step:
    async def step(_: web.Request, __: dict[str, Any]) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    return step


def drips() -> Step:
    """A byte now and then, for ever: no time-out between two reads ends it."""

    async def step(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    return step


def floods(code: int = 200) -> Step:
    """100 MB, as long as somebody reads them."""

    async def step(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(status=code, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with suppress(ConnectionResetError):
            for _ in range(100):
                await response.write(MEBIBYTE)
                request.app[MODEL].sent_bytes += len(MEBIBYTE)
        return response

    return step


@cache
def zip_spaces() -> bytes:
    """Return 100 MB of JSON in 100 kB of gzip."""
    return gzip.compress(MEBIBYTE * 100, 1)


def bomb() -> Step:
    """What grows a thousandfold, which nobody asked for."""

    async def step(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.Response(body=zip_spaces(), headers={"Content-Encoding": "gzip"})

    return step


def hangs_up() -> Step:
    async def step(request: web.Request, _: dict[str, Any]) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        raise asyncio.CancelledError

    return step


def no_http() -> Step:
    async def step(request: web.Request, _: dict[str, Any]) -> web.Response:
        assert request.transport is not None
        request.transport.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        request.transport.close()
        raise asyncio.CancelledError

    return step


def _response(content: list[dict[str, Any]], finish: str) -> dict[str, Any]:
    whole = finish == "stop"
    reason = {"length": "max_output_tokens"}.get(finish, finish)
    return {
        "object": "response",
        "model": "fake",
        "status": "completed" if whole else "incomplete",
        "incomplete_details": None if whole else {"reason": reason},
        "output": [
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": content},
        ],
    }


def charges(said: Step, usage: Any, model: str = "gpt-4o-mini") -> Step:
    """The same answer, with what it consumed, by a model that has a price."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.Response:
        response = await said(request, body)
        assert isinstance(response, web.Response)
        return web.json_response(json.loads(response.text or "") | {"model": model, "usage": usage})

    return step


def goes_on(*polls: Step) -> Step:
    """A response in the background: each poll plays a step, the last one for ever; without any it never ends."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        assert body["background"], "nothing else goes on"
        assert body["store"], "what is not stored cannot be polled"
        model = request.app[MODEL]
        response_id = f"resp_{len(model.going_on) + 1}"
        model.going_on[response_id] = list(polls) or [runs()]
        return web.json_response({"id": response_id, "object": "response", "status": "queued", "output": []})

    return step


def runs() -> Step:
    """A response that goes on."""

    async def step(_: web.Request, body: dict[str, Any]) -> web.Response:
        return web.json_response({"id": body.get("id"), "object": "response", "status": "in_progress", "output": []})

    return step


def fails(code: str, message: str = "it went wrong", state: str = "failed") -> Step:
    """A response that failed, with 200."""
    return raw({"status": state, "error": {"code": code, "message": message}, "output": [], "model": "fake"})
