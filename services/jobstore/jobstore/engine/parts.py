"""Commands, the parts of one transaction that they decide on, and their wishes. Pure."""

from abc import ABC, abstractmethod
from collections import ChainMap, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar

from pydantic import ValidationError

from contracts.fields import Merged, Patch, explain, merge
from jobstore.access.callers import CALLER
from jobstore.errors import InvalidError, RefusedError
from jobstore.jobs.model import Actor, Clock, Execution, ExecutionTerms, Refusal
from signoff.errors import ErrorCode
from signoff.fields import Model

K = TypeVar("K")
V = TypeVar("V")


class Overlay(ChainMap[K, V]):
    """A ChainMap of two mappings, changed rows before stored rows of the same keys, that is read ten times as fast."""

    changes: dict[K, V]
    stored: dict[K, V]

    def __init__(self, changes: dict[K, V], stored: dict[K, V]) -> None:
        """Overlay `stored` rows, as the tables have them, with `changes`, which will be written."""
        self.maps = [changes, stored]
        self.changes, self.stored = changes, stored

    def __contains__(self, key: object) -> bool:
        return key in self.changes or key in self.stored

    def __getitem__(self, key: K) -> V:
        return self.changes[key] if key in self.changes else self.stored[key]

    def get(self, key: K) -> V | None:  # type: ignore[override] # nobody asks for another default
        """Return the changed value of a key, or else the stored value, or else None."""
        return self.changes[key] if key in self.changes else self.stored.get(key)


