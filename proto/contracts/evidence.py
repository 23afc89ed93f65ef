"""Find where a quotation stands in a result, and say whether it is evidence."""

# ruff: noqa: RUF001 - letters of many scripts
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, islice, zip_longest
from typing import Any, Final, NamedTuple, Self

from contracts.criteria import Criterion
from contracts.words import Phrase, Span, Words, fold_all, has_emoji, has_letters
from signoff.jsontext import json_text, parse_json

# Words that deny in many languages. Where one is missing, an empty result is refused that a judge could have seen.
_DENIALS: Final = (
    "no|not|none|nothing|nobody|never|neither|nor|cannot|without|zero|0|null|empty|absent|absence|lacks?|free"
    "|kein\\w*|nicht\\w*|nie|niemand|ohne|leer\\w*|aucune?s?|sans|pas|rien|vides?|ning[uú]n\\w*|sin|nada|vac[ií]\\w+"
    "|nenhum\\w*|sem|não|vazi\\w+|nessun\\w*|senza|non|nulla|vuot\\w+|geen|niet|niets|zonder|leeg|ingen|inget|inga"
    "|inte|ikke|utan|uden|uten|bez|brak|żad\\w+|pust\\w+|yok\\w*|boş|hiç\\w*|không|не|нет|без|ни\\w*|пуст\\w*"
    "|δεν|χωρίς|κανέν\\w*|κεν\\w+|لا|ليس\\w*|بدون|فارغ\\w*|אין|ללא|לא|ריק\\w*"
)
_ABSENCE: Final = re.compile(
    rf"\b(?:{_DENIALS})\b|\wn['’]t\b|नहीं|बिना|खाली|[没沒无無不空零]|な[いしく]|ません|ゼロ|없|않|비어|ไม่|ว่าง",
    re.IGNORECASE,
)


def is_about_absence(criterion: str) -> bool:
    """Return whether a criterion asks, by its words, for the absence of something."""
    return _ABSENCE.search(criterion) is not None


def is_empty(result: Any, criteria: Sequence[Criterion] = (), task: str = "") -> bool:
    """Return whether a result has, at any depth, no number, no truth value, and no emoji, letter or digit in a string.

    `[]` and objects such as `{"errors": []}` are not empty if all required criteria are about an absence; neither is
    `[]` if a `task` is given.
    """
    items = [result]
    while items:
        item = items.pop()
        if isinstance(item, dict | list):
            items.extend(item.values() if isinstance(item, dict) else item)
        elif item is not None and (not isinstance(item, str) or has_letters(item) or has_emoji(item)):
            return False
    if result in ([], "[]"):
        return not task and not _are_about_absence(criteria)
    return not (isinstance(result, dict) and result and _are_about_absence(criteria))


def _are_about_absence(criteria: Sequence[Criterion]) -> bool:
    judged = [one for one in criteria if one.kind != "check"]
    return bool(judged) and all(one.kind == "never" or is_about_absence(one.text) for one in judged if one.required)


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

    `names_and_values` and `values` have the length of the text, so that an index is valid in all three: what is left
    out is blank, and an escape is replaced by the character that it means, followed by invisible characters.
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
        """Return, in order, the pieces that lie between two indexes of the text, even if only in part."""
        if not self.is_json:
            return [Piece(0, len(self.text))]
        numbers = range(bisect_right(self._marks, start) - 1, bisect_left(self._marks, end))
        return [piece for number in numbers for piece in _list_between(self._list_from(number), start, end)]

    def find_passage(self, start: int, end: int, around: int) -> Span:
        """Return the span of the sentence, line or row around a span, with at most `around` characters on either side.

        In JSON the passage does not reach beyond the first and the last piece (name or value) of the span.
        """
        inside = self.list_inside(start, end)
        first, last = max(inside[0].start, start - around), min(inside[-1].end, end + around)
        before = max((match.end() for match in SENTENCE_ENDS.finditer(self.values, first, start)), default=first)
        after = SENTENCE_ENDS.search(self.values, end, last)
        return before, after.end() if after else last

    @cached_property
    def _marks(self) -> list[int]:
        """The indexes of the text's begin, of the opening quotation mark of each string, and of the text's end."""
        lengths = [len(part) + 1 for part in read_escapes(self.text, _QUOTE).split('"')]
        return [0, *[end - 1 for end in accumulate(lengths)][:-1:2], len(self.text)]

    def _list_from(self, number: int) -> list[Piece]:
        """Return the pieces from the mark `number` up to the next mark: mostly few, but all if there are no strings."""
        if number not in self._listed:
            self._listed[number] = list(_scan(self.text, *self._marks[number : number + 2]))
        return self._listed[number]


