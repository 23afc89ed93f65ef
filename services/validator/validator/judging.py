"""Judge one result: the story from criteria and result to verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from contracts.resources import Verdict
from validator.errors import JudgeAnswerError, JudgmentError
from validator.evidence import to_quotable
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.ports import Judge
from validator.prompt import PROMPT_VERSION, write_document
from validator.verdict import Assessment, Criterion, assess, read_answer, split_criteria

ValidationResult = Verdict


async def validate_agent_response(
    result: JsonValue,
    acceptance_criteria: str,
    config: JudgeConfig | Mapping[str, Any] | None = None,
    *,
    judge: Judge | None = None,
) -> ValidationResult:
    """Judge a result against criteria, one a line (`optional:` before one that does not decide).

    `config`, which may name only some of JudgeConfig's fields, makes a judge for this one call. A caller that judges
    often passes its own as `judge`, and then only the limits of `config` count. The verdict's `model` names model and
    prompt.

    Raise JudgeUnavailableError if the judge did not answer: nothing is decided, ask again later. Raise JudgmentError if
    this result cannot be judged, and ValueError if the config is wrong.
    """
    limits = config if isinstance(config, JudgeConfig) else JudgeConfig(**(config or {}))
    criteria = split_criteria(acceptance_criteria)
    if not criteria:
        raise JudgmentError("there is no criterion to judge by", code="no_criteria")
    document = _write_bounded(criteria, result, limits.document_max_chars)
    quotable = to_quotable(result)
    if judge is not None:
        return await _ask(judge, document, criteria, quotable, limits.max_asks)
    async with OpenAIJudge(limits) as own:
        return await _ask(own, document, criteria, quotable, limits.max_asks)


def _write_bounded(criteria: Sequence[Criterion], result: JsonValue, max_chars: int) -> str:
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


async def _ask(judge: Judge, document: str, criteria: Sequence[Criterion], quotable: str, max_asks: int) -> Verdict:
    """Return the first sound verdict.

    A pass on an invented quote makes a verdict doubtful: the judge is asked once more, and then the verdict stands.
    """
    doubted: Verdict | None = None
    nonsense: JudgeAnswerError | None = None
    for _ in range(max_asks):
        try:
            verdict, is_doubtful = await _ask_once(judge, document, criteria, quotable)
        except JudgeAnswerError as error:
            nonsense = error
            continue
        if doubted is not None or not is_doubtful:
            return verdict
        doubted = verdict
    if doubted is not None:
        return doubted
    code = None if nonsense is None else nonsense.code
    raise JudgmentError(f"the judge answered nonsense {max_asks} times: {nonsense}", code=code) from nonsense


async def _ask_once(judge: Judge, document: str, criteria: Sequence[Criterion], quotable: str) -> Assessment:
    reply = await judge.ask(document)
    model = f"{reply.model or 'unnamed'} (prompt {PROMPT_VERSION})"
    return assess(criteria, read_answer(reply.text, len(criteria)), quotable, model)
