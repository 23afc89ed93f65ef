"""Judge criteria by fixed rules, without a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from contracts.evidence import Evidence, find_quoted, is_empty
from signoff.jsontext import json_text

DISCLAIMER = "local judge: fixed rules, no model"
EVIDENCE_MAX_CHARS = 300


@dataclass(frozen=True)
class Finding:
    """The judgement of one criterion; `evidence` is quoted from the result, by the rules that the validator checks."""

    evidence: str | None
    comment: str
    outcome: Literal["pass", "fail"]

    def say(self) -> dict[str, Any]:
        """Return it as a judge says it."""
        quotes = [] if self.evidence is None else [self.evidence]
        return {"comment": self.comment, "evidence": quotes, "outcome": self.outcome}


class Judged:
    """Judge one result: words that a criterion quotes must all stand in it, or, if it says `never`, none of them."""

    def __init__(self, result: Any, criteria: list[str]) -> None:
        self._evidence = Evidence(result, criteria)
        self._passages = list(list_passages(result))

    def judge(self, criterion: str, kind: str = "meets") -> Finding:
        """Judge a criterion; one that quotes no words is met by any result that is not empty."""
        phrases = {phrase: self._evidence.spell(phrase) for phrase in find_quoted(criterion)}
        found = [spelt for spelt in phrases.values() if spelt is not None]
        if kind == "never":
            if found:
                return Finding(found[0], f"the result contains {found[0]!r} ({DISCLAIMER})", "fail")
            quote = self._find_evidence(criterion)  # which a pass of `never` does without
            return Finding(quote, f"the result contains none of the quoted words ({DISCLAIMER})", "pass")
        if missing := [f'"{phrase}"' for phrase, spelt in phrases.items() if spelt is None]:
            comment = f"the result does not contain {', '.join(missing)} ({DISCLAIMER})"
            return Finding(found[0] if found else None, comment, "fail")
        if found:
            return Finding(found[0], f"the result contains all the quoted words ({DISCLAIMER})", "pass")
        if (quote := self._find_evidence(criterion)) is not None:
            return Finding(quote, f"the result is not empty ({DISCLAIMER})", "pass")
        return Finding(None, f"the result is empty ({DISCLAIMER})", "fail")

    def _find_evidence(self, criterion: str) -> str | None:
        """Return the first passage that is evidence on a criterion; None if there is none."""
        return next((one for one in self._passages if self._evidence.find_fault(one, criterion) is None), None)


def list_passages(result: Any) -> Iterator[str]:
    """Yield what may be quoted of a result, in order: the beginnings of texts, named numbers and truth values, all."""
    waiting = [("", result)]
    while waiting:  # not recursive: how deep a result is nested is a stranger's choice
        match waiting.pop():
            case _, str(text) if text.strip():
                yield text if len(text) <= EVIDENCE_MAX_CHARS else text[:EVIDENCE_MAX_CHARS].rsplit(maxsplit=1)[0]
            case name, bool() | int() | float() as value if name:
                yield f"{json_text(name)}: {json_text(value)}"
            case _, list(items):
                waiting.extend(("", item) for item in reversed(items))
            case _, dict(fields):
                waiting.extend(reversed(fields.items()))
    if not is_empty(result):
        yield json_text(result)
