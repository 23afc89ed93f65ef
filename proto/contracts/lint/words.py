"""Words and patterns that the rules of the lint share."""

import re
from typing import Final

#: What may stand before a criterion's verb.
SUBJECT: Final = (
    r"(?:it|this|the\s+(?:answer|article|code|email|output|poem|reply|report|response|result|summary|text))"
)
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
#: What a criterion quotes is no part of what it says.
QUOTED: Final = re.compile(
    '"[^"]*"|`[^`]*`|\u201c[^\u201c\u201d]*\u201d|\u201e[^\u201c-\u201e]*.'
    "|\xab[^\xab\xbb]*\xbb|\u300c[^\u300c\u300d]*\u300d"
)
