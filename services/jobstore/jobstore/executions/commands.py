"""Commands on executions: request or cancel an execution, record workers' reports on it, and end its lease. Pure."""

from dataclasses import dataclass
from uuid import UUID

from contracts.criteria import parse_stored_criteria
from contracts.events import JobStatusReported, ResultProduced, to_call_begun
from contracts.judging.policy import Verdict, find_mismatch
from contracts.topics import JUDGED_MAX_BYTES, LIMIT_MAX_BYTES
from jobstore.access.upstreams import make_forbidden_message
from jobstore.agents.rules import AgentsWish, Circuits
from jobstore.engine.parts import (
    NOTHING,
    REFUSED,
    Command,
    Creation,
    UnitOfWork,
    Wishes,
    check_version,
    optional,
    raise_refusal,
)
from jobstore.errors import ConflictError, RefusedError, make_removed_error
from jobstore.executions.requesting import (
    PLAIN_REQUEST,
    ExecutionRequest,
    read_for_resubmission,
    record_not_met,
    request_execution,
)
from jobstore.executions.rows import (
    REMOVED,
    Executions,
    ExecutionsWish,
    ExecutionView,
    find_question,
    read_circuit,
    record,
)
from jobstore.jobs import model
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import (
    CANCELLED,
    EXECUTOR,
    UPSTREAM,
    VALIDATOR,
    Actor,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    TransitionKind,
    replace,
)
from jobstore.jobs.rows import Jobs, JobsWish, JobView
from jobstore.jobs.transitions import is_cut_short, list_not_met
from jobstore.judging.rules import Kind, PoliciesWish, list_frozen
from jobstore.limits.rules import LimitsLock, LimitsWish, QueuesWish
from jobstore.tenants.rules import Tenants, read_owner
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import JobStatus, ReportKind


@dataclass(frozen=True, slots=True)
class ExecuteJob(Creation[ExecutionView]):
    """Request an execution. If the caller chose the id (`chosen`), a refusal is kept as the answer to this id, too.

    `resubmission`: only if a not-met verdict left feedback. Raise RefusedError or ConflictError (`execution_conflict`).
    """

    job_id: str
    execution_id: UUID
    chosen: bool = False
    resubmission: bool = False
    parameters: ExecutionRequest = PLAIN_REQUEST
    version: int | None = None

    @property
    def adds_work(self) -> bool:
        return True

    def locks(self) -> Wishes:
        job_ids = frozenset({self.job_id})
        return (
            LimitsWish(lock=LimitsLock.SHARED),
            JobsWish(locked=job_ids, specs=job_ids),
            ExecutionsWish(locked=frozenset({self.execution_id}), offers=True),
            AgentsWish(called_by=job_ids),
        )

    def reads(self, uow: UnitOfWork) -> Wishes:
        job, spec = uow[Jobs].jobs.get(self.job_id), uow[Jobs].specs.get(self.job_id)
        if job is None or spec is None:
            return NOTHING
        return (AgentsWish(read=optional(job.agent_id)), QueuesWish(tenants=frozenset({spec.tenant})))

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.execution_id in uow[Executions].executions

    def show(self, uow: UnitOfWork) -> ExecutionView:
        uow[Jobs].refuse_removed(self.job_id)
        return uow[Executions].show(self.execution_id)

    def decide(self, uow: UnitOfWork) -> ExecutionView:
        uow[Jobs].refuse_removed(self.job_id)
        execution = uow[Executions].executions.get(self.execution_id)
        if execution is not None:
            return self._repeat_answer(uow, execution)
        job = uow[Jobs].require(self.job_id)
        check_version("the job", job.version, self.version)  # which is no answer of the id: it may be asked for anew
        decision: object
        if self.resubmission and job.feedback is None:
            decision = Refusal(ErrorCode.ILLEGAL_TRANSITION, f"the job is {job.status}, not RESUBMISSION_REQUIRED")
        else:
            decision = request_execution(uow, self.job_id, self.execution_id, self.actor, self.parameters)
        if isinstance(decision, Refusal) and self.chosen:
            # Written even though this command fails: the error ends neither the transaction nor its other commands.
            uow[Executions].keep_answer(self.job_id, self.execution_id, REFUSED + decision.code, self.actor)
        raise_refusal(decision)
        return self.show(uow)

    def _repeat_answer(self, uow: UnitOfWork, execution: Execution) -> ExecutionView:
        if execution.job_id not in {self.job_id, ""}:
            raise ConflictError("the execution id is another job's", code=ErrorCode.EXECUTION_CONFLICT)
        if execution.answer is not None and execution.answer.startswith(REFUSED):
            raise RefusedError("the execution id was refused before", code=execution.answer.removeprefix(REFUSED))
        if execution.request_version is None:
            uow[Executions].settle_answer(execution, self.actor)
            raise RefusedError("the execution was cancelled before it was requested", code=CANCELLED)
        return self.show(uow)


