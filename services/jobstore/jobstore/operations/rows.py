"""Operations and their items in one transaction. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import Actor
from signoff.status import OperationKind, OperationState

#: The states of operations of which nothing is left.
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsWish(Wish):
    """Operations that are `locked` to be changed.

    `unfinished`: which of these have something left is read; `open_items`: which of these items have no answer.
    """

    locked: frozenset[UUID] = frozenset()
    unfinished: frozenset[UUID] = frozenset()
    open_items: frozenset[tuple[UUID, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` is the new job as JSON text, None where the job exists.

    `execution_id`: the execution that was live as the operation was made, where that matters to its kind.
    """

    item: int
    job_id: str
    spec: str | None = None
    execution_id: UUID | None = None


#: A query of the items of an operation, which is read as they are written. Commands do not look into it.
Snapshot: TypeAlias = object


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to an item: an execution, or the code and message of a refusal."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


class StoredOperation(NamedTuple):
    """The state of an operation, and its kind."""

    state: OperationState
    kind: OperationKind = OperationKind.EXECUTE


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """What an operation is: its kind, its items, or a snapshot of them, and what its kind needs to know besides."""

    kind: OperationKind = OperationKind.EXECUTE
    items: Sequence[Item] = ()
    snapshot: Snapshot | None = None
    name: str | None = None
    retry_of: UUID | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


class NewOperation(NamedTuple):
    """An operation as it is stored first."""

    id: UUID
    actor: Actor
    spec: OperationSpec


class OperationMove(NamedTuple):
    """A new state of an operation, whether it has ended, and what is kept of who asked for it, and why."""

    id: UUID
    state: OperationState
    has_ended: bool
    said: Mapping[str, str]


@dataclass(eq=False, slots=True)
class Operations(Part):
    """Operations by id, and what commands make of them, in the order in which they were asked for."""

    operations: Overlay[UUID, StoredOperation] = field(default_factory=overlay)
    unfinished: Collection[UUID] = frozenset()
    #: Items (operation, number) that have no answer yet.
    open_items: Collection[tuple[UUID, int]] = frozenset()
    new: list[NewOperation] = field(default_factory=list)
    moves: list[OperationMove] = field(default_factory=list)
    answers: defaultdict[UUID, list[ItemAnswer]] = field(default_factory=lambda: defaultdict(list))
    #: In how many seconds the next items of operations have their turn.
    rests_s: dict[UUID, float] = field(default_factory=dict)

    def add(self, new: NewOperation) -> None:
        """Add an operation, which runs at once."""
        self.operations[new.id] = StoredOperation(OperationState.RUNNING, new.spec.kind)
        self.new.append(new)

    def move(self, operation_id: UUID, state: OperationState, said: Mapping[str, str]) -> None:
        """Move an operation to another state, and keep what is said of it."""
        self.operations[operation_id] = self.operations[operation_id]._replace(state=state)
        self.moves.append(OperationMove(operation_id, state, state in ENDED, said))
