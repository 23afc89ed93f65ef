"""Read a text as words: the form in which a quotation is compared with what it quotes."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Final

from contracts.evidence.characters import CLASSES, Table, fold_character, is_invisible

#: Start and end of a part of a text, in characters (code points); the end is excluded.
Span = tuple[int, int]

# A word by the classes of its characters, see classify. A number keeps its points and commas, a word its apostrophe.
_WORD: Final = re.compile("[wd][wdi]*(?:(?:(?<=[di])[nk](?=i*d)|(?<=[wi])a(?=i*w))[wdi]+)*|[ct](?:i*m)*|[nyp]")
#: What begins a word, or is none, whatever stands before it.
_EDGE: Final = re.compile("[sctpy]")
# In the classes of words: one with a letter or digit, and what is kept of a phrase.
_LETTERS, _KEPT, _ANY = map(re.compile, ("[wdct]", "[ywdct](?:.*[ywdct])?[im]*", ".+"))
_LONG: Final = 60
#: Characters of a part of a text, about, and those in which its end is sought.
_PART, _END_OF_PART = 1_000, 100
#: Stands for each character that was cut out.
_CUT: Final = "\x01"

# What the reading of a character leaves open until its neighbours are known. No text has these: there they are spaces.
_POINT, _COMMA, _APOSTROPHE, _MARK, _END, _INVISIBLE, _EDGED = "\x03\x04\x05\x06\x07\x08\x0e"
_AFTER_NO_LETTER: Final = re.compile(f"{_INVISIBLE}(?<=[ \x03-\x07].){_INVISIBLE}*")
_OF_NOTHING: Final = re.compile(f"{_MARK}[^{_END}]*{_END}")
#: What joins words to one, what it is then, where it does so, and what it is elsewhere.
_JOINTS: Final = (
    (_POINT, ".", re.compile(rf"{_POINT}(?<=[\d{_INVISIBLE}].)(?=\d)"), " . "),
    (_COMMA, ",", re.compile(rf"{_COMMA}(?<=[\d{_INVISIBLE}].)(?=\d)"), " "),
    (_APOSTROPHE, "'", re.compile(rf"{_APOSTROPHE}(?<=[^ \d\x03-\x07].)(?=[^ \d\x03-\x07])"), " "),
)


def _read_character(character: str) -> str:
    """Return what a character becomes in folded words with spaces between, as far as it says by itself."""
    kind, folded = CLASSES.translate(character), fold_character(character)
    if kind == "w" and (folded[0].isdecimal() or folded[-1].isdecimal()):
        return f"{_EDGED}{folded}{_EDGED}"  # it is no digit to a point beside it
    if kind in "wd":
        return folded
    if kind in "ctm":
        return f"{_MARK if kind == 'm' else ' '}{folded}{_END}"
    if kind in "yp":
        return f" {folded} "
    space = " \n " if character == "\n" else " "
    return {"n": _POINT, "k": _COMMA, "a": _APOSTROPHE, "i": _INVISIBLE, "s": space}[kind]


_READINGS: Final = Table(_read_character, lambda run: f" {'  '.join(run)} ")


def _fold(text: str) -> str:
    """Return the words of a text, folded, with spaces and line feeds between them."""
    folded = f" {_READINGS.translate(text)} "
    if _INVISIBLE in folded:
        folded = _AFTER_NO_LETTER.sub("", folded)
    for joint, joined, between, apart in _JOINTS:
        if joint in folded:
            folded = between.sub(joined, folded).replace(joint, apart)
    folded = folded.replace(_INVISIBLE, "").replace(_EDGED, "")
    if _MARK in folded:
        folded = _OF_NOTHING.sub(" ", folded.replace(_END + _MARK, ""))
    return folded.replace(_END, " ")


def _mark(folded: Iterable[str]) -> str:
    """Return words with a space after each: after one more, a phrase is found at the edges of words alone."""
    return f"{' '.join(folded)} ".lstrip()


def _find_spans(text: str) -> list[Span]:
    return [word.span() for word in _WORD.finditer(CLASSES.translate(text))]


def _divide(text: str) -> list[int]:
    """Return where parts of a text begin, whose words are the same as if they were read with the rest."""
    ends = [
        (at, _EDGE.search(CLASSES.translate(text[at : at + _END_OF_PART]))) for at in range(_PART, len(text), _PART)
    ]
    return [0, *[at + edge.start() for at, edge in ends if edge]]


def fold_all(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of all texts, folded, each once."""
    return frozenset(_fold("\n".join(texts)).split())


def fold_in_order(text: str) -> list[str]:
    """Return the words of a text, folded, in order. A mark of punctuation is a word, too."""
    return _fold(text).split()


