"""Make a verdict of a job's criteria and a judge's answers. Pure, and the only place where an outcome is decided."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.checks import needs_context
from contracts.criteria import Criterion
from contracts.evidence import FALSE_QUOTE, Evidence, is_empty
from contracts.judging.policy import JudgePolicy
from contracts.judging.verdict import Verdict
from signoff.errors import ErrorCode
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.errors import JudgeAnswerError

#: Characters of a reason, a comment or a piece of evidence; what is longer is cut.
TEXT_MAX: Final = 2_000
#: Quotations of one criterion that are kept.
QUOTES_MAX: Final = 20
#: Characters of all comments of a verdict, and of all evidence, so that it fits a record (contracts.sizes).
WORDS_MAX: Final = 80_000

_EMPTY: Final = "the result is empty"
_REFUTED: Final = "it passed, and was refuted when it was asked about again"
_UNCONFIRMED: Final = "what was quoted was not confirmed"
_UNPROVEN: Final = "it passed, and was doubted when it was asked about again, without words of the result that break it"

# Lone surrogates and NUL can be neither sent nor stored; the other control and direction characters steer terminals.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)


def _list_quotes(said: Any) -> Any:
    """Return what a judge quotes as a list: by version 2 of the prompt it is one quotation, or null."""
    return [] if said is None else [said] if isinstance(said, str) else said


class CriterionAnswer(BaseModel):
    """What the judge says of one criterion: by version 2 of the prompt with one quotation or none."""

    model_config = ConfigDict(strict=True, extra="forbid")

    evidence: Annotated[list[str], BeforeValidator(_list_quotes)]
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
        code = ErrorCode.JUDGE_INCOMPLETE if cut_off else ErrorCode.JUDGE_INVALID_JSON
        raise JudgeAnswerError("the judge's answer is no whole JSON text", code=code) from error


class _Names(BaseModel):
    model_config = ConfigDict(extra="allow")


def read_answer(text: str, count: int, *words: str) -> Answer:
    """Return the answer on `count` criteria, each exactly once.

    Raise JudgeAnswerError if it is none, or has one of the words that were drawn for the question.
    """
    folded = text.casefold()
    if any(word in folded for word in words):
        raise JudgeAnswerError("the judge wrote a word that it must never write", code=ErrorCode.JUDGE_CANARY)
    read_json(_Names, text)
    members: dict[str, Any] = _DECODER.decode(text)
    names = [f"c{number}" for number in range(1, count + 1)]
    if set(members) - {"reason"} != set(names):
        message = f"the judge did not answer each of {count} criteria once, and nothing else"
        raise JudgeAnswerError(message, code=ErrorCode.JUDGE_CRITERIA_MISMATCH)
    if not isinstance(members.get("reason"), str):
        raise JudgeAnswerError("the judge's answer has no reason")
    try:
        return Answer([CriterionAnswer.model_validate(members[name]) for name in names], members["reason"])
    except ValidationError as error:
        raise JudgeAnswerError(f"the judge's answer has another shape: {error.errors()[0]['type']}") from error


def _to_members(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JudgeAnswerError("the judge answered something twice", code=ErrorCode.JUDGE_CRITERIA_MISMATCH)
    return members


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_to_members)


class Ballot(NamedTuple):
    """What one or several judges hold of one criterion in the end.

    `fault` is why a pass does not count. `is_sure`: whether nothing was doubtful, neither the answers nor what they
    quote. `silence` is the code of what came instead of an answer.
    """

    verdict: CriterionVerdict
    fault: str | None = None
    is_sure: bool = True
    silence: str | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome that counts."""
        return self.verdict.outcome

    def withdraw(self, wanting: str) -> "Ballot":
        """Return the ballot without an outcome that its passages do not show: a pass is unproven, a breach is none.

        A breach that nothing was quoted for is unproven as well: nobody could look at it.
        """
        if self.outcome is Outcome.PASS or not self.verdict.evidence:
            update = {"outcome": Outcome.CANNOT_ASSESS, "unproven": True}
        else:
            update = {"outcome": Outcome.PASS, "evidence": []}
        comment = to_storable(_prepend_note(f"{_UNCONFIRMED}: {wanting}", self.verdict.comment))
        return Ballot(self.verdict.model_copy(update={**update, "comment": comment}), is_sure=False)


