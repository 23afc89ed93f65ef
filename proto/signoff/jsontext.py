"""Read and write JSON, in every part of Signoff: one parser, so that what one part accepts no other refuses."""

import json
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic_core import from_json, to_json

#: Levels of one value. The parser itself ends at 200, and a payload is nested some levels deep in an event.
LEVELS_MAX: Final = 150


def check_json_value(value: Any) -> Any:
    """Return the value. Raise ValueError if it is too deep, or holds NaN or an infinity (`1e400`), which JSON lacks."""
    text = to_json(value)
    if b"Infinity" in text or b"NaN" in text:  # perhaps only within a string
        json.dumps(value, allow_nan=False)
    if text.count(b"[") + text.count(b"{") > LEVELS_MAX and _count_levels(value) > LEVELS_MAX:
        raise ValueError(f"more than {LEVELS_MAX} levels deep")
    return value


def _count_levels(value: Any) -> int:
    """Return how deep a value is nested; counted level by level, so that depth costs no stack."""
    level, items = 0, [value]
    while items := [item for item in items if isinstance(item, dict | list)]:
        level += 1
        items = [child for item in items for child in (item.values() if isinstance(item, dict) else item)]
    return level


def parse_json(text: bytes | str) -> Any:
    """Return the value of a JSON text (RFC 8259). Raise ValueError for any other text, or as `check_json_value`."""
    return check_json_value(from_json(text.encode() if isinstance(text, str) else text, allow_inf_nan=False))


def json_text(value: Any) -> str:
    """Return the shortest JSON text of a value."""
    return to_json(value).decode()


#: A JSON value of any shape.
Json = Annotated[Any, AfterValidator(check_json_value)]
