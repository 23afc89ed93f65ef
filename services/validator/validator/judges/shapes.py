"""Write requests and read answers in the two shapes of OpenAI's API, as far as a server takes them. Pure."""

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

#: How an answer is held to its schema: by the API, to any JSON object, or by the words of the prompt alone.
Output = Literal["json_schema", "json_object", "text"]
#: Who speaks the instructions.
Role = Literal["system", "developer", "user"]

#: Forms that one ask may go through, the first included.
FORMS_MAX: Final = 12
#: Characters of a refusal that are looked at: it may repeat the whole request.
_REFUSAL_MAX_CHARS: Final = 4_000

_WEAKER_OUTPUT: dict[Output, Output] = {"json_schema": "json_object", "json_object": "text"}
_HUMBLER_ROLE: dict[Role, Role] = {"system": "developer", "developer": "user"}
_OTHER_API: dict[ApiName, ApiName] = {"chat": "responses", "responses": "chat"}
_OTHER_TOKENS_FIELD: Final = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
#: Statuses that may be about the form: bad, not found, not allowed, unsupported, unprocessable, not implemented.
_OF_FORM: Final = frozenset({400, 404, 405, 415, 422, 501})
#: Those that say that there is no such API.
_NO_SUCH_API: Final = frozenset({404, 405, 501})
#: Codes of what is wrong with the question, the model or the key, in whatever form they come.
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
    """What of the API a server is asked by; a new one uses all of it."""

    api: ApiName = "chat"
    output: Output = "json_schema"
    is_bounded: bool = True  # whether the schema bounds the length of strings
    role: Role = "system"
    tokens_field: str = "max_completion_tokens"  # of chat completions
    without: frozenset[str] = frozenset()  # fields that are left out

    @property
    def bounds_strings(self) -> bool:
        """Whether the API holds strings to a length."""
        return self.is_bounded and self.output == "json_schema"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that the API did not take: its status, code or type, and words."""

    status: int
    code: str
    text: str

    @property
    def may_be_of_form(self) -> bool:
        """Whether another form may be taken."""
        return self.status in _OF_FORM and not _NOT_OF_FORM.search(self.code)


def concede(
    form: Form, refusal: Refusal, *, parameters: dict[str, Any], may_switch: bool, is_proven: bool
) -> Form | None:
    """Return the next form to try after a refusal, or None if none helps.

    It gives up the first thing that the refusal names. One that names nothing may be of the form only where none was
    taken before (`is_proven`): then it gives up the first thing that is left. `may_switch`: to the other API.
    """
    if not refusal.may_be_of_form:
        return None
    other = Form(_OTHER_API[form.api]) if may_switch else None
    text = refusal.text[:_REFUSAL_MAX_CHARS]
    if other and (refusal.status in _NO_SUCH_API or _NAMES_API.search(text)):
        return other
    if refusal.status in _NO_SUCH_API and refusal.status != 501:  # noqa: PLR2004
        return None
    given_up = list(_list_concessions(form, parameters))
    if named := next((lower for pattern, lower in given_up if pattern.search(text)), None):
        return named
    return None if is_proven or not given_up else given_up[0][1]


def _list_concessions(form: Form, parameters: dict[str, Any]) -> Iterator[tuple[re.Pattern[str], Form]]:
    """Yield what may still be given up, the cheapest first: how it is named, and the form without it."""
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
    if humbler := _HUMBLER_ROLE.get(form.role):
        yield _NAMES_ROLE, replace(form, role=humbler)


def find_answer(text: str) -> str:
    """Return the JSON object that a text is, alone in a code fence or after the model's thoughts; else the text itself.

    Words around an object are never passed over: a judge that quotes a verdict which it found in the result has given
    none itself. What is ambiguous stays what it is, which is no JSON.
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
