"""Say in which form a server is asked, and what is given up of it when the server refuses. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from validator.judge_config import ApiName

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
