"""The characters of a text: what kind of one each is, and what is the same when texts are compared."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

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
_EMOJI: Final = re.compile("[\u231a-\u23ff\u2600-\u27bf\u2b1b-\u2b55\U0001f000-\U0001faff]")

# None from here on is a letter: they are invisible, or else of the class p.
_FAR: Final = 0x40000
_FAR_INVISIBLE: Final = re.compile("[\U000e0000-\U000e0fff]")
_FAR_ONES: Final = re.compile("[\U00040000-\U0010ffff]+")
#: Stands for what is not known yet.
_UNKNOWN: Final = "\x02"


def is_invisible(character: str) -> bool:
    """Return whether a character takes no room of its own."""
    return unicodedata.category(character) == "Cf" or _INVISIBLE.match(character) is not None


def has_emoji(text: str) -> bool:
    """Return whether a text has an emoji, which says something as a word does."""
    return any(unicodedata.category(one[0]) == "So" for one in _EMOJI.finditer(text))


def fold_character(character: str) -> str:
    """Return what a character is compared as, which may be several or none."""
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
    """What characters are translated to, each found out when it is first seen.

    A list is looked up in half of the time of a dictionary. It takes 2 MiB, and 25 once every character was seen.
    """

    def __init__(self, translate_one: Callable[[str], str], translate_far: Callable[[str], str]) -> None:
        """`translate_far`: of a run of characters from _FAR on that are seen, of which none is remembered."""
        self._translate_one, self._translate_far = translate_one, translate_far
        self._known = [_UNKNOWN] * _FAR

    def translate(self, text: str) -> str:
        """Return what all characters of a text are translated to."""
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