@dataclass(frozen=True, slots=True)
class CreateAndExecute(Command[ExecutionView]):
    """Create a job unless it exists, and request an execution of this job, in one transaction."""

    creation: CreateJob
    request: ExecuteJob

    def locks(self) -> Wishes:
        return (*self.creation.locks(), *self.request.locks())

    def reads(self, uow: UnitOfWork) -> Wishes:
        return (*self.creation.reads(uow), *self.request.reads(uow))

    def decide(self, uow: UnitOfWork) -> ExecutionView:
        # An id that was answered before its job was made has no job to create. Two items of a batch may have one id.
        if self.request.execution_id not in uow[Executions].executions or self.creation.job_id in uow[Jobs].jobs:
            self.creation.decide(uow)
        return self.request.decide(uow)


@dataclass(frozen=True, slots=True)
class ForgetAnswer(Command[bool]):
    """Forget the error of an execution's wrong record, to process the record anew; the answer is False without one."""

    execution_id: UUID

    def locks(self) -> Wishes:
        return (ExecutionsWish(locked=frozenset({self.execution_id})),)

    def decide(self, uow: UnitOfWork) -> bool:
        execution = uow[Executions].executions.get(self.execution_id)
        if execution is None or not execution.is_wrong_record:
            return False
        uow[Executions].forget_answer(execution, self.actor)
        return True


