"""Commands on judgings outside of executions: queue them, queue jobs' results to be judged again, end one. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from contracts.criteria import format_line, parse_stored_criteria
from contracts.judging.policy import Verdict, find_mismatch, join_reference
from jobstore.engine.parts import NOTHING, Command, Creation, UnitOfWork, Wishes, optional, raise_refusal
from jobstore.errors import RefusedError
from jobstore.executions.requesting import read_for_resubmission, record_not_met
from jobstore.executions.rows import Executions, ExecutionsWish, find_question, overrule_verdicts, record
from jobstore.jobs.model import (
    UNPROVEN,
    Decision,
    Execution,
    Job,
    Refusal,
    Report,
    TransitionKind,
    format_feedback,
    members,
    name_references,
    read_verdict,
)
from jobstore.jobs.rows import Jobs, JobsWish
from jobstore.jobs.transitions import REJUDGED, list_not_met
from jobstore.judging.commands import check_policy
from jobstore.judging.rules import (
    JudgingAnswer,
    Judgings,
    JudgingsWish,
    Kind,
    NewJudging,
    Policies,
    PoliciesWish,
    StoredJudging,
    Version,
    Wanted,
    list_frozen,
)
from jobstore.limits.rules import LimitsLock, LimitsWish, Spending
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.jsontext import parse_json
from signoff.judging import CriterionVerdict
from signoff.status import RESTING, JudgingKind, JudgingState, Outcome

#: The letters of outcomes, as the stages of verdicts have them.
LETTERS: Final[Mapping[Outcome, str]] = {Outcome.PASS: "p", Outcome.FAIL: "f", Outcome.CANNOT_ASSESS: "c"}
#: The letter of a criterion that was not judged before.
NO_LETTER: Final = "-"
#: Stands for a judge policy that is not stored, as a name of which no limit of a tenant speaks.
DRAFT: Final = "a draft"
#: The highest number of grants of one judging, since one that crashes its validators costs money each time.
GRANTS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class QueueJudgings(Creation[None]):
    """Queue the judgings of one call, or raise `obstacle` if it is given; do nothing if the judgings exist.

    `named`: the judge policy that the call names, or DRAFT. RefusedError (`too_many_judgings`): too many judgings are
    kept. InvalidError (`judge_policy_forbidden`): their tenant may not name the policy.
    """

    judgings: Sequence[NewJudging]
    obstacle: PermanentError | None = None
    named: str | None = None

    @property
    def adds_work(self) -> bool:
        return True

    @property
    def size(self) -> int:
        return sum(len(judging.asked or "") for judging in self.judgings)

    def locks(self) -> Wishes:
        return NOTHING

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (JudgingsWish(groups=frozenset({self.judgings[0].group_id})),)

    def is_made(self, uow: UnitOfWork) -> bool:
        group_id = self.judgings[0].group_id
        return group_id in uow[Judgings].groups or any(new.group_id == group_id for new in uow[Judgings].new)

    def show(self, uow: UnitOfWork) -> None:
        """Return nothing: the caller reads the judgings by the id of their group."""

    def decide(self, uow: UnitOfWork) -> None:
        if self.is_made(uow):
            return
        check_policy(uow, self.judgings[0].tenant, self.named)
        if self.obstacle is not None:
            raise self.obstacle
        if len(uow[Judgings].new) + len(self.judgings) > uow[Judgings].room:
            message = "too many judgings of the last day are kept: ask again later, or for fewer"
            raise RefusedError(message, code=ErrorCode.TOO_MANY_JUDGINGS)
        uow[Judgings].new += [replace(judging, actor=self.actor) for judging in self.judgings]


@dataclass(frozen=True, slots=True)
class QueueRejudging(Command[None]):
    """Queue the result of the execution in `judging` to be judged again, if that is the last execution of its job.

    The result is judged by the policy that the execution froze, unless `judging` names one. RefusedError: it cannot be.
    """

    judging: NewJudging

    def locks(self) -> Wishes:
        job_ids = optional(self.judging.job_id)
        return (JobsWish(locked=job_ids, specs=job_ids), ExecutionsWish(locked=optional(self.judging.execution_id)))

    def reads(self, uow: UnitOfWork) -> Wishes:
        execution = _find_execution(uow, self.judging.execution_id)
        return (PoliciesWish(references=frozenset(_list_own(self.judging, execution))),)

    def decide(self, uow: UnitOfWork) -> None:
        job = uow[Jobs].require(self.judging.job_id or "")
        execution = _find_execution(uow, self.judging.execution_id)
        raise_refusal(_refuse(job, execution))
        assert execution is not None  # else it was refused
        if self.judging.judge_policy is not None:
            check_policy(uow, execution.tenant, read_reference(self.judging.judge_policy))
        judging = replace(self.judging, job_version=job.version, tenant=execution.tenant, actor=self.actor)
        for own in _list_own(judging, execution):
            version = _require_policy(uow, own)
            judging = replace(judging, judge_policy=version.policy_json, policy_tenant=version.tenant)
        uow[Judgings].new.append(judging)


def _list_own(judging: NewJudging, execution: Execution | None) -> Iterator[Wanted]:
    """Yield the reference of the judge policy that the execution froze, if the judging names no other policy."""
    if judging.judge_policy is None and execution is not None:
        yield from (each for each in list_frozen(execution.policy) if each.kind is Kind.JUDGE)


def _require_policy(uow: UnitOfWork, own: Wanted) -> Version:
    """Return the policy that an execution froze, even if retired. RefusedError: the version is unknown."""
    version = uow[Policies].versions.get(own)
    if version is None:
        message = f"the judge policy {own.reference} is not known: put it back under that number, or name another"
        raise RefusedError(message, code=own.kind.unknown)
    return version


def _refuse(job: Job, execution: Execution | None) -> Refusal | None:
    """Return why the result of an execution may not be judged again, as a refusal; None: it may be."""
    if job.live:
        return Refusal(ErrorCode.EXECUTION_LIVE, "an execution of the job is live")
    if execution is not None and execution.execution_id != job.execution_id:
        return Refusal(ErrorCode.MOVED_ON, f"another execution has ended since: the job is {job.status}")
    if execution is None or execution.result_version is None or job.status not in RESTING:
        return Refusal(ErrorCode.NOTHING_TO_JUDGE, "the last execution of the job has no result")
    return None


def _find_execution(uow: UnitOfWork, execution_id: UUID | None) -> Execution | None:
    return None if execution_id is None else uow[Executions].executions.get(execution_id)


@dataclass(frozen=True, slots=True)
class FinishJudging(Command[bool]):
    """Store the outcome of a judging, and return True; return False if its lease is not current, or it has an outcome.

    `verdict` is JSON text; `code` and `message` are those of a failure. `execution_id` and `job_id` are given if the
    verdict is to become that of the job.
    """

    judging_id: UUID
    lease: int
    verdict: str | None = None
    code: str | None = None
    message: str | None = None
    cost_nanos: int = 0
    tokens: int = 0
    duration_s: float | None = None
    execution_id: UUID | None = None
    job_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.verdict or "")

    def locks(self) -> Wishes:
        if self.execution_id is None:
            return (JobsWish(questions=optional(self.job_id)),)
        executions = frozenset({self.execution_id})
        return (
            LimitsWish(lock=LimitsLock.SHARED),
            ExecutionsWish(locked=executions, followed=executions, offers=True),
            JobsWish(questions=optional(self.job_id)),
        )

    def reads(self, uow: UnitOfWork) -> Wishes:
        execution = _find_execution(uow, self.execution_id)
        judging = JudgingsWish(locked=frozenset({self.judging_id}))
        if execution is None:
            return (judging,)
        references = PoliciesWish(references=frozenset(list_frozen(execution.policy)))
        return (judging, references, *read_for_resubmission(uow, execution.execution_id))

    def decide(self, uow: UnitOfWork) -> bool:
        judging = uow[Judgings].judgings.get(self.judging_id)
        if judging is not None and judging.is_cut_short and judging.lease == self.lease:
            uow[Judgings].costs[judging.id] = (self.cost_nanos, self.tokens)
            uow[Spending].add(judging.tenant, judges_nanos=self.cost_nanos)
            uow[Judgings].judgings[judging.id] = judging._replace(is_cut_short=False)
            return False
        if judging is None or judging.state is JudgingState.DONE or judging.lease != self.lease:
            return False
        answer = JudgingAnswer(judging.id, self._find_cost(), code=self.code, message=self.message)
        answer = replace(answer, tokens=self.tokens, duration_s=self.duration_s)
        if self.verdict is not None and judging.kind == JudgingKind.TEST:
            answer = replace(answer, answer=self.verdict)
        elif self.verdict is not None:
            answer = self._judge(uow, judging, answer, self.verdict)
        uow[Judgings].answers.append(answer)
        uow[Judgings].judgings[judging.id] = judging._replace(state=JudgingState.DONE)
        uow[Spending].add(judging.tenant, judges_nanos=self.cost_nanos)
        return True

    def _find_cost(self, verdict: Verdict | None = None) -> int | None:
        """Return the judging's cost in nano-dollars; None: no cost is known of a model that was asked."""
        stages = (verdict.stages if verdict is not None else None) or []
        are_known = [ask.cost_usd is not None for stage in stages for ask in stage.asks] or [not self.tokens]
        return self.cost_nanos if self.cost_nanos or all(are_known) else None

    def _judge(self, uow: UnitOfWork, judging: StoredJudging, answer: JudgingAnswer, text: str) -> JudgingAnswer:
        try:
            verdict = Verdict.model_validate_json(text).check_words()
        except ValidationError:
            return replace(answer, code=ErrorCode.VERDICT_MISMATCH, message="the validator's verdict is malformed")
        refusal = None
        if judging.kind == JudgingKind.REJUDGE:
            refusal = self._record(uow, judging, verdict)
        elif (failed := read_verdict(verdict)[1]) is not None and (failed != UNPROVEN or judging.execution_id):
            refusal = Refusal(failed, verdict.reason)
        before = _read_before(judging.before)
        return replace(
            answer,
            cost_nanos=self._find_cost(verdict),
            answer=verdict.model_dump_json(exclude_defaults=True),
            is_valid=verdict.is_valid if refusal is None else None,
            was_valid=None if before is None else before.is_valid,
            before=None if before is None else _compare(before, verdict),
            code=refusal.code if refusal else answer.code,
            message=refusal.message if refusal else answer.message,
        )

    def _record(self, uow: UnitOfWork, judging: StoredJudging, verdict: Verdict) -> Refusal | None:
        """Record a verdict in place of the job's last one, with two log entries, or return why that is refused.

        If the last verdict proved nothing (UNPROVEN), a not-met verdict requests the next submission by policy.
        """
        execution = _find_execution(uow, self.execution_id)
        job = uow[Jobs].jobs.get(execution.job_id) if execution else None
        if job is None:
            return Refusal(ErrorCode.UNKNOWN_JOB, "the job is not known")
        if (refusal := _refuse(job, execution)) is not None:
            return refusal
        kind, failed = read_verdict(verdict)
        if failed is not None:
            return Refusal(failed, verdict.reason)
        assert execution is not None  # the job was found by it
        question = find_question(uow, execution)
        if question is None:
            return Refusal(ErrorCode.UNKNOWN_CRITERIA_SET, "the criteria set that the execution froze is not known")
        asked_for = read_reference(judging.judge_policy)
        mismatch = find_mismatch(parse_stored_criteria(question.acceptance_criteria), verdict)
        if asked_for and verdict.judge != asked_for:
            mismatch = f"the verdict was made by the judge policy {verdict.judge}, and not by {asked_for}"
        if mismatch is not None:  # the job was edited meanwhile, or the validator is wrong
            return Refusal(ErrorCode.VERDICT_MISMATCH, mismatch)
        begun = Report(TransitionKind.REJUDGED, code=REJUDGED, message="judged again", actor=judging.actor)
        decision = record(uow, job.id, execution, begun)
        assert isinstance(decision, Decision)
        assert decision.execution is not None
        report = Report(
            kind,
            lease=decision.execution.lease,
            code=REJUDGED,
            message=verdict.reason,
            response=name_references(verdict, question.references).model_dump_json(exclude_none=True),
            feedback=format_feedback(verdict),
            not_met_criteria=list_not_met(verdict),
            cost_nanos=self.cost_nanos,
            tokens=self.tokens,
            duration_s=self.duration_s,
            actor=self.actor,
            judge_policy=asked_for,
        )
        if job.code == UNPROVEN and kind is TransitionKind.NOT_MET:
            decided = record_not_met(uow, decision.execution, report)
        else:
            decided = record(uow, job.id, decision.execution, report)
        assert isinstance(decided, Decision)
        overrule_verdicts(uow, execution, decided.job.version)
        return None


