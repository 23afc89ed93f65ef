"""What a claim is answered, and whether it is granted; without I/O."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from contracts.status import Circuit
from jobstore.commands.unit_of_work import Ledger
from jobstore.domain.model import Execution, Kind, Refusal, Report, Stage, State, budget_of
from servicekit.budget import Budget


@dataclass(frozen=True, slots=True)
class Answer:
    """What a claim is answered."""

    outcome: str
    code: str = ""
    message: str = ""
    execution: Execution | None = None
    grant: Any = None
    budget: Budget = field(default_factory=Budget)


GRANTED, QUEUED, DUPLICATE, REFUSAL, INVALID = "GRANTED", "QUEUED", "DUPLICATE", "REFUSED", "INVALID"
RESULT_REUSED, VERDICT_REUSED, BUDGET_EXHAUSTED = "result_reused", "verdict_reused", "budget_exhausted"


def why_waiting(ledger: Ledger, execution: Execution) -> str | None:
    """What holds an execution up besides the workers."""
    circuit = ledger.breaker(execution).circuit(ledger.times.now)
    if circuit is Circuit.CLOSED:
        return None
    return f"the circuit of agent {execution.agent_id} is {circuit.replace('_', ' ')}"


def granted(ledger: Ledger, execution: Execution, kind: Kind, owner: UUID, room: int) -> Answer:
    """Grant what may be granted: to its owner again, to another only what is free, and not beyond the room."""
    budget = budget_of(ledger.jobs[execution.job_id], execution.policy)
    if execution.state is State.LEASED and execution.owner == owner:  # its answer was lost; the lease runs anew
        ledger.put(replace(execution, due_at=ledger.times.after(ledger.times.lease_s, execution)))
        return Answer(GRANTED, execution=execution, budget=budget)
    if execution.state is State.LEASED:
        return Answer(DUPLICATE)
    if used_up := budget.used_up:
        return _stopped(ledger, execution, used_up)
    if (hindered := _hindered(ledger, execution, kind, owner, room)) is not None:
        return hindered
    decision = ledger.record(execution.job_id, execution, Report(kind, owner=owner))
    if isinstance(decision, Refusal):
        return Answer(DUPLICATE, decision.code, decision.message)
    ledger.rooms[owner] -= 1
    return Answer(GRANTED, execution=decision.execution, budget=budget)


def _hindered(ledger: Ledger, execution: Execution, kind: Kind, owner: UUID, room: int) -> Answer | None:
    """Why it waits."""
    if ledger.rooms.setdefault(owner, room) <= 0:
        return _queued(ledger, execution, "no_room")
    admitted = ledger.breaker(execution).admits(execution.execution_id, ledger.times.now)
    if kind is Kind.CLAIMED and not admitted:
        return _queued(ledger, execution, "circuit_open", why_waiting(ledger, execution))
    return None


def _stopped(ledger: Ledger, execution: Execution, used_up: str) -> Answer:
    """The job's budget is used up: it ends here, instead of another call."""
    whom = "agent" if execution.stage is Stage.EXECUTING else "judge"
    message = f"{used_up}, and the {whom} was not called any more"
    report = Report(Kind.OVER_BUDGET, lease=execution.lease, code=BUDGET_EXHAUSTED, message=message)
    decision = ledger.record(execution.job_id, execution, report)
    if isinstance(decision, Refusal):
        return Answer(DUPLICATE, decision.code, decision.message)
    return Answer(REFUSAL, BUDGET_EXHAUSTED, message)


def _queued(ledger: Ledger, execution: Execution, code: str, message: str | None = None) -> Answer:
    """It is offered again when it can be taken."""
    if execution.state is State.OFFERED:
        ledger.queue_again(execution)
    return Answer(QUEUED, code, message or "")
