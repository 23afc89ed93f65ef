"""Convert the values of options that are plain, so that Typer does not import pydantic for them; and lay out help."""

import os
import re
from collections.abc import Callable, Collection
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

_NUMBERS: Final = {int: re.compile(r"-?[0-9]{1,15}"), float: re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")}
#: Typer's name for the type of an option without a metavar: `<str>`, `<list[int range]>`, `<list[a|b]>`.
_KINDS: Final = re.compile(r"<(?:list\[)?((-?\w+)[^>\]]*)\]?>")

#: Names that options had earlier, by which commands take them still, unless these mean something else there.
EARLIER: Final = {
    "--all": "--include-done",
    "--budget": "--budget-usd",
    "--cost-max": "--cost-usd-max",
    "--cost-min": "--cost-usd-min",
    "--criterion": "--criteria",
    "--cursor": "--page-token",
    "--duration-max": "--duration-s-max",
    "--duration-min": "--duration-s-min",
    "--execution": "--execution-id",
    "--expected-version": "--version",
    "--force": "--force-reason",
    "--limit": "--page-size",
    "--out": "--output",
    "--per-s": "--rate-period-s",
    "--policy": "--judge",
    "--rate": "--rate-per-s",
    "--sort": "--order",
    "--timeout": "--timeout-s",
}


def _name_kind(kind: re.Match[str]) -> str:
    """Return the type of an option as a word that people use; a choice of values as it is."""
    return {"str": "TEXT", "int": "N", "float": "N", "path": "FILE"}.get(kind[2], f"<{kind[1]}>")


class PlainCommand(TyperCommand):
    """A command that converts plain values by itself."""

    #: Names of the options that help shows in a panel of their own, below the others.
    connection_options: Collection[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Convert the values of all parameters."""
        _convert_plain_values(self, ctx)
        return super().parse_args(ctx, args)

    def make_parser(self, ctx: Any) -> Any:
        """Return the parser, which takes options by their earlier names, too; help and completion do not show those."""
        parser = super().make_parser(ctx)
        options = parser._long_opt  # noqa: SLF001 - Typer has no other way to hide one name of an option
        for earlier, name in EARLIER.items():
            if name in options and earlier not in options:
                options[earlier] = options[name]
        return parser

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line: a required argument stands without braces."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the help of all parameters: arguments, the command's own options, and those that connect it."""
        panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Connection": []}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                is_connection = parameter.name in self.connection_options
                panel = "Connection" if is_connection else f"{parameter.param_type_name.capitalize()}s"
                name = record[0].partition(" ")[0] if panel == "Arguments" else record[0]  # its type says no more
                panels[panel].append((_KINDS.sub(_name_kind, name), record[1]))
        for name, records in panels.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


class PlainGroup(TyperGroup):
    """A group that converts the plain values of its own parameters by itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Convert the values of all parameters, and keep the arguments of the command that is named."""
        _convert_plain_values(self, ctx)
        return super().parse_args(ctx, args)


class DefaultGroup(PlainGroup):
    """A group whose first command needs no name: arguments that begin with no command are that command's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the first command before arguments that name none."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def _convert_plain_values(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    for parameter in command.get_params(ctx):
        if hasattr(parameter, "type_descriptor"):  # no public name: a Typer without it converts all values itself
            convert = partial(_process, parameter, partial(_leave_to_typer, parameter.process_value))
            parameter.process_value = convert  # type: ignore[method-assign]


def _leave_to_typer(process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return a value as Typer converts it. Raise BadParameter in the words that the services have for the problem."""
    try:
        return process(ctx, value)
    except BadParameter as error:
        if problems := getattr(error.__cause__, "errors", None):  # pydantic's
            from contracts.fields import message_of  # noqa: PLC0415 - heavy, and only needed here

            error.message = message_of(problems()[0])
        raise


def _process(parameter: Any, leave_to_typer: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return a plain value as its type. A value that is missing, wrong or not plain is left to Typer."""
    annotation, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    if not value and parameter.required:
        return leave_to_typer(ctx, value)
    try:
        if parameter.multiple or parameter.nargs == -1:
            converted: Any = [_convert(get_args(annotation)[0], info, each) for each in value or ()]
        else:
            converted = None if value is None else _convert(annotation, info, value)
    except UnicodeEncodeError:
        raise BadParameter("it is not UTF-8 text", ctx, parameter) from None
    except ValueError:
        return leave_to_typer(ctx, value)
    return converted if parameter.callback is None else parameter.callback(ctx, parameter, converted)


def _convert(kind: Any, info: Any, value: Any) -> Any:
    """Return a value as its type. Raise ValueError unless it is plain, UnicodeEncodeError if it is no text."""
    if issubclass(kind, Enum):
        return kind(value)
    if kind is Path and (os.access(value, os.R_OK) or not Path(value).exists()):
        return Path(value)
    if kind in _NUMBERS and _NUMBERS[kind].fullmatch(str(value)):
        number = kind(value)
        if (info.min is None or info.min <= number) and (info.max is None or number <= info.max):
            return number
    if kind in {str, bool} and isinstance(value, kind):
        str(value).encode()
        return value
    raise ValueError(value)
