"""Judging one result: the story, from criteria and result to verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from contracts.resources import Verdict
from validator.errors import JudgeAnswerError, JudgmentError
from validator.evidence import quotable
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.ports import Judge
from validator.prompt import PROMPT_VERSION, write_document
from validator.verdict import Criterion, Judged, judged, read_answer, split_criteria

ValidationResult = Verdict


async def validate_agent_response(
    result: JsonValue,
    acceptance_criteria: str,
    config: JudgeConfig | Mapping[str, Any] | None = None,
    *,
    judge: Judge | None = None,
) -> ValidationResult:
    """Judge a result against criteria, one a line (`optional:` before one that does not decide).

    `config`, which may name only some of JudgeConfig's fields, makes a judge for this one call; who judges often
    passes its own as `judge`, and then only the limits of `config` count. The verdict's `model` names model and prompt.

    Raises JudgeUnavailableError: the judge did not answer, nothing is decided, ask again later. JudgmentError: this
    result cannot be judged. ValueError: the config is wrong.
    """
    limits = config if isinstance(config, JudgeConfig) else JudgeConfig(**(config or {}))
    criteria = split_criteria(acceptance_criteria)
    if not criteria:
        raise JudgmentError("there is no criterion to judge by", code="no_criteria")
    document = _document(criteria, result, limits.document_max_chars)
    text = quotable(result)
    if judge is not None:
        return await _ask(judge, document, criteria, text, limits.max_asks)
    async with OpenAIJudge(limits) as own:
        return await _ask(own, document, criteria, text, limits.max_asks)


def _document(criteria: Sequence[Criterion], result: JsonValue, max_chars: int) -> str:
    try:
        document = write_document(criteria, result)
    except ValueError as error:
        raise JudgmentError("the result cannot be written as JSON", code="result_not_json") from error
    if len(document) > max_chars:
        raise JudgmentError(
            f"criteria and result have {len(document)} characters, more than {max_chars}",
            code="result_too_large_to_judge",
        )
    return document


async def _ask(judge: Judge, document: str, criteria: Sequence[Criterion], text: str, max_asks: int) -> Verdict:
    """The first sound verdict. A pass on an invented quote makes one doubtful: once more, then it stands so."""
    held: Verdict | None = None
    nonsense: JudgeAnswerError | None = None
    for _ in range(max_asks):
        try:
            verdict, doubtful = await _ask_once(judge, document, criteria, text)
        except JudgeAnswerError as error:
            nonsense = error
            continue
        if held is not None or not doubtful:
            return verdict
        held = verdict
    if held is not None:
        return held
    code = None if nonsense is None else nonsense.code
    raise JudgmentError(f"the judge answered nonsense {max_asks} times: {nonsense}", code=code) from nonsense


async def _ask_once(judge: Judge, document: str, criteria: Sequence[Criterion], text: str) -> Judged:
    reply = await judge.ask(document)
    model = f"{reply.model or 'unnamed'} (prompt {PROMPT_VERSION})"
    return judged(criteria, read_answer(reply.text, len(criteria)), text, model)
