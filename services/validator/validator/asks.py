"""Keep the asks of one judgement in the form in which its verdict lists them. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from signoff.status import Outcome
from validator.errors import JudgeAnswerError
from validator.ports import Reply
from validator.verdict import to_storable

#: Asks of one judgement that are kept one by one; those beyond are summed.
ASKS_MAX: Final = 240
#: Asks that the error of a judgement without a verdict describes; those beyond are counted.
DESCRIBED_MAX: Final = 16
#: Characters of a model's name, and of a request's id.
_NAME_MAX_CHARS: Final = 100
#: A letter for each outcome; NOT_ASKED for a criterion that was not asked about.
_LETTERS: Final = {Outcome.PASS: "p", Outcome.FAIL: "f", Outcome.CANNOT_ASSESS: "c"}
NOT_ASKED: Final = "-"


def to_letters(outcomes: Iterable[tuple[int, Outcome]], count: int) -> str:
    """Return the outcomes of `count` criteria as letters, from the places and outcomes of those asked about."""
    letters = [NOT_ASKED] * count
    for place, outcome in outcomes:
        letters[place] = _LETTERS[outcome]
    return "".join(letters)


class AskLog:
    """The asks of one judgement by `criteria` criteria, with one version of the prompt, as the fields of Ask."""

    def __init__(self, criteria: int, prompt: int) -> None:
        self._criteria = criteria
        self._prompt = prompt
        self._asks: list[dict[str, Any]] = []
        self._first: list[dict[str, Any]] = []
        self._count = 0
        self._room = ASKS_MAX
        self.models: dict[str, None] = {}  # those that replied, in order

    def note(self, answer: Reply | JudgeAnswerError, latency_s: float, **fields: Any) -> dict[str, Any]:
        """Keep an ask with its answer, or the error of an answer that cannot be used, and its latency."""
        usage = answer.usage
        if isinstance(answer, Reply):
            model = answer.model or "unnamed"
            self.models[model] = None
        else:
            model = (usage and usage.model) or "unnamed"
        ask = {
            "model": _shorten(model),
            "prompt": self._prompt,
            "latency_s": round(latency_s if answer.latency_s is None else answer.latency_s, 3),
            "request_id": answer.request_id and _shorten(answer.request_id),
            **fields,
        }
        if usage is not None:
            tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
            ask |= tokens | {"cost_usd": usage.cost_usd}
            if usage.cached_tokens:
                ask["cached_tokens"] = usage.cached_tokens
        if answer.refused:
            ask |= {"refused": answer.refused, "last_refusal": answer.last_refusal}
        self._asks.append(ask)
        self._count += 1
        if self._count <= DESCRIBED_MAX:
            self._first.append(ask)
        return ask

    def read(self, ask: dict[str, Any], outcomes: Iterable[tuple[int, Outcome]]) -> None:
        """Add to an ask the outcomes in its answer, by the places of the criteria."""
        ask["outcomes"] = to_letters(outcomes, self._criteria)

    def take(self) -> list[dict[str, Any]]:
        """Return the asks since the last call, ordered by vote; those beyond ASKS_MAX as one sum."""
        asks, self._asks = self._asks, []
        asks.sort(key=lambda ask: ask.get("vote") or 0)
        kept, rest = asks[: self._room], asks[self._room :]
        self._room -= len(kept)
        return [*kept, _sum(rest)] if rest else kept

    @property
    def words(self) -> str:
        """All asks in words, for the error of a judgement without a verdict; empty if there was none."""
        more = [f"and {self._count - DESCRIBED_MAX} more"] if self._count > DESCRIBED_MAX else []
        asks = "; ".join([*map(_describe, self._first), *more])
        return f"asked by prompt {self._prompt}: {asks}" if asks else ""


def _describe(ask: dict[str, Any]) -> str:
    tokens, cost = ask.get("input_tokens"), ask.get("cost_usd")
    parts = [
        f"{ask['role']} {ask['model']}",
        "" if tokens is None else f"{tokens}{_describe_cached(ask)} + {ask['output_tokens']} tokens",
        "" if cost is None else f"{cost:f} USD",
        f"{ask['latency_s']:g} s",
        ask["request_id"] or "",
        f"after {ask['refused']} refused, the last with {ask['last_refusal']}" if ask.get("refused") else "",
    ]
    return ", ".join(filter(None, parts))


def _describe_cached(ask: dict[str, Any]) -> str:
    return f" ({ask['cached_tokens']} cached)" if "cached_tokens" in ask else ""


def _shorten(name: str) -> str:
    return to_storable(name[:_NAME_MAX_CHARS])


def _sum(asks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    costs = [ask["cost_usd"] for ask in asks if ask.get("cost_usd") is not None]
    refused = [ask for ask in asks if ask.get("refused")]
    summed = {
        "model": _shorten(", ".join(dict.fromkeys(ask["model"] for ask in asks))),
        "role": asks[0]["role"],
        "prompt": asks[0]["prompt"],
        "input_tokens": sum(ask.get("input_tokens", 0) for ask in asks),
        "output_tokens": sum(ask.get("output_tokens", 0) for ask in asks),
        "cost_usd": sum(costs, Decimal(0)) if costs else None,
        "latency_s": round(sum(ask["latency_s"] for ask in asks), 3),
        "sum_of": len(asks),
    }
    if cached := sum(ask.get("cached_tokens", 0) for ask in asks):
        summed["cached_tokens"] = cached
    if refused:
        count = sum(ask["refused"] for ask in refused)
        summed |= {"refused": count, "last_refusal": refused[-1]["last_refusal"]}
    return summed
