"""Split the text of a result into the strings, numbers and names that stand in it."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, Final, NamedTuple, Self

from contracts.evidence.words import Span
from signoff.jsontext import json_text, parse_json

# The number of a list's item ends no sentence.
SENTENCE_ENDS: Final = re.compile("(?<=[^\\W\\d])[.!?](?=\\s)|[\u0964\u3002\uff01\uff1f\n]")


class Piece(NamedTuple):
    """A name, string, number or literal of a JSON text, without quotation marks; or a whole text that is no JSON."""

    start: int
    end: int
    is_name: bool = False
    is_string: bool = True


class Pieces:
    """The text of a result, and its pieces.

    `names_and_values` and `values` are as long as the text, so that a place in one is a place in all: what is left out
    is blank, and an escape is the character that it means, with invisible ones after it.
    """

    def __init__(self, result: Any) -> None:
        self.text = self.names_and_values = self.values = render_result(result)
        #: Of members, each once.
        self.names = frozenset[str]()
        self._listed = dict[int, list[Piece]]()
        self.is_json = _is_json(result)
        if self.is_json:
            divided = _Divided.of(self.text)
            strings = list(zip(divided.strings, divided.are_names, strict=True))
            self.names = frozenset(one for one, is_name in strings if is_name)
            self.names_and_values = divided.weave(divided.blank(but=":"), divided.strings)
            values = [" " * len(one) if is_name else one for one, is_name in strings]
            self.values = divided.weave(divided.blank(), values)
        if '"' in self.values:  # JSON within a text has names, too
            parts = _NAME.split(self.values)
            self.names |= set(parts[1::2])
            parts[1::2] = [" " * (len(name) + 2) for name in parts[1::2]]
            self.values = "".join(parts)

    def list_inside(self, start: int, end: int) -> list[Piece]:
        """Return the pieces between two places, in order, with those that reach over them."""
        if not self.is_json:
            return [Piece(0, len(self.text))]
        numbers = range(bisect_right(self._marks, start) - 1, bisect_left(self._marks, end))
        return [piece for number in numbers for piece in _list_between(self._list_from(number), start, end)]

    def find_passage(self, start: int, end: int, around: int) -> Span:
        """Return the sentence, line or row around a span, so many characters at most on either side.

        In JSON it is within the values, and their names, that the span is of.
        """
        inside = self.list_inside(start, end)
        first, last = max(inside[0].start, start - around), min(inside[-1].end, end + around)
        before = max((match.end() for match in SENTENCE_ENDS.finditer(self.values, first, start)), default=first)
        after = SENTENCE_ENDS.search(self.values, end, last)
        return before, after.end() if after else last

    @cached_property
    def _marks(self) -> list[int]:
        """Begin and end of the text, and between them where each string begins with its quotation mark."""
        lengths = [len(part) + 1 for part in read_escapes(self.text, _QUOTE).split('"')]
        return [0, *[end - 1 for end in accumulate(lengths)][:-1:2], len(self.text)]

    def _list_from(self, number: int) -> list[Piece]:
        """Return the pieces from one of these on up to the next: most often few, but all if there are no strings."""
        if number not in self._listed:
            self._listed[number] = list(_scan(self.text, *self._marks[number : number + 2]))
        return self._listed[number]


class _Divided(NamedTuple):
    """A JSON text, its escapes read, divided at its quotation marks: every second part is a string.

    Most results are nothing but short strings, and nothing else divides them as fast.
    """

    between: list[str]
    strings: list[str]
    are_names: list[bool]

    @classmethod
    def of(cls, text: str) -> Self:
        read = read_escapes(text, _QUOTE)
        for space in ("\n", _QUOTE):  # what most escapes are leaves a text of ASCII one
            read = read.replace(f"{space}{_FILLER}", f"{space} ")
        parts = read.split('"')
        return cls(parts[::2], parts[1::2], [":" in after for after in parts[2::2]])

    def blank(self, but: str = "") -> list[str]:
        """Return what stands between strings, with nothing left but numbers, literals and these characters."""
        structure = "".join(one for one in "[]{},:" if one not in but)
        return '"'.join(self.between).translate(str.maketrans(structure, " " * len(structure))).split('"')

    def weave(self, between: list[str], strings: list[str]) -> str:
        """Return the text again, of such parts, without its quotation marks."""
        parts = [""] * (len(between) + len(strings))
        parts[::2], parts[1::2] = between, strings
        return " ".join(parts).replace(_QUOTE, '"')


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


# One that is longer is taken for a text.
_NAME: Final = re.compile(r'"([^"\n]{1,200})"(?=[\s\u200b]*:)')
# Possessive: else each character of a string is a step to go back to, and a string of 1 MiB takes 150 MiB for a while.
_PIECE: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*:)?|[^\s\[\]{},:"]+', re.DOTALL)
# A character beyond U+FFFF may be escaped as a pair of surrogates.
_ESCAPE: Final = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.", re.DOTALL)
_FILLER: Final = "\u200b"
#: Stands for an escaped quotation mark while a text is divided at the others: no JSON text has it.
_QUOTE: Final = "\x00"


def _list_between(pieces: list[Piece], start: int, end: int) -> list[Piece]:
    first = bisect_right(pieces, start, key=lambda piece: piece.end)
    return pieces[first : bisect_left(pieces, end, key=lambda piece: piece.start)]


def _scan(text: str, start: int, end: int) -> Iterator[Piece]:
    for match in _PIECE.finditer(text, start, end):
        group = 0 if match[1] is None else 1
        yield Piece(*match.span(group), is_name=match[2] is not None, is_string=bool(group))


def read_escapes(text: str, quote: str = '"') -> str:
    """Return the text that JSON's escapes in it mean, as long as it was; what is none stays.

    `quote`: what a quotation mark becomes that is escaped.
    """
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: _read_escape(match[0]).replace('"', quote), text)


@lru_cache(maxsize=1_000)
def _read_escape(escape: str) -> str:
    try:
        character = json.loads(f'"{escape}"')
    except ValueError:
        return escape
    return str(character).ljust(len(escape), _FILLER)
