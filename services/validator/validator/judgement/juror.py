"""Ask one judge about one result until each criterion is decided, or the asks run out."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from contracts.criteria import Criterion
from contracts.evidence import Evidence
from validator.errors import JudgeAnswerError, JudgmentError
from validator.judgement.asks import AskLog
from validator.judgement.patience import Patience
from validator.judgement.sections import cut_result
from validator.judgement.votes import is_settled, join_sections
from validator.ports import Judge
from validator.prompt import CRITERIA_MAX, PLAIN, Manner, Question, Questions
from validator.verdict import Answer, Ballot, Hearing, Refutation, read_answer
from validator.wordings import Prompt

T = TypeVar("T")

#: Characters of a result that is searched on the event loop; a longer one is searched in a thread.
INLINE_MAX_CHARS: Final = 20_000
#: Asks at once, where each criterion has one of its own.
_AT_ONCE: Final = 8
# Of a judge that answers about this, by the same criteria, it is the result that keeps it from answering.
_HARMLESS: Final = {"answer": "Two and two are four."}


class Document:
    """What all judges of one result read: its questions, in parts where it is long, and where its words are found."""

    evidence: Evidence
    parts: Sequence[Questions]

    def __init__(
        self,
        result: Any,
        criteria: Sequence[Criterion],
        prompt: Prompt,
        section_chars: int,
        *,
        task: str = "",
        references: Mapping[int, str] = {},
    ) -> None:
        """Raise ValueError if the result cannot be written as JSON.

        `task` is JSON text; `references` have the numbers of criteria, from 1 on.
        """
        self.criteria = criteria
        self.prompt = prompt
        self.task, self.references = task, references
        self._result = result
        self._section_chars = section_chars
        self._whole = Questions(result, prompt=prompt, task=task)

    @property
    def chars(self) -> int:
        """Characters of the result as JSON."""
        return self._whole.chars

    async def open(self) -> None:
        """Make ready what the judges read, and what they quote from."""
        texts = [criterion.text for criterion in self.criteria]
        self.evidence = await self.compute(Evidence, self._result, texts)
        self.parts = [self._whole]
        if len(self._whole) > self._section_chars:
            self.parts = await self.compute(self._divide)

    def ask(
        self,
        questions: Questions,
        places: Sequence[int],
        manner: Manner,
        faults: Mapping[int, str] = {},
    ) -> Question:
        """Return the question about the criteria at these places, with their references.

        `faults` says by place what was wrong with the last answer.
        """
        numbers = dict(enumerate(places, 1))
        references = self.references
        return questions.ask(
            [self.criteria[place] for place in places],
            manner,
            references={n: references[place + 1] for n, place in numbers.items() if place + 1 in references},
            faults={n: faults[place] for n, place in numbers.items() if place in faults},
        )

    def _divide(self) -> Sequence[Questions]:
        sections = cut_result(self._result, self._section_chars)
        return self._whole.divide(sections) if len(sections) > 1 else [self._whole]

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that looks at the whole result: of a long one not on the event loop."""
        is_long = len(self._whole) > INLINE_MAX_CHARS
        return await asyncio.to_thread(function, *args) if is_long else function(*args)


class Terms(NamedTuple):
    """How a juror is asked: in which role and manner, how many criteria at once, how often at most and for how long.

    `is_tried`: whether its silence may be its own fault, which is found out by a harmless result.
    """

    role: str = "judge"
    manner: Manner = PLAIN
    vote: int | None = None
    criteria_max: int = CRITERIA_MAX
    asks_max: int = 0
    asks_within_s: float = 0.0
    is_tried: bool = True


