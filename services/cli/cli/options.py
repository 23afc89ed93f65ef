"""Values that are given as text, as a file, or on standard input."""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from contracts.jsontext import parse_json

Model = TypeVar("Model", bound=BaseModel)

_IN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def json_value(text: str, option: str) -> Any:
    """The value of JSON, of `@file`, or of standard input (`-`)."""
    try:
        return parse_json(_read(text[1:]) if text.startswith("@") else _read("-") if text == "-" else text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"is no JSON: {error}", param_hint=option) from error


def json_file(path: str, option: str) -> Any:
    """The JSON in a file, or on standard input (`-`)."""
    return json_value(path if path == "-" else f"@{path}", option)


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """`name=value`, many times."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint=option)
        found[name] = value
    return found


def later(text: str | None, option: str) -> datetime | None:
    """A point in time: ISO 8601, local where no zone is said, or in so long (`90s`, `15m`, `1h`, `2d`)."""
    if text is None:
        return None
    try:
        if found := _IN.fullmatch(text):
            return datetime.now(UTC) + timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a time (2026-11-24T09:30:00Z) nor a while (90s, 15m, 1h, 2d)"
        raise typer.BadParameter(message, param_hint=option) from None


def model(kind: type[Model], fields: Any, option: str) -> Model:
    """A model; what is wrong with it is bad usage."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'it'}: {item['msg']}" for item in error.errors())
        raise typer.BadParameter(wrong, param_hint=option) from error
