"""Commands on executions: request one, or cancel one. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.resources import NewJob
from jobstore.commands.base import REFUSED, Command, raise_refusal, require_job
from jobstore.commands.jobs import CreateJob
from jobstore.commands.requesting import PLAIN_REQUEST, ExecutionRequest, request_execution
from jobstore.commands.unit_of_work import CANCELLED, UnitOfWork
from jobstore.domain.model import Execution, ExecutionState, Refusal, Report, TransitionKind
from jobstore.errors import ConflictError, RefusedError


@dataclass(frozen=True, slots=True)
class ExecuteJob(Command):
    """Request an execution. If the caller chose the id, a refusal is kept as the id's answer, too.

    `resubmission`: only where a not-met verdict left feedback. RefusedError, ConflictError (`execution_conflict`).
    """

    needs_spec = True
    needs_limits = True
    job_id: str
    execution_id: UUID
    chosen: bool = False
    resubmission: bool = False
    parameters: ExecutionRequest = PLAIN_REQUEST

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def execution(self) -> UUID:
        return self.execution_id

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        execution = uow.executions.get(self.execution_id)
        if execution is not None:
            return self._repeat_answer(uow, execution)
        job = require_job(uow, self.job_id)
        decision: object
        if self.resubmission and job.feedback is None:
            decision = Refusal("illegal_transition", f"the job is {job.status}, not RESUBMISSION_REQUIRED")
        else:
            decision = request_execution(uow, self.job_id, self.execution_id, self.actor, self.parameters)
        if isinstance(decision, Refusal) and self.chosen:
            # Written even though this command fails: the error ends neither the transaction nor its other commands.
            uow.keep_answer(self.job_id, self.execution_id, REFUSED + decision.code)
        raise_refusal(decision)
        return uow.show_job(self.job_id)

    def _repeat_answer(self, uow: UnitOfWork, execution: Execution) -> dict[str, Any]:
        if execution.job_id not in {self.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        if execution.answer is not None and execution.answer.startswith(REFUSED):
            raise RefusedError("the execution id was refused before", code=execution.answer.removeprefix(REFUSED))
        if execution.request_version is None:
            uow.settle_answer(execution)
            raise RefusedError("the execution was cancelled before it was requested", code=CANCELLED)
        return uow.show_job(self.job_id)


@dataclass(frozen=True, slots=True)
class CreateAndExecute(Command):
    """Create a job unless it exists, and request an execution of it, in one transaction."""

    needs_spec = True
    needs_limits = True
    creation: CreateJob
    request: ExecuteJob

    @property
    def job(self) -> str:
        return self.creation.job_id

    @property
    def execution(self) -> UUID:
        return self.request.execution_id

    @property
    def new_job(self) -> NewJob:
        return self.creation.new

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        return {*self.creation.agents(uow), *self.request.agents(uow)}

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        if self.execution not in uow.executions:
            self.creation.apply(uow)
        return self.request.apply(uow)


@dataclass(frozen=True, slots=True)
class CancelJob(Command):
    """Cancel a job's live execution; or one by its id, which may not have been requested yet.

    A cancel by id returns None, and is no error where there is nothing left to cancel. An id that is not known yet is
    remembered for a time, and only so many are; `own`: the jobstore may request it itself, and it is kept for good.
    """

    needs_spec = True
    job_id: str | None
    execution_id: UUID | None = None
    reason: str | None = None
    requested_by: str | None = None
    own: bool = False

    @property
    def job(self) -> str | None:
        """The job of a cancel without an execution id; else the execution's own job is locked, whatever was said."""
        return self.job_id if self.execution_id is None else None

    @property
    def execution(self) -> UUID | None:
        return self.execution_id

    def is_early(self, uow: UnitOfWork) -> bool:
        """Return whether the execution is one that nobody has asked for."""
        return self.execution_id is not None and self.execution_id not in uow.executions and not self.own

    def apply(self, uow: UnitOfWork) -> dict[str, Any] | None:
        reason = f": {self.reason}" if self.reason else ""
        message = f"cancelled by {self.requested_by or 'the administrator'}{reason}"
        report = Report(TransitionKind.CANCELLED, message=message, code="cancelled", actor=self.actor)
        if self.execution_id is not None:
            self._cancel_execution(uow, self.execution_id, report)
            return None
        job = require_job(uow, self.job_id or "")
        live = uow.executions.get(job.execution_id) if job.live and job.execution_id else None
        raise_refusal(uow.record(job.id, live, report))
        return uow.show_job(job.id)

    def _cancel_execution(self, uow: UnitOfWork, execution_id: UUID, report: Report) -> None:
        execution = uow.executions.get(execution_id)
        if execution is None and self.own:
            uow.keep_answer(self.job_id, execution_id, CANCELLED)
        elif execution is None and uow.cancel_room <= 0:
            message = "as many cancels of executions that nobody has asked for yet are remembered as may be"
            uow.refusals.append((self.job_id, report, Refusal("too_many_cancels", message)))
        elif execution is None:  # rule `cancel-before-arrival`
            uow.remember_cancel(self.job_id, execution_id)
        elif execution.job_id not in {self.job_id or execution.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        elif execution.state is not ExecutionState.DONE:
            uow.record(execution.job_id, execution, report)
