"""Commands on operations: make, pause, resume, cancel and end one, and answer its items. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from contracts.resources import NAMED_MAX
from jobstore.engine.parts import (
    Command,
    Creation,
    Overlay,
    Part,
    UnitOfWork,
    Wish,
    Wishes,
    WishList,
    overlay,
    raise_refusal,
)
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.jobs.model import Actor, Job, Refusal
from jobstore.jobs.rows import Jobs
from jobstore.judging.rules import Judgings
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish, batch_limit
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import BATCH_KINDS, OperationKind, OperationState

#: Operations whose items make executions, or have results judged.
ADDING_KINDS: Final = frozenset({*BATCH_KINDS, OperationKind.REJUDGE})
#: The final states of operations.
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsWish(Wish):
    """Operations to be `locked` or to be checked for `unfinished` work, and items to be checked for no answer."""

    locked: frozenset[UUID] = frozenset()
    unfinished: frozenset[UUID] = frozenset()
    open_items: frozenset[tuple[UUID, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` is a new job as JSON text, None if the job exists already.

    `execution_id`: the job's execution when the operation was made, if the operation cancels or judges that execution.
    """

    item: int
    job_id: str
    spec: str | None = None
    execution_id: UUID | None = None


#: A query of the items of an operation, which the store runs as it writes them. Commands do not use its contents.
Snapshot: TypeAlias = object


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to the item with a number: an execution, or the code and message of a refusal."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


class StoredOperation(NamedTuple):
    """The state, the kind and the tenant of a stored operation."""

    state: OperationState
    kind: OperationKind = OperationKind.EXECUTE
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """An operation as requested: its kind, its items, or the query of its items (`snapshot`), and its parameters."""

    kind: OperationKind = OperationKind.EXECUTE
    items: Sequence[Item] = ()
    snapshot: Snapshot | None = None
    name: str | None = None
    retry_of: UUID | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    #: Of all its jobs; None: they are of several.
    tenant: str | None = None


class NewOperation(NamedTuple):
    """A new operation, and the actor that asked for it, with the tenants whose jobs it is for; None: those of all."""

    id: UUID
    actor: Actor
    spec: OperationSpec
    tenants: frozenset[str] | None = None


class OperationMove(NamedTuple):
    """A new state of an operation, whether that state is final, and the actor and reason of the change (`about`)."""

    id: UUID
    state: OperationState
    has_ended: bool
    about: Mapping[str, str]


@dataclass(eq=False, slots=True)
class Operations(Part):
    """The operations of a transaction by id, and their changes, in the order of the commands."""

    operations: Overlay[UUID, StoredOperation] = field(default_factory=overlay)
    unfinished: Collection[UUID] = frozenset()
    #: Items (operation, number) that have no answer yet.
    open_items: Collection[tuple[UUID, int]] = frozenset()
    new: list[NewOperation] = field(default_factory=list)
    moves: list[OperationMove] = field(default_factory=list)
    answers: defaultdict[UUID, list[ItemAnswer]] = field(default_factory=lambda: defaultdict(list))
    #: Ended ones that are removed, with who removes them.
    removed: dict[UUID, Actor] = field(default_factory=dict)
    #: In how many seconds a worker may carry out the next items of an operation.
    rests_s: dict[UUID, float] = field(default_factory=dict)

    def is_foreign(self, asked: WishList, tenants: frozenset[str]) -> bool:
        """Return whether a command locks an operation that is not of these tenants."""
        found = (self.operations.get(operation_id) for operation_id in asked[OperationsWish].locked)
        return any(operation is not None and operation.tenant not in tenants for operation in found)

    def add(self, new: NewOperation) -> None:
        """Add an operation, which is RUNNING from its beginning."""
        self.operations[new.id] = StoredOperation(OperationState.RUNNING, new.spec.kind, new.spec.tenant)
        self.new.append(new)

    def move(self, operation_id: UUID, state: OperationState, about: Mapping[str, str]) -> None:
        """Move an operation to another state; `about` has the actor and the reason of the move."""
        self.operations[operation_id] = self.operations[operation_id]._replace(state=state)
        self.moves.append(OperationMove(operation_id, state, state in ENDED, about))


