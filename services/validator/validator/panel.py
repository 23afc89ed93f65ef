"""Ask one judge about one result until each criterion is decided, or the asks run out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from contracts.criteria import Criterion
from contracts.evidence import NOT_QUOTED, Evidence, render_result
from contracts.judging.policy import Asks
from contracts.lint import is_about_the_whole
from signoff.errors import ErrorCode
from signoff.status import Outcome
from validator.asks import AskLog
from validator.errors import JudgeAnswerError, JudgmentError
from validator.ports import Judge
from validator.prompt import CRITERIA_MAX, EXCERPT, PLAIN, Manner, Question, Questions, cut_result, take_excerpt
from validator.verdict import Answer, Ballot, Hearing, Refutation, is_settled, join_sections, read_answer
from validator.wordings import Prompt


class Patience:
    """The time of a judge's answers about one result: of a slow one, fewer are waited for.

    Only its answers count, and not the wait for its turn, or until it is back: a judge that is away decides nothing.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._spent_s = self._longest_s = 0.0

    def spend(self, latency_s: float | None) -> None:
        """Take note of an answer; None: nobody measured it."""
        self._spent_s += latency_s or 0.0
        self._longest_s = max(self._longest_s, latency_s or 0.0)

    @property
    def may_ask_again(self) -> bool:
        """Whether another answer, as long in coming as the longest yet, would be in time."""
        return self._spent_s + self._longest_s <= self._within_s

    def __str__(self) -> str:
        return f"the judge's answers took {self._spent_s:.0f} s, and it is not asked again"


T = TypeVar("T")

#: Characters of a result that is searched on the event loop; a longer one is searched in a thread.
INLINE_MAX_CHARS: Final = 20_000
#: Criteria that are asked about together, where the policy says `auto`: of more a judge overlooks something.
_AUTO_MAX: Final = 5
#: The kind of criteria that passages can show.
MEETS: Final = "meets"
#: Asks at once, where criteria have several.
AT_ONCE: Final = 8
# Of a judge that answers about this, by the same criteria, it is the result that keeps it from answering.
_HARMLESS: Final = {"answer": "Two and two are four."}


