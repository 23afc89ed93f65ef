"""Find criteria by which something must be absent, and say what a result has or does that breaks one."""

import re
from collections.abc import Sequence
from typing import Final

from contracts.lint.words import QUOTED, SUBJECT, compile_rules, cut_clauses

# "No more than", "not only" and "is not empty" ask for nothing to be absent, and "No. 5" is a number.
_NOT: Final = (
    r"(?![-.]\s*\w)"
    r"(?! (?:(?:more|less|mehr|\w+er) (?:than|als)|only|just|merely|nur|blo\xdf|empty|blank|leer|exceed\w*)\b)"
)
_HAS: Final = r"(?:contains?|gives?|has|have|includes?|makes?|mentions?|names?|shows?|uses?|there (?:is|are))"
_HAS_DE: Final = r"(?:enth\xe4lt|erw\xe4hnt|gibt|hat|macht|nennt|nutzt|stellt|verwendet|wiederholt|zeigt|zitiert)"
_IS_DE: Final = r"(?:darf|d\xfcrfen|haben|ist|kann|k\xf6nnen|muss|m\xfcssen|sind|soll|sollen|sollten?|werden|wird)"
_DONE: Final = r"(?:composed|done|explained|formatted|formulated|made|phrased|told|worded|written)"

#: Of "says why it was not closed" and "the price without VAT" nothing is absent: the negation must be the result's.
_ABSENCE: Final = compile_rules(rf"""
    \A(?:no|none|not|nothing|never|kein\w*|nie|niemals|nichts?)\b{_NOT}
    \A(?:free (?:of|from)|frei von|ohne|weder|without)\b
    >(?:must|should|may|can|shall|will|does|do|is|are|has|have) (?:not|never)\b{_NOT}
    >(?:cannot|(?:must|should|ca|wo|does|do|is|are|has|have)n['\u2019]t)\b{_NOT}
    >(?:avoids?|lacks?|never|omits?|vermeidet|meidet|verzichtet auf|says? nothing)\b
    >(?:(?:must|should|may|can|shall|will) )?{_HAS} (?:no|nothing)\b{_NOT}
    >(?:is|are|be|ist|sind) (?:free (?:of|from)|frei von) (?!charge\b|cost)
    >(?:(?:is|are|be) )?(?:{_DONE}|begins|closes|does|ends|opens|rhymes|works) without\b
    \bwithout (?:giving|mentioning|naming|quoting|repeating|saying|using|errors|jargon|mistakes|typos)\b
    >{_IS_DE}\b[^,;:]{{0,80}}\b(?:kein\w*|nichts?|nie|niemals)\b{_NOT}
    >{_HAS_DE}\b[^,;:]{{0,60}}\b(?:kein\w*|nichts)\b{_NOT}
    >(?:ist|kommt|sind|wird)\b[^,;:]{{0,60}}\bohne\b[^,;:]{{0,60}}\b(?:aus|formuliert|geschrieben|verfasst)\b
    \bohne (?:fachbegriffe|fachw\xf6rter|fehler|fremdw\xf6rter|jargon|rechtschreibfehler)\b
    \bnicht\Z
    \A(?:sans|sem|senza|\u0431\u0435\u0437)\b
    \b(?:jamais|aucune?|nunca|ning\xfan|ningun\w*|n\xe3o|nessun\w*|\u043d\u0435
        |\u043d\u0438\u043a\u043e\u0433\u0434\u0430)\b
    \u4e0d[\u5f97\u8981\u80fd\u5e94\u53ef\u542b\u5305\u51fa\u4f7f]|\u6ca1\u6709|\u7981\u6b62|\u907f\u514d
    (?:\u306a\u3044|\u307e\u305b\u3093)(?:\u3053\u3068)?\Z|[\uc5c6\uc54a]\S*\Z
""")
_NEGATED: Final = compile_rules(
    rf"""
    (?:{SUBJECT} )?(?:(?:must|should|may|can|shall|does|do|is|has) (?:not|never)|cannot|never|avoids?|lacks?
        |(?:must|should|ca|does|do|is|has)n['\u2019]t|(?:has |there (?:is|are) )?no|without|kein\w*|ohne|sans
        |aucune?|nessun\w*) (?:be |have )?(.+)
""",
    re.IGNORECASE,
)
#: By the form of what must be absent, what a result that breaks it has or does.
_BROKEN: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (_NEGATED, r"\1"),
    *(
        (compile_rules(rf"(?:{SUBJECT} )?{pattern}", re.IGNORECASE), broken)
        for pattern, broken in (
            (rf"({_HAS}|{_HAS_DE}) (?:no|kein\w*) (.+)", r"\1 \2"),
            (r"(says?|mentions?) nothing (.+)", r"\1 anything \2"),
            (r"(?:(?:is|are|must be|should be) )?(\w+(?:ed|en)) without (.+)", r"\1 with \2"),
            (r"(?:(?:is|are|must be|should be) )?free (?:of|from) (.+)", r"contains \1"),
            (r"nothing (.+)", r"anything \1"),
        )
    ),
)
# Who must avoid one thing and do another has two criteria.
_MORE: Final = re.compile(r"\b(?:and|but|except|unless|und|et|y|e)\b|;", re.IGNORECASE)


def is_of_absence(text: str) -> bool:
    """Return whether something must be absent from a result that meets a criterion."""
    return _ABSENCE.search(cut_clauses(text).rstrip(" .\u3002")) is not None


def say_broken(text: str) -> str | None:
    """Return what a result has or does that breaks a criterion of absence, where that can be said by rule."""
    if _MORE.search(QUOTED.sub("", text)):
        return None
    for pattern, broken in _BROKEN:
        if match := pattern.fullmatch(text):
            said = match.expand(broken)
            return said if pattern is _NEGATED else said[0].lower() + said[1:]
    return None