class Hearing:
    """What the judge has said of one criterion, and what follows.

    The first sound answer decides, also one that follows a faulty answer: `fault` says what was wrong with the last.
    After a quotation that does not stand in the result two sound passes are needed, so that asking again cannot turn an
    invention into a pass by luck.
    """

    def __init__(self, criterion: Criterion, place: int = 0, fault: str | None = None) -> None:
        self.criterion = criterion
        self.place = place  # among the criteria of the job
        self.decided: CriterionVerdict | None = None
        self.fault = fault
        self.is_answered = False
        self._is_doubtful = False
        self._passes_missing = 1
        self._comment = ""

    def hear(self, answer: CriterionAnswer, evidence: Evidence) -> None:
        """Take an answer into account."""
        self.is_answered, self.fault = True, None
        quotes, comment = list(filter(None, map(str.strip, answer.evidence))), answer.comment.strip()
        if answer.outcome is Outcome.PASS:
            quotes, fault = evidence.sift(quotes, self.criterion.text)
            self._comment = comment
            if fault == FALSE_QUOTE or (fault is not None and self.criterion.kind != "never"):
                self.doubt(fault, is_invented=fault == FALSE_QUOTE)
                return
            self._passes_missing -= 1
            if self._passes_missing:
                return
        elif not all(found := [evidence.is_quoted(quote) for quote in quotes]):
            quotes, comment = list(compress(quotes, found)), _prepend_note(FALSE_QUOTE, comment)
            self._is_doubtful = True
        self.decided = self._conclude(answer.outcome, comment, quotes)

    def doubt(self, fault: str, *, is_invented: bool = False) -> None:
        """Take into account what was wrong with an answer."""
        self.fault, self._is_doubtful = fault, True
        if is_invented:
            self._passes_missing = 2

    def conclude(self, nonsense: JudgeAnswerError | None = None) -> Ballot:
        """Return what is held when the judge is asked no more; `nonsense` is what it did where it did not answer."""
        if self.decided is not None:
            is_sure = not self._is_doubtful and self.decided.outcome is not Outcome.CANNOT_ASSESS
            return Ballot(self.decided, is_sure=is_sure)
        if not self.is_answered:
            comment = f"the judge does not judge this result: {nonsense}"
            code = JudgeAnswerError.code if nonsense is None else nonsense.code
            return Ballot(self._leave_open(comment), is_sure=False, silence=code)
        note = self.fault or "the judge invented a quotation, and passed it only once without"
        return Ballot(self._leave_open(_prepend_note(note, self._comment)), self.fault, is_sure=False)

    def _conclude(self, outcome: Outcome, comment: str, quotes: Sequence[str] = ()) -> CriterionVerdict:
        return judge_criterion(self.criterion, outcome, comment, quotes)

    def _leave_open(self, comment: str) -> CriterionVerdict:
        """Return that the criterion is open by the judge's failure."""
        return self._conclude(Outcome.CANNOT_ASSESS, comment).model_copy(update={"unproven": True})


class Refutation(Hearing):
    """What a judge says of one criterion that passed before, when it is told to refute that.

    It must be as well evidenced as a pass: what refutes without words of the result leaves the criterion undecided, and
    so does a judge that cannot say. Neither is a pass.
    """

    def hear(self, answer: CriterionAnswer, evidence: Evidence) -> None:
        """Take an answer into account."""
        super().hear(answer, evidence)
        if self.decided is None or self.decided.outcome is Outcome.PASS:
            return
        if not self.decided.evidence:
            said = _prepend_note(_UNPROVEN, answer.comment.strip())
            is_own_word = answer.outcome is Outcome.CANNOT_ASSESS
            self.decided = self._conclude(Outcome.CANNOT_ASSESS, said) if is_own_word else self._leave_open(said)
        else:
            comment = _prepend_note(_REFUTED, self.decided.comment)
            self.decided = self._conclude(self.decided.outcome, comment, self.decided.evidence)


def make_verdict(ballots: Sequence[Ballot], reasons: Sequence[str], model: str | None, **terms: Any) -> Verdict:
    """Return the verdict that follows from what is held of each criterion; `terms` are its other fields."""
    deciding = [one for one in ballots if one.verdict.required]
    silent = next((one for one in deciding if one.silence), None)
    reason = "\n".join(filter(None, map(str.strip, reasons))) or "the judge gave no reason"
    if fault := next((one.fault for one in deciding if one.fault), None):
        reason = _prepend_note(f"a pass does not count, for {fault}", reason)
    if silent is not None:
        reason = _prepend_note(silent.verdict.comment, "; ".join(reasons))
    verdicts = [one.verdict for one in ballots]
    if (most := WORDS_MAX // len(verdicts)) < TEXT_MAX:
        for one in verdicts:
            one.comment, one.evidence = one.comment[:most], _cut_quotes(one.evidence, most)
    code = None if silent is None else silent.silence
    model = None if model is None else to_storable(model)
    return Verdict.of(verdicts, to_storable(reason), model, code, **terms)


def refuse_empty(criteria: Sequence[Criterion], **terms: Any) -> Verdict:
    """Return the verdict on an empty result: it meets nothing, and whether it breaks anything nobody can say."""
    outcomes = {"meets": Outcome.FAIL}
    verdicts = [judge_criterion(one, outcomes.get(one.kind, Outcome.CANNOT_ASSESS), _EMPTY) for one in criteria]
    return Verdict.of(verdicts, f"{_EMPTY}: it has no number, no truth value, and no letter or digit", **terms)


def is_reusable(verdict: Verdict, result: Any, policy: JudgePolicy | None = None) -> bool:
    """Return whether a verdict holds for this result wherever it comes again.

    Not if the judge did not answer, a policy had its say, a check looked at more than the result, or the judge saw what
    the agent was told before.
    """
    checks = [one.text for one in verdict.criteria if one.kind == "check"]
    if policy is not None:
        if "feedback" in policy.task:
            return False
        checks += [step.check for step in policy.loop if step.check is not None]
    return verdict.judge_error is None and not is_empty(result) and not any(map(needs_context, checks))


def to_storable(text: str) -> str:
    """Return the part of a model's words that may be stored and shown, TEXT_MAX characters at most."""
    return _UNSTORABLE.sub("", text[:TEXT_MAX])


def judge_criterion(
    criterion: Criterion, outcome: Outcome, comment: str, quotes: Sequence[str] = ()
) -> CriterionVerdict:
    """Return the verdict on one criterion, in words that may be stored."""
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        kind=criterion.kind,
        outcome=outcome,
        evidence=_cut_quotes(filter(None, map(to_storable, quotes)), TEXT_MAX),
        comment=to_storable(comment),
    )


