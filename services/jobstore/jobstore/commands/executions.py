"""Commands on executions: request one, or cancel one. Pure."""

from dataclasses import dataclass
from uuid import UUID

from jobstore.commands.base import (
    NOTHING,
    REFUSED,
    Command,
    Creation,
    LimitsLock,
    Locks,
    Reads,
    check_version,
    optional,
    raise_refusal,
    require_job,
)
from jobstore.commands.jobs import CreateJob
from jobstore.commands.requesting import PLAIN_REQUEST, ExecutionRequest, request_execution
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import ExecutionView, JobView, UnitOfWork
from jobstore.domain.actor import ADMINISTRATOR, UPSTREAM, Actor
from jobstore.domain.model import CANCELLED, Decision, Execution, ExecutionState, Refusal, Report, TransitionKind
from jobstore.errors import ConflictError, RefusedError
from signoff.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class ExecuteJob(Creation[ExecutionView]):
    """Request an execution. If the caller chose the id, a refusal is kept as the id's answer, too.

    `resubmission`: only where a not-met verdict left feedback. RefusedError, ConflictError (`execution_conflict`).
    """

    job_id: str
    execution_id: UUID
    chosen: bool = False
    resubmission: bool = False
    parameters: ExecutionRequest = PLAIN_REQUEST
    version: int | None = None

    def locks(self) -> Locks:
        job_ids = frozenset({self.job_id})
        execution_ids = frozenset({self.execution_id})
        return Locks(
            limits=LimitsLock.SHARED,
            jobs=job_ids,
            executions=execution_ids,
            specs=job_ids,
            agents_of=job_ids,
            offers=True,
        )

    def reads(self, stored: Stored) -> Reads:
        job = stored.jobs.get(self.job_id)
        return NOTHING if job is None else Reads(agents=optional(job.agent_id))

    def late_reads(self, stored: Stored) -> Reads:
        return Reads(queues=frozenset({stored.specs[self.job_id].tenant})) if self.job_id in stored.specs else NOTHING

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.execution_id in uow.executions

    def show(self, uow: UnitOfWork) -> ExecutionView:
        return uow.show_execution(self.execution_id)

    def decide(self, uow: UnitOfWork) -> ExecutionView:
        execution = uow.executions.get(self.execution_id)
        if execution is not None:
            return self._repeat_answer(uow, execution)
        job = require_job(uow, self.job_id)
        check_version("the job", job.version, self.version)  # which is no answer of the id: it may be asked for anew
        decision: object
        if self.resubmission and job.feedback is None:
            decision = Refusal(ErrorCode.ILLEGAL_TRANSITION, f"the job is {job.status}, not RESUBMISSION_REQUIRED")
        else:
            decision = request_execution(uow, self.job_id, self.execution_id, self.actor, self.parameters)
        if isinstance(decision, Refusal) and self.chosen:
            # Written even though this command fails: the error ends neither the transaction nor its other commands.
            uow.keep_answer(self.job_id, self.execution_id, REFUSED + decision.code, self.actor)
        raise_refusal(decision)
        return self.show(uow)

    def _repeat_answer(self, uow: UnitOfWork, execution: Execution) -> ExecutionView:
        if execution.job_id not in {self.job_id, ""}:
            raise ConflictError("the execution id is another job's", code=ErrorCode.EXECUTION_CONFLICT)
        if execution.answer is not None and execution.answer.startswith(REFUSED):
            raise RefusedError("the execution id was refused before", code=execution.answer.removeprefix(REFUSED))
        if execution.request_version is None:
            uow.settle_answer(execution, self.actor)
            raise RefusedError("the execution was cancelled before it was requested", code=CANCELLED)
        return self.show(uow)


@dataclass(frozen=True, slots=True)
class CreateAndExecute(Command[ExecutionView]):
    """Create a job unless it exists, and request an execution of it, in one transaction."""

    creation: CreateJob
    request: ExecuteJob

    def locks(self) -> Locks:
        return Locks.join([self.creation.locks(), self.request.locks()])

    def reads(self, stored: Stored) -> Reads:
        return Reads.join([self.creation.reads(stored), self.request.reads(stored)])

    def late_reads(self, stored: Stored) -> Reads:
        return Reads.join([self.creation.late_reads(stored), self.request.late_reads(stored)])

    def decide(self, uow: UnitOfWork) -> ExecutionView:
        # What was answered before any job was made is answered so again. Of a batch, two items may have one id.
        if self.request.execution_id not in uow.executions or self.creation.job_id in uow.jobs:
            self.creation.decide(uow)
        return self.request.decide(uow)


