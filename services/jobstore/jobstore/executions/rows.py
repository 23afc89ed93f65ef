"""Hold executions and the room of workers in a transaction, and record reports on them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from jobstore.agents.rules import Circuits, CircuitsWish
from jobstore.engine.parts import NOTHING, REFUSED, Overlay, Part, UnitOfWork, Wish, Wishes, optional, overlay
from jobstore.executions import states
from jobstore.executions.states import Openings
from jobstore.jobs.model import (
    DEFAULT_TENANT,
    VALIDATOR,
    Actor,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    Reusable,
    TransitionKind,
)
from jobstore.jobs.rows import Jobs, Question
from jobstore.jobs.transitions import REJUDGED, decide, is_verdict
from jobstore.judging.rules import (
    Asked,
    Kind,
    Policies,
    Reuse,
    Wanted,
    join_criteria,
    needs_context,
    rejudged_key,
    verdict_key,
)
from jobstore.limits.rules import Spending, Starts
from jobstore.tasks.rules import Tasks, is_left
from signoff.errors import ErrorCode

#: The answer of an execution that the last entry of its removed job names, and that has no row: its id stays taken.
REMOVED = f"{REFUSED}{ErrorCode.JOB_REMOVED}"
#: An execution as gRPC shows it: the fields of contracts.resources.Execution.
ExecutionView: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionsWish(Wish):
    """Executions to lock (`locked`, and the live ones of locked jobs), and those whose next one is locked (`followed`).

    `grants`: executions whose grant is read. `offers`: whether executions may be offered with their requests.
    `early_cancels`, `wrong_records`: whether to count how many more of these may be remembered.
    """

    locked: frozenset[UUID] = frozenset()
    followed: frozenset[UUID] = frozenset()
    grants: frozenset[UUID] = frozenset()
    offers: bool = False
    early_cancels: bool = False
    wrong_records: bool = False

    def name(self) -> dict[str, str]:
        """Return the id of an execution that this wish locks, as a field of a log line, by name; {} if it has none."""
        return {"execution_id": str(min(self.locked))} if self.locked else {}


class Grant(NamedTuple):
    """An agent's call: its body as JSON text, references to its headers, and how many characters a judge takes.

    `settings` are those that the execution froze, as JSON text; `signing` refers to the secrets that sign the call.
    Headers and secrets are of `agent_tenant` alone.
    """

    request: str
    protocol: str
    url: str
    headers: Mapping[str, str]
    judged_max_chars: int | None = None
    settings: str = ""
    signing: str | None = None
    agent_tenant: str = DEFAULT_TENANT


class ForgottenAnswer(NamedTuple):
    """A remembered answer that is deleted, and the actor who asked to delete it."""

    answer: str
    actor: Actor


@dataclass(eq=False, slots=True)
class Executions(Part):
    """The executions of a transaction by id, and the rows that are needed to grant and to request executions."""

    executions: Overlay[UUID, Execution] = field(default_factory=overlay)
    #: The calls of agents, by execution, also of one that this transaction requests.
    grants: dict[UUID, Grant] = field(default_factory=dict)
    judged_max_chars: int | None = None  # the least that a validator takes, loaded for grants
    #: The count of executions that are offered and not claimed yet, loaded for grants.
    offered: int = 0
    #: The room for executions that are offered as they are requested: none, unless a command wishes it.
    openings: Openings = field(default_factory=Openings)
    #: For how many more unknown executions a cancel, or why the record was wrong, may be remembered.
    cancel_room: int = 0
    wrong_room: int = 0
    #: Executions that were never requested and have their final answer now, with the actor who asked.
    final_answers: dict[UUID, Actor] = field(default_factory=dict)
    #: Remembered answers whose rows are deleted.
    forgotten: dict[UUID, ForgottenAnswer] = field(default_factory=dict)

    def put(self, execution: Execution) -> None:
        """Replace or add an execution."""
        self.executions[execution.execution_id] = execution

    def keep_answer(self, job_id: str | None, execution_id: UUID, answer: str, actor: Actor) -> None:
        """Keep the final answer of an execution id that is never requested (rule `keep-answers`)."""
        self.put(states.make_answer(execution_id, job_id, self._find_tenant(job_id), answer))
        self.final_answers[execution_id] = actor

    def remember(
        self, job_id: str | None, execution_id: UUID, answer: str, limited_to: frozenset[str] | None = None
    ) -> None:
        """Remember for a time the answer to an execution id that was not requested, by whom is `limited_to` tenants."""
        tenant = self._find_tenant(job_id, limited_to)
        self.put(states.make_remembered(execution_id, job_id, tenant, answer, self.uow.clock.now))

    def _find_tenant(self, job_id: str | None, limited_to: frozenset[str] | None = None) -> str:
        """Return the tenant of a job or, if that is not known, one of the tenants of who asks."""
        spec = self.uow[Jobs].specs.get(job_id or "")
        return min(limited_to or (DEFAULT_TENANT,)) if spec is None else spec.tenant

    def forget_answer(self, execution: Execution, actor: Actor) -> None:
        """Delete the remembered answer of an execution: from then on its id is unknown."""
        self.forgotten[execution.execution_id] = ForgottenAnswer(execution.answer or "", actor)

    def settle_answer(self, execution: Execution, actor: Actor) -> None:
        """If an execution that is requested now was cancelled before, keep the cancel as its final answer."""
        if execution.is_early_cancel:
            self.put(states.keep_for_good(execution))
            self.final_answers[execution.execution_id] = actor

    def show(self, execution_id: UUID) -> ExecutionView:
        """Return an execution as gRPC shows it, without its end and cost, which the log of its job has."""
        execution = self.executions[execution_id]
        return states.show(execution, execution.created_at or self.uow.clock.now)

    def find_next_timeout(self) -> datetime | None:
        """Return when the first of the changed executions is out of time; None if none ever is."""
        written = self.executions.changes.values()
        return min(filter(None, (e.fails_at for e in written if e.state is not ExecutionState.DONE)), default=None)

    def find_offered(self) -> list[Execution]:
        """Return the executions that were offered with their requests, and are to be published."""
        offered = (ExecutionStage.EXECUTING, ExecutionState.OFFERED)
        return [each for each in self.executions.changes.values() if (each.stage, each.state) == offered]


class WorkerRoom(NamedTuple):
    """How many more leases of a stage a worker takes (`room`), of how many in all (`capacity`; 0: not known here).

    `protocols` are those by which an executor calls agents, if it names any.
    """

    stage: ExecutionStage
    room: int
    capacity: int = 0
    #: The report of the worker on itself, as JSON, if it has sent one.
    report: str | None = None
    protocols: Sequence[str] = ()


@dataclass(eq=False, slots=True)
class Workers(Part):
    """How many more leases each worker that claims in this transaction takes, by its owner id."""

    rooms: dict[UUID, WorkerRoom] = field(default_factory=dict)

    def room_of(self, owner: UUID, reported: WorkerRoom) -> int:
        """Return how many more leases a worker takes: what it reported, less what this transaction has granted."""
        return self.rooms.setdefault(owner, reported).room

    def take_room(self, owner: UUID) -> None:
        """Count a lease that was granted to a worker, so that the worker takes one less."""
        before = self.rooms[owner]
        self.rooms[owner] = before._replace(room=before.room - 1)


def record(uow: UnitOfWork, job_id: str, execution: Execution | None, report: Report) -> Decision | Refusal:
    """Decide on a report; apply the decision to the transaction's rows, or keep the refusal for the log; return it."""
    jobs = uow[Jobs]
    job = jobs.jobs[job_id]
    decision = decide(job, execution, report, uow.clock)
    if isinstance(decision, Refusal):
        return jobs.refuse(job_id, report, decision, None if execution is None else execution.execution_id)
    jobs.recorded_counts[report.kind] += 1
    if decision.job is not job:
        jobs.jobs[job_id] = decision.job
    if decision.execution is not None:
        uow[Executions].put(decision.execution)
    if decision.entry is not None:
        jobs.entries.append(decision.entry)
    if execution is not None and is_left(execution, decision.execution, report.kind, report.code):
        uow[Tasks].stop_work(execution)
    if execution is not None:
        _keep_reusable(uow, decision, execution, report)
        _count_cost(uow, execution, report)
        if is_verdict(report.kind, report.code):
            uow[Policies].count(execution, report)
    if execution is not None and execution.stage is ExecutionStage.EXECUTING and report.reused is None:
        uow[Circuits].update(execution, report)
        if report.kind is TransitionKind.CLAIMED:
            uow[Starts].count(execution)
    return decision


