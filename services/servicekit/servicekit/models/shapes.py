"""Write requests and read answers in the two shapes of OpenAI's API. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from contracts.agent_settings import SET_BY_CALLERS, TOKENS_PARAMETERS
from contracts.resources import Usage
from servicekit.models.forms import ApiName, Form, Role
from signoff.jsontext import json_text

#: Fields of a request whose answer is one text: parameters do not set them.
OWN_FIELDS: Final = SET_BY_CALLERS | TOKENS_PARAMETERS | {"tools", "tool_choice"}


@dataclass(slots=True)
class Request:
    """A request to a model: its instructions, the messages after them by role, and the schema of the answer, if any.

    Where only a user may give instructions, the assistant answers them with `understood`. Without `tokens_max` the
    answer is not bounded. `extra` are further fields; `parameters` those that the server may refuse.
    """

    model: str
    messages: Sequence[tuple[str, str]]
    form: Form
    instructions: str | None = None
    understood: str = ""
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    tokens_max: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def format(self) -> dict[str, Any] | None:
        """The format of the answer, in the words of both APIs; None if none is asked for."""
        if self.schema is None or self.form.output == "text":
            return None
        if self.form.output == "json_object":
            return {"type": "json_object"}
        return {"type": "json_schema", "name": self.schema_name, "strict": True, "schema": self.schema}

    @property
    def rules(self) -> str | None:
        """The instructions, and the answer's JSON Schema if the API does not enforce it."""
        if self.schema is None or self.form.output == "json_schema":
            return self.instructions
        schema = json_text(self.schema)
        asked = f"The answer is one JSON object, without words around it, of this JSON Schema:\n{schema}\n"
        return f"{self.instructions}\n{asked}" if self.instructions else asked

    @property
    def tokens_bound(self) -> int | None:
        """The bound of the answer's tokens, none of which is higher than the server takes; None if there is none."""
        return min(filter(None, (self.tokens_max, self.form.tokens_most)), default=None)

    def write_messages(self, role: Role | None) -> list[dict[str, str]]:
        """Return the chat messages; `role` is the role of the instructions, or None to leave the instructions out."""
        messages, rules = list(self.messages), self.rules
        if rules is not None and role is not None:
            if role == "user" and self.understood:
                messages.insert(0, ("assistant", self.understood))
            messages.insert(0, (role, rules))
        return [{"role": role, "content": content} for role, content in messages]

    def finish(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body with the parameters, and without the fields that the server does not support."""
        without = self.form.without
        if not self.parameters and not without:
            return body
        added = {name: value for name, value in self.parameters.items() if name not in body}
        return {name: value for name, value in {**added, **body}.items() if name not in without}


class Answer(NamedTuple):
    """A model's answer: its text, how it ended, and if the model gave thoughts before it.

    `reason` is the model's refusal. `id` is the server's name of the answer.
    """

    text: str
    end: Literal["whole", "cut_off", "filtered", "refused", "failed"]
    model: str | None = None
    id: Any = None
    thinks: bool = False
    reason: str | None = None


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


class Chat(BaseModel):
    """The body of an answer by chat completions."""

    id: Any = None
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: Any = None


def _write_chat(request: Request) -> dict[str, Any]:
    form = request.form
    body: dict[str, Any] = {"model": request.model, "messages": request.write_messages(form.role)}
    if (form_of_answer := request.format) is not None:
        kind = form_of_answer.pop("type")
        body["response_format"] = {"type": kind, **({kind: form_of_answer} if form_of_answer else {})}
    if request.tokens_max is not None:
        body[form.tokens_field] = request.tokens_bound
    return request.finish({**body, **request.extra})


def _read_chat(chat: Chat) -> Answer:
    choice, message = chat.choices[0], chat.choices[0].message
    if choice.finish_reason in _CUT_OFF:
        thinks = bool(message.reasoning_content or message.reasoning) or _counts_thoughts(chat.usage)
        return Answer(message.text, "cut_off", chat.model, chat.id, thinks)
    if choice.finish_reason == _FILTERED:
        return Answer(message.text, "filtered", chat.model, chat.id)
    return Answer(
        message.text, "refused" if message.refusal else "whole", chat.model, chat.id, reason=message.refusal or None
    )


class _Item(BaseModel):
    type: str
    content: list[_Part] | None = None


class _Incomplete(BaseModel):
    reason: str | None = None


class Response(BaseModel):
    """The body of an answer by Responses."""

    id: Any = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] = []
    model: str | None = None
    usage: Any = None
    error: Any = None


def _write_responses(request: Request) -> dict[str, Any]:
    form = request.form
    body: dict[str, Any] = {"model": request.model}
    rules = request.rules
    if form.role == "system":
        body |= {"instructions": rules} if rules is not None else {}
        body["input"] = request.write_messages(None)
    else:
        body["input"] = request.write_messages(form.role)
    if (form_of_answer := request.format) is not None:
        body["text"] = {"format": form_of_answer}
    if request.tokens_max is not None:
        body["max_output_tokens"] = request.tokens_bound
    return request.finish({**body, "store": False, **request.extra})


def _read_responses(response: Response) -> Answer:
    parts = [part for item in response.output if item.type == "message" for part in item.content or []]
    text, model = _join(parts, "output_text"), response.model
    if response.status == "incomplete":
        reason = (response.incomplete_details and response.incomplete_details.reason) or "length"
        if reason == _FILTERED:
            return Answer(text, "filtered", model, response.id)
        thinks = any(item.type == "reasoning" for item in response.output) or _counts_thoughts(response.usage)
        return Answer(text, "cut_off", model, response.id, thinks)
    if response.status not in {None, "completed"}:
        return Answer(text, "failed", model, response.id)
    refusal = "".join(part.refusal or "" for part in parts if part.type == "refusal")
    return Answer(text, "refused" if refusal else "whole", model, response.id, reason=refusal or None)


#: Reasons of the APIs for an answer that reached its limit of tokens.
_CUT_OFF: Final = frozenset({"length", "max_output_tokens", "max_tokens"})
_FILTERED: Final = "content_filter"


def _join(parts: Sequence[_Part], kind: str) -> str:
    return "".join(part.text or "" for part in parts if part.type == kind)


def _counts_thoughts(usage: Any) -> bool:
    match usage:
        case {"completion_tokens_details": {"reasoning_tokens": int(tokens)}}:
            return tokens > 0
        case {"output_tokens_details": {"reasoning_tokens": int(tokens)}}:
            return tokens > 0
    return False


def find_answer(text: str) -> str:
    """Return a model's text without a code fence around all of it, and without the model's thoughts before it.

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
    """One shape of the API: its path below the base URL, and how to write a request and read the answer's body."""

    path: str
    write: Callable[[Request], dict[str, Any]]
    body: type[BaseModel]
    read: Callable[[Any], Answer]
    usage_names: tuple[str, str]

    def parse(self, body: bytes) -> tuple[Any, ValidationError | None]:
        """Return a parsed body and None or, if its shape is wrong, only its model and usage, and the error."""
        try:
            return self.body.model_validate_json(body), None
        except ValidationError as fault:
            try:
                return _Consumed.model_validate_json(body), fault
            except ValidationError:
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


APIS: Final[Mapping[ApiName, Api]] = {
    "chat": Api("chat/completions", _write_chat, Chat, _read_chat, ("prompt_tokens", "completion_tokens")),
    "responses": Api("responses", _write_responses, Response, _read_responses, ("input_tokens", "output_tokens")),
}
