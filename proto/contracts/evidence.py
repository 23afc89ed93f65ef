"""Where a quotation stands in a text, whatever the white space, case and form of its characters."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Any, Final

from contracts.jsontext import json_text

# A model writes typewriter quotes and hyphens for the typographer's, and puts marks of its own around a quotation.
_PLAIN: Final = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_AROUND: Final = "\"'."
#: A text is folded in pieces of about so many characters, so that a place in it is found without going through all.
_PIECE: Final = 1_000
#: Of a quotation that stands in more places, so many are told.
PLACES_MAX: Final = 20

#: From one character of a text to behind another, counted in characters (code points).
Span = tuple[int, int]


def fold(text: str) -> str:
    """The text as quotations are compared."""
    # Taken apart and not composed, so that a quote may end between a letter and its accent.
    return "".join(unicodedata.normalize("NFKD", text).translate(_PLAIN).casefold().split())


def wanted(quote: str) -> str:
    """What is sought of a quotation; empty where nothing is."""
    folded = fold(quote)
    return folded.strip(_AROUND) or folded


def strings(value: Any) -> Iterator[str]:
    """The strings in a JSON value, but for the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def result_text(result: Any) -> str:
    """A result as people read it: a string as it is, anything else as JSON."""
    return result if isinstance(result, str) else json_text(result)


class Folded:
    """A folded text that knows where each part of it comes from."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []  # of the pieces, in the text
        self._ends: list[int] = []  # of the pieces, as folded
        folded: list[str] = []
        start = length = 0
        while start < len(text):
            end = _boundary(text, start + _PIECE)
            piece = fold(text[start:end])
            folded.append(piece)
            length += len(piece)
            self._starts.append(start)
            self._ends.append(length)
            start = end
        self._folded = "".join(folded)
        self._known: dict[int, tuple[list[int], list[int]]] = {}

    def find(self, sought: str) -> Iterator[Span]:
        """Where a folded text stands, from the first place on, none across another."""
        behind, at = 0, self._folded.find(sought) if sought else -1
        while at >= 0:
            span = self._place(at)[0], self._place(at + len(sought) - 1)[1]
            if span[0] >= behind:  # one character may be folded to what is sought twice
                yield span
                behind = span[1]
            at = self._folded.find(sought, at + len(sought))

    def _place(self, at: int) -> Span:
        """What one folded character comes from."""
        piece = bisect_right(self._ends, at)
        if piece not in self._known:
            self._known[piece] = self._characters(piece)
        starts, ends = self._known[piece]
        index = bisect_right(ends, at)
        return starts[index], starts[index + 1]

    def _characters(self, piece: int) -> tuple[list[int], list[int]]:
        """Where the characters of a piece begin in the text, its end included; and where each ends as folded."""
        starts = [self._starts[piece]]
        end = self._starts[piece + 1] if piece + 1 < len(self._starts) else len(self._text)
        while starts[-1] < end:
            starts.append(_boundary(self._text, starts[-1] + 1))
        lengths = (len(fold(self._text[one:other])) for one, other in pairwise(starts))
        ends = accumulate(lengths, initial=self._ends[piece - 1] if piece else 0)
        return starts, list(ends)[1:]


def _boundary(text: str, at: int) -> int:
    """The next place, from this one, where a text may be cut and folded part by part: never before an accent."""
    while at < len(text) and unicodedata.combining(unicodedata.normalize("NFKD", text[at])[0]):
        at += 1
    return min(at, len(text))


class Evidence:
    """Where quotations stand in the text of one result."""

    def __init__(self, result: Any) -> None:
        self._whole = Folded(result_text(result))
        self._pieces: list[_String] = []
        self._joined: Folded | None = None
        if not isinstance(result, str):
            self._pieces = list(_strings_of(result_text(result)))
            self._joined = Folded(" ".join(piece.value for piece in self._pieces))
        self._starts = list(accumulate((len(piece.value) + 1 for piece in self._pieces), initial=0))  # as joined

    def spans(self, quote: str | None) -> list[Span]:
        """Where a quotation stands, the first places first; in parts where it runs over several strings of JSON."""
        sought = wanted(quote or "")
        whole = list(islice(self._whole.find(sought), PLACES_MAX))
        if whole or self._joined is None:
            return whole
        return [part for span in islice(self._joined.find(sought), PLACES_MAX) for part in self._parts(span)]

    def _parts(self, span: Span) -> Iterator[Span]:
        for number in range(bisect_right(self._starts, span[0]) - 1, len(self._pieces)):
            piece, start = self._pieces[number], self._starts[number]
            if start >= span[1]:
                return
            begin, end = max(span[0] - start, 0), min(span[1] - start, len(piece.value))
            if begin < end:
                yield piece.at(begin), piece.at(end)


@dataclass(frozen=True, slots=True)
class _String:
    """A string in a JSON text: its value, the text between its quotes, and where that begins."""

    value: str
    escaped: str
    start: int

    def at(self, index: int) -> int:
        """Where a character of the value stands in the text."""
        at = 0
        for _ in range(index):
            found = _CHARACTER.match(self.escaped, at)
            assert found is not None
            at = found.end()
        return self.start + at


# Characters beyond the first 65,536 may be escaped as two.
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)


def _strings_of(text: str) -> Iterator[_String]:
    """The strings of a JSON text, but for the names of members."""
    for found in _STRING.finditer(text):
        if found[2] is None:
            yield _String(_unescaped(found[1]), found[1], found.start(1))


def _unescaped(escaped: str) -> str:
    if "\\" not in escaped:
        return escaped
    return "".join(_meaning(found[0]) for found in _CHARACTER.finditer(escaped))


_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _meaning(character: str) -> str:
    if character.startswith("\\u"):
        units = bytes.fromhex(character.replace("\\u", ""))
        return units.decode("utf-16-be", errors="replace")
    return _SHORT.get(character[1], character[1]) if character.startswith("\\") else character
