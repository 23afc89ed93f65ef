"""Read a text as words: the form in which a quotation is compared with what it quotes."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from typing import Final

#: Start and end of a part of a text, in characters (code points); the end is excluded.
Span = tuple[int, int]

# A model writes typewriter quotes and hyphens for the typographer's.
_PLAIN: Final = str.maketrans("\u2018\u2019\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "''-------")
# Without width and not of category Cf: joiners, fillers, selectors of variants. And accents: models drop and compose
# them, and as their order is free they would have to be sorted, which takes a stranger's million of them for ever.
_INVISIBLE: Final = re.compile(
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

# A word by the classes of its characters, see _classify. A number keeps its points and commas, a word its apostrophe.
_WORD: Final = re.compile("[wd][wdi]*(?:(?:(?<=[di])[nk](?=i*d)|(?<=[wi])a(?=i*w))[wdi]+)*|[ct](?:i*m)*|[nyp]")
# The same in a text of ASCII alone, in small letters: most are, and need no classes. Then with line feeds, too.
_ASCII_WORD: Final = re.compile(
    r"[a-z0-9_]+(?:(?:(?<=[0-9])[.,](?=[0-9])|(?<=[a-z_])'(?=[a-z_]))[a-z0-9_]+)*|[.!#$%&()+/:;<=>?@\\^|~-]"
)
_ASCII_WORD_OR_LINE: Final = re.compile(_ASCII_WORD.pattern + r"|\n")
#: What a phrase of ASCII does not begin or end with, if it has letters.
_ASCII_EDGES: Final = "".join(one for one in map(chr, range(128)) if not (one.isalnum() or one == "_"))
# In the classes of words: one with a letter or digit, what is kept of a phrase, and what people count as a word.
_LETTERS, _KEPT, _ANY, _WORD_RUNS = map(re.compile, ("[wdct]", "[ywdct](?:.*[ywdct])?", ".+", "[wd]|c+|t+"))
_LONG: Final = 60
#: How often what stands between two spaces comes at least, on average, where each is read once.
_REPEATED: Final = 8
#: What a word weighs whatever is in it; another weighs 1 a letter or digit.
_WEIGHTS: Final = {"c": 3, "t": 1, "n": 0, "y": 0, "p": 0}
#: Begin and end of a word in a searched text, so that a phrase is found at the edges of words alone; and what is cut.
_BEGIN, _END, _CUT = "\x02", "\x03", "\x01"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or _INVISIBLE.match(character) is not None


def _fold_character(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character).translate(_PLAIN).casefold()
    return "".join(one for one in plain if not one.isspace() and not _is_invisible(one))


def _classify(character: str) -> str:
    """Return the class of a character.

    w: letter, d: digit, c: ideograph, kana or syllable, t: letter of another script without spaces, m: mark of a c or
    t, n: point, k: comma, a: apostrophe, i: invisible, y: symbol, p: other punctuation, s: space and what is dropped.
    """
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc" or character in _DROPPED:
        return "s"
    if not _fold_character(character):
        return "i"
    if character in ".,'\u2019":
        return {".": "n", ",": "k"}.get(character, "a")
    if _JOINED.match(character):
        return "m"
    if character.isalnum() or category[0] == "M" or character == "_":
        script = "c" if _IDEOGRAPH.match(character) else "t" if _UNSPACED.match(character) else ""
        return ("m" if category[0] == "M" else script) if script else "d" if character.isdecimal() else "w"
    return "y" if category == "So" else "p"


class _Table(dict[int, str]):
    """A table for str.translate, which fills itself."""

    # A stranger could fill the memory with the rest, of which few are ever seen.
    REMEMBERED_BELOW: Final = 0x20000

    def __init__(self, translate: Callable[[str], str]) -> None:
        super().__init__()
        self._translate = translate

    def __missing__(self, code: int) -> str:
        translated = self._translate(chr(code))
        if code < self.REMEMBERED_BELOW:
            self[code] = translated
        return translated


_FOLDS: Final = _Table(_fold_character)
_CLASSES: Final = _Table(_classify)


def _find_spans(text: str) -> list[Span]:
    words = _ASCII_WORD.finditer(text.lower()) if text.isascii() else _WORD.finditer(text.translate(_CLASSES))
    return [word.span() for word in words]


def _fold_words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    words = [text[word.start() : word.end()] for word in _WORD.finditer(text.translate(_CLASSES))]
    once = list(set(words))  # most words come many times
    folds = dict(zip(once, _BEGIN.join(once).translate(_FOLDS).split(_BEGIN), strict=False))  # of none there is ""
    return [folds[word] for word in words]


def _mark(folded: Collection[str]) -> str:
    return f"{_BEGIN}{f'{_END}{_BEGIN}'.join(folded)}{_END}" if folded else ""


def _mark_words(text: str) -> str:
    """Return the marked words of a text. No word reaches over a space, so that what comes many times is read once."""
    parts = [] if text.isascii() else text.split()
    if len(parts) < _REPEATED * len(once := set(parts)) or not parts:
        return _mark(_fold_words(text))
    marked = {part: _mark(_fold_words(part)) for part in once}
    return "".join([marked[part] for part in parts])


def mark_lines(texts: Iterable[str]) -> str:
    """Return the marked words of short texts as of phrases, a line each; what has no letters may be left out."""
    plain, others = set[str](), set[str]()
    for text in texts:
        (plain if text.isascii() else others).add(text)
    lines = "\n".join([text.strip(_ASCII_EDGES).replace("\n", " ") for text in plain])
    marked = _mark(_ASCII_WORD_OR_LINE.findall(lines.lower())).replace(f"{_BEGIN}\n{_END}", "\n")
    return "\n".join(["", marked, *(Phrase(text).marked for text in others), ""])


def fold_all(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of all texts, folded, each once."""
    return frozenset(_fold_words("\n".join(texts)))


