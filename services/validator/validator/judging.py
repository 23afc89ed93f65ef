"""Judge one result: the story from criteria and result to verdict."""

from collections.abc import Mapping, MutableSequence, Sequence
from contextlib import nullcontext
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from contracts.criteria import Criterion, parse_stored_criteria
from contracts.events import hash_result
from contracts.evidence import is_empty
from contracts.fields import explain
from contracts.judging.policy import JudgeModel, JudgePolicy
from contracts.judging.verdict import Verdict, find_mismatch
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from validator.disclosure import mark_disclosing
from validator.errors import JudgmentError, PolicyNotSupportedError
from validator.judge_config import JudgeConfig
from validator.judgement.juror import Document
from validator.judgement.stages import Judgement
from validator.judges.openai import OpenAIJudge
from validator.judges.patient import PatientJudge
from validator.judges.spending import Purse, SpendingJudge
from validator.ports import FreeGrant, Grant, Judge, JudgeOf, RunChecks, Slot, Subject
from validator.verdict import make_verdict, refuse_empty
from validator.wordings import PROMPT_VERSION, PROMPTS

ValidationResult = Verdict


async def validate_agent_response(  # noqa: PLR0913 - what a verdict may depend on, each by its name
    result: JsonValue,
    acceptance_criteria: str | Sequence[Criterion],
    config: JudgeConfig | Mapping[str, Any] | None = None,
    *,
    judge: Judge | None = None,
    judge_of: JudgeOf | None = None,
    judge_empty: bool = False,
    policy: JudgePolicy | None = None,
    submission: int = 1,
    submissions: int | None = None,
    payload: JsonValue = None,
    previous_result_hash: bytes | None = None,
    run_checks: RunChecks | None = None,
    task: str = "",
    references: Mapping[int, str] = MappingProxyType({}),
) -> ValidationResult:
    """Judge a result against criteria: a list of them, or their text form, one a line.

    `config`, which may name only some of JudgeConfig's fields, makes a judge for this one call. A caller that judges
    often passes its own as `judge`, and then only the limits of `config` count; or, for a policy that names models,
    `judge_of`, which returns the judge of each. The verdict's `model` names model and prompt. A result without content
    is not met and no judge is asked, unless `judge_empty`.

    `policy` says by which stages it is judged, and what the pass of a later `submission` (of so many) needs besides.
    `payload` and the hash of the submission's result before are for checks, which `run_checks` makes. `task` is what
    the agent was asked, as the JSON text of an object; `references` are model answers and rubrics by the number of
    their criterion, from 1, which judges alone see.

    Raise JudgeUnavailableError if a judge did not answer: nothing is decided, ask again later. Raise JudgmentError if
    this result cannot be judged, and ValueError if the config is wrong.
    """
    limits = config if isinstance(config, JudgeConfig) else JudgeConfig(**(config or {}))
    text = acceptance_criteria
    criteria = parse_stored_criteria(text) if isinstance(text, str) else list(text)
    if not criteria:
        raise JudgmentError("there is no criterion to judge by", code=ErrorCode.NO_CRITERIA)
    if not any(criterion.required for criterion in criteria):
        raise JudgmentError("no criterion is required: any result would do", code=ErrorCode.NO_REQUIRED_CRITERION)
    rules = policy or limits.rules
    document = _write_bounded(criteria, result, limits, rules, task, references)
    terms = {
        "submission": submission,
        "submissions": submissions,
        "judge": None if policy is None else policy.reference,
    }
    if not judge_empty and is_empty(result, criteria, task):
        verdict = refuse_empty(criteria, **terms)
    else:
        is_repeated = None if previous_result_hash is None else previous_result_hash == hash_result(json_text(result))
        subject = Subject(result, payload, submission, is_repeated)
        if judge is None and judge_of is None:
            async with OpenAIJudge(limits) as own:
                judgement = Judgement(document, rules, partial(_choose, own), limits, submission)
                verdict = await _carry_out(judgement, run_checks, subject, terms)
        else:
            judgement = Judgement(document, rules, judge_of or partial(_choose, judge), limits, submission)
            verdict = await _carry_out(judgement, run_checks, subject, terms)
    if references:
        known = [from_json(task) if task else None, result]
        await document.compute(mark_disclosing, verdict, references, known)
    if (mismatch := find_mismatch(criteria, verdict)) is not None:
        raise JudgmentError(mismatch, code=ErrorCode.VERDICT_MISMATCH)
    return verdict


