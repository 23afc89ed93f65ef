"""Claims: a worker asks for the lease of an execution, or of a result to be judged."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events import JobStatusReported, ResultProduced
from contracts.jsontext import json_text
from contracts.resources import NewJob
from contracts.status import ReportKind
from jobstore.commands.assigning import create_job
from jobstore.commands.base import REFUSED, Command
from jobstore.commands.granting import RESULT_REUSED, VERDICT_REUSED, ClaimAnswer, ClaimOutcome, granted
from jobstore.commands.reports import RecordReport, RecordResult
from jobstore.commands.requesting import ExecutionRequest, request_execution
from jobstore.commands.resubmission import capabilities_to_seek, job_to_resubmit, next_id
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.limits import held_back, tenant_limit
from jobstore.domain.model import Execution, ExecutionStage, ExecutionState, Refusal, Report, TransitionKind
from jobstore.domain.reuse import Reusable, verdict_key
from jobstore.domain.spec import spec_hash, text_hash


@dataclass(frozen=True, slots=True)
class ClaimExecution(Command):
    """An executor claims an execution; one that nobody knows is admitted first."""

    needs_circuit = True
    needs_limits = True
    execution_id: UUID
    job_id: str
    owner: UUID
    room: int
    inline: NewJob | None = None
    replay: bool = False
    not_before: datetime | None = None

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def execution(self) -> UUID:
        return self.execution_id

    @property
    def brings(self) -> NewJob | None:
        return self.inline

    def _admits(self, uow: UnitOfWork) -> bool:
        return self.execution_id not in uow.executions

    def specs(self, uow: UnitOfWork) -> Iterable[str]:
        needed = self.job_id in uow.jobs and (self._admits(uow) or self.inline is not None)
        return (self.job_id,) if needed else ()

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        if not self._admits(uow):
            return ()
        job = uow.jobs.get(self.job_id)
        agent_id = job.agent_id if job else self.inline.agent_id if self.inline else None
        return (agent_id,) if agent_id else ()

    def circuits(self, uow: UnitOfWork) -> Iterable[str]:
        """Also of those agents that a new job may be matched to."""
        matched = self._admits(uow) and any(self.needs(uow))
        return uow.candidates if matched else Command.circuits(self, uow)

    def apply(self, uow: UnitOfWork) -> ClaimAnswer:
        known = uow.executions.get(self.execution_id)
        if known is not None and known.job_id not in {self.job_id, ""}:
            return ClaimAnswer(ClaimOutcome.REFUSED, "execution_conflict", "the execution id is another job's")
        if self.replay:
            return self._replayed(known)
        other = self.inline is not None and self.job_id in uow.jobs
        if other and uow.specs[self.job_id].spec_hash != spec_hash(self.inline):  # type: ignore[arg-type]
            return self._refused(uow, Refusal("job_conflict", f"another job has the id {self.job_id}"))
        if known is None:
            return self._admitted(uow)
        return self._claimed(uow, known)

    def _replayed(self, known: Execution | None) -> ClaimAnswer:
        """What the record would have been answered, had it not been published again; nothing changes."""
        if known is None:
            return ClaimAnswer(ClaimOutcome.REFUSED, "replayed", "a replayed record admits nothing")
        if known.state is ExecutionState.DONE:
            return _concluded(known)
        waiting = known.stage is ExecutionStage.EXECUTING and known.state is not ExecutionState.LEASED
        return ClaimAnswer(ClaimOutcome.QUEUED if waiting else ClaimOutcome.DUPLICATE, "replayed")

    def _admitted(self, uow: UnitOfWork) -> ClaimAnswer:
        if self.job_id not in uow.jobs:
            if self.inline is None:
                return ClaimAnswer(ClaimOutcome.INVALID, "unknown_job", f"no job has the id {self.job_id}")
            if self.inline.agent_id and self.inline.agent_id not in uow.agents:
                return ClaimAnswer(ClaimOutcome.INVALID, "unknown_agent", f"no agent has the id {self.inline.agent_id}")
            create_job(uow, self.inline, self.job_id)
        decision = request_execution(uow, self.job_id, self.execution_id, ExecutionRequest(not_before=self.not_before))
        if isinstance(decision, Refusal):
            return self._refused(uow, decision)
        admitted = uow.executions[self.execution_id]
        if admitted.reuse_key is not None:
            return ClaimAnswer(
                ClaimOutcome.QUEUED, "reusable"
            )  # what it may reuse was not looked up; it is when it is offered
        return self._claimed(uow, admitted)

    def _refused(self, uow: UnitOfWork, refusal: Refusal) -> ClaimAnswer:
        if self.execution_id not in uow.executions:
            uow.refuse(self.job_id, self.execution_id, REFUSED + refusal.code)
        return ClaimAnswer(ClaimOutcome.REFUSED, refusal.code, refusal.message)

    def _claimed(self, uow: UnitOfWork, known: Execution) -> ClaimAnswer:
        if known.state is ExecutionState.DONE:
            return _concluded(known)
        if known.stage is ExecutionStage.JUDGING:
            return ClaimAnswer(ClaimOutcome.DUPLICATE)
        due = known.due_at is None or known.due_at <= uow.clock.now
        if known.state is ExecutionState.QUEUED and not due:
            return ClaimAnswer(ClaimOutcome.QUEUED, "not_due")
        if known.state is ExecutionState.QUEUED and held_back([tenant_limit(known.tenant), *known.flow], uow.limits):
            return ClaimAnswer(ClaimOutcome.QUEUED, "limited")  # limits are counted at one place: where it is offered
        if known.state is not ExecutionState.LEASED and (reused := uow.results.get(known.execution_id)) is not None:
            return self._with_result(uow, known, reused)
        return granted(uow, known, TransitionKind.CLAIMED, self.owner, self.room)

    def _with_result(self, uow: UnitOfWork, known: Execution, reused: Reusable) -> ClaimAnswer:
        """Taken, and at once done with another call's result; no agent is called."""
        uow.rooms.setdefault(self.owner, self.room)
        told = Report(TransitionKind.CLAIMED, owner=self.owner, code=RESULT_REUSED, reused=reused)
        taken = uow.record(known.job_id, known, told)
        if isinstance(taken, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, taken.code, taken.message)
        assert taken.execution is not None
        result = Report(
            TransitionKind.RESULT,
            lease=taken.execution.lease,
            code=RESULT_REUSED,
            message=f"result reused of {reused}",
            result_hash=reused.result_hash,
            reused=reused,
        )
        uow.record(known.job_id, taken.execution, result)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, RESULT_REUSED)


