"""Call an agent in process, as an executor would: for the tests of a function."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from signoff_agent import signing
from signoff_agent.app import Agent
from signoff_agent.store import SqliteStore


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Outcome:
    """How work ended: `state`, `result`, `error`, `message` and `usage` of its last status; `reports` has the others.

    `state` is `refused` where the agent did not take the request, and `lost` where it no longer shows the work.
    """

    state: str
    status: Mapping[str, Any] = field(default_factory=dict)
    reports: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> Any:
        """The result, if the work has succeeded."""
        return self.status.get("result")

    @property
    def error(self) -> Mapping[str, Any]:
        """The error, if the work has failed: code, message, retryable."""
        return self.status.get("error") or {}


class AgentClient:
    """A client of an agent, which has a store of its own for as long as the client is entered.

        async with AgentClient(writer) as client:
            outcome = await client.run({"title": "A poem"})
        assert outcome.result == {"text": "..."}

    `secret` signs its requests; `store` is the path of a store that is kept.
    """

    def __init__(self, agent: Agent, *, secret: str | None = None, store: Path | None = None) -> None:
        self.agent = agent
        self._secret = None if secret is None else signing.parse_secrets(secret)[0]
        self._store = store
        self._folder: TemporaryDirectory[str]

    async def __aenter__(self) -> Self:
        self._folder = TemporaryDirectory()
        await self.agent.open(SqliteStore(self._store or Path(self._folder.name) / "agent"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.agent.drain(0, tells=False)
        await self.agent.close()
        self._folder.cleanup()

    async def run(self, request: Mapping[str, Any], *, key: str | None = None, **headers: str) -> Outcome:
        """Call the agent, and follow its work to the end."""
        posted = await self.post(request, key=key, **headers)
        if posted.status != 202:  # noqa: PLR2004 - accepted
            return Outcome("refused", posted.body)
        return await self.follow(posted.headers["location"])

    async def follow(self, location: str) -> Outcome:
        """Ask for work until it ends."""
        reports: list[Mapping[str, Any]] = []
        while True:
            answer = await self.get(location)
            if answer.status != 200 or answer.body["state"] != "running":  # noqa: PLR2004 - OK
                return Outcome(answer.body.get("state", "lost"), answer.body, reports)
            report = {name: value for name, value in answer.body.items() if name != "heartbeat"}
            if report not in reports[-1:]:
                reports.append(report)
            await asyncio.sleep(0.01)

    async def post(self, request: Mapping[str, Any], *, key: str | None = None, **headers: str) -> Answer:
        """Post a request; a header such as `signoff_attempt="2"` is sent with hyphens."""
        body = json.dumps(request).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", "", body, {"idempotency-key": key or secrets.token_hex(16), **sent})

    async def get(self, location: str, key: str = "") -> Answer:
        """Ask for work."""
        return await self.send("GET", location, b"", {}, key)

    async def delete(self, location: str, key: str = "") -> Answer:
        """Stop work."""
        return await self.send("DELETE", location, b"", {}, key)

    async def send(self, method: str, location: str, body: bytes, headers: Mapping[str, str], key: str = "") -> Answer:
        """Send a request to the app."""
        sent = dict(headers)
        if self._secret is not None:
            key, now_s = sent.get("idempotency-key", key), int(time.time())
            name = key if method == "POST" else f"{key}_{method.lower()}"
            signature = signing.sign(self._secret, name, now_s, body)
            sent = {"webhook-id": name, "webhook-timestamp": str(now_s), "webhook-signature": signature, **sent}
        scope = {
            "type": "http", "method": method, "path": "/", "query_string": location.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }  # fmt: skip
        answers: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def answer(message: Any) -> None:
            answers.append(message)

        await self.agent(scope, receive, answer)
        start, end = answers
        received = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], received, json.loads(end["body"]))
