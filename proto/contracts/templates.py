"""Check and fill in templates: texts, or JSON of texts, in which `{{payload.city}}` stands for a value of the request.

A template has names and paths, and nothing else: no conditions, loops or functions. Values are put in once, so that a
value with braces in it never becomes a template.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from contracts.fields import Text
from signoff.jsontext import Json, json_text

#: The members of an agent's request that a template may name.
NAMES: Final = ("title", "description", "acceptance_criteria", "payload", "feedback")
#: The template of an agent whose settings have none.
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
#: Names in a template at most: each may stand for the largest payload.
PLACES_MAX: Final = 50


def check_text(template: str) -> str:
    """Return the template. Raise ValueError if it names anything but a path into one of NAMES, or too many."""
    places = _PLACE.findall(template)
    for place in places:
        _parse(place)
    _check_count(len(places))
    if "{{" in _PLACE.sub("", template):
        raise ValueError("{{ has no }} behind it")
    return template


def _check_count(places: int) -> None:
    if places > PLACES_MAX:
        raise ValueError(f"has {places} names in braces, and may have {PLACES_MAX}")


def check_json(template: Any) -> Any:
    """Return a JSON value whose texts are templates. Raise ValueError, with the place, if one is not."""
    for place, text in _list_texts(template):
        try:
            check_text(text)
        except ValueError as error:
            raise ValueError(f"{place}: {error}" if place else str(error)) from None
    _check_count(sum(len(_PLACE.findall(text)) for _, text in _list_texts(template)))
    return template


#: A text that is a template, and JSON in which each text is one.
TextTemplate = Annotated[Text, AfterValidator(check_text)]
JsonTemplate = Annotated[Json, AfterValidator(check_json)]


def fill_text(template: str, request: Mapping[str, Any]) -> str:
    """Return a template with the values of a request in place of their names: a text as it is, all else as JSON."""
    parts = [part if isinstance(part, str) else find(request, part) for part in _split(template)]
    return "".join(part if isinstance(part, str) else json_text(part) for part in parts)


@lru_cache(maxsize=256)
def _split(template: str) -> list[str | list[str]]:
    """Return the parts of a template in order: texts, and the paths of names."""
    parts: list[str | list[str]] = list(_PLACE.split(template))
    parts[1::2] = [_parse(str(name)) for name in parts[1::2]]
    return parts


def fill_json(template: Any, request: Mapping[str, Any]) -> Any:
    """Return a JSON template with its texts filled in; a text that is nothing but one name becomes the value itself."""
    if isinstance(template, str):
        match _split(template):
            case ["", list(path), ""]:
                return find(request, path)
        return fill_text(template, request)
    if isinstance(template, list):
        return [fill_json(each, request) for each in template]
    if isinstance(template, dict):
        return {name: fill_json(each, request) for name, each in template.items()}
    return template


def find(value: Any, path: list[str], missing: Any = None) -> Any:
    """Return the value at a path: a member's name, or an item's number, from the end if negative; else `missing`."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part, missing)
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", part):
            number = int(part)
            value = value[number] if -len(value) <= number < len(value) else missing
        else:
            return missing
    return value


def split_path(text: str) -> list[str]:
    """Return the parts of a path such as `messages.-1.content`. Raise ValueError for an empty part, or too many."""
    parts = text.split(".")
    if not all(parts) or len(parts) > _DEPTH_MAX:
        raise ValueError(f"must be names and numbers with points between them, {_DEPTH_MAX} at most")
    return parts


def _parse(text: str) -> list[str]:
    matched = _PATH.fullmatch(text)
    if matched is None:
        raise ValueError(f"{{{{{text[:50]}}}}} must be a name or a path: {{{{payload.city}}}}")
    name, rest = matched.groups()
    if name not in NAMES:
        raise ValueError(f"{name[:50]} is none of {', '.join(NAMES)}")
    return [name, *split_path(rest[1:])] if rest else [name]


def _list_texts(template: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(template, str):
        yield place, template
    elif isinstance(template, list | dict):
        members = template.items() if isinstance(template, dict) else enumerate(template)
        for name, each in members:
            yield from _list_texts(each, f"{place}.{name}" if place else str(name))
