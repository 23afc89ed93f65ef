"""What workers report, and what is noticed of their leases."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from contracts.events import JobStatusReported, ResultProduced
from contracts.jsontext import json_text
from contracts.status import ReportKind
from jobstore.commands.base import Command
from jobstore.commands.granting import (
    why_waiting,
)
from jobstore.commands.resubmission import capabilities_to_seek, job_to_resubmit, next_id, record_not_met
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain import reports
from jobstore.domain.model import Decision, Execution, Refusal, Report, TransitionKind
from jobstore.domain.spec import text_hash


@dataclass(frozen=True, slots=True)
class RecordResult(Command):
    """An agent's result; said again, it changes nothing."""

    needs_circuit = True
    event: ResultProduced
    size: int = 0

    @property
    def job(self) -> str:
        return self.event.job_id

    @property
    def execution(self) -> UUID:
        return self.event.execution_id

    def apply(self, uow: UnitOfWork) -> Refusal | None:
        event = self.event
        result = json_text(event.result)
        report = Report(
            TransitionKind.RESULT,
            lease=event.lease,
            response=f'{{"result":{result}}}',
            message="the agent answered",
            event_id=event.event_id,
            answered=True,
            result_hash=text_hash(result),
            **reports.spent(event.usage),
        )
        return _reported(uow, event.job_id, event.execution_id, report)

    def unstorable(self) -> Command:
        return NoticeLease(self.event.execution_id, TransitionKind.FAILED, self.event.lease)


@dataclass(frozen=True, slots=True)
class RecordReport(Command):
    """What a worker says happened."""

    needs_circuit = True
    event: JobStatusReported

    @property
    def job(self) -> str:
        return self.event.job_id

    @property
    def execution(self) -> UUID:
        return self.event.execution_id

    @property
    def is_verdict(self) -> bool:
        """Whether the result's row must stand in the database before this one is written."""
        return self.event.verdict is not None

    @property
    def _is_not_met(self) -> bool:
        return self.event.verdict is not None and not self.event.verdict.is_valid

    @property
    def next_execution(self) -> UUID | None:
        return next_id(self.event.execution_id) if self._is_not_met else None

    def resubmits(self, uow: UnitOfWork) -> Iterable[str]:
        return job_to_resubmit(uow, self.event.execution_id) if self._is_not_met else ()

    def needs(self, uow: UnitOfWork) -> Iterable[str]:
        return capabilities_to_seek(uow, self.event.execution_id) if self._is_not_met else ()

    def apply(self, uow: UnitOfWork) -> Refusal | None:
        event = self.event
        verdict = event.verdict
        kind = reports.KINDS.get(event.kind) or (
            TransitionKind.MET if verdict and verdict.is_valid else TransitionKind.NOT_MET
        )
        report = Report(
            kind,
            lease=event.lease,
            seq=event.seq,
            code=event.code,
            message=event.message or (verdict.reason if verdict else None),
            response=reports.response(event),
            feedback=reports.feedback_of(verdict) if verdict else None,
            event_id=event.event_id,
            retry_after_s=event.retry_after_s or 0.0,
            call=event.call or 0,
            progress=event.progress,
            answered=reports.answered(event),
            judge=event.judge,
            **reports.spent(event.usage),
        )
        return _reported(uow, event.job_id, event.execution_id, report)

    def unstorable(self) -> Command | None:
        if self.event.kind not in _OUTCOMES:
            return None
        return NoticeLease(self.event.execution_id, TransitionKind.FAILED, self.event.lease)


_OUTCOMES = frozenset({ReportKind.VERDICT, ReportKind.ATTEMPT_FAILED, ReportKind.FAILED, ReportKind.DECLINED})


@dataclass(frozen=True, slots=True)
class NoticeLease(Command):
    """A lease of which something is noticed: given back, lapsed, out of time, or ended by what cannot be stored."""

    needs_circuit = True
    execution_id: UUID
    kind: TransitionKind
    lease: int
    begun: bool = False

    @property
    def execution(self) -> UUID:
        return self.execution_id

    def apply(self, uow: UnitOfWork) -> Refusal | None:
        execution = uow.executions.get(self.execution_id)
        lease = (
            execution.lease
            if execution and self.kind in {TransitionKind.LAPSED, TransitionKind.DEADLINE}
            else self.lease
        )
        code, message = "begun" if self.begun else None, None
        if self.kind is TransitionKind.FAILED:
            code, message = "unstorable", "what was reported cannot be stored; it is among the dead letters"
        if execution is not None and self.kind is TransitionKind.DEADLINE:
            message = why_waiting(uow, execution)
        report = Report(self.kind, lease=lease, code=code, message=message)
        return _reported(uow, execution.job_id if execution else "", self.execution_id, report)


def _reported(uow: UnitOfWork, job_id: str, execution_id: UUID, report: Report) -> Refusal | None:
    execution = uow.executions.get(execution_id)
    if execution is None or execution.job_id != job_id or job_id not in uow.jobs:
        refusal = Refusal("unknown_execution", "no such execution of this job is known")
        uow.refusals.append((job_id, report, refusal))
        return refusal
    record = record_not_met if report.kind is TransitionKind.NOT_MET else _record
    decision = record(uow, execution, report)
    return decision if isinstance(decision, Refusal) else None


def _record(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    return uow.record(execution.job_id, execution, report)
