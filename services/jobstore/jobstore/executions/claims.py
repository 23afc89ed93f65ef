"""Commands that claim the lease of an execution, or of a result to be judged, and their answers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from contracts.events import JobStatusReported, ResultProduced
from contracts.judging.policy import name_judging
from contracts.resources import NewJob
from contracts.spending import Budget
from jobstore.access.upstreams import make_forbidden_message
from jobstore.agents.rules import Agents, AgentsWish, Circuits, CircuitsWish
from jobstore.engine.parts import NOTHING, REFUSED, Command, UnitOfWork, Wish, Wishes, optional
from jobstore.errors import InvalidError
from jobstore.executions.commands import RecordReport, RecordResult
from jobstore.executions.requesting import ExecutionRequest, read_for_resubmission, request_execution
from jobstore.executions.rows import (
    Executions,
    ExecutionsWish,
    Grant,
    WorkerRoom,
    Workers,
    find_question,
    read_circuit,
    record,
)
from jobstore.executions.states import decline_offer, renew
from jobstore.jobs.commands import check_creation, create_job, read_for_creation
from jobstore.jobs.model import (
    EXECUTOR,
    UPSTREAM,
    WORKER,
    Actor,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    Reusable,
    TransitionKind,
    budget_of,
    is_same,
)
from jobstore.jobs.rows import Jobs, JobsWish, Question
from jobstore.judging import rules as judging
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish, QueuesWish, Spending, is_held_back
from jobstore.tenants.rules import Tenants
from servicekit.leasing.slots import is_scarce
from signoff.errors import ErrorCode
from signoff.status import FIRST_PROTOCOLS, ReportKind


class ClaimOutcome(StrEnum):
    """The answers to a claim (docs/protocol.md#claims)."""

    GRANTED = "GRANTED"  # the worker has the lease
    QUEUED = "QUEUED"  # not now: the execution is offered again when it can be taken
    DUPLICATE = "DUPLICATE"  # the execution is over, or leased to another worker
    REFUSED = "REFUSED"  # the execution will never run under this id
    INVALID = "INVALID"  # the record itself is wrong: it goes to the dead-letter queue
    DOUBTFUL = "DOUBTFUL"  # the database fails at this claim alone, or has no room for it: it is made again


class JudgingContext(NamedTuple):
    """What checks compare a result with: the job's payload as JSON text, and the hash of the result judged before."""

    payload: str
    previous_result_hash: bytes | None


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The answer to a claim.

    If the outcome is GRANTED, it has `execution`, and for executing `grant`. For judging it has `question`;
    `judge_policy`, a JSON text that is empty for the validator's own settings; `task`, the part of the agent's request
    that judges are shown; and `context` for checks.
    """

    outcome: ClaimOutcome
    code: str = ""
    message: str = ""
    execution: Execution | None = None
    grant: Grant | None = None
    question: Question | None = None
    budget: Budget = field(default_factory=Budget)
    judge_policy: str = ""
    task: str = ""
    context: JudgingContext | None = None
    #: Whose the judge policy is.
    policy_tenant: str = ""


def try_grant(
    uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, room: WorkerRoom, actor: Actor
) -> ClaimAnswer:
    """Grant a lease to a worker that has `room` for more leases, or answer why none is granted.

    A lease that this owner holds already is granted again, since the first answer was lost (rule `regrant-to-owner`).
    """
    budget = budget_of(uow[Jobs].jobs[execution.job_id], execution.policy)
    if execution.state is ExecutionState.LEASED and execution.owner == owner:
        uow[Executions].put(renew(execution, owner, uow.clock))
        return _grant(uow, execution, budget)
    if execution.state is ExecutionState.LEASED:
        return ClaimAnswer(ClaimOutcome.DUPLICATE)
    if used_up := budget.used_up:
        return _stop_over_budget(uow, execution, used_up)
    if (waiting := _find_reason_to_wait(uow, execution, kind, owner, room)) is not None:
        return waiting
    decision = record(uow, execution.job_id, execution, Report(kind, owner=owner, actor=actor))
    if isinstance(decision, Refusal):
        return ClaimAnswer(ClaimOutcome.DUPLICATE, decision.code, decision.message)
    assert decision.execution is not None
    uow[Workers].take_room(owner)
    return _grant(uow, decision.execution, budget)


def _grant(uow: UnitOfWork, execution: Execution, budget: Budget) -> ClaimAnswer:
    if execution.stage is ExecutionStage.EXECUTING:
        grant = uow[Executions].grants[execution.execution_id]
        return ClaimAnswer(ClaimOutcome.GRANTED, execution=execution, grant=grant, budget=budget)
    judge_policy, task = find_judge_policy(uow, execution), uow[Jobs].tasks.get(execution.job_id)
    return ClaimAnswer(
        ClaimOutcome.GRANTED,
        execution=execution,
        question=find_question(uow, execution),
        budget=budget,
        judge_policy=judge_policy,
        task="" if task is None else judging.format_task(task, judge_policy),
        context=_find_context(uow, execution),
        policy_tenant=_find_policy_tenant(uow, execution),
    )


def find_judge_policy(uow: UnitOfWork, execution: Execution) -> str:
    """Return the loaded judge policy that an execution froze, as JSON text; empty if none is frozen or loaded."""
    version = _find_judge_version(uow, execution)
    return "" if version is None else version.policy_json


def _find_policy_tenant(uow: UnitOfWork, execution: Execution) -> str:
    version = _find_judge_version(uow, execution)
    return "" if version is None else version.tenant


def _find_judge_version(uow: UnitOfWork, execution: Execution) -> judging.Version | None:
    policies = (
        uow[judging.Policies].versions.get(each)
        for each in judging.list_frozen(execution.policy)
        if each.kind is judging.Kind.JUDGE
    )
    return next((version for version in policies if version is not None), None)


def _find_context(uow: UnitOfWork, execution: Execution) -> JudgingContext | None:
    """Return the context of an execution's checks; None if it was not loaded, since no check needs it."""
    history = uow[Agents].histories.get(execution.job_id)
    if history is None or execution.job_id not in uow[Jobs].specs:
        return None
    return JudgingContext(uow[Jobs].specs[execution.job_id].payload, history.result_hash)


def postpone_judging(uow: UnitOfWork, execution: Execution) -> ClaimAnswer | None:
    """Return the answer QUEUED to a claim of a result if versions that its execution froze are missing, else None.

    In a database that was made anew, versions are missing until they are put back under their numbers. The result is
    offered again after a while.
    """
    if execution.state is ExecutionState.LEASED:
        return None
    frozen = list(judging.list_frozen(execution.policy))
    missing = next((each for each in frozen if uow[judging.Policies].versions.get(each) is None), None)
    if missing is None:
        return None
    message = f"the {missing.kind.words} {missing.reference} is not known: put it back under that number"
    return _postpone(uow, execution, missing.kind.unknown, message)


def _postpone(uow: UnitOfWork, execution: Execution, code: str, message: str) -> ClaimAnswer:
    """Queue the execution again for later, and return the answer QUEUED with the code."""
    later = uow.clock.now + timedelta(seconds=uow.clock.offer_again_s)
    uow[Executions].put(decline_offer(execution, later))
    return ClaimAnswer(ClaimOutcome.QUEUED, code, message)


def _find_reason_to_wait(
    uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, room: WorkerRoom
) -> ClaimAnswer | None:
    """Return the answer QUEUED if the worker has no room or the agent's circuit is open, else None.

    The last fifth of the worker's capacity, and room for all open offers, are kept for what the dispatcher offers.
    """
    free, is_offered = uow[Workers].room_of(owner, room), execution.state is ExecutionState.OFFERED
    is_for_offers = kind is TransitionKind.CLAIMED and not is_offered
    if free <= 0 or (is_for_offers and is_scarce(free - uow[Executions].offered, room.capacity)):
        return _answer_queued(uow, execution, ErrorCode.NO_ROOM)
    may_call = uow[Circuits].of(execution).may_call(execution.execution_id, uow.clock.now)
    if kind is TransitionKind.CLAIMED and not may_call:
        return _answer_queued(uow, execution, ErrorCode.CIRCUIT_OPEN, uow[Circuits].describe(execution))
    return None


def _stop_over_budget(uow: UnitOfWork, execution: Execution, used_up: str) -> ClaimAnswer:
    """End an execution whose job's budget is used up, in place of another call, and return the claim's answer."""
    callee = "agent" if execution.stage is ExecutionStage.EXECUTING else "judge"
    message = f"{used_up}, and the {callee} was not called any more"
    report = Report(TransitionKind.OVER_BUDGET, lease=execution.lease, code=ErrorCode.BUDGET_EXHAUSTED, message=message)
    decision = record(uow, execution.job_id, execution, report)
    if isinstance(decision, Refusal):
        return ClaimAnswer(ClaimOutcome.DUPLICATE, decision.code, decision.message)
    return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.BUDGET_EXHAUSTED, message)


