"""Fencing and timeouts: whether a lease still counts, and which time limit has passed. Pure."""

from collections.abc import Mapping
from typing import Final, TypeGuard

from jobstore.domain.model import (
    CANCELLED,
    Clock,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    Refusal,
    Report,
    TransitionKind,
)
from signoff.errors import ErrorCode

#: The codes of what a time-out has ended while it was judged.
_TIMEOUTS: Final = frozenset({ErrorCode.DEADLINE_EXCEEDED, ErrorCode.JUDGING_TIMEOUT})
#: What a deadline cut short, by stage and state.
_WAITING_FOR: Final[Mapping[tuple[ExecutionStage, ExecutionState], str]] = {
    (ExecutionStage.EXECUTING, ExecutionState.QUEUED): "an executor, or for the time of its next call",
    (ExecutionStage.EXECUTING, ExecutionState.OFFERED): "an executor",
    (ExecutionStage.EXECUTING, ExecutionState.LEASED): "its agent",
    (ExecutionStage.JUDGING, ExecutionState.QUEUED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.OFFERED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.LEASED): "its judge",
}


def describe_timeout(execution: Execution, clock: Clock) -> tuple[str, str]:
    """Return the code and message of the timeout that has expired."""
    policy = execution.policy or {}
    if execution.deadline_at is not None and execution.deadline_at <= clock.now:
        waiting_for = _WAITING_FOR[execution.stage, execution.state]
        message = f"not done within {policy.get('deadline_s', 0):g} s; it was waiting for {waiting_for}"
        return ErrorCode.DEADLINE_EXCEEDED, message
    if execution.stage is ExecutionStage.JUDGING:
        return ErrorCode.JUDGING_TIMEOUT, f"the result was not judged within {policy.get('judging_timeout_s', 0):g} s"
    return ErrorCode.QUEUE_TIMEOUT, f"no executor took it within {policy.get('queue_timeout_s', 0):g} s"


def is_claimable(execution: Execution | None, stage: ExecutionStage, clock: Clock) -> TypeGuard[Execution]:
    """Return whether a lease of an execution may be granted at this stage, now."""
    return (
        execution is not None
        and execution.stage is stage
        and execution.state in {ExecutionState.QUEUED, ExecutionState.OFFERED}
        and (execution.deadline_at is None or execution.deadline_at > clock.now)
    )


def is_current(execution: Execution | None, report: Report, stage: ExecutionStage) -> TypeGuard[Execution]:
    """Return whether a report's lease still counts at this stage. A lapsed lease does until the next grant."""
    return (
        execution is not None
        and execution.state is not ExecutionState.DONE
        and execution.stage is stage
        and execution.lease == report.lease
        # Rule `judging-lease`: the lease under which the result came was for executing, and gives no verdict.
        and report.lease > (execution.result_lease or 0 if stage is ExecutionStage.JUDGING else 0)
    )


def is_late_result(execution: Execution | None, report: Report) -> TypeGuard[Execution]:
    """Return whether the report is the result of a cancelled execution, which is kept in the log, once."""
    return (
        execution is not None
        and report.kind is TransitionKind.RESULT
        and execution.state is ExecutionState.DONE
        and execution.answer == "cancelled"
        and execution.result_lease is None
        and execution.lease == report.lease
    )


def is_cut_short(execution: Execution | None, job: Job, lease: int) -> TypeGuard[Execution]:
    """Return whether a judging lease ended by a cancel or a time-out, and nobody has said yet what it had spent."""
    if execution is None or (execution.stage, execution.state) != (ExecutionStage.JUDGING, ExecutionState.DONE):
        return False
    is_last = job.execution_id == execution.execution_id
    is_cut = execution.answer == CANCELLED or (is_last and job.code in _TIMEOUTS)
    return is_cut and not execution.seq and execution.lease == lease > (execution.result_lease or 0)


def refuse_fenced() -> Refusal:
    """Return the refusal of a report whose lease no longer counts."""
    return Refusal(ErrorCode.FENCED, "the lease is not the current one, or the execution has moved on")
