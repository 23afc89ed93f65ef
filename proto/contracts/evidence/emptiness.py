"""Say which results are empty, which depends on what is asked for."""

# ruff: noqa: RUF001 - letters of many scripts

import re
from collections.abc import Sequence
from typing import Any, Final

from contracts.criteria import Criterion
from contracts.evidence.characters import has_emoji
from contracts.evidence.words import has_letters

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
    """Return whether a criterion says that something is not there, as far as its words tell."""
    return _ABSENCE.search(criterion) is not None


def is_empty(result: Any, criteria: Sequence[Criterion] = (), task: str = "") -> bool:
    """Return whether a result has no number, truth value, emoji, letter or digit in a string, at any depth.

    One that says so itself, as `[]` and `{"errors": []}` do, is none where all required criteria are about absence, or
    where `[]` is the whole answer to a task.
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
