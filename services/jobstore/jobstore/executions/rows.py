"""Executions and the room of workers in one transaction, and `record`, which applies a report. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from jobstore.agents.rules import Circuits, CircuitsWish
from jobstore.engine.parts import NOTHING, Overlay, Part, UnitOfWork, Wish, Wishes, optional, overlay
from jobstore.executions import states
from jobstore.executions.states import Openings
from jobstore.jobs.model import (
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
from jobstore.jobs.transitions import decide, is_verdict
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
from jobstore.limits.rules import Starts

#: An execution as gRPC shows it: the fields of contracts.resources.Execution.
ExecutionView: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionsWish(Wish):
    """Executions that are `locked`, with what is live of their jobs; `followed`: the next ones by policy, too.

    What a grant of an execution needs is read for `grants`. `offers`: an execution may be requested, and offered at
    once. `early_cancels` and `wrong_records`: of how many more the answers may be remembered.
    """

    locked: frozenset[UUID] = frozenset()
    followed: frozenset[UUID] = frozenset()
    grants: frozenset[UUID] = frozenset()
    offers: bool = False
    early_cancels: bool = False
    wrong_records: bool = False

    def name(self) -> dict[str, str]:
        """Return the id of the execution that it locks."""
        return {"execution_id": str(min(self.locked))} if self.locked else {}


class Grant(NamedTuple):
    """What an agent is called with: body as JSON text, references to headers, and what its judge takes, if known."""

    request: str
    protocol: str
    url: str
    headers: Mapping[str, str]
    judged_max_chars: int | None = None


class ForgottenAnswer(NamedTuple):
    """An answer that was remembered, and who had it forgotten."""

    answer: str
    actor: Actor


@dataclass(eq=False, slots=True)
class Executions(Part):
    """Executions by id, and what grants and requests need to know."""

    executions: Overlay[UUID, Execution] = field(default_factory=overlay)
    #: What agents are called with, by execution: also for one that this transaction requests.
    grants: dict[UUID, Grant] = field(default_factory=dict)
    judged_max_chars: int | None = None  # the least that a validator is set to take, where anything is granted
    #: Where anything is granted: the executions that were offered and not claimed yet.
    offered: int = 0
    #: Whether executions may be offered as they are requested; none may unless a command asks for it.
    openings: Openings = field(default_factory=Openings)
    #: Of how many more unknown executions the answers may be remembered: cancelled, or why the record was wrong.
    cancel_room: int = 0
    wrong_room: int = 0
    #: Executions of which nothing was requested, and whose answer stands from now on, by who asked.
    final_answers: dict[UUID, Actor] = field(default_factory=dict)
    #: Remembered answers whose rows are deleted.
    forgotten: dict[UUID, ForgottenAnswer] = field(default_factory=dict)

    def put(self, execution: Execution) -> None:
        """Replace or add an execution."""
        self.executions[execution.execution_id] = execution

    def keep_answer(self, job_id: str | None, execution_id: UUID, answer: str, actor: Actor) -> None:
        """Keep the answer of an execution id of which nothing is requested (rule `keep-answers`)."""
        self.put(states.make_answer(execution_id, job_id, answer))
        self.final_answers[execution_id] = actor

    def remember(self, job_id: str | None, execution_id: UUID, answer: str) -> None:
        """Remember for a time the answer of an execution id of which nothing is requested."""
        self.put(states.make_remembered(execution_id, job_id, answer, self.uow.clock.now))

    def forget_answer(self, execution: Execution, actor: Actor) -> None:
        """Forget a remembered answer: from then on nobody knows the id."""
        self.forgotten[execution.execution_id] = ForgottenAnswer(execution.answer or "", actor)

    def settle_answer(self, execution: Execution, actor: Actor) -> None:
        """Keep the answer of an execution id for good once it is asked for, where it was remembered for a time."""
        if execution.is_early_cancel:
            self.put(states.keep_for_good(execution))
            self.final_answers[execution.execution_id] = actor

    def show(self, execution_id: UUID) -> ExecutionView:
        """Return an execution as gRPC shows it, but for how it ended and what it cost, which its job's log tells."""
        execution = self.executions[execution_id]
        return states.show(execution, execution.created_at or self.uow.clock.now)

    def find_next_timeout(self) -> datetime | None:
        """Return when the first of the executions written is out of time; None where none ever is."""
        written = self.executions.changes.values()
        return min(filter(None, (e.fails_at for e in written if e.state is not ExecutionState.DONE)), default=None)

    def find_offered(self) -> list[Execution]:
        """Return the executions that are offered with their requests, and are to be published."""
        offered = (ExecutionStage.EXECUTING, ExecutionState.OFFERED)
        return [each for each in self.executions.changes.values() if (each.stage, each.state) == offered]