@dataclass(frozen=True, slots=True)
class ForgetAnswer(Command[bool]):
    """Forget why the record of an execution was wrong, so that it may be processed anew. Return False if none was."""

    execution_id: UUID

    def locks(self) -> Locks:
        return Locks(executions=frozenset({self.execution_id}))

    def decide(self, uow: UnitOfWork) -> bool:
        execution = uow.executions.get(self.execution_id)
        if execution is None or not execution.is_wrong_record:
            return False
        uow.forget_answer(execution, self.actor)
        return True


@dataclass(frozen=True, slots=True)
class CancelJob(Command[JobView | None]):
    """Cancel a job's live execution; or one by its id, and no other, which may not have been requested yet.

    Where nothing is live the log tells of it all the same, but not of the same one again right behind it. An id that is
    not known yet is remembered for a time, and only so many are. `by_call`: a caller waits, who gets the job if it is
    known, and each refusal as RefusedError: of what has ended by itself, too (`illegal_transition`), by id or not. A
    cancel by id that no caller waits for returns None.
    """

    job_id: str | None
    execution_id: UUID | None = None
    reason: str | None = None
    by_call: bool = False
    version: int | None = None

    def locks(self) -> Locks:
        if self.execution_id is not None and not self.by_call:  # the execution's own job is locked, whatever was said
            return Locks(executions=frozenset({self.execution_id}))
        return Locks(
            jobs=optional(self.job_id),
            specs=optional(self.job_id),
            executions=frozenset() if self.execution_id is None else frozenset({self.execution_id}),
        )

    def reads(self, stored: Stored) -> Reads:
        if self.execution_id is None:
            job = stored.jobs.get(self.job_id or "")
            return NOTHING if job is None or job.live else Reads(last_entries=frozenset({job.id}))
        execution = stored.executions.get(self.execution_id)
        if execution is None:
            return Reads(early_cancels=True)
        shown = {execution.job_id} & stored.jobs.keys() if self.by_call else set()
        return Reads(specs=frozenset(shown - stored.specs.keys()))

    def decide(self, uow: UnitOfWork) -> JobView | None:
        reason = f": {self.reason}" if self.reason else ""
        message = f"cancelled by {_name_asker(self.actor)}{reason}"
        report = Report(TransitionKind.CANCELLED, message=message, code=ErrorCode.CANCELLED, actor=self.actor)
        if self.execution_id is None:
            job = require_job(uow, self.job_id or "")
            live = uow.executions.get(job.execution_id) if job.live and job.execution_id else None
            if live is not None or uow.find_last_said(job.id) != (report.kind, report.message, report.actor):
                check_version("the job", job.version, self.version)
                raise_refusal(uow.record(job.id, live, report))
            return uow.show_job(job.id)
        if self.by_call and self.job_id is not None:
            job = require_job(uow, self.job_id)
            known = uow.executions.get(self.execution_id)
            if known is None or known.answer != CANCELLED:
                check_version("the job", job.version, self.version)
        decision = self._cancel_execution(uow, self.execution_id, report)
        if not self.by_call:
            return None
        raise_refusal(decision)
        job_id = self.job_id or uow.executions[self.execution_id].job_id
        return uow.show_job(job_id) if job_id in uow.jobs else None

    def _cancel_execution(self, uow: UnitOfWork, execution_id: UUID, report: Report) -> Decision | Refusal | None:
        execution = uow.executions.get(execution_id)
        if execution is None and uow.stored.cancel_room <= 0:
            message = "as many cancels of executions that nobody has asked for yet are remembered as may be"
            return uow.refuse(self.job_id, report, Refusal(ErrorCode.TOO_MANY_CANCELS, message))
        if execution is None:  # rule `cancel-before-arrival`
            uow.remember(self.job_id, execution_id, CANCELLED)
            uow.stored.cancel_room -= 1
        elif execution.job_id not in {self.job_id or execution.job_id, ""}:
            raise ConflictError("the execution id is another job's", code=ErrorCode.EXECUTION_CONFLICT)
        elif execution.state is not ExecutionState.DONE:
            return uow.record(execution.job_id, execution, report)
        elif self.by_call and execution.answer != CANCELLED and not (execution.answer or "").startswith(REFUSED):
            message = f"the execution has ended already ({execution.answer}) and cannot be cancelled"
            return uow.refuse(execution.job_id, report, Refusal(ErrorCode.ILLEGAL_TRANSITION, message))
        return None


def _name_asker(actor: Actor) -> str:
    """Return who asked, as a log's message names them."""
    return f"the {actor}" if actor in {ADMINISTRATOR, UPSTREAM} else str(actor)