async def judge_granted(
    grant: Grant | FreeGrant,
    result: JsonValue,
    config: JudgeConfig,
    judge_of: JudgeOf,
    purse: Purse,
    *,
    run_checks: RunChecks | None = None,
    absences: MutableSequence[float] | None = None,
    take_slot: Slot = lambda _: nullcontext(),
) -> Verdict:
    """Judge a result by all that was granted with it, from a purse.

    A judge that is away is waited for where there are `absences`, which then have since when (PatientJudge), and each
    try has a slot, which is taken by what the judge is asked as. Raise as
    validate_agent_response does, but JudgeUnavailableError only where there are none. Raise PolicyNotSupportedError
    for a policy of a later version.
    """

    def find_judge(model: JudgeModel | None) -> Judge:
        judge = SpendingJudge(judge_of(model), purse, model)
        if absences is None:
            return judge
        asked_as = "" if model is None else model.asked_as
        return PatientJudge(judge, absences, lambda: take_slot(asked_as))

    return await validate_agent_response(
        result,
        grant.acceptance_criteria,
        config,
        judge_of=find_judge,
        judge_empty=grant.judge_empty,
        policy=read_policy(grant.policy),
        submission=grant.submission,
        submissions=grant.submissions,
        payload=grant.payload,
        previous_result_hash=grant.previous_result_hash,
        run_checks=run_checks,
        task=grant.task,
        references=grant.references,
    )


@lru_cache(maxsize=100)
def read_policy(text: str) -> JudgePolicy | None:
    """Return the policy in a JSON text, read once for all that have it; None if there is none.

    Raise PolicyNotSupportedError if it is one of a later version.
    """
    try:
        return JudgePolicy.model_validate_json(text) if text else None
    except ValidationError as error:
        raise PolicyNotSupportedError(f"the validator cannot read the policy: {explain(error)[1]}") from error


def _write_bounded(
    criteria: Sequence[Criterion],
    result: JsonValue,
    limits: JudgeConfig,
    policy: JudgePolicy,
    task: str,
    references: Mapping[int, str],
) -> Document:
    version = policy.prompt or PROMPT_VERSION
    if (prompt := PROMPTS.get(version)) is None:
        known = ", ".join(map(str, sorted(PROMPTS)))
        message = f"the policy names version {version} of the prompt, and this validator has {known}"
        raise JudgmentError(message, code=ErrorCode.JUDGE_PROMPT_UNKNOWN)
    try:
        section_chars = policy.section_chars or limits.section_chars
        document = Document(result, criteria, prompt, section_chars, task=task, references=references)
    except ValueError as error:
        raise JudgmentError("the result cannot be written as JSON", code=ErrorCode.RESULT_NOT_JSON) from error
    length = document.chars + sum(len(criterion.text) for criterion in criteria)
    if length > (most := policy.result_max_chars or limits.document_max_chars):
        whose = "the policy's result_max_chars" if policy.result_max_chars else "SIGNOFF_JUDGE_RESULT_MAX_CHARS"
        message = f"criteria and result have {length} characters, more than {most} ({whose})"
        raise JudgmentError(message, code=ErrorCode.RESULT_TOO_LARGE_TO_JUDGE)
    return document


def _choose(judge: Judge | None, _: JudgeModel | None) -> Judge:
    assert judge is not None
    return judge


async def _carry_out(
    judgement: Judgement, run_checks: RunChecks | None, subject: Subject, terms: Mapping[str, Any]
) -> Verdict:
    """Judge by stages: what is free first, then by judges, and then what a pass of this submission needs besides."""
    try:
        await judgement.check(run_checks, subject)
        await judgement.judge()
        await judgement.doubt(run_checks, subject)
    except JudgmentError as error:
        error.asked = judgement.asked
        raise
    ballots = [judgement.ballots[place] for place in range(len(judgement.ballots))]
    return make_verdict(ballots, judgement.reasons, judgement.model, stages=judgement.stages, **terms)