def _answer_queued(uow: UnitOfWork, execution: Execution, code: str, message: str | None = None) -> ClaimAnswer:
    """Queue the execution again if it was offered, and return the answer QUEUED with the code."""
    if execution.state is ExecutionState.OFFERED:
        uow[Executions].put(decline_offer(execution, uow.clock.now))
    return ClaimAnswer(ClaimOutcome.QUEUED, code, message or "")


@dataclass(frozen=True, slots=True)
class ClaimExecution(Command[ClaimAnswer]):
    """Claim an execution for an executor that takes `room` more leases, of `capacity` in all (0: not known).

    `protocols` are those by which it calls agents; none: those that every executor knows. An unknown execution id is
    requested first, by `author`, and its job is created from `inline` if the job is new, too. The job must be of one of
    `tenants`, unless this is None. A `replay` changes nothing.
    """

    execution_id: UUID
    job_id: str
    owner: UUID
    room: int
    inline: NewJob | None = None
    replay: bool = False
    not_before: datetime | None = None
    author: Actor = UPSTREAM
    tenants: frozenset[str] | None = None
    capacity: int = 0
    protocols: Sequence[str] = ()
    traceparent: str | None = None

    @property
    def _worker_room(self) -> WorkerRoom:
        return WorkerRoom(ExecutionStage.EXECUTING, self.room, self.capacity, protocols=self.protocols)

    @property
    def _needs_spec(self) -> bool:
        return self.inline is not None or self.tenants is not None

    def locks(self) -> Wishes:
        job_ids, execution_ids = frozenset({self.job_id}), frozenset({self.execution_id})
        if self.replay:
            return (JobsWish(locked=job_ids), ExecutionsWish(locked=execution_ids))
        return (
            LimitsWish(lock=LimitsLock.SHARED),
            JobsWish(locked=job_ids, specs=job_ids if self._needs_spec else frozenset()),
            ExecutionsWish(locked=execution_ids, grants=execution_ids),
        )

    def reads(self, uow: UnitOfWork) -> Wishes:
        execution = uow[Executions].executions.get(self.execution_id)
        if self.replay:
            return NOTHING
        if execution is None:
            return self._read_for_admission(uow)
        circuit = read_circuit(uow, self.execution_id)
        is_reusing = execution.reuse_key is not None and execution.state is not ExecutionState.DONE
        return (judging.ReuseWish(results=frozenset({self.execution_id})), *circuit) if is_reusing else circuit

    def _read_for_admission(self, uow: UnitOfWork) -> Wishes:
        """Return the wishes of a request for a new execution, whose job is known or comes with the record."""
        job, inline = uow[Jobs].jobs.get(self.job_id), self.inline
        if job is not None:
            called, spec = optional(job.agent_id), uow[Jobs].specs.get(self.job_id)
            if spec is None:
                return (JobsWish(specs=frozenset({self.job_id})), AgentsWish(read=called))
            return (AgentsWish(read=called), QueuesWish(tenants=frozenset({spec.tenant})), CircuitsWish(agents=called))
        if inline is None:
            return (ExecutionsWish(wrong_records=True),)
        agent_id, agents = inline.agent_id, uow[Agents]
        is_read = agent_id in agents.unknown or agent_id in agents.agents
        if agent_id is not None and is_read and not agents.has_usable(agent_id, inline.tenant):
            return (*read_for_creation(inline, self.job_id), ExecutionsWish(wrong_records=True))
        tenants, names_policy = uow[Tenants], any(judging.list_wanted(inline.policy))  # a version that may not exist
        may_be_wrong = names_policy or tenants.refuses(inline.tenant, self.job_id)
        called = optional(inline.agent_id) or frozenset(uow[Agents].candidates)
        return (
            *read_for_creation(inline, self.job_id),
            ExecutionsWish(wrong_records=may_be_wrong),
            QueuesWish(tenants=optional(tenants.find(inline.tenant))),
            CircuitsWish(agents=called),
        )

    def decide(self, uow: UnitOfWork) -> ClaimAnswer:
        execution = uow[Executions].executions.get(self.execution_id)
        if self.tenants is not None and not self._names_own_job(
            uow, self.tenants
        ):  # nothing is kept: it proves nothing
            message = make_forbidden_message(self.author, self.tenants, self.job_id)
            return ClaimAnswer(ClaimOutcome.INVALID, ErrorCode.FORBIDDEN_TENANT, message)
        if (refused := self._find_conflict(uow, execution)) is not None:
            return refused
        if self.replay:
            return self._answer_replay(execution)
        spec = uow[Jobs].specs.get(self.job_id)
        if self.inline is not None and spec is not None and not is_same(spec, self.inline):
            return self._refuse(uow, Refusal(ErrorCode.JOB_CONFLICT, f"another job has the id {self.job_id}"))
        if execution is None:
            return self._admit(uow)
        return self._claim(uow, execution)

    def _find_conflict(self, uow: UnitOfWork, execution: Execution | None) -> ClaimAnswer | None:
        """Return the answer to a claim that names a removed job, or another one than its execution; else None."""
        if execution is not None and execution.job_id not in {self.job_id, ""}:
            return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.EXECUTION_CONFLICT, "the execution id is another job's")
        if self.job_id in uow[Jobs].removed:
            return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.JOB_REMOVED, f"the job {self.job_id} was removed")
        return None

    def _names_own_job(self, uow: UnitOfWork, tenants: frozenset[str]) -> bool:
        if (owner := uow[Jobs].removed.get(self.job_id)) is not None:
            return owner in tenants
        named = uow[Jobs].specs.get(self.job_id) or self.inline
        return named is not None and not tenants.isdisjoint({named.tenant, uow[Tenants].find(named.tenant)})

    def _answer_replay(self, execution: Execution | None) -> ClaimAnswer:
        """Return the answer to a replayed record by the row, and change nothing (rule `replays-admit-nothing`)."""
        if execution is None:
            return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.REPLAYED, "a replayed record admits nothing")
        if execution.state is ExecutionState.DONE:
            return self._answer_concluded(execution)
        is_waiting = execution.stage is ExecutionStage.EXECUTING and execution.state is not ExecutionState.LEASED
        return ClaimAnswer(ClaimOutcome.QUEUED if is_waiting else ClaimOutcome.DUPLICATE, ErrorCode.REPLAYED)

    def _admit(self, uow: UnitOfWork) -> ClaimAnswer:
        """Request an execution that is not known yet, claim it, and return the claim's answer.

        While a storage is full its record waits: it is read again until there is room, and nothing is kept of it.
        """
        if uow.full is not None:
            return ClaimAnswer(ClaimOutcome.DOUBTFUL, ErrorCode.STORAGE_FULL, uow.full)
        if self.job_id not in uow[Jobs].jobs:
            if self.inline is None:
                return self._reject(uow, ErrorCode.UNKNOWN_JOB, f"no job has the id {self.job_id}")
            try:
                check_creation(uow, self.inline, self.job_id)
            except InvalidError as error:
                return self._reject(uow, error.code, str(error))
            create_job(uow, self.inline, self.job_id, self.author)
        parameters = ExecutionRequest(not_before=self.not_before, traceparent=self.traceparent)
        decision = request_execution(uow, self.job_id, self.execution_id, self.author, parameters)
        if isinstance(decision, Refusal):
            return self._refuse(uow, decision)
        admitted = uow[Executions].executions[self.execution_id]
        if admitted.reuse_key is not None:
            # Reusable results are looked up for stored executions. The next claim, after an offer, finds this one's.
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.REUSABLE)
        return self._claim(uow, admitted)

    def _reject(self, uow: UnitOfWork, code: str, message: str) -> ClaimAnswer:
        """Answer that the record is wrong, and remember this, so that the record never runs if it is read again."""
        if uow[Executions].wrong_room > 0:
            uow[Executions].remember(self.job_id, self.execution_id, REFUSED + code)
            uow[Executions].wrong_room -= 1
        return ClaimAnswer(ClaimOutcome.INVALID, code, message)

    def _refuse(self, uow: UnitOfWork, refusal: Refusal) -> ClaimAnswer:
        if self.execution_id not in uow[Executions].executions:
            uow[Executions].keep_answer(self.job_id, self.execution_id, REFUSED + refusal.code, self.author)
        return ClaimAnswer(ClaimOutcome.REFUSED, refusal.code, refusal.message)

    def _answer_concluded(self, execution: Execution) -> ClaimAnswer:
        answer = execution.answer or ""
        code = answer.removeprefix(REFUSED)
        if execution.is_wrong_record:
            causes: dict[str, str] = {ErrorCode.UNKNOWN_JOB: f"no job had the id {self.job_id}"}
            if self.inline is not None and self.inline.agent_id:
                causes[ErrorCode.UNKNOWN_AGENT] = f"no agent had the id {self.inline.agent_id}"
            cause = causes.get(code, f"it was refused ({code})")
            message = f"{cause} when this execution was first asked for; to ask anew: signoff dlq redrive"
            return ClaimAnswer(ClaimOutcome.INVALID, code, message)
        if answer.startswith(REFUSED):
            return ClaimAnswer(ClaimOutcome.REFUSED, code, "the execution id was refused before")
        return ClaimAnswer(ClaimOutcome.DUPLICATE, answer)

    def _claim(self, uow: UnitOfWork, execution: Execution) -> ClaimAnswer:
        if execution.state is ExecutionState.DONE:
            uow[Executions].settle_answer(execution, self.author)
            return self._answer_concluded(execution)
        if execution.stage is ExecutionStage.JUDGING:
            return ClaimAnswer(ClaimOutcome.DUPLICATE)
        is_queued = execution.state is ExecutionState.QUEUED
        if is_queued and execution.due_at is not None and execution.due_at > uow.clock.now:
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.NOT_DUE)
        if is_queued and is_held_back(execution.tenant, execution.flow, uow[Limits].names):
            # Limits are counted only where work is offered: the dispatcher offers this one in its turn.
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.LIMITED)
        reused = uow[judging.Reuse].results.get(execution.execution_id)
        if reused is not None and execution.state is not ExecutionState.LEASED:
            return self._reuse_result(uow, execution, reused)
        return self._find_uncallable(uow, execution) or try_grant(
            uow, execution, TransitionKind.CLAIMED, self.owner, self._worker_room, self.actor
        )

    def _find_uncallable(self, uow: UnitOfWork, execution: Execution) -> ClaimAnswer | None:
        """Return the answer QUEUED if this executor cannot call the agent as was frozen, else None."""
        if execution.state is ExecutionState.LEASED:
            return None
        grant, code = uow[Executions].grants[execution.execution_id], ErrorCode.PROTOCOL_NOT_CALLED
        if grant.protocol not in (self.protocols or FIRST_PROTOCOLS):
            message = f"this executor does not call agents by {grant.protocol}: start executors that do"
        elif execution.follows_only and not self.protocols:  # rule `follow-never-send`
            message = "this executor would send work that is only to be followed: start executors of this release"
        elif grant.signing is not None and not self.protocols:  # rule `never-unsigned`
            message = "this executor would call the agent unsigned: start executors of this release"
        elif execution.settings_hash is not None and not grant.settings:
            code = ErrorCode.SETTINGS_UNKNOWN
            message = f"the settings that it froze are not known: save the agent {execution.agent_id} with them again"
        else:
            return None
        return _postpone(uow, execution, code, message)

    def _reuse_result(self, uow: UnitOfWork, execution: Execution, reused: Reusable) -> ClaimAnswer:
        """Record the claim and, as its result, the result of an earlier call (`reused`); no agent is called."""
        uow[Workers].room_of(self.owner, self._worker_room)
        claim = Report(
            TransitionKind.CLAIMED, owner=self.owner, code=ErrorCode.RESULT_REUSED, reused=reused, actor=self.actor
        )
        claimed = record(uow, execution.job_id, execution, claim)
        if isinstance(claimed, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, claimed.code, claimed.message)
        assert claimed.execution is not None
        result = Report(
            TransitionKind.RESULT,
            lease=claimed.execution.lease,
            code=ErrorCode.RESULT_REUSED,
            message=f"result reused of {reused}",
            result_hash=reused.result_hash,
            reused=reused,
            actor=self.actor,
        )
        record(uow, execution.job_id, claimed.execution, result)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, ErrorCode.RESULT_REUSED)


