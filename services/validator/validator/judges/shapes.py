"""Write requests and read answers in the two shapes of OpenAI's API, chat completions and responses. Pure."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from contracts.resources import Usage
from validator.errors import JudgeAnswerError
from validator.judge_config import ApiName
from validator.ports import Reply
from validator.prompt import READ, Question
from validator.verdict import read_json


class Request(NamedTuple):
    """What is asked of which model: `schema` is that of the answer, which has `tokens_max` tokens at most."""

    model: str
    question: Question
    schema: dict[str, Any]
    tokens_max: int

    @property
    def format(self) -> dict[str, Any]:
        """The answer's format, as both APIs name it."""
        return {"name": "verdict", "strict": True, "schema": self.schema}

    @property
    def messages(self) -> list[dict[str, str]]:
        """What is said after the instructions."""
        question = self.question
        said = ("user", question.result), ("assistant", READ), ("user", question.request)
        return [{"role": role, "content": content} for role, content in said]


class _ChatMessage(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _ChatMessage
    finish_reason: str | None = None


class _ChatCompletion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None


def _write_chat(request: Request) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": [{"role": "system", "content": request.question.instructions}, *request.messages],
        "response_format": {"type": "json_schema", "json_schema": request.format},
        "max_completion_tokens": request.tokens_max,
    }


def _read_chat(body: bytes) -> Reply:
    completion = read_json(_ChatCompletion, body)
    choice = completion.choices[0]
    _require_whole(choice.finish_reason)
    return _to_reply(choice.message.content, choice.message.refusal, completion.model)


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


def _write_responses(request: Request) -> dict[str, Any]:
    return {
        "model": request.model,
        "instructions": request.question.instructions,
        "input": request.messages,
        "text": {"format": {"type": "json_schema", **request.format}},
        "max_output_tokens": request.tokens_max,
        "store": False,
    }


def _read_responses(body: bytes) -> Reply:
    response = read_json(_Response, body)
    if response.status == "incomplete":
        _require_whole((response.incomplete_details and response.incomplete_details.reason) or "length")
    elif response.status not in {None, "completed"}:
        raise JudgeAnswerError("the judge's API reports that the answer failed", code="judge_failed")
    parts = [part for item in response.output if item.type == "message" for part in item.content or []]
    text = "".join(part.text or "" for part in parts if part.type == "output_text")
    refusal = "".join(part.refusal or "" for part in parts if part.type == "refusal")
    return _to_reply(text, refusal, response.model)


def _require_whole(finish_reason: str | None) -> None:
    if finish_reason == "content_filter":
        raise JudgeAnswerError("a content filter stopped the judge's answer", code="judge_content_filter")
    if finish_reason in {"length", "max_output_tokens"}:
        raise JudgeAnswerError("the judge's answer was cut off", code="judge_incomplete")


def _to_reply(text: str | None, refusal: str | None, model: str | None) -> Reply:
    if refusal:
        raise JudgeAnswerError("the judge refused to answer", code="judge_refused")
    if not text:
        raise JudgeAnswerError("the judge's answer has no text")
    return Reply(text, model)


class _Consumed(BaseModel):
    model: Any = None
    usage: Any = None


def _make_usage_reader(input_name: str, output_name: str) -> Callable[[bytes], Usage | None]:
    def read_usage(body: bytes) -> Usage | None:
        try:
            consumed = read_json(_Consumed, body)
        except JudgeAnswerError:
            return None
        if consumed.usage is None:
            return None
        if not isinstance(consumed.usage, dict):
            raise ValueError("usage is no object")  # noqa: TRY004 - a stranger's value, not one of our types
        usage = consumed.usage
        tokens = {"input_tokens": usage.get(input_name, 0), "output_tokens": usage.get(output_name, 0)}
        return Usage.model_validate({**tokens, "model": consumed.model})

    return read_usage


class Api(NamedTuple):
    """One shape of the API: the path below its base URL, and how to write a request and read the body that is answered.

    `read` raises JudgeAnswerError if there is nothing to read. `read_usage` returns
    what the body says of tokens, whatever else is in it, and raises ValueError if that cannot be understood.
    """

    path: str
    write: Callable[[Request], dict[str, Any]]
    read: Callable[[bytes], Reply]
    read_usage: Callable[[bytes], Usage | None]


APIS: dict[ApiName, Api] = {
    "chat": Api("chat/completions", _write_chat, _read_chat, _make_usage_reader("prompt_tokens", "completion_tokens")),
    "responses": Api(
        "responses", _write_responses, _read_responses, _make_usage_reader("input_tokens", "output_tokens")
    ),
}
