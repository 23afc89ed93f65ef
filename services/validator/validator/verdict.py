"""Make a verdict from a job's criteria, its judges' answers and the asks that brought the answers. Pure.

Outcomes are decided nowhere else.
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import compress, islice
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contracts.checks import needs_context
from contracts.criteria import Criterion
from contracts.evidence import FALSE_QUOTE, Evidence, is_empty
from contracts.judging.policy import JudgePolicy, Verdict
from signoff.errors import ErrorCode
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from validator.errors import JudgeAnswerError
from validator.ports import Reply

#: Characters of a reason, a comment or a piece of evidence; what is longer is cut.
TEXT_MAX: Final = 2_000
#: Quotations of one criterion that are kept.
QUOTES_MAX: Final = 20
#: Characters of all comments of a verdict, and of all evidence, so that it fits a record (contracts.topics).
WORDS_MAX: Final = 80_000

_EMPTY: Final = "the result is empty"
_REFUTED: Final = "it passed, and was refuted when it was asked about again"
_UNCONFIRMED: Final = "what was quoted was not confirmed"
_UNPROVEN: Final = "it passed, and was doubted when it was asked about again, without words of the result that break it"

# Lone surrogates and NUL can be neither sent nor stored; the other control and direction characters steer terminals.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

M = TypeVar("M", bound=BaseModel)


def _list_quotes(evidence: Any) -> Any:
    """Return a judge's evidence as a list; under version 2 of the prompt, it is one quotation or null, and no list."""
    return [] if evidence is None else [evidence] if isinstance(evidence, str) else evidence


class CriterionAnswer(BaseModel):
    """The judge's answer on one criterion."""

    model_config = ConfigDict(strict=True, extra="forbid")

    evidence: Annotated[list[str], BeforeValidator(_list_quotes)]
    comment: str
    outcome: Annotated[Outcome, Field(strict=False)]


class Answer(NamedTuple):
    """A judge's answers on the criteria of one question, in order, and its summary of them."""

    criteria: list[CriterionAnswer]
    reason: str


def read_json(model: type[M], text: str | bytes) -> M:
    """Parse a judge's JSON text as a pydantic model.

    Raise JudgeAnswerError if the text does not fit: judge_incomplete, judge_invalid_json or judge_wrong_shape.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise to_shape_error(error) from error


def to_shape_error(error: ValidationError) -> JudgeAnswerError:
    """Return the error of a judge's JSON text that does not fit: judge_incomplete, judge_invalid_json, or its shape."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] != "json_invalid":
        return JudgeAnswerError(f"the judge's answer has another shape: {first['type']}")
    cut_off = str(first["ctx"]["error"]).startswith("EOF")
    code = ErrorCode.JUDGE_INCOMPLETE if cut_off else ErrorCode.JUDGE_INVALID_JSON
    return JudgeAnswerError("the judge's answer is no whole JSON text", code=code)


class _Names(BaseModel):
    model_config = ConfigDict(extra="allow")


def read_answer(text: str, count: int, *words: str) -> Answer:
    """Return the answer in a judge's text, which must have each of `count` criteria exactly once.

    Raise JudgeAnswerError if the text is no such answer, or if it has one of `words`, which a judge must never write.
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


class Vote(NamedTuple):
    """The vote of one judge, or of several together, on one criterion.

    `fault` says why a pass does not count, `is_sure` that no answer and no quotation was doubtful. `judge_error` is the
    code of the error if the judge gave no usable answer.
    """

    verdict: CriterionVerdict
    fault: str | None = None
    is_sure: bool = True
    judge_error: str | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome for which the vote counts."""
        return self.verdict.outcome

    def withdraw(self, missing: str) -> "Vote":
        """Return the vote as it counts when its passages do not show its outcome; `missing` says what they lack.

        A pass, or a vote without quotations, becomes cannot_assess, unproven. A failure with quotations becomes a pass.
        """
        if self.outcome is Outcome.PASS or not self.verdict.evidence:
            update = {"outcome": Outcome.CANNOT_ASSESS, "unproven": True}
        else:
            update = {"outcome": Outcome.PASS, "evidence": []}
        comment = to_storable(_prepend_note(f"{_UNCONFIRMED}: {missing}", self.verdict.comment))
        return Vote(self.verdict.model_copy(update={**update, "comment": comment}), is_sure=False)


