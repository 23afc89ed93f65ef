"""Judge one result, from criteria and result to the verdict, by the stages of a judge policy."""

from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from contextlib import nullcontext
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from contracts.criteria import Criterion, parse_stored_criteria
from contracts.events import hash_result
from contracts.evidence import is_empty
from contracts.fields import explain
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage
from contracts.judging.verdict import Verdict, find_mismatch
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.judging import StageVerdict
from signoff.status import Outcome
from validator.asks import AskLog, to_letters
from validator.checking import make_checks
from validator.disclosure import mark_disclosing
from validator.errors import BudgetExhaustedError, JudgmentError, PolicyNotSupportedError
from validator.judge_config import JudgeConfig
from validator.judges.budget import PatientJudge, Purse, SpendingJudge
from validator.judges.openai import OpenAIJudge
from validator.panel import AT_ONCE, MEETS, Confirmer, Document, Juror, Terms, run_all
from validator.ports import FreeGrant, Grant, Judge, JudgeOf, RunChecks, Slot, Subject
from validator.prompt import CONFIRMING, Manner
from validator.verdict import Ballot, count_votes, judge_criterion, make_verdict, refuse_empty
from validator.wordings import PROMPT_VERSION, PROMPTS

#: The kind of criteria that no model is asked about.
CHECK: Final = "check"
#: The kind of the stage in which passes are to be refuted.
_REFUTE: Final = "refute"
_AFTER_CHECKS: Final = "no judge was asked, since a required check did not pass"
_NOT_WHOLE: Final = (
    "the criterion is about the whole of a result that is judged in sections, which the judge policy refuses: a "
    "shorter result, or a check, can show it"
)


