"""A judge's server: a fake model that answers questions about results, in the prompt's own words."""

import json
from typing import Any, NamedTuple

from aiohttp import web
from support import fake_model
from support.fake_model import (
    MEBIBYTE,
    FakeModel,
    Step,
    bomb,
    charges,
    drips,
    floods,
    hangs,
    hangs_up,
    html,
    no_http,
    picky,
    raw,
    refuses,
    says,
    status,
    zip_spaces,
)

__all__ = [
    "MEBIBYTE",
    "Asked",
    "FakeJudge",
    "Step",
    "answer",
    "bomb",
    "charges",
    "cut_off",
    "drips",
    "floods",
    "hangs",
    "hangs_up",
    "html",
    "no_http",
    "ok",
    "picky",
    "raw",
    "read_data",
    "read_request",
    "refuses",
    "says",
    "status",
    "zip_spaces",
]


class FakeJudge(FakeModel):
    """Judges each question well, unless it plays other steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = [ok()]


class Asked(NamedTuple):
    """What a request asks on either API: result and task between their marks, and the criteria by their names."""

    result: Any
    criteria: dict[str, dict[str, str]]
    words: list[str]  # the lines around the result
    instructions: str
    request: str
    task: Any = None


def read_data(message: str) -> Any:
    """What a message shows between two lines of its word."""
    name, word, *lines = message.split("\n")
    assert lines.pop() == word
    text = "\n".join(lines)
    return text if name.endswith("text:") else json.loads(text, strict=False)


def read_request(body: dict[str, Any]) -> Asked:
    messages = body.get("messages") or body["input"]
    if "instructions" in body:
        messages = [{"role": "system", "content": body["instructions"]}, *messages]
    first, *rest = messages
    assert first["role"] in {"system", "developer", "user"}
    if first["role"] == "user":
        assert rest.pop(0)["role"] == "assistant"
    assert [message["role"] for message in rest] == [*["user", "assistant"] * (len(rest) // 2), "user"]
    *tasks, result, request = [message["content"] for message in rest if message["role"] == "user"]
    _, word, *_, last = result.split("\n")
    criteria = json.loads(request.split("\n")[-1])
    task = read_data(tasks[0]) if tasks else None
    return Asked(read_data(result), criteria, [word, last], first["content"], request, task)


def answer(
    count: int, *, outcome: str = "pass", evidence: str | None = None, reason: str = "because"
) -> dict[str, Any]:
    one = {"comment": "so it is", "evidence": [] if evidence is None else [evidence], "outcome": outcome}
    return {f"c{number}": dict(one) for number in range(1, count + 1)} | {"reason": reason}


def ok(**kwargs: Any) -> Step:
    """A proper answer on every criterion of the question, which quotes the whole result."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        asked = read_request(body)
        said = answer(len(asked.criteria), **{"evidence": json.dumps(asked.result), **kwargs})
        return await says(json.dumps(said))(request, body)

    return step


def cut_off() -> Step:
    """The first half of a good answer, as its own JSON, with 200."""
    return fake_model.cut_off(ok())