class Juror:
    """One judge, who is asked about one document; `reasons` are the summaries that it gave."""

    _patience: Patience

    def __init__(self, judge: Judge, document: Document, log: AskLog, terms: Terms) -> None:
        self._judge = judge
        self._document = document
        self._log = log
        self._terms = terms
        self._nonsense: JudgeAnswerError | None = None
        self.reasons: list[str] = []

    async def judge(self, places: Sequence[int]) -> list[Ballot]:
        """Ask about the criteria at these places, again only about what is undecided, and return what is held of each.

        Raise JudgmentError if the judge does not answer about a harmless result either.
        """
        first, *others = self._document.parts
        ballots = await self._hear(first, places)
        for part in others:
            if not (unsettled := [place for place in places if not is_settled(ballots[place])]):
                break
            here = await self._hear(part, unsettled)
            ballots |= {place: join_sections(ballots[place], here[place]) for place in unsettled}
        return [ballots[place] for place in places]

    async def _hear(self, questions: Questions, places: Sequence[int]) -> dict[int, Ballot]:
        criteria, terms = self._document.criteria, self._terms
        make = Refutation if terms.manner.refutes else Hearing
        hearings = terms.manner.arrange([make(criteria[place], place) for place in places])
        self._nonsense = None
        self._patience = patience = Patience(terms.asks_within_s)
        for asked in range(terms.asks_max):
            undecided = [one for one in hearings if one.decided is None]
            if not undecided or (self._nonsense is not None and self._nonsense.is_final):
                break
            if asked and not patience.may_ask_again:
                break
            await self._ask_all(questions, undecided)
        silent = [one for one in hearings if not one.is_answered]
        if silent and terms.is_tried and self._nonsense is not None:
            if not patience.may_ask_again:
                raise JudgmentError(f"{patience}: {self._nonsense}", code=self._nonsense.code)
            await self._require_answer([one.place for one in silent[:CRITERIA_MAX]], self._nonsense)
        return {one.place: one.conclude(self._nonsense) for one in hearings}

    async def _ask_all(self, questions: Questions, hearings: Sequence[Hearing]) -> None:
        size = self._terms.criteria_max
        groups = [hearings[start : start + size] for start in range(0, len(hearings), size)]
        at_once = _AT_ONCE if size == 1 else 1
        for start in range(0, len(groups), at_once):
            await run_all(self._ask_about(questions, group) for group in groups[start : start + at_once])

    async def _ask_about(self, questions: Questions, hearings: Sequence[Hearing]) -> None:
        question = self._document.ask(questions, [one.place for one in hearings], self._terms.manner)
        section = None if questions.part is None else questions.part[0]
        try:
            ask, answer = await self._ask(question, role=self._terms.role, section=section)
        except JudgeAnswerError as error:
            self._nonsense = error
            for one in hearings:
                one.doubt()
            return
        self._log.read(ask, [(one.place, said.outcome) for one, said in zip(hearings, answer.criteria, strict=True)])
        if not all(one.is_answered for one in hearings):
            part = "" if questions.part is None else "part {} of {}: ".format(*questions.part)
            self.reasons.append(part + answer.reason)
        for one, said in zip(hearings, answer.criteria, strict=True):
            await self._document.compute(one.hear, said, self._document.evidence)

    async def _ask(self, question: Question, **fields: Any) -> tuple[dict[str, Any], Answer]:
        begun = time.monotonic()
        try:
            reply = await self._judge.ask(question)
        except JudgeAnswerError as error:
            self._patience.spend(error.latency_s)
            self._log.note(error, time.monotonic() - begun, vote=self._terms.vote, **fields)
            raise
        self._patience.spend(reply.latency_s)
        ask = self._log.note(reply, time.monotonic() - begun, vote=self._terms.vote, **fields)
        return ask, read_answer(reply.text, question.count, *question.words)

    async def _require_answer(self, places: Sequence[int], nonsense: JudgeAnswerError) -> None:
        """Raise JudgmentError if the judge does not answer about a harmless result either."""
        document = self._document
        question = document.ask(document.parts[0].about(_HARMLESS), places, self._terms.manner)
        try:
            await self._ask(question, role="control")
        except JudgeAnswerError as error:
            message = f"the judge answered nonsense, asked {self._terms.asks_max} times at most: {nonsense}"
            raise JudgmentError(message, code=nonsense.code) from error


async def run_all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once, and return what each returns; where one fails the others are stopped."""
    todo = list(work)
    if len(todo) == 1:
        return [await todo[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in todo]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
