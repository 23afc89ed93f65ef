"""JSON as every part of Signoff reads and writes it: one parser, so that what one accepts no other refuses."""

import json
import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic_core import from_json, to_json

#: Levels of one value. The parser itself ends at 200, and a payload stands some levels deep within an event.
LEVELS_MAX: Final = 150


def sound(value: Any) -> Any:
    """The value itself; ValueError where it is too deep, or holds NaN or an infinity (`1e400`), which JSON lacks."""
    text = to_json(value)
    if b"Infinity" in text or b"NaN" in text:  # perhaps only within a string
        json.dumps(value, allow_nan=False)
    if text.count(b"[") + text.count(b"{") > LEVELS_MAX and _levels(value) > LEVELS_MAX:
        msg = f"more than {LEVELS_MAX} levels deep"
        raise ValueError(msg)
    return value


def _levels(value: Any) -> int:
    """How deep a value is nested; counted level by level, so that depth costs no stack."""
    level, found = 0, [value]
    while found := [item for item in found if isinstance(item, dict | list)]:
        level += 1
        found = [child for item in found for child in (item.values() if isinstance(item, dict) else item)]
    return level


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259). ValueError: it is none, or not `sound`."""
    return sound(from_json(text.encode() if isinstance(text, str) else text, allow_inf_nan=False))


def json_text(value: Any) -> str:
    """The shortest JSON text of a value."""
    return to_json(value).decode()


_SKIPPING: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def members(text: str) -> dict[str, str]:
    """The members of an object, each as the text that it is; the text must be known to be an object's."""
    found: dict[str, str] = {}
    at = _behind_space(text, _behind_space(text, 0) + 1)
    while text[at] != "}":
        name, end = _SKIPPING.raw_decode(text, at)
        begin = _behind_space(text, _behind_space(text, end) + 1)
        _, end = _SKIPPING.raw_decode(text, begin)
        found[name] = text[begin:end]
        at = _behind_space(text, end)
        if text[at] == ",":
            at = _behind_space(text, at + 1)
    return found


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


#: A JSON value of any shape.
Json = Annotated[Any, AfterValidator(sound)]