@dataclass(frozen=True, slots=True)
class LoseJudging(Command[None]):
    """End a judging that was granted GRANTS_MAX times, once its last lease has lapsed; its cost is unknown."""

    judging_id: UUID

    def locks(self) -> Wishes:
        return NOTHING

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (JudgingsWish(locked=frozenset({self.judging_id})),)

    def decide(self, uow: UnitOfWork) -> None:
        judging = uow[Judgings].judgings.get(self.judging_id)
        if judging is not None and judging.has_lapsed and judging.lease >= GRANTS_MAX:
            message = f"{GRANTS_MAX} validators were lost, or gave it back, while they judged it"
            lost = JudgingAnswer(judging.id, code=ErrorCode.JUDGING_LOST, message=message, cost_nanos=None)
            uow[Judgings].answers.append(lost)
            uow[Judgings].judgings[judging.id] = judging._replace(state=JudgingState.DONE, has_lapsed=False)


def read_reference(policy: str | None) -> str:
    """Return the reference (name and version) of a policy given as JSON text; empty for validators' own settings."""
    if not policy:
        return ""
    named = parse_json(policy)
    return join_reference(named["name"], named["version"])


def _read_before(response: str | None) -> Verdict | None:
    """Return the verdict in the response of a log entry, given as JSON text; None: there is no verdict."""
    text = None if response is None else members(response).get("verdict")
    return None if text is None else Verdict.model_validate_json(text)


def _compare(before: Verdict, verdict: Verdict) -> str:
    """Return, for each criterion of `verdict`, the letter of its outcome in the verdict `before`, or NO_LETTER."""
    letters = {_format_line(criterion): LETTERS[criterion.outcome] for criterion in before.criteria}
    return "".join(letters.get(_format_line(criterion), NO_LETTER) for criterion in verdict.criteria)


def _format_line(one: CriterionVerdict) -> str:
    return format_line(one.text, one.kind, required=one.required)
