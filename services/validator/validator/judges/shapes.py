"""The two shapes of OpenAI's API, chat completions and responses: what is asked, and what the answer says. Pure."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from validator.errors import JudgeAnswerError
from validator.ports import Reply
from validator.prompt import RULES
from validator.verdict import ANSWER_SCHEMA, read_json

ApiName = Literal["chat", "responses"]

_FORMAT = {"name": "verdict", "strict": True, "schema": ANSWER_SCHEMA}


class _ChatMessage(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _ChatMessage
    finish_reason: str | None = None


class _ChatCompletion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None


def _chat_request(model: str, document: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "system", "content": RULES}, {"role": "user", "content": document}],
        "response_format": {"type": "json_schema", "json_schema": _FORMAT},
    }


def _read_chat(body: bytes) -> Reply:
    completion = read_json(_ChatCompletion, body)
    choice = completion.choices[0]
    _require_whole(choice.finish_reason)
    return _reply(choice.message.content, choice.message.refusal, completion.model)


class _Part(BaseModel):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None


class _Incomplete(BaseModel):
    reason: str | None = None


class _Response(BaseModel):
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] = []
    model: str | None = None


def _responses_request(model: str, document: str) -> dict[str, Any]:
    return {
        "model": model,
        "instructions": RULES,
        "input": [{"role": "user", "content": document}],
        "text": {"format": {"type": "json_schema", **_FORMAT}},
        "store": False,
    }


def _read_response(body: bytes) -> Reply:
    response = read_json(_Response, body)
    if response.status == "incomplete":
        _require_whole((response.incomplete_details and response.incomplete_details.reason) or "length")
    elif response.status not in {None, "completed"}:
        raise JudgeAnswerError("the judge's API reports that the answer failed", code="judge_failed")
    parts = [part for item in response.output if item.type == "message" for part in item.content or []]
    text = "".join(part.text or "" for part in parts if part.type == "output_text")
    refusal = "".join(part.refusal or "" for part in parts if part.type == "refusal")
    return _reply(text, refusal, response.model)


def _require_whole(finish_reason: str | None) -> None:
    if finish_reason == "content_filter":
        raise JudgeAnswerError("a content filter stopped the judge's answer", code="judge_content_filter")
    if finish_reason in {"length", "max_output_tokens"}:
        raise JudgeAnswerError("the judge's answer was cut off", code="judge_incomplete")


def _reply(text: str | None, refusal: str | None, model: str | None) -> Reply:
    if refusal:
        raise JudgeAnswerError("the judge refused to answer", code="judge_refused")
    if not text:
        raise JudgeAnswerError("the judge's answer has no text")
    return Reply(text, model)


class Api(NamedTuple):
    """Where to post, what (of model and document), and how to read the body; JudgeAnswerError: nothing to read."""

    path: str
    request: Callable[[str, str], dict[str, Any]]
    read: Callable[[bytes], Reply]


APIS: dict[ApiName, Api] = {
    "chat": Api("/chat/completions", _chat_request, _read_chat),
    "responses": Api("/responses", _responses_request, _read_response),
}
