"""Find criteria about a result as a whole, which no single section of it shows."""

import re
from typing import Final

from contracts.lint.absence import is_of_absence
from contracts.lint.words import SUBJECT, compile_rules, read_bare

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
_WHOLE: Final = compile_rules(rf"""
    \b(?:always|consistent(?:ly)?|each|entire(?:ly)?|every\w*|exclusively|throughout|unique)\b
    (?<!\babove\x20)(?<!\bafter\x20)(?<!\bat\x20)(?<!\bin\x20)\ball\b(?! right\b)
        |(?<!\bnot\x20)(?<!\bthe\x20)(?<!-)\bonly\b(?!-)
    \bwhole\b(?! (?:grain|milk|number))
    \b(?:at most|no (?:more|longer) than|not exceed|maximum of|exactly) {_NUMBER}\b
    \b(?:under|below|within|less than|fewer than|shorter than|up to) {_NUMBER} {_UNIT}\b
    \bbetween {_NUMBER} (?:and|to) {_NUMBER} {_UNIT}\b
    >(?:written|phrased|worded|composed) in \w|\A(?:{SUBJECT} )?in (?:\w+ )?{_LANGUAGE}\b
    \b(?:answers?|are|be|is|replies|responds?|stays) in (?:\w+ )?{_LANGUAGE}\b|\bthe language (?:is|must)\b
    \bin (?:the )?(?:first|second|third|present|past) (?:person|tense)\b|\bin (?:prose|rhyme|verse)\b
    \b(?:alphabetical(?:ly)?|ascending|chronological(?:ly)?|descending|sorted|ordered by|duplicates?)\b
    \bthe (?:register|spelling|style|tone|voice|wording) (?:is|must|should|stays|remains|fits|suits)\b
    \b(?:british|american|formal|informal|gender-neutral|plain|simple) (?:english|language|spelling|style|tone
        |words)\b
    (?<!\bvor\x20)\b(?:alle[nrs]?|gesamte[mnrs]?|insgesamt|jede[mnrs]?|jeweils|s\xe4mtliche\w*|\xfcberall)\b
    \b(?:ausnahmslos|ausschlie\xdflich|durchgehend|durchweg|einheitlich|immer(?! noch)|stets)\b
    (?<!\bnicht\x20)\bnur\b
    \b(?:h\xf6chstens|maximal|nicht (?:mehr|l\xe4nger) als|genau) {_NUMBER}\b
    \b(?:unter|weniger als|k\xfcrzer als|bis zu) {_NUMBER} {_UNIT}\b|\bzwischen {_NUMBER} und {_NUMBER} {_UNIT}\b
    \bauf {_LANGUAGE}\b|\bin (?:\w+ )?{_LANGUAGE}er sprache\b
    \bin (?:der )?(?:ersten|zweiten|dritten|ich-|du-|sie-|wir-)\s*(?:person|form)\b|\b(?:pr\xe4sens|pr\xe4teritum)\b
    \b(?:alphabetisch|chronologisch|sortiert|aufsteigend|absteigend)\b|\bder (?:stil|ton|tonfall) (?:ist|bleibt
        |passt)\b
""")
#: What a result says, explains or names is found in one place, whatever it is about.
_SAID: Final = re.compile(
    r"\b(?:because|how|that|whether|why)\b|\b(?:dass|warum|weil|weshalb|wieso)\b|,\s*(?:ob|wie)\b"
)


def is_about_the_whole(text: str) -> bool:
    """Return whether a criterion of the kind `meets` is about a result as a whole, so that no part of it decides.

    So is what holds of each part ("every", "only", "is written in"), what has an upper bound, and what must be absent
        .
    """
    bare = read_bare(text)
    said = _SAID.search(bare, 1)
    return _WHOLE.search(bare[: said.start()] if said else bare) is not None or is_of_absence(text)
