"""Choose the features of OpenAI's API that requests to a server use, by the server's refusals. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

#: The two shapes of OpenAI's API.
ApiName = Literal["chat", "responses"]
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
_NAMES_TOKENS: Final = re.compile(r"max_(?:completion_|output_)?tokens")
#: How servers say which bound they take at most; vLLM of its context, less what the request has.
_TOKENS_MOST: Final = re.compile(r"(?:at most|<=|>) (\d{1,9})\b(?: - (\d{1,9})\b)?")
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
    tokens_most: int | None = None  # the highest bound of an answer's tokens that is taken; None: none is known

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
        return (self.status in _OF_FORM and not _NOT_OF_FORM.search(self.code)) or self.tokens_most is not None

    @property
    def tokens_most(self) -> int | None:
        """The highest bound of an answer's tokens that the server takes; None if that is not what it refuses."""
        text = self.text[:_REFUSAL_MAX_CHARS]
        if self.status not in _OF_FORM or not _NAMES_TOKENS.search(text):
            return None
        found = _TOKENS_MOST.search(text)
        return max(1, int(found[1]) - int(found[2] or 0)) if found else None


def choose_fallback(
    form: Form, refusal: Refusal, *, parameters: Mapping[str, Any], may_switch: bool, is_proven: bool
) -> Form | None:
    """Return the next form to try after a refusal of `form`, or None if no other form may help.

    The next form lacks the first feature that the refusal names. If the refusal names none, the form may be the reason
    only if it is not known to work (`is_proven`); the next form then lacks the first feature that can be left out. With
    `may_switch`, the next form may be of the other API.
    """
    if bounded := _bound_tokens(form, refusal):
        return bounded
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


def _bound_tokens(form: Form, refusal: Refusal) -> Form | None:
    most = refusal.tokens_most
    return replace(form, tokens_most=most) if most and (form.tokens_most is None or most < form.tokens_most) else None


def _list_fallbacks(form: Form, parameters: Mapping[str, Any]) -> Iterator[tuple[re.Pattern[str], Form]]:
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
