"""Agents of each protocol that count their pieces of work, and a gate before them at which calls wait at a moment."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from aiohttp import web

from signoff.status import Protocol
from signoff_agent import Agent, Task, agent
from support.fake_langgraph import fake_langgraph
from support.fake_model import FakeModel, goes_on, says
from support.fakes import until
from support.free_ports import free_port
from support.system import served

#: By the secret the function checks who calls it; executors find it by the reference.
SIGNING = "file:journey/signing"
SECRET = "whsec_" + "c2lnbm9mZi1hZ2VudC1pcy10ZXN0ZWQtd2l0aC10aGlz"
#: A title by which calls and works are counted.
TITLE = re.compile(r"sky-\d+")
SAID = "The sky is blue."
_OF_A_HOP = {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}


class Moment(StrEnum):
    """A moment of a call, as the agent sees it: before the request for work comes, after that, and so on."""

    BEFORE_THE_SEND = "before the send"
    AFTER_THE_SEND = "after the send"
    AFTER_THE_ANSWER = "after the answer"
    DURING_POLLING = "during polling"


class Gate:
    """A proxy before agents. At its moment calls wait, until it is opened: for the answer, or because nobody waits."""

    def __init__(self) -> None:
        self.moment: Moment | None = None
        #: The ports of the connections that wait at the moment, by agent, path and body: a poll may come again.
        self.callers: dict[tuple[str, str, bytes], int] = {}
        self.answered = 0  # requests for work, since the gate was closed
        self.sent: Counter[str] = Counter()  # requests for work that an agent got, by title
        self._opened = asyncio.Event()

    def close(self, moment: Moment) -> None:
        """Have calls wait from now on."""
        self.moment, self.callers, self.answered, self._opened = moment, {}, 0, asyncio.Event()

    def open(self) -> None:
        """Let all go on, and who comes later pass."""
        self.moment = None
        self._opened.set()

    @asynccontextmanager
    async def before(self, name: str, peer: "Peer") -> AsyncIterator[str]:
        """Yield the origin at which an agent is called through the gate."""
        async with aiohttp.ClientSession() as session:

            async def on_request(request: web.Request) -> web.StreamResponse:
                body = await request.read()
                begins, polls = (
                    _begins_work(request, body),
                    _polls(request, body) and request.path.endswith(peer.polled),
                )
                if begins and await self._wait(Moment.BEFORE_THE_SEND, name, request):
                    raise web.HTTPServiceUnavailable  # it never came
                if polls:
                    await self._wait(Moment.DURING_POLLING, name, request)
                if begins:
                    self.sent[find_title(body.decode())] += 1
                headers = _of_both_hops(request.headers.items())
                async with session.request(
                    request.method, f"{peer.origin}{request.path_qs}", data=body, headers=headers
                ) as answer:
                    response = web.Response(
                        status=answer.status, body=await answer.read(), headers=_of_both_hops(answer.headers.items())
                    )
                if begins:
                    await self._wait(Moment.AFTER_THE_SEND, name, request)
                    await self._wait(Moment.AFTER_THE_ANSWER, name, request)
                    await response.prepare(request)
                    await response.write_eof()
                    self.answered += 1
                return response

            app = web.Application()
            app.router.add_route("*", "/{path:.*}", on_request)
            async with served(app) as gate_url:
                yield gate_url

    async def _wait(self, moment: Moment, name: str, request: web.Request) -> bool:
        if self.moment is not moment:
            return False
        assert request.transport is not None
        self.callers[name, request.path_qs, await request.read()] = request.transport.get_extra_info("peername")[1]
        await self._opened.wait()
        return True


def find_title(text: str) -> str:
    """The title of the job in a request or a piece of work."""
    found = TITLE.search(text)
    assert found is not None, text
    return found[0]


def _begins_work(request: web.Request, body: bytes) -> bool:
    if request.method != "POST" or request.path.endswith(("/threads", "/cancel")):
        return False
    return json.loads(body).get("method") in {None, "SendMessage"}


def _polls(request: web.Request, body: bytes) -> bool:
    if request.method == "POST":
        return bool(body) and json.loads(body).get("method") == "GetTask"
    return request.method == "GET" and not request.path.endswith("card.json")


def _of_both_hops(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in _OF_A_HOP}


@dataclass(frozen=True)
class Peer:
    """An agent: how it is registered, its pieces of work, and by what these are found again."""

    protocol: Protocol
    origin: str
    works: Callable[[], Iterable[Any]]
    path: str = ""
    settings: dict[str, Any] | None = None
    signing: str | None = None
    #: "ids", which the jobstore made, or the agent's "handle".
    finds_by: str | None = None
    #: Whether calls with the same key are one piece of work.
    has_keys: bool = False
    #: The end of the path of the polls that wait at a gate.
    polled: str = ""

    def count(self) -> Counter[str]:
        """The pieces of work, by the title of the job."""
        return Counter(find_title(json.dumps(work)) for work in self.works())


@asynccontextmanager
async def answering(_: Path) -> AsyncIterator[Peer]:
    """An agent that answers, and keeps its work by the key of the call."""
    works: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        works[request.headers["Idempotency-Key"]] = await request.json()
        return web.json_response({"text": SAID})

    app = web.Application()
    app.router.add_post("/", answer)
    async with served(app) as url:
        yield Peer(Protocol.HTTP, url, works.values, path="/", has_keys=True)


@asynccontextmanager
async def function(folder: Path) -> AsyncIterator[Peer]:
    """A function of signoff-agent, whose work is the titles of the jobs that it is called with."""
    called: list[str] = []

    async def answer(task: Task) -> dict[str, str]:
        called.append(task.title)
        return {"text": SAID}

    app: Agent = agent(store=folder / "work", secrets=SECRET)(answer)
    port = free_port()
    config = uvicorn.Config(app, port=port, lifespan="on", log_level="error", timeout_graceful_shutdown=1)
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    url = f"http://127.0.0.1:{port}"
    yield Peer(Protocol.HTTP_ASYNC, url, lambda: called, path="/", signing=SIGNING, finds_by="handle", has_keys=True)
    server.should_exit = True
    await serving


@asynccontextmanager
async def model(_: Path, *, background: bool) -> AsyncIterator[Peer]:
    """A model behind OpenAI's API, by chat completions or in the background."""
    fake = FakeModel()
    fake.plays(goes_on(says(SAID)) if background else says(SAID))
    await fake.start()
    origin, how = fake.base_url.removesuffix("/v1"), {"background": True} if background else {"api": "chat"}
    settings = {"model": "m", "template": "{{title}}", **how}
    finds_by = "handle" if background else None
    yield Peer(Protocol.OPENAI, origin, lambda: fake.asked, path="/v1", settings=settings, finds_by=finds_by)
    await fake.stop()


