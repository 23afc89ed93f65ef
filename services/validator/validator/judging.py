"""Judge one result, from criteria and result to the verdict, by the stages of a judge policy."""

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
from contracts.judging.policy import JudgeModel, JudgePolicy, Verdict, find_mismatch
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from validator.disclosure import mark_disclosing
from validator.errors import JudgmentError, PolicyNotSupportedError
from validator.judge_config import JudgeConfig
from validator.judges.budget import BudgetedJudge, JudgingBudget, RetryingJudge
from validator.judges.openai import OpenAIJudge
from validator.panel import Document
from validator.ports import Judge, JudgeOf, JudgingGrant, RunChecks, Slot, Subject
from validator.stages import Judgement
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
    `judge_of`, which returns the judge of each. The verdict's `model` names model and prompt. An empty result meets
    nothing and no judge is asked, unless `judge_empty`.

    `policy` has the stages of the judgement, and the steps that the pass of a later `submission` (of so many) needs.
    `payload` and the hash of the result of the submission before are for checks, which `run_checks` makes. `task` is
    the JSON text of the object that the agent was sent; `references` are model answers and rubrics by the number of
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
    grant: JudgingGrant,
    result: JsonValue,
    config: JudgeConfig,
    judge_of: JudgeOf,
    budget: JudgingBudget,
    *,
    run_checks: RunChecks | None = None,
    absences: MutableSequence[float] | None = None,
    take_slot: Slot = lambda _: nullcontext(),
) -> Verdict:
    """Judge a result by all that was granted with it, within a budget.

    With `absences` a judge that is away is asked until it answers (RetryingJudge), each time in a slot of its model.
    Without, JudgeUnavailableError is raised. Raise JudgmentError and ValueError as validate_agent_response does, and
    PolicyNotSupportedError for a policy of a later version.
    """

    def find_judge(model: JudgeModel | None) -> Judge:
        judge = BudgetedJudge(judge_of(model), budget, model)
        if absences is None:
            return judge
        asked_as = "" if model is None else model.asked_as
        return RetryingJudge(judge, absences, lambda: take_slot(asked_as))

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
    """Return the policy in a JSON text, which is read once; None if the text is empty.

    Raise PolicyNotSupportedError for a policy of a later version.
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
    if length > (chars_max := policy.result_max_chars or limits.document_max_chars):
        source = "the policy's result_max_chars" if policy.result_max_chars else "SIGNOFF_JUDGE_RESULT_MAX_CHARS"
        message = f"criteria and result have {length} characters, more than {chars_max} ({source})"
        raise JudgmentError(message, code=ErrorCode.RESULT_TOO_LARGE_TO_JUDGE)
    return document


def _choose(judge: Judge | None, _: JudgeModel | None) -> Judge:
    assert judge is not None
    return judge


async def _carry_out(
    judgement: Judgement, run_checks: RunChecks | None, subject: Subject, terms: Mapping[str, Any]
) -> Verdict:
    """Make the checks, ask the judges, and take the steps of the loop that a pass of this submission needs."""
    try:
        await judgement.check(run_checks, subject)
        await judgement.judge()
        await judgement.apply_loop(run_checks, subject)
    except JudgmentError as error:
        error.asked = judgement.asked
        raise
    votes = [judgement.votes[place] for place in range(len(judgement.votes))]
    return make_verdict(votes, judgement.reasons, judgement.model, stages=judgement.stages, **terms)
