"""Judge one result within its budget, from criteria and result to the verdict, by the stages of a judge policy."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, MutableSequence, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import JsonValue, ValidationError
from pydantic_core import from_json

from contracts.criteria import Criterion, parse_stored_criteria
from contracts.events import hash_result
from contracts.evidence import is_empty
from contracts.fields import explain
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage, Verdict, find_mismatch
from contracts.resources import Usage
from contracts.spending import COST_MAX_USD, Budget, with_cost
from servicekit.errors import ServiceError, TransientError
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.judging import CriterionVerdict, StageVerdict
from signoff.status import Outcome
from validator.checking import CheckProcesses
from validator.disclosure import mark_disclosing
from validator.errors import (
    BudgetExhaustedError,
    JudgeAnswerError,
    JudgeUnavailableError,
    JudgmentError,
    PolicyNotSupportedError,
)
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.panel import AT_ONCE, MEETS, AskOptions, Confirmer, Document, PanelJudge, run_all
from validator.ports import FindJudge, Judge, JudgeOf, JudgingGrant, Reply, RunChecks, Slot, Subject
from validator.prompt import CONFIRMING, PROMPT_VERSION, PROMPTS, Manner, Question
from validator.verdict import AskLog, Vote, count_votes, judge_criterion, make_verdict, refuse_empty, to_letters

#: Seconds that an ask under way may still take when its judgement is stopped: its cost is known by the answer alone.
LEFT_S: Final = 30.0
#: Tokens of a usage at most, as contracts bounds them.
TOKENS_MAX = 2**53


class JudgingBudget:
    """The budget of one judgement, which all judges that it asks share.

    `usage` is the sum over all asks, also of those whose answers cannot be used; None if no judge has reported a usage.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.usage: Usage | None = None
        self._late = set[asyncio.Task[None]]()

    def check(self) -> None:
        """Raise BudgetExhaustedError if the budget is used up."""
        if used_up := self._budget.used_up:
            raise BudgetExhaustedError(f"{used_up}, and the judge is not asked again")

    def spend(self, usage: Usage) -> None:
        """Count the usage of one ask against the budget."""
        self._budget.spend(usage)
        self.usage = usage if self.usage is None else _add_usage(self.usage, usage)

    def count_later(self, counting: Coroutine[Any, Any, None]) -> None:
        """Run `counting`, which counts an ask that is under way when the judgement stops; `settle` waits for it."""
        task = asyncio.create_task(counting)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def settle(self) -> Usage | None:
        """Return the usage of a stopped judgement, after its last asks under way were counted or came too late."""
        if self._late:
            await asyncio.wait(self._late)
        return self.usage


class BudgetedJudge:
    """A judge that is asked only until a budget is used up; `model`, if given, may state the price of its tokens."""

    def __init__(self, judge: Judge, budget: JudgingBudget, model: JudgeModel | None = None) -> None:
        self._judge = judge
        self._budget = budget
        self._model = model

    async def ask(self, question: Question) -> Reply:
        """Ask once, and count the usage. Raise BudgetExhaustedError, without asking, if the budget is used up.

        If the judgement is stopped during the ask, the usage is still counted if the judge answers within LEFT_S.
        """
        self._budget.check()
        asking = asyncio.ensure_future(self._judge.ask(question))
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._budget.count_later(self._count_late(asking))
            raise
        except JudgeAnswerError as error:
            error.usage = self._spend(error.usage)
            raise
        if reply.usage is None:
            return reply
        return replace(reply, usage=self._spend(reply.usage))

    async def _count_late(self, asking: asyncio.Future[Reply]) -> None:
        try:
            async with asyncio.timeout(LEFT_S):
                self._spend((await asking).usage)
        except JudgeAnswerError as error:
            self._spend(error.usage)
        except (ServiceError, TimeoutError):
            return

    def _spend(self, usage: Usage | None) -> Usage | None:
        if usage is None:
            return None
        tokens = usage.input_tokens, usage.output_tokens, usage.cached_tokens
        price = None if self._model is None else self._model.price(*tokens)
        usage = with_cost(usage) if price is None else usage.model_copy(update={"cost_usd": min(price, COST_MAX_USD)})
        self._budget.spend(usage)
        return usage


