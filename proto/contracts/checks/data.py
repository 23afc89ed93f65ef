"""Read data from the texts of agents: JSON, alone, in fences or among words, JSON lines, CSV, tables, Python."""

import ast
import csv
import io
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from textwrap import dedent
from typing import Any, Final, NamedTuple

from contracts.checks.base import count_of, refuse_constant
from contracts.checks.paths import VALUES_MAX, TooManyValuesError
from signoff.jsontext import check_json_value, parse_json

#: Fences of a text at most.
FENCES_MAX: Final = 1_000

_MARKS: Final = ("```", "~~~")
#: By form, the words after the marks of a fence that holds it; without a word a fence may hold any.
_TAGS: Final = {
    "json": {"json"},
    "jsonl": {"jsonl", "jsonlines", "ndjson"},
    "csv": {"csv", "tsv"},
    "python": {"py", "python", "python3"},
    "markdown_table": {"markdown", "md"},
}
_NO_TAGS: Final = {"", "text", "txt"}
#: What begins JSON among words; `[1]` and `{x}` are words.
_JSON_BEGIN: Final = re.compile(r'\{\s*"|\[\s*[\[{"]')
_AT_LINE: Final = re.compile(r" at line (\d+) column (\d+)$")
_BAR: Final = re.compile(r"(?<!\\)\|")
_DASHES: Final = re.compile(r":?-+:?")


class DataError(ValueError):
    """A text does not hold valid data of a form, such as CSV; the message says why and at which line."""


class NoDataError(DataError):
    """A text holds no data of the form, not even faulty data."""


class Data(NamedTuple):
    """A value (of Python: the number of its lines), and the place of the value in a text, in words."""

    value: Any
    where: str


class _Piece(NamedTuple):
    """A text, or the content of a fence; its place in words; and the number of the line before its first line."""

    text: str
    where: str
    line: int = 0


def list_data(text: str, form: str) -> list[Data]:
    """Return all data of a form in a text. Raise DataError if there is no data of the form, or any is faulty."""
    if form == "json" and (whole := _read_whole(text)) is not None:
        return [whole]
    fences = list(islice(_list_fences(text), FENCES_MAX + 1))
    if len(fences) > FENCES_MAX:
        raise DataError(f"the text has more than {FENCES_MAX:,} fences")
    pieces = [piece for tag, piece in fences if tag in _TAGS[form]]
    if not pieces and form != "markdown_table":
        pieces = [piece for tag, piece in fences if tag in _NO_TAGS and (form != "json" or _holds_json(piece))]
    if not pieces and form == "json":
        return _find_json(text)
    if pieces or form != "markdown_table":
        return [data for piece in pieces or [_Piece(text, "the text")] for data in _READERS[form](piece)]
    return _read_tables(_Piece(_without(text, [piece for tag, piece in fences if tag not in _NO_TAGS]), "the text"))


def find_data(text: str, form: str) -> Data:
    """Return the only data of a form in a text. Raise DataError if there is none, more than one, or faulty data."""
    found = list_data(text, form)
    if len(found) > 1:
        raise DataError(f"the text has more than one {form}: {found[0].where}, and {found[1].where}")
    return found[0]


