"""Answer claims: grant a lease, or say why none is granted. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from contracts.spending import Budget
from jobstore.agents.rows import Agents, Circuits
from jobstore.engine.parts import UnitOfWork
from jobstore.executions.rows import Executions, Grant, WorkerRoom, Workers, find_question, record
from jobstore.executions.states import decline_offer, renew
from jobstore.jobs.model import (
    Actor,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    TransitionKind,
    budget_of,
)
from jobstore.jobs.rows import Jobs, Question
from jobstore.judging.rows import Policies
from jobstore.judging.rules import Kind, format_task, list_frozen
from servicekit.leasing.slots import is_scarce
from signoff.errors import ErrorCode
from signoff.status import Circuit


class ClaimOutcome(StrEnum):
    """The answers to a claim (docs/protocol.md#claims)."""

    GRANTED = "GRANTED"  # the worker has the lease
    QUEUED = "QUEUED"  # not now: the execution is offered again when it can be taken
    DUPLICATE = "DUPLICATE"  # the execution is over, or leased to another worker
    REFUSED = "REFUSED"  # the execution will never run under this id
    INVALID = "INVALID"  # the record itself is wrong: it goes to the dead-letter queue
    DOUBTFUL = "DOUBTFUL"  # the database fails at this claim alone: it is made again


class JudgingContext(NamedTuple):
    """What checks look at beside a result: the job's payload as JSON text, and the hash of the result judged last."""

    payload: str
    previous_result_hash: bytes | None


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """The answer to a claim.

    If GRANTED, `execution` is set, and `grant` if the lease is for executing, `question` if it is for judging; then
    `judge_policy` is JSON text, empty for the validator's own settings, `task` what it shows its judges of what the
    agent was asked, and `context` what checks look at.
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


def describe_open_circuit(uow: UnitOfWork, execution: Execution) -> str | None:
    """Return why an execution waits for its agent's circuit, or None if the circuit is closed."""
    circuit = uow[Circuits].of(execution).circuit_at(uow.clock.now)
    if circuit is Circuit.CLOSED:
        return None
    return f"the circuit of agent {execution.agent_id} is {circuit.replace('_', ' ').lower()}"


def try_grant(
    uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, said: WorkerRoom, actor: Actor
) -> ClaimAnswer:
    """Grant a lease to a worker, which has said for how many more it has room, or answer why not.

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
    if (waiting := _find_reason_to_wait(uow, execution, kind, owner, said)) is not None:
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
        task="" if task is None else format_task(task, judge_policy),
        context=_find_context(uow, execution),
    )


def find_judge_policy(uow: UnitOfWork, execution: Execution) -> str:
    """Return the judge policy that an execution froze, as JSON text, if it is loaded; empty: it froze none."""
    policies = (uow[Policies].versions.get(each) for each in list_frozen(execution.policy) if each.kind is Kind.JUDGE)
    return next((version.policy_json for version in policies if version is not None), "")


def _find_context(uow: UnitOfWork, execution: Execution) -> JudgingContext | None:
    """Return what the checks of an execution look at, if it was loaded: only where one of them does."""
    history = uow[Agents].histories.get(execution.job_id)
    if history is None or execution.job_id not in uow[Jobs].specs:
        return None
    return JudgingContext(uow[Jobs].specs[execution.job_id].payload, history.result_hash)


def postpone_judging(uow: UnitOfWork, execution: Execution) -> ClaimAnswer | None:
    """Return the answer QUEUED to a claim of a result that cannot be judged by what was frozen with it, else None.

    Where a database was made anew, that is so until the versions are put back under their numbers. The result is
    offered again after a while.
    """
    if execution.state is ExecutionState.LEASED:
        return None
    frozen = list(list_frozen(execution.policy))
    missing = next((each for each in frozen if uow[Policies].versions.get(each) is None), None)
    if missing is None:
        return None
    message = f"the {missing.kind.words} {missing.reference} is not known: put it back under that number"
    later = uow.clock.now + timedelta(seconds=uow.clock.offer_again_s)
    uow[Executions].put(decline_offer(execution, later))
    return ClaimAnswer(ClaimOutcome.QUEUED, missing.kind.unknown, message)


def _find_reason_to_wait(
    uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, said: WorkerRoom
) -> ClaimAnswer | None:
    """Return the answer QUEUED if the worker has no room or the agent's circuit is open, else None.

    The last fifth of its capacity, and as much as is offered already, are for what the dispatcher offers.
    """
    free, is_offered = uow[Workers].room_of(owner, said), execution.state is ExecutionState.OFFERED
    is_for_offers = kind is TransitionKind.CLAIMED and not is_offered
    if free <= 0 or (is_for_offers and is_scarce(free - uow[Executions].offered, said.capacity)):
        return _answer_queued(uow, execution, ErrorCode.NO_ROOM)
    may_call = uow[Circuits].of(execution).may_call(execution.execution_id, uow.clock.now)
    if kind is TransitionKind.CLAIMED and not may_call:
        return _answer_queued(uow, execution, ErrorCode.CIRCUIT_OPEN, describe_open_circuit(uow, execution))
    return None


def _stop_over_budget(uow: UnitOfWork, execution: Execution, used_up: str) -> ClaimAnswer:
    """End an execution whose job's budget is used up, instead of another call."""
    callee = "agent" if execution.stage is ExecutionStage.EXECUTING else "judge"
    message = f"{used_up}, and the {callee} was not called any more"
    report = Report(TransitionKind.OVER_BUDGET, lease=execution.lease, code=ErrorCode.BUDGET_EXHAUSTED, message=message)
    decision = record(uow, execution.job_id, execution, report)
    if isinstance(decision, Refusal):
        return ClaimAnswer(ClaimOutcome.DUPLICATE, decision.code, decision.message)
    return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.BUDGET_EXHAUSTED, message)


def _answer_queued(uow: UnitOfWork, execution: Execution, code: str, message: str | None = None) -> ClaimAnswer:
    """Queue the execution again if it was offered, and answer QUEUED."""
    if execution.state is ExecutionState.OFFERED:
        uow[Executions].put(decline_offer(execution, uow.clock.now))
    return ClaimAnswer(ClaimOutcome.QUEUED, code, message or "")
