"""Write requests and read answers in the two shapes of OpenAI's API, chat completions and responses. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, Field

from contracts.resources import Usage
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from validator.errors import JudgeAnswerError
from validator.judge_config import ApiName
from validator.judges.answer_text import find_answer
from validator.judges.forms import Form, Role
from validator.ports import Reply
from validator.prompt import READ, READ_TASK, Question
from validator.verdict import read_json

#: How the APIs say that an answer was as long as it may be.
_CUT_OFF: Final = frozenset({"length", "max_output_tokens", "max_tokens"})


#: What the instructions are answered with, where only a user may speak them.
_UNDERSTOOD: Final = "I have read the rules, and judge by them alone."
#: Fields of a request that are the judge's own, whatever parameters an operator names.
_OWN_FIELDS: Final = frozenset(
    {
        *(
            "model",
            "messages",
            "input",
            "instructions",
            "prompt",
            "response_format",
            "text",
            "store",
            "n",
            "background",
        ),
        *(
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
        ),
        *("functions", "function_call", "previous_response_id", "conversation"),
    }
)


class Request(NamedTuple):
    """What is asked of which model, in which form: of `tokens_max` tokens at most, with an operator's `parameters`."""

    model: str
    question: Question
    tokens_max: int
    form: Form = Form()
    parameters: Mapping[str, Any] = {}

    @property
    def schema(self) -> dict[str, Any]:
        """The answer's JSON Schema."""
        return self.question.write_schema(is_bounded=self.form.bounds_strings)

    @property
    def format(self) -> dict[str, Any]:
        """The answer's format, as both APIs name it."""
        return {"name": "verdict", "strict": True, "schema": self.schema}

    @property
    def instructions(self) -> str:
        """The rules, and the schema where the API does not hold the answer to it."""
        told = self.question.instructions
        if self.form.output == "json_schema":
            return told
        schema = json_text(self.schema)
        return f"{told}\nThe answer is one JSON object, without words around it, of this JSON Schema:\n{schema}\n"

    def write_messages(self, role: Role | None) -> list[dict[str, str]]:
        """Return what is said; `role`: who speaks the instructions, None if they are sent apart."""
        question = self.question
        said = [("user", question.result), ("assistant", READ), ("user", question.request)]
        if question.task:
            said[:0] = [("user", question.task), ("assistant", READ_TASK)]
        if role == "user":
            said.insert(0, ("assistant", _UNDERSTOOD))
        if role is not None:
            said.insert(0, (role, self.instructions))
        return [{"role": role, "content": content} for role, content in said]

    def finish(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body with the operator's parameters, and without what the server does not take."""
        if not self.parameters and not self.form.without:
            return body
        added = {name: value for name, value in self.parameters.items() if name not in _OWN_FIELDS}
        without = self.form.without
        return {name: value for name, value in {**added, **body}.items() if name not in without}


class _Part(BaseModel):
    type: str
    text: str | None = None
    refusal: str | None = None


class _ChatMessage(BaseModel):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None

    @property
    def text(self) -> str:
        content = self.content
        return content or "" if not isinstance(content, list) else _join(content, "text")


class _Choice(BaseModel):
    message: _ChatMessage
    finish_reason: str | None = None


class _ChatCompletion(BaseModel):
    id: Any = None
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: Any = None


def _write_chat(request: Request) -> dict[str, Any]:
    form = request.form
    body: dict[str, Any] = {"model": request.model, "messages": request.write_messages(form.role)}
    if form.output == "json_schema":
        body["response_format"] = {"type": "json_schema", "json_schema": request.format}
    elif form.output == "json_object":
        body["response_format"] = {"type": "json_object"}
    body[form.tokens_field] = request.tokens_max
    return request.finish(body)


def _read_chat(completion: _ChatCompletion) -> Reply:
    choice, message = completion.choices[0], completion.choices[0].message
    if choice.finish_reason in _CUT_OFF:
        thinks = bool(message.reasoning_content or message.reasoning) or _counts_thoughts(completion.usage)
        raise _to_cut_off(message.text, thinks=thinks)
    _require_unfiltered(choice.finish_reason)
    return _to_reply(message.text, message.refusal, completion.model, completion.id)


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None


class _Incomplete(BaseModel):
    reason: str | None = None


class _Response(BaseModel):
    id: Any = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] = []
    model: str | None = None
    usage: Any = None