def overlay() -> Overlay[K, V]:
    """Return an empty overlay."""
    return Overlay({}, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A command's wish for rows of one part. A field is a frozenset, joined by union, or a number: the highest wins."""

    @classmethod
    def join(cls, wishes: Collection[Self]) -> Self:
        """Return one wish for all that any of the wishes is for."""
        first, *_ = wishes
        joined: dict[str, object] = {}
        for name in cls.__dataclass_fields__:
            values = [getattr(wish, name) for wish in wishes]
            joined[name] = frozenset().union(*values) if isinstance(values[0], frozenset) else max(values)
        return replace(first, **joined)

    def subtract(self, earlier: Self) -> Self:
        """Return a wish for what this wish is for, and an earlier wish was not."""
        left: dict[str, object] = {}
        for name in self.__dataclass_fields__:
            value, before = getattr(self, name), getattr(earlier, name)
            if isinstance(value, frozenset):
                left[name] = value - before
            elif value > before:
                left[name] = value
        return replace(type(self)(), **left)

    def name(self) -> dict[str, str]:
        """Return the id of a row that this wish locks, as a field of a log line, by name; {} if the wish names none."""
        return {}

    def __bool__(self) -> bool:
        """Return whether the wish asks for anything."""
        return self != make_empty(type(self))  # type: ignore[arg-type] # a class can be hashed


#: The wishes of one command, for the parts that it needs.
Wishes: TypeAlias = Sequence[Wish]
W = TypeVar("W", bound=Wish)

NOTHING: Final[Wishes] = ()


@cache
def make_empty(kind: type[Wish]) -> Wish:
    """Return the wish of a kind that is for nothing."""
    return kind()


class WishList(dict[type[Wish], Wish]):
    """The wishes of a batch of commands, one joined wish of each kind, which is empty if no command has such a wish."""

    def __init__(self, of_each: Sequence[Wishes]) -> None:
        """Join the wishes in `of_each`, which has the wishes of each command, by their kinds."""
        super().__init__()
        self.of_each = of_each
        wishes: defaultdict[type[Wish], list[Wish]] = defaultdict(list)
        for one in of_each:
            for wish in one:
                if wish:
                    wishes[type(wish)].append(wish)
        for kind, some in wishes.items():
            self[kind] = some[0] if len(some) == 1 else kind.join(some)

    def __missing__(self, kind: type[Wish]) -> Wish:
        """Return the empty wish of a kind that no command wishes."""
        return make_empty(kind)  # type: ignore[arg-type] # a class can be hashed

    if TYPE_CHECKING:  # a list is looked into so often that it is left to dict

        def __getitem__(self, kind: type[W]) -> W: ...

    def subtract(self, earlier: "WishList") -> "WishList":
        """Return the wishes for what this list is for, and an earlier list was not."""
        return WishList([[wish.subtract(earlier[kind]) for kind, wish in self.items() if wish != earlier[kind]]])


@dataclass(eq=False, slots=True)
class Part:
    """The rows of one subject in one transaction: as they are stored, and as they are after the decisions so far.

    Only rows that a command wishes are loaded. `uow` has the other parts of the transaction.
    """

    uow: "UnitOfWork" = field(repr=False)
    #: Whether a lock was not free: commands that need it are set aside.
    is_missed: bool = False

    def misses(self, wish: Wish) -> bool:
        """Return whether a wish needs the lock that this part did not get (`is_missed`)."""
        del wish
        return False

    def is_foreign(self, asked: WishList, tenants: frozenset[str]) -> bool:
        """Return whether a command with these wishes, of a caller of `tenants`, locks what is another tenant's."""
        del asked, tenants
        return False


P = TypeVar("P", bound=Part)


@dataclass(slots=True)
class Listeners:
    """The functions to call after the commit of a transaction; a field is None if nobody listens for its event."""

    #: Called with the executions that were offered with their requests; without it none are.
    on_offered: Callable[[Sequence[Execution]], None] | None = None
    #: Called with the entries that were recorded, as `Recorded`.
    on_recorded: Callable[..., None] | None = None
    #: Called with the seconds until the first of the executions that were written is out of time.
    on_timed: Callable[[float], None] | None = None


class UnitOfWork(dict[type[Part], Part]):
    """The parts of one transaction by their types, each made at its first use. Commands read and change these parts."""

    __slots__ = ("clock", "full", "listeners", "terms")

    #: The time at which all is decided, read once all rows are locked.
    clock: Clock

    def __init__(
        self,
        terms: ExecutionTerms,
        clock: Clock | None = None,
        listeners: Listeners | None = None,
        full: str | None = None,
    ) -> None:
        """Make a unit of work without parts. If no `clock` is given, the attribute is set once all rows are locked.

        `full`: why no new work is taken, since a storage is nearly full.
        """
        super().__init__()
        self.terms = terms
        self.full = full
        self.listeners = listeners or Listeners()
        if clock is not None:
            self.clock = clock

    def __missing__(self, kind: type[Part]) -> Part:
        """Make the part of a type, and keep it."""
        part = self[kind] = kind(self)
        return part

    def show_to(self, command: "Command[object]") -> "UnitOfWork":
        """Return what a command decides on: an empty unit of work if it locks what is not of its caller's tenants.

        There it decides as if nothing had any id, and what it does there is written nowhere.
        """
        if (tenants := command.limited_to) is None:
            return self
        asked = WishList([command.locks()])
        is_foreign = any(part.is_foreign(asked, tenants) for part in [*self.values()])
        return UnitOfWork(self.terms, self.clock, full=self.full) if is_foreign else self

    def check_space(self) -> None:
        """Raise RefusedError (`storage_full`) if no new work is taken."""
        if self.full is not None:
            raise RefusedError(self.full, code=ErrorCode.STORAGE_FULL)

    def find_set_aside(self, of_each: Sequence[Wishes]) -> list[bool]:
        """Return for each command, given its wishes, whether the command needs a lock that was not free."""
        missed = [part for part in self.values() if part.is_missed]
        return [any(part.misses(wish) for part in missed for wish in wishes) for wishes in of_each]

    if TYPE_CHECKING:  # parts are looked up so often that it is left to dict

        def __getitem__(self, kind: type[P]) -> P: ...


R_co = TypeVar("R_co", covariant=True)


def _find_tenants() -> frozenset[str] | None:
    """Return the tenants of the call that is under way. What is no call's is Signoff's own, and of all tenants."""
    caller = CALLER.get(None)
    return None if caller is None else caller.tenants


#: Begins the answer of an execution id that was refused; the code follows.
REFUSED = "refused:"


@dataclass(frozen=True, slots=True)
class Command(ABC, Generic[R_co]):
    """A request or a report to the jobstore, made by `actor`. R_co is the type of its answer.

    The engine calls `locks`, `reads` and `decide`, in this order. The commands of a batch are carried out in one
    transaction, and their wishes are joined for each part. `reads` is called again while it returns more than before,
    since it may depend on rows that were read.
    """

    actor: Actor = field(kw_only=True)
    #: The tenants of its caller: it is carried out as if nothing of others existed. None: all.
    limited_to: frozenset[str] | None = field(kw_only=True, default_factory=_find_tenants)

    @property
    def size(self) -> int:
        """The size of the command in bytes, by which the size of a batch is bounded."""
        return 0

    @abstractmethod
    def locks(self) -> Wishes:
        """Return the wishes for rows that must be locked, and for rows that are read together with the locked ones."""

    def reads(self, uow: UnitOfWork) -> Wishes:
        """Return the wishes for further rows, which a command can name once the rows of `locks` are locked."""
        del uow
        return NOTHING

    @abstractmethod
    def decide(self, uow: UnitOfWork) -> R_co:
        """Decide on the rows in `uow`, and return the answer. A PermanentError fails this command alone."""


class Creation(Command[R_co]):
    """A request that creates something under an id that is known before the request is carried out."""

    __slots__ = ()

    @property
    def adds_work(self) -> bool:
        """Whether it makes jobs or executions, or has results judged: then it is refused while a storage is full."""
        return False

    @abstractmethod
    def is_made(self, uow: UnitOfWork) -> bool:
        """Return whether the thing to create exists already, or was refused for good."""

    @abstractmethod
    def show(self, uow: UnitOfWork) -> R_co:
        """Return the answer to a repetition of the request: the thing that was created, as it is now."""


def optional(value: K | None) -> frozenset[K]:
    """Return the set of one value, or an empty set if the value is None."""
    return frozenset() if value is None else frozenset({value})


def merge_patch(stored: object, patch: Patch, new: type[Model]) -> Merged:
    """Return a patch's fields merged with the stored ones. InvalidError: the model of a new resource refuses them."""
    try:
        return merge(stored, patch, new)
    except ValidationError as error:
        code, message = explain(error)
        raise InvalidError(message, code=code or ErrorCode.INVALID_REQUEST) from error


def check_version(what: str, stored: int, expected: int | None) -> None:
    """Raise RefusedError (`version_conflict`) if the `stored` version of a resource is not `expected`; None: any is."""
    if expected is not None and expected != stored:
        raise RefusedError(f"{what} is at version {stored}, not {expected}", code=ErrorCode.VERSION_CONFLICT)


def check_size(size: int, limit: int) -> None:
    """Raise InvalidError (`payload_too_large`) if `size`, in bytes, exceeds `limit`."""
    if size > limit:
        raise InvalidError(f"{size} bytes of JSON exceed the limit of {limit}", code=ErrorCode.PAYLOAD_TOO_LARGE)


def raise_refusal(decision: object) -> None:
    """Raise RefusedError with the refusal's message and code if the decision is a Refusal; else do nothing."""
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
