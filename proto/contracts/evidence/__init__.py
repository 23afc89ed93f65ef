"""Find where a quotation stands in a result, and say whether it is evidence."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from typing import Any, Final

from contracts.evidence.pieces import SHORT_MAX_CHARS, Pieces, read_escapes, render_result
from contracts.evidence.words import Phrase, Span, Words, cut_out, fold_all, has_letters, mark_lines
from contracts.jsontext import json_text

__all__ = [
    "FALSE_QUOTE",
    "NOT_QUOTED",
    "ONLY_REPEATS",
    "TOO_SHORT",
    "Evidence",
    "Span",
    "find_quoted",
    "is_empty",
    "render_result",
]

#: Places looked at of one quotation, the first ones.
PLACES_MAX: Final = 20
#: Passages around one quotation, and characters of each before and behind it at most.
PASSAGES_MAX: Final = 3
AROUND_MAX_CHARS: Final = 300
_SENTENCE_ENDS: Final = re.compile(r"[.!?](?=\s)|[\u3002\uff01\uff1f\n]")
_OBJECT_ENDS: Final = re.compile(r"[\[\]{}]")
#: Characters of a criterion that is kept in memory, once read.
KEPT_MAX_CHARS: Final = 500
#: What a quotation weighs at least that is no whole, see Phrase.
WEIGHT_MIN: Final = 8

NOT_QUOTED: Final = "nothing of the result is quoted as evidence"
FALSE_QUOTE: Final = "the quoted evidence does not stand in the result"
ONLY_REPEATS: Final = "the quoted evidence only repeats a criterion"
TOO_SHORT: Final = (
    f"the quoted evidence has fewer than {WEIGHT_MIN} letters or digits, and is no whole line, string or named value"
)

# None has its own opening mark within: else a text of opening marks alone would be read again from each of them.
_QUOTED: Final = re.compile(
    '"([^"]+)"|\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201e\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00ab\u00bb]+)\u00bb'
    "|\u300c([^\u300c\u300d]+)\u300d|\u2018((?:[^\u2018\u2019]|\u2019(?=\\w))+)\u2019"
)


def find_quoted(criterion: str) -> list[str]:
    """Return what a criterion puts in quotation marks: words that are meant literally."""
    return [phrase for groups in _QUOTED.findall(criterion) if (phrase := "".join(groups).strip())]


def is_empty(result: Any) -> bool:
    """Return whether a result has no number, no truth value and no string with a letter or digit, at any depth."""
    items = [result]
    while items:
        item = items.pop()
        if isinstance(item, dict | list):
            items.extend(item.values() if isinstance(item, dict) else item)
        elif item is not None and (not isinstance(item, str) or has_letters(item)):
            return False
    return True


class Evidence:
    """Find quotations in one result, and judge them as evidence.

    Whole repeats of `criteria` in it are taken out before: to repeat what is asked for shows nothing.
    """

    def __init__(self, result: Any, criteria: Iterable[str] = ()) -> None:
        self._result, self._pieces = result, Pieces(result)
        self._criteria = [_keep_phrase(one) if len(one) <= KEPT_MAX_CHARS else Phrase(one) for one in criteria]
        # The longest first, since another one may stand in it.
        self._repeats = sorted((one for one in self._criteria if one.is_long), key=len, reverse=True)
        self._values = Words(self._pieces.values, self._repeats)

    @cached_property
    def _names_and_values(self) -> Words:
        return Words(self._pieces.names_and_values, self._repeats)

    @cached_property
    def _words_of_names(self) -> frozenset[str]:
        return fold_all([":", *self._pieces.names])

    def _may_have_names(self, phrase: Phrase) -> bool:
        """Return whether a phrase may stand where names are: else all is as in the values, unless those were cut."""
        if not self._pieces.names:
            return False
        return self._values.is_cut or not self._words_of_names.isdisjoint(phrase.folded)

    def _is_beside_names(self, phrase: Phrase) -> bool:
        return self._may_have_names(phrase) and phrase in self._names_and_values

    def find_spans(self, quote: str | None) -> list[Span]:
        """Return where a quotation stands, in order: a span for each value that it is of, or one with their names."""
        for phrase in map(Phrase, _read_both_ways(quote or "")):
            if places := list(islice(self._values.find(phrase), PLACES_MAX)):
                spans = (self._values.span(place, len(phrase)) for place in places)
                return [part for span in spans for part in self._split_span(span)]
            if self._is_beside_names(phrase):
                places = list(islice(self._names_and_values.find(phrase), PLACES_MAX))
                return [self._names_and_values.span(place, len(phrase)) for place in places]
        return []

    def find_passages(self, quotes: Iterable[str]) -> list[str]:
        """Return what stands around quotations: each sentence or line of a text, each member or row of JSON, once."""
        spans = (span for quote in quotes for span in self.find_spans(quote)[:PASSAGES_MAX])
        return list(dict.fromkeys(self._pieces.text[slice(*self._widen(*span))].strip() for span in spans))

    def _widen(self, start: int, end: int) -> Span:
        """Return the passage around a span: up to where its sentence or line ends, or, of other values, its object."""
        around = [piece for piece in self._pieces.list_inside(start, end) if not piece.is_name]
        ends_in = [_SENTENCE_ENDS.search(self._pieces.values, *piece[:2]) for piece in around if piece.is_string]
        is_text = not self._pieces.is_json or any(ends_in)
        text, ends = (self._pieces.values, _SENTENCE_ENDS) if is_text else (self._pieces.text, _OBJECT_ENDS)
        before, after = max(0, start - AROUND_MAX_CHARS), end + AROUND_MAX_CHARS
        if is_text:
            before, after = max(before, around[0].start), min(after, around[-1].end)
        begins = (match.start() if match[0] in "[{" else match.end() for match in ends.finditer(text, before, start))
        first = max(begins, default=before)
        last = ends.search(text, end, after)
        return first, min(after, len(text)) if last is None else last.end()

    def spell(self, quote: str) -> str | None:
        """Return a quotation as the first value that has it spells it; None if no value has it whole."""
        phrase = Phrase(quote)
        for place in islice(self._values.find(phrase), PLACES_MAX):
            parts = list(self._split_span(self._values.span(place, len(phrase))))
            if len(parts) == 1:
                return self._pieces.text[slice(*parts[0])]
        return None

    def is_quoted(self, quote: str) -> bool:
        """Return whether a quotation stands in the result, whether or not it shows anything."""
        phrases = map(Phrase, _read_both_ways(quote))
        return any(phrase in self._values or self._is_beside_names(phrase) for phrase in phrases)

    def sift(self, quotes: Iterable[str], criterion: str) -> tuple[list[str], str | None]:
        """Return the quotations that are evidence on a criterion; if none is, why the first one is none."""
        faults = {quote: self.find_fault(quote, criterion) for quote in filter(None, map(str.strip, quotes))}
        sound = [quote for quote, fault in faults.items() if fault is None]
        return sound, None if sound else next(iter(faults.values()), NOT_QUOTED)

    def find_fault(self, quote: str | None, criterion: str) -> str | None:
        """Return why a quotation is no evidence on a criterion; None if it is (docs/protocol.md, Verdicts)."""
        if not (quote or "").strip():
            return NOT_QUOTED
        faults = [self._find_fault(text, criterion) for text in _read_both_ways(quote or "")]
        return None if None in faults else faults[0]

    def _find_fault(self, quote: str, criterion: str) -> str | None:
        phrase = Phrase(quote)
        in_values = phrase.has_letters and phrase in self._values
        if in_values and sum(phrase.weights) >= WEIGHT_MIN:
            return None
        literal = find_quoted(criterion)
        if not phrase.has_letters:
            is_literal = quote.strip() in literal and quote.strip() in self._pieces.text
            return None if is_literal or quote.strip() in self._whole_results else TOO_SHORT
        is_quoted = in_values or self._is_beside_names(phrase)
        if is_quoted and any(phrase.marked == Phrase(quoted).marked for quoted in literal):
            return None
        if is_quoted:
            return None if self._shows_member(phrase) or self._is_whole(phrase) else TOO_SHORT
        return ONLY_REPEATS if any(phrase.marked in one.marked for one in self._criteria) else FALSE_QUOTE

    @cached_property
    def _whole_results(self) -> set[str]:
        return {self._pieces.text.strip(), json_text(self._result)}

    def _is_whole(self, phrase: Phrase) -> bool:
        line = f"\n{phrase.marked}\n"
        return line in self._wholes or (phrase.words > 1 and line in self._lines)

    @cached_property
    def _wholes(self) -> str:
        """The words of what is evidence however short, a line each."""
        return cut_out(mark_lines(self._pieces.list_wholes()), self._repeats)

    @cached_property
    def _lines(self) -> str:
        """The words of the lines of strings, which are evidence if they are two words or more."""
        return cut_out(mark_lines(self._pieces.list_lines()), self._repeats)

    def _shows_member(self, phrase: Phrase) -> bool:
        """Return whether a phrase that has names in it shows a member whole, or enough of values."""
        if not self._may_have_names(phrase):
            return False
        for place in islice(self._names_and_values.find(phrase), PLACES_MAX):
            spans = self._names_and_values.spans(place, len(phrase))
            are_values = [not self._pieces.values[start].isspace() for start, _ in spans]
            weight = sum(weight for weight, is_value in zip(phrase.weights, are_values, strict=True) if is_value)
            if weight >= WEIGHT_MIN or self._has_member((spans[0][0], spans[-1][1])):
                return True
        return False

    def _has_member(self, span: Span) -> bool:
        inside = [piece for piece in self._pieces.list_inside(*span) if piece.start >= span[0]]
        return any(
            name.is_name and not value.is_name and value.end <= span[1] and value.start < value.end
            for name, value in pairwise(inside)
        )

    def _split_span(self, span: Span) -> Iterator[Span]:
        for piece in self._pieces.list_inside(*span):
            if not piece.is_name:
                yield max(piece.start, span[0]), min(piece.end, span[1])


@lru_cache(maxsize=1_000)
def _keep_phrase(criterion: str) -> Phrase:
    """Read a criterion once for all results of all jobs that have it."""
    return Phrase(criterion)


def _read_both_ways(quote: str) -> Iterator[str]:
    """Yield a quotation as it is and, if there are any, with JSON's escapes read: the judge is shown JSON."""
    if len(quote) > SHORT_MAX_CHARS:
        quote = quote[:SHORT_MAX_CHARS].rsplit(maxsplit=1)[0]  # not within a word
    yield quote
    if (read := read_escapes(quote)) != quote:
        yield read