def _write_responses(request: Request) -> dict[str, Any]:
    form = request.form
    body: dict[str, Any] = {"model": request.model}
    if form.role == "system":
        body |= {"instructions": request.instructions, "input": request.write_messages(None)}
    else:
        body["input"] = request.write_messages(form.role)
    if form.output == "json_schema":
        body["text"] = {"format": {"type": "json_schema", **request.format}}
    elif form.output == "json_object":
        body["text"] = {"format": {"type": "json_object"}}
    return request.finish({**body, "max_output_tokens": request.tokens_max, "store": False})


def _read_responses(response: _Response) -> Reply:
    parts = [part for item in response.output if item.type == "message" for part in item.content or []]
    text = _join(parts, "output_text")
    if response.status == "incomplete":
        reason = (response.incomplete_details and response.incomplete_details.reason) or "length"
        _require_unfiltered(reason)
        thinks = any(item.type == "reasoning" for item in response.output) or _counts_thoughts(response.usage)
        raise _to_cut_off(text, thinks=thinks)
    if response.status not in {None, "completed"}:
        raise JudgeAnswerError("the judge's API reports that the answer failed", code=ErrorCode.JUDGE_FAILED)
    refusal = "".join(part.refusal or "" for part in parts if part.type == "refusal")
    return _to_reply(text, refusal, response.model, response.id)


def _join(parts: Sequence[_Part], kind: str) -> str:
    return "".join(part.text or "" for part in parts if part.type == kind)


def _counts_thoughts(usage: Any) -> bool:
    match usage:
        case {"completion_tokens_details": {"reasoning_tokens": int(tokens)}}:
            return tokens > 0
        case {"output_tokens_details": {"reasoning_tokens": int(tokens)}}:
            return tokens > 0
    return False


def _to_cut_off(text: str, *, thinks: bool) -> JudgeAnswerError:
    error = JudgeAnswerError("the judge's answer was cut off", code=ErrorCode.JUDGE_INCOMPLETE)
    error.needs_room = thinks or not text or "<think>" in text
    return error


def _require_unfiltered(reason: str | None) -> None:
    if reason == "content_filter":
        raise JudgeAnswerError("a content filter stopped the judge's answer", code=ErrorCode.JUDGE_CONTENT_FILTER)


def _to_reply(text: str, refusal: str | None, model: str | None, request_id: Any) -> Reply:
    if refusal:
        raise JudgeAnswerError("the judge refused to answer", code=ErrorCode.JUDGE_REFUSED)
    if not text:
        raise JudgeAnswerError("the judge's answer has no text")
    return Reply(find_answer(text), model, request_id=request_id if isinstance(request_id, str) else None)


class _Consumed(BaseModel):
    model: Any = None
    usage: Any = None


def _read_cached(usage: dict[str, Any]) -> int:
    """Return how many tokens a prompt cache had, as OpenAI's APIs say it, or DeepSeek's; 0 if that is no number."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    cached = usage.get("prompt_cache_hit_tokens") if cached is None else cached
    return cached if isinstance(cached, int) and cached > 0 else 0


class Api(NamedTuple):
    """One shape of the API: the path below its base URL, and how to write a request and read the body that is answered.

    `read` raises JudgeAnswerError if there is nothing to read in what `parse` returned.
    """

    path: str
    write: Callable[[Request], dict[str, Any]]
    body: type[BaseModel]
    read: Callable[[Any], Reply]
    usage_names: tuple[str, str]

    def parse(self, body: bytes) -> tuple[Any, JudgeAnswerError | None]:
        """Return a body parsed, as far as it tells of what it consumed, and what is wrong with its shape."""
        try:
            return read_json(self.body, body), None
        except JudgeAnswerError as fault:
            try:
                return read_json(_Consumed, body), fault
            except JudgeAnswerError:
                return _Consumed(), fault

    def read_usage(self, parsed: Any) -> Usage | None:
        """Return what a parsed body says of tokens, whatever else is in it; raise ValueError if that is no usage."""
        usage = parsed.usage
        if usage is None:
            return None
        if not isinstance(usage, dict):
            raise ValueError("usage is no object")  # noqa: TRY004 - a stranger's value, not one of our types
        tokens = dict(zip(("input_tokens", "output_tokens"), map(usage.get, self.usage_names, (0, 0)), strict=True))
        return Usage.model_validate({**tokens, "cached_tokens": _read_cached(usage), "model": parsed.model})


APIS: dict[ApiName, Api] = {
    "chat": Api("chat/completions", _write_chat, _ChatCompletion, _read_chat, ("prompt_tokens", "completion_tokens")),
    "responses": Api("responses", _write_responses, _Response, _read_responses, ("input_tokens", "output_tokens")),
}