def _add_usage(one: Usage, other: Usage) -> Usage:
    costs = [usage.cost_usd for usage in (one, other) if usage.cost_usd is not None]
    return Usage(
        input_tokens=min(one.input_tokens + other.input_tokens, TOKENS_MAX),
        cached_tokens=min(one.cached_tokens + other.cached_tokens, TOKENS_MAX),
        output_tokens=min(one.output_tokens + other.output_tokens, TOKENS_MAX),
        cost_usd=min(sum(costs, Decimal(0)), COST_MAX_USD) if costs else None,
        model=other.model,
    )


#: The longest wait before a judge that does not answer is asked again.
JUDGE_WAIT_MAX_S: Final = 30.0


class RetryingJudge:
    """A judge that is asked again until it answers, so that a judgement continues where it was.

    While the judge is away, `absences` has the monotonic time at which its absence began. Each try, but no wait between
    two tries, is made in a slot that `take_slot` gives.
    """

    def __init__(
        self,
        judge: Judge,
        absences: MutableSequence[float],
        take_slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        self._judge = judge
        self._absences = absences
        self._take_slot = take_slot

    async def ask(self, question: Question) -> Reply:
        """Ask until the judge answers, and add the number of failed tries to the reply or to a JudgeAnswerError."""
        away_at: float | None = None
        refused, last = 0, ""

        async def ask_once() -> Reply:
            nonlocal away_at, refused, last
            try:
                async with self._take_slot():
                    return await self._judge.ask(question)
            except TransientError as error:
                refused, last = refused + 1, _describe_try(error)
                if away_at is None:
                    self._absences.append(away_at := time.monotonic())
                raise

        try:
            reply = await retry_transient(ask_once, on="judge", longest_s=JUDGE_WAIT_MAX_S)
        except JudgeAnswerError as error:
            error.refused, error.last_refusal = refused, last or None
            raise
        finally:
            if away_at is not None:
                self._absences.remove(away_at)
        return replace(reply, refused=refused, last_refusal=last) if refused else reply


def _describe_try(error: TransientError) -> str:
    """Return the HTTP status of a failed try, or the error's code if there was no HTTP response."""
    status = error.status if isinstance(error, JudgeUnavailableError) else None
    return error.code if status is None else str(status)


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
    """The judgement of one document by a judge policy. `votes` has the votes on criteria, by a criterion's index."""

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
        self._passing_families: set[str | None] = set()  # the families of judges that passed a required criterion
        self.votes: dict[int, Vote] = {}
        self.stages: list[StageVerdict] = []
        self.reasons: list[str] = []

    @property
    def model(self) -> str | None:
        """The names of the models that replied, and the version of the prompt; None if no model replied."""
        names = ", ".join(self._log.models)
        return f"{names} (prompt {self._document.prompt.version})" if names else None

    @property
    def asked(self) -> str:
        """A description of all asks so far, for errors; empty if there was no ask."""
        return self._log.words

    @property
    def passes(self) -> bool:
        """Whether every required criterion has been judged and has passed so far."""
        criteria = self._document.criteria
        return all(
            place in self.votes and self.votes[place].outcome is Outcome.PASS
            for place, criterion in enumerate(criteria)
            if criterion.required
        )

    async def check(self, run_checks: RunChecks | None, subject: Subject) -> None:
        """Run the criteria that are checks, with `run_checks` or in own processes if it is None, and keep the votes."""
        checked = await _make_checks(self._document.criteria, subject, run_checks)
        if not checked:
            return
        self._decide("checks", list(checked), [Vote(verdict) for verdict in checked.values()])
        failed = [one for one in checked.values() if one.required and one.outcome is not Outcome.PASS]
        self.reasons += [f"{one.text}: {one.comment}" for one in failed]

    async def judge(self) -> None:
        """Ask the judges about all criteria but checks; ask none if, by the policy, a failed check has decided."""
        criteria = self._document.criteria
        places = [place for place, criterion in enumerate(criteria) if criterion.kind != CHECK]
        checks_first = self._policy.stages[0].kind == "checks" and not self._policy.judge_after_checks
        if checks_first and any(
            one.verdict.required and one.outcome is not Outcome.PASS for one in self.votes.values()
        ):
            self.votes |= {place: self._note(place, _AFTER_CHECKS) for place in places}
            return
        if not places:
            self.reasons = self.reasons or ["every required check is met"]
            return
        await self._document.open()
        if self._policy.whole == "refuse":
            refused = [place for place in places if self._document.takes_excerpt(place)]
            self.votes |= {place: self._note(place, _NOT_WHOLE) for place in refused}
            if not (places := [place for place in places if place not in refused]):
                return
        options = self._bound(AskOptions("confirm", CONFIRMING))
        for number, step in enumerate(self._steps):
            if step.confirm:
                judge = self._judge_of(step.judge or self._choose_other())
                self._confirmers[number] = Confirmer(judge, self._document, self._log, options)
        stage = self._policy.stages[-1]
        carry_out = {"single": self._ask_one, "quorum": self._ask_several, "cascade": self._ask_in_turn}[stage.kind]
        self._decide(stage.kind, places, await carry_out(stage, places))

    async def apply_loop(self, run_checks: RunChecks | None, subject: Subject) -> None:
        """Take the loop steps (confirm, refute, check) for this submission, as long as all required criteria pass."""
        for place, step in enumerate(self._steps):
            if place in self._confirmers and self.passes:
                await self._confirm(self._confirmers[place])
            for number in range(step.asks):
                if self.passes:
                    await self._refute(step, number)
            if step.check is not None and self.passes:
                await self._check_besides(step.check, run_checks, subject)

    async def _ask_one(self, stage: Stage, places: Sequence[int]) -> list[Vote]:
        judge = self._call(stage.judges[0] if stage.judges else None, AskOptions())
        votes = await judge.judge(places)
        self.reasons += judge.reasons
        return votes

    async def _ask_several(self, stage: Stage, places: Sequence[int]) -> list[Vote]:
        models: Sequence[JudgeModel | None] = stage.judges or [None]
        total = stage.votes or len(models)
        plan = [models[number % len(models)] for number in range(total)]
        asked = [None if model is None else model.asked_as for model in plan]
        judges = [
            self._call(model, AskOptions("vote", Manner.of_vote(asked[:number].count(asked[number])), number + 1))
            for number, model in enumerate(plan)
        ]
        polled = await run_all(_poll(judge, places) for judge in judges)
        counted = [(judge, votes) for judge, votes in zip(judges, polled, strict=True) if isinstance(votes, list)]
        if 2 * len(counted) <= total:
            raise next(error for error in polled if isinstance(error, JudgmentError))
        for model, votes in zip(plan, polled, strict=True):
            if model is not None and isinstance(votes, list):
                self._note_family(model, zip(places, votes, strict=True))
        majority = [count_votes(votes, total) for votes in zip(*(votes for _, votes in counted), strict=True)]
        # The reasons are those of the judge that agreed with the majority on the largest number of criteria.
        agreed = [sum(a.outcome is b.outcome for a, b in zip(votes, majority, strict=True)) for _, votes in counted]
        self.reasons += counted[agreed.index(max(agreed))][0].reasons
        return majority

    async def _ask_in_turn(self, stage: Stage, places: Sequence[int]) -> list[Vote]:
        cheap_model, strong_model = stage.judges
        cheap = self._call(cheap_model, AskOptions("cheap", asks_max=1, has_control=False))
        votes = dict(zip(places, await cheap.judge(places), strict=True))
        self._note_family(cheap_model, [(place, vote) for place, vote in votes.items() if vote.is_sure])
        if unsure := [place for place in places if not votes[place].is_sure]:
            strong = self._call(strong_model, AskOptions("strong"))
            stronger = dict(zip(unsure, await strong.judge(unsure), strict=True))
            self._note_family(strong_model, stronger.items())
            votes |= stronger
            self.reasons += strong.reasons
        if len(unsure) < len(places):
            self.reasons += cheap.reasons
        return list(votes.values())

    async def _confirm(self, confirmer: Confirmer) -> None:
        """Ask whether the quoted passages show that required `meets` criteria pass; if not, the pass is withdrawn."""
        criteria, judges, reasons = self._document.criteria, self._policy.stages[-1].judges, list[str]()
        places = [place for place, one in enumerate(criteria) if one.required and one.kind == MEETS]
        if not places:
            return

        async def confirm(place: int) -> Vote:
            async def ask_again(missing: str) -> Vote:
                judge = self._call(judges[-1] if judges else None, AskOptions())
                (vote,) = await judge.judge([place], {place: missing})
                reasons.extend(judge.reasons)
                return vote

            return await confirmer.confirm(place, self.votes[place], ask_again)

        self._decide("confirm", places, await run_all(map(confirm, places), AT_ONCE))
        if not self.passes:
            self.reasons[:0] = reasons

    async def _refute(self, step: LoopStep, number: int) -> None:
        """Ask a judge to refute required criteria, as ask `number` of `step`; a pass that the judge rejects is lost."""
        criteria = self._document.criteria
        places = [place for place, one in enumerate(criteria) if one.required and one.kind != CHECK]
        if not places:
            return
        judge = self._call(step.judge or self._choose_other(), AskOptions("refute", Manner.of_refuter(number)))
        answers = await judge.judge(places)
        confirmed = [
            self.votes[place] if vote.outcome is Outcome.PASS else vote
            for place, vote in zip(places, answers, strict=True)
        ]
        self._decide(_REFUTE, places, confirmed)
        if not self.passes:
            self.reasons[:0] = judge.reasons

    def _choose_other(self) -> JudgeModel | None:
        """Return the stage's last judge whose model family has no pass, else its last judge; None without judges."""
        judges = self._policy.stages[-1].judges
        others = [
            one for one in judges if one.family is not None and self._passing_families.isdisjoint({one.family, None})
        ]
        return next(reversed(others or judges), None)

    def _note_family(self, model: JudgeModel, votes: Iterable[tuple[int, Vote]]) -> None:
        """Remember a model's family if one of the model's votes, given by place, passes a required criterion."""
        criteria = self._document.criteria
        if any(criteria[place].required and vote.outcome is Outcome.PASS for place, vote in votes):
            self._passing_families.add(model.family)

    async def _check_besides(self, text: str, run_checks: RunChecks | None, subject: Subject) -> None:
        """Run the check `text` of a loop step; if it does not pass, no required criterion passes any more."""
        (found,) = (await _make_checks([Criterion(text=text, kind=CHECK)], subject, run_checks)).values()
        if found.outcome is Outcome.PASS:
            self._decide("checks", [], [])
            return
        reason = f"from this submission on a pass needs the check {text}: {found.comment}"
        places = [place for place, criterion in enumerate(self._document.criteria) if criterion.required]
        self._decide("checks", places, [self._note(place, reason) for place in places])
        self.reasons.insert(0, reason)

    def _call(self, model: JudgeModel | None, options: AskOptions) -> PanelJudge:
        options = self._bound(options)
        confirmer = None if options.manner.refutes else next(iter(self._confirmers.values()), None)
        return PanelJudge(self._judge_of(model), self._document, self._log, options, confirmer)

    def _bound(self, options: AskOptions) -> AskOptions:
        return options._replace(
            asks=self._policy.asks,
            apart=frozenset(self._policy.apart),
            asks_max=options.asks_max or self._limits.max_asks,
            asks_within_s=self._limits.asks_within_s,
        )

    def _note(self, place: int, why: str) -> Vote:
        return Vote(judge_criterion(self._document.criteria[place], Outcome.CANNOT_ASSESS, why), is_sure=False)

    def _decide(self, kind: str, places: Sequence[int], votes: Sequence[Vote]) -> None:
        """Record a stage of this kind: its votes on the criteria at `places`, and the asks since the last stage."""
        for place, vote in zip(places, votes, strict=True):
            if vote is not self.votes.get(place):
                vote.verdict.by = kind
                self.votes[place] = vote
        outcomes = [(place, vote.outcome) for place, vote in zip(places, votes, strict=True)]
        letters = to_letters(outcomes, len(self._document.criteria))
        stage = {"kind": kind, "outcomes": letters, "asks": self._log.take()}
        self.stages.append(StageVerdict.model_validate(stage))


async def _make_checks(
    criteria: Sequence[Criterion], subject: Subject, run: RunChecks | None
) -> dict[int, CriterionVerdict]:
    """Run those criteria that are checks, with `run` or in own processes, and return their verdicts by index."""
    checks = {place: one for place, one in enumerate(criteria) if one.kind == "check"}
    if not checks:
        return {}
    if run is None:
        async with CheckProcesses() as own:
            return await _make_checks(criteria, subject, own.run)
    findings = await run([one.text for one in checks.values()], subject)
    return {
        place: judge_criterion(one, found.outcome, found.comment, [found.evidence] if found.evidence else [])
        for (place, one), found in zip(checks.items(), findings, strict=True)
    }


async def _poll(judge: PanelJudge, places: Sequence[int]) -> list[Vote] | JudgmentError:
    """Return a judge's votes on the criteria at `places`, or the JudgmentError of a judge without a usable answer."""
    try:
        return await judge.judge(places)
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
    """Judge a result against criteria, given as a list or as text with one criterion a line, and return the verdict.

    `config`, a JudgeConfig or some of its fields, makes a judge for this one call. A caller that judges often passes
    its own as `judge` or, for a policy that names models, as `judge_of`, which returns the judge of a model; then only
    the limits of `config` count. The verdict's `model` names models and prompt. An empty result meets no criterion, and
    no judge is asked about it, unless `judge_empty`.

    `policy` has the stages of the judgement, and the steps that a pass needs at a later `submission` of `submissions`.
    `payload` and the hash of the previous submission's result are for checks, which `run_checks` runs. `task` is the
    JSON text of the object that the agent was sent. `references` are model answers and rubrics, by the number of their
    criterion from 1; only judges see them.

    Raise JudgeUnavailableError if a judge did not answer: nothing is decided, and the caller may try again. Raise
    JudgmentError if this result cannot be judged, and ValueError if the config is wrong.
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
        async with AsyncExitStack() as stack:
            if judge_of is None:
                own: Judge = await stack.enter_async_context(OpenAIJudge(limits)) if judge is None else judge
                judge_of = lambda _: own  # noqa: E731 - one judge for all
            judgement = Judgement(document, rules, judge_of, limits, submission)
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
    find: FindJudge,
    budget: JudgingBudget,
    *,
    run_checks: RunChecks | None = None,
    absences: MutableSequence[float] | None = None,
    take_slot: Slot = lambda _: nullcontext(),
) -> Verdict:
    """Judge a result by the criteria, policy and other terms of its grant, within a budget, and return the verdict.

    With `absences`, a judge that is away is asked until it answers (see RetryingJudge), in slots that `take_slot` gives
    by model. Without, JudgeUnavailableError is raised. Raise JudgmentError and ValueError as validate_agent_response
    does, and PolicyNotSupportedError for a policy of a later version.
    """

    def find_judge(model: JudgeModel | None) -> Judge:
        judge = BudgetedJudge(find(model, grant.policy_tenant), budget, model)
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
    """Return the judge policy in a JSON text, with a cache by text; None if the text is empty.

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


async def _carry_out(
    judgement: Judgement, run_checks: RunChecks | None, subject: Subject, terms: Mapping[str, Any]
) -> Verdict:
    """Run the checks, ask the judges, take the steps of the policy's loop, and return the verdict, with `terms`."""
    try:
        await judgement.check(run_checks, subject)
        await judgement.judge()
        await judgement.apply_loop(run_checks, subject)
    except JudgmentError as error:
        error.asked = judgement.asked
        raise
    votes = [judgement.votes[place] for place in range(len(judgement.votes))]
    return make_verdict(votes, judgement.reasons, judgement.model, stages=judgement.stages, **terms)