class WorkerRoom(NamedTuple):
    """For how many more leases of a stage a worker has room, and of how many; 0: that is not said here."""

    stage: ExecutionStage
    room: int
    capacity: int = 0
    #: What it says of itself, as JSON, where it does.
    report: str | None = None


@dataclass(eq=False, slots=True)
class Workers(Part):
    """How many more leases each worker of this transaction takes, by its owner."""

    rooms: dict[UUID, WorkerRoom] = field(default_factory=dict)

    def room_of(self, owner: UUID, said: WorkerRoom) -> int:
        """Return for how many more leases a worker has room, by what it has said of itself."""
        return self.rooms.setdefault(owner, said).room

    def take_room(self, owner: UUID) -> None:
        """Count a lease that was granted to a worker."""
        said = self.rooms[owner]
        self.rooms[owner] = said._replace(room=said.room - 1)


def record(uow: UnitOfWork, job_id: str, execution: Execution | None, report: Report) -> Decision | Refusal:
    """Decide on a report, and apply the decision to the rows; keep a refusal for the log."""
    jobs = uow[Jobs]
    job = jobs.jobs[job_id]
    decision = decide(job, execution, report, uow.clock)
    if isinstance(decision, Refusal):
        return jobs.refuse(job_id, report, decision)
    jobs.recorded_counts[report.kind] += 1
    if decision.job is not job:
        jobs.jobs[job_id] = decision.job
    if decision.execution is not None:
        uow[Executions].put(decision.execution)
    if decision.entry is not None:
        jobs.entries.append(decision.entry)
    if execution is not None:
        _keep_reusable(uow, decision, execution, report)
        if is_verdict(report.kind, report.code):
            uow[Policies].count(execution, report)
    if execution is not None and execution.stage is ExecutionStage.EXECUTING and report.reused is None:
        uow[Circuits].update(execution, report)
        if report.kind is TransitionKind.CLAIMED:
            uow[Starts].count(execution)
    return decision


def read_circuit(uow: UnitOfWork, execution_id: UUID) -> Wishes:
    """Return the wish for the circuit of the agent that is called for an execution, while any circuit is stored."""
    execution = uow[Executions].executions.get(execution_id) if uow[Circuits].are_stored else None
    return NOTHING if execution is None else (CircuitsWish(agents=optional(execution.agent_id)),)


def find_question(uow: UnitOfWork, execution: Execution) -> Question | None:
    """Return by what a result of an execution is judged, with the criteria of the set that it froze.

    None: neither the job nor the set is known.
    """
    question, policy = uow[Jobs].questions.get(execution.job_id), execution.policy or {}
    if question is None or (reference := policy.get("criteria_set")) is None:
        return question
    if (version := uow[Policies].versions.get(Wanted(Kind.CRITERIA, str(reference)))) is None:
        return None
    return question._replace(acceptance_criteria=join_criteria(question.acceptance_criteria, version.body))


def _keep_reusable(uow: UnitOfWork, decision: Decision, execution: Execution, report: Report) -> None:
    """Keep a deterministic agent's own result, or a judge's own verdict, for reuse."""
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
    """Let no verdict from before be reused for the result of an execution, which was judged again for real.

    `version` is that of the entry which holds the verdict now.
    """
    assert execution.result_hash is not None  # of what has no result nothing is judged again
    own = uow[Jobs].questions[execution.job_id]
    key = rejudged_key(Asked(execution.result_hash, execution.task_hash, *own), execution.policy)
    uow[Reuse].new_verdicts[key] = Reusable(execution.job_id, version)
