"""Judge criteria by fixed rules, without a model."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

DISCLAIMER = "local judge: fixed rules, no model"
EVIDENCE_MAX_CHARS = 300
_QUOTED = re.compile(r'"([^"]+)"|\u201c([^\u201d]+)\u201d')


@dataclass(frozen=True)
class Finding:
    """The judgement of one criterion; `evidence` is a verbatim quote from the result."""

    outcome: Literal["pass", "fail"]
    evidence: str | None
    comment: str


def judge_criterion(criterion: str, texts: list[str]) -> Finding:
    """Judge a criterion: met if the texts contain all words that it quotes, or, if it quotes none, any text at all."""
    phrases = find_quoted_phrases(criterion)
    if not phrases:
        evidence = next((text[:EVIDENCE_MAX_CHARS] for text in texts), None)
        found = "the result is not empty" if texts else "the result is empty"
        return Finding("pass" if texts else "fail", evidence, f"{found} ({DISCLAIMER})")
    quotes = {phrase: find_phrase(phrase, texts) for phrase in phrases}
    missing = [f'"{phrase}"' for phrase, quote in quotes.items() if quote is None]
    evidence = next((quote for quote in quotes.values() if quote is not None), None)
    if missing:
        return Finding("fail", evidence, f"the result does not contain {', '.join(missing)} ({DISCLAIMER})")
    return Finding("pass", evidence, f"the result contains all the quoted words ({DISCLAIMER})")


def find_quoted_phrases(text: str) -> list[str]:
    """Find what stands in double quotes, straight or curly."""
    found = (straight or curly for straight, curly in _QUOTED.findall(text))
    return [phrase for phrase in found if phrase.strip()]


def find_phrase(phrase: str, texts: list[str]) -> str | None:
    """Find the phrase, as the first text that has it spells it."""
    pattern = re.compile(re.escape(phrase), re.IGNORECASE)
    return next((match.group() for text in texts if (match := pattern.search(text))), None)


def list_texts(value: Any) -> list[str]:
    """List the texts of a JSON value, in order: strings that are not blank, and numbers and booleans as in JSON."""
    return list(_walk(value))


def _walk(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:  # not recursive: how deep a result is nested is a stranger's choice
        match waiting.pop():
            case str(text) if text.strip():
                yield text
            case bool(flag):
                yield "true" if flag else "false"
            case int() | float() as number:
                yield str(number)
            case list(items):
                waiting.extend(reversed(items))
            case dict(fields):
                waiting.extend(reversed(fields.values()))
