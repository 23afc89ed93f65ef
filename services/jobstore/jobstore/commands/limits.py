"""Commands on limits: set or remove one, pause and resume what a name applies to, confirm them. Pure."""

from dataclasses import dataclass
from typing import Final

from contracts.resources import Limit, NewLimit
from jobstore.commands.base import Command, LimitsLock, Locks, R_co, check_version
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.limits import wildcard
from jobstore.errors import InvalidError, NotFoundError
from signoff.errors import ErrorCode

_TENANT_FIELDS: Final = ("weight", "queue_max")


@dataclass(frozen=True, slots=True)
class _ChangeLimit(Command[R_co]):
    name: str

    def locks(self) -> Locks:
        return Locks(limits=LimitsLock.EXCLUSIVE, named_limits=frozenset({self.name, wildcard(self.name)}))


@dataclass(frozen=True, slots=True)
class SetLimit(_ChangeLimit[Limit]):
    """Set a limit, also for executions that wait or were offered already. It stays paused unless that is given, too.

    RefusedError (`version_conflict`). InvalidError: only a tenant's limit has such a field.
    """

    new: NewLimit
    version: int | None = None

    def decide(self, uow: UnitOfWork) -> Limit:
        stored = uow.limits.get(self.name)
        check_version("the limit", stored.version if stored else 0, self.version)
        misplaced = [field for field in _TENANT_FIELDS if getattr(self.new, field) is not None]
        if misplaced and not self.name.startswith("tenant:"):
            raise InvalidError(
                f"{misplaced[0]}: only the limit of a tenant has one, and {self.name[:100]} is no tenant"
            )
        return uow.put_limit(self.name, self.new, self.actor)


@dataclass(frozen=True, slots=True)
class RemoveLimit(_ChangeLimit[None]):
    """Remove a limit. NotFoundError (`unknown_limit`). RefusedError (`version_conflict`)."""

    version: int | None = None

    def decide(self, uow: UnitOfWork) -> None:
        if (stored := uow.limits.get(self.name)) is not None:
            check_version("the limit", stored.version, self.version)
        if not uow.remove_limit(self.name, self.actor):
            raise make_unknown_limit_error(self.name)


def make_unknown_limit_error(name: str) -> NotFoundError:
    """Return the error of a name that nothing limits."""
    return NotFoundError(f"there is no limit {name[:200]}", code=ErrorCode.UNKNOWN_LIMIT)


@dataclass(frozen=True, slots=True)
class PauseLimit(_ChangeLimit[Limit]):
    """Pause or resume what a name applies to. The rest of its limit stays; one of which nothing is left is removed.

    The answer says whether it is paused now, also where its limit says nothing of that any more.
    """

    paused: bool

    def decide(self, uow: UnitOfWork) -> Limit:
        limit = uow.pause_limit(self.name, self.actor, paused=self.paused)
        return limit.model_copy(update={"paused": self.paused})


@dataclass(frozen=True, slots=True)
class ConfirmLimits(Command[None]):
    """Say that what administrators have set by now is all there is: a rebuild that did not find it held all back."""

    def locks(self) -> Locks:
        return Locks(limits=LimitsLock.EXCLUSIVE)

    def decide(self, uow: UnitOfWork) -> None:
        uow.changes.confirmed_by = self.actor
