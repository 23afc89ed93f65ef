"""Ask the judges of a panel about one result, each until it has decided every criterion or may not be asked again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from contracts.criteria import Criterion
from contracts.evidence import NOT_QUOTED, Evidence, render_result
from contracts.judging.policy import Asks
from contracts.lint_patterns import is_about_the_whole
from signoff.errors import ErrorCode
from signoff.status import Outcome
from validator.errors import JudgeAnswerError, JudgmentError
from validator.ports import Judge
from validator.prompt import CRITERIA_MAX, EXCERPT, PLAIN, Manner, Prompt, Question, Questions
from validator.sections import cut_result, take_excerpt
from validator.verdict import Answer, AskLog, OpenRefutation, OpenVote, Vote, is_settled, join_sections, read_answer

T = TypeVar("T")


class RetryLimit:
    """Bound the retries of one judge on one result by the time that the judge's answers took.

    Neither the wait for the judge's turn nor the time of its absence counts: an absent judge decides nothing.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._spent_s = self._longest_s = 0.0

    def spend(self, latency_s: float | None) -> None:
        """Count the latency of an answer; None, for a latency that was not measured, counts as 0."""
        self._spent_s += latency_s or 0.0
        self._longest_s = max(self._longest_s, latency_s or 0.0)

    @property
    def may_retry(self) -> bool:
        """Whether one more answer would come within the limit if it took as long as the longest so far."""
        return self._spent_s + self._longest_s <= self._within_s

    def __str__(self) -> str:
        return f"the judge's answers took {self._spent_s:.0f} s, and it is not asked again"


#: A result of more characters is searched in a thread, and not on the event loop.
INLINE_MAX_CHARS: Final = 20_000
#: Criteria in one ask under the policy `asks: auto`: among more a judge overlooks some.
_AUTO_MAX: Final = 5
#: The kind of criteria whose pass rests on passages of the result.
MEETS: Final = "meets"
#: Asks in flight at once, where the criteria are divided among several.
AT_ONCE: Final = 8
# A judge that answers about this by the same criteria is kept from answering by the result itself.
_HARMLESS: Final = {"answer": "Two and two are four."}


