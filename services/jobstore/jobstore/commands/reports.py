"""Commands of workers: record a result or a report, or end a lease. Pure."""

from dataclasses import dataclass
from uuid import UUID

from contracts.criteria import parse_stored_criteria
from contracts.events import JobStatusReported, ResultProduced, to_call_begun
from contracts.judging.verdict import Verdict, find_mismatch
from contracts.sizes import JUDGED_MAX_BYTES, LIMIT_MAX_BYTES
from jobstore.commands.base import NOTHING, Command, LimitsLock, Locks, Reads, read_circuit
from jobstore.commands.granting import describe_open_circuit
from jobstore.commands.resubmission import read_for_resubmission, record_not_met
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain import reports
from jobstore.domain.actor import EXECUTOR, VALIDATOR, Actor
from jobstore.domain.decisions import list_not_met
from jobstore.domain.fences import is_cut_short
from jobstore.domain.judging.versions import Kind, list_frozen
from jobstore.domain.model import (
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    TransitionKind,
    replace,
)
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import JobStatus, ReportKind

#: What a verdict may have: the criteria, which are part of a job, and a judge's words. A partial result has far less.
RESPONSE_MAX_BYTES = LIMIT_MAX_BYTES + JUDGED_MAX_BYTES


@dataclass(frozen=True, slots=True)
class RecordResult(Command[Refusal | None]):
    """Record an agent's result. A repeat is refused and changes nothing. `size` is the record's, in bytes."""

    event: ResultProduced
    size: int = 0

    def locks(self) -> Locks:
        return Locks(jobs=frozenset({self.event.job_id}), executions=frozenset({self.event.execution_id}))

    def late_reads(self, stored: Stored) -> Reads:
        return read_circuit(stored, self.event.execution_id)

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
        report = reports.with_cost(report, event.usage)
        if (size := len(event.result_text.encode())) > LIMIT_MAX_BYTES:  # no executor of ours sends it
            message = f"the result has {size} bytes, more than {LIMIT_MAX_BYTES}"
            kind = TransitionKind.FAILED
            report = replace(report, kind=kind, code=ErrorCode.RESULT_TOO_LARGE, message=message, response=None)
        _record_begin(uow, event)
        return _decide_report(uow, event.job_id, event.execution_id, report)