class OpenVote:
    """A judge's vote on one criterion while the judge is being asked about it.

    The first sound answer decides, even after a faulty answer; `fault` is the last answer's. After a quotation that
    does not stand in the result, two sound passes are needed, so that a retry cannot turn an invention into a pass by
    luck.
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

    def add_answer(self, answer: CriterionAnswer, evidence: Evidence) -> None:
        """Count a judge's answer, whose quotations are searched in `evidence`."""
        self.is_answered, self.fault = True, None
        quotes, comment = list(filter(None, map(str.strip, answer.evidence))), answer.comment.strip()
        if answer.outcome is Outcome.PASS:
            quotes, fault = evidence.sift(quotes, self.criterion.text)
            self._comment = comment
            if fault == FALSE_QUOTE or (fault is not None and self.criterion.kind != "never"):
                self.add_fault(fault, is_invented=fault == FALSE_QUOTE)
                return
            self._passes_missing -= 1
            if self._passes_missing:
                return
        elif not all(found := [evidence.is_quoted(quote) for quote in quotes]):
            quotes, comment = list(compress(quotes, found)), _prepend_note(FALSE_QUOTE, comment)
            self._is_doubtful = True
        self.decided = self._conclude(answer.outcome, comment, quotes)

    def add_fault(self, fault: str, *, is_invented: bool = False) -> None:
        """Count a faulty answer; if its quotation `is_invented`, two sound passes are needed from then on."""
        self.fault, self._is_doubtful = fault, True
        if is_invented:
            self._passes_missing = 2

    def close(self, nonsense: JudgeAnswerError | None = None) -> Vote:
        """Return the vote after the last ask; `nonsense` is the error of a judge that never answered usably."""
        if self.decided is not None:
            is_sure = not self._is_doubtful and self.decided.outcome is not Outcome.CANNOT_ASSESS
            return Vote(self.decided, is_sure=is_sure)
        if not self.is_answered:
            comment = f"the judge does not judge this result: {nonsense}"
            code = JudgeAnswerError.code if nonsense is None else nonsense.code
            return Vote(self._leave_open(comment), is_sure=False, judge_error=code)
        note = self.fault or "the judge invented a quotation, and passed it only once without"
        return Vote(self._leave_open(_prepend_note(note, self._comment)), self.fault, is_sure=False)

    def _conclude(self, outcome: Outcome, comment: str, quotes: Sequence[str] = ()) -> CriterionVerdict:
        return judge_criterion(self.criterion, outcome, comment, quotes)

    def _leave_open(self, comment: str) -> CriterionVerdict:
        """Return the verdict that the criterion is undecided (cannot_assess, unproven) because the judge failed."""
        return self._conclude(Outcome.CANNOT_ASSESS, comment).model_copy(update={"unproven": True})


class OpenRefutation(OpenVote):
    """A vote on a criterion that passed before, by a judge that is asked to refute the pass.

    A refutation needs evidence, as a pass does. A refutation without words of the result leaves the criterion
    undecided, as does a judge that cannot assess it; an undecided criterion does not pass.
    """

    def add_answer(self, answer: CriterionAnswer, evidence: Evidence) -> None:
        """Count a judge's answer; a refutation that quotes nothing of `evidence` leaves the criterion undecided."""
        super().add_answer(answer, evidence)
        if self.decided is None or self.decided.outcome is Outcome.PASS:
            return
        if not self.decided.evidence:
            comment = _prepend_note(_UNPROVEN, answer.comment.strip())
            is_own_word = answer.outcome is Outcome.CANNOT_ASSESS
            self.decided = self._conclude(Outcome.CANNOT_ASSESS, comment) if is_own_word else self._leave_open(comment)
        else:
            comment = _prepend_note(_REFUTED, self.decided.comment)
            self.decided = self._conclude(self.decided.outcome, comment, self.decided.evidence)