@dataclass(frozen=True, slots=True)
class CancelJob(Command[JobView | None]):
    """Cancel a job's live execution, or only that with `execution_id`, which may not have been requested yet.

    If no execution is live, the cancel is recorded all the same, unless the last entry records the same one. The cancel
    of an unknown id is remembered for a time, up to a number of ids. `by_call`: a caller waits; the answer is the job,
    None if it is unknown, and each refusal is raised as RefusedError, also that the execution has ended by itself
    (`illegal_transition`). A cancel by id without a caller has the answer None; it is for executions of `tenants`,
    unless this is None. PermanentError (`forbidden_tenant`): it names another's, or a job that cannot be of these.
    """

    job_id: str | None
    execution_id: UUID | None = None
    reason: str | None = None
    by_call: bool = False
    version: int | None = None
    tenants: frozenset[str] | None = None

    def locks(self) -> Wishes:
        job = JobsWish(locked=optional(self.job_id), specs=optional(self.job_id))
        if self.execution_id is None:
            return (job,)
        execution = ExecutionsWish(locked=frozenset({self.execution_id}))
        return (job, execution) if self.by_call else (execution,)  # whose own job is locked

    def reads(self, uow: UnitOfWork) -> Wishes:
        jobs = uow[Jobs]
        if self.execution_id is None:
            job = jobs.jobs.get(self.job_id or "")
            return NOTHING if job is None or job.live else (JobsWish(last_entries=frozenset({job.id})),)
        execution = uow[Executions].executions.get(self.execution_id)
        if execution is None:
            return (ExecutionsWish(early_cancels=True), *self._read_whose())
        shown = {execution.job_id} & jobs.jobs.keys() if self.by_call else set()
        return (JobsWish(specs=frozenset(shown - jobs.specs.keys())),)

    def _read_whose(self) -> Wishes:
        """Return the wishes to learn whether the job that is named is, or may become, one of `tenants`."""
        if self.tenants is None or self.job_id is None:
            return NOTHING
        may_be = (read_owner(tenant, self.job_id) for tenant in self.tenants)
        return (JobsWish(specs=frozenset({self.job_id})), *may_be)

    def decide(self, uow: UnitOfWork) -> JobView | None:
        reason = f": {self.reason}" if self.reason else ""
        asker = f"the {self.actor}" if self.actor == UPSTREAM else self.actor
        message = f"cancelled by {asker}{reason}"
        report = Report(TransitionKind.CANCELLED, message=message, code=ErrorCode.CANCELLED, actor=self.actor)
        if self.execution_id is None:
            job = uow[Jobs].require(self.job_id or "")
            live = uow[Executions].executions.get(job.execution_id) if job.live and job.execution_id else None
            if live is not None or uow[Jobs].find_last_entry(job.id) != (report.kind, report.message, report.actor):
                check_version("the job", job.version, self.version)
                raise_refusal(record(uow, job.id, live, report))
            return uow[Jobs].show(job.id)
        if self.by_call and self.job_id is not None:
            job = uow[Jobs].require(self.job_id)
            known = uow[Executions].executions.get(self.execution_id)
            if known is None or known.answer != CANCELLED:
                check_version("the job", job.version, self.version)
        decision = self._cancel_execution(uow, self.execution_id, report)
        if not self.by_call:
            return None
        raise_refusal(decision)
        job_id = self.job_id or uow[Executions].executions[self.execution_id].job_id
        return uow[Jobs].show(job_id) if job_id in uow[Jobs].jobs else None

    def _cancel_execution(self, uow: UnitOfWork, execution_id: UUID, report: Report) -> Decision | Refusal | None:
        execution = uow[Executions].executions.get(execution_id)
        if self.tenants is not None and not self._may_be_of(uow, execution, self.tenants):
            message = make_forbidden_message(self.actor, self.tenants, self.job_id or str(execution_id))
            raise PermanentError(message, code=ErrorCode.FORBIDDEN_TENANT)
        if execution is None and uow[Executions].cancel_room <= 0:
            message = "as many cancels of executions that nobody has asked for yet are remembered as may be"
            return uow[Jobs].refuse(self.job_id, report, Refusal(ErrorCode.TOO_MANY_CANCELS, message), execution_id)
        if execution is None:  # rule `cancel-before-arrival`
            uow[Executions].remember(self.job_id, execution_id, CANCELLED, self.tenants or self.limited_to)
            uow[Executions].cancel_room -= 1
        elif execution.job_id not in {self.job_id or execution.job_id, ""} or self._is_foreign(execution):
            raise ConflictError("the execution id is another job's", code=ErrorCode.EXECUTION_CONFLICT)
        elif execution.state is not ExecutionState.DONE:
            return record(uow, execution.job_id, execution, report)
        elif self.by_call and execution.answer == REMOVED:
            raise make_removed_error(execution.job_id)
        elif self.by_call and execution.answer != CANCELLED and not (execution.answer or "").startswith(REFUSED):
            message = f"the execution has ended already ({execution.answer}) and cannot be cancelled"
            refusal = Refusal(ErrorCode.ILLEGAL_TRANSITION, message)
            return uow[Jobs].refuse(execution.job_id, report, refusal, execution_id)
        return None

    def _is_foreign(self, execution: Execution) -> bool:
        return self.limited_to is not None and execution.tenant not in self.limited_to

    def _may_be_of(self, uow: UnitOfWork, execution: Execution | None, tenants: frozenset[str]) -> bool:
        """Return whether what is cancelled is of `tenants`, or was not requested yet and may become so."""
        if execution is not None and execution.request_version is not None:
            return self.job_id in {None, execution.job_id} and execution.tenant in tenants
        if self.job_id is None:
            return True
        if (spec := uow[Jobs].specs.get(self.job_id)) is not None:
            return spec.tenant in tenants
        return not all(uow[Tenants].refuses(tenant, self.job_id) for tenant in tenants)


