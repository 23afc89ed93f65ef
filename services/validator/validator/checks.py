"""What can be told of an answer without a judge: whether the words that it quotes stand in the result."""

import unicodedata
from collections.abc import Iterator
from typing import Any

from contracts.jsontext import json_text

# A model writes typewriter quotes and hyphens for the typographer's, and puts marks of its own around a quotation.
_PLAIN = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_AROUND = "\"'."


def quotable(result: Any) -> str:
    """What `stands_in` searches: the result's JSON text, then its strings one after the other."""
    return _fold(json_text(result)) + "\n" + _fold(" ".join(_strings(result)))


def stands_in(quote: str, text: str) -> bool:
    """Whether a `quotable` text holds the quote, whatever the white space, case and form of its characters."""
    folded = _fold(quote)
    wanted = folded.strip(_AROUND) or folded
    return bool(wanted) and wanted in text


def _fold(text: str) -> str:
    # Taken apart and not composed, so that a quote may end between a letter and its accent.
    return "".join(unicodedata.normalize("NFKD", text).translate(_PLAIN).casefold().split())


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
