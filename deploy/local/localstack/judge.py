"""Serve the local judge: the OpenAI API, answered by fixed rules. It exists only in the local stack.

The last user message ends with a line of JSON, `{"c1": {"kind": "meets", "text": ".."}, ..}`. The one before it is the
result, between two lines that are the same: JSON, or a text, as the line before them says. By version 2 of the prompt
nothing stands before them, and the criteria stand first. The answer's text is `{"c1": {"comment", "evidence",
"outcome"}, .., "reason": ".."}`.
"""

import json
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from localstack.rules import DISCLAIMER, Judged
from localstack.server import serve

MODEL = "local-rules"
BODY_MAX_BYTES = 32 * 1024 * 1024
CHARS_A_TOKEN = 4  # an estimate: the judge counts no tokens


class BadRequestError(Exception):
    """A request that is answered with 400; `param` names the wrong parameter."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def create_app() -> web.Application:
    """Make the application, without a server."""
    app = web.Application(client_max_size=BODY_MAX_BYTES)
    app.router.add_post("/v1/chat/completions", complete_chat)
    app.router.add_post("/v1/responses", respond)
    app.router.add_get("/v1/models", list_models)
    return app


async def complete_chat(request: web.Request) -> web.Response:
    """Answer POST /v1/chat/completions."""
    try:
        body = await _read_body(request)
        question = read_question(body.get("messages"), "messages")
        answer = question.judge()
    except BadRequestError as error:
        return _refuse(error)
    read, written = _estimate_tokens(question.text), _estimate_tokens(answer)
    message: dict[str, Any] = {"role": "assistant", "content": answer, "refusal": None, "annotations": []}
    return web.json_response(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model") or MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }
    )


async def respond(request: web.Request) -> web.Response:
    """Answer POST /v1/responses."""
    try:
        body = await _read_body(request)
        question = read_question(body.get("input"), "input")
        answer = question.judge()
    except BadRequestError as error:
        return _refuse(error)
    read, written = _estimate_tokens(question.text), _estimate_tokens(answer)
    content: dict[str, Any] = {"type": "output_text", "text": answer, "annotations": [], "logprobs": []}
    message = {"type": "message", "role": "assistant", "status": "completed", "content": [content]}
    return web.json_response(
        {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "model": body.get("model") or MODEL,
            "output": [{"id": f"msg_{uuid.uuid4().hex}", **message}],
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "store": False,
            "temperature": 0.0,
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": {
                "input_tokens": read,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": read + written,
            },
        }
    )


async def list_models(_request: web.Request) -> web.Response:
    """Answer GET /v1/models."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": DISCLAIMER}
    return web.json_response({"object": "list", "data": [model]})


@dataclass(frozen=True)
class Question:
    """What is asked: criteria by name, as pairs of kind and text; `text` is all that was read."""

    result: Any
    criteria: dict[str, tuple[str, str]]
    text: str

    def judge(self) -> str:
        """Judge the result, and return the verdict's JSON text."""
        judged = Judged(self.result, [text for _, text in self.criteria.values()])
        findings = {name: judged.judge(text, kind) for name, (kind, text) in self.criteria.items()}
        # A verdict may have other criteria, which checks or other judges decide: a count here would not be that of all.
        has_all = all(finding.outcome == "pass" for finding in findings.values())
        reason = f"{'all' if has_all else 'not all'} that this judge was asked about passed ({DISCLAIMER})"
        answer = {name: finding.say() for name, finding in findings.items()}
        return json.dumps({**answer, "reason": reason}, ensure_ascii=False)


def read_question(messages: Any, param: str) -> Question:
    """Read what messages ask; `param` is where they stand in the body."""
    texts = _list_user_texts(messages if isinstance(messages, list) else [])
    lines = texts[-2].split("\n") if len(texts) > 1 else []
    match lines:
        case [first, text, last] if first == last:
            result, line = _parse(text, "the result"), 0
        case [name, first, *parts, last] if first == last and name.endswith((", text:", ", JSON:")):
            text, line = "\n".join(parts), -1
            result = text if name.endswith("text:") else _parse(text, "the result")
        case _:
            message = f"{param} holds no user message with a result between two lines that are the same"
            raise BadRequestError(message, param)
    criteria = _parse_object(texts[-1].split("\n")[line], "the line of criteria in the last user message")
    return Question(result, {name: _read_criterion(item) for name, item in criteria.items()}, "\n".join(texts[-2:]))


def _read_criterion(item: Any) -> tuple[str, str]:
    match item:
        case {"kind": str(kind), "text": str(text)}:
            return kind, text
    raise BadRequestError('each criterion must be {"kind": string, "text": string}')


async def _read_body(request: web.Request) -> dict[str, Any]:
    try:
        raw = (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise BadRequestError("the body is not UTF-8") from error
    body = _parse_object(raw, "the body")
    if body.get("stream"):
        raise BadRequestError("the local judge does not stream", "stream")
    return body


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text, strict=False)  # line breaks stand in strings as they are
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"{what} is not JSON: {error}") from error


def _parse_object(text: str, what: str) -> dict[str, Any]:
    value = _parse(text, what)
    if not isinstance(value, dict):
        raise BadRequestError(f"{what} is not a JSON object")
    return value


def _list_user_texts(messages: list[Any]) -> list[str]:
    texts = []
    for message in messages:
        match message:
            case {"role": "user", "content": str(text)}:
                texts.append(text)
            case {"role": "user", "content": [*parts]}:
                texts.append("".join(part["text"] for part in parts if isinstance(part, dict) and _is_text(part)))
    return texts


def _is_text(part: dict[str, Any]) -> bool:
    return part.get("type") in {"text", "input_text"} and isinstance(part.get("text"), str)


def _estimate_tokens(text: str) -> int:
    return len(text) // CHARS_A_TOKEN + 1


def _refuse(error: BadRequestError) -> web.Response:
    details = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": None}
    return web.json_response({"error": details}, status=400)


if __name__ == "__main__":
    serve(create_app(), int(sys.argv[1]), *sys.argv[2:])
