"""Find where a quotation stands in a text, whatever the white space, case and form of its characters."""

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
#: Characters of a piece. A text is folded in pieces, so that a place is found without going through all of it.
_PIECE_CHARS: Final = 1_000
#: Places reported of one quotation, the first ones.
PLACES_MAX: Final = 20

#: Start and end of a part of a text, in characters (code points); the end is excluded.
Span = tuple[int, int]


def fold(text: str) -> str:
    """Return a text in the form in which quotations are compared: without white space, case and typographic form."""
    # Taken apart and not composed, so that a quote may end between a letter and its accent.
    return "".join(unicodedata.normalize("NFKD", text).translate(_PLAIN).casefold().split())


def fold_quote(quote: str) -> str:
    """Return a quotation folded, without quotes and points around it; empty if it has no characters to find."""
    folded = fold(quote)
    return folded.strip(_AROUND) or folded


def iterate_strings(value: Any) -> Iterator[str]:
    """Yield the strings in a JSON value, without the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from iterate_strings(item)


def render_result(result: Any) -> str:
    """Return the text of a result as people read it: a string as it is, anything else as JSON."""
    return result if isinstance(result, str) else json_text(result)


class FoldedText:
    """A folded text with the place of each of its characters in the original."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []  # of the pieces, in the text
        self._ends: list[int] = []  # of the pieces, as folded
        folded: list[str] = []
        start = length = 0
        while start < len(text):
            end = _next_boundary(text, start + _PIECE_CHARS)
            piece = fold(text[start:end])
            folded.append(piece)
            length += len(piece)
            self._starts.append(start)
            self._ends.append(length)
            start = end
        self._folded = "".join(folded)
        self._mapped: dict[int, tuple[list[int], list[int]]] = {}  # pieces whose characters were mapped

    def find(self, sought: str) -> Iterator[Span]:
        """Yield where a folded text stands in the original: in order, without overlaps."""
        after, at = 0, self._folded.find(sought) if sought else -1
        while at >= 0:
            span = self._locate(at)[0], self._locate(at + len(sought) - 1)[1]
            if span[0] >= after:  # one character may be folded to what is sought twice
                yield span
                after = span[1]
            at = self._folded.find(sought, at + len(sought))

    def _locate(self, at: int) -> Span:
        """Return the part of the original that one folded character comes from."""
        piece = bisect_right(self._ends, at)
        if piece not in self._mapped:
            self._mapped[piece] = self._map_characters(piece)
        starts, ends = self._mapped[piece]
        index = bisect_right(ends, at)
        return starts[index], starts[index + 1]

    def _map_characters(self, piece: int) -> tuple[list[int], list[int]]:
        """Return where a piece's characters begin in the text, its end included; and where each ends as folded."""
        starts = [self._starts[piece]]
        end = self._starts[piece + 1] if piece + 1 < len(self._starts) else len(self._text)
        while starts[-1] < end:
            starts.append(_next_boundary(self._text, starts[-1] + 1))
        lengths = (len(fold(self._text[one:other])) for one, other in pairwise(starts))
        ends = accumulate(lengths, initial=self._ends[piece - 1] if piece else 0)
        return starts, list(ends)[1:]


def _next_boundary(text: str, at: int) -> int:
    """Return the next place, from this one on, where a text may be cut before it is folded: never before an accent."""
    while at < len(text) and unicodedata.combining(unicodedata.normalize("NFKD", text[at])[0]):
        at += 1
    return min(at, len(text))


class Evidence:
    """Find where quotations stand in the text of one result."""

    def __init__(self, result: Any) -> None:
        self._whole = FoldedText(render_result(result))
        self._pieces: list[_JsonString] = []
        self._joined: FoldedText | None = None
        if not isinstance(result, str):
            self._pieces = list(_scan_strings(render_result(result)))
            self._joined = FoldedText(" ".join(piece.value for piece in self._pieces))
        self._starts = list(accumulate((len(piece.value) + 1 for piece in self._pieces), initial=0))  # as joined

    def find_spans(self, quote: str | None) -> list[Span]:
        """Return where a quotation stands, in order; one span for each string of JSON that it runs over."""
        sought = fold_quote(quote or "")
        whole = list(islice(self._whole.find(sought), PLACES_MAX))
        if whole or self._joined is None:
            return whole
        return [part for span in islice(self._joined.find(sought), PLACES_MAX) for part in self._split_span(span)]

    def _split_span(self, span: Span) -> Iterator[Span]:
        for number in range(bisect_right(self._starts, span[0]) - 1, len(self._pieces)):
            piece, start = self._pieces[number], self._starts[number]
            if start >= span[1]:
                return
            begin, end = max(span[0] - start, 0), min(span[1] - start, len(piece.value))
            if begin < end:
                yield piece.at(begin), piece.at(end)


@dataclass(frozen=True, slots=True)
class _JsonString:
    """A string in a JSON text: its value, the text between its quotes, and where that begins."""

    value: str
    escaped: str
    start: int

    def at(self, index: int) -> int:
        """Return where a character of the value stands in the text."""
        at = 0
        for _ in range(index):
            character = _CHARACTER.match(self.escaped, at)
            assert character is not None
            at = character.end()
        return self.start + at


# A character beyond U+FFFF may be escaped as a pair of surrogates.
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL
)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)


def _scan_strings(text: str) -> Iterator[_JsonString]:
    """Yield the strings of a JSON text, without the names of members."""
    for string in _STRING.finditer(text):
        if string[2] is None:
            yield _JsonString(_unescape(string[1]), string[1], string.start(1))


def _unescape(escaped: str) -> str:
    if "\\" not in escaped:
        return escaped
    return "".join(_decode(character[0]) for character in _CHARACTER.finditer(escaped))


_SHORT_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _decode(character: str) -> str:
    if character.startswith("\\u"):
        units = bytes.fromhex(character.replace("\\u", ""))
        return units.decode("utf-16-be", errors="replace")
    return _SHORT_ESCAPES.get(character[1], character[1]) if character.startswith("\\") else character
