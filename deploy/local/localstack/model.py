"""Stand in for a model behind OpenAI's chat completions, for agents of the local stack: it writes by fixed rules.

Its answer has the task's first line, what its tools answered, and the words that the criteria quote, so that a judge
finds them. Of the tools that it is offered it calls the first one, once, with a text for each parameter.
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
    message = answer(messages, body.get("tools") or [])
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


def answer(messages: list[dict[str, Any]], tools: list[Any]) -> dict[str, Any]:
    """Return the message that follows `messages`: a call of the first tool, or a text."""
    task = next((_read_text(each) for each in messages if each.get("role") == "user"), "")
    answers = [_read_text(each) for each in messages if each.get("role") == "tool"]
    quoted = list(find_quoted(task))
    if tools and not answers:
        function = tools[0].get("function") or {}
        parameters = (function.get("parameters") or {}).get("properties") or {}
        arguments = dict.fromkeys(parameters, (quoted or [task])[0])
        call = {"name": function.get("name"), "arguments": json.dumps(arguments)}
        calls = [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": call}]
        return {"role": "assistant", "content": None, "tool_calls": calls}
    covered = f"It covers: {'; '.join(quoted)}." if quoted else ""
    text = "\n".join(filter(None, [task.strip().split("\n")[0], *answers, covered]))
    return {"role": "assistant", "content": text}


def _read_text(message: dict[str, Any]) -> str:
    match message.get("content"):
        case str(text):
            return text
        case [*parts]:
            return "".join(part.get("text", "") for part in parts if isinstance(part, dict))
    return ""