#: The maximum of a verdict: its criteria, which are part of a job, and the judge's words. A partial result has less.
RESPONSE_MAX_BYTES = LIMIT_MAX_BYTES + JUDGED_MAX_BYTES


@dataclass(frozen=True, slots=True)
class RecordResult(Command[Refusal | None]):
    """Record an agent's result. A repeated result is refused and changes nothing. `size`: the bytes of the record."""

    event: ResultProduced
    size: int = 0

    def locks(self) -> Wishes:
        return (
            JobsWish(locked=frozenset({self.event.job_id})),
            ExecutionsWish(locked=frozenset({self.event.execution_id})),
        )

    def reads(self, uow: UnitOfWork) -> Wishes:
        return read_circuit(uow, self.event.execution_id)

    def decide(self, uow: UnitOfWork) -> Refusal | None:
        event = self.event
        report = Report(
            TransitionKind.RESULT,
            lease=event.lease,
            response=f'{{"result":{event.result_text}}}',
            message="the agent answered",
            event_id=event.event_id,
            answered=True,
            result_hash=event.result_hash,
            duration_s=event.duration_s,
            actor=self.actor,
        )
        report = model.with_cost(report, event.usage)
        if (size := len(event.result_text.encode())) > LIMIT_MAX_BYTES:  # no executor of ours sends it
            message = f"the result has {size} bytes, more than {LIMIT_MAX_BYTES}"
            kind = TransitionKind.FAILED
            report = replace(report, kind=kind, code=ErrorCode.RESULT_TOO_LARGE, message=message, response=None)
        _record_begin(uow, event)
        return _decide_report(uow, event.job_id, event.execution_id, report)


