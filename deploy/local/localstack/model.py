"""Stand in for a model behind OpenAI's chat completions, for agents of the local stack: it writes by fixed rules.

Its answer has the task's first line, what its tools answered, and the words that the criteria quote, so that a judge
finds them. Of the tools that it is offered it calls the first one, once. With a JSON schema its answer is JSON of that
schema.
"""

import json
import time
import uuid
from typing import Any, Final

from aiohttp import web

from contracts.evidence import find_quoted

NAME: Final = "local-writer"
CHARS_A_TOKEN: Final = 4


async def complete_chat(request: web.Request) -> web.Response:
    """Answer POST /v1/chat/completions."""
    try:
        body = json.loads(await request.read())
        messages = [message for message in body["messages"] if isinstance(message, dict)]
    except (ValueError, RecursionError, TypeError, KeyError):
        error = {"message": "the body has no messages", "type": "invalid_request_error", "param": "messages"}
        return web.json_response({"error": error}, status=400)
    message = answer(messages, body.get("tools") or [], body.get("response_format") or {})
    read, written = (len(json.dumps(each)) // CHARS_A_TOKEN + 1 for each in (messages, message))
    return web.json_response(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": NAME,
            "choices": [
                {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
            ],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }
    )


def answer(messages: list[dict[str, Any]], tools: list[Any], response_format: dict[str, Any]) -> dict[str, Any]:
    """Return the message that follows `messages`: a call of the first tool, or a text."""
    task = next((_read_text(each) for each in messages if each.get("role") == "user"), "")
    answers = [_read_text(each) for each in messages if each.get("role") == "tool"]
    quoted = list(find_quoted(task))
    if tools and not answers:
        function = tools[0].get("function") or {}
        arguments = _fill(function.get("parameters") or {}, (quoted or [task])[0])
        call = {"name": function.get("name"), "arguments": json.dumps(arguments)}
        calls = [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}
    covered = f"It covers: {'; '.join(quoted)}." if quoted else ""
    text = "\n".join(filter(None, [task.strip().split("\n")[0], *answers, covered]))
    schema = (response_format.get("json_schema") or {}).get("schema")
    return {"role": "assistant", "content": text if schema is None else json.dumps(_fill(schema, text))}


def _fill(schema: Any, text: str) -> Any:
    """Return a value of a JSON schema, with `text` in its strings."""
    if not isinstance(schema, dict):
        return text
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum") or ()), None))
    if "properties" in schema:
        return {name: _fill(each, text) for name, each in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_fill(schema.get("items"), text)]
    values: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "null": None, "object": {}}
    return values.get(schema.get("type", ""), text)


def _read_text(message: dict[str, Any]) -> str:
    match message.get("content"):
        case str(text):
            return text
        case [*parts]:
            return "".join(part.get("text", "") for part in parts if isinstance(part, dict))
    return ""