class _Divided(NamedTuple):
    """A JSON text, with its escapes replaced, divided at its quotation marks: every second part is a string.

    Most results consist of short strings, and no other way divides them as fast.
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
        """Return the parts between strings, with blanks for JSON's punctuation, except for the characters in `but`."""
        structure = "".join(one for one in "[]{},:" if one not in but)
        return '"'.join(self.between).translate(str.maketrans(structure, " " * len(structure))).split('"')

    def weave(self, between: list[str], strings: list[str]) -> str:
        """Join the parts between strings with the strings to a text, with a blank for each quotation mark."""
        parts = [""] * (len(between) + len(strings))
        parts[::2], parts[1::2] = between, strings
        return " ".join(parts).replace(_QUOTE, '"')


def render_result(result: Any) -> str:
    """Return the text of a result as people read it: a string as it is, anything else as JSON."""
    return result if isinstance(result, str) else json_text(result)


def _is_json(result: Any) -> bool:
    """Return whether the text of a result is JSON; a string that holds a JSON object or array is JSON, too."""
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
    """Return a text with JSON's escapes replaced by their characters, at the same length; other text stays.

    `quote` is put in place of an escaped quotation mark.
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


#: Places looked at of one quotation, the first ones.
PLACES_MAX: Final = 20
#: Passages around one quotation, and characters of each before and behind it at most.
PASSAGES_MAX: Final = 3
AROUND_MAX_CHARS: Final = 300
_OBJECT_ENDS: Final = re.compile(r"[\[\]{}]")
#: Characters of a criterion that is kept in memory, once read.
KEPT_MAX_CHARS: Final = 500
#: Characters of a quotation that are sought, and those of one that points to no passage any more.
SOUGHT_MAX_CHARS, QUOTE_MAX_CHARS = 2_000, 10_000

NOT_QUOTED: Final = "nothing of the result is quoted as evidence"
FALSE_QUOTE: Final = "the quoted evidence does not stand in the result"
ONLY_REPEATS: Final = "the quoted evidence only repeats a criterion"
SHOWS_NOTHING: Final = "the quoted evidence is a mark, one letter of a word, or the name of a member without its value"
TOO_LONG: Final = f"the quoted evidence has more than {QUOTE_MAX_CHARS:,} characters"

# None has its own opening mark within: else a text of opening marks alone would be read again from each of them.
_QUOTED: Final = re.compile(
    '"([^"]+)"|\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201e\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00ab\u00bb]+)\u00bb'
    "|\u300c([^\u300c\u300d]+)\u300d|\u2018((?:[^\u2018\u2019]|\u2019(?=\\w))+)\u2019"
)
_ELLIPSIS: Final = re.compile("[(\\[]?(?:\u2026|(?<![\\d.])\\.{2,}(?![\\d.]))[)\\]]?")
#: How judges write a member besides JSON: `total = 42`, `order.items[0].total: 42`, `items[0]: 42`.
_EQUALS: Final = re.compile("\\s*(?:=>?|->|\u2192)\\s*")
_STEPS: Final = re.compile(r"(?<![\w$.\[\]/-])(?:(?:[\w$-]+(?:\[\d+\])*[./])+(?=[\w-]+\s*:)|[\w$.\[\]/-]+\]\s*:)")
#: How they write a row, whose cells a table divides by bars.
_CELLS: Final = re.compile(r"\s*[|:,;\t]\s+")
_SPACES: Final = re.compile(r'[\s"]')
#: Before and after a letter that is a word, and what makes it one: `C++`.
_BEFORE_WORD, _AFTER_WORD = re.compile("[\\s(\"'*_`\u201c|:]$"), re.compile("[\\s).,;:!?\"'*_`\u201d|]|$")
_SIGNED: Final = re.compile(r"[^\W\d_][+#-]+")


def find_quoted(criterion: str) -> list[str]:
    """Return the words that a criterion puts in quotation marks, which are meant literally."""
    return [phrase for groups in _QUOTED.findall(criterion) if (phrase := "".join(groups).strip())]


class Evidence:
    """Find quotations in one result, and judge them as evidence: a whole repeat of a criterion shows nothing."""

    def __init__(self, result: Any, criteria: Iterable[str] = ()) -> None:
        self._result, self._pieces = result, Pieces(result)
        phrases = [_keep_phrase(one) if len(one) <= KEPT_MAX_CHARS else Phrase(one) for one in criteria]
        # The longest first, since another one may stand in it.
        self._repeats = sorted((one for one in phrases if one.is_long), key=len, reverse=True)
        self._values = Words(self._pieces.values, self._repeats)

    @cached_property
    def _names_and_values(self) -> Words:
        return Words(self._pieces.names_and_values, self._repeats)

    @cached_property
    def _words_of_names(self) -> frozenset[str]:
        return fold_all([":", *self._pieces.names])

    def _find_words(self, phrase: Phrase) -> Words | None:
        """Return the words that contain a phrase: of the values, else of names and values; None if neither do."""
        if phrase in self._values:
            return self._values
        # Without a word of a name it would stand in the values.
        may_have_names = self._pieces.names and not self._words_of_names.isdisjoint(phrase.folded)
        return self._names_and_values if may_have_names and phrase in self._names_and_values else None

    def _find(self, quote: str) -> list[tuple[Words, Phrase]]:
        """Return the phrases of a quotation, each with the words that contain it; no phrases if one is not found."""
        for text in _read(quote, has_rows="|" in self._pieces.text):
            for parts in ([text], _ELLIPSIS.split(text)):
                phrases = [phrase for phrase in map(Phrase, parts) if len(phrase)]
                found = [(words, phrase) for phrase in phrases if (words := self._find_words(phrase)) is not None]
                if found and len(found) == len(phrases):
                    return found
        return []

    def find_spans(self, quote: str | None) -> list[Span]:
        """Return the spans of a quotation in the text: one for each value in it, or one over names and values."""
        spans = [self._list_spans(words, phrase) for words, phrase in self._find(quote or "")]
        # Of what an ellipsis divides, the first place of each part first.
        return [span for some in zip_longest(*spans) for span in some if span is not None]

    def _list_spans(self, words: Words, phrase: Phrase) -> list[Span]:
        spans = [words.span(place, len(phrase)) for place in islice(words.find(phrase), PLACES_MAX)]
        return [part for span in spans for part in self._split_span(span)] if words is self._values else spans

    def find_passages(self, quotes: Iterable[str]) -> list[str]:
        """Return the passages around quotations, each once: sentences or lines of a text, members or rows of JSON."""
        spans = (span for quote in quotes for span in self.find_spans(quote)[:PASSAGES_MAX])
        return list(dict.fromkeys(self._pieces.text[slice(*self._widen(*span))].strip() for span in spans))

    def _widen(self, start: int, end: int) -> Span:
        """Return the passage around a span: its sentence or line or, in JSON without sentences, its object."""
        pieces = self._pieces
        ends_in = [SENTENCE_ENDS.search(pieces.values, *one[:2]) for one in pieces.list_inside(start, end)]
        if not pieces.is_json or any(ends_in):
            return pieces.find_passage(start, end, AROUND_MAX_CHARS)
        before, after = max(0, start - AROUND_MAX_CHARS), min(end + AROUND_MAX_CHARS, len(pieces.text))
        opens = _OBJECT_ENDS.finditer(pieces.text, before, start)
        first = max((match.start() if match[0] in "[{" else match.end() for match in opens), default=before)
        last = _OBJECT_ENDS.search(pieces.text, end, after)
        return first, after if last is None else last.end()

    def spell(self, quote: str) -> str | None:
        """Return a quotation in the spelling of the first value that contains it whole; None if no value does."""
        phrase = Phrase(quote)
        for place in islice(self._values.find(phrase), PLACES_MAX):
            parts = list(self._split_span(self._values.span(place, len(phrase))))
            if len(parts) == 1:
                return self._pieces.text[slice(*parts[0])]
        return None

    def is_quoted(self, quote: str) -> bool:
        """Return whether a quotation stands in the result, even if the quotation is no evidence."""
        return bool(self._find(quote))

    def sift(self, quotes: Iterable[str], criterion: str) -> tuple[list[str], str | None]:
        """Return the quotations that are evidence on a criterion; if none is, also a fault: FALSE_QUOTE or another."""
        faults = {quote: self.find_fault(quote, criterion) for quote in filter(None, map(str.strip, quotes))}
        sound = [quote for quote, fault in faults.items() if fault is None]
        why = FALSE_QUOTE if FALSE_QUOTE in faults.values() else next(iter(faults.values()), NOT_QUOTED)
        return sound, None if sound else why

    def find_fault(self, quote: str | None, criterion: str) -> str | None:
        """Return why a quotation is not evidence on a criterion; None if it is (docs/protocol.md, Verdicts)."""
        if not (quote := (quote or "").strip()):
            return NOT_QUOTED
        if len(quote) > QUOTE_MAX_CHARS:
            return TOO_LONG
        if self._is_literal(quote, criterion):
            return None
        if not (has_letters(quote) or has_emoji(quote)) or self._is_name(quote):
            return SHOWS_NOTHING
        faults = {self._find_fault(words, phrase) for words, phrase in self._find(quote)}
        return None if None in faults else max(faults, key=str, default=FALSE_QUOTE)

    def _is_name(self, quote: str) -> bool:
        """Return whether a quotation is a member's name with a colon, even if a value has the same words."""
        return quote.endswith(":") and quote[:-1].strip(' "') in self._pieces.names

    def _is_literal(self, quote: str, criterion: str) -> bool:
        """Return whether a quotation counts as written: quoted by the criterion, the whole result, or empty member."""
        if quote in find_quoted(criterion) or _SIGNED.fullmatch(quote):
            return re.search(rf"(?<!\w){re.escape(quote)}(?!\w)", self._pieces.values) is not None
        if (self._is_empty or not has_letters(quote)) and _squeeze(quote) in self._wholes:
            return True
        shows_empty = quote.endswith(("[]", "{}", '""')) and is_about_absence(criterion)
        return shows_empty and _squeeze(quote) in _squeeze(self._pieces.text)

    @cached_property
    def _is_empty(self) -> bool:
        return is_empty(self._result)

    @cached_property
    def _wholes(self) -> set[str]:
        return {_squeeze(self._pieces.text), _squeeze(json_text(self._result))}

    def _find_fault(self, words: Words, phrase: Phrase) -> str | None:
        faults = {self._find_fault_at(place, words, phrase) for place in islice(words.find(phrase), PLACES_MAX)}
        if faults == {ONLY_REPEATS} and words is self._values and self._pieces.names:
            return self._find_fault(self._names_and_values, phrase)  # where a name divides what else were a repeat
        return None if None in faults else max(faults, key=str)

    def _find_fault_at(self, place: int, words: Words, phrase: Phrase) -> str | None:
        spans, values = words.spans(place, len(phrase)), self._pieces.values
        span = (spans[0][0], spans[-1][1])
        if (
            not words.is_kept(place, phrase)
            and not words.rest(*self._pieces.find_passage(*span, SOUGHT_MAX_CHARS)).is_long
        ):
            return ONLY_REPEATS
        words_shown = (values[slice(*one)] for one, kind in zip(spans, phrase.kinds, strict=True) if kind in "wdcty")
        is_shown = any(has_letters(word) or has_emoji(word) for word in words_shown)
        return None if is_shown and not self._is_less_than_a_word(span, phrase) else SHOWS_NOTHING

    def _is_less_than_a_word(self, span: Span, phrase: Phrase) -> bool:
        """Return whether a phrase is only a letter of a word or first in a sentence, or a list item's number."""
        if not (phrase.is_letter or phrase.is_number):
            return False
        start, end = self._pieces.find_passage(*span, SOUGHT_MAX_CHARS)
        before, after = self._pieces.values[start : span[0]], self._pieces.values[span[1] : end]
        if Phrase(self._pieces.values[start:end]).marked == phrase.marked:
            return False
        if phrase.is_number:
            return after[:2] in {". ", ") "} and not has_letters(before)
        is_word = phrase.kinds == "w" and _BEFORE_WORD.search(before) and _AFTER_WORD.match(after)
        return not is_word or not (has_letters(before) or before.strip().startswith("|"))

    def _split_span(self, span: Span) -> Iterator[Span]:
        for piece in self._pieces.list_inside(*span):
            if not piece.is_name:
                yield max(piece.start, span[0]), min(piece.end, span[1])


@lru_cache(maxsize=1_000)
def _keep_phrase(criterion: str) -> Phrase:
    """Return a criterion as a phrase, cached for all results of all jobs with this criterion."""
    return Phrase(criterion)


def _squeeze(text: str) -> str:
    return _EQUALS.sub(":", _SPACES.sub("", text))


def _read(quote: str, *, has_rows: bool) -> Iterator[str]:
    """Yield a quotation as it is, with JSON's escapes replaced, with members as in JSON, with cells as in a table."""
    if len(quote) > SOUGHT_MAX_CHARS:
        quote = quote[:SOUGHT_MAX_CHARS].rsplit(maxsplit=1)[0]  # not within a word
    yield quote
    if (read := read_escapes(quote)) != quote:
        yield read
    if (member := _STEPS.sub("", _EQUALS.sub(": ", read))) != read:
        yield member
    if has_rows and (row := _CELLS.sub(" | ", read)) != read:
        yield row
