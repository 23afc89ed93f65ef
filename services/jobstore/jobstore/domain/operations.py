"""Operations: the items that one is made of, and from which state it may move to which. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.resources import OperationState
from jobstore.domain.model import Refusal

#: The states in which an operation may be paused, resumed and cancelled.
_SOURCES: Final[Mapping[OperationState, frozenset[OperationState]]] = {
    OperationState.PAUSED: frozenset({OperationState.RUNNING}),
    OperationState.RUNNING: frozenset({OperationState.PAUSED}),
    OperationState.CANCELLING: frozenset({OperationState.RUNNING, OperationState.PAUSED}),
}
#: What stays as it is where it is asked for again.
_REPEATS: Final = {(OperationState.CANCELLING, OperationState.CANCELLED)} | {(state, state) for state in _SOURCES}
#: What becomes of an operation that has ended.
_ENDS: Final[Mapping[OperationState, OperationState]] = {
    OperationState.RUNNING: OperationState.DONE,
    OperationState.PAUSED: OperationState.DONE,
    OperationState.CANCELLING: OperationState.CANCELLED,
}
#: The states of what has ended.
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` is the new job as JSON text, None where the job exists."""

    item: int
    job_id: str
    spec: str | None = None


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to an item: an execution, or the code and message of a refusal."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


def move(state: OperationState, to: OperationState) -> OperationState | Refusal | None:
    """Return the state after a pause, a resumption or a cancel; None if it is asked for again."""
    if state in _SOURCES[to]:
        return to
    return None if (to, state) in _REPEATS else Refusal("operation_ended", f"the batch is {state}")


def end(state: OperationState, *, is_unfinished: bool) -> OperationState | None:
    """Return the state of an operation that has ended; None if it has not, or had already.

    It is unfinished while an item has no answer, or an execution of it is live.
    """
    return None if is_unfinished else _ENDS.get(state)
