"""Whether a token still counts, and which time is over; pure."""

from collections.abc import Mapping
from typing import Final, TypeGuard

from jobstore.domain.model import Execution, Refusal, Report, Stage, State, Times


def overdue(execution: Execution, times: Times) -> tuple[str, str]:
    """Which time is over: how long it waited for what."""
    policy = execution.policy or {}
    if execution.deadline_at is not None and execution.deadline_at <= times.now:
        where = _WAITING_FOR[execution.stage, execution.state]
        return "deadline_exceeded", f"not done within {policy.get('deadline_s', 0):g} s; it was waiting for {where}"
    if execution.stage is Stage.JUDGING:
        return "judging_timeout", f"the result was not judged within {policy.get('judging_timeout_s', 0):g} s"
    return "queue_timeout", f"no executor took it within {policy.get('queue_timeout_s', 0):g} s"


_WAITING_FOR: Final[Mapping[tuple[Stage, State], str]] = {
    (Stage.EXECUTING, State.QUEUED): "an executor, or for the time of its next call",
    (Stage.EXECUTING, State.OFFERED): "an executor",
    (Stage.EXECUTING, State.LEASED): "its agent",
    (Stage.JUDGING, State.QUEUED): "a validator",
    (Stage.JUDGING, State.OFFERED): "a validator",
    (Stage.JUDGING, State.LEASED): "its judge",
}


def is_open(execution: Execution | None, stage: Stage, times: Times) -> TypeGuard[Execution]:
    """Whether somebody may be granted it now."""
    return (
        execution is not None
        and execution.stage is stage
        and execution.state in {State.QUEUED, State.OFFERED}
        and (execution.deadline_at is None or execution.deadline_at > times.now)
    )


def is_current(execution: Execution | None, report: Report, stage: Stage) -> TypeGuard[Execution]:
    """Whether the token still counts: until the next grant, also that of a lapsed lease."""
    return (
        execution is not None
        and execution.state is not State.DONE
        and execution.stage is stage
        and execution.lease == report.lease
        and report.lease > (execution.result_lease or 0 if stage is Stage.JUDGING else 0)
    )


def fenced() -> Refusal:
    """It counts no more."""
    return Refusal("fenced", "the lease is not the current one, or the execution has moved on")
