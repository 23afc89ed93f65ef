"""The retentions of one transaction, and what holds of a tenant by its own and by that of each tenant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from contracts.resources import NewRetention
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import Actor
from signoff.keeping import Retention
from signoff.status import JobStatus

#: The retention of each tenant, as far as the tenant's own does not say it.
GENERAL: Final = "tenant:*"


class Rule(Enum):
    """What a retention says for how long it is kept; the value is the field, without its unit."""

    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    RESUBMISSION_REQUIRED = "resubmission_required"
    #: Of jobs whose last execution was cancelled, and which wait to be executed again.
    CANCELLED = "cancelled"
    OPERATION = "operations"

    @property
    def field(self) -> str:
        """The name of the field, and of the column."""
        return f"{self.value}_s"

    @property
    def statuses(self) -> frozenset[JobStatus]:
        """The statuses of the jobs that it is about."""
        if self is Rule.OPERATION:
            return frozenset()
        resting = frozenset({JobStatus.PENDING, JobStatus.ASSIGNED})
        return resting if self is Rule.CANCELLED else frozenset({JobStatus(self.name)})


def name_retention(tenant: str) -> str:
    """Return the name of the retention of a tenant."""
    return f"tenant:{tenant}"


def find_tenant(name: str) -> str | None:
    """Return the tenant that a retention is of; None: it is of each tenant without its own."""
    return None if name == GENERAL else name.removeprefix("tenant:")


def find_kept_s(rule: Rule, tenant: str, retentions: Mapping[str, NewRetention | Retention]) -> float | None:
    """Return for how many seconds a tenant's are kept by a rule; None: for ever (SQL: store.KEPT_S)."""
    both = (retentions.get(name_retention(tenant)), retentions.get(GENERAL))
    given = (getattr(each, rule.field) for each in both if each is not None)
    return next((kept_s for kept_s in given if kept_s is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionsWish(Wish):
    """The names of retentions to be locked and read."""

    named: frozenset[str] = frozenset()


class RetentionChange(NamedTuple):
    """A retention after a change, or None if it was deleted, and the actor of the change."""

    retention: Retention | None
    actor: Actor
    #: Whether there was none before.
    is_new: bool


@dataclass(eq=False, slots=True)
class Retentions(Part):
    """The retentions that a transaction has read or changed."""

    #: None: the retention was deleted.
    retentions: Overlay[str, Retention | None] = field(default_factory=overlay)
    changes: dict[str, RetentionChange] = field(default_factory=dict)

    def put(self, name: str, new: NewRetention | Retention, actor: Actor) -> Retention:
        """Set the retention of a name, and return it; if it sets nothing, delete the stored one instead."""
        stored, fields = self.retentions.get(name), new.model_dump(include=set(NewRetention.model_fields))
        version = stored.version + 1 if stored else 1
        retention = Retention(**fields, name=name, version=version, updated_at=self.uow.clock.now)
        if any(kept_s is not None for kept_s in fields.values()):
            self._change(name, retention, actor)
        else:
            self.delete(name, actor)
        return retention

    def delete(self, name: str, actor: Actor) -> bool:
        """Delete the retention of a name, and return whether there was one."""
        if self.retentions.get(name) is None:
            return False
        self._change(name, None, actor)
        return True

    def _change(self, name: str, retention: Retention | None, actor: Actor) -> None:
        self.changes[name] = RetentionChange(retention, actor, self.retentions.stored.get(name) is None)
        self.retentions[name] = retention
