"""The commands of the command line, walked as a tree."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from cli.__main__ import COMMANDS, load_command


@cache
def list_commands() -> dict[str, Any]:
    """Return each command by all words that call it."""
    return {name: command for entry in COMMANDS for name, command in _walk(entry, load_command(entry))}


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield each command below a group, or the command itself."""
    if not hasattr(command, "commands"):
        yield name, command
    for own, below in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {own}", below)
