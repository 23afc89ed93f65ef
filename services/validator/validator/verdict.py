"""Make a verdict of a job's criteria and a judge's answers. Pure, and the only place where an outcome is decided."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.criteria import Criterion
from contracts.evidence import FALSE_QUOTE, Evidence, is_empty
from contracts.judging.verdict import CriterionVerdict, Verdict
from contracts.status import Outcome
from validator.errors import JudgeAnswerError

#: Characters of a reason, a comment or a piece of evidence; what is longer is cut.
TEXT_MAX: Final = 2_000
#: Who judged, where nobody had to.
NO_JUDGE: Final = "no judge was asked"

_HELP: Final = "words that must appear literally can be put in quotation marks in the criterion"
_EMPTY: Final = "the result is empty"

# Lone surrogates and NUL can be neither sent nor stored; the other control and direction characters steer terminals.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)


class CriterionAnswer(BaseModel):
    """What the judge says of one criterion."""

    model_config = ConfigDict(strict=True, extra="forbid")

    evidence: str | None
    comment: str
    outcome: Annotated[Outcome, Field(strict=False)]


class Answer(NamedTuple):
    """What the judge says of the criteria of one question, in order."""

    criteria: list[CriterionAnswer]
    reason: str


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


class _Names(BaseModel):
    model_config = ConfigDict(extra="allow")


def read_answer(text: str, count: int, canary: str = "") -> Answer:
    """Return the answer on `count` criteria, each exactly once. Raise JudgeAnswerError if it is none."""
    if canary and canary in text.casefold():
        raise JudgeAnswerError("the judge wrote the word that it must never write", code="judge_canary")
    read_json(_Names, text)
    members: dict[str, Any] = json.loads(text, object_pairs_hook=_to_members)
    names = [f"c{number}" for number in range(1, count + 1)]
    if set(members) - {"reason"} != set(names):
        message = f"the judge did not answer each of {count} criteria once, and nothing else"
        raise JudgeAnswerError(message, code="judge_criteria_mismatch")
    if not isinstance(members.get("reason"), str):
        raise JudgeAnswerError("the judge's answer has no reason")
    try:
        return Answer([CriterionAnswer.model_validate(members[name]) for name in names], members["reason"])
    except ValidationError as error:
        raise JudgeAnswerError(f"the judge's answer has another shape: {error.errors()[0]['type']}") from error


def _to_members(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JudgeAnswerError("the judge answered something twice", code="judge_criteria_mismatch")
    return members


class Hearing:
    """What the judge has said of one criterion, and what follows.

    The first sound answer decides. After an answer that was none, or a pass without evidence, only a second sound pass
    makes the criterion pass: so asking again cannot turn a doubt into a pass by luck.
    """

    def __init__(self, criterion: Criterion) -> None:
        self.criterion = criterion
        self.decided: CriterionVerdict | None = None
        self.fault: str | None = None  # of the last pass without evidence
        self.is_answered = False
        self._is_doubtful = False
        self._passes = 0
        self._comment = ""

    def hear(self, answer: CriterionAnswer, evidence: Evidence) -> None:
        """Take an answer into account."""
        self.is_answered = True
        quote, comment = (answer.evidence or "").strip(), answer.comment.strip()
        if answer.outcome is Outcome.PASS:
            self.fault = evidence.find_fault(quote, self.criterion.text)
            self._comment = comment
            if self.fault is not None:
                self.doubt()
                return
            self._passes += 1
            if self._passes < (2 if self._is_doubtful else 1):
                return
        elif quote and not evidence.is_quoted(quote):
            quote, comment = "", _prepend_note(FALSE_QUOTE, comment)
        self.decided = self._conclude(answer.outcome, comment, quote)

    def doubt(self) -> None:
        """Take into account that there was no sound answer."""
        self._is_doubtful = True

    def conclude(self, without_answer: str) -> CriterionVerdict:
        """Return the judgement when nobody is asked any more; `without_answer` says why there was no answer at all."""
        if self.decided is not None:
            return self.decided
        if not self.is_answered:
            return self._conclude(Outcome.CANNOT_ASSESS, without_answer)
        note = f"{self.fault} ({_HELP})" if self.fault else "the judge's answers were doubtful, and it passed only once"
        return self._conclude(Outcome.CANNOT_ASSESS, _prepend_note(note, self._comment))

    def _conclude(self, outcome: Outcome, comment: str, quote: str = "") -> CriterionVerdict:
        return _to_verdict(self.criterion, outcome, comment, quote)


def make_verdict(
    hearings: Sequence[Hearing], reasons: Sequence[str], model: str | None, nonsense: JudgeAnswerError | None
) -> Verdict:
    """Return the verdict that follows; `nonsense` is what the judge did where it answered nothing."""
    unanswered = None if nonsense is None or all(one.is_answered for one in hearings) else nonsense
    verdicts = [one.conclude(f"the judge does not judge this result: {nonsense}") for one in hearings]
    reason = "\n".join(filter(None, map(str.strip, reasons))) or "the judge gave no reason"
    if fault := next((one.fault for one in hearings if one.decided is None and one.fault), None):
        reason = _prepend_note(f"a pass does not count, for {fault}", reason)
    if unanswered is not None:
        reason = _prepend_note(f"the judge does not judge this result: {unanswered}", "; ".join(reasons))
    code = None if unanswered is None else unanswered.code
    return Verdict.of(verdicts, to_storable(reason), None if model is None else to_storable(model), code)


def refuse_empty(criteria: Sequence[Criterion]) -> Verdict:
    """Return the verdict on an empty result: it meets nothing, and whether it breaks anything nobody can say."""
    outcomes = {"meets": Outcome.FAIL}
    verdicts = [_to_verdict(one, outcomes.get(one.kind, Outcome.CANNOT_ASSESS), _EMPTY) for one in criteria]
    return Verdict.of(verdicts, f"{_EMPTY}: it has no number, no truth value, and no letter or digit", NO_JUDGE)


def is_reusable(verdict: Verdict, result: Any) -> bool:
    """Return whether a verdict is a judge's word alone: not if the judge did not answer, or a policy had its say."""
    return verdict.judge_error is None and not is_empty(result)


def to_storable(text: str) -> str:
    """Return the part of a model's words that may be stored and shown, TEXT_MAX characters at most."""
    return _UNSTORABLE.sub("", text[:TEXT_MAX])


def _to_verdict(criterion: Criterion, outcome: Outcome, comment: str, quote: str = "") -> CriterionVerdict:
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        kind=criterion.kind,
        outcome=outcome,
        evidence=to_storable(quote) or None,
        comment=to_storable(comment),
    )


def _prepend_note(note: str, words: str) -> str:
    return f"{note}; the judge said: {words}" if words else note
