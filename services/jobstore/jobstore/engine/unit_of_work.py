"""The unit of work: what one transaction has read, and what it will write. Pure: commands decide on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

from contracts.resources import NewLimit
from contracts.sizes import measure_job
from jobstore.agents.rules import CLOSED, Breaker
from jobstore.engine.rows import (
    AgentChange,
    Changes,
    ForgottenAnswer,
    Grant,
    JudgedCount,
    LimitChange,
    NameMove,
    NewEvaluation,
    NewOperation,
    NewVersion,
    OperationMove,
    Overlay,
    Stored,
    StoredOperation,
    WorkerRoom,
)
from jobstore.errors import check_size
from jobstore.executions import states
from jobstore.jobs.model import (
    Actor,
    Clock,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    ExecutionTerms,
    Job,
    LogEntry,
    Refusal,
    Report,
    RequestKey,
    Said,
    Spec,
    TransitionKind,
)
from jobstore.jobs.transitions import decide, is_verdict
from jobstore.judging.rules import (
    Asked,
    Named,
    Reusable,
    Versions,
    Wanted,
    hash_body,
    list_frozen,
    list_wanted,
    needs_context,
    rejudged_key,
    verdict_key,
)
from jobstore.limits.rules import is_limited, tenant_limit, wildcard
from signoff import types
from signoff.status import JobLogStatus, JobStatus, OperationState
from signoff.types import Agent, Limit

#: A job as gRPC shows it: the fields of contracts.resources.Job, with the payload as JSON text.
JobView: TypeAlias = dict[str, Any]
#: An execution as gRPC shows it: the fields of contracts.resources.Execution.
ExecutionView: TypeAlias = dict[str, object]
#: The states of operations of which nothing is left.
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})
#: While a job rests after a verdict, its submission is the one that was judged, not the next.
_AFTER_A_VERDICT: Final = frozenset({JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})
#: What people see of a job; the rest commands alone read.
_SHOWN_OF_SPEC: Final = [each.name for each in fields(Spec) if each.name != "spec_hash"]
_SHOWN_OF_JOB: Final = [
    each.name for each in fields(Job) if each.name not in {"not_met", "feedback", "not_met_criteria"}
]


@dataclass(slots=True)
class UnitOfWork:
    """Rows as they are after what was decided so far: a change, where there is one, before what is stored.

    What is put into one of the maps is a change; what was read stays as it is in `stored`.
    """

    terms: ExecutionTerms
    stored: Stored
    changes: Changes = field(default_factory=Changes)
    jobs: Overlay[str, Job] = field(init=False)
    specs: Overlay[str, Spec] = field(init=False)
    executions: Overlay[UUID, Execution] = field(init=False)
    circuits: Overlay[str, Breaker] = field(init=False)
    #: What agents are called with, by execution: also for one that this transaction requests.
    grants: Overlay[UUID, Grant] = field(init=False)
    #: What administrators change, as it is after what was decided so far; None: a limit was removed.
    agents: Overlay[str, Agent] = field(init=False)
    limits: Overlay[str, Limit | None] = field(init=False)
    operations: Overlay[UUID, StoredOperation] = field(init=False)
    request_keys: Overlay[UUID, bytes] = field(init=False)
    names: Overlay[Named, Versions] = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Overlay(self.changes.jobs, self.stored.jobs)
        self.specs = Overlay(self.changes.specs, self.stored.specs)
        self.executions = Overlay(self.changes.executions, self.stored.executions)
        self.circuits = Overlay(self.changes.circuits, self.stored.circuits)
        self.grants = Overlay({}, self.stored.grants)
        self.agents = Overlay({}, self.stored.agents)
        self.limits = Overlay({}, dict(self.stored.limits))
        self.operations = Overlay({}, self.stored.operations)
        self.request_keys = Overlay(self.changes.request_keys, self.stored.request_keys)
        self.names = Overlay({}, self.stored.names)

    @property
    def clock(self) -> Clock:
        """The time at which all is decided, read once all rows were locked."""
        return self.stored.clock

    def add_job(self, job: Job, spec: Spec, report: Report) -> None:
        """Add a new job, and the first entry of its log."""
        self.jobs[job.id], self.specs[job.id] = job, spec
        self.changes.recorded_counts[report.kind] += 1
        self.changes.entries.append(LogEntry(job, JobLogStatus(job.status), report, None))

    def record(self, job_id: str, execution: Execution | None, report: Report) -> Decision | Refusal:
        """Decide on a report, and apply the decision to the rows; keep a refusal for the log."""
        job = self.jobs[job_id]
        decision = decide(job, execution, report, self.clock)
        if isinstance(decision, Refusal):
            return self.refuse(job_id, report, decision)
        self.changes.recorded_counts[report.kind] += 1
        if decision.job is not job:
            self.jobs[job_id] = decision.job
        if decision.execution is not None:
            self.put_execution(decision.execution)
        if decision.entry is not None:
            self.changes.entries.append(decision.entry)
        if execution is not None:
            self._keep_reusable(decision, execution, report)
            self._count_judged(execution, report)
        if execution is not None and execution.stage is ExecutionStage.EXECUTING and report.reused is None:
            self._update_circuit(execution, report)
            if report.kind is TransitionKind.CLAIMED and self.stored.has_rates:
                self._count_start(execution)
        return decision

    def find_last_said(self, job_id: str) -> Said | None:
        """Return what the last entry of a job's log says: one of this transaction, or the one that was loaded."""
        own = next((entry.report for entry in reversed(self.changes.entries) if entry.job.id == job_id), None)
        return self.stored.last_entries.get(job_id) if own is None else Said(own.kind, own.message, own.actor)

    def refuse(self, job_id: str | None, report: Report, refusal: Refusal) -> Refusal:
        """Keep a refusal for the log, and return it."""
        self.changes.refusals.append((job_id, report, refusal))
        return refusal

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
            self.changes.results[execution.reuse_key] = entry
        if report.judge and execution.result_hash is not None and self.terms.reuse.verdict_age_s:
            own, judged_by = self.stored.questions[execution.job_id], self.stored.find_question(execution)
            assert judged_by is not None  # else the verdict was refused
            if not needs_context(judged_by.acceptance_criteria):
                asked = Asked(execution.result_hash, execution.task_hash, *own)
                key = verdict_key(asked, report.judge, execution.policy)
                self.changes.verdicts[key] = entry

    def overrule_verdicts(self, execution: Execution, version: int) -> None:
        """Let no verdict from before be reused for the result of an execution, which was judged again for real.

        `version` is that of the entry which holds the verdict now.
        """
        assert execution.result_hash is not None  # of what has no result nothing is judged again
        own = self.stored.questions[execution.job_id]
        key = rejudged_key(Asked(execution.result_hash, execution.task_hash, *own), execution.policy)
        self.changes.verdicts[key] = Reusable(execution.job_id, version)

    def _count_judged(self, execution: Execution, report: Report) -> None:
        """Count a verdict for the versions that it was made by, where any are named."""
        if not is_verdict(report.kind, report.code):
            return
        is_met = report.kind is TransitionKind.MET
        counts = (int(is_met), int(not is_met and not report.is_unjudged), int(report.is_unjudged))
        judged_by = execution.policy or {}
        if report.judge_policy is not None:
            judged_by = {**judged_by, "judge": report.judge_policy or None}
        for kind, reference in list_frozen(judged_by):
            self.changes.judged.append(JudgedCount(kind, reference, *counts, report.cost_nanos, report.tokens))

    def _count_start(self, execution: Execution) -> None:
        """Count that an execution begins, which rates are about, and not that it was offered."""
        for name in (tenant_limit(execution.tenant), *execution.flow):
            if is_limited(name, self.stored.limit_names):
                self.changes.begun[name] += 1

    def breaker_of(self, execution: Execution) -> Breaker:
        """Return the breaker of the agent that is called for an execution."""
        return self.circuits.get(execution.agent_id or "") or CLOSED

    def _update_circuit(self, execution: Execution, report: Report) -> None:
        """Open or close the agent's circuit by what a report says of its calls."""
        before = self.breaker_of(execution)
        after, now = before, self.clock.now
        if report.kind is TransitionKind.CLAIMED:
            after = before.note_grant(execution.execution_id, now)
        elif report.answered:
            after = CLOSED
        elif report.answered is not None:
            after = before.note_failure(execution.execution_id, now, self.terms.breaker)
        if after is before or execution.agent_id is None:
            return
        self.circuits[execution.agent_id] = after
        if after.open_until != before.open_until:
            self.changes.switched_circuits.append((execution.agent_id, after))

    def put_execution(self, execution: Execution) -> None:
        """Replace or add an execution."""
        self.executions[execution.execution_id] = execution

    def keep_answer(self, job_id: str | None, execution_id: UUID, answer: str, actor: Actor) -> None:
        """Keep the answer of an execution id of which nothing is requested (rule `keep-answers`)."""
        self.put_execution(states.make_answer(execution_id, job_id, answer))
        self.changes.final_answers[execution_id] = actor

    def remember(self, job_id: str | None, execution_id: UUID, answer: str) -> None:
        """Remember for a time the answer of an execution id of which nothing is requested."""
        self.put_execution(states.make_remembered(execution_id, job_id, answer, self.clock.now))

    def forget_answer(self, execution: Execution, actor: Actor) -> None:
        """Forget a remembered answer: from then on nobody knows the id."""
        self.changes.forgotten[execution.execution_id] = ForgottenAnswer(execution.answer or "", actor)

    def settle_answer(self, execution: Execution, actor: Actor) -> None:
        """Keep the answer of an execution id for good once it is asked for, where it was remembered for a time."""
        if execution.is_early_cancel:
            self.put_execution(states.keep_for_good(execution))
            self.changes.final_answers[execution.execution_id] = actor

    def room_of(self, owner: UUID, said: WorkerRoom) -> int:
        """Return for how many more leases a worker has room, by what it has said of itself."""
        return self.changes.rooms.setdefault(owner, said).room

    def take_room(self, owner: UUID) -> None:
        """Count a lease that was granted to a worker."""
        said = self.changes.rooms[owner]
        self.changes.rooms[owner] = said._replace(room=said.room - 1)

    def put_agent(self, agent: Agent, actor: Actor) -> None:
        """Add or replace an agent."""
        self.changes.agents.append(AgentChange(agent, actor, is_new=agent.id not in self.agents))
        self.agents[agent.id] = agent

    def change_agent(self, stored: Agent, changes: Mapping[str, object], actor: Actor) -> None:
        """Change an agent, and count that."""
        counted = {"version": stored.version + 1, "updated_at": self.clock.now}
        self.put_agent(stored.model_copy(update={**changes, **counted}), actor)

    def put_limit(self, name: str, new: NewLimit | Limit, actor: Actor) -> Limit:
        """Set a limit, and return it. One that sets nothing is removed."""
        stored, general = self.limits.get(name), self.limits.get(wildcard(name)) if name != wildcard(name) else None
        fields = new.model_dump(include=set(NewLimit.model_fields))
        if not new.paused and not (general is not None and general.paused):
            fields["paused"] = None  # nothing else pauses it, so that this sets nothing
        version = stored.version + 1 if stored else 1
        limit = Limit(**fields, name=name, version=version, updated_at=self.clock.now)
        if all(value is None for field, value in fields.items() if field != "rate_period_s"):
            self.remove_limit(name, actor)
        else:
            self.limits[name] = limit
            self.changes.limits[name] = LimitChange(limit, actor)
        return limit

    def pause_limit(self, name: str, actor: Actor, *, paused: bool) -> Limit:
        """Pause or resume what a name applies to, and return its limit: what it sets besides stays."""
        limit = self.limits.get(name) or NewLimit()
        return self.put_limit(name, limit.model_copy(update={"paused": paused}), actor)

    def remove_limit(self, name: str, actor: Actor) -> bool:
        """Remove a limit. Return False if there is none."""
        if self.limits.get(name) is None:
            return False
        self.limits[name] = None
        self.changes.limits[name] = LimitChange(None, actor)
        return True

    def add_operation(self, new: NewOperation) -> None:
        """Add an operation, which runs at once."""
        self.operations[new.id] = StoredOperation(OperationState.RUNNING, new.spec.kind)
        self.changes.new_operations.append(new)

    def move_operation(self, operation_id: UUID, state: OperationState, said: Mapping[str, str]) -> None:
        """Move an operation to another state, and keep what is said of it."""
        self.operations[operation_id] = self.operations[operation_id]._replace(state=state)
        self.changes.moves.append(OperationMove(operation_id, state, state in ENDED, said))

    def put_version(self, named: Named, version: int, body: str, note: str | None, actor: Actor) -> None:
        """Add a version of a judge policy or a criteria set."""
        known = self.names.get(named) or Versions()
        self.names[named] = replace(known, hashes={**known.hashes, version: hash_body(body)})
        self.changes.new_versions.append(NewVersion(named, version, body, note, actor))

    def move_name(self, named: Named, version: int | None, reason: str | None, actor: Actor) -> None:
        """Make a version the current one of its name; None retires the name."""
        known = self.names[named]
        after = self.names[named] = replace(known, current=version, moves=known.moves + 1)
        self.changes.name_moves.append(NameMove(named, after.moves, version, reason, actor))

    def keep_evaluation(self, evaluation: NewEvaluation) -> None:
        """Keep what an evaluation of a version of a judge policy came to."""
        self.changes.evaluations.append(evaluation)

    def find_request(self, key: RequestKey) -> bytes | None:
        """Return the hash of what was asked for under an idempotency key, None where nothing was."""
        tenant = self._find_tenant(key)
        return None if tenant is None else self.request_keys.get(self.terms.ids.derive_request(key, tenant))

    def keep_request(self, key: RequestKey) -> None:
        """Keep what was asked for under an idempotency key."""
        tenant = self._find_tenant(key)
        assert tenant is not None  # of a job that is not known nothing was made
        self.request_keys[self.terms.ids.derive_request(key, tenant)] = key.body_hash

    def _find_tenant(self, key: RequestKey) -> str | None:
        spec = self.specs.get(key.job_id or "")
        return key.tenant or (spec.tenant if spec else None)

    def list_wanted(self) -> set[Wanted]:
        """Return the versions that the policies name by which a loaded job may be executed, as far as none is known."""
        policies: list[types.Policy] = [spec.policy for spec in self.stored.specs.values()]
        policies += [agent.policy for agent in self.stored.agents.values()]
        if policies:
            policies.append(self.terms.policy)
        return {wanted for policy in policies for wanted in list_wanted(policy)} - self.stored.versions.keys()

    def check_spec_size(self, spec: Spec) -> None:
        """Raise an InvalidError (`payload_too_large`) if a job would ask for more bytes than the limit allows."""
        check_size(measure_job(spec, spec.payload), self.terms.job_max_bytes)

    def show_execution(self, execution_id: UUID) -> ExecutionView:
        """Return an execution as gRPC shows it, but for how it ended and what it cost, which its job's log tells."""
        execution = self.executions[execution_id]
        return states.show(execution, execution.created_at or self.clock.now)

    def show_job(self, job_id: str) -> JobView:
        """Return a job as gRPC shows it."""
        job, spec = self.jobs[job_id], self.specs[job_id]
        changed = job_id in self.changes.jobs
        return {
            **{name: getattr(spec, name) for name in _SHOWN_OF_SPEC},
            **{name: getattr(job, name) for name in _SHOWN_OF_JOB},
            "submission": max(1, job.not_met + (job.status not in _AFTER_A_VERDICT)),
            "updated_at": self.clock.now if changed else spec.updated_at,
        }


def generate_id() -> str:
    """Return an id for a job or an agent whose creator chose none."""
    return str(uuid4())
