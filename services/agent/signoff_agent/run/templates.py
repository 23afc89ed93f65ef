"""Check and fill in templates, texts in which `{{payload.city}}` stands for a value of the request.

The syntax is that of Signoff's agents of protocol `openai`: names and paths, and nothing else. Values are put in once,
so that a value with braces in it never becomes a template.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

#: The members of a request that a template may name.
NAMES: Final = ("title", "description", "acceptance_criteria", "payload", "feedback")
#: The template of an agent that has none of its own.
DEFAULT: Final = """\
{{title}}

{{description}}

The result is accepted only if it meets these criteria:
{{acceptance_criteria}}

Input:
{{payload}}

Feedback on the submission before, if there was one:
{{feedback}}"""

#: No place begins within another, so that a text of nothing but braces is read once.
_PLACE: Final = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*)\}\}")
_PATH: Final = re.compile(r"\s*([a-z_]+)((?:\.[^.{}\s]+)*)\s*")
_DEPTH_MAX: Final = 20


def check(template: str) -> str:
    """Return the template. Raise ValueError if it names anything but a path into one of NAMES."""
    for found in _PLACE.finditer(template):
        _parse(found[1])
    if "{{" in _PLACE.sub("", template):
        raise ValueError("{{ has no }} behind it")
    return template


def fill(template: str, request: Mapping[str, Any]) -> str:
    """Return a template with the values of a request in place of their names: a text as it is, all else as JSON."""

    def put(found: re.Match[str]) -> str:
        value = _find(request, _parse(found[1]))
        return value if isinstance(value, str) else to_json(value).decode()

    return _PLACE.sub(put, template)


def _find(value: Any, path: list[str]) -> Any:
    """Return the value at a path: a member's name, or an item's number, from the end if negative; None if none is."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", part):
            number = int(part)
            value = value[number] if -len(value) <= number < len(value) else None
        else:
            return None
    return value


def _parse(text: str) -> list[str]:
    matched = _PATH.fullmatch(text)
    if matched is None:
        raise ValueError(f"{{{{{text[:50]}}}}} must be a name or a path: {{{{payload.city}}}}")
    name, rest = matched.groups()
    if name not in NAMES:
        raise ValueError(f"{name[:50]} is none of {', '.join(NAMES)}")
    parts = rest[1:].split(".") if rest else []
    if len(parts) > _DEPTH_MAX:
        raise ValueError(f"must be names and numbers with points between them, {_DEPTH_MAX} at most")
    return [name, *parts]
