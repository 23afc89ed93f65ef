"""The storm's agents of further protocols: models behind OpenAI's API, a graph of LangGraph, tasks of an A2A server.

They know a job by its payload, and an execution by the id that its message has, or, as models do, not at all.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from support.fake_langgraph import FakeLangGraph, Run
from support.fake_model import FakeModel, Step, fails, goes_on, hangs, hangs_up, refuses, runs, says, status

from contracts.resources import NewAgent, Policy
from faults.checking.observed import ABORTED, ANSWERED, BACKGROUND, CHAT, DECLINED, GRAPH, RUNNING, TASKS, AgentCall
from signoff.status import Protocol

#: Seconds that work takes which is not done at once, by what its agent does.
_LASTS_S = {"slow": 2.0, "silent": 1e9}
_AT_ONCE_S = 0.2
_RETRY_AFTER = {"Retry-After": "1"}
_GIVEN = {"payload": "{{payload}}", "feedback": "{{feedback}}"}
#: Of which the id of an execution's message is derived.
MESSAGE = "message"

#: Notes a call of an agent, by the id that it names and what it is given; returns it with what the agent does.
Begin = Callable[[str, str, dict[str, Any], web.Request | None], tuple[AgentCall, str]]
#: The result of a piece of work, by the id that it names and what it is given.
Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


def make_agents(url: str, policy: Policy) -> list[NewAgent]:
    """Return these agents, as they are registered."""
    model = {"model": "fake", "template": "{{payload}}", "schema": {"type": "object"}}
    made: dict[str, tuple[Protocol, str, dict[str, Any]]] = {
        CHAT: (Protocol.OPENAI, "models/v1", model | {"api": "chat"}),
        BACKGROUND: (Protocol.OPENAI, "models/v1", model | {"background": True}),
        GRAPH: (Protocol.LANGGRAPH, "graphs", {"assistant": "sky", "input": _GIVEN, "output": "answer"}),
        TASKS: (Protocol.A2A, "tasks", {"template": "{{title}}", "data": _GIVEN, "output": "data"}),
    }
    return [
        NewAgent(id=name, name=name, url=f"{url}/{path}", protocol=protocol, settings=settings, policy=policy)
        for name, (protocol, path, settings) in made.items()
    ]


def end(call: AgentCall, ended: str) -> None:
    """Note how a call ended, once."""
    if call.ended == RUNNING:
        call.ended, call.ended_at = ended, time.time()


def _lasts(call: AgentCall, what: str) -> float:
    """Return the seconds that the work of a call takes, at whose end the call ends, unless it is stopped before."""
    lasts_s = _LASTS_S.get(what, _AT_ONCE_S)
    if what != "silent":
        ended = what if what in {"failed", "lost", DECLINED} else ANSWERED
        asyncio.get_running_loop().call_later(lasts_s, end, call, ended)
    return lasts_s


def _stop(known: tuple[AgentCall, str]) -> None:
    call, what = known
    end(call, "hung" if what == "silent" else ABORTED)


def _abort(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


class Models(FakeModel):
    """Models: what one is asked for by chat is answered at once, and by Responses in the background."""

    def __init__(self, begin: Begin, answer: Answer) -> None:
        super().__init__()
        self._begin, self._make = begin, answer
        self._calls: dict[str, tuple[AgentCall, str]] = {}
        self.plays(self._take)

    async def _take(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        content = (body.get("messages") or body["input"])[-1]["content"]
        payload = json.loads(content if isinstance(content, str) else content[0]["text"])
        given = {"payload": payload, "feedback": None}
        call, what = self._begin(BACKGROUND if body.get("background") else CHAT, payload["job"], given, request)
        said = says(json.dumps(self._make(payload["job"], given)))
        step = said
        if body.get("background") and not what.startswith("status "):
            step = self._go_on(call, what, said)
        if what.startswith("status "):
            step = status(int(what.removeprefix("status ")), headers=_RETRY_AFTER)
        if what in {"refused", "dropped", "hung"}:
            step = {"refused": refuses, "dropped": hangs_up, "hung": hangs}[what]()
        try:
            await asyncio.sleep(1.2 if what == "slow" and call.agent == CHAT else 0)
            response = await step(request, body)
        except asyncio.CancelledError:
            end(call, ABORTED if what in {"slow", ANSWERED} else what)
            raise
        if what == "cut":  # nobody can ask for it
            call.ended, call.ended_at = what, time.time()
            _abort(request)
        elif call.agent == CHAT or what.startswith("status "):
            end(call, ANSWERED if what == "slow" else what)
        return response

    def _go_on(self, call: AgentCall, what: str, said: Step) -> Step:
        ready_at = time.time() + _lasts(call, what)
        self._calls[f"resp_{len(self.going_on) + 1}"] = call, what

        async def poll(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            if time.time() < ready_at:
                return await runs()(request, body)
            ends = {"failed": fails("server_error"), "lost": status(404, "not_found")}
            return await ends.get(what, said)(request, body)

        return goes_on(poll)

    async def _cancel(self, request: web.Request) -> web.Response:
        _stop(self._calls[request.match_info["id"]])
        return await super()._cancel(request)


class Graph(FakeLangGraph):
    """A graph, whose runs can be looked up."""

    def __init__(self, begin: Begin, answer: Answer) -> None:
        super().__init__()
        self._begin, self._make = begin, answer
        self._calls: dict[str, tuple[AgentCall, str]] = {}
        self.plan = self._take

    def _take(self, run: Run) -> None:
        known, given = run.metadata["signoff_message_id"], run.body["input"]
        call, what = self._begin(GRAPH, known, given, None)
        if what.startswith("status "):
            end(call, what)
            kind = web.HTTPTooManyRequests if what.endswith("429") else web.HTTPInternalServerError
            raise kind(headers=_RETRY_AFTER, text="not now")
        run.work_s, run.status = _lasts(call, what), "error" if what == "failed" else "success"
        run.adds = {} if what == "failed" else {"answer": self._make(known, given)}
        self._calls[run.run_id] = call, what

    async def on_run(self, request: web.Request) -> web.Response:
        response = await super().on_run(request)
        _, what = self._calls.get(json.loads(response.text or "").get("run_id"), (None, ""))
        if what == "cut":
            _abort(request)
        return response

    async def on_cancel(self, request: web.Request) -> web.Response:
        self._settle(self._find(request))  # what has ended cannot be cancelled
        response = await super().on_cancel(request)
        if response.status < 400 and (known := self._calls.get(request.match_info["run_id"])):
            _stop(known)
        return response


@dataclass(slots=True)
class _Task:
    message: dict[str, Any]
    call: AgentCall
    what: str
    ready_at: float
    is_canceled: bool = False

    def show(self, task_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the task as it is now."""
        ends = {"failed": "FAILED", DECLINED: "REJECTED"}
        state = "WORKING" if time.time() < self.ready_at else ends.get(self.what, "COMPLETED")
        shown = {"id": task_id, "contextId": self.message["contextId"], "history": [self.message]}
        artifacts = [{"artifactId": "a", "parts": [{"data": answer}]}] if state == "COMPLETED" else []
        state = "CANCELED" if self.is_canceled else state
        return {**shown, "status": {"state": f"TASK_STATE_{state}"}, "artifacts": artifacts}


