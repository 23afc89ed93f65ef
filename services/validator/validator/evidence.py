"""Check without a judge whether the words that an answer quotes stand in the result."""

from typing import Any

from contracts.evidence import fold, fold_quote, iterate_strings
from contracts.jsontext import json_text


def to_quotable(result: Any) -> str:
    """Return the text that `is_quoted_from` searches: the result's JSON text, then its strings one after the other."""
    return fold(json_text(result)) + "\n" + fold(" ".join(iterate_strings(result)))


def is_quoted_from(quote: str, quotable: str) -> bool:
    """Whether a `to_quotable` text holds the quote, whatever the white space, case and form of its characters."""
    sought = fold_quote(quote)
    return bool(sought) and sought in quotable
