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
_FITTED_MIN_CHARS: Final = 16
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"


class Styled(NamedTuple):
    """A text in a style: the name of a colour, `bold`, or "" for no style."""

    text: str
    style: str = ""


def replace_controls(text: object) -> str:
    """Return a text with newlines and tabs as spaces, and with U+FFFD for controls, which could steer a terminal."""
    return "".join(
        char if char.isprintable() else " " if char in "\n\t\r" else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def render_line(parts: Iterable[object], stream: TextIO, *, plain: bool = False) -> str:
    """Return texts joined to a line for a stream, in their styles if the stream shows styles and `plain` is false."""
    shows_styles = _shows_styles(stream) and not plain
    return "".join(_render(_clean(part), shows_styles=shows_styles) for part in parts)


def render_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO, *, plain: bool = False
) -> str:
    """Return a table as text; on a terminal, unless `plain`, the last column is wrapped to the terminal's width."""
    return _lay_out(_clean_table(columns, rows), stream, plain=plain)


def render_list(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    stream: TextIO,
    *,
    spared: Sequence[str] = (),
    wrapped: bool = False,
    plain: bool = False,
) -> str:
    """Return a table as text; if the stream is a terminal and `plain` is false, fitted to the terminal's width.

    Columns in `spared` are left out in that order until the last column has room. The last column is then wrapped if
    `wrapped`; else it is cut, and then the widest others are cut, but never the first column, which holds ids.
    """
    table = _clean_table(columns, rows)
    if stream.isatty() and not plain:
        table = _leave_out(table, [columns.index(name) for name in spared])
        table = table if wrapped else _narrow(table)
    return _lay_out(table, stream, plain=plain)


def _leave_out(table: Sequence[Sequence[Styled]], spared: Iterable[int]) -> list[list[Styled]]:
    """Return a table without the first few columns in `spared`: as few as give the last column room on the terminal."""
    widths, kept = _measure_columns(table), list(range(len(table[0])))
    for column in spared:
        others = sum(widths[n] for n in kept[:-1]) + len(_GAP) * (len(kept) - 1)
        if others + min(widths[-1], _FITTED_MIN_CHARS) <= columns_of():
            break
        kept.remove(column)
    return [[row[n] for n in kept] for row in table]


def _narrow(table: Sequence[Sequence[Styled]]) -> list[list[Styled]]:
    """Return a table cut to the terminal's width: first the last column, then the widest others, never the first."""
    first, *between, last = _measure_columns(table)
    room = columns_of() - first - len(_GAP) * (len(between) + 1)
    while sum(between) + min(last, _FITTED_MIN_CHARS // 2) > room and max(between, default=0) > 1:
        between[between.index(max(between))] -= 1
    widths = [first, *between, max(1, room - sum(between))]
    return [
        [cell._replace(text=cut(cell.text, width)) for cell, width in zip(row, widths, strict=True)] for row in table
    ]


def _clean_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[list[Styled]]:
    header = [[Styled(name, "bold") for name in columns]] if any(columns) else []
    return [[_clean(cell) for cell in row] for row in (*header, *rows)]


def _measure_columns(table: Iterable[Sequence[Styled]]) -> list[int]:
    return [max(_measure(cell.text) for cell in column) for column in zip(*table, strict=True)]


def _lay_out(table: Sequence[Sequence[Styled]], stream: TextIO, *, plain: bool) -> str:
    """Return a table as text; on a terminal, unless `plain`, the last column is wrapped to the terminal's width."""
    widths = _measure_columns(table)[:-1]
    indent = sum(widths) + len(_GAP) * len(widths)
    room = columns_of() - indent if stream.isatty() and not plain else 0
    shows_styles = _shows_styles(stream) and not plain
    lines = []
    for *cells, last in table:
        line = "".join(
            _render(cell, shows_styles=shows_styles) + " " * (width - _measure(cell.text)) + _GAP
            for cell, width in zip(cells, widths, strict=True)
        )
        is_wrapped = _FITTED_MIN_CHARS <= room < _measure(last.text)
        for part in textwrap.wrap(last.text, room) if is_wrapped else [last.text]:
            lines.append((line + _render(Styled(part, last.style), shows_styles=shows_styles)).rstrip())
            line = " " * indent
    return "".join(f"{line}\n" for line in lines)


def cut(text: str, columns: int) -> str:
    """Return a text that fits into `columns` columns of a terminal, with an ellipsis at the end if it was cut."""
    if _measure(text) <= columns:
        return text
    while _measure(text) > columns - 1:
        text = text[: columns - 1] if len(text) >= columns else text[:-1]
    return text.rstrip() + _CUT


def replace_line(line: str) -> str:
    """Return `line` with the escape sequences by which it replaces a terminal's last line, cut to its width."""
    return f"\r\x1b[2K\x1b[?7l{line}\x1b[?7h"


def columns_of() -> int:
    """Return the width of the terminal in characters."""
    return shutil.get_terminal_size().columns


def _shows_styles(stream: TextIO) -> bool:
    """Return whether to write styles to a stream: it is a terminal, or FORCE_COLOR is set, and NO_COLOR is not."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}:
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _clean(part: object) -> Styled:
    text, style = part if isinstance(part, Styled) else ("" if part is None else part, "")
    return Styled(replace_controls(text), style)


def _render(part: Styled, *, shows_styles: bool) -> str:
    return f"\x1b[{_CODES[part.style]}m{part.text}\x1b[0m" if shows_styles and part.style and part.text else part.text


def _measure(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text)
