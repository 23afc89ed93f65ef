"""Lay out text for people: styles where a terminal shows them, tables, and no character that steers the terminal."""

import os
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TextIO

_CODES: Final = {"bold": 1, "red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36}
_GAP: Final = "  "
#: The last column of a table is fitted to the terminal if that has at least this many characters for it.
_FITTED_MIN_CHARS: Final = 20
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"


class Styled(NamedTuple):
    """A text in a style: a colour, `bold`, or "" for none."""

    text: str
    style: str = ""


def replace_controls(text: object) -> str:
    """Replace control characters, which could steer a terminal."""
    return "".join(
        char if char.isprintable() else " " if char in "\n\t\r" else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def render_line(parts: Iterable[object], stream: TextIO, *, plain: bool = False) -> str:
    """Return a line of texts as it is written to a stream; `plain`: as to one that is no terminal."""
    shows_styles = _shows_styles(stream) and not plain
    return "".join(_render(_clean(part), shows_styles=shows_styles) for part in parts)


def render_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    stream: TextIO,
    *,
    plain: bool = False,
    one_line: bool = False,
) -> str:
    """Return the lines of a table.

    On a terminal, unless `plain`, the last column is fitted to its width: wrapped, or cut to `one_line`.
    """
    header = [[Styled(name, "bold") for name in columns]] if any(columns) else []
    table = [[_clean(cell) for cell in row] for row in (*header, *rows)]
    widths = [max(_measure(cell.text) for cell in column) for column in zip(*table, strict=True)][:-1]
    indent = sum(widths) + len(_GAP) * len(widths)
    room = shutil.get_terminal_size().columns - indent if stream.isatty() and not plain else 0
    shows_styles = _shows_styles(stream) and not plain
    lines = []
    for *cells, last in table:
        line = "".join(
            _render(cell, shows_styles=shows_styles) + " " * (width - _measure(cell.text)) + _GAP
            for cell, width in zip(cells, widths, strict=True)
        )
        for part in _fit(last.text, room, one_line=one_line):
            lines.append((line + _render(Styled(part, last.style), shows_styles=shows_styles)).rstrip())
            line = " " * indent
    return "".join(f"{line}\n" for line in lines)


def _fit(text: str, room: int, *, one_line: bool) -> list[str]:
    """Return the lines of a text within so many characters; one line where there is too little room for any."""
    if room < _FITTED_MIN_CHARS or _measure(text) <= room:
        return [text]
    return [cut(text, room)] if one_line else textwrap.wrap(text, room)


def cut(text: str, columns: int) -> str:
    """Return a text that takes so many columns of a terminal at most, with a mark where it was cut."""
    if _measure(text) <= columns:
        return text
    while _measure(text) > columns - 1:
        text = text[: columns - 1] if len(text) >= columns else text[:-1]
    return text.rstrip() + _CUT


def replace_line(line: str) -> str:
    """Return what a terminal shows in place of its last line, cut to its width."""
    return f"\r\x1b[2K\x1b[?7l{line}\x1b[?7h"


def columns_of() -> int:
    """Return how many characters wide the terminal is."""
    return shutil.get_terminal_size().columns


def _shows_styles(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that shows styles, and its user wants them."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}:
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _clean(part: object) -> Styled:
    text, style = part if isinstance(part, Styled) else ("" if part is None else part, "")
    return Styled(replace_controls(text), style)


def _render(part: Styled, *, shows_styles: bool) -> str:
    return f"\x1b[{_CODES[part.style]}m{part.text}\x1b[0m" if shows_styles and part.style and part.text else part.text


def _measure(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text)
