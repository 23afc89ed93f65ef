"""Declare options that give fields, and read their values: JSON, pairs and times, and what is in a file or piped."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from decimal import Decimal

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Option(NamedTuple):
    """A command-line option that gives one field of a request; `parse`, if any, converts the option's value."""

    flag: str
    parameter: inspect.Parameter
    parse: Callable[[Any, str], Any] | None


def option(
    flags: str,
    kind: Any,
    help: str,  # noqa: A002 - Typer's word
    field: str | None = None,
    *,
    parse: Callable[[Any, str], Any] | None = None,
    **settings: Any,
) -> Option:
    """Return a command-line option that gives `field`, by default the field that is named like the option.

    `parse(value, flag)` returns the field's value, or raises BadParameter. The `settings` are those of typer.Option.
    """
    flag = flags.partition("/")[0]
    annotation = Annotated[kind | None, typer.Option(flags, help=help, **settings)]
    name = field or flag.removeprefix("--").replace("-", "_")
    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
    return Option(flag, parameter, parse)


class Options:
    """Options that are read together. A call with the options' values returns the fields that the options give."""

    def __init__(self, *options: Option) -> None:
        self._options = {one.parameter.name: one for one in options}
        self.__signature__ = inspect.Signature([one.parameter for one in options])

    def __call__(self, **values: Any) -> dict[str, Any]:
        """Return, by field, the value of each option that is not None, converted by the option's `parse`."""
        given = [(self._options[name], name, value) for name, value in values.items() if value is not None]
        return {name: one.parse(value, one.flag) if one.parse else value for one, name, value in given}


def find_given(**fields: Any) -> dict[str, Any]:
    """Return those of the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def read_json(text: str, option: str) -> Any:
    """Parse JSON: `text`, the file in `@file`, or standard input for `-`. Raise BadParameter if that is no JSON."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - heavy, and only needed here

    try:
        return parse_json(_read(text[1:]) if text.startswith("@") else _read("-") if text == "-" else text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"is no JSON: {error}", param_hint=option) from error


def read_text(text: str, option: str) -> str:
    """Return `text`, or that of the file in `@file` or of standard input (`-`). Raise BadParameter if unreadable."""
    try:
        return _read(text.removeprefix("@")).decode() if text == "-" or text.startswith("@") else text
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"cannot be read: {error}", param_hint=option) from error


def read_texts(texts: Iterable[str], option: str) -> str:
    """Read each of the texts as `read_text` does, and return them joined by newlines."""
    return "\n".join(read_text(text, option) for text in texts)


def read_json_file(path: str, option: str) -> Any:
    """Parse the JSON in the file `path`, or on standard input for `-`. Raise BadParameter if that is no JSON."""
    return read_json(path if path == "-" else f"@{path}", option)


def read_document(path: str, option: str) -> Any:
    """Return the value of YAML in a file `.yaml` or `.yml`, or of JSON in another file or standard input (`-`)."""
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
    """Return the values of texts `name=value`, by name. Raise BadParameter if a text has no name or no `=`."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} is not name=value", param_hint=option)
        values[name] = value
    return values


def parse_value(text: str, option: str) -> Any:
    """Return the JSON value that a text is, else the text. Raise BadParameter for JSON that is cut short or malformed.

    A text that begins with `{`, `[` or `"` is meant as JSON, except that `{{` begins a template.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if not text.startswith(("{", "[", '"')) or text.startswith("{{"):
            return text
        message = f"is no JSON: {error}. A text that begins with {text[0]} is given with a space before it"
        raise typer.BadParameter(message, param_hint=option) from None


def parse_usd(text: str | None, option: str) -> "Decimal | None":
    """Return an amount in USD; None for None. Raise BadParameter if it is invalid, or has over nine decimal places."""
    from signoff.values import USD_MAX, to_nanos, to_usd  # noqa: PLC0415 - only needed here

    try:
        return None if text is None else to_usd(to_nanos(text, usd_max=USD_MAX, rounds=False))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def parse_future_time(text: str | None, option: str) -> datetime | None:
    """Parse a time of ISO 8601, local without a zone, or a time from now (`90s`, `15m`, `1h`, `2d`); None for None."""
    return _parse_time(text, option, 1, "from now")


def parse_past_time(text: str | None, option: str) -> datetime | None:
    """Parse a time of ISO 8601, local without a zone, or a time ago (`90s`, `15m`, `1h`, `2d`); None for None."""
    return _parse_time(text, option, -1, "ago")


def parse_seconds(text: str, option: str) -> int:
    """Return a length of time (`90s`, `15m`, `1h`, `2d`) in whole seconds. Raise BadParameter for any other text."""
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


def validate_resource(name: str, fields: Any, option: str, *, many: bool = False) -> Any:
    """Return the model `name` of contracts.resources, made of `fields`; with `many`, models made of a list of fields.

    Raise BadParameter if the fields are invalid.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - heavy, as the next two, and only needed here

    from contracts import resources  # noqa: PLC0415
    from contracts.fields import describe_problem  # noqa: PLC0415

    model = getattr(resources, name)
    kind: Any = list[model] if many else model  # type: ignore[valid-type]
    try:
        return TypeAdapter(kind).validate_python(fields, extra="forbid")
    except ValidationError as error:
        wrong = "; ".join(describe_problem(problem, kind) for problem in error.errors())
        raise typer.BadParameter(wrong, param_hint=option) from error
