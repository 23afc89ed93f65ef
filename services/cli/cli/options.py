"""Read the values of options: JSON, pairs and times, as text, from a file or from standard input."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from decimal import Decimal

    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def find_given(options: Mapping[str, Any], **parsers: tuple[Callable[[Any, str], Any], str]) -> dict[str, Any]:
    """Return the options that are given, each that has a parser as that reads it under its name on the command line."""
    given = {name: value for name, value in options.items() if value is not None}
    return given | {name: parse(given[name], option) for name, (parse, option) in parsers.items() if name in given}


def read_json(text: str, option: str) -> Any:
    """Return the value of JSON, of the JSON in `@file`, or of that on standard input (`-`)."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - heavy, and only needed here

    try:
        return parse_json(_read(text[1:]) if text.startswith("@") else _read("-") if text == "-" else text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"is no JSON: {error}", param_hint=option) from error


def read_text(text: str, option: str) -> str:
    """Return a text, that in `@file`, or that on standard input (`-`)."""
    try:
        return _read(text.removeprefix("@")).decode() if text == "-" or text.startswith("@") else text
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"cannot be read: {error}", param_hint=option) from error


def read_texts(texts: Iterable[str], option: str) -> str:
    """Return texts that are given one by one, each as `read_text` takes it, line after line."""
    return "\n".join(read_text(text, option) for text in texts)


def read_json_file(path: str, option: str) -> Any:
    """Return the value of the JSON in a file, or on standard input (`-`)."""
    return read_json(path if path == "-" else f"@{path}", option)


def read_document(path: str, option: str) -> Any:
    """Return the value of the JSON in a file or on standard input (`-`), or of the YAML in one named so."""
    if not path.endswith((".yaml", ".yml")):
        return read_json_file(path, option)
    import yaml  # noqa: PLC0415 - only needed here

    try:
        return json.loads(json.dumps(yaml.safe_load(_read(path)), allow_nan=False))  # which a date, say, is none of
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise typer.BadParameter(f"is no YAML of JSON's values: {error}", param_hint=option) from error


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def parse_pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Return a mapping of texts `name=value`."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint=option)
        values[name] = value
    return values


def parse_usd(text: str | None, option: str) -> "Decimal | None":
    """Return an amount of money. Raise BadParameter if it is none, or has more than nine digits after the point."""
    from signoff.values import USD_MAX, to_nanos, to_usd  # noqa: PLC0415 - only needed here

    try:
        return None if text is None else to_usd(to_nanos(text, usd_max=USD_MAX, rounds=False))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def parse_future_time(text: str | None, option: str) -> datetime | None:
    """Return a time of ISO 8601, local if it names no zone, or a time from now (`90s`, `15m`, `1h`, `2d`)."""
    return _parse_time(text, option, 1, "from now")


def parse_past_time(text: str | None, option: str) -> datetime | None:
    """Return a time of ISO 8601, local if it names no zone, or a time ago (`90s`, `15m`, `1h`, `2d`)."""
    return _parse_time(text, option, -1, "ago")


def parse_seconds(text: str, option: str) -> int:
    """Return a length of time (`90s`, `15m`, `1h`, `2d`) in whole seconds."""
    if (duration := _DURATION.fullmatch(text)) is None:
        raise typer.BadParameter(f"{text!r} is no length of time (90s, 15m, 1h, 2d)", param_hint=option)
    return round(float(duration[1]) * _SECONDS[duration[2]])


def _parse_time(text: str | None, option: str, sign: int, way: str) -> datetime | None:
    if text is None:
        return None
    try:
        if duration := _DURATION.fullmatch(text):
            return datetime.now(UTC) + sign * timedelta(seconds=float(duration[1]) * _SECONDS[duration[2]])
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a time (2026-11-24T09:30:00Z) nor a length of time {way} (90s, 15m, 1h, 2d)"
        raise typer.BadParameter(message, param_hint=option) from None


def validate_model(kind: type[Model], fields: Any, option: str) -> Model:
    """Return a model of the fields. Raise BadParameter if they are invalid."""
    from pydantic import ValidationError  # noqa: PLC0415 - heavy, and only needed here

    from contracts.fields import describe_problem  # noqa: PLC0415 - same

    try:
        return kind.model_validate(fields, extra="forbid")
    except ValidationError as error:
        wrong = "; ".join(describe_problem(problem, kind) for problem in error.errors())
        raise typer.BadParameter(wrong, param_hint=option) from error
