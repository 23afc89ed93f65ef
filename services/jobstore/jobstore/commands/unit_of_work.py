"""The unit of work: what one transaction has locked, and what it will write. Pure: commands decide on it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from contracts.resources import Agent, Policy
from contracts.sizes import PAYLOAD_MAX_BYTES, measure_job
from contracts.status import JobStatus
from jobstore.domain.circuit_breaker import CLOSED, Breaker, BreakerTerms
from jobstore.domain.ids import IdKey
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
from jobstore.errors import check_size

#: How long a cancel waits for its execution: as long as the topics of both keep a record.
CANCEL_REMEMBERED: Final = timedelta(days=7)
#: The answer of an execution that was cancelled.
CANCELLED: Final = "cancelled"
#: While a job rests after a verdict, its submission is the one that was judged, not the next.
_AFTER_A_VERDICT = frozenset({JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """The agents that a job has had since it was assigned by hand or matched.

    `not_met` counts verdicts on the present agent; `result_hash` is of the result that was judged last.
    """

    agents: frozenset[str] = frozenset()
    not_met: int = 0
    result_hash: bytes | None = None


class Question(NamedTuple):
    """By what a job's result is judged: frozen while an execution is live, since nothing can be edited then."""

    title: str
    acceptance_criteria: str
    tenant: str


class JudgedResult(NamedTuple):
    """A verdict that may be reused: the log entry that holds it, the hash of the result, and who judged it."""

    entry: Reusable
    result_hash: bytes
    judge: str


