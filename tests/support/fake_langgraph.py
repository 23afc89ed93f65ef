"""A LangGraph server of the tests: threads, runs that end by the clock, and what goes wrong on the way."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: What goes wrong with a request; it may have the request handled first.
Fault = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]
USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "input_token_details": {"cache_read": 2}}


def said(text: Any, **fields: Any) -> dict[str, Any]:
    """A message of a model, as a state has it."""
    return {"type": "ai", "content": text, "usage_metadata": USAGE, "response_metadata": {"model_name": "m"}, **fields}


@dataclass
class Run:
    """A run; `status` and what it adds to the state are those at its end, after `work_s`."""

    metadata: dict[str, Any]
    body: dict[str, Any]
    work_s: float
    status: str = "success"
    adds: dict[str, Any] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: str(uuid4()))
    begun_at: float = field(default_factory=time.monotonic)
    ended: str = ""


@dataclass
class Thread:
    runs: list[Run] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    status: str = "idle"


class FakeLangGraph:
    """By default each run answers "blue" at once. Its threads, all requests, and `faults` by the kind of request."""

    def __init__(self) -> None:
        self.url = ""
        self.threads: dict[str, Thread] = {}
        self.asked: list[tuple[str, Any]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.work_s = 0.0
        self.plan: Callable[[Run], None] = lambda run: run.adds.setdefault("messages", [said("blue")])

    def runs(self, thread_id: str | None = None) -> list[Run]:
        """The runs of a thread, or all."""
        threads = self.threads.values() if thread_id is None else [self.threads[thread_id]]
        return [run for thread in threads for run in thread.runs]

    def count(self, kind: str) -> int:
        """How often it was asked this."""
        return [asked for asked, _ in self.asked].count(kind)

    def begin(self, thread_id: str, message_id: str, **fields: Any) -> Run:
        """A run that somebody has begun."""
        run = Run({"signoff_message_id": message_id}, {}, **{"work_s": self.work_s, **fields})
        self.threads.setdefault(thread_id, Thread()).runs.append(run)
        return run

    async def on_thread(self, request: web.Request) -> web.Response:
        thread_id = (await request.json())["thread_id"]
        self.threads.setdefault(thread_id, Thread())
        return web.json_response({"thread_id": thread_id})

    async def on_run(self, request: web.Request) -> web.Response:
        body, thread = await request.json(), self._find(request)
        if self._settle(thread):
            return web.json_response({"detail": "Thread is already running a task."}, status=409)
        run = Run(body.get("metadata", {}), body, self.work_s)
        self.plan(run)
        thread.state.setdefault("messages", []).extend(
            {"type": "human", "content": each["content"]} for each in body["input"].get("messages", [])
        )
        thread.runs.append(run)
        return web.json_response(self._show(run) | {"kwargs": body})

    async def on_list(self, request: web.Request) -> web.Response:
        thread = self._find(request)
        self._settle(thread)
        return web.json_response([self._show(run) for run in reversed(thread.runs)][: int(request.query["limit"])])

    async def on_join(self, request: web.Request) -> web.Response:
        thread = self._find(request)
        if self._settle(thread):
            await asyncio.sleep(max(run.begun_at + run.work_s for run in thread.runs) - time.monotonic())
            self._settle(thread)
        marks = {name: thread.state[name] for name in ("__interrupt__", "__error__") if name in thread.state}
        return web.json_response(marks or thread.state)

    async def on_state(self, request: web.Request) -> web.Response:
        return web.json_response({"status": self._find(request).status})

    async def on_cancel(self, request: web.Request) -> web.Response:
        for run in self._find(request).runs:
            if run.run_id == request.match_info["run_id"] and not run.ended:
                run.ended = "interrupted"
                return web.json_response({})
        return web.json_response({"detail": "No matching runs to cancel."}, status=404)

    def _find(self, request: web.Request) -> Thread:
        try:
            return self.threads[request.match_info["thread_id"]]
        except KeyError:
            raise web.HTTPNotFound(text='{"detail": "Thread not found"}', content_type="application/json") from None

    def _settle(self, thread: Thread) -> bool:
        """Whether a run goes on; one whose time is over ends."""
        for run in thread.runs:
            if not run.ended and time.monotonic() >= run.begun_at + run.work_s:
                run.ended = run.status
                adds = dict(run.adds)
                thread.status = adds.pop("thread_status", "idle")
                thread.state.setdefault("messages", []).extend(adds.pop("messages", []))
                thread.state |= adds
        return any(not run.ended for run in thread.runs)

    def _show(self, run: Run) -> dict[str, Any]:
        return {"run_id": run.run_id, "status": run.ended or "running", "metadata": run.metadata}

    def routes(self) -> web.Application:
        """The application that serves it."""
        app = web.Application(client_max_size=16 << 20, middlewares=[self._misbehave])
        thread = "/threads/{thread_id}"
        app.router.add_post("/threads", self.on_thread, name="thread")
        app.router.add_get(thread, self.on_state, name="state", allow_head=False)
        app.router.add_get(f"{thread}/runs", self.on_list, name="list", allow_head=False)
        app.router.add_post(f"{thread}/runs", self.on_run, name="run")
        app.router.add_get(f"{thread}/runs/{{run_id}}/join", self.on_join, name="join", allow_head=False)
        app.router.add_post(f"{thread}/runs/{{run_id}}/cancel", self.on_cancel, name="cancel")
        return app

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = request.match_info.route.name or "unknown"
        self.asked.append((kind, await request.json() if request.can_read_body else dict(request.query)))
        faults = self.faults.get(kind)
        return await (faults.pop(0)(request, handler) if faults else handler(request))


def answers(body: Any, status: int = 200, **headers: Any) -> Fault:
    """An answer in place of its own."""

    async def fault(_: web.Request, __: Handler) -> web.StreamResponse:
        told = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, headers=told, content_type="text/html")
        return web.json_response(body, status=status, headers=told)

    return fault


async def hangs(_: web.Request, __: Handler) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def cuts(request: web.Request, _: Handler) -> web.StreamResponse:
    """No answer, as if the server had died before it did anything."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def works_and_cuts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The work is done, and the answer lost."""
    await handler(request)
    return await cuts(request, handler)


async def drips(request: web.Request, _: Handler) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


async def pours(request: web.Request, _: Handler) -> web.StreamResponse:
    """50 MB that are JSON."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"[")
    for _number in range(50):
        await response.write(b" " * (1 << 20))
    await response.write(b"]")
    return response


@asynccontextmanager
async def fake_langgraph() -> AsyncIterator[FakeLangGraph]:
    """A server at its URL."""
    fake = FakeLangGraph()
    runner = web.AppRunner(fake.routes(), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
