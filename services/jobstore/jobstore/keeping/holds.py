"""Hold a job, so that nothing removes it, and release it. Pure."""

from dataclasses import dataclass, field

from jobstore.engine.parts import Command, Overlay, Part, R_co, UnitOfWork, Wish, Wishes, overlay
from jobstore.jobs.model import Actor
from jobstore.jobs.rows import Jobs, JobsWish
from signoff.keeping import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsWish(Wish):
    """Jobs, which are locked, of which to read whether they are held."""

    jobs: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Holds(Part):
    """The holds of a transaction, by their jobs."""

    holds: Overlay[str, Hold] = field(default_factory=overlay)
    #: Those that are given up, with who asked for it.
    released: dict[str, Actor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _ChangeHold(Command[R_co]):
    job_id: str

    def locks(self) -> Wishes:
        job_ids = frozenset({self.job_id})
        return (JobsWish(locked=job_ids, specs=job_ids),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (HoldsWish(jobs=frozenset({self.job_id})),)


@dataclass(frozen=True, slots=True)
class HoldJob(_ChangeHold[Hold]):
    """Keep a job from being removed, unless it is held already. NotFoundError: it is not there, or was removed."""

    reason: str | None = None

    def decide(self, uow: UnitOfWork) -> Hold:
        uow[Jobs].require(self.job_id)
        holds = uow[Holds].holds
        if self.job_id not in holds:
            uow[Holds].released.pop(self.job_id, None)
            holds[self.job_id] = Hold(
                job_id=self.job_id, reason=self.reason, actor=self.actor, created_at=uow.clock.now
            )
        return holds[self.job_id]


@dataclass(frozen=True, slots=True)
class ReleaseJob(_ChangeHold[None]):
    """Let a job be removed again. NotFoundError: it is not there, or was removed."""

    def decide(self, uow: UnitOfWork) -> None:
        uow[Jobs].require(self.job_id)
        if self.job_id in uow[Holds].holds:
            uow[Holds].holds.changes.pop(self.job_id, None)
            uow[Holds].holds.stored.pop(self.job_id, None)
            uow[Holds].released[self.job_id] = self.actor