class Document:
    """What all judges of one result read: its questions, in parts where it is long, and where its words are found."""

    evidence: Evidence
    parts: Sequence[Questions]
    excerpt: Questions

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
        self._of_excerpt = frozenset[int]()

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
        if len(self.parts) > 1:
            meets = [place for place, one in enumerate(self.criteria) if one.kind == MEETS]
            self._of_excerpt = frozenset(one for one in meets if is_about_the_whole(self.criteria[one].text))
        if self._of_excerpt:
            self.excerpt = await self.compute(self._take_excerpt)

    def takes_excerpt(self, place: int) -> bool:
        """Return whether a criterion is judged by the excerpt: a `meets` about the whole, of a result that has parts.

        What must never be is looked for in all parts, whatever it is about.
        """
        return place in self._of_excerpt

    async def confirm(self, place: int, quotes: Sequence[str], manner: Manner) -> tuple[Sequence[str], Question]:
        """Return the passages around quotations, and the question whether they alone show what a criterion says."""
        passages = await self.compute(self.evidence.find_passages, quotes) or list(quotes)
        reference = self.references.get(place + 1, "")
        return passages, self._whole.confirm(self.criteria[place], passages, reference, manner)

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

    def _take_excerpt(self) -> Questions:
        return self._whole.about(take_excerpt(render_result(self._result), self._section_chars), name=EXCERPT)

    async def compute(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function that looks at the whole result: of a long one not on the event loop."""
        is_long = len(self._whole) > INLINE_MAX_CHARS
        return await asyncio.to_thread(function, *args) if is_long else function(*args)


class Terms(NamedTuple):
    """How a juror is asked: in which role and manner, about which criteria at once, how often at most and for how long.

    `apart`: texts of criteria that have an ask of their own.
    `is_tried`: whether its silence may be its own fault, which is found out by a harmless result.
    """

    role: str = "judge"
    manner: Manner = PLAIN
    vote: int | None = None
    asks: Asks = "all"
    apart: frozenset[str] = frozenset()
    asks_max: int = 0
    asks_within_s: float = 0.0
    is_tried: bool = True


def group_criteria(hearings: Sequence[Hearing], terms: Terms) -> list[Sequence[Hearing]]:
    """Return what is asked together: of `auto` what stands apart alone, and of more than five others five of a kind."""
    size = {"all": CRITERIA_MAX, "each": 1, "auto": _AUTO_MAX}[terms.asks]
    is_apart = [terms.asks == "auto" and one.criterion.text in terms.apart for one in hearings]
    is_by_kind = terms.asks == "auto" and is_apart.count(False) > size
    groups: dict[str, list[Hearing]] = {}
    for place, one in enumerate(hearings):
        name = f"{place}" if is_apart[place] else one.criterion.kind if is_by_kind else ""
        groups.setdefault(name, []).append(one)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]


class Juror:
    """One judge, who is asked about one document; `reasons` are the summaries that it gave."""

    def __init__(
        self, judge: Judge, document: Document, log: AskLog, terms: Terms, confirmer: "Confirmer | None" = None
    ) -> None:
        self._judge = judge
        self._document = document
        self._log = log
        self._terms = terms
        self._confirmer = confirmer  # of what a single part decides
        self._nonsense: JudgeAnswerError | None = None
        self._patience = Patience(terms.asks_within_s)
        self.reasons: list[str] = []

    async def judge(self, places: Sequence[int], faults: Mapping[int, str] = {}) -> list[Ballot]:
        """Ask about the criteria at these places, again only about what is undecided, and return what is held of each.

        `faults` says by place what was wrong with the answer before. Raise JudgmentError if the judge does not answer
        about a harmless result either.
        """
        parts, ballots = self._document.parts, dict[int, Ballot]()
        of_excerpt = [place for place in places if self._document.takes_excerpt(place)]
        if of_excerpt:
            ballots = await self._hear(self._document.excerpt, of_excerpt, faults)
        others = [place for place in places if place not in ballots]
        for part in parts:
            if not (asked := [place for place in others if place not in ballots or not is_settled(ballots[place])]):
                break
            here = await self._hear(part, asked, faults)
            for place in asked:
                ballot = here[place] if len(parts) == 1 else await self._confirm_part(part, here[place], place)
                ballots[place] = join_sections(ballots[place], ballot) if place in ballots else ballot
        return [ballots[place] for place in places]

    async def _confirm_part(self, part: Questions, ballot: Ballot, place: int) -> Ballot:
        """Return what is held of a criterion by one part, confirmed where it decides for all parts."""
        if self._confirmer is None or not is_settled(ballot):
            return ballot

        async def ask_again(wanting: str) -> Ballot:
            return (await self._hear(part, [place], {place: wanting}))[place]

        return await self._confirmer.confirm(place, ballot, ask_again)

    async def _hear(
        self, questions: Questions, places: Sequence[int], faults: Mapping[int, str] = {}
    ) -> dict[int, Ballot]:
        criteria, terms = self._document.criteria, self._terms
        make = Refutation if terms.manner.refutes else Hearing
        hearings = terms.manner.arrange([make(criteria[place], place, faults.get(place)) for place in places])
        self._nonsense = None
        self._patience = patience = Patience(terms.asks_within_s)
        for asked in range(terms.asks_max):
            undecided = [one for one in hearings if one.decided is None]
            if not undecided or (self._nonsense is not None and self._nonsense.is_final):
                break
            if asked and not patience.may_ask_again:
                break
            is_last_after_nonsense = asked + 1 == terms.asks_max and self._nonsense is not None
            await self._ask_all(questions, _divide_required(undecided) if is_last_after_nonsense else [undecided])
        silent = [one for one in hearings if one.criterion.required and not one.is_answered]
        if silent and terms.is_tried and self._nonsense is not None:
            if not patience.may_ask_again:
                raise JudgmentError(f"{patience}: {self._nonsense}", code=self._nonsense.code)
            await self._require_answer([one.place for one in silent[:CRITERIA_MAX]], self._nonsense)
        return {one.place: one.conclude(self._nonsense) for one in hearings}

    async def _ask_all(self, questions: Questions, kinds: Sequence[Sequence[Hearing]]) -> None:
        """Ask about each group: the first alone, so that a server's cache has what all begin with before the others."""
        first, *others = [group for kind in kinds if kind for group in group_criteria(kind, self._terms)]
        await self._ask_about(questions, first)
        at_once = 1 if self._terms.asks == "all" else AT_ONCE
        await run_all((self._ask_about(questions, group) for group in others), at_once)

    async def _ask_about(self, questions: Questions, hearings: Sequence[Hearing]) -> None:
        faults = {one.place: one.fault for one in hearings if one.fault is not None}
        question = self._document.ask(questions, [one.place for one in hearings], self._terms.manner, faults)
        section = None if questions.part is None else questions.part[0]
        try:
            ask, answer = await self.ask(question, role=self._terms.role, section=section)
        except JudgeAnswerError as error:
            self._nonsense = error
            for one in hearings:
                one.doubt(str(error), is_invented=error.code == ErrorCode.JUDGE_CANARY)
            return
        self._log.read(ask, [(one.place, said.outcome) for one, said in zip(hearings, answer.criteria, strict=True)])
        if not all(one.is_answered for one in hearings):
            part = "" if questions.part is None else "part {} of {}: ".format(*questions.part)
            self.reasons.append(part + answer.reason)
        for one, said in zip(hearings, answer.criteria, strict=True):
            await self._document.compute(one.hear, said, self._document.evidence)

    async def ask(self, question: Question, **fields: Any) -> tuple[dict[str, Any], Answer]:
        """Ask once, and return the ask in the log and the answer. Raise JudgeAnswerError if that is nonsense."""
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
            await self.ask(question, role="control")
        except JudgeAnswerError as error:
            message = f"the judge answered nonsense, asked {self._terms.asks_max} times at most: {nonsense}"
            raise JudgmentError(message, code=nonsense.code) from error


def _divide_required(hearings: Sequence[Hearing]) -> Sequence[Sequence[Hearing]]:
    """Return what decides, and what is optional: that may be all that the judge cannot answer."""
    required = [one for one in hearings if one.criterion.required]
    return required, [one for one in hearings if not one.criterion.required]


class Confirmer:
    """A judge that is asked whether what another one quoted shows its outcome; of the result it sees nothing else.

    The same passages are shown once.
    """

    def __init__(self, judge: Judge, document: Document, log: AskLog, terms: Terms) -> None:
        self._judge = judge
        self._document = document
        self._log = log
        self._terms = terms
        self._shown: dict[tuple[int, frozenset[str]], str | None] = {}

    async def confirm(self, place: int, ballot: Ballot, ask_again: Callable[[str], Awaitable[Ballot]]) -> Ballot:
        """Return what is held of a criterion in the end: a ballot whose passages show its outcome, or none such.

        Where they do not, the judge that quoted them is asked again, and told what is wanting.
        """
        if (wanting := await self._find_wanting(place, ballot)) is None:
            return ballot
        again = await ask_again(wanting)
        if again.outcome is not ballot.outcome or (wanting := await self._find_wanting(place, again)) is None:
            return again
        return again.withdraw(wanting)

    async def _find_wanting(self, place: int, ballot: Ballot) -> str | None:
        """Return what the passages of a ballot do not show, in words; None if they show its outcome."""
        if not ballot.verdict.evidence:
            return NOT_QUOTED
        passages, question = await self._document.confirm(place, ballot.verdict.evidence, self._terms.manner)
        key = (place, frozenset(passages))
        if key not in self._shown:
            self._shown[key] = await self._ask(place, ballot.outcome, question)
        return self._shown[key]

    async def _ask(self, place: int, outcome: Outcome, question: Question) -> str | None:
        juror, fault = Juror(self._judge, self._document, self._log, self._terms), ""
        for _ in range(self._terms.asks_max):
            try:
                ask, answer = await juror.ask(question, role=self._terms.role)
            except JudgeAnswerError as error:
                fault = str(error)
                if error.is_final:
                    break
                continue
            (said,) = answer.criteria
            self._log.read(ask, [(place, said.outcome)])
            return None if said.outcome is outcome else said.comment.strip() or "the passages do not show it"
        return f"nobody could confirm it: {fault}"


async def run_all(work: Iterable[Coroutine[Any, Any, T]], at_once: int | None = None) -> list[T]:
    """Run coroutines at once, or so many, and return what each returns; where one fails the others are stopped."""
    rest, done = iter(work), list[T]()
    while todo := list(islice(rest, at_once)):
        done += await _run(todo)
    return done


async def _run(todo: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if len(todo) == 1:
        return [await todo[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in todo]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
