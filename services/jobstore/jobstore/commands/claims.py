"""What workers ask and report, and what is noticed of their leases, as values that apply themselves to a ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events import JobStatusReported, ResultProduced
from contracts.jsontext import json_text
from contracts.resources import NewJob
from contracts.status import ReportKind
from jobstore.commands.base import REFUSED, Command
from jobstore.commands.granting import (
    DUPLICATE,
    INVALID,
    QUEUED,
    REFUSAL,
    RESULT_REUSED,
    VERDICT_REUSED,
    Answer,
    granted,
)
from jobstore.commands.reports import RecordReport, RecordResult
from jobstore.commands.resubmission import next_id, sought, submitted_again
from jobstore.commands.unit_of_work import Asked, Ledger
from jobstore.domain.limits import held_back, tenant_limit
from jobstore.domain.model import Execution, Kind, Refusal, Report, Stage, State
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

    def _admits(self, ledger: Ledger) -> bool:
        return self.execution_id not in ledger.executions

    def specs(self, ledger: Ledger) -> Iterable[str]:
        needed = self.job_id in ledger.jobs and (self._admits(ledger) or self.inline is not None)
        return (self.job_id,) if needed else ()

    def agents(self, ledger: Ledger) -> Iterable[str]:
        if not self._admits(ledger):
            return ()
        job = ledger.jobs.get(self.job_id)
        agent_id = job.agent_id if job else self.inline.agent_id if self.inline else None
        return (agent_id,) if agent_id else ()

    def circuits(self, ledger: Ledger) -> Iterable[str]:
        """Also of those agents that a new job may be matched to."""
        matched = self._admits(ledger) and any(self.needs(ledger))
        return ledger.candidates if matched else Command.circuits(self, ledger)

    def apply(self, ledger: Ledger) -> Answer:
        known = ledger.executions.get(self.execution_id)
        if known is not None and known.job_id not in {self.job_id, ""}:
            return Answer(REFUSAL, "execution_conflict", "the execution id is another job's")
        if self.replay:
            return self._replayed(known)
        other = self.inline is not None and self.job_id in ledger.jobs
        if other and ledger.specs[self.job_id].spec_hash != spec_hash(self.inline):  # type: ignore[arg-type]
            return self._refused(ledger, Refusal("job_conflict", f"another job has the id {self.job_id}"))
        if known is None:
            return self._admitted(ledger)
        return self._claimed(ledger, known)

    def _replayed(self, known: Execution | None) -> Answer:
        """What the record would have been answered, had it not been published again; nothing changes."""
        if known is None:
            return Answer(REFUSAL, "replayed", "a replayed record admits nothing")
        if known.state is State.DONE:
            return _concluded(known)
        waiting = known.stage is Stage.EXECUTING and known.state is not State.LEASED
        return Answer(QUEUED if waiting else DUPLICATE, "replayed")

    def _admitted(self, ledger: Ledger) -> Answer:
        if self.job_id not in ledger.jobs:
            if self.inline is None:
                return Answer(INVALID, "unknown_job", f"no job has the id {self.job_id}")
            if self.inline.agent_id and self.inline.agent_id not in ledger.agents:
                return Answer(INVALID, "unknown_agent", f"no agent has the id {self.inline.agent_id}")
            ledger.create(self.inline, self.job_id)
        decision = ledger.request(self.job_id, self.execution_id, Asked(not_before=self.not_before))
        if isinstance(decision, Refusal):
            return self._refused(ledger, decision)
        admitted = ledger.executions[self.execution_id]
        if admitted.reuse_key is not None:
            return Answer(QUEUED, "reusable")  # what it may reuse was not looked up; it is when it is offered
        return self._claimed(ledger, admitted)

    def _refused(self, ledger: Ledger, refusal: Refusal) -> Answer:
        if self.execution_id not in ledger.executions:
            ledger.refuse(self.job_id, self.execution_id, REFUSED + refusal.code)
        return Answer(REFUSAL, refusal.code, refusal.message)

    def _claimed(self, ledger: Ledger, known: Execution) -> Answer:
        if known.state is State.DONE:
            return _concluded(known)
        if known.stage is Stage.JUDGING:
            return Answer(DUPLICATE)
        due = known.due_at is None or known.due_at <= ledger.times.now
        if known.state is State.QUEUED and not due:
            return Answer(QUEUED, "not_due")
        if known.state is State.QUEUED and held_back([tenant_limit(known.tenant), *known.flow], ledger.limits):
            return Answer(QUEUED, "limited")  # limits are counted at one place: where it is offered
        if known.state is not State.LEASED and (reused := ledger.results.get(known.execution_id)) is not None:
            return self._with_result(ledger, known, reused)
        return granted(ledger, known, Kind.CLAIMED, self.owner, self.room)

    def _with_result(self, ledger: Ledger, known: Execution, reused: Reusable) -> Answer:
        """Taken, and at once done with another call's result; no agent is called."""
        ledger.rooms.setdefault(self.owner, self.room)
        told = Report(Kind.CLAIMED, owner=self.owner, code=RESULT_REUSED, reused=reused)
        taken = ledger.record(known.job_id, known, told)
        if isinstance(taken, Refusal):
            return Answer(DUPLICATE, taken.code, taken.message)
        assert taken.execution is not None
        result = Report(
            Kind.RESULT,
            lease=taken.execution.lease,
            code=RESULT_REUSED,
            message=f"result reused of {reused}",
            result_hash=reused.result_hash,
            reused=reused,
        )
        ledger.record(known.job_id, taken.execution, result)
        return Answer(DUPLICATE, RESULT_REUSED)


