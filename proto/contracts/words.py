"""Read a text as words, the form in which a quotation is compared with the text that it quotes."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, pairwise
from typing import Final

# A model writes typewriter quotes and hyphens for the typographer's.
_PLAIN: Final = str.maketrans("\u2018\u2019\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "''-------")
# Without width and not of category Cf: joiners, fillers, selectors of variants. And accents: models drop and compose
# them, and as their order is free they would have to be sorted, which takes a stranger's million of them for ever.
_HIDDEN: Final = re.compile(
    "[\u0300-\u036f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
# Marks of quotation, emphasis and JSON: a model leaves them out, or adds its own.
_DROPPED: Final = frozenset(
    '"`*[]{}\u201c\u201d\u201e\u201f\u201a\u201b\u2039\u203a\u00ab\u00bb\u300c\u300d\u300e\u300f'
)
# Ideographs, kana and Hangul: of Chinese, Japanese and Korean.
_IDEOGRAPH: Final = re.compile(
    "[\u1100-\u115e\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3040-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
# Thai, Lao, Tibetan, Burmese, Khmer and their neighbours, which put no space between words either.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua000-\ua4cf\ua980-\ua9ff\uaa60-\uaadf]"
)
# What forms a syllable with the character before it, and is a letter to Unicode: vowels and finals of Hangul, and the
# voicing of half-width kana.
_JOINED: Final = re.compile("[\u1161-\u11ff\ud7b0-\ud7ff\uff9e\uff9f]")
_EMOJI: Final = re.compile("[\u231a-\u23ff\u2600-\u27bf\u2b1b-\u2b55\U0001f000-\U0001faff]")

# None from here on is a letter: they are invisible, or else of the class p.
_FAR: Final = 0x40000
_FAR_INVISIBLE: Final = re.compile("[\U000e0000-\U000e0fff]")
_FAR_ONES: Final = re.compile("[\U00040000-\U0010ffff]+")
#: Stands for what is not known yet.
_UNKNOWN: Final = "\x02"


def is_invisible(character: str) -> bool:
    """Return whether a character takes no room of its own."""
    return unicodedata.category(character) == "Cf" or _HIDDEN.match(character) is not None


def has_emoji(text: str) -> bool:
    """Return whether a text has an emoji, which says something as a word does."""
    return any(unicodedata.category(one[0]) == "So" for one in _EMOJI.finditer(text))


def fold_character(character: str) -> str:
    """Return the characters, none or several, that a character is compared as: case and width do not count."""
    plain = unicodedata.normalize("NFKD", character).translate(_PLAIN).casefold()
    return "".join(one for one in plain if not one.isspace() and not is_invisible(one))


def classify(character: str) -> str:
    """Return the class of a character.

    w: letter, d: digit, c: ideograph, kana or syllable, t: letter of another script without spaces, m: mark of a c or
    t, n: point, k: comma, a: apostrophe, i: invisible, y: symbol, p: other punctuation, s: space and what is dropped.
    """
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc" or character in _DROPPED:
        return "s"
    if not fold_character(character):
        return "i"
    if character in ".,'\u2019":
        return {".": "n", ",": "k"}.get(character, "a")
    if _JOINED.match(character):
        return "m"
    if character.isalnum() or category[0] == "M" or character == "_":
        script = "c" if _IDEOGRAPH.match(character) else "t" if _UNSPACED.match(character) else ""
        return ("m" if category[0] == "M" else script) if script else "d" if character.isdecimal() else "w"
    return "y" if category == "So" else "p"


class Table:
    """A translation of characters, each of which is translated when it is first seen.

    A list is looked up in half of the time of a dictionary. The list takes 2 MiB, and 25 if all characters were seen.
    """

    def __init__(self, translate_one: Callable[[str], str], translate_far: Callable[[str], str]) -> None:
        """Take `translate_one` for a character and `translate_far` for a run from _FAR on, whose result is not kept."""
        self._translate_one, self._translate_far = translate_one, translate_far
        self._known = [_UNKNOWN] * _FAR

    def translate(self, text: str) -> str:
        """Return a text with each character translated."""
        translated = text.translate(self._known)  # what is not in the list stays
        if _UNKNOWN in translated:
            for code in map(ord, set(text)):
                if code < _FAR and self._known[code] == _UNKNOWN:
                    self._known[code] = self._translate_one(chr(code))
            translated = text.translate(self._known)
        has_pairs = len(text.encode("utf-16-le", "surrogatepass")) > 2 * len(text)  # seen sooner than a far character
        if has_pairs and _FAR_ONES.search(text):
            translated = _FAR_INVISIBLE.sub(self._translate_one("\U000e0000"), translated)
            translated = _FAR_ONES.sub(lambda run: self._translate_far(run[0]), translated)
        return translated


#: The class of each character, see classify.
CLASSES: Final = Table(classify, lambda run: "p" * len(run))


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
    """Return what a character becomes in folded words, as far as that does not depend on characters beside it."""
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
    """Return the words of a text, folded for comparison, with spaces and line feeds between them."""
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
    """Join words with a space after each, so that a phrase, marked likewise, is found only at the edges of words."""
    return f"{' '.join(folded)} ".lstrip()


def _find_spans(text: str) -> list[Span]:
    return [word.span() for word in _WORD.finditer(CLASSES.translate(text))]


def _divide(text: str) -> list[int]:
    """Return the indexes at which parts of a text begin; a part read alone has the same words as within the text."""
    ends = [
        (at, _EDGE.search(CLASSES.translate(text[at : at + _END_OF_PART]))) for at in range(_PART, len(text), _PART)
    ]
    return [0, *[at + edge.start() for at, edge in ends if edge]]


def fold_all(texts: Iterable[str]) -> frozenset[str]:
    """Return the set of the words of all texts, folded for comparison."""
    return frozenset(_fold("\n".join(texts)).split())


def fold_in_order(text: str) -> list[str]:
    """Return the words of a text in order, folded for comparison. A mark of punctuation is a word, too."""
    return _fold(text).split()


def has_letters(text: str) -> bool:
    """Return whether a text has a letter or a digit that can be seen."""
    return any(not is_invisible(letter[0]) for letter in re.finditer(r"[^\W_]", text))


def cut_out(marked: str, phrases: Iterable["Phrase"]) -> str:
    """Return the marked words, in which each character of the phrases is replaced by _CUT."""
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
        """Whether the phrase is one letter, ideograph or sign of a syllable."""
        return len(self.folded) == 1 and len(self.folded[0]) == 1 and self.kinds in "wct"

    @property
    def is_number(self) -> bool:
        """Whether the phrase is one number."""
        return self.kinds == "d"

    @property
    def is_long(self) -> bool:
        """Whether the phrase is long enough to be recognized: 5 words, or 12 ideographs, or some of both."""
        count = self.kinds.count
        return 12 * (count("w") + count("d")) + 5 * (count("c") + count("t")) >= _LONG


class Words:
    """The words of a text in order, each with its place. A mark of punctuation is a word, too.

    The text is read in parts, so that finding one span does not compute the spans of all words. The phrases in `cut`
    are cut out of the text for `is_kept` and `rest`, but `find` finds them nonetheless.
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
        """Yield the places at which the whole phrase stands, in order and without overlaps."""
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
        """Return the span in the text of each of `count` words, from the word at a place on."""
        part = bisect_right(self._marks, place) - 1
        first = self._searched.count(" ", self._marks[part], place)
        spans = self._spans_of(part)[first : first + count]
        while len(spans) < count:
            part += 1
            spans += self._spans_of(part)[: count - len(spans)]
        return spans

    def span(self, place: int, count: int) -> Span:
        """Return the span of the text that `count` words take, from the word at a place on."""
        spans = self.spans(place, count)
        return spans[0][0], spans[-1][1]

    def is_kept(self, place: int, phrase: Phrase) -> bool:
        """Return whether nothing was cut out of the phrase at a place."""
        return self._kept.startswith(phrase.marked, place)

    def rest(self, start: int, end: int) -> Phrase:
        """Return, as a phrase, the words between two indexes of the text, without the phrases that were cut out."""
        return Phrase(self._kept[self._place(start) : self._place(end)].replace(_CUT, ""))

    def _place(self, at: int) -> int:
        """Return the place of the first word that begins at index `at` of the text, or behind it."""
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