@dataclass(slots=True)
class Tasks:
    """An A2A server by JSON-RPC, which lists its tasks: each message makes one, also if it comes again."""

    begin: Begin
    answer: Answer
    _tasks: dict[str, _Task] = field(default_factory=dict)

    def routes(self) -> web.Application:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_get("/.well-known/agent-card.json", self._show_card)
        app.router.add_post("/rpc", self._on_call)
        return app

    async def _show_card(self, request: web.Request) -> web.Response:
        url = request.path.replace(".well-known/agent-card.json", "rpc")
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"name": TASKS, "supportedInterfaces": [interface]})

    async def _on_call(self, request: web.Request) -> web.Response:
        body = await request.json()
        params = body["params"]
        if body["method"] == "SendMessage":
            return self._make(request, params["message"])
        if body["method"] == "ListTasks":
            ours = [name for name, one in self._tasks.items() if one.message["contextId"] == params["contextId"]]
            return _say({"tasks": [self._show(name) for name in reversed(ours)], "nextPageToken": ""})
        task = self._tasks.get(params["id"])
        if task is None:
            return _refuse(-32001)
        if body["method"] == "CancelTask":
            if time.time() >= task.ready_at or task.is_canceled:
                return _refuse(-32002)
            task.is_canceled = True
            _stop((task.call, task.what))
        return _say(self._show(params["id"]))

    def _make(self, request: web.Request, message: dict[str, Any]) -> web.Response:
        call, what = self.begin(TASKS, message["messageId"], _read_given(message), request)
        if what.startswith("status "):
            end(call, what)
            return web.Response(status=int(what.removeprefix("status ")), headers=_RETRY_AFTER, text="not now")
        name = f"task-{len(self._tasks)}"
        self._tasks[name] = _Task(message, call, what, time.time() + _lasts(call, what))
        if what == "cut":
            _abort(request)
        return _say({"task": self._show(name)})

    def _show(self, name: str) -> dict[str, Any]:
        task = self._tasks[name]
        return task.show(name, self.answer(task.message["messageId"], _read_given(task.message)))


def _read_given(message: dict[str, Any]) -> dict[str, Any]:
    return next(part["data"] for part in message["parts"] if "data" in part)


def _say(result: dict[str, Any]) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": 1, "result": result})


def _refuse(code: int) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "so it is"}})