def _concluded(known: Execution) -> Answer:
    answer = known.answer or ""
    if answer.startswith(REFUSED):
        return Answer(REFUSAL, answer.removeprefix(REFUSED), "the execution id was refused before")
    return Answer(DUPLICATE, answer)


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

    def key(self, ledger: Ledger) -> bytes | None:
        """By which a verdict that may be reused is known; None: none may be."""
        known = ledger.executions.get(self.event.execution_id)
        if not self.judge or known is None or known.state is State.DONE:
            return None
        if (known.policy or {}).get("reuse_verdict") is False:
            return None
        recorded = known.stage is Stage.JUDGING and known.result_hash is not None
        result_hash = known.result_hash if recorded else text_hash(json_text(self.event.result))
        return verdict_key(result_hash or b"", self.event.acceptance_criteria, self.judge)

    def reused(self, ledger: Ledger) -> Reusable | None:
        """The verdict that was found for it."""
        return ledger.verdicts.get(self.key(ledger) or b"") if ledger.verdicts else None

    def _is_not_met(self, ledger: Ledger) -> bool:
        reused = self.reused(ledger)
        return reused is not None and reused.verdict is not None and not reused.verdict.is_valid

    @property
    def next_execution(self) -> UUID | None:
        return next_id(self.event.execution_id) if self.judge else None

    def resubmits(self, ledger: Ledger) -> Iterable[str]:
        return submitted_again(ledger, self.event.execution_id) if self._is_not_met(ledger) else ()

    def needs(self, ledger: Ledger) -> Iterable[str]:
        return sought(ledger, self.event.execution_id) if self._is_not_met(ledger) else ()

    def apply(self, ledger: Ledger) -> Answer:
        refusal = RecordResult(self.event).apply(ledger)
        execution = ledger.executions.get(self.event.execution_id)
        if execution is None or not self._judgeable(execution):
            code = refusal.code if refusal else "concluded"
            return Answer(DUPLICATE, code)
        reused = self.reused(ledger)
        if reused is not None and execution.state is not State.LEASED:
            return self._with_verdict(ledger, execution, reused)
        return granted(ledger, execution, Kind.JUDGING_CLAIMED, self.owner, self.room)

    def _with_verdict(self, ledger: Ledger, execution: Execution, reused: Reusable) -> Answer:
        """Taken, and at once judged as the identical result was before; no judge is asked."""
        ledger.rooms.setdefault(self.owner, self.room)
        taken = ledger.record(execution.job_id, execution, Report(Kind.JUDGING_CLAIMED, owner=self.owner))
        if isinstance(taken, Refusal):
            return Answer(DUPLICATE, taken.code, taken.message)
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
            reported_at=ledger.times.now,
        )
        RecordReport(said).apply(ledger)
        return Answer(DUPLICATE, VERDICT_REUSED)

    def _judgeable(self, execution: Execution) -> bool:
        this = (execution.job_id, execution.result_lease) == (self.event.job_id, self.event.lease)
        return this and execution.stage is Stage.JUDGING and execution.state is not State.DONE