def _count_cost(uow: UnitOfWork, execution: Execution, report: Report) -> None:
    """Add the cost of a call or a judging to what the tenant spends; FinishJudging adds that of judging again."""
    if report.code == REJUDGED:
        return
    if report.actor == VALIDATOR:
        uow[Spending].add(execution.tenant, judges_nanos=report.cost_nanos)
    else:
        uow[Spending].add(execution.tenant, agents_nanos=report.cost_nanos)


def read_circuit(uow: UnitOfWork, execution_id: UUID) -> Wishes:
    """Return the wish for the circuit of an execution's agent; nothing if no circuit is stored."""
    execution = uow[Executions].executions.get(execution_id) if uow[Circuits].are_stored else None
    return NOTHING if execution is None else (CircuitsWish(agents=optional(execution.agent_id)),)


def find_question(uow: UnitOfWork, execution: Execution) -> Question | None:
    """Return the question that an execution's result is judged by, with the criteria of the set that it froze, if any.

    None: the job or the set is not known.
    """
    question, policy = uow[Jobs].questions.get(execution.job_id), execution.policy or {}
    if question is None or (reference := policy.get("criteria_set")) is None:
        return question
    if (version := uow[Policies].versions.get(Wanted(Kind.CRITERIA, str(reference)))) is None:
        return None
    return question._replace(acceptance_criteria=join_criteria(question.acceptance_criteria, version.body))