def has_letters(text: str) -> bool:
    """Return whether a text has a letter or a digit that can be seen."""
    return any(not is_invisible(letter[0]) for letter in re.finditer(r"[^\W_]", text))


def cut_out(marked: str, phrases: Iterable["Phrase"]) -> str:
    """Take phrases out of marked words, each character of which becomes _CUT."""
    for phrase in phrases:
        if phrase.marked in marked:  # the space after it may be the one before the next
            words = phrase.marked[:-1]
            marked = re.sub(f"{re.escape(words)}(?= )", re.sub("[^ ]", _CUT, words), marked)
    return marked


class Phrase:
    """Words that are sought in a text, without the punctuation before and after them."""

    def __init__(self, text: str) -> None:
        folded, classes = _fold(text).split(), CLASSES.translate(text)
        # A word is of the class of its first character.
        kinds = "".join([word[0][0] for word in _WORD.finditer(classes)])
        self.has_letters = _LETTERS.search(kinds) is not None
        kept = (_KEPT if self.has_letters else _ANY).search(kinds)
        first, end = kept.span() if kept else (0, 0)
        self.folded, self.kinds = folded[first:end], kinds[first:end]
        self.marked = f" {_mark(self.folded)}"

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def is_letter(self) -> bool:
        """Whether it is one letter, ideograph or sign of a syllable."""
        return len(self.folded) == 1 and len(self.folded[0]) == 1 and self.kinds in "wct"

    @property
    def is_number(self) -> bool:
        """Whether it is one number."""
        return self.kinds == "d"

    @property
    def is_long(self) -> bool:
        """Whether it is long enough to be known again: 5 words, or 12 ideographs, or some of both."""
        count = self.kinds.count
        return 12 * (count("w") + count("d")) + 5 * (count("c") + count("t")) >= _LONG


class Words:
    """The words of a text in order, each with its place. A mark of punctuation is a word, too.

    The text is read in parts, so that a span is told without those of all words. Phrases may be cut out of it, which
    are found nonetheless.
    """

    def __init__(self, text: str, cut: Iterable[Phrase] = ()) -> None:
        self._text, self._starts = text, [*_divide(text), len(text)]
        parts = [_mark(_fold(text[start:end]).split()) for start, end in pairwise(self._starts)]
        self._marks = list(accumulate(map(len, parts), initial=0))
        self._searched = f" {''.join(parts)}"
        self._kept = cut_out(self._searched, cut)
        self._spans = dict[int, list[Span]]()

    def __contains__(self, phrase: Phrase) -> bool:
        return self._find(phrase, 0) >= 0

    def find(self, phrase: Phrase) -> Iterator[int]:
        """Yield the places where a phrase begins that stands there whole: in order, without overlaps."""
        place = self._find(phrase, 0)
        while place >= 0:
            yield place
            place = self._find(phrase, place + len(phrase.marked) - 1)

    def _find(self, phrase: Phrase, start: int) -> int:
        if not len(phrase):
            return -1
        # What ends with a space, as all words do, takes several times as long to find.
        near = self._searched.find(phrase.marked.strip(), start)
        return self._searched.find(phrase.marked, max(near - 1, start)) if near >= 0 else -1

    def spans(self, place: int, count: int) -> list[Span]:
        """Return the spans of so many words, from a place on."""
        part = bisect_right(self._marks, place) - 1
        first = self._searched.count(" ", self._marks[part], place)
        spans = self._spans_of(part)[first : first + count]
        while len(spans) < count:
            part += 1
            spans += self._spans_of(part)[: count - len(spans)]
        return spans

    def span(self, place: int, count: int) -> Span:
        """Return the part of the text from a place on, so many words."""
        spans = self.spans(place, count)
        return spans[0][0], spans[-1][1]

    def is_kept(self, place: int, phrase: Phrase) -> bool:
        """Return whether nothing was cut out of a phrase that stands at a place."""
        return self._kept.startswith(phrase.marked, place)

    def rest(self, start: int, end: int) -> Phrase:
        """Return what is left of a part of the text without what was cut out."""
        return Phrase(self._kept[self._place(start) : self._place(end)].replace(_CUT, ""))

    def _place(self, at: int) -> int:
        """Return the place of the first word that begins at a character or after it."""
        part = max(bisect_right(self._starts, at, hi=len(self._starts) - 1) - 1, 0)
        place = self._marks[part]
        for _ in range(bisect_left(self._spans_of(part), (at, 0))):
            place = self._searched.index(" ", place + 1)
        return place

    def _spans_of(self, part: int) -> list[Span]:
        if part not in self._spans:
            start, end = self._starts[part : part + 2]
            self._spans[part] = [(start + one, start + other) for one, other in _find_spans(self._text[start:end])]
        return self._spans[part]
