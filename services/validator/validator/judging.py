"""Judge one result: the story from criteria and result to verdict."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import JsonValue

from contracts.criteria import Criterion, parse_stored_criteria
from contracts.evidence import Evidence, is_empty
from contracts.judging.verdict import Verdict
from contracts.verdict_check import find_mismatch
from validator.errors import JudgeAnswerError, JudgmentError
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.ports import Judge
from validator.prompt import CRITERIA_MAX, PROMPT_VERSION, Questions
from validator.verdict import Answer, Hearing, make_verdict, read_answer, refuse_empty

ValidationResult = Verdict

T = TypeVar("T")

#: Characters of a result that is searched on the event loop; a longer one is searched in a thread.
INLINE_MAX_CHARS: Final = 20_000
# Of a judge that answers about this, by the same criteria, it is the result that keeps it from answering.
_HARMLESS: Final = {"answer": "Two and two are four."}


async def validate_agent_response(
    result: JsonValue,
    acceptance_criteria: str | Sequence[Criterion],
    config: JudgeConfig | Mapping[str, Any] | None = None,
    *,
    judge: Judge | None = None,
    judge_empty: bool = False,
) -> ValidationResult:
    """Judge a result against criteria: a list of them, or their text form, one a line.

    `config`, which may name only some of JudgeConfig's fields, makes a judge for this one call. A caller that judges
    often passes its own as `judge`, and then only the limits of `config` count. The verdict's `model` names model and
    prompt. A result without content is not met and no judge is asked, unless `judge_empty`.

    Raise JudgeUnavailableError if the judge did not answer: nothing is decided, ask again later. Raise JudgmentError if
    this result cannot be judged, and ValueError if the config is wrong.
    """
    limits = config if isinstance(config, JudgeConfig) else JudgeConfig(**(config or {}))
    text = acceptance_criteria
    criteria = parse_stored_criteria(text) if isinstance(text, str) else list(text)
    if not criteria:
        raise JudgmentError("there is no criterion to judge by", code="no_criteria")
    if not any(criterion.required for criterion in criteria):
        raise JudgmentError("no criterion is required: any result would do", code="no_required_criterion")
    questions = _write_bounded(criteria, result, limits.document_max_chars)
    if is_empty(result) and not judge_empty:
        verdict = refuse_empty(criteria)
    elif judge is not None:
        verdict = await _Judgement(judge, questions, limits.max_asks).judge(criteria, result)
    else:
        async with OpenAIJudge(limits) as own:
            verdict = await _Judgement(own, questions, limits.max_asks).judge(criteria, result)
    if (mismatch := find_mismatch(criteria, verdict)) is not None:
        raise JudgmentError(mismatch, code="verdict_mismatch")
    return verdict


def _write_bounded(criteria: Sequence[Criterion], result: JsonValue, max_chars: int) -> Questions:
    try:
        questions = Questions(result)
    except ValueError as error:
        raise JudgmentError("the result cannot be written as JSON", code="result_not_json") from error
    length = len(questions) + sum(len(criterion.text) for criterion in criteria)
    if length > max_chars:
        raise JudgmentError(
            f"criteria and result have {length} characters, more than {max_chars}", code="result_too_large_to_judge"
        )
    return questions


class _Judgement:
    """Ask a judge about one result until each criterion is decided, or the asks run out."""

    def __init__(self, judge: Judge, questions: Questions, max_asks: int) -> None:
        self._judge = judge
        self._questions = questions
        self._max_asks = max_asks
        self._reasons: list[str] = []
        self._model: str | None = None
        self._nonsense: JudgeAnswerError | None = None

    async def judge(self, criteria: Sequence[Criterion], result: JsonValue) -> Verdict:
        """Ask, again only about what is undecided, and return the verdict."""
        texts = [criterion.text for criterion in criteria]
        evidence = await self._compute(Evidence, result, texts)
        hearings = [Hearing(criterion) for criterion in criteria]
        for _ in range(self._max_asks):
            undecided = [one for one in hearings if one.decided is None]
            if not undecided or (self._nonsense is not None and self._nonsense.is_final):
                break
            for start in range(0, len(undecided), CRITERIA_MAX):
                await self._hear(undecided[start : start + CRITERIA_MAX], evidence)
        unanswered = [one.criterion for one in hearings if not one.is_answered]
        if self._nonsense is not None and unanswered:
            await self._require_answer(unanswered[:CRITERIA_MAX], self._nonsense)
        return make_verdict(hearings, self._reasons, self._model, self._nonsense)

    async def _hear(self, hearings: Sequence[Hearing], evidence: Evidence) -> None:
        try:
            answer = await self._ask(self._questions, [one.criterion for one in hearings])
        except JudgeAnswerError as error:
            self._nonsense = error
            for one in hearings:
                one.doubt()
            return
        if not all(one.is_answered for one in hearings):
            self._reasons.append(answer.reason)
        for one, said in zip(hearings, answer.criteria, strict=True):
            await self._compute(one.hear, said, evidence)

    async def _ask(self, questions: Questions, criteria: Sequence[Criterion]) -> Answer:
        question = questions.ask(criteria)
        reply = await self._judge.ask(question)
        self._model = f"{reply.model or 'unnamed'} (prompt {PROMPT_VERSION})"
        return read_answer(reply.text, question.count, question.canary)

    async def _require_answer(self, criteria: Sequence[Criterion], nonsense: JudgeAnswerError) -> None:
        """Raise JudgmentError if the judge does not answer about a harmless result either."""
        try:
            await self._ask(Questions(_HARMLESS), criteria)
        except JudgeAnswerError as error:
            message = f"the judge answered nonsense, asked {self._max_asks} times at most: {nonsense}"
            raise JudgmentError(message, code=nonsense.code) from error

    async def _compute(self, function: Callable[..., T], *args: Any) -> T:
        is_long = len(self._questions) > INLINE_MAX_CHARS
        return await asyncio.to_thread(function, *args) if is_long else function(*args)
