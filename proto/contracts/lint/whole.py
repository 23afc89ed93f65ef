"""Find criteria about a result as a whole, which no single section of it shows."""

import re
from collections.abc import Sequence
from typing import Final

from contracts.lint.absence import is_of_absence
from contracts.lint.words import BEGIN, QUOTED, SUBJECT

_NUMBER: Final = (
    r"(?:\d[\d.,]*|a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|eine?[mnrs]?|zwei|drei|vier|f\xfcnf|sechs"
    r"|sieben|acht|neun|zehn|zw\xf6lf)"
)
_UNIT: Final = (
    r"(?:characters?|columns?|digits|entries|headings?|items?|lines?|pages?|paragraphs?|points?|rows?|sections?"
    r"|sentences?|stanzas?|steps?|verses?|words?|abs\xe4tze|eintr\xe4ge|punkte|s\xe4tze|schritte|seiten|w\xf6rter|zeichen|zeilen)"
)
_LANGUAGE: Final = (
    r"(?:arabic|chinese|czech|danish|dutch|english|finnish|french|german|greek|hebrew|hindi|italian|japanese|korean|latin"
    r"|norwegian|polish|portuguese|russian|spanish|swedish|turkish|ukrainian|arabisch|chinesisch|deutsch|englisch|franz\xf6sisch"
    r"|italienisch|japanisch|niederl\xe4ndisch|polnisch|portugiesisch|russisch|spanisch|t\xfcrkisch)"
)
_PATTERNS: Final[Sequence[str]] = (
    r"\b(?:always|consistent(?:ly)?|each|entire(?:ly)?|every\w*|exclusively|throughout|unique)\b",
    r"(?<!\babove )(?<!\bafter )(?<!\bat )(?<!\bin )\ball\b(?!\s+right\b)|(?<!\bnot )(?<!\bthe )(?<!-)\bonly\b(?!-)",
    r"\bwhole\b(?!\s+(?:grain|milk|number))",
    rf"\b(?:at\s+most|no\s+(?:more|longer)\s+than|not\s+exceed|maximum\s+of|exactly)\s+{_NUMBER}\b",
    rf"\b(?:under|below|within|less\s+than|fewer\s+than|shorter\s+than|up\s+to)\s+{_NUMBER}\s+{_UNIT}\b",
    rf"\bbetween\s+{_NUMBER}\s+(?:and|to)\s+{_NUMBER}\s+{_UNIT}\b",
    rf"{BEGIN}(?:written|phrased|worded|composed)\s+in\s+\w|\A(?:{SUBJECT}\s+)?in\s+(?:\w+\s+)?{_LANGUAGE}\b",
    rf"\b(?:answers?|are|be|is|replies|responds?|stays)\s+in\s+(?:\w+\s+)?{_LANGUAGE}\b|\bthe\s+language\s+(?:is|must)\b",
    r"\bin\s+(?:the\s+)?(?:first|second|third|present|past)\s+(?:person|tense)\b|\bin\s+(?:prose|rhyme|verse)\b",
    r"\b(?:alphabetical(?:ly)?|ascending|chronological(?:ly)?|descending|sorted|ordered\s+by|duplicates?)\b",
    r"\bthe\s+(?:register|spelling|style|tone|voice|wording)\s+(?:is|must|should|stays|remains|fits|suits)\b",
    r"\b(?:british|american|formal|informal|gender-neutral|plain|simple)\s+(?:english|language|spelling|style|tone|words)\b",
    r"(?<!\bvor )\b(?:alle[nrs]?|gesamte[mnrs]?|insgesamt|jede[mnrs]?|jeweils|s\xe4mtliche\w*|\xfcberall)\b",
    r"\b(?:ausnahmslos|ausschlie\xdflich|durchgehend|durchweg|einheitlich|immer(?!\s+noch)|stets)\b",
    r"(?<!\bnicht )\bnur\b",
    rf"\b(?:h\xf6chstens|maximal|nicht\s+(?:mehr|l\xe4nger)\s+als|genau)\s+{_NUMBER}\b",
    rf"\b(?:unter|weniger\s+als|k\xfcrzer\s+als|bis\s+zu)\s+{_NUMBER}\s+{_UNIT}\b|\bzwischen\s+{_NUMBER}\s+und\s+{_NUMBER}\s+{_UNIT}\b",
    rf"\bauf\s+{_LANGUAGE}\b|\bin\s+(?:\w+\s+)?{_LANGUAGE}er\s+sprache\b",
    r"\bin\s+(?:der\s+)?(?:ersten|zweiten|dritten|ich-|du-|sie-|wir-)\s*(?:person|form)\b|\b(?:pr\xe4sens|pr\xe4teritum)\b",
    r"\b(?:alphabetisch|chronologisch|sortiert|aufsteigend|absteigend)\b|\bder\s+(?:stil|ton|tonfall)\s+(?:ist|bleibt|passt)\b",
)
_WHOLE: Final = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)
#: What a result says, explains or names is found in one place, whatever it is about.
_SAID: Final = re.compile(
    r"\b(?:because|how|that|whether|why)\b|\b(?:dass|warum|weil|weshalb|wieso)\b|,\s*(?:ob|wie)\b", re.IGNORECASE
)


def is_about_the_whole(text: str) -> bool:
    """Return whether a criterion of the kind `meets` is about a result as a whole, so that no part of it decides.

    So is what holds of each part ("every", "only", "is written in"), what has an upper bound, and what must be absent.
    """
    bare = QUOTED.sub("\0", text)
    said = _SAID.search(bare, 1)
    return _WHOLE.search(bare[: said.start()] if said else bare) is not None or is_of_absence(text)
