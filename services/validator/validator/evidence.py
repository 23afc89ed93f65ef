"""What can be told of an answer without a judge: whether the words that it quotes stand in the result."""

from typing import Any

from contracts.evidence import fold, fold_quote, iterate_strings
from contracts.jsontext import json_text


def quotable(result: Any) -> str:
    """What `stands_in` searches: the result's JSON text, then its iterate_strings one after the other."""
    return fold(json_text(result)) + "\n" + fold(" ".join(iterate_strings(result)))


def stands_in(quote: str, text: str) -> bool:
    """Whether a `quotable` text holds the quote, whatever the white space, case and form of its characters."""
    sought = fold_quote(quote)
    return bool(sought) and sought in text
