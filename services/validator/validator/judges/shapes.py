"""Write requests and read answers in the two shapes of OpenAI's API, with the features that a server supports. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, Field

from contracts.resources import Usage
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from validator.errors import JudgeAnswerError
from validator.judge_config import ApiName
from validator.ports import Reply
from validator.prompt import READ, READ_TASK, Question
from validator.verdict import read_json

#: How an answer is held to its schema: by the API, by the API to any JSON object, or by the prompt alone.
Output = Literal["json_schema", "json_object", "text"]
#: The role of the instructions.
Role = Literal["system", "developer", "user"]

#: Forms that one ask may try, the first included.
FORMS_MAX: Final = 12
#: Characters of a refusal that are searched: it may repeat the whole request.
_REFUSAL_MAX_CHARS: Final = 4_000

_WEAKER_OUTPUT: dict[Output, Output] = {"json_schema": "json_object", "json_object": "text"}
_OTHER_ROLE: dict[Role, Role] = {"system": "developer", "developer": "user"}
_OTHER_API: dict[ApiName, ApiName] = {"chat": "responses", "responses": "chat"}
_OTHER_TOKENS_FIELD: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
#: Statuses that may be about the form: bad, not found, not allowed, unsupported, unprocessable, not implemented.
_OF_FORM: Final = frozenset({400, 404, 405, 415, 422, 501})
#: Those of a server without this API.
_NO_SUCH_API: Final = frozenset({404, 405, 501})
#: Codes of errors of the question, the model or the key, which no other form mends.
_NOT_OF_FORM: Final = re.compile(
    r"content_(?:filter|policy)|responsible_?ai|safety|context|model_not_found|invalid_prompt|above_max|too_(?:long|large)"
    r"|quota|api_key|auth",
    re.IGNORECASE,
)
_NAMES_OUTPUT: Final = re.compile(
    r"response_?format|json[ _]?(?:schema|object|mode)|text\.format|schema|grammar|structured", re.IGNORECASE
)
_NAMES_ROLE: Final = re.compile(
    r"[\"'`](?:system|developer)[\"'`]|\b(?:system|developer) (?:role|message|prompt)|\binstructions\b|\broles?\b",
    re.IGNORECASE,
)
_NAMES_API: Final = re.compile(r"/responses\b|responses api|chat[/ ]completions", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The features of the API that requests to a server use; by default all."""

    api: ApiName = "chat"
    output: Output = "json_schema"
    is_bounded: bool = True  # whether the schema bounds the length of strings
    role: Role = "system"
    tokens_field: str = "max_completion_tokens"  # of chat completions
    without: frozenset[str] = frozenset()  # fields that are left out

    @property
    def bounds_strings(self) -> bool:
        """Whether the API is given a schema that bounds the length of strings."""
        return self.is_bounded and self.output == "json_schema"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's refusal of a request: the HTTP status, the code or type of the error, and its message."""

    status: int
    code: str
    text: str

    @property
    def may_be_of_form(self) -> bool:
        """Whether the server may accept the same question in another form."""
        return self.status in _OF_FORM and not _NOT_OF_FORM.search(self.code)


def choose_fallback(
    form: Form, refusal: Refusal, *, parameters: dict[str, Any], may_switch: bool, is_proven: bool
) -> Form | None:
    """Return the next form to try after a refusal of `form`, or None if no other form may help.

    The next form lacks the first feature that the refusal names. If the refusal names none, the form may be the reason
    only if it is not known to work (`is_proven`); the next form then lacks the first feature that can be left out. With
    `may_switch`, the next form may be of the other API.
    """
    if not refusal.may_be_of_form:
        return None
    other = Form(_OTHER_API[form.api]) if may_switch else None
    text = refusal.text[:_REFUSAL_MAX_CHARS]
    if other and (refusal.status in _NO_SUCH_API or _NAMES_API.search(text)):
        return other
    if refusal.status in _NO_SUCH_API and refusal.status != 501:  # noqa: PLR2004
        return None
    fallbacks = list(_list_fallbacks(form, parameters))
    if named := next((fallback for pattern, fallback in fallbacks if pattern.search(text)), None):
        return named
    return None if is_proven or not fallbacks else fallbacks[0][1]


