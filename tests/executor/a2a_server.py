"""An A2A server of the tests: it speaks both bindings, its tasks follow a plan, and each operation can be spoilt."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fault_agent import Call, FaultAgent, Script, says

CARD = "/agent/.well-known/agent-card.json"
#: Codes of errors, and what stands for them over HTTP+JSON.
REASONS = {
    -32001: (404, "TASK_NOT_FOUND"),
    -32002: (400, "TASK_NOT_CANCELABLE"),
    -32004: (400, "UNSUPPORTED_OPERATION"),
    -32009: (400, "VERSION_NOT_SUPPORTED"),
    -32601: (404, None),
    -32602: (400, None),
    -32603: (500, None),
}


def stands(state: str = "WORKING", words: str | None = None, *parts: Any, **fields: Any) -> dict[str, Any]:
    """How a task stands; `parts` are those of its artifact."""
    status: dict[str, Any] = {"state": f"TASK_STATE_{state}"}
    if words is not None:
        status["message"] = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": words}]}
    artifacts = [{"artifactId": "a1", "name": "answer", "parts": list(parts)}] if parts else []
    return {"status": status, "artifacts": artifacts, **fields}


BLUE = stands("COMPLETED", None, {"text": "blue"})


@dataclass
class Task:
    id: str
    message: dict[str, Any]
    coming: Iterator[dict[str, Any]]
    now: dict[str, Any] = field(default_factory=stands)
    is_canceled: bool = False

    def look(self) -> dict[str, Any]:
        if not self.is_canceled:
            self.now = next(self.coming)
        return self.show()

    def show(self) -> dict[str, Any]:
        return {"id": self.id, "contextId": self.message["contextId"], **self.now}


class A2AServer(FaultAgent):
    """Each message makes a task, also if it comes again, and each `GetTask` the next step of its plan.

    `spoilt` has scripts that answer an operation in its place, one after another; a script that is given alone answers
    always. With `is_done_first` an operation is done nevertheless, so that only its answer is lost.
    """

    def __init__(self, binding: str = "JSONRPC") -> None:
        super().__init__()
        self.binding = binding
        self.tasks: dict[str, Task] = {}
        self.plans: list[list[dict[str, Any]]] = []
        self.spoilt: dict[str, Script | list[Script]] = {}
        self.errors: dict[str, int] = {}
        self.is_done_first = False
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.canceled: list[str] = []
        self.message: dict[str, Any] | None = None
        self.card: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/agent"

    def offers(self, *interfaces: tuple[str, str, str], **fields: Any) -> None:
        """Have the card say so."""
        names = ("url", "protocolBinding", "protocolVersion")
        offered = [dict(zip(names, each, strict=True)) for each in interfaces]
        self.card = {"name": "Sky", "supportedInterfaces": offered, "skills": [], **fields}

    def plan(self, *steps: dict[str, Any]) -> str:
        """The steps of the next task, the last of which stays; its URL."""
        self.plans.append(list(steps))
        return self.url

    def count(self, operation: str) -> int:
        return [name for name, _ in self.asked].count(operation)

    def sent(self, number: int = -1) -> dict[str, Any]:
        """A message that was sent."""
        message: dict[str, Any] = [params for name, params in self.asked if name == "SendMessage"][number]["message"]
        return message

    def choose(self, call: Call) -> Script:
        if call.path == CARD:
            return self._spoil("card") or says(json.dumps(self.card).encode())
        operation, params = self._read(call)
        self.asked.append((operation, params))
        spoilt = self._spoil(operation)
        if spoilt is not None and not self.is_done_first:
            return spoilt
        if (code := self.errors.get(operation)) is not None:
            return self._refuse(code)
        done = self._do(operation, params)
        answer = self._refuse(done) if isinstance(done, int) else self._answer_with(done)
        return answer if spoilt is None else spoilt

    def _spoil(self, operation: str) -> Script | None:
        spoilt = self.spoilt.get(operation)
        if isinstance(spoilt, list):
            return spoilt.pop(0) if spoilt else None
        return spoilt

    def _read(self, call: Call) -> tuple[str, dict[str, Any]]:
        if self.binding == "JSONRPC":
            body = json.loads(call.body)
            return body["method"], body["params"]
        place = urlsplit(call.path)
        params: dict[str, Any] = dict(parse_qsl(place.query))
        path = place.path.removeprefix("/agent")
        if call.body:
            params |= json.loads(call.body)
        if path.endswith("/message:send"):
            return "SendMessage", params
        if path.endswith("/tasks"):
            return "ListTasks", params
        name = unquote(path.rpartition("/tasks/")[2])
        if call.method == "POST":
            return "CancelTask", {**params, "id": name.removesuffix(":cancel")}
        return "GetTask", {**params, "id": name}

    def _do(self, operation: str, params: dict[str, Any]) -> Any:
        if operation == "SendMessage":
            if self.message is not None:
                return {"message": self.message}
            steps = self.plans.pop(0) if self.plans else [stands()]
            task = Task(f"task-{len(self.tasks) + 1}", params["message"], chain(steps, repeat(steps[-1])))
            self.tasks[task.id] = task
            return {"task": task.show()}
        if operation == "ListTasks":
            return {"tasks": self._page(params), "nextPageToken": "", "pageSize": 20, "totalSize": 1}
        if (found := self.tasks.get(params["id"])) is None:
            return -32001
        if operation == "GetTask":
            return found.look()
        self.canceled.append(found.id)
        found.is_canceled, found.now = True, stands("CANCELED")
        return found.show()

    def _page(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        ours = [task for task in self.tasks.values() if task.message["contextId"] == params["contextId"]]
        return [{**task.show(), "history": [task.message]} for task in reversed(ours)]

    def _answer_with(self, result: Any) -> Script:
        answer = {"jsonrpc": "2.0", "id": 1, "result": result} if self.binding == "JSONRPC" else result
        return says(json.dumps(answer).encode())

    def _refuse(self, code: int) -> Script:
        if self.binding == "JSONRPC":
            error = {"code": code, "message": "so it says", "data": None}
            return says(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())
        status, reason = REASONS[code]
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
        error = {"code": status, "message": "so it says", "details": details}
        return says(json.dumps({"error": error}).encode(), status)


@asynccontextmanager
async def a2a_server(binding: str) -> AsyncIterator[A2AServer]:
    agent = A2AServer(binding)
    server = await asyncio.start_server(agent.on_connection, "127.0.0.1")
    agent.port = server.sockets[0].getsockname()[1]
    agent.offers((agent.url, binding, "1.0"))
    async with server:
        yield agent
        await agent.stop()
