"""From a job's criteria and a judge's answer to a verdict: pure, and the only place where an outcome is decided."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.resources import CriterionVerdict, Verdict
from contracts.status import Outcome
from validator.errors import JudgeAnswerError
from validator.evidence import stands_in

#: The most characters of a reason, a comment or a piece of evidence; what is longer is cut.
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


class Judged(NamedTuple):
    """A verdict. `doubtful`: at least one pass rested on an invented quote, and stands there as cannot_assess."""

    verdict: Verdict
    doubtful: bool


def split_criteria(text: str) -> list[Criterion]:
    """One criterion a line, without its bullet or number; a line that begins with `optional:` is not required."""
    criteria = []
    for line in text.splitlines():
        stripped = line.strip()
        bare = stripped[_end(_BULLET, stripped) :]
        prefix = _end(_OPTIONAL, bare)
        if words := bare[prefix:].strip():
            criteria.append(Criterion(words, required=not prefix))
    return criteria


def read_json(model: type[M], text: str | bytes) -> M:
    """A judge's JSON as a model. JudgeAnswerError: judge_incomplete, judge_invalid_json or judge_wrong_shape."""
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
    """The answer on `count` criteria, each exactly once, in order. JudgeAnswerError: it is none."""
    answer = read_json(Answer, text)
    answer.criteria.sort(key=lambda said: said.index)
    if [said.index for said in answer.criteria] != list(range(1, count + 1)):
        raise JudgeAnswerError(
            f"the judge answered {len(answer.criteria)} criteria, not each of {count} once",
            code="judge_criteria_mismatch",
        )
    return answer


def judged(criteria: Sequence[Criterion], answer: Answer, text: str, model: str | None) -> Judged:
    """The verdict on the result whose `quotable` text this is; a pass on an invented quote is none."""
    verdicts = [_assess(criterion, said, text) for criterion, said in zip(criteria, answer.criteria, strict=True)]
    doubtful = any(v.outcome is not said.outcome for v, said in zip(verdicts, answer.criteria, strict=True))
    reason = answer.reason.strip() or "the judge gave no reason"
    if doubtful:
        reason = _noted(f"a pass does not count, for {FALSE_QUOTE}", reason)
    return Judged(Verdict.of(verdicts, storable(reason), None if model is None else storable(model)), doubtful)


def storable(text: str) -> str:
    """What of a model's words may be stored and shown: at most TEXT_MAX characters, none that databases refuse."""
    return _UNSTORABLE.sub("", text[:TEXT_MAX])


def _assess(criterion: Criterion, said: CriterionAnswer, text: str) -> CriterionVerdict:
    quote, comment, outcome = (said.evidence or "").strip(), said.comment.strip(), said.outcome
    if quote and not stands_in(quote, text):
        quote, comment = "", _noted(FALSE_QUOTE, comment)
        outcome = Outcome.CANNOT_ASSESS if outcome is Outcome.PASS else outcome
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        outcome=outcome,
        evidence=storable(quote) or None,
        comment=storable(comment),
    )


def _noted(note: str, words: str) -> str:
    return f"{note}; the judge said: {words}" if words else note


def _end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return found.end() if found else 0