def _cut_quotes(quotes: Iterable[str], most: int) -> list[str]:
    """Return quotations of so many characters together: the last one cut, not within a word, since it is looked for."""
    kept: list[str] = []
    for quote in islice(quotes, QUOTES_MAX):
        kept.append(quote if len(quote) <= most else quote[:most].rsplit(maxsplit=1)[0])
        if (most := most - len(quote)) <= 0:
            break
    return kept


def _prepend_note(note: str, words: str) -> str:
    return f"{note}; the judge said: {words}" if words else note


#: Outcomes from the weakest to the one that decides: one section shows what is there, or breaks what must never be.
_PRESENCE: Final = (Outcome.FAIL, Outcome.CANNOT_ASSESS, Outcome.PASS)
_ABSENCE: Final = (Outcome.PASS, Outcome.CANNOT_ASSESS, Outcome.FAIL)


def is_settled(ballot: Ballot) -> bool:
    """Return whether no other section can change what one section showed."""
    return ballot.outcome is _order(ballot)[-1]


def join_sections(before: Ballot, here: Ballot) -> Ballot:
    """Return what is held of a criterion by two sections: presence by OR, absence by AND.

    What one section leaves open by itself is open, whatever of the other is unproven.
    """
    order = _order(before)
    stronger = max(before, here, key=lambda ballot: (order.index(ballot.outcome), not ballot.verdict.unproven))
    if is_settled(stronger):
        return stronger
    silence = (before.silence or here.silence) if stronger.outcome is Outcome.CANNOT_ASSESS else None
    return stronger._replace(is_sure=before.is_sure and here.is_sure, silence=silence)


def _order(ballot: Ballot) -> Sequence[Outcome]:
    return _ABSENCE if ballot.verdict.kind == "never" else _PRESENCE


def count_votes(ballots: Sequence[Ballot], votes: int) -> Ballot:
    """Return what the majority of so many votes holds of a criterion; no majority is no pass.

    A pass that counts has evidence, so that one with a majority does.
    """
    outcomes = [ballot.outcome for ballot in ballots]
    tally = f"{outcomes.count(Outcome.PASS)} of {votes} votes pass, {outcomes.count(Outcome.FAIL)} fail"
    for outcome in (Outcome.PASS, Outcome.FAIL):
        if 2 * outcomes.count(outcome) > votes:
            voters = [ballot for ballot in ballots if ballot.outcome is outcome]
            speaker = next((one for one in voters if one.verdict.evidence), voters[0])
            return _speak(speaker, outcome, tally, is_sure=outcomes.count(outcome) == votes)
    silences = [ballot.silence for ballot in ballots if ballot.silence]
    most = max(outcomes.count(Outcome.PASS), outcomes.count(Outcome.FAIL))
    missing = sum(bool(one.silence) or one.verdict.unproven for one in ballots) + votes - len(ballots)
    speaker = next((one for one in ballots if one.outcome is Outcome.CANNOT_ASSESS), ballots[0])
    undecided = _speak(speaker, Outcome.CANNOT_ASSESS, tally, is_sure=False)
    # Where the votes that are missing could have decided, the judges are at fault, and not the result.
    undecided.verdict.unproven = 2 * (most + missing) > votes
    return undecided._replace(silence=next(iter(silences), None) if undecided.verdict.unproven else None)


def _speak(ballot: Ballot, outcome: Outcome, tally: str, *, is_sure: bool) -> Ballot:
    comment = to_storable(f"{tally}; {ballot.verdict.comment}" if ballot.verdict.comment else tally)
    evidence = ballot.verdict.evidence if outcome is ballot.outcome else []
    verdict = ballot.verdict.model_copy(update={"outcome": outcome, "comment": comment, "evidence": evidence})
    return Ballot(verdict, ballot.fault if outcome is ballot.outcome else None, is_sure)