#: How many jobs a request may name or give, and how many a filter may match.
BATCH_MAX: Final = NAMED_MAX
ITEMS_MAX: Final = 100_000
_S = OperationState
#: The states from which an operation may be moved to each state.
_SOURCES: Final[Mapping[OperationState, frozenset[OperationState]]] = {
    _S.PAUSED: frozenset({_S.RUNNING}),
    _S.RUNNING: frozenset({_S.PAUSED}),
    _S.CANCELLING: frozenset({_S.RUNNING, _S.PAUSED}),
}
#: The final state of an operation that has nothing left to do, by its state.
_ENDS: Final[Mapping[OperationState, OperationState]] = {
    _S.RUNNING: _S.DONE,
    _S.PAUSED: _S.DONE,
    _S.CANCELLING: _S.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class CreateOperation(Creation[None]):
    """Make an operation with all its items, or raise `obstacle` if given; do nothing if the operation exists.

    InvalidError (`batch_too_large`): the operation has more than BATCH_MAX items.
    """

    operation_id: UUID
    spec: OperationSpec
    obstacle: PermanentError | None = None

    @property
    def adds_work(self) -> bool:
        return self.spec.kind in ADDING_KINDS

    @property
    def size(self) -> int:
        return sum(len(item.spec or "") for item in self.spec.items)

    def locks(self) -> Wishes:
        return (OperationsWish(locked=frozenset({self.operation_id})),)

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.operation_id in uow[Operations].operations

    def show(self, uow: UnitOfWork) -> None:
        """Return nothing: the caller reads the operation with its progress."""

    def decide(self, uow: UnitOfWork) -> None:
        if self.is_made(uow):
            return
        check_batch_size(len(self.spec.items))
        if self.obstacle is not None:
            raise self.obstacle
        uow[Operations].add(NewOperation(self.operation_id, self.actor, self.spec, self.limited_to))


def check_batch_size(size: int) -> None:
    """Raise InvalidError (`batch_too_large`) if `size`, the number of jobs in a batch, is above BATCH_MAX."""
    if size > BATCH_MAX:
        raise InvalidError(f"{BATCH_MAX} jobs at most may be named at once", code=ErrorCode.BATCH_TOO_LARGE)


@dataclass(frozen=True, slots=True)
class MoveOperation(Command[None]):
    """Pause, resume or cancel an operation; do nothing if it has the state `to`. Items of a paused operation wait.

    A cancelled operation ends at once, unless its kind executes jobs: then live executions are cancelled first. Items
    that were not carried out get no answer, since the operation's state is theirs.

    `reason` is that of a cancel. NotFoundError (`unknown_batch`). RefusedError (`operation_ended`): it cannot move.
    """

    operation_id: UUID
    to: OperationState
    reason: str = ""

    def locks(self) -> Wishes:
        return (
            LimitsWish(lock=LimitsLock.EXCLUSIVE, named=frozenset({batch_limit(self.operation_id)})),
            OperationsWish(locked=frozenset({self.operation_id})),
        )

    def decide(self, uow: UnitOfWork) -> None:
        state, kind, _ = _require_operation(uow, self.operation_id)
        if state not in _SOURCES[self.to]:
            if state is self.to or (self.to, state) == (OperationState.CANCELLING, OperationState.CANCELLED):
                return
            raise RefusedError(f"the batch is {state}", code=ErrorCode.OPERATION_ENDED)
        to, name = self.to, batch_limit(self.operation_id)
        if to is OperationState.CANCELLING:
            uow[Judgings].cancelled.append(self.operation_id)
            to = to if kind in BATCH_KINDS else OperationState.CANCELLED
        if to in {OperationState.PAUSED, OperationState.CANCELLING}:
            uow[Limits].pause(name, self.actor, paused=True)
        else:
            uow[Limits].remove(name, self.actor)
        about = {"actor": self.actor} | ({"reason": self.reason} if self.reason else {})
        uow[Operations].move(self.operation_id, to, about)


@dataclass(frozen=True, slots=True)
class AnswerItems(Command[None]):
    """Store the first answer to each of these items, and end the claim on the operation after `rest_s` seconds."""

    operation_id: UUID
    answers: Sequence[ItemAnswer]
    rest_s: float

    def locks(self) -> Wishes:
        return (OperationsWish(locked=frozenset({self.operation_id})),)

    def decide(self, uow: UnitOfWork) -> None:
        uow[Operations].answers[self.operation_id] += self.answers
        uow[Operations].rests_s[self.operation_id] = self.rest_s


@dataclass(frozen=True, slots=True)
class CarryOutItem(Command[None]):
    """Run the command of an item and store the item's answer in one transaction, so that the item is carried out once.

    Do nothing if the item has an answer, or its operation is not RUNNING. `guard` returns the refusal of a job that has
    moved on since the operation was made. The operation's next items may be carried out after `rest_s` seconds.
    `command` is limited to the tenants that the operation is for.
    """

    operation_id: UUID
    item: Item
    command: Command[object]
    execution_id: UUID | None = None
    guard: Callable[[Job], Refusal | None] | None = None
    rest_s: float = 0.0

    @property
    def size(self) -> int:
        return self.command.size

    def locks(self) -> Wishes:
        return (*self.command.locks(), OperationsWish(locked=frozenset({self.operation_id})))

    def reads(self, uow: UnitOfWork) -> Wishes:
        item = OperationsWish(open_items=frozenset({(self.operation_id, self.item.item)}))
        return (*self.command.reads(uow), item)

    def decide(self, uow: UnitOfWork) -> None:
        operation = uow[Operations].operations.get(self.operation_id)
        is_open = (self.operation_id, self.item.item) in uow[Operations].open_items
        if operation is not None and operation.state is OperationState.RUNNING and is_open:
            uow[Operations].answers[self.operation_id].append(self._answer(uow))
            uow[Operations].rests_s[self.operation_id] = self.rest_s

    def _answer(self, uow: UnitOfWork) -> ItemAnswer:
        try:
            shown = uow.show_to(self.command)
            if self.guard is not None:
                raise_refusal(self.guard(shown[Jobs].require(self.item.job_id)))
            self.command.decide(shown)
        except PermanentError as error:
            return ItemAnswer(self.item.item, None, error.code, str(error))
        return ItemAnswer(self.item.item, self.execution_id)


@dataclass(frozen=True, slots=True)
class EndOperation(Command[None]):
    """End an operation that has nothing left to do, as DONE or CANCELLED, and remove its limit.

    The limit applies to no execution any more, so that the lock of limits is not needed.
    """

    operation_id: UUID

    def locks(self) -> Wishes:
        name = batch_limit(self.operation_id)
        return (OperationsWish(locked=frozenset({self.operation_id})), LimitsWish(named=frozenset({name})))

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (OperationsWish(unfinished=frozenset({self.operation_id})),)

    def decide(self, uow: UnitOfWork) -> None:
        operation = _require_operation(uow, self.operation_id)
        ended = _ENDS.get(operation.state)
        if ended is not None and self.operation_id not in uow[Operations].unfinished:
            uow[Limits].remove(batch_limit(self.operation_id), self.actor)
            uow[Operations].move(self.operation_id, ended, {})


@dataclass(frozen=True, slots=True)
class RemoveOperation(Command[bool]):
    """Remove an operation that has ended, with its items and judgings, some of these at a time.

    Return whether it may go, or is gone already: one that is under way stays. Its jobs are as they were.
    """

    operation_id: UUID

    def locks(self) -> Wishes:
        return (OperationsWish(locked=frozenset({self.operation_id})),)

    def decide(self, uow: UnitOfWork) -> bool:
        stored = uow[Operations].operations.get(self.operation_id)
        if stored is not None and stored.state in ENDED:
            uow[Operations].removed[self.operation_id] = self.actor
        return stored is None or stored.state in ENDED


def _require_operation(uow: UnitOfWork, operation_id: UUID) -> StoredOperation:
    if operation_id not in uow[Operations].operations:
        raise make_unknown_batch_error(str(operation_id))
    return uow[Operations].operations[operation_id]


def make_unknown_batch_error(operation_id: str) -> NotFoundError:
    """Return the NotFoundError which says that no operation has this id."""
    return NotFoundError(f"no batch has the id {operation_id[:100]}", code=ErrorCode.UNKNOWN_BATCH)
