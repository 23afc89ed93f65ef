"""Keep every ask of one judgement, as its verdict says them. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.judging.verdict import Ask
from contracts.resources import Usage
from contracts.status import Outcome
from validator.errors import JudgeAnswerError
from validator.ports import Reply
from validator.verdict import to_storable

#: Asks of one judgement that are kept one by one; of more the sum is.
ASKS_MAX: Final = 240
#: Characters of a model's name, and of a request's id.
_NAME_MAX_CHARS: Final = 100
#: A letter for each outcome; NOT_ASKED where nobody was asked.
_LETTERS: Final = {Outcome.PASS: "p", Outcome.FAIL: "f", Outcome.CANNOT_ASSESS: "c"}
NOT_ASKED: Final = "-"


def to_letters(outcomes: Iterable[tuple[int, Outcome]], count: int) -> str:
    """Return a letter for each of `count` criteria: of those that stand here by their places, the outcome."""
    letters = [NOT_ASKED] * count
    for place, outcome in outcomes:
        letters[place] = _LETTERS[outcome]
    return "".join(letters)


class AskLog:
    """The asks of one judgement by `criteria` criteria, with one version of the prompt."""

    def __init__(self, criteria: int, prompt: int) -> None:
        self._criteria = criteria
        self._prompt = prompt
        self._asks: list[Ask] = []
        self._room = ASKS_MAX
        self.models: dict[str, None] = {}  # who replied, in order

    def note(
        self,
        said: Reply | JudgeAnswerError,
        latency_s: float,
        *,
        role: str,
        vote: int | None = None,
        part: tuple[int, int] | None = None,
    ) -> Ask:
        """Keep an ask: a reply, or the nonsense that came instead, within so many seconds."""
        usage = said.usage
        model = said.model if isinstance(said, Reply) else usage and usage.model
        if isinstance(said, Reply):
            self.models.setdefault(model or "unnamed")
        ask = Ask.model_construct(
            model=_shorten(model or "unnamed"),
            role=role,
            prompt=self._prompt,
            latency_s=round(latency_s if said.latency_s is None else said.latency_s, 3),
            request_id=_shorten(said.request_id) if said.request_id else None,
            vote=vote,
            section=part and part[0],
        )
        if usage is not None:
            ask.input_tokens, ask.output_tokens = usage.input_tokens, usage.output_tokens
            ask.cost_usd = usage.cost_usd
        self._asks.append(ask)
        return ask

    def read(self, ask: Ask, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        """Add to an ask what it said of criteria, by their places."""
        ask.outcomes = to_letters(outcomes, self._criteria)

    def take(self) -> list[Ask]:
        """Return the asks since the last time, vote by vote; those beyond ASKS_MAX as one sum."""
        asks, self._asks = self._asks, []
        if len(asks) > 1:
            asks.sort(key=lambda ask: ask.vote or 0)
        kept, rest = asks[: self._room], asks[self._room :]
        self._room -= len(kept)
        return [*kept, _sum(rest)] if rest else kept


def _shorten(name: str) -> str:
    return to_storable(name[:_NAME_MAX_CHARS])


def _sum(asks: Sequence[Ask]) -> Ask:
    usages = [Usage(input_tokens=ask.input_tokens or 0, output_tokens=ask.output_tokens or 0) for ask in asks]
    costs = [ask.cost_usd for ask in asks if ask.cost_usd is not None]
    return Ask(
        model=_shorten(", ".join(dict.fromkeys(ask.model for ask in asks))),
        role=asks[0].role,
        prompt=asks[0].prompt,
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        cost_usd=sum(costs) if costs else None,
        latency_s=round(sum(ask.latency_s or 0.0 for ask in asks), 3),
        sum_of=len(asks),
    )
