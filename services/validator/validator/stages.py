"""Carry out the stages of a judge policy on one result: checks, judges, and the steps that a pass needs besides."""

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.checks import Finding
from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage
from signoff.judging import CriterionVerdict, StageVerdict
from signoff.status import Outcome
from validator.asks import AskLog, to_letters
from validator.checking import CheckProcesses
from validator.errors import BudgetExhaustedError, JudgmentError
from validator.judge_config import JudgeConfig
from validator.panel import AT_ONCE, MEETS, AskOptions, Confirmer, Document, PanelJudge, run_all
from validator.ports import JudgeOf, RunChecks, Subject
from validator.prompt import CONFIRMING, Manner
from validator.verdict import Vote, count_votes, judge_criterion

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
    """The judgement of one document by the stages of a policy. `votes` has the vote on each criterion, by its place."""

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
        """The models that judged, and the version of their prompt; None if none replied."""
        names = ", ".join(self._log.models)
        return f"{names} (prompt {self._document.prompt.version})" if names else None

    @property
    def asked(self) -> str:
        """All asks so far in words; empty if there was none."""
        return self._log.words

    @property
    def passes(self) -> bool:
        """Whether all required criteria have passed so far."""
        criteria = self._document.criteria
        return all(
            place in self.votes and self.votes[place].outcome is Outcome.PASS
            for place, criterion in enumerate(criteria)
            if criterion.required
        )

    async def check(self, run_checks: RunChecks | None, subject: Subject) -> None:
        """Make the checks among the criteria."""
        checked = await _make_checks(self._document.criteria, subject, run_checks)
        if not checked:
            return
        self._decide("checks", list(checked), [Vote(verdict) for verdict in checked.values()])
        failed = [one for one in checked.values() if one.required and one.outcome is not Outcome.PASS]
        self.reasons += [f"{one.text}: {one.comment}" for one in failed]

    async def judge(self) -> None:
        """Ask the judges about all other criteria, unless the checks decided."""
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
        """Take the steps of the policy's loop that a pass of this submission needs, until it is no pass any more."""
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
        """Have the passages of required criteria confirmed; a pass that they do not show is no pass any more."""
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
        """Ask a judge to refute the passes of required criteria; one that it does not confirm is no pass any more."""
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
        """Return the stage's last judge of a family that passed nothing yet, else its last judge."""
        judges = self._policy.stages[-1].judges
        others = [
            one for one in judges if one.family is not None and self._passing_families.isdisjoint({one.family, None})
        ]
        return next(reversed(others or judges), None)

    def _note_family(self, model: JudgeModel, votes: Iterable[tuple[int, Vote]]) -> None:
        """Remember the family of a judge that passes a required criterion."""
        criteria = self._document.criteria
        if any(criteria[place].required and vote.outcome is Outcome.PASS for place, vote in votes):
            self._passing_families.add(model.family)

    async def _check_besides(self, text: str, run_checks: RunChecks | None, subject: Subject) -> None:
        """Make a check of the loop: if it does not pass, no required criterion passes."""
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
        """Keep the votes of a stage, and its asks."""
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
    """Return the verdicts on those criteria that are checks, by their places."""
    checks = {place: one for place, one in enumerate(criteria) if one.kind == "check"}
    if not checks:
        return {}
    if run is None:
        async with CheckProcesses() as own:
            return await _make_checks(criteria, subject, own.run)
    findings = await run([one.text for one in checks.values()], subject)
    return {place: _judge_check(one, found) for (place, one), found in zip(checks.items(), findings, strict=True)}


def _judge_check(criterion: Criterion, found: Finding) -> CriterionVerdict:
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        kind=criterion.kind,
        outcome=found.outcome,
        evidence=[] if found.evidence is None else [found.evidence],
        comment=found.comment,
    )


async def _poll(judge: PanelJudge, places: Sequence[int]) -> list[Vote] | JudgmentError:
    """Return a judge's votes, or the error of a judge that gave no sound answer and has no vote."""
    try:
        return await judge.judge(places)
    except BudgetExhaustedError:
        raise
    except JudgmentError as error:
        return error