@dataclass(slots=True)
class UnitOfWork:
    """The rows that a transaction has locked or loaded, by id, and the changes that it will write.

    First the terms, then what was read (`jobs`, `executions` and `circuits` hold changed rows, too), then the changes.
    Rows that no command of the transaction needs are not loaded.
    """

    ids: IdKey
    clock: Clock
    default_policy: Policy
    breaker_terms: BreakerTerms
    reuse_terms: ReuseTerms = field(default_factory=ReuseTerms)
    job_max_bytes: int = PAYLOAD_MAX_BYTES

    jobs: dict[str, Job] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    executions: dict[UUID, Execution] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    #: The agents that a job of this transaction may be matched to.
    candidates: dict[str, Candidate] = field(default_factory=dict)
    #: Of jobs that may be submitted again by policy.
    histories: dict[str, AgentHistory] = field(default_factory=dict)
    #: Whether any agent has a stored circuit. If not, all are closed and none need be locked.
    has_circuits: bool = False
    circuits: dict[str, Breaker] = field(default_factory=dict)
    stored_circuits: Mapping[str, Breaker] = field(default_factory=dict)
    #: The names of all limits that hold executions back.
    limit_names: Collection[str] = frozenset()
    #: Whether any limit caps a queue; then, how many more executions of each capped tenant may wait.
    has_queue_caps: bool = False
    queue_room: dict[str, int] = field(default_factory=dict)
    #: How many more cancels of unknown executions may be remembered.
    cancel_room: int = 0
    #: Of jobs whose results are to be judged, or are judged by this transaction.
    questions: dict[str, Question] = field(default_factory=dict)
    #: What may be reused: verdicts by `verdict_key`, results by the execution that may reuse them.
    reusable_verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    reusable_results: dict[UUID, Reusable] = field(default_factory=dict)

    new_jobs: set[str] = field(default_factory=set)
    changed_jobs: set[str] = field(default_factory=set)
    #: Payloads replaced by an assignment, as JSON text.
    new_payloads: dict[str, str] = field(default_factory=dict)
    edited_jobs: set[str] = field(default_factory=set)
    new_executions: set[UUID] = field(default_factory=set)
    changed_executions: set[UUID] = field(default_factory=set)
    #: Executions of which nothing was requested, and whose answer stands from now on.
    final_answers: set[UUID] = field(default_factory=set)
    log_entries: list[LogEntry] = field(default_factory=list)
    #: What may be reused from now on: results by `result_key`.
    results_to_keep: dict[bytes, Reusable] = field(default_factory=dict)
    verdicts_to_keep: list[JudgedResult] = field(default_factory=list)
    #: How many more leases each worker of this transaction takes.
    room_left: dict[UUID, int] = field(default_factory=dict)
    #: For logs and metrics: decisions by kind, refusals by job, and circuits that opened or closed.
    recorded_counts: defaultdict[TransitionKind, int] = field(default_factory=lambda: defaultdict(int))
    refusals: list[tuple[str | None, Report, Refusal]] = field(default_factory=list)
    circuit_changes: list[tuple[str, Breaker]] = field(default_factory=list)

    def record(self, job_id: str, execution: Execution | None, report: Report) -> Decision | Refusal:
        """Decide on a report, and apply the decision to the rows; keep a refusal for the log."""
        decision = decide(self.jobs[job_id], execution, report, self.clock)
        if isinstance(decision, Refusal):
            self.refusals.append((job_id, report, decision))
            return decision
        self.recorded_counts[report.kind] += 1
        if decision.job is not self.jobs[job_id]:
            self.jobs[job_id] = decision.job
            self.changed_jobs.add(job_id)
        if decision.execution is not None:
            self.put_execution(decision.execution)
        if decision.entry is not None:
            self.log_entries.append(decision.entry)
        if execution is not None:
            self._keep_reusable(decision, execution, report)
        if execution is not None and execution.stage is ExecutionStage.EXECUTING and report.reused is None:
            self._update_circuit(execution, report)
        return decision

    def _keep_reusable(self, decision: Decision, execution: Execution, report: Report) -> None:
        """Keep a deterministic agent's own result, or a judge's own verdict, for reuse."""
        entry, after = Reusable(decision.job.id, decision.job.version), decision.execution
        is_own_result = (
            report.kind is TransitionKind.RESULT
            and report.reused is None
            and after is not None
            and after.state is not ExecutionState.DONE
        )
        if is_own_result and execution.reuse_key is not None:
            self.results_to_keep[execution.reuse_key] = entry
        if report.judge and execution.result_hash is not None and self.reuse_terms.verdict_age_s:
            self.verdicts_to_keep.append(JudgedResult(entry, execution.result_hash, report.judge))

    def breaker_of(self, execution: Execution) -> Breaker:
        """Return the breaker of the agent that is called for an execution."""
        return self.circuits.get(execution.agent_id or "", CLOSED)

    def _update_circuit(self, execution: Execution, report: Report) -> None:
        """Open or close the agent's circuit by what a report says of its calls."""
        before = self.breaker_of(execution)
        after, now = before, self.clock.now
        if report.kind is TransitionKind.CLAIMED:
            after = before.note_grant(execution.execution_id, now)
        elif report.answered is not None:
            after = CLOSED if report.answered else before.note_failure(execution.execution_id, now, self.breaker_terms)
        if after is before or execution.agent_id is None:
            return
        self.circuits[execution.agent_id] = after
        if after.open_until != before.open_until:
            self.circuit_changes.append((execution.agent_id, after))

    def put_execution(self, execution: Execution) -> None:
        """Replace or add an execution, and mark it to be written."""
        if execution.execution_id not in self.executions:
            self.new_executions.add(execution.execution_id)
        elif execution.execution_id not in self.new_executions:
            self.changed_executions.add(execution.execution_id)
        self.executions[execution.execution_id] = execution

    def keep_answer(self, job_id: str | None, execution_id: UUID, answer: str) -> None:
        """Keep the answer of an execution id of which nothing is requested (rule `keep-answers`)."""
        self.put_execution(Execution(execution_id, job_id or "", state=ExecutionState.DONE, answer=answer))
        self.final_answers.add(execution_id)

    def remember_cancel(self, job_id: str | None, execution_id: UUID) -> None:
        """Remember for a time that an execution was cancelled before it came (rule `cancel-before-arrival`)."""
        forgotten_at = self.clock.now + CANCEL_REMEMBERED
        cancelled = Execution(execution_id, job_id or "", state=ExecutionState.DONE, answer=CANCELLED)
        self.put_execution(replace(cancelled, due_at=forgotten_at))
        self.cancel_room -= 1

    def settle_answer(self, execution: Execution) -> None:
        """Keep the answer of an execution id for good once it is asked for, where it was remembered for a time."""
        if execution.is_early_cancel:
            self.put_execution(replace(execution, due_at=None))
            self.final_answers.add(execution.execution_id)

    def clear_written(self) -> None:
        """Clear the changes that were written. What may be reused is written later, and stays."""
        self.log_entries.clear()
        self.new_payloads.clear()
        self.edited_jobs.clear()
        for changes in (
            self.new_jobs,
            self.changed_jobs,
            self.new_executions,
            self.changed_executions,
            self.final_answers,
        ):
            changes.clear()
        self.stored_circuits = {i: breaker for i, breaker in self.circuits.items() if breaker != CLOSED}

    def queue_again(self, execution: Execution) -> None:
        """Queue an execution that was offered and cannot be taken now."""
        self.put_execution(replace(execution, state=ExecutionState.QUEUED, due_at=self.clock.now))

    def check_spec_size(self, spec: Spec) -> None:
        """Raise an InvalidError (`payload_too_large`) if a job would ask for more bytes than the limit allows."""
        check_size(measure_job(spec, spec.payload), self.job_max_bytes)

    def show_job(self, job_id: str) -> dict[str, Any]:
        """Return a job as gRPC shows it: the fields of contracts.resources.Job, with the payload as JSON text."""
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


def generate_id() -> str:
    """Return an id for a job or an agent whose creator chose none."""
    return str(uuid4())