def make_verdict(votes: Sequence[Vote], reasons: Sequence[str], model: str | None, **terms: Any) -> Verdict:
    """Return the verdict by votes on all criteria, with the judges' reasons and models, and `terms` as other fields."""
    deciding = [one for one in votes if one.verdict.required]
    unanswered = next((one for one in deciding if one.judge_error), None)
    reason = "\n".join(filter(None, map(str.strip, reasons))) or "the judge gave no reason"
    if fault := next((one.fault for one in deciding if one.fault), None):
        reason = _prepend_note(f"a pass does not count, for {fault}", reason)
    if unanswered is not None:
        reason = _prepend_note(unanswered.verdict.comment, "; ".join(reasons))
    verdicts = [one.verdict for one in votes]
    if (chars_max := WORDS_MAX // len(verdicts)) < TEXT_MAX:
        for one in verdicts:
            one.comment, one.evidence = one.comment[:chars_max], _cut_quotes(one.evidence, chars_max)
    code = None if unanswered is None else unanswered.judge_error
    model = None if model is None else to_storable(model)
    return Verdict.of(verdicts, to_storable(reason), model, code, **terms)


def refuse_empty(criteria: Sequence[Criterion], **terms: Any) -> Verdict:
    """Return the verdict on an empty result: `meets` criteria fail, and all others cannot be assessed."""
    outcomes = {"meets": Outcome.FAIL}
    verdicts = [judge_criterion(one, outcomes.get(one.kind, Outcome.CANNOT_ASSESS), _EMPTY) for one in criteria]
    return Verdict.of(verdicts, f"{_EMPTY}: it has no number, no truth value, and no letter or digit", **terms)


def is_reusable(verdict: Verdict, result: Any, policy: JudgePolicy | None = None) -> bool:
    """Return whether a verdict may be reused for the same result of other jobs.

    It may not be if the result is empty, the judge did not answer, a check looked at more than the result, or the judge
    saw the feedback on earlier submissions.
    """
    checks = [one.text for one in verdict.criteria if one.kind == "check"]
    if policy is not None:
        if "feedback" in policy.task:
            return False
        checks += [step.check for step in policy.loop if step.check is not None]
    return verdict.judge_error is None and not is_empty(result) and not any(map(needs_context, checks))


def to_storable(text: str) -> str:
    """Return a model's text, cut to TEXT_MAX characters, without characters that may not be stored or shown."""
    return _UNSTORABLE.sub("", text[:TEXT_MAX])


def judge_criterion(
    criterion: Criterion, outcome: Outcome, comment: str, quotes: Sequence[str] = ()
) -> CriterionVerdict:
    """Return the verdict on one criterion, with comment and quotations made fit to be stored."""
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        kind=criterion.kind,
        outcome=outcome,
        evidence=_cut_quotes(filter(None, map(to_storable, quotes)), TEXT_MAX),
        comment=to_storable(comment),
    )


def _cut_quotes(quotes: Iterable[str], chars_max: int) -> list[str]:
    """Return the first quotations, `chars_max` characters in all; the last is cut between words, to be found again."""
    kept: list[str] = []
    for quote in islice(quotes, QUOTES_MAX):
        kept.append(quote if len(quote) <= chars_max else quote[:chars_max].rsplit(maxsplit=1)[0])
        if (chars_max := chars_max - len(quote)) <= 0:
            break
    return kept


def _prepend_note(note: str, words: str) -> str:
    return f"{note}; the judge said: {words}" if words else note


#: Outcomes from the weakest to the one that decides for all sections: one section can show a presence, or a breach.
_PRESENCE: Final = (Outcome.FAIL, Outcome.CANNOT_ASSESS, Outcome.PASS)
_ABSENCE: Final = (Outcome.PASS, Outcome.CANNOT_ASSESS, Outcome.FAIL)


def is_settled(vote: Vote) -> bool:
    """Return whether a section's vote decides for the whole result, so that no other section can change it."""
    return vote.outcome is _order(vote)[-1]


