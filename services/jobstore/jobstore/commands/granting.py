"""Grant a lease, or say why there is none. Pure."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from contracts.spending import Budget
from contracts.status import Circuit
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Execution, ExecutionStage, ExecutionState, Refusal, Report, TransitionKind, budget_of


class ClaimOutcome(StrEnum):
    """Say what becomes of a claim (docs/protocol.md)."""

    GRANTED = "GRANTED"  # the worker has the lease
    QUEUED = "QUEUED"  # not now: it is offered again when it can be taken
    DUPLICATE = "DUPLICATE"  # it is over, or with somebody else
    REFUSED = "REFUSED"  # it cannot be executed, and never will be
    INVALID = "INVALID"  # the record itself is wrong: it belongs among the dead letters


@dataclass(frozen=True, slots=True)
class Grant:
    """Hold what an executor needs to call the agent. `request` is the JSON text of the call's body."""

    request: str
    protocol: str
    url: str


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Answer a claim. `execution` is set where a lease is granted, `grant` where its agent is to be called."""

    outcome: ClaimOutcome
    code: str = ""
    message: str = ""
    execution: Execution | None = None
    grant: Grant | None = None
    budget: Budget = field(default_factory=Budget)


RESULT_REUSED, VERDICT_REUSED, BUDGET_EXHAUSTED = "result_reused", "verdict_reused", "budget_exhausted"


def why_waiting(uow: UnitOfWork, execution: Execution) -> str | None:
    """What holds an execution up besides the workers."""
    circuit = uow.breaker(execution).circuit(uow.clock.now)
    if circuit is Circuit.CLOSED:
        return None
    return f"the circuit of agent {execution.agent_id} is {circuit.replace('_', ' ')}"


def granted(uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, room: int) -> ClaimAnswer:
    """Grant what may be granted: to its owner again, to another only what is free, and not beyond the room."""
    budget = budget_of(uow.jobs[execution.job_id], execution.policy)
    if (
        execution.state is ExecutionState.LEASED and execution.owner == owner
    ):  # its answer was lost; the lease runs anew
        uow.put(replace(execution, due_at=uow.clock.after(uow.clock.lease_s, execution)))
        return ClaimAnswer(ClaimOutcome.GRANTED, execution=execution, budget=budget)
    if execution.state is ExecutionState.LEASED:
        return ClaimAnswer(ClaimOutcome.DUPLICATE)
    if used_up := budget.used_up:
        return _stopped(uow, execution, used_up)
    if (find_obstacle := _hindered(uow, execution, kind, owner, room)) is not None:
        return find_obstacle
    decision = uow.record(execution.job_id, execution, Report(kind, owner=owner))
    if isinstance(decision, Refusal):
        return ClaimAnswer(ClaimOutcome.DUPLICATE, decision.code, decision.message)
    uow.rooms[owner] -= 1
    return ClaimAnswer(ClaimOutcome.GRANTED, execution=decision.execution, budget=budget)


def _hindered(
    uow: UnitOfWork, execution: Execution, kind: TransitionKind, owner: UUID, room: int
) -> ClaimAnswer | None:
    """Why it waits."""
    if uow.rooms.setdefault(owner, room) <= 0:
        return _queued(uow, execution, "no_room")
    admitted = uow.breaker(execution).admits(execution.execution_id, uow.clock.now)
    if kind is TransitionKind.CLAIMED and not admitted:
        return _queued(uow, execution, "circuit_open", why_waiting(uow, execution))
    return None


def _stopped(uow: UnitOfWork, execution: Execution, used_up: str) -> ClaimAnswer:
    """The job's budget is used up: it ends here, instead of another call."""
    whom = "agent" if execution.stage is ExecutionStage.EXECUTING else "judge"
    message = f"{used_up}, and the {whom} was not called any more"
    report = Report(TransitionKind.OVER_BUDGET, lease=execution.lease, code=BUDGET_EXHAUSTED, message=message)
    decision = uow.record(execution.job_id, execution, report)
    if isinstance(decision, Refusal):
        return ClaimAnswer(ClaimOutcome.DUPLICATE, decision.code, decision.message)
    return ClaimAnswer(ClaimOutcome.REFUSED, BUDGET_EXHAUSTED, message)


def _queued(uow: UnitOfWork, execution: Execution, code: str, message: str | None = None) -> ClaimAnswer:
    """It is offered again when it can be taken."""
    if execution.state is ExecutionState.OFFERED:
        uow.queue_again(execution)
    return ClaimAnswer(ClaimOutcome.QUEUED, code, message or "")