@asynccontextmanager
async def graph(_: Path, *, polled: str) -> AsyncIterator[Peer]:
    """A graph on a LangGraph server, of which runs are listed, and the last one is joined."""
    async with fake_langgraph() as fake:
        settings, works = {"assistant": "a"}, lambda: [run.body for run in fake.runs()]
        yield Peer(Protocol.LANGGRAPH, fake.url, works, settings=settings, finds_by="ids", polled=polled)


@asynccontextmanager
async def a2a_server(_: Path, *, lists: bool) -> AsyncIterator[Peer]:
    """A server of A2A by JSON-RPC: a message makes a task, which is completed once somebody asks for it."""
    tasks: dict[str, dict[str, Any]] = {}

    async def show_card(_: web.Request) -> web.Response:
        interface = {"url": "/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"supportedInterfaces": [interface]})

    def do(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "SendMessage":
                message, task_id = params["message"], f"task-{len(tasks)}"
                status = {"state": "TASK_STATE_WORKING"}
                task = {"id": task_id, "contextId": message["contextId"], "history": [message], "status": status}
                tasks[task_id] = task
                return {"result": {"task": task}}
            case "ListTasks" if lists:
                ours = [task for task in tasks.values() if task["contextId"] == params["contextId"]]
                return {"result": {"tasks": ours, "nextPageToken": ""}}
            case "GetTask":
                task = tasks[params["id"]]
                task["status"] = {"state": "TASK_STATE_COMPLETED"}
                return {"result": {**task, "artifacts": [{"artifactId": "a", "parts": [{"text": SAID}]}]}}
        return {"error": {"code": -32004, "message": "not here"}}

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"jsonrpc": "2.0", "id": 1, **do(body["method"], body["params"])})

    app = web.Application()
    app.router.add_get("/.well-known/agent-card.json", show_card)
    app.router.add_post("/rpc", answer)
    async with served(app) as url:
        settings, finds_by = {"template": "{{title}}"}, "ids" if lists else "handle"
        yield Peer(Protocol.A2A, url, tasks.values, settings=settings, finds_by=finds_by)


#: Each is given a folder of its own.
PEERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Peer]]] = {
    "http": answering,
    "http-async": function,
    "openai-chat": partial(model, background=False),
    "openai-background": partial(model, background=True),
    "langgraph": partial(graph, polled="/runs"),
    "langgraph-result": partial(graph, polled="/join"),
    "a2a": partial(a2a_server, lists=True),
    "a2a-silent": partial(a2a_server, lists=False),
}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the tests."""
        yield