def join_sections(before: Vote, here: Vote) -> Vote:
    """Return the vote of two sections with the stronger outcome: `meets` pass, `never` fail, then cannot_assess.

    Of two votes with the same outcome, one that is not unproven is returned.
    """
    order = _order(before)
    stronger = max(before, here, key=lambda vote: (order.index(vote.outcome), not vote.verdict.unproven))
    if is_settled(stronger):
        return stronger
    judge_error = (before.judge_error or here.judge_error) if stronger.outcome is Outcome.CANNOT_ASSESS else None
    return stronger._replace(is_sure=before.is_sure and here.is_sure, judge_error=judge_error)


def _order(vote: Vote) -> Sequence[Outcome]:
    return _ABSENCE if vote.verdict.kind == "never" else _PRESENCE


def count_votes(votes: Sequence[Vote], total: int) -> Vote:
    """Return the vote of the majority of `total` votes on a criterion, or cannot_assess if there is no majority.

    The evidence is that of the first vote with this outcome that has any.
    """
    outcomes = [vote.outcome for vote in votes]
    tally = f"{outcomes.count(Outcome.PASS)} of {total} votes pass, {outcomes.count(Outcome.FAIL)} fail"
    for outcome in (Outcome.PASS, Outcome.FAIL):
        if 2 * outcomes.count(outcome) > total:
            agreeing = [vote for vote in votes if vote.outcome is outcome]
            first = next((one for one in agreeing if one.verdict.evidence), agreeing[0])
            return _sum_up(first, outcome, tally, is_sure=outcomes.count(outcome) == total)
    errors = [vote.judge_error for vote in votes if vote.judge_error]
    largest = max(outcomes.count(Outcome.PASS), outcomes.count(Outcome.FAIL))
    missing = sum(bool(one.judge_error) or one.verdict.unproven for one in votes) + total - len(votes)
    first = next((one for one in votes if one.outcome is Outcome.CANNOT_ASSESS), votes[0])
    undecided = _sum_up(first, Outcome.CANNOT_ASSESS, tally, is_sure=False)
    # Where the missing votes could have decided, the judges are at fault, and not the result.
    undecided.verdict.unproven = 2 * (largest + missing) > total
    return undecided._replace(judge_error=next(iter(errors), None) if undecided.verdict.unproven else None)


def _sum_up(vote: Vote, outcome: Outcome, tally: str, *, is_sure: bool) -> Vote:
    comment = to_storable(f"{tally}; {vote.verdict.comment}" if vote.verdict.comment else tally)
    evidence = vote.verdict.evidence if outcome is vote.outcome else []
    verdict = vote.verdict.model_copy(update={"outcome": outcome, "comment": comment, "evidence": evidence})
    return Vote(verdict, vote.fault if outcome is vote.outcome else None, is_sure)


#: Asks of one judgement that are kept one by one; those beyond are summed.
ASKS_MAX: Final = 240
#: Asks that the error of a judgement without a verdict describes; those beyond are counted.
DESCRIBED_MAX: Final = 16
#: Characters of a model's name, and of a request's id.
_NAME_MAX_CHARS: Final = 100
#: A letter for each outcome; NOT_ASKED for a criterion that was not asked about.
_LETTERS: Final = {Outcome.PASS: "p", Outcome.FAIL: "f", Outcome.CANNOT_ASSESS: "c"}
NOT_ASKED: Final = "-"


def to_letters(outcomes: Iterable[tuple[int, Outcome]], count: int) -> str:
    """Return a letter for each of `count` criteria: the outcome that `outcomes` has for its place, or NOT_ASKED."""
    letters = [NOT_ASKED] * count
    for place, outcome in outcomes:
        letters[place] = _LETTERS[outcome]
    return "".join(letters)


