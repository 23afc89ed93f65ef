"""Split the text of a result into the strings, numbers and names that stand in it."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from contracts.evidence.words import Phrase
from contracts.jsontext import json_text, parse_json

#: Characters of a text that is short as evidence goes, so that it may have to be whole to count.
SHORT_MAX_CHARS: Final = 2_000


class Piece(NamedTuple):
    """A name, string, number or literal of a JSON text, without quotation marks; or a whole text that is no JSON."""

    start: int
    end: int
    is_name: bool = False
    is_string: bool = True


class Pieces:
    """The text of a result, and its pieces in order.

    `names_and_values` and `values` are as long as the text, so that a place in one is a place in all: what is left out
    is blank, and an escape is the character that it means, with invisible ones after it.
    """

    def __init__(self, result: Any) -> None:
        self.text = render_result(result)
        self.all = list(_scan(self.text)) if _is_json(result) else [Piece(0, len(self.text))]
        if self.all == [Piece(0, len(self.text))]:
            self.names_and_values = self.values = self.text
        else:
            self.names_and_values = _blank_between(self.text, self.all)
            self.values = _blank_between(self.text, [piece for piece in self.all if not piece.is_name])

    def list_wholes(self) -> Iterator[Phrase]:
        """Yield what is whole: each value with its name, each string, each of its lines of two words, the whole text.

        What is longer than SHORT_MAX_CHARS is left out.
        """
        name = ""
        for piece in self.all:
            text = self.names_and_values[piece.start : piece.end]
            is_short = len(text) <= SHORT_MAX_CHARS
            if piece.is_name:
                name = text if is_short else ""
                continue
            if name and is_short and len(member := Phrase(f"{name}:{text}")) > len(Phrase(name)):
                yield member
            name = ""
            if piece.is_string:
                if is_short:
                    yield Phrase(text)
                lines = (Phrase(line) for line in text.splitlines() if len(line) <= SHORT_MAX_CHARS)
                yield from (line for line in lines if line.words > 1)
        if len(self.text) <= SHORT_MAX_CHARS:
            yield Phrase(self.names_and_values)


def render_result(result: Any) -> str:
    """Return the text of a result as people read it: a string as it is, anything else as JSON."""
    return result if isinstance(result, str) else json_text(result)


def _is_json(result: Any) -> bool:
    """Return whether the text of a result is JSON, also that of a string in which an agent wrote an object or array."""
    if not isinstance(result, str):
        return True
    if not result.lstrip().startswith(("{", "[")):
        return False
    try:
        parse_json(result)
    except ValueError:
        return False
    return True


# Possessive: else each character of a string is a step to go back to, and a string of 1 MiB takes 150 MiB for a while.
_PIECE: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*:)?|[^\s\[\]{},:"]+', re.DOTALL)
# A character beyond U+FFFF may be escaped as a pair of surrogates.
_ESCAPE: Final = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.", re.DOTALL)
_FILLER: Final = "\u200b"


def _scan(text: str) -> Iterator[Piece]:
    for match in _PIECE.finditer(text):
        group = 0 if match[1] is None else 1
        yield Piece(*match.span(group), is_name=match[2] is not None, is_string=bool(group))


def _blank_between(text: str, pieces: Sequence[Piece]) -> str:
    """Return the text with these pieces alone, their escapes read; a name keeps its colon."""
    parts: list[str] = []
    at = 0
    for piece in pieces:
        parts += " " * (piece.start - at), read_escapes(text[piece.start : piece.end])
        at = piece.end
        if piece.is_name:
            parts.append(" :")  # the quotation mark, and the colon perhaps further on
            at += 2
    return "".join([*parts, " " * (len(text) - at)])


def read_escapes(text: str) -> str:
    """Return the text that JSON's escapes in it mean, as long as it was; what is none stays."""
    return _ESCAPE.sub(_read_escape, text) if "\\" in text else text


def _read_escape(match: re.Match[str]) -> str:
    try:
        character = json.loads(f'"{match[0]}"')
    except ValueError:
        return match[0]
    return str(character).ljust(len(match[0]), _FILLER)