@dataclass(frozen=True, slots=True)
class RecordReport(Command[Refusal | None]):
    """Record what a worker says happened under its lease. The actor is WORKER: which, the execution's stage says."""

    event: JobStatusReported

    def locks(self) -> Locks:
        job_ids, execution_ids = frozenset({self.event.job_id}), frozenset({self.event.execution_id})
        return Locks(
            limits=LimitsLock.SHARED if self._may_resubmit else LimitsLock.NONE,
            jobs=job_ids,
            executions=execution_ids,
            followed=execution_ids if self._may_resubmit else frozenset(),
            questions=job_ids if self.event.verdict is not None else frozenset(),
            offers=self._may_resubmit,
        )

    @property
    def _may_resubmit(self) -> bool:
        """Whether there is a judgement that an agent could do better by: not if the judge failed."""
        verdict = self.event.verdict
        return verdict is not None and reports.read_verdict(verdict) == (TransitionKind.NOT_MET, None)

    def reads(self, stored: Stored) -> Reads:
        reads = read_for_resubmission(stored, self.event.execution_id) if self._may_resubmit else NOTHING
        execution = stored.executions.get(self.event.execution_id) if self.event.verdict is not None else None
        references = frozenset(list_frozen(execution.policy)) if execution is not None else frozenset()
        return Reads.join([reads, Reads(references=references)])

    def late_reads(self, stored: Stored) -> Reads:
        return read_circuit(stored, self.event.execution_id)

    def decide(self, uow: UnitOfWork) -> Refusal | None:
        event = self.event
        job, execution = uow.jobs.get(event.job_id), uow.executions.get(event.execution_id)
        if job is not None and event.usage is not None and is_cut_short(execution, job, event.lease):
            return self._count_spending(uow)
        verdict, question = event.verdict, uow.stored.questions.get(event.job_id)
        if verdict is not None and question is not None:
            verdict = reports.name_references(verdict, question.references)
        response = reports.format_response(event, verdict)
        if response and (size := len(response.encode())) > RESPONSE_MAX_BYTES:
            return self._refuse_size(uow, size)
        if verdict is not None and (mismatch := self._find_mismatch(uow, verdict)) is not None:
            return self._judge_again(uow, mismatch)
        if verdict is None:
            kind, judge_failed = reports.TRANSITION_KINDS[event.kind], None
        else:
            kind, judge_failed = reports.read_verdict(verdict)
        report = Report(
            kind,
            lease=event.lease,
            seq=event.seq,
            code=judge_failed or event.code,
            message=event.message or (verdict.reason if verdict else None),
            response=response,
            feedback=reports.format_feedback(verdict) if verdict else None,
            not_met_criteria=list_not_met(verdict) if verdict else (),
            event_id=event.event_id,
            retry_after_s=event.retry_after_s or 0.0,
            call=event.call or 0,
            progress=event.progress,
            answered=reports.has_answered(event),
            judge=None if judge_failed else event.model_and_prompt,
            is_unjudged=judge_failed is not None,
            duration_s=event.duration_s,
            actor=self._name_worker(uow),
        )
        report = reports.with_cost(report, event.usage)
        _record_begin(uow, event)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _count_spending(self, uow: UnitOfWork) -> Refusal | None:
        """Count what judging had cost that was cut short, whatever came of it: that comes too late."""
        event, message = self.event, "judging was stopped, and had cost this"
        report = Report(TransitionKind.SPENT, lease=event.lease, message=message, actor=VALIDATOR)
        report = replace(reports.with_cost(report, event.usage), event_id=event.event_id)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _name_worker(self, uow: UnitOfWork) -> Actor:
        """Return who holds the leases of the execution's stage: a report counts under one of those alone."""
        execution = uow.executions.get(self.event.execution_id)
        is_judging = execution is not None and execution.stage is ExecutionStage.JUDGING
        return VALIDATOR if is_judging else EXECUTOR

    def _find_mismatch(self, uow: UnitOfWork, verdict: Verdict) -> str | None:
        """Return why a verdict is none on the criteria and by the policy that were frozen with the execution."""
        execution = uow.executions.get(self.event.execution_id)
        if self.event.job_id not in uow.stored.questions or execution is None:
            return None  # which is refused, whatever it judges
        question = uow.stored.find_question(execution)
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
        report = reports.with_cost(report, event.usage)
        return _decide_report(uow, event.job_id, event.execution_id, report)

    def _refuse_size(self, uow: UnitOfWork, size: int) -> Refusal | None:
        """Fail the job of a verdict that is too large. PermanentError: it is what an agent has so far."""
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

    `kind` is GIVEN_BACK, LAPSED, FAILED or DEADLINE. `code` is, of FAILED, why the outcome cannot be recorded: a lease
    for judging is then spent, and the result judged again. Of a lease given back, `begun`: the agent may have been
    called under it, and `due_after_s`: its result is due again then.
    """

    execution_id: UUID
    kind: TransitionKind
    lease: int
    code: str | None = None
    begun: bool = False
    due_after_s: float = 0.0

    def locks(self) -> Locks:
        return Locks(executions=frozenset({self.execution_id}))

    def late_reads(self, stored: Stored) -> Reads:
        return read_circuit(stored, self.execution_id)

    def decide(self, uow: UnitOfWork) -> Refusal | None:
        execution = uow.executions.get(self.execution_id)
        lease = self.lease
        if execution is not None and self.kind in {TransitionKind.LAPSED, TransitionKind.DEADLINE}:
            lease = execution.lease  # the sweeper speaks of the row as it is now, and `decide` looks at its times again
        kind, message = self.kind, None
        code = ErrorCode.BEGUN if self.begun else self.code
        if kind is TransitionKind.FAILED:
            message = "what was reported cannot be recorded; it is among the dead letters"
            if execution is not None and execution.stage is ExecutionStage.JUDGING:
                kind = TransitionKind.MISJUDGED
        if execution is not None and self.kind is TransitionKind.DEADLINE:
            message = describe_open_circuit(uow, execution)
        report = Report(kind, lease=lease, code=code, message=message, retry_after_s=self.due_after_s, actor=self.actor)
        return _decide_report(uow, execution.job_id if execution else "", self.execution_id, report)


def _record_begin(uow: UnitOfWork, event: ResultProduced | JobStatusReported) -> None:
    """Record that the call began of which an outcome tells, if no report under its lease is recorded yet.

    The worker's clock is another: the entry's time is not before the entry before, nor in the future.
    """
    execution, job = uow.executions.get(event.execution_id), uow.jobs.get(event.job_id)
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
    uow.record(job.id, execution, report)


def _decide_report(uow: UnitOfWork, job_id: str, execution_id: UUID, report: Report) -> Refusal | None:
    execution = uow.executions.get(execution_id)
    if execution is None or execution.job_id != job_id or job_id not in uow.jobs:
        refusal = Refusal(ErrorCode.UNKNOWN_EXECUTION, "no such execution of this job is known")
        return uow.refuse(job_id, report, refusal)
    record = record_not_met if report.kind is TransitionKind.NOT_MET else _record
    decision = record(uow, execution, report)
    return decision if isinstance(decision, Refusal) else None


def _record(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    return uow.record(execution.job_id, execution, report)