class Document:
    """A result prepared for judges: questions about it, or its parts if it is long, and a search for quotations."""

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
        """Take a result, the agent's task as JSON text, and references by the number of their criterion, from 1.

        Raise ValueError if the result cannot be written as JSON.
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
        """The number of characters of the result as JSON text."""
        return self._whole.chars

    async def open(self) -> None:
        """Prepare `parts` and `excerpt`, which judges read, and `evidence`, in which their quotations are searched."""
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
        """Return whether the criterion at `place` is judged by the excerpt of a result that is divided into parts.

        That is so for a `meets` criterion about the whole result; a `never` criterion is judged by all parts.
        """
        return place in self._of_excerpt

    async def confirm(self, place: int, quotes: Sequence[str], manner: Manner) -> tuple[Sequence[str], Question]:
        """Return passages around quotations, and the question whether these show that criterion `place` is met."""
        passages = await self.compute(self.evidence.find_passages, quotes) or list(quotes)
        reference = self.references.get(place + 1, "")
        return passages, self._whole.confirm(self.criteria[place], passages, reference, manner)

    def ask(
        self, questions: Questions, places: Sequence[int], manner: Manner, faults: Mapping[int, str] = {}
    ) -> Question:
        """Return the question about the criteria at `places`, with references and the faults of the last answer."""
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
        """Call a function that reads the whole result, in a thread if the result is long, and return its value."""
        is_long = len(self._whole) > INLINE_MAX_CHARS
        return await asyncio.to_thread(function, *args) if is_long else function(*args)


class AskOptions(NamedTuple):
    """How a judge is asked: its role, the manner of questions, the criteria in one ask, the number and time of asks.

    A criterion whose text is in `apart` has an ask of its own. If `has_control`, a judge without a usable answer is
    asked about a harmless result, to find out whether the judge or the result is at fault.
    """

    role: str = "judge"
    manner: Manner = PLAIN
    vote: int | None = None
    asks: Asks = "all"
    apart: frozenset[str] = frozenset()
    asks_max: int = 0
    asks_within_s: float = 0.0
    has_control: bool = True


def group_criteria(open_votes: Sequence[OpenVote], options: AskOptions) -> list[Sequence[OpenVote]]:
    """Return the open votes in groups, of which each is asked about in one ask.

    With `asks` as `auto`, each criterion in `apart` is a group; more than five others are grouped by kind, in fives.
    """
    size = {"all": CRITERIA_MAX, "each": 1, "auto": _AUTO_MAX}[options.asks]
    is_apart = [options.asks == "auto" and one.criterion.text in options.apart for one in open_votes]
    is_by_kind = options.asks == "auto" and is_apart.count(False) > size
    groups: dict[str, list[OpenVote]] = {}
    for place, one in enumerate(open_votes):
        name = f"{place}" if is_apart[place] else one.criterion.kind if is_by_kind else ""
        groups.setdefault(name, []).append(one)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]


class PanelJudge:
    """One judge of a panel, which is asked about one document; `reasons` are the summaries in its answers."""

    def __init__(
        self, judge: Judge, document: Document, log: AskLog, options: AskOptions, confirmer: "Confirmer | None" = None
    ) -> None:
        self._judge = judge
        self._document = document
        self._log = log
        self._options = options
        self._confirmer = confirmer  # of votes by which one part decides for all
        self._nonsense: JudgeAnswerError | None = None
        self._retry_limit = RetryLimit(options.asks_within_s)
        self.reasons: list[str] = []

    async def judge(self, places: Sequence[int], faults: Mapping[int, str] = {}) -> list[Vote]:
        """Ask about the criteria at `places`, again about those left undecided, and return a vote on each, in order.

        `faults` are the faults of earlier answers, by place. Raise JudgmentError if the judge gives no usable answer
        about a harmless result either.
        """
        parts, votes = self._document.parts, dict[int, Vote]()
        of_excerpt = [place for place in places if self._document.takes_excerpt(place)]
        if of_excerpt:
            votes = await self._ask_until_decided(self._document.excerpt, of_excerpt, faults)
        others = [place for place in places if place not in votes]
        for part in parts:
            if not (asked := [place for place in others if place not in votes or not is_settled(votes[place])]):
                break
            here = await self._ask_until_decided(part, asked, faults)
            for place in asked:
                vote = here[place] if len(parts) == 1 else await self._confirm_part(part, here[place], place)
                votes[place] = join_sections(votes[place], vote) if place in votes else vote
        return [votes[place] for place in places]

    async def _confirm_part(self, part: Questions, vote: Vote, place: int) -> Vote:
        """Return the vote on a criterion by one part; a vote that decides for all parts is confirmed first."""
        if self._confirmer is None or not is_settled(vote):
            return vote

        async def ask_again(missing: str) -> Vote:
            return (await self._ask_until_decided(part, [place], {place: missing}))[place]

        return await self._confirmer.confirm(place, vote, ask_again)

    async def _ask_until_decided(
        self, questions: Questions, places: Sequence[int], faults: Mapping[int, str] = {}
    ) -> dict[int, Vote]:
        criteria, options = self._document.criteria, self._options
        make = OpenRefutation if options.manner.refutes else OpenVote
        open_votes = options.manner.arrange([make(criteria[place], place, faults.get(place)) for place in places])
        self._nonsense = None
        self._retry_limit = retry_limit = RetryLimit(options.asks_within_s)
        for asked in range(options.asks_max):
            undecided = [one for one in open_votes if one.decided is None]
            if not undecided or (self._nonsense is not None and self._nonsense.is_final):
                break
            if asked and not retry_limit.may_retry:
                break
            is_last_after_nonsense = asked + 1 == options.asks_max and self._nonsense is not None
            await self._ask_all(questions, _divide_required(undecided) if is_last_after_nonsense else [undecided])
        unanswered = [one for one in open_votes if one.criterion.required and not one.is_answered]
        if unanswered and options.has_control and self._nonsense is not None:
            if not retry_limit.may_retry:
                raise JudgmentError(f"{retry_limit}: {self._nonsense}", code=self._nonsense.code)
            await self._require_answer([one.place for one in unanswered[:CRITERIA_MAX]], self._nonsense)
        return {one.place: one.close(self._nonsense) for one in open_votes}

    async def _ask_all(self, questions: Questions, kinds: Sequence[Sequence[OpenVote]]) -> None:
        """Ask about each of `kinds` in groups: the first group alone, so that the server caches the common prefix."""
        first, *others = [group for kind in kinds if kind for group in group_criteria(kind, self._options)]
        await self._ask_about(questions, first)
        at_once = 1 if self._options.asks == "all" else AT_ONCE
        await run_all((self._ask_about(questions, group) for group in others), at_once)

    async def _ask_about(self, questions: Questions, open_votes: Sequence[OpenVote]) -> None:
        faults = {one.place: one.fault for one in open_votes if one.fault is not None}
        question = self._document.ask(questions, [one.place for one in open_votes], self._options.manner, faults)
        section = None if questions.part is None else questions.part[0]
        try:
            ask, answer = await self.ask(question, role=self._options.role, section=section)
        except JudgeAnswerError as error:
            self._nonsense = error
            for one in open_votes:
                one.add_fault(str(error), is_invented=error.code == ErrorCode.JUDGE_CANARY)
            return
        self._log.read(
            ask, [(one.place, found.outcome) for one, found in zip(open_votes, answer.criteria, strict=True)]
        )
        if not all(one.is_answered for one in open_votes):
            part = "" if questions.part is None else "part {} of {}: ".format(*questions.part)
            self.reasons.append(part + answer.reason)
        for one, found in zip(open_votes, answer.criteria, strict=True):
            await self._document.compute(one.add_answer, found, self._document.evidence)

    async def ask(self, question: Question, **fields: Any) -> tuple[dict[str, Any], Answer]:
        """Ask; return the ask as logged with `fields`, and the answer. Raise JudgeAnswerError if that is unusable."""
        begun = time.monotonic()
        try:
            reply = await self._judge.ask(question)
        except JudgeAnswerError as error:
            self._retry_limit.spend(error.latency_s)
            self._log.note(error, time.monotonic() - begun, vote=self._options.vote, **fields)
            raise
        self._retry_limit.spend(reply.latency_s)
        ask = self._log.note(reply, time.monotonic() - begun, vote=self._options.vote, **fields)
        return ask, read_answer(reply.text, question.count, *question.words)

    async def _require_answer(self, places: Sequence[int], nonsense: JudgeAnswerError) -> None:
        """Ask about a harmless result by the same criteria; if that fails, too, raise JudgmentError for `nonsense`."""
        document = self._document
        question = document.ask(document.parts[0].about(_HARMLESS), places, self._options.manner)
        try:
            await self.ask(question, role="control")
        except JudgeAnswerError as error:
            message = f"the judge answered nonsense, asked {self._options.asks_max} times at most: {nonsense}"
            raise JudgmentError(message, code=nonsense.code) from error


def _divide_required(open_votes: Sequence[OpenVote]) -> Sequence[Sequence[OpenVote]]:
    """Return the votes on required criteria and those on optional ones, since a judge may fail on the latter alone."""
    required = [one for one in open_votes if one.criterion.required]
    return required, [one for one in open_votes if not one.criterion.required]


class Confirmer:
    """A judge that is asked whether the passages that another judge quoted show that judge's outcome.

    The confirmer is shown no other part of the result, and is asked only once about the same passages.
    """

    def __init__(self, judge: Judge, document: Document, log: AskLog, options: AskOptions) -> None:
        self._judge = judge
        self._document = document
        self._log = log
        self._options = options
        self._shown: dict[tuple[int, frozenset[str]], str | None] = {}

    async def confirm(self, place: int, vote: Vote, ask_again: Callable[[str], Awaitable[Vote]]) -> Vote:
        """Return the vote on the criterion at `place` if the passages that the vote quotes show its outcome.

        Otherwise `ask_again` asks the vote's judge again, with what the passages lack, and the new vote is returned.
        Its outcome is withdrawn if it is the same and the new passages do not show it either.
        """
        if (missing := await self._find_missing(place, vote)) is None:
            return vote
        again = await ask_again(missing)
        if again.outcome is not vote.outcome or (missing := await self._find_missing(place, again)) is None:
            return again
        return again.withdraw(missing)

    async def _find_missing(self, place: int, vote: Vote) -> str | None:
        """Return a description of what the passages of a vote lack; None if they show the vote's outcome."""
        if not vote.verdict.evidence:
            return NOT_QUOTED
        passages, question = await self._document.confirm(place, vote.verdict.evidence, self._options.manner)
        key = (place, frozenset(passages))
        if key not in self._shown:
            self._shown[key] = await self._ask(place, vote.outcome, question)
        return self._shown[key]

    async def _ask(self, place: int, outcome: Outcome, question: Question) -> str | None:
        judge, fault = PanelJudge(self._judge, self._document, self._log, self._options), ""
        for _ in range(self._options.asks_max):
            try:
                ask, answer = await judge.ask(question, role=self._options.role)
            except JudgeAnswerError as error:
                fault = str(error)
                if error.is_final:
                    break
                continue
            (found,) = answer.criteria
            self._log.read(ask, [(place, found.outcome)])
            return None if found.outcome is outcome else found.comment.strip() or "the passages do not show it"
        return f"nobody could confirm it: {fault}"


async def run_all(work: Iterable[Coroutine[Any, Any, T]], at_once: int | None = None) -> list[T]:
    """Run coroutines, `at_once` at a time (None: all), and return their results; the first error cancels the others."""
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