class AskLog:
    """The log of one judgement's asks, as fields of Ask; `criteria` is a number, `prompt` the version of the prompt."""

    def __init__(self, criteria: int, prompt: int) -> None:
        self._criteria = criteria
        self._prompt = prompt
        self._asks: list[dict[str, Any]] = []
        self._first: list[dict[str, Any]] = []
        self._count = 0
        self._room = ASKS_MAX
        self._begun = time.monotonic()
        self.models: dict[str, None] = {}  # those that replied, in order

    def note(self, answer: Reply | JudgeAnswerError, latency_s: float, **fields: Any) -> dict[str, Any]:
        """Log an ask, with its reply or the error of an unusable one, and `fields`; return the logged ask."""
        usage = answer.usage
        latency_s = latency_s if answer.latency_s is None else answer.latency_s
        if isinstance(answer, Reply):
            model = answer.model or "unnamed"
            self.models[model] = None
        else:
            model = (usage and usage.model) or "unnamed"
        ask = {
            "model": _shorten(model),
            "prompt": self._prompt,
            "began_s": round(max(0.0, time.monotonic() - self._begun - latency_s), 3),
            "latency_s": round(latency_s, 3),
            "request_id": answer.request_id and _shorten(answer.request_id),
            **fields,
        }
        if usage is not None:
            tokens = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
            ask |= tokens | {"cost_usd": usage.cost_usd}
            if usage.cached_tokens:
                ask["cached_tokens"] = usage.cached_tokens
        if answer.refused:
            ask |= {"refused": answer.refused, "last_refusal": answer.last_refusal}
        self._asks.append(ask)
        self._count += 1
        if self._count <= DESCRIBED_MAX:
            self._first.append(ask)
        return ask

    def read(self, ask: dict[str, Any], outcomes: Iterable[tuple[int, Outcome]]) -> None:
        """Add to a logged ask the outcomes in its answer, which are given with the places of the criteria."""
        ask["outcomes"] = to_letters(outcomes, self._criteria)

    def take(self) -> list[dict[str, Any]]:
        """Return the asks since the last call, by vote; asks beyond ASKS_MAX in all calls are summed up in one."""
        asks, self._asks = self._asks, []
        asks.sort(key=lambda ask: ask.get("vote") or 0)
        kept, rest = asks[: self._room], asks[self._room :]
        self._room -= len(kept)
        return [*kept, _sum(rest)] if rest else kept

    @property
    def words(self) -> str:
        """A description of all asks, for the error of a judgement without a verdict; empty if there was no ask."""
        more = [f"and {self._count - DESCRIBED_MAX} more"] if self._count > DESCRIBED_MAX else []
        asks = "; ".join([*map(_describe, self._first), *more])
        return f"asked by prompt {self._prompt}: {asks}" if asks else ""


def _describe(ask: dict[str, Any]) -> str:
    tokens, cost = ask.get("input_tokens"), ask.get("cost_usd")
    cached = f" ({ask['cached_tokens']} cached)" if "cached_tokens" in ask else ""
    parts = [
        f"{ask['role']} {ask['model']}",
        "" if tokens is None else f"{tokens}{cached} + {ask['output_tokens']} tokens",
        "" if cost is None else f"{cost:f} USD",
        f"{ask['latency_s']:g} s",
        ask["request_id"] or "",
        f"after {ask['refused']} refused, the last with {ask['last_refusal']}" if ask.get("refused") else "",
    ]
    return ", ".join(filter(None, parts))


def _shorten(name: str) -> str:
    return to_storable(name[:_NAME_MAX_CHARS])


def _sum(asks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    costs = [ask["cost_usd"] for ask in asks if ask.get("cost_usd") is not None]
    refused = [ask for ask in asks if ask.get("refused")]
    summed = {
        "model": _shorten(", ".join(dict.fromkeys(ask["model"] for ask in asks))),
        "role": asks[0]["role"],
        "prompt": asks[0]["prompt"],
        "input_tokens": sum(ask.get("input_tokens", 0) for ask in asks),
        "output_tokens": sum(ask.get("output_tokens", 0) for ask in asks),
        "cost_usd": sum(costs, Decimal(0)) if costs else None,
        "latency_s": round(sum(ask["latency_s"] for ask in asks), 3),
        "sum_of": len(asks),
    }
    if cached := sum(ask.get("cached_tokens", 0) for ask in asks):
        summed["cached_tokens"] = cached
    if refused:
        count = sum(ask["refused"] for ask in refused)
        summed |= {"refused": count, "last_refusal": refused[-1]["last_refusal"]}
    return summed
