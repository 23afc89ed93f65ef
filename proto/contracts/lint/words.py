"""Words and patterns that the rules of the lint share."""

import re
from textwrap import dedent
from typing import Final

#: What may stand before a criterion's verb.
SUBJECT: Final = (
    r"(?:it|this|the\s+(?:answer|article|code|email|output|poem|reply|report|response|result|summary|text)"
    r"|es|sie|er|(?:der|die|das)\s+(?:antwort|artikel|bericht|code|e-?mail|ergebnis|gedicht|text|zusammenfassung))"
)
#: Characters of a criterion that patterns look at; a rule stands at its begin.
READ_MAX_CHARS: Final = 300
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
#: What a criterion quotes is no part of what it says.
QUOTED: Final = re.compile(
    '"[^"]*"|`[^`]*`|\u201c[^\u201c\u201d]*\u201d|\u201e[^\u201c-\u201e]*.'
    "|\xab[^\xab\xbb]*\xbb|\u300c[^\u300c\u300d]*\u300d"
)

# What stands after these is said or described in the result, and not asked of it.
_CLAUSE: Final = re.compile(
    r"\b(?:although|because|if|that|unless|until|when|where|whether|which|while|who|whom|whose|why|how)\b"
    r"|\b(?<!matches )what\b"
    r"|\b(?:dass|warum|weil|weshalb|wieso)\b|:\s"
    r"|,\s*(?:\w+\s+)?(?:das|dem|den|der|deren|dessen|die|falls|ob|wann|was|welche\w*|wem|wen|wenn|wer|wie|wo|woher|wohin)\b",
)
#: Verbs by which a result says something, so that it need not be so.
SAYING: Final = (
    r"(?:adds?|advises?|announces?|answers?|apologi[sz]es?|argues?|asks?|begins?|cites?|claims?|compares?|concludes?"
    r"|confirms?|contains?|counts?|defines?|describes?|discuss(?:es)?|ends?|explains?|gives?|has|have|identif(?:y|ies)"
    r"|includes?|instructs?|links?|lists?|makes?|mentions?|names?|notes?|offers?|points?|proposes?|provides?|puts?"
    r"|quotes?|rates?|recommends?|refers?|repeats?|reports?|says?|sets?|shows?|specif(?:y|ies)|starts?|states?"
    r"|suggests?|summari[sz]es?|tells?|translates?|uses?|warns?"
    r"|beantwortet|begr\xfcndet|beginnt|beschreibt|best\xe4tigt|bietet|bittet|empfiehlt|endet|enth\xe4lt|erkl\xe4rt"
    r"|erl\xe4utert|erw\xe4hnt|fasst|fragt|f\xfchrt|gibt|hat|listet|nennt|sagt|schl\xe4gt|teilt|vergleicht|verlinkt"
    r"|verweist|verwendet|warnt|weist|z\xe4hlt|zeigt|zitiert)"
)
_DETERMINER: Final = (
    r"(?:the|its|their|our|your|this|these|each|every|all|any|both|no"
    r"|der|die|das|den|dem|des|ihre?|seine?|unsere?|jede[rs]?|alle|beide)"
)
# A subject of up to six words, in which no verb says something; what comes next is asked of the result.
_BEGIN: Final = (
    rf"\A(?:(?:{_DETERMINER}\s+){{1,2}}[\w'\u2019-]+\s+|(?!(?:{SAYING}|{_DETERMINER})\b)[\w'\u2019-]+\s+){{0,6}}?"
)


def compile_rules(rules: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern for any of several, one a line; an indented line goes on.

    A space stands for white space, and `>` for the subject that a text may begin with.
    """
    lines = re.sub(r"\n +", " ", re.sub(r"\n +\|", "|", dedent(rules).strip())).splitlines()
    after_subject = "|".join(line[1:] for line in lines if line[0] == ">")
    found = [f"(?:{line})" for line in lines if line[0] != ">"]
    found += [f"{_BEGIN}(?:{after_subject})"] if after_subject else []
    return re.compile("|".join(found).replace(" ", r"\s+"), flags)


def read_bare(text: str) -> str:
    """Return a text in small letters and without what it quotes; of a long one its begin."""
    return QUOTED.sub("\0", text[:READ_MAX_CHARS]).lower()


def cut_clauses(text: str) -> str:
    """Return in small letters what a criterion asks for itself, not what it quotes or what the result is to say."""
    bare = read_bare(text)
    clause = _CLAUSE.search(bare, 1)
    return bare[: clause.start()] if clause else bare
