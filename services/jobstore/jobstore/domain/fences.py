"""Whether a token still counts, and which time is over; pure."""

from collections.abc import Mapping
from typing import Final, TypeGuard

from jobstore.domain.model import Clock, Execution, ExecutionStage, ExecutionState, Refusal, Report


def expired_timeout(execution: Execution, clock: Clock) -> tuple[str, str]:
    """Which time is over: how long it waited for what."""
    policy = execution.policy or {}
    if execution.deadline_at is not None and execution.deadline_at <= clock.now:
        where = _WAITING_FOR[execution.stage, execution.state]
        return "deadline_exceeded", f"not done within {policy.get('deadline_s', 0):g} s; it was waiting for {where}"
    if execution.stage is ExecutionStage.JUDGING:
        return "judging_timeout", f"the result was not judged within {policy.get('judging_timeout_s', 0):g} s"
    return "queue_timeout", f"no executor took it within {policy.get('queue_timeout_s', 0):g} s"


_WAITING_FOR: Final[Mapping[tuple[ExecutionStage, ExecutionState], str]] = {
    (ExecutionStage.EXECUTING, ExecutionState.QUEUED): "an executor, or for the time of its next call",
    (ExecutionStage.EXECUTING, ExecutionState.OFFERED): "an executor",
    (ExecutionStage.EXECUTING, ExecutionState.LEASED): "its agent",
    (ExecutionStage.JUDGING, ExecutionState.QUEUED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.OFFERED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.LEASED): "its judge",
}


def is_open(execution: Execution | None, stage: ExecutionStage, clock: Clock) -> TypeGuard[Execution]:
    """Whether somebody may be granted it now."""
    return (
        execution is not None
        and execution.stage is stage
        and execution.state in {ExecutionState.QUEUED, ExecutionState.OFFERED}
        and (execution.deadline_at is None or execution.deadline_at > clock.now)
    )


def is_current(execution: Execution | None, report: Report, stage: ExecutionStage) -> TypeGuard[Execution]:
    """Whether the token still counts: until the next grant, also that of a lapsed lease."""
    return (
        execution is not None
        and execution.state is not ExecutionState.DONE
        and execution.stage is stage
        and execution.lease == report.lease
        and report.lease > (execution.result_lease or 0 if stage is ExecutionStage.JUDGING else 0)
    )


def refuse_fenced() -> Refusal:
    """It counts no more."""
    return Refusal("fenced", "the lease is not the current one, or the execution has moved on")