def _list_fallbacks(form: Form, parameters: dict[str, Any]) -> Iterator[tuple[re.Pattern[str], Form]]:
    """Yield, cheapest first, for each omissible feature a pattern by which refusals name it and the form without it."""
    if form.bounds_strings:
        yield re.compile("maxLength|maxItems"), replace(form, is_bounded=False)
    other = _OTHER_TOKENS_FIELD[form.tokens_field]
    if form.api == "chat" and other not in form.without:
        without = form.without | {form.tokens_field}
        yield re.compile(form.tokens_field), replace(form, tokens_field=other, without=without)
    for name in [*(["store"] if form.api == "responses" else []), *parameters]:
        if name not in form.without:
            yield re.compile(rf"\b{re.escape(name)}\b"), replace(form, without=form.without | {name})
    if weaker := _WEAKER_OUTPUT.get(form.output):
        yield _NAMES_OUTPUT, replace(form, output=weaker)
    if other_role := _OTHER_ROLE.get(form.role):
        yield _NAMES_ROLE, replace(form, role=other_role)


def find_answer(text: str) -> str:
    """Return a judge's text without a code fence around all of it, and without the model's thoughts before it.

    Words around a JSON object are not removed: a judge that quotes a verdict found in the result has given none itself.
    An ambiguous text is returned unchanged, and is then refused, since it is no JSON.
    """
    answer = text.strip()
    if answer.startswith("{"):
        return answer
    if answer.count("</think>") == 1:
        thought, _, after = answer.partition("</think>")
        if thought.rfind("<think>") <= 0:  # the template may have written the opening one
            answer = after.strip()
    if answer.startswith("```") and answer.endswith("```"):
        language, _, inside = answer[3:-3].partition("\n")
        if language.strip().casefold() in {"", "json"}:
            answer = inside.strip()
    return answer


#: Reasons of the APIs for an answer that reached its limit of tokens.
_CUT_OFF: Final = frozenset({"length", "max_output_tokens", "max_tokens"})


#: The assistant's message after instructions that only a user may give.
_UNDERSTOOD: Final = "I have read the rules, and judge by them alone."
#: Fields of a request that an operator's parameters do not override.
_OWN_FIELDS: Final = frozenset(
    "model messages input instructions prompt response_format text store n background max_tokens max_completion_tokens "  # noqa: SIM905
    "max_output_tokens stream stream_options tools tool_choice functions function_call previous_response_id "
    "conversation".split()
)


class Request(NamedTuple):
    """A question to a model, the form of the request, the most tokens of the answer, and an operator's `parameters`."""

    model: str
    question: Question
    tokens_max: int
    form: Form = Form()
    parameters: Mapping[str, Any] = {}

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the answer."""
        return self.question.write_schema(is_bounded=self.form.bounds_strings)

    @property
    def format(self) -> dict[str, Any]:
        """The format of the answer, in the words of both APIs."""
        return {"name": "verdict", "strict": True, "schema": self.schema}

    @property
    def instructions(self) -> str:
        """The rules of the prompt, and the answer's JSON Schema if the API does not enforce it."""
        rules = self.question.instructions
        if self.form.output == "json_schema":
            return rules
        schema = json_text(self.schema)
        return f"{rules}\nThe answer is one JSON object, without words around it, of this JSON Schema:\n{schema}\n"

    def write_messages(self, role: Role | None) -> list[dict[str, str]]:
        """Return the chat messages; `role` is the role of the instructions, or None to leave the instructions out."""
        question = self.question
        messages = [("user", question.result), ("assistant", READ), ("user", question.request)]
        if question.task:
            messages[:0] = [("user", question.task), ("assistant", READ_TASK)]
        if role == "user":
            messages.insert(0, ("assistant", _UNDERSTOOD))
        if role is not None:
            messages.insert(0, (role, self.instructions))
        return [{"role": role, "content": content} for role, content in messages]

    def finish(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body with the operator's parameters, and without the fields that the server does not support."""
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
    """Return how many tokens came from a prompt cache, by OpenAI's fields or DeepSeek's; 0 if none state a number."""
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    cached = usage.get("prompt_cache_hit_tokens") if cached is None else cached
    return cached if isinstance(cached, int) and cached > 0 else 0


class Api(NamedTuple):
    """One shape of the API: its path below the base URL, and how to write a request and read the answer's body.

    `read` raises JudgeAnswerError if a parsed body has no usable answer.
    """

    path: str
    write: Callable[[Request], dict[str, Any]]
    body: type[BaseModel]
    read: Callable[[Any], Reply]
    usage_names: tuple[str, str]

    def parse(self, body: bytes) -> tuple[Any, JudgeAnswerError | None]:
        """Return a parsed body and None or, if its shape is wrong, only its model and usage, and the error."""
        try:
            return read_json(self.body, body), None
        except JudgeAnswerError as fault:
            try:
                return read_json(_Consumed, body), fault
            except JudgeAnswerError:
                return _Consumed(), fault

    def read_usage(self, parsed: Any) -> Usage | None:
        """Return the usage in a parsed body, or None if there is none. Raise ValueError if the usage is malformed."""
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
