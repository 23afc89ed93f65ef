"""Commands, the parts of one transaction that they decide on, and their wishes. Pure."""

from abc import ABC, abstractmethod
from collections import ChainMap, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, Self, TypeAlias, TypeVar

from pydantic import ValidationError

from contracts.fields import Merged, Patch, explain, merge
from jobstore.errors import InvalidError, RefusedError
from jobstore.jobs.model import Actor, Clock, Execution, ExecutionTerms, Refusal
from signoff.errors import ErrorCode
from signoff.fields import Model

K = TypeVar("K")
V = TypeVar("V")


class Overlay(ChainMap[K, V]):
    """Changed rows before stored ones, by the same keys: a ChainMap of two that is read ten times as fast."""

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
        """Return the changed value, or else the stored one, or else None."""
        return self.changes[key] if key in self.changes else self.stored.get(key)


def overlay() -> Overlay[K, V]:
    """Return an overlay without rows."""
    return Overlay({}, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The wish of a command for rows of one part. Each field is a frozenset, or a number: the highest counts."""

    @classmethod
    def join(cls, wishes: Collection[Self]) -> Self:
        """Return the union of wishes."""
        first, *_ = wishes
        joined: dict[str, object] = {}
        for name in cls.__dataclass_fields__:
            values = [getattr(wish, name) for wish in wishes]
            joined[name] = frozenset().union(*values) if isinstance(values[0], frozenset) else max(values)
        return replace(first, **joined)

    def subtract(self, earlier: Self) -> Self:
        """Return the wish without what an earlier one has."""
        left: dict[str, object] = {}
        for name in self.__dataclass_fields__:
            value, before = getattr(self, name), getattr(earlier, name)
            if isinstance(value, frozenset):
                left[name] = value - before
            elif value > before:
                left[name] = value
        return replace(type(self)(), **left)

    def name(self) -> dict[str, str]:
        """Return the id of a row that it locks, as a field of a log line."""
        return {}

    def __bool__(self) -> bool:
        """Return whether it is for anything: the default of each field is false."""
        return any(_read_fields(type(self))(self))  # type: ignore[arg-type] # a class can be hashed


#: The wishes of one command, for the parts that it needs.
Wishes: TypeAlias = Sequence[Wish]
W = TypeVar("W", bound=Wish)

NOTHING: Final[Wishes] = ()


@cache
def make_empty(kind: type[Wish]) -> Wish:
    """Return the wish of a kind for nothing."""
    return kind()


@cache
def _read_fields(kind: type[Wish]) -> Callable[[Wish], tuple[object, ...]]:
    """Return the function that reads all fields of a wish."""
    get, several = attrgetter(*kind.__dataclass_fields__), len(kind.__dataclass_fields__) > 1
    return get if several else lambda wish: (get(wish),)


class WishList(dict[type[Wish], Wish]):
    """The wishes of a batch of commands, joined for each part; an empty wish for every other part."""

    def __init__(self, of_each: Sequence[Wishes]) -> None:
        """Join the wishes of each command."""
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
        """Return the wish for nothing."""
        return make_empty(kind)  # type: ignore[arg-type] # a class can be hashed

    if TYPE_CHECKING:  # a list is looked into so often that it is left to dict

        def __getitem__(self, kind: type[W]) -> W: ...

    def subtract(self, earlier: "WishList") -> "WishList":
        """Return the wishes without those of an earlier list."""
        return WishList([[wish.subtract(earlier[kind]) for kind, wish in self.items() if wish != earlier[kind]]])


@dataclass(eq=False, slots=True)
class Part:
    """The rows of one subject in one transaction: as they are stored, and as they are after the decisions so far.

    Only rows that a command wishes are loaded. `uow` has the other parts.
    """

    uow: "UnitOfWork" = field(repr=False)
    #: Whether a lock was not free: commands that need it are set aside.
    is_missed: bool = False

    def misses(self, wish: Wish) -> bool:
        """Return whether a wish needs a lock that is missed."""
        del wish
        return False


P = TypeVar("P", bound=Part)


@dataclass(slots=True)
class Listeners:
    """The functions that are called after the commit of a transaction; None: there is none."""

    #: Called with the executions that were offered with their requests; without it none are.
    on_offered: Callable[[Sequence[Execution]], None] | None = None
    #: Called with the entries that were recorded, as `Recorded`.
    on_recorded: Callable[..., None] | None = None
    #: Called with the seconds until the first of the executions that were written is out of time.
    on_timed: Callable[[float], None] | None = None


class UnitOfWork(dict[type[Part], Part]):
    """The parts of one transaction by their types, each made at its first use. Commands decide on it."""

    __slots__ = ("clock", "listeners", "terms")

    #: The time at which all is decided, read once all rows are locked.
    clock: Clock

    def __init__(self, terms: ExecutionTerms, clock: Clock | None = None, listeners: Listeners | None = None) -> None:
        """`clock` is set once all rows are locked, unless it is given."""
        super().__init__()
        self.terms = terms
        self.listeners = listeners or Listeners()
        if clock is not None:
            self.clock = clock

    def __missing__(self, kind: type[Part]) -> Part:
        """Make the part of a type, and keep it."""
        part = self[kind] = kind(self)
        return part

    def find_set_aside(self, of_each: Sequence[Wishes]) -> list[bool]:
        """Return for each command whether it needs a lock that is missed."""
        missed = [part for part in self.values() if part.is_missed]
        return [any(part.misses(wish) for part in missed for wish in wishes) for wishes in of_each]

    if TYPE_CHECKING:  # parts are looked up so often that it is left to dict

        def __getitem__(self, kind: type[P]) -> P: ...


R_co = TypeVar("R_co", covariant=True)

#: Begins the answer of an execution id that was refused; the code follows.
REFUSED = "refused:"


@dataclass(frozen=True, slots=True)
class Command(ABC, Generic[R_co]):
    """A request to the jobstore, or a report, by `actor`. R_co: the type of its answer.

    The engine calls `locks`, `reads` and `decide`, in this order. A batch of commands is carried out in one
    transaction, and their wishes are joined for each part. `reads` is called again while it returns more than before,
    since it may depend on rows that were read.
    """

    actor: Actor = field(kw_only=True)

    @property
    def size(self) -> int:
        """Its weight in bytes, which bounds a batch."""
        return 0

    @abstractmethod
    def locks(self) -> Wishes:
        """Return the wishes for rows that must be locked, and for rows that are read with them."""

    def reads(self, uow: UnitOfWork) -> Wishes:
        """Return the wishes for further rows, which are known once the first are locked."""
        del uow
        return NOTHING

    @abstractmethod
    def decide(self, uow: UnitOfWork) -> R_co:
        """Decide on the rows, and return the answer. A PermanentError fails this command alone."""


class Creation(Command[R_co]):
    """A request that makes a thing under an id that is known before."""

    __slots__ = ()

    @abstractmethod
    def is_made(self, uow: UnitOfWork) -> bool:
        """Return whether the thing exists, or was refused for good."""

    @abstractmethod
    def show(self, uow: UnitOfWork) -> R_co:
        """Return the answer of a repeated request, with the thing as it is now."""


def optional(value: K | None) -> frozenset[K]:
    """Return a set of an id that may be missing."""
    return frozenset() if value is None else frozenset({value})


def merge_patch(stored: object, patch: Patch, new: type[Model]) -> Merged:
    """Return the fields of a patch, merged with the stored ones. InvalidError: a new resource may not have them."""
    try:
        return merge(stored, patch, new)
    except ValidationError as error:
        code, message = explain(error)
        raise InvalidError(message, code=code or ErrorCode.INVALID_REQUEST) from error


def check_version(what: str, stored: int, expected: int | None) -> None:
    """Raise RefusedError (`version_conflict`) if a resource is at another version than its caller has."""
    if expected is not None and expected != stored:
        raise RefusedError(f"{what} is at version {stored}, not {expected}", code=ErrorCode.VERSION_CONFLICT)


def check_size(size: int, limit: int) -> None:
    """Raise InvalidError (`payload_too_large`) if a value has more bytes than the limit allows."""
    if size > limit:
        raise InvalidError(f"{size} bytes of JSON exceed the limit of {limit}", code=ErrorCode.PAYLOAD_TOO_LARGE)


def raise_refusal(decision: object) -> None:
    """Raise a refusal as RefusedError with its code; accept anything else."""
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
