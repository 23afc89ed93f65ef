"""Make a verdict of a job's criteria and a judge's answer. Pure, and the only place where an outcome is decided."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.resources import CriterionVerdict, Verdict
from contracts.status import Outcome
from validator.errors import JudgeAnswerError
from validator.evidence import is_quoted_from

#: Characters of a reason, a comment or a piece of evidence; what is longer is cut.
TEXT_MAX = 2_000

FALSE_QUOTE = "the quoted evidence does not stand in the result"

_BULLET = re.compile(r"(?:[-*+\u2022]|\d{1,3}[.)])(?:\s+|$)")
_OPTIONAL = re.compile(r"optional:\s*", re.IGNORECASE)

# Lone surrogates and NUL can be neither sent nor stored; the other control and direction characters steer terminals.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion; one that is not required is judged and does not decide."""

    text: str
    required: bool = True


# The judge is sent the docstrings of this model and the next, within the schema: a change raises PROMPT_VERSION.
class CriterionAnswer(BaseModel):
    """What the judge says of the criterion `index`, counted from 1."""

    model_config = ConfigDict(strict=True, extra="forbid")

    # A model writes the fields in this order, and judges better with the evidence before its eyes.
    index: int
    evidence: str | None
    comment: str
    outcome: Outcome


class Answer(BaseModel):
    """What the judge must answer."""

    model_config = ConfigDict(strict=True, extra="forbid")

    criteria: list[CriterionAnswer]
    reason: str


ANSWER_SCHEMA = Answer.model_json_schema()


class Assessment(NamedTuple):
    """A verdict. It is doubtful if at least one pass rested on an invented quote, and so became cannot_assess."""

    verdict: Verdict
    is_doubtful: bool


def split_criteria(text: str) -> list[Criterion]:
    """Return a criterion a line, without its bullet or number; one that begins with `optional:` is not required."""
    criteria = []
    for line in text.splitlines():
        stripped = line.strip()
        bare = stripped[_match_end(_BULLET, stripped) :]
        prefix = _match_end(_OPTIONAL, bare)
        if words := bare[prefix:].strip():
            criteria.append(Criterion(words, required=not prefix))
    return criteria


def read_json(model: type[M], text: str | bytes) -> M:
    """Parse a judge's JSON as a model.

    Raise JudgeAnswerError: judge_incomplete, judge_invalid_json or judge_wrong_shape.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] != "json_invalid":
            raise JudgeAnswerError(f"the judge's answer has another shape: {first['type']}") from error
        cut_off = str(first["ctx"]["error"]).startswith("EOF")
        code = "judge_incomplete" if cut_off else "judge_invalid_json"
        raise JudgeAnswerError("the judge's answer is no whole JSON text", code=code) from error


def read_answer(text: str, count: int) -> Answer:
    """Return the answer on `count` criteria, each exactly once, in order. Raise JudgeAnswerError if it is none."""
    answer = read_json(Answer, text)
    answer.criteria.sort(key=lambda one: one.index)
    if [one.index for one in answer.criteria] != list(range(1, count + 1)):
        raise JudgeAnswerError(
            f"the judge answered {len(answer.criteria)} criteria, not each of {count} once",
            code="judge_criteria_mismatch",
        )
    return answer


def assess(criteria: Sequence[Criterion], answer: Answer, quotable: str, model: str | None) -> Assessment:
    """Return the verdict on the result with this `quotable` text; a pass on an invented quote does not count."""
    verdicts = [
        _assess_criterion(criterion, one, quotable) for criterion, one in zip(criteria, answer.criteria, strict=True)
    ]
    is_doubtful = any(v.outcome is not one.outcome for v, one in zip(verdicts, answer.criteria, strict=True))
    reason = answer.reason.strip() or "the judge gave no reason"
    if is_doubtful:
        reason = _prepend_note(f"a pass does not count, for {FALSE_QUOTE}", reason)
    return Assessment(
        Verdict.of(verdicts, to_storable(reason), None if model is None else to_storable(model)), is_doubtful
    )


def to_storable(text: str) -> str:
    """Return the part of a model's words that may be stored and shown, TEXT_MAX characters at most."""
    return _UNSTORABLE.sub("", text[:TEXT_MAX])


def _assess_criterion(criterion: Criterion, answer: CriterionAnswer, quotable: str) -> CriterionVerdict:
    quote, comment, outcome = (answer.evidence or "").strip(), answer.comment.strip(), answer.outcome
    if quote and not is_quoted_from(quote, quotable):
        quote, comment = "", _prepend_note(FALSE_QUOTE, comment)
        outcome = Outcome.CANNOT_ASSESS if outcome is Outcome.PASS else outcome
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        outcome=outcome,
        evidence=to_storable(quote) or None,
        comment=to_storable(comment),
    )


def _prepend_note(note: str, words: str) -> str:
    return f"{note}; the judge said: {words}" if words else note


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0
