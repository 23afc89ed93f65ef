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


#: The options that show help, of all commands.
HELP: Final = ("--help", "-h")


def _name_kind(kind: re.Match[str]) -> str:
    """Return the word that help shows for the type of an option, such as `N`; a choice of values stays as it is."""
    return {"str": "TEXT", "int": "N", "float": "N", "path": "FILE"}.get(kind[2], f"<{kind[1]}>")


class PlainCommand(TyperCommand):
    """A command that converts plain values, such as texts and numbers, without pydantic."""

    #: Names of the options that help shows in a panel of their own, below the others.
    connection_options: Collection[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Have all parameters convert plain values without pydantic, then parse `args`; return what is left of them."""
        _convert_plain_values(self, ctx)
        return super().parse_args(ctx, args)

    def make_parser(self, ctx: Any) -> Any:
        """Return the parser, which also takes earlier names of options; help and completion do not show these names."""
        parser = super().make_parser(ctx)
        options = parser._long_opt  # noqa: SLF001 - Typer has no other way to hide one name of an option
        for earlier, name in EARLIER.items():
            if name in options and earlier not in options:
                options[earlier] = options[name]
        return parser

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, with no braces around required arguments."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the help of all parameters in three panels: arguments, own options, and options for the connection."""
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
    """A group of commands that converts the plain values of its own parameters without pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Convert the values of the group's own parameters, and return the arguments for the command that is called."""
        _convert_plain_values(self, ctx)
        return super().parse_args(ctx, args)


class DefaultGroup(PlainGroup):
    """A group whose first command is called if the arguments do not begin with the name of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse `args`, before which the first command's name is put unless they begin with a command's name.

        No arguments call the first command if it needs none, and else show the help of the group.
        """
        name, first = next(iter(self.commands.items()))
        is_bare = not args and not any(each.required for each in first.params)
        if is_bare or (args and args[0] not in {*self.commands, *HELP}):
            args = [name, *args]
        return super().parse_args(ctx, args)


def _convert_plain_values(command: TyperCommand | TyperGroup, ctx: Any) -> None:
    for parameter in command.get_params(ctx):
        if hasattr(parameter, "type_descriptor"):  # no public name: a Typer without it converts all values itself
            convert = partial(_process, parameter, partial(_leave_to_typer, parameter.process_value))
            parameter.process_value = convert  # type: ignore[method-assign]


def _leave_to_typer(process: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return a value as Typer's `process` converts it. Raise BadParameter with the services' words for the problem."""
    try:
        return process(ctx, value)
    except BadParameter as error:
        if problems := getattr(error.__cause__, "errors", None):  # pydantic's
            from contracts.fields import message_of  # noqa: PLC0415 - heavy, and only needed here

            error.message = message_of(problems()[0])
        raise


def _process(parameter: Any, leave_to_typer: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """Return a parameter's value, converted if it is plain; leave a missing, wrong or other one to `leave_to_typer`."""
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
    """Return a value as the type `kind`. Raise ValueError unless it is plain, UnicodeEncodeError if it is no UTF-8."""
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
