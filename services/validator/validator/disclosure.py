"""Find parts of references that a judge's words disclose, so that agents are not sent them. Pure.

The search is for words that are in a reference and in neither the task, the criteria nor the result. It does not find a
disclosure in other words, in another language or in a cipher.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from contracts.judging.policy import Verdict
from contracts.words import fold_all, fold_in_order
from signoff.jsontext import json_text

#: Words in a row that count as a disclosure, and letters of a word that do, though it ends otherwise.
_RUN: Final = 3
_STEM: Final = 4
_MARKS: Final = re.compile(r"\W+|_+")
#: Words that carry no content, in English and German, and those that judges use about any result.
_COMMON_TEXT: Final = """
    a about after all also although an and any are as at be because been before being both but by can cannot could did
    do does done each either every few for from further had has have having here how however i if in instead into is it
    its itself just least less like made many may might more most much must neither nor not of off on one only onto or
    other our out over own same should since so some such than that the their them then there these they this those
    though through to too under until up upon us very was we were what when where whether which while who whose why will
    with within without would you your aber alle als am auch auf aus bei beim bis da das dass dem den denn der des die
    dies diese dieser doch du durch ein eine einem einen einer eines er es etwas f\xfcr hat haben hier ich ihr im ist
    jede jeder kann kein keine k\xf6nnen man mehr mit muss nach nicht noch nur ob oder ohne sein seine sich sie sind
    soll sollte statt \xfcber um und vom von vor war waren weil wenn werden wie wird wo wurde zu zum zur answer answers
    clear contain contains criteria criterion describe describes evidence explain explains fact fail fails full give
    given gives judge mention mentions met meet meets missing name names need needs pass passage passes quote reason
    reference required response result rubric say says sentence show shows stand stands state states text word words
    wrong antwort beleg enth\xe4lt ergebnis fehlt grund kriterium nennt sagt satz steht wort worte zeigt
"""
_COMMON: Final = frozenset(_COMMON_TEXT.split())


def mark_disclosing(verdict: Verdict, references: Mapping[int, str], known: Iterable[Any]) -> None:
    """Set `discloses` where a comment or the reason of a verdict has words of a reference that the agent does not know.

    `known` are the task and the result, as JSON values: the agent knows their words, and those of the criteria.
    """
    texts = [*_list_texts([*known, *(one.text for one in verdict.criteria)])]
    secret = _Secret(references.values(), texts)
    for one in verdict.criteria:
        one.discloses = secret.is_in(one.comment)
    verdict.discloses = secret.is_in(verdict.reason)


class _Secret:
    """The words, beginnings of words and runs of words that are in references but not in the known texts."""

    def __init__(self, references: Collection[str], known: Collection[str]) -> None:
        self._known = _list_forms(fold_all(known))
        self._words = {word for text in references for word in self._list_words(text)}
        self._known |= _COMMON - self._words
        self._begins = {word[:end] for word in self._words for end in range(_STEM, len(word))}
        runs = {run for text in references for run in _list_runs(text)}
        self._runs = runs - {run for text in known for run in _list_runs(text)} if runs else runs

    def _list_words(self, reference: str) -> set[str]:
        """Return a reference's words that the agent does not know: those not in _COMMON, or all if all are (`pass`)."""
        words = _list_forms(fold_all([reference])) - self._known
        return words - _COMMON or words

    def is_in(self, text: str) -> bool:
        """Return whether a text has a part of the secret, also if it is spelled in single letters or backwards."""
        words = _list_forms(fold_all([text]))
        words |= {"".join(letters) for letters in _spell(fold_in_order(text))}
        words |= {word[::-1] for word in words if len(word) >= _STEM}
        return any(map(self._is_disclosed, words)) or not self._runs.isdisjoint(_list_runs(text))

    def _is_disclosed(self, word: str) -> bool:
        if word in self._known:
            return False
        begins = (word[:end] for end in range(_STEM, len(word)))
        return word in self._words or word in self._begins or any(begin in self._words for begin in begins)


def _list_forms(words: Iterable[str]) -> set[str]:
    """Return each word without punctuation, and its parts between punctuation: 1,905 gives 1905, 1 and 905."""
    forms = {part for word in words for part in (_MARKS.sub("", word), *_MARKS.split(word))}
    return forms - {""}


def _list_runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield every three successive words of a text from which common words and bare punctuation are left out."""
    words = [word for word in fold_in_order(text) if _MARKS.sub("", word) and word not in _COMMON]
    yield from zip(*(words[start:] for start in range(_RUN)), strict=False)


def _spell(words: Iterable[str]) -> Iterator[list[str]]:
    """Yield the letters of each run of one-letter words, as of O-s-l-o."""
    letters: list[str] = []
    for word in [*(word for word in words if _MARKS.sub("", word)), "  "]:
        if len(word) == 1:
            letters.append(word)
        elif letters:
            yield letters
            letters = []


def _list_texts(values: Iterable[Any]) -> Iterator[str]:
    """Yield every text in JSON values: names of members, strings, and other scalars as JSON writes them."""
    todo = [*values]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            todo += value
        elif value is not None:
            yield value if isinstance(value, str) else json_text(value)
