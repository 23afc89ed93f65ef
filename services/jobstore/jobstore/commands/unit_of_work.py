"""What one transaction has locked, and what it will write: decisions are made on it, without I/O."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from contracts.resources import Agent, Policy
from contracts.status import JobStatus
from jobstore.domain.circuit_breaker import CLOSED, Breaker, BreakerTerms
from jobstore.domain.matching import Candidate
from jobstore.domain.model import (
    Clock,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    LogEntry,
    Refusal,
    Report,
    TransitionKind,
)
from jobstore.domain.reuse import Reusable, ReuseTerms
from jobstore.domain.spec import Spec
from jobstore.domain.transitions import decide

_AFTER_A_VERDICT = frozenset({JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """Which agents had a job since it was assigned by hand, or matched; of the one that has it, the not-met verdicts.

    `result_hash`: of the answer that was judged last.
    """

    agents: frozenset[str] = frozenset()
    not_met: int = 0
    result_hash: bytes | None = None


@dataclass(slots=True)
class UnitOfWork:
    """The locked rows by id, and the changes to them. `specs` and `agents` hold only what was asked for.

    `candidates`: the agents that jobs may be matched to, where any are; `histories`: of jobs submitted again by policy.
    `limits`: the names of all that hold executions back; `may_wait`: how many more executions of a tenant may wait,
    where `capped` says that any queue is, and its is.
    `verdicts` and `results`: what may be reused, by key and by execution; `kept_...`: what may be from now on.
    `troubled`: whether any agent has a circuit that is open, or a failure against it; else no circuit need be locked.
    """

    clock: Clock
    defaults: Policy
    breaker_terms: BreakerTerms
    troubled: bool = False
    limits: Collection[str] = frozenset()
    capped: bool = False
    may_wait: dict[str, int] = field(default_factory=dict)
    reuse: ReuseTerms = field(default_factory=ReuseTerms)
    verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    results: dict[UUID, Reusable] = field(default_factory=dict)
    kept_results: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    kept_verdicts: list[tuple[str, int, bytes, str]] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    executions: dict[UUID, Execution] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    histories: dict[str, AgentHistory] = field(default_factory=dict)
    circuits: dict[str, Breaker] = field(default_factory=dict)
    stored_circuits: Mapping[str, Breaker] = field(default_factory=dict)
    moved_circuits: list[tuple[str, Breaker]] = field(default_factory=list)
    rooms: dict[UUID, int] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)
    refusals: list[tuple[str | None, Report, Refusal]] = field(default_factory=list)
    new_jobs: set[str] = field(default_factory=set)
    changed_jobs: set[str] = field(default_factory=set)
    payloads: dict[str, str] = field(default_factory=dict)
    edited: set[str] = field(default_factory=set)
    new_executions: set[UUID] = field(default_factory=set)
    changed_executions: set[UUID] = field(default_factory=set)
    recorded: defaultdict[TransitionKind, int] = field(default_factory=lambda: defaultdict(int))

    def record(self, job_id: str, execution: Execution | None, report: Report) -> Decision | Refusal:
        """Decide, and take over what was decided."""
        decision = decide(self.jobs[job_id], execution, report, self.clock)
        if isinstance(decision, Refusal):
            self.refusals.append((job_id, report, decision))
            return decision
        self.recorded[report.kind] += 1
        if decision.job is not self.jobs[job_id]:
            self.jobs[job_id] = decision.job
            self.changed_jobs.add(job_id)
        if decision.execution is not None:
            self.put(decision.execution)
        if decision.entry is not None:
            self.entries.append(decision.entry)
        if execution is not None:
            self._keep(decision, execution, report)
        if execution is not None and execution.stage is ExecutionStage.EXECUTING and report.reused is None:
            self._learn(execution, report)
        return decision

    def _keep(self, decision: Decision, execution: Execution, report: Report) -> None:
        """What may be reused: a result that came for a request to a deterministic agent, a judge's own verdict."""
        at, after = (decision.job.id, decision.job.version), decision.execution
        is_new = (
            report.kind is TransitionKind.RESULT
            and report.reused is None
            and after is not None
            and after.state is not ExecutionState.DONE
        )
        if is_new and execution.reuse_key is not None:
            self.kept_results[execution.reuse_key] = at
        if report.judge and execution.result_hash is not None and self.reuse.verdict_age_s:
            self.kept_verdicts.append((*at, execution.result_hash, report.judge))

    def breaker(self, execution: Execution) -> Breaker:
        """The breaker of the agent that is called for an execution."""
        return self.circuits.get(execution.agent_id or "", CLOSED)

    def _learn(self, execution: Execution, report: Report) -> None:
        """What a call tells of its agent."""
        before = self.breaker(execution)
        after, now = before, self.clock.now
        if report.kind is TransitionKind.CLAIMED:
            after = before.granted(execution.execution_id, now)
        elif report.answered is not None:
            after = CLOSED if report.answered else before.failed(execution.execution_id, now, self.breaker_terms)
        if after is before or execution.agent_id is None:
            return
        self.circuits[execution.agent_id] = after
        if after.open_until != before.open_until:
            self.moved_circuits.append((execution.agent_id, after))

    def put(self, execution: Execution) -> None:
        """Take over an execution as it stands now."""
        known = execution.execution_id in self.executions
        if not known:
            self.new_executions.add(execution.execution_id)
        elif execution.execution_id not in self.new_executions:
            self.changed_executions.add(execution.execution_id)
        self.executions[execution.execution_id] = execution

    def refuse(self, job_id: str | None, execution_id: UUID, code: str) -> None:
        """Keep the answer that an execution id was given, so that it is never another one."""
        self.put(Execution(execution_id, job_id or "", state=ExecutionState.DONE, answer=code))

    def written(self) -> None:
        """Forget the changes: they stand in the database now."""
        self.entries.clear()
        self.payloads.clear()
        self.edited.clear()
        for changes in (self.new_jobs, self.changed_jobs, self.new_executions, self.changed_executions):
            changes.clear()
        self.stored_circuits = {i: breaker for i, breaker in self.circuits.items() if breaker != CLOSED}

    def queue_again(self, execution: Execution) -> None:
        """What was offered and cannot be taken goes back, to be offered where there is room."""
        self.put(replace(execution, state=ExecutionState.QUEUED, due_at=self.clock.now))

    def view(self, job_id: str) -> dict[str, Any]:
        """The job as its doors show it: the fields of contracts' Job, with the payload as JSON text."""
        job, spec = self.jobs[job_id], self.specs[job_id]
        changed = job_id in self.changed_jobs
        return {
            "id": job.id,
            "title": spec.title,
            "description": spec.description,
            "acceptance_criteria": spec.acceptance_criteria,
            "payload": spec.payload,
            "status": job.status,
            "version": job.version,
            "agent_id": job.agent_id,
            "execution_id": job.execution_id,
            "submission": max(1, job.not_met + (job.status not in _AFTER_A_VERDICT)),
            "priority": spec.priority,
            "tenant": spec.tenant,
            "labels": dict(spec.labels),
            "policy": spec.policy,
            "progress": job.progress,
            "progress_message": job.progress_message,
            "capabilities": list(spec.capabilities),
            "not_before": spec.not_before,
            "batch_id": job.batch_id,
            "spent_usd": job.spent_usd,
            "spent_tokens": job.spent_tokens,
            "live": job.live,
            "created_at": spec.created_at,
            "updated_at": self.clock.now if changed else spec.updated_at,
        }


def new_id() -> str:
    """An id for a job or an agent whose creator chose none."""
    return str(uuid4())
