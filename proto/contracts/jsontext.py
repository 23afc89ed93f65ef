"""JSON as every part of Signoff reads and writes it: one parser, so that what one accepts no other refuses."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import from_json, to_json


def finite(value: Any) -> Any:
    """The value itself; ValueError where it holds an infinity (`1e400`) or NaN, which no JSON text can say."""
    text = to_json(value)
    if b"Infinity" in text or b"NaN" in text:  # perhaps only within a string
        json.dumps(value, allow_nan=False)
    return value


def parse_json(text: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259; some 200 levels at most). ValueError: it is none."""
    return finite(from_json(text, allow_inf_nan=False))


def json_text(value: Any) -> str:
    """The shortest JSON text of a value."""
    return to_json(value).decode()


#: A JSON value of any shape.
Json = Annotated[Any, AfterValidator(finite)]