@dataclass(frozen=True, slots=True)
class RecordReport(Command[Refusal | None]):
    """Record a worker's report under its lease. `actor` is WORKER: the stage of the execution says of which kind."""

    event: JobStatusReported

    def locks(self) -> Wishes:
        job_ids, execution_ids = frozenset({self.event.job_id}), frozenset({self.event.execution_id})
        questions = job_ids if self.event.verdict is not None else frozenset()
        job = JobsWish(locked=job_ids, questions=questions)
        if not self._may_resubmit:
            return (job, ExecutionsWish(locked=execution_ids))
        execution = ExecutionsWish(locked=execution_ids, followed=execution_ids, offers=True)
        return (LimitsWish(lock=LimitsLock.SHARED), job, execution)

    @property
    def _may_resubmit(self) -> bool:
        """Whether the verdict may lead to another submission: it is not met, and the judge did not fail."""
        verdict = self.event.verdict
        return verdict is not None and model.read_verdict(verdict) == (TransitionKind.NOT_MET, None)

    def reads(self, uow: UnitOfWork) -> Wishes:
        circuit = read_circuit(uow, self.event.execution_id)
        execution = uow[Executions].executions.get(self.event.execution_id) if self.event.verdict is not None else None
        if execution is None:
            return circuit
        following = read_for_resubmission(uow, self.event.execution_id) if self._may_resubmit else NOTHING
        return (PoliciesWish(references=frozenset(list_frozen(execution.policy))), *following, *circuit)

    def decide(self, uow: UnitOfWork) -> Refusal | None:
        event = self.event
        job, execution = uow[Jobs].jobs.get(event.job_id), uow[Executions].executions.get(event.execution_id)
        if job is not None and event.usage is not None and is_cut_short(execution, job, event.lease):
            return self._count_spending(uow)
        verdict, question, worker = event.verdict, uow[Jobs].questions.get(event.job_id), self._name_worker(uow)
        if verdict is not None and question is not None:
            verdict = model.name_references(verdict, question.references)
        response = model.format_response(event, verdict)
        if response and (size := len(response.encode())) > RESPONSE_MAX_BYTES:
            return self._refuse_size(uow, size)
        if verdict is not None and (mismatch := self._find_mismatch(uow, verdict)) is not None:
            return self._judge_again(uow, mismatch)
        if verdict is None:
            kind, judge_failed = TransitionKind(event.kind), None
        else:
            kind, judge_failed = model.read_verdict(verdict)
        report = Report(
            kind,
            lease=event.lease,
            seq=event.seq,
            code=judge_failed or event.code,
            message=event.message or (verdict.reason if verdict else None),
            response=response,
            feedback=model.format_feedback(verdict) if verdict else None,
            not_met_criteria=list_not_met(verdict) if verdict else (),
            event_id=event.event_id,
            retry_after_s=event.retry_after_s or 0.0,
            call=event.call or 0,
            progress=event.progress,
            answered=model.has_answered(event),
            judge=None if judge_failed else event.model_and_prompt,
            is_unjudged=judge_failed is not None,
            duration_s=event.duration_s,
            handle=event.handle if worker == EXECUTOR else None,
            actor=worker,
        )
        report = model.with_cost(report, event.usage)
        _record_begin(uow, event)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _count_spending(self, uow: UnitOfWork) -> Refusal | None:
        """Count the cost of a judging that was cut short, whose outcome comes too late to be recorded."""
        event, message = self.event, "judging was stopped, and had cost this"
        report = Report(TransitionKind.SPENT, lease=event.lease, message=message, actor=VALIDATOR)
        report = replace(model.with_cost(report, event.usage), event_id=event.event_id)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _name_worker(self, uow: UnitOfWork) -> Actor:
        """Return EXECUTOR or VALIDATOR by the execution's stage: only a report under a lease of that stage counts."""
        execution = uow[Executions].executions.get(self.event.execution_id)
        is_judging = execution is not None and execution.stage is ExecutionStage.JUDGING
        return VALIDATOR if is_judging else EXECUTOR

    def _find_mismatch(self, uow: UnitOfWork, verdict: Verdict) -> str | None:
        """Return how a verdict differs from the criteria and policy that its execution froze; None if it does not."""
        execution = uow[Executions].executions.get(self.event.execution_id)
        if self.event.job_id not in uow[Jobs].questions or execution is None:
            return None  # it is refused for another reason
        question = find_question(uow, execution)
        if question is None:
            return "the criteria set that was frozen with the execution is not known any more"
        frozen = [each.reference for each in list_frozen(execution.policy) if each.kind is Kind.JUDGE]
        if frozen and verdict.judge not in frozen:
            return f"the verdict was made by the judge policy {verdict.judge}, and not by {frozen[0]}"
        if verdict.submission not in {None, execution.submission}:
            return f"the verdict is of submission {verdict.submission}, and the result of {execution.submission}"
        return find_mismatch(parse_stored_criteria(question.acceptance_criteria), verdict)

    def _judge_again(self, uow: UnitOfWork, mismatch: str) -> Refusal | None:
        event = self.event
        report = Report(
            TransitionKind.MISJUDGED,
            lease=event.lease,
            code=ErrorCode.VERDICT_MISMATCH,
            message=mismatch,
            duration_s=event.duration_s,
            actor=VALIDATOR,
        )
        report = model.with_cost(report, event.usage)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _refuse_size(self, uow: UnitOfWork, size: int) -> Refusal | None:
        """Fail the job of a verdict that is too large. PermanentError: the report is a partial result instead."""
        event, message = self.event, f"it has {size} bytes, more than {RESPONSE_MAX_BYTES}"
        if event.verdict is None:
            raise PermanentError(f"a partial result is too large: {message}", code=ErrorCode.PAYLOAD_TOO_LARGE)
        message = f"the verdict is too large: {message}"
        code = ErrorCode.VERDICT_TOO_LARGE
        report = Report(TransitionKind.FAILED, lease=event.lease, code=code, message=message, actor=VALIDATOR)
        return _decide_report(uow, event.job_id, event.execution_id, report)