def find_json(text: str) -> Data:
    """Return the only JSON object or array in a text, or JSON lines as a list. Raise DataError if there is neither."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[0] in "[{" for line in lines):
        try:
            return Data([_to_data(line) for line in lines], "the lines of JSON")
        except ValueError:
            pass
    data = find_data(text, "json")
    if not isinstance(data.value, dict | list):
        raise NoDataError("the text has no object or array of JSON")
    return data


def _list_fences(text: str) -> Iterator[tuple[str, _Piece]]:
    """Yield the tag (in lower case) and the text of each fence; the last fence may lack its closing line."""
    marks, tag, begin = "", "", 0
    held: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not marks:
            if bare.startswith(_MARKS) and "`" not in (words := bare.lstrip(bare[0])):
                marks, begin, held = bare[: len(bare) - len(words)], number, []
                tag = (words.split() or [""])[0].lower()
        elif bare.startswith(marks) and not bare.strip(marks[0]):
            yield tag, _to_piece(tag, begin, held)
            marks = ""
        else:
            held.append(line)
    if marks:
        yield tag, _to_piece(tag, begin, held)


def _to_piece(tag: str, begin: int, lines: list[str]) -> _Piece:
    return _Piece(dedent("\n".join(lines)), f"the fence{tag and f' of {tag}'} at line {begin:,}", begin)


def _without(text: str, fences: list[_Piece]) -> str:
    """Return a text with empty lines for what the given fences hold, not for their marks; lines keep their numbers."""
    lines = text.split("\n")
    for fence in fences:
        end = fence.line + fence.text.count("\n") + 1
        lines[fence.line : end] = [""] * (end - fence.line)
    return "\n".join(lines)


def _read_whole(text: str) -> Data | None:
    try:
        return Data(parse_json(text), "the text")
    except ValueError:
        return None


def _to_data(text: str) -> Any:
    value = parse_json(text)
    if not isinstance(value, dict | list):
        raise DataError("no object or array")
    return value


def _holds_json(piece: _Piece) -> bool:
    try:
        return _to_data(piece.text) is not None
    except ValueError:
        return False


def _find_json(text: str) -> list[Data]:
    """Return the first two JSON objects or arrays among words. Raise DataError if there is none, or one is faulty."""
    decoder = json.JSONDecoder(parse_constant=refuse_constant)
    found: list[Data] = []
    at = 0
    while len(found) <= 1 and (begin := _JSON_BEGIN.search(text, at)):
        line = text.count("\n", 0, begin.start()) + 1
        try:
            value, at = decoder.raw_decode(text, begin.start())
            found.append(Data(check_json_value(value), f"the JSON at line {line:,}"))
        except (ValueError, RecursionError) as error:  # what stands within it is a part, and not what was meant
            raise DataError(f"what begins at line {line:,} is no JSON: {error}") from error
    if not found:
        raise NoDataError("the text has no JSON")
    return found


def _read_json(piece: _Piece) -> list[Data]:
    return [Data(_parse(piece, piece.text, 0), piece.where)]


def _read_json_lines(piece: _Piece) -> list[Data]:
    lines = enumerate(piece.text.split("\n"))
    values = [_parse(piece, line, number) for number, line in lines if line.strip()]
    if not values:
        raise DataError(f"{piece.where} is empty")
    return [Data(values, piece.where)]


def _parse(piece: _Piece, text: str, lines_before: int) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        place = _AT_LINE.search(str(error))
        line = piece.line + lines_before + (int(place[1]) if place else 1)
        why = _AT_LINE.sub("", str(error))
        raise DataError(f"{piece.where} is no JSON: {why} at line {line:,}") from error


def _read_csv(piece: _Piece) -> list[Data]:
    """Read CSV with names in the first line; the separator is its most frequent of comma, `;` and tab."""
    text = piece.text.strip("\r\n")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    rows: list[tuple[int, list[str]]] = []
    cells = 0
    try:
        for row in reader:
            if (cells := cells + len(row)) > VALUES_MAX:
                raise TooManyValuesError(f"it has more than {VALUES_MAX:,} cells")
            if row:
                rows.append((piece.line + reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{piece.where} is no CSV: {error} at line {piece.line + reader.line_num:,}") from error
    if len(rows) <= 1 or len(rows[0][1]) <= 1:
        raise DataError(f"{piece.where} is no CSV: it needs a line of names, two columns and a row")
    return [Data(_name_cells(rows), piece.where)]


def _read_tables(piece: _Piece) -> list[Data]:
    lines = piece.text.split("\n")
    found: list[Data] = []
    at = 0
    while (at := at + 1) < len(lines):
        dashes = _split_row(lines[at])
        if "|" not in lines[at - 1] or not dashes or not all(map(_DASHES.fullmatch, dashes)):
            continue
        rows = [(piece.line + at, _split_row(lines[at - 1])), (piece.line + at + 1, dashes)]
        while (at := at + 1) < len(lines) and "|" in lines[at]:
            rows.append((piece.line + at + 1, _split_row(lines[at])))
        values = _name_cells(rows)[1:]
        if not values:
            raise DataError(f"the table at line {rows[0][0]:,} has no row")
        found.append(Data(values, f"the table at line {rows[0][0]:,}"))
    if not found:
        raise DataError(
            f"{piece.where} has no table of Markdown: a line of names between bars, and one of dashes under it"
        )
    return found


def _split_row(line: str) -> list[str]:
    cells = [cell.strip().replace("\\|", "|") for cell in _BAR.split(line.strip())]
    return cells[not cells[0] and len(cells) > 1 : len(cells) - (not cells[-1] and len(cells) > 1)]


def _name_cells(rows: list[tuple[int, list[str]]]) -> list[dict[str, str]]:
    """Return each row but the first as an object, whose names are the cells of the first row."""
    line, names = rows[0]
    if len(set(names)) < len(names):
        raise DataError(f"two columns at line {line:,} have one name")
    for at, row in rows:
        if len(row) != len(names):
            raise DataError(f"line {at:,} has {count_of(len(row), 'cell')}, and line {line:,} has {len(names):,}")
    return [dict(zip(names, row, strict=True)) for _, row in rows[1:]]


def _read_python(piece: _Piece) -> list[Data]:
    """Parse a text as the running version of Python does, without compiling or running it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(piece.text)
    except (SyntaxError, ValueError) as error:
        version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        at = f" at line {piece.line + (error.lineno or 1):,}" if isinstance(error, SyntaxError) else ""
        why = error.msg if isinstance(error, SyntaxError) else error
        raise DataError(f"{piece.where} is no {version}: {why}{at}") from error
    return [Data(piece.text.count("\n") + 1, piece.where)]


_READERS: Final[dict[str, Callable[[_Piece], list[Data]]]] = {
    "json": _read_json,
    "jsonl": _read_json_lines,
    "csv": _read_csv,
    "python": _read_python,
    "markdown_table": _read_tables,
}
#: What a text may hold.
FORMS: Final = tuple(_READERS)