def _concluded(known: Execution) -> ClaimAnswer:
    answer = known.answer or ""
    if answer.startswith(REFUSED):
        return ClaimAnswer(ClaimOutcome.REFUSED, answer.removeprefix(REFUSED), "the execution id was refused before")
    return ClaimAnswer(ClaimOutcome.DUPLICATE, answer)


@dataclass(frozen=True, slots=True)
class ClaimJudging(Command):
    """A validator claims a result: it is recorded, unless it is already, and leased."""

    needs_circuit = True
    event: ResultProduced
    owner: UUID
    room: int
    size: int = 0
    judge: str = ""

    @property
    def job(self) -> str:
        return self.event.job_id

    @property
    def execution(self) -> UUID:
        return self.event.execution_id

    def key(self, uow: UnitOfWork) -> bytes | None:
        """By which a verdict that may be reused is known; None: none may be."""
        known = uow.executions.get(self.event.execution_id)
        if not self.judge or known is None or known.state is ExecutionState.DONE:
            return None
        if (known.policy or {}).get("reuse_verdict") is False:
            return None
        recorded = known.stage is ExecutionStage.JUDGING and known.result_hash is not None
        result_hash = known.result_hash if recorded else text_hash(json_text(self.event.result))
        return verdict_key(result_hash or b"", self.event.acceptance_criteria, self.judge)

    def reused(self, uow: UnitOfWork) -> Reusable | None:
        """The verdict that was found for it."""
        return uow.verdicts.get(self.key(uow) or b"") if uow.verdicts else None

    def _is_not_met(self, uow: UnitOfWork) -> bool:
        reused = self.reused(uow)
        return reused is not None and reused.verdict is not None and not reused.verdict.is_valid

    @property
    def next_execution(self) -> UUID | None:
        return next_id(self.event.execution_id) if self.judge else None

    def resubmits(self, uow: UnitOfWork) -> Iterable[str]:
        return job_to_resubmit(uow, self.event.execution_id) if self._is_not_met(uow) else ()

    def needs(self, uow: UnitOfWork) -> Iterable[str]:
        return capabilities_to_seek(uow, self.event.execution_id) if self._is_not_met(uow) else ()

    def apply(self, uow: UnitOfWork) -> ClaimAnswer:
        refusal = RecordResult(self.event).apply(uow)
        execution = uow.executions.get(self.event.execution_id)
        if execution is None or not self._judgeable(execution):
            code = refusal.code if refusal else "concluded"
            return ClaimAnswer(ClaimOutcome.DUPLICATE, code)
        reused = self.reused(uow)
        if reused is not None and execution.state is not ExecutionState.LEASED:
            return self._with_verdict(uow, execution, reused)
        return granted(uow, execution, TransitionKind.JUDGING_CLAIMED, self.owner, self.room)

    def _with_verdict(self, uow: UnitOfWork, execution: Execution, reused: Reusable) -> ClaimAnswer:
        """Taken, and at once judged as the identical result was before; no judge is asked."""
        uow.rooms.setdefault(self.owner, self.room)
        taken = uow.record(execution.job_id, execution, Report(TransitionKind.JUDGING_CLAIMED, owner=self.owner))
        if isinstance(taken, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, taken.code, taken.message)
        assert taken.execution is not None
        assert reused.verdict is not None
        said = JobStatusReported(
            execution_id=execution.execution_id,
            job_id=execution.job_id,
            kind=ReportKind.VERDICT,
            attempt=max(1, execution.attempt),
            lease=taken.execution.lease,
            seq=1,
            code=VERDICT_REUSED,
            message=f"verdict reused of {reused}: {reused.verdict.reason}",
            verdict=reused.verdict,
            reported_at=uow.clock.now,
        )
        RecordReport(said).apply(uow)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, VERDICT_REUSED)

    def _judgeable(self, execution: Execution) -> bool:
        this = (execution.job_id, execution.result_lease) == (self.event.job_id, self.event.lease)
        return this and execution.stage is ExecutionStage.JUDGING and execution.state is not ExecutionState.DONE