#: The reports that end a lease.
OUTCOMES = frozenset(
    {ReportKind.VERDICT, ReportKind.ATTEMPT_FAILED, ReportKind.FAILED, ReportKind.DECLINED, ReportKind.MISJUDGED}
)


@dataclass(frozen=True, slots=True)
class EndLease(Command[Refusal | None]):
    """End a lease that was given back, that lapsed, or whose outcome cannot be recorded; or a timed-out execution.

    `kind` is GIVEN_BACK, LAPSED, FAILED or DEADLINE. With FAILED, `code` says why the outcome cannot be recorded: a
    lease for judging is then spent, and the result judged again. With GIVEN_BACK, `begun` says that the agent may have
    been called, and `due_after_s` is the number of seconds until the result is due again.
    """

    execution_id: UUID
    kind: TransitionKind
    lease: int
    code: str | None = None
    begun: bool = False
    due_after_s: float = 0.0

    def locks(self) -> Wishes:
        return (ExecutionsWish(locked=frozenset({self.execution_id})),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        return read_circuit(uow, self.execution_id)

    def decide(self, uow: UnitOfWork) -> Refusal | None:
        execution = uow[Executions].executions.get(self.execution_id)
        lease = self.lease
        if execution is not None and self.kind in {TransitionKind.LAPSED, TransitionKind.DEADLINE}:
            lease = execution.lease  # of the row as it is now: `decide` checks its times again
        kind, message = self.kind, None
        code = ErrorCode.BEGUN if self.begun else self.code
        if kind is TransitionKind.FAILED:
            message = "what was reported cannot be recorded; it is among the dead letters"
            if execution is not None and execution.stage is ExecutionStage.JUDGING:
                kind = TransitionKind.MISJUDGED
        if execution is not None and self.kind is TransitionKind.DEADLINE:
            message = uow[Circuits].describe(execution)
        report = Report(kind, lease=lease, code=code, message=message, retry_after_s=self.due_after_s, actor=self.actor)
        return _decide_report(uow, execution.job_id if execution else "", self.execution_id, report)


def _record_begin(uow: UnitOfWork, event: ResultProduced | JobStatusReported) -> None:
    """Record the begin of the call whose outcome `event` is, if no report under the lease is recorded yet.

    The worker's clock may differ: the entry's time is kept between that of the last entry and now.
    """
    execution, job = uow[Executions].executions.get(event.execution_id), uow[Jobs].jobs.get(event.job_id)
    if event.began_at is None or execution is None or job is None or job.status is not JobStatus.IN_PROGRESS:
        return
    is_running = execution.stage is ExecutionStage.EXECUTING and execution.state is ExecutionState.LEASED
    is_first = (execution.job_id, execution.lease, execution.seq) == (job.id, event.lease, 0)
    if not is_running or not is_first:
        return
    begun = to_call_begun(execution.execution_id, job.id, execution.attempt, execution.lease, event.began_at)
    at = min(max(event.began_at, job.updated_at or event.began_at), uow.clock.now)
    report = Report(
        TransitionKind.CALL_BEGUN,
        lease=begun.lease,
        seq=begun.seq,
        message=begun.message,
        event_id=begun.event_id,
        at=at,
        actor=EXECUTOR,
    )
    record(uow, job.id, execution, report)


def _decide_report(uow: UnitOfWork, job_id: str, execution_id: UUID, report: Report) -> Refusal | None:
    execution = uow[Executions].executions.get(execution_id)
    if execution is None or execution.job_id != job_id or job_id not in uow[Jobs].jobs:
        refusal = Refusal(ErrorCode.UNKNOWN_EXECUTION, "no such execution of this job is known")
        return uow[Jobs].refuse(job_id, report, refusal, execution_id)
    if report.kind is TransitionKind.NOT_MET:
        decision = record_not_met(uow, execution, report)
    else:
        decision = record(uow, job_id, execution, report)
    return decision if isinstance(decision, Refusal) else None
