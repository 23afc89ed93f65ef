"""Command: a request to the jobstore, or a report, as a value that decides on locked rows. Pure."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import ValidationError

from contracts.fields import Merged, Patch, explain, merge
from jobstore.engine.parts import NOTHING, UnitOfWork, Wishes
from jobstore.errors import InvalidError, RefusedError
from jobstore.jobs.model import Actor, Refusal
from signoff.errors import ErrorCode
from signoff.fields import Model

R_co = TypeVar("R_co", covariant=True)

#: Begins the answer of an execution id that was refused; the code follows.
REFUSED = "refused:"


@dataclass(frozen=True, slots=True)
class Command(ABC, Generic[R_co]):
    """Something asked of the jobstore, or reported to it, by `actor`, who has to be named. R_co: what it is answered.

    The engine calls `locks`, `reads` and `decide`, in this order. A batch of commands is carried out in one
    transaction: what they ask for is joined for each part. `reads` is called again while it asks for more than before,
    since what was read may let it.
    """

    actor: Actor = field(kw_only=True)

    @property
    def size(self) -> int:
        """Its weight in bytes, which bounds a batch."""
        return 0

    @abstractmethod
    def locks(self) -> Wishes:
        """Return what must be locked, and what is read with it."""

    def reads(self, uow: UnitOfWork) -> Wishes:
        """Return what else must be locked or read, which is known once the rows are locked."""
        del uow
        return NOTHING

    @abstractmethod
    def decide(self, uow: UnitOfWork) -> R_co:
        """Decide on the rows, and return the answer. A PermanentError fails this command alone."""


class Creation(Command[R_co]):
    """A request that makes one thing, under an id that is known before."""

    __slots__ = ()

    @abstractmethod
    def is_made(self, uow: UnitOfWork) -> bool:
        """Return whether the thing is there, or was refused for good."""

    @abstractmethod
    def show(self, uow: UnitOfWork) -> R_co:
        """Return the answer of a request that comes again, whatever has become of the thing since."""


def optional(value: str | None) -> frozenset[str]:
    """Return a set of an id that may be missing."""
    return frozenset() if value is None else frozenset({value})


def merge_patch(stored: object, patch: Patch, new: type[Model]) -> Merged:
    """Return the fields that a patch gives, as they are after it. InvalidError: a new resource may not have them."""
    try:
        return merge(stored, patch, new)
    except ValidationError as error:
        code, message = explain(error)
        raise InvalidError(message, code=code or ErrorCode.INVALID_REQUEST) from error


def check_version(what: str, stored: int, expected: int | None) -> None:
    """Raise RefusedError (`version_conflict`) if a resource is at another version than its caller has."""
    if expected is not None and expected != stored:
        raise RefusedError(f"{what} is at version {stored}, not {expected}", code=ErrorCode.VERSION_CONFLICT)


def raise_refusal(decision: object) -> None:
    """Raise a refusal as RefusedError with its code; accept anything else."""
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