@dataclass(frozen=True, slots=True)
class ClaimJudging(Command[ClaimAnswer]):
    """Claim a result for a validator: record the result, unless it is recorded already, and lease it.

    `judge` identifies the judge and its settings if its verdicts may be reused. `size` is the record's, in bytes.
    """

    event: ResultProduced
    owner: UUID
    room: int
    size: int = 0
    judge: str = ""

    def locks(self) -> Wishes:
        job_ids, execution_ids = frozenset({self.event.job_id}), frozenset({self.event.execution_id})
        job = JobsWish(locked=job_ids, questions=job_ids, tasks=job_ids)
        if not self.judge:
            return (job, ExecutionsWish(locked=execution_ids))
        # A verdict that is reused may request the next submission.
        return (LimitsWish(lock=LimitsLock.SHARED), job, ExecutionsWish(locked=execution_ids, followed=execution_ids))

    def reads(self, uow: UnitOfWork) -> Wishes:
        execution_id, job_ids = self.event.execution_id, frozenset({self.event.job_id})
        execution = uow[Executions].executions.get(execution_id)
        if execution is None:
            return NOTHING
        wishes: list[Wish] = [*read_circuit(uow, execution_id), *uow[Spending].read_for(execution.tenant)]
        wishes.append(judging.PoliciesWish(references=frozenset(judging.list_frozen(execution.policy))))
        wishes.append(judging.ReuseWish(verdicts=frozenset(self._find_keys(uow) or ())))
        if self._needs_context(uow):
            wishes += (JobsWish(specs=job_ids), AgentsWish(histories=job_ids))
        if self._shows_feedback(uow):
            wishes.append(JobsWish(feedback=frozenset({execution_id})))
        reused = self._find_reusable(uow)
        if reused is not None and reused.verdict is not None and not reused.verdict.is_valid:
            wishes += read_for_resubmission(uow, execution_id)
        return wishes

    def _needs_context(self, uow: UnitOfWork) -> bool:
        """Return whether the verdict depends on more than the result, so that no earlier verdict may be reused."""
        execution = uow[Executions].executions.get(self.event.execution_id)
        question = None if execution is None else find_question(uow, execution)
        if execution is None or question is None:
            return False
        if judging.needs_context(question.acceptance_criteria):
            return True
        return judging.loop_needs_context(find_judge_policy(uow, execution), execution.submission)

    def _shows_feedback(self, uow: UnitOfWork) -> bool:
        """Return whether judges are shown the feedback that the agent was sent; if so, the feedback must be read."""
        execution = uow[Executions].executions.get(self.event.execution_id)
        if execution is None or execution.job_id not in uow[Jobs].tasks:
            return False
        return "feedback" in judging.list_members(find_judge_policy(uow, execution))

    def _find_keys(self, uow: UnitOfWork) -> tuple[bytes, bytes] | None:
        """Return the keys of a verdict to reuse for this result, and of one that overrules it; None: reuse none."""
        execution = uow[Executions].executions.stored.get(self.event.execution_id)
        question = uow[Jobs].questions.get(self.event.job_id)
        if not self.judge or execution is None or execution.state is ExecutionState.DONE:
            return None
        if question is None or execution.job_id != self.event.job_id:
            return None
        if (execution.policy or {}).get("reuse_verdict") is False:
            return None
        policies = (each.reference for each in judging.list_frozen(execution.policy) if each.kind is judging.Kind.JUDGE)
        judge = name_judging(self.judge, next(policies, None))
        asked = judging.Asked(self.event.result_hash, execution.task_hash, *question)
        return judging.verdict_key(asked, judge, execution.policy), judging.rejudged_key(asked, execution.policy)

    def _find_reusable(self, uow: UnitOfWork) -> Reusable | None:
        """Return the loaded verdict that may be reused for this result; None if there is none."""
        keys = self._find_keys(uow) if uow[judging.Reuse].verdicts else None
        if keys is None:
            return None
        found, rejudged = map(uow[judging.Reuse].verdicts.get, keys)
        if found is None or found.verdict is None or judging.is_overruled(found, rejudged) or self._needs_context(uow):
            return None
        submission = uow[Executions].executions[self.event.execution_id].submission
        return found if judging.may_reuse(found.verdict, submission) else None

    def decide(self, uow: UnitOfWork) -> ClaimAnswer:
        refusal = RecordResult(self.event, actor=EXECUTOR).decide(uow)
        execution = uow[Executions].executions.get(self.event.execution_id)
        if execution is None or not self._can_be_judged(execution):
            code = refusal.code if refusal else ErrorCode.CONCLUDED
            return ClaimAnswer(ClaimOutcome.DUPLICATE, code)
        if (waiting := postpone_judging(uow, execution)) is not None:
            return waiting
        reused = self._find_reusable(uow)
        if reused is not None and execution.state is not ExecutionState.LEASED:
            return self._reuse_verdict(uow, execution, reused)
        if execution.state is not ExecutionState.LEASED and uow[Spending].is_used_up(execution.tenant):
            uow[Executions].put(
                decline_offer(execution, uow.clock.now)
            )  # the dispatcher offers it once it may be judged
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.LIMITED)
        room = WorkerRoom(execution.stage, self.room)
        return try_grant(uow, execution, TransitionKind.JUDGING_CLAIMED, self.owner, room, self.actor)

    def _reuse_verdict(self, uow: UnitOfWork, execution: Execution, reused: Reusable) -> ClaimAnswer:
        """Record the claim and, as its verdict, an earlier verdict on an identical result; no judge is asked."""
        uow[Workers].room_of(self.owner, WorkerRoom(execution.stage, self.room))
        claimed = record(uow, execution.job_id, execution, Report(TransitionKind.JUDGING_CLAIMED, owner=self.owner))
        if isinstance(claimed, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, claimed.code, claimed.message)
        assert claimed.execution is not None
        assert reused.verdict is not None
        verdict = reused.verdict
        if verdict.submission is not None:
            submissions = (execution.policy or {}).get("max_submissions")
            verdict = verdict.model_copy(update={"submission": execution.submission, "submissions": submissions})
        report = JobStatusReported(
            execution_id=execution.execution_id,
            job_id=execution.job_id,
            kind=ReportKind.VERDICT,
            attempt=max(1, execution.attempt),
            lease=claimed.execution.lease,
            seq=1,
            code=ErrorCode.VERDICT_REUSED,
            message=f"verdict reused of {reused}: {verdict.reason}",
            verdict=verdict,
            reported_at=uow.clock.now,
        )
        RecordReport(report, actor=WORKER).decide(uow)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, ErrorCode.VERDICT_REUSED)

    def _can_be_judged(self, execution: Execution) -> bool:
        is_its_result = (execution.job_id, execution.result_lease) == (self.event.job_id, self.event.lease)
        # An executor may have published two results under one lease: the recorded one is judged.
        is_its_result = is_its_result and execution.result_hash in {None, self.event.result_hash}
        is_live = execution.state is not ExecutionState.DONE
        return is_its_result and is_live and execution.stage is ExecutionStage.JUDGING