def is_phrase(text: str) -> bool:
    """Return whether more of a text than punctuation is left as a phrase."""
    if text.isascii():
        return text.strip(_ASCII_EDGES) != ""
    return _KEPT.search(text.translate(_CLASSES)) is not None


def has_letters(text: str) -> bool:
    """Return whether a text has a letter or a digit that can be seen."""
    return any(not _is_invisible(letter[0]) for letter in re.finditer(r"[^\W_]", text))


def cut_out(marked: str, phrases: Iterable["Phrase"]) -> str:
    """Take phrases out of marked words: nothing is found any more that has a part in one of them."""
    for phrase in phrases:
        marked = marked.replace(phrase.marked, _mark([_CUT]) * len(phrase))
    return marked


class Phrase:
    """Words that are sought in a text, without the punctuation before and after them.

    `weights` says of each word how much it shows: 1 for each letter, vowel sign or digit, 3 for an ideograph, a kana or
    a syllable of Hangul.
    """

    def __init__(self, text: str) -> None:
        folded = _fold_words(text)
        # A word is of the class of its first character.
        kinds = "".join([word[0] for word in folded] if text.isascii() else [text[at] for at, _ in _find_spans(text)])
        kinds = kinds.translate(_CLASSES)
        self.has_letters = _LETTERS.search(kinds) is not None
        kept = (_KEPT if self.has_letters else _ANY).search(kinds)
        first, end = kept.span() if kept else (0, 0)
        self.folded, self._kinds = folded[first:end], kinds[first:end]
        self.marked = _mark(self.folded)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def weights(self) -> list[int]:
        """What each word shows."""
        return [_weigh(word, kind) for word, kind in zip(self.folded, self._kinds, strict=True)]

    @property
    def words(self) -> int:
        """How many words people would count, roughly: in a script without spaces, each run of it is one."""
        return len(_WORD_RUNS.findall(self._kinds))

    @property
    def is_long(self) -> bool:
        """Whether it is long enough to be known again: 5 words, or 12 ideographs, or some of both."""
        count = self._kinds.count
        return 12 * (count("w") + count("d")) + 5 * (count("c") + count("t")) >= _LONG


def _weigh(word: str, kind: str) -> int:
    if kind in _WEIGHTS:
        return _WEIGHTS[kind]
    return len(word) if word.isalnum() else sum(unicodedata.category(one)[0] in "LNM" for one in word)


class Words:
    """The words of a text in order, each with its place. A mark of punctuation is a word, too."""

    def __init__(self, text: str, cut: Iterable[Phrase] = ()) -> None:
        self._text = text
        self._searched = cut_out(_mark_words(text), cut)

    @property
    def is_cut(self) -> bool:
        """Whether anything was taken out."""
        return _CUT in self._searched

    @cached_property
    def _spans(self) -> list[Span]:
        return _find_spans(self._text)

    def __contains__(self, phrase: Phrase) -> bool:
        return len(phrase) > 0 and phrase.marked in self._searched

    def find(self, phrase: Phrase) -> Iterator[int]:
        """Yield at which words a phrase begins that stands there whole: in order, without overlaps."""
        at = self._searched.find(phrase.marked) if len(phrase) else -1
        number = end = 0
        while at >= 0:
            number += self._searched.count(_BEGIN, end, at)
            yield number
            number, end = number + len(phrase), at + len(phrase.marked)
            at = self._searched.find(phrase.marked, end)

    def span(self, first: int, count: int) -> Span:
        """Return the part of the text from one word on, so many words."""
        return self._spans[first][0], self._spans[first + count - 1][1]