class Judgement:
    """The judgement of one document, stage by stage. `ballots` has what is held of each criterion, by its place."""

    def __init__(
        self, document: Document, policy: JudgePolicy, judge_of: JudgeOf, limits: JudgeConfig, submission: int = 1
    ) -> None:
        self._document = document
        self._policy = policy
        self._judge_of = judge_of
        self._limits = limits
        self._log = AskLog(len(document.criteria), document.prompt.version)
        self._steps = [step for step in policy.steps if submission >= step.from_submission]
        self._confirmers: dict[int, Confirmer] = {}  # by the places of their steps
        self._let_pass: set[str | None] = set()  # the families of those who let pass what is required
        self.ballots: dict[int, Ballot] = {}
        self.stages: list[StageVerdict] = []
        self.reasons: list[str] = []

    @property
    def model(self) -> str | None:
        """Who judged, and by which version of the prompt; None if nobody replied."""
        names = ", ".join(self._log.models)
        return f"{names} (prompt {self._document.prompt.version})" if names else None

    @property
    def asked(self) -> str:
        """Every ask so far in words; empty if there was none."""
        return self._log.words

    @property
    def passes(self) -> bool:
        """Whether all required criteria have passed so far."""
        criteria = self._document.criteria
        return all(
            place in self.ballots and self.ballots[place].outcome is Outcome.PASS
            for place, criterion in enumerate(criteria)
            if criterion.required
        )

    async def check(self, run_checks: RunChecks | None, subject: Subject) -> None:
        """Make the checks among the criteria."""
        checked = await make_checks(self._document.criteria, subject, run_checks)
        if not checked:
            return
        self._decide("checks", list(checked), [Ballot(verdict) for verdict in checked.values()])
        failed = [one for one in checked.values() if one.required and one.outcome is not Outcome.PASS]
        self.reasons += [f"{one.text}: {one.comment}" for one in failed]

    async def judge(self) -> None:
        """Ask the judges about all other criteria; about none where the checks decided."""
        criteria = self._document.criteria
        places = [place for place, criterion in enumerate(criteria) if criterion.kind != CHECK]
        checks_first = self._policy.stages[0].kind == "checks" and not self._policy.judge_after_checks
        if checks_first and any(
            one.verdict.required and one.outcome is not Outcome.PASS for one in self.ballots.values()
        ):
            self.ballots |= {place: self._note(place, _AFTER_CHECKS) for place in places}
            return
        if not places:
            self.reasons = self.reasons or ["every required check is met"]
            return
        await self._document.open()
        if self._policy.whole == "refuse":
            refused = [place for place in places if self._document.takes_excerpt(place)]
            self.ballots |= {place: self._note(place, _NOT_WHOLE) for place in refused}
            if not (places := [place for place in places if place not in refused]):
                return
        terms = self._bound(Terms("confirm", CONFIRMING))
        for number, step in enumerate(self._steps):
            if step.confirm:
                judge = self._judge_of(step.judge or self._choose_other())
                self._confirmers[number] = Confirmer(judge, self._document, self._log, terms)
        stage = self._policy.stages[-1]
        carry_out = {"single": self._ask_one, "quorum": self._ask_several, "cascade": self._ask_in_turn}[stage.kind]
        self._decide(stage.kind, places, await carry_out(stage, places))

    async def doubt(self, run_checks: RunChecks | None, subject: Subject) -> None:
        """Take what a pass of this submission needs besides, until one thing is missing."""
        for place, step in enumerate(self._steps):
            if place in self._confirmers and self.passes:
                await self._confirm(self._confirmers[place])
            for number in range(step.asks):
                if self.passes:
                    await self._refute(step, number)
            if step.check is not None and self.passes:
                await self._check_besides(step.check, run_checks, subject)

    async def _ask_one(self, stage: Stage, places: Sequence[int]) -> list[Ballot]:
        juror = self._call(stage.judges[0] if stage.judges else None, Terms())
        ballots = await juror.judge(places)
        self.reasons += juror.reasons
        return ballots

    async def _ask_several(self, stage: Stage, places: Sequence[int]) -> list[Ballot]:
        models: Sequence[JudgeModel | None] = stage.judges or [None]
        votes = stage.votes or len(models)
        plan = [models[number % len(models)] for number in range(votes)]
        asked = [None if model is None else model.asked_as for model in plan]
        jurors = [
            self._call(model, Terms("vote", Manner.of_vote(asked[:number].count(asked[number])), number + 1))
            for number, model in enumerate(plan)
        ]
        polled = await run_all(_poll(juror, places) for juror in jurors)
        counted = [(juror, said) for juror, said in zip(jurors, polled, strict=True) if isinstance(said, list)]
        if 2 * len(counted) <= votes:
            raise next(said for said in polled if isinstance(said, JudgmentError))
        for model, said in zip(plan, polled, strict=True):
            if model is not None and isinstance(said, list):
                self._note_family(model, zip(places, said, strict=True))
        majority = [count_votes(said, votes) for said in zip(*(said for _, said in counted), strict=True)]
        # Whoever voted with the majority on most criteria says why.
        agreed = [sum(a.outcome is b.outcome for a, b in zip(said, majority, strict=True)) for _, said in counted]
        self.reasons += counted[agreed.index(max(agreed))][0].reasons
        return majority

    async def _ask_in_turn(self, stage: Stage, places: Sequence[int]) -> list[Ballot]:
        cheap_model, strong_model = stage.judges
        cheap = self._call(cheap_model, Terms("cheap", asks_max=1, is_tried=False))
        ballots = dict(zip(places, await cheap.judge(places), strict=True))
        self._note_family(cheap_model, [(place, ballot) for place, ballot in ballots.items() if ballot.is_sure])
        if unsure := [place for place in places if not ballots[place].is_sure]:
            strong = self._call(strong_model, Terms("strong"))
            heard = dict(zip(unsure, await strong.judge(unsure), strict=True))
            self._note_family(strong_model, heard.items())
            ballots |= heard
            self.reasons += strong.reasons
        if len(unsure) < len(places):
            self.reasons += cheap.reasons
        return list(ballots.values())

    async def _confirm(self, confirmer: Confirmer) -> None:
        """Have the passes confirmed that decide and rest on passages; what these do not show is no pass any more."""
        criteria, judges, reasons = self._document.criteria, self._policy.stages[-1].judges, list[str]()
        places = [place for place, one in enumerate(criteria) if one.required and one.kind == MEETS]
        if not places:
            return

        async def confirm(place: int) -> Ballot:
            async def ask_again(wanting: str) -> Ballot:
                juror = self._call(judges[-1] if judges else None, Terms())
                (ballot,) = await juror.judge([place], {place: wanting})
                reasons.extend(juror.reasons)
                return ballot

            return await confirmer.confirm(place, self.ballots[place], ask_again)

        self._decide("confirm", places, await run_all(map(confirm, places), AT_ONCE))
        if not self.passes:
            self.reasons[:0] = reasons

    async def _refute(self, step: LoopStep, number: int) -> None:
        """Ask to refute the passes that decide; what is not confirmed is no pass any more."""
        criteria = self._document.criteria
        places = [place for place, one in enumerate(criteria) if one.required and one.kind != CHECK]
        if not places:
            return
        juror = self._call(step.judge or self._choose_other(), Terms("refute", Manner.of_refuter(number)))
        heard = await juror.judge(places)
        confirmed = [
            self.ballots[place] if ballot.outcome is Outcome.PASS else ballot
            for place, ballot in zip(places, heard, strict=True)
        ]
        self._decide(_REFUTE, places, confirmed)
        if not self.passes:
            self.reasons[:0] = juror.reasons

    def _choose_other(self) -> JudgeModel | None:
        """Return, of the judges of the stage, the last one of another family than who let it pass, else the last."""
        judges = self._policy.stages[-1].judges
        others = [one for one in judges if one.family is not None and self._let_pass.isdisjoint({one.family, None})]
        return next(reversed(others or judges), None)

    def _note_family(self, model: JudgeModel, said: Iterable[tuple[int, Ballot]]) -> None:
        """Remember of which family a judge is that lets pass what is required."""
        criteria = self._document.criteria
        if any(criteria[place].required and ballot.outcome is Outcome.PASS for place, ballot in said):
            self._let_pass.add(model.family)

    async def _check_besides(self, text: str, run_checks: RunChecks | None, subject: Subject) -> None:
        """Make a check that no criterion names: where it is not passed nothing that is required is."""
        (found,) = (await make_checks([Criterion(text=text, kind=CHECK)], subject, run_checks)).values()
        if found.outcome is Outcome.PASS:
            self._decide("checks", [], [])
            return
        reason = f"from this submission on a pass needs the check {text}: {found.comment}"
        places = [place for place, criterion in enumerate(self._document.criteria) if criterion.required]
        self._decide("checks", places, [self._note(place, reason) for place in places])
        self.reasons.insert(0, reason)

    def _call(self, model: JudgeModel | None, terms: Terms) -> Juror:
        terms = self._bound(terms)
        confirmer = None if terms.manner.refutes else next(iter(self._confirmers.values()), None)
        return Juror(self._judge_of(model), self._document, self._log, terms, confirmer)

    def _bound(self, terms: Terms) -> Terms:
        return terms._replace(
            asks=self._policy.asks,
            apart=frozenset(self._policy.apart),
            asks_max=terms.asks_max or self._limits.max_asks,
            asks_within_s=self._limits.asks_within_s,
        )

    def _note(self, place: int, why: str) -> Ballot:
        return Ballot(judge_criterion(self._document.criteria[place], Outcome.CANNOT_ASSESS, why), is_sure=False)

    def _decide(self, kind: str, places: Sequence[int], ballots: Sequence[Ballot]) -> None:
        """Keep what a stage decided."""
        for place, ballot in zip(places, ballots, strict=True):
            if ballot is not self.ballots.get(place):
                ballot.verdict.by = kind
                self.ballots[place] = ballot
        outcomes = [(place, ballot.outcome) for place, ballot in zip(places, ballots, strict=True)]
        letters = to_letters(outcomes, len(self._document.criteria))
        stage = {"kind": kind, "outcomes": letters, "asks": self._log.take()}
        self.stages.append(StageVerdict.model_validate(stage))


async def _poll(juror: Juror, places: Sequence[int]) -> list[Ballot] | JudgmentError:
    """Return a juror's ballots, or why it has none: a judge that answers nothing sound does not vote."""
    try:
        return await juror.judge(places)
    except BudgetExhaustedError:
        raise
    except JudgmentError as error:
        return error


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