def _keep_reusable(uow: UnitOfWork, decision: Decision, execution: Execution, report: Report) -> None:
    """Keep the entry of a deterministic agent's own result, or of a judge's own verdict, for reuse."""
    entry, after = Reusable(decision.job.id, decision.job.version), decision.execution
    is_own_result = (
        report.kind is TransitionKind.RESULT
        and report.reused is None
        and after is not None
        and after.state is not ExecutionState.DONE
    )
    if is_own_result and execution.reuse_key is not None:
        uow[Reuse].new_results[execution.reuse_key] = entry
    if report.judge and execution.result_hash is not None and uow.terms.reuse.verdict_age_s:
        own, judged_by = uow[Jobs].questions[execution.job_id], find_question(uow, execution)
        assert judged_by is not None  # else the verdict was refused
        if not needs_context(judged_by.acceptance_criteria):
            asked = Asked(execution.result_hash, execution.task_hash, *own)
            key = verdict_key(asked, report.judge, execution.policy)
            uow[Reuse].new_verdicts[key] = entry


def overrule_verdicts(uow: UnitOfWork, execution: Execution, version: int) -> None:
    """Keep older verdicts from being reused for the result of an execution, which was judged again.

    `version` is that of the log entry that holds the new verdict.
    """
    assert execution.result_hash is not None  # only results are judged again
    own = uow[Jobs].questions[execution.job_id]
    key = rejudged_key(Asked(execution.result_hash, execution.task_hash, *own), execution.policy)
    uow[Reuse].new_verdicts[key] = Reusable(execution.job_id, version)
