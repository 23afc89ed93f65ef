"""Remove jobs: of each one entry of its log stays, which has no content (docs/protocol.md#removal). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jobstore.engine.parts import Command, Part, UnitOfWork, Wish, Wishes, raise_refusal
from jobstore.jobs.model import Execution, ExecutionState, Job, Refusal, Report, TransitionKind, write_removal
from jobstore.jobs.rows import Jobs, JobsWish
from jobstore.jobs.transitions import decide
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.values import time_text, usd_text

#: How many jobs one command removes at most.
REMOVED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalsWish(Wish):
    """Jobs of which to read what keeps them back, and what stays of them. They are locked."""

    jobs: frozenset[str] = frozenset()


class Requested(NamedTuple):
    """An execution that was requested of a job, and stays as a slim row: what that has."""

    id: UUID
    submission: int
    answer: str
    created_at: datetime
    batch_id: UUID | None
    cost_nanos: int
    tokens: int

    def describe(self) -> dict[str, object]:
        """Return the execution as the entry that removes its job has it (signoff.types.RemovedExecution)."""
        described: dict[str, object] = {
            "id": str(self.id),
            "submission": self.submission,
            "answer": self.answer,
            "created_at": time_text(self.created_at),
        }
        if self.batch_id is not None:
            described["batch_id"] = str(self.batch_id)
        if self.cost_nanos:
            described["cost_usd"] = usd_text(self.cost_nanos)
        return described | ({"tokens": self.tokens} if self.tokens else {})


class Removable(NamedTuple):
    """A job that may be removed: what stays of it, and what keeps it back.

    `newest_seq` is the number of the last entry of its log, `submission` that of its last execution, which the entry
    names. `executions` are those that stay as rows: all others and, since operations ask for them, those of batches.
    `verdict` is the version of the entry of its last verdict, and the SHA-256 of that. `parts` are those of the archive
    that hold its log.
    """

    tenant: str
    created_at: datetime
    ended_at: datetime
    newest_seq: int
    submission: int | None = None
    executions: Sequence[Requested] = ()
    verdict: tuple[int, str] | None = None
    parts: Sequence[int] = ()
    is_held: bool = False
    is_in_operation: bool = False
    is_labelled: bool = False
    is_stub: bool = False

    def find_obstacle(self, kept_seq: int | None) -> Refusal | None:
        """Return why the job stays, or None. `kept_seq`: up to where all is archived; None: there is no archive."""
        if self.is_held:
            return Refusal(ErrorCode.JOB_HELD, "the job is held")
        if self.is_in_operation:
            return Refusal(ErrorCode.OPERATION_LIVE, "the job is part of an operation that is under way")
        if self.is_labelled:
            return Refusal(ErrorCode.JOB_LABELLED, "the job is a labelled case of a golden set")
        if kept_seq is None:
            return Refusal(ErrorCode.NO_ARCHIVE, "there is no archive, or it has no part yet")
        if self.newest_seq > kept_seq or self.is_stub:
            return Refusal(
                ErrorCode.NOT_ARCHIVED, "its last entry is not archived and counted yet, or an older jobstore runs"
            )
        return None

    def describe(self) -> str:
        """Return what the entry that removes the job says of it, as its row has it."""
        removed: dict[str, object] = {
            "tenant": self.tenant,
            "created_at": time_text(self.created_at),
            "ended_at": time_text(self.ended_at),
            "executions": [execution.describe() for execution in self.executions],
            "parts": list(self.parts),
        }
        if self.verdict is not None:
            removed["verdict"] = dict(zip(("version", "sha256"), self.verdict, strict=True))
        return write_removal(json_text(removed))


@dataclass(eq=False, slots=True)
class Removals(Part):
    """The jobs of a transaction that may be removed, by id, and those that are."""

    found: dict[str, Removable] = field(default_factory=dict)
    #: The number up to which every entry stands in the archive, and is counted and indexed; None: there is no archive.
    kept_seq: int | None = None
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RemoveJobs(Command[Mapping[str, Refusal]]):
    """Remove jobs, REMOVED_MAX at most, and return the refusals of those that stay, by their ids.

    `versions` has the version at which each job is to be removed, None for any: a job that has gone on since is not
    (`moved_on`). `reason` is the message of the entry that stays: which rule removes the job, or whose reason.
    """

    versions: Mapping[str, int | None]
    reason: str

    def locks(self) -> Wishes:
        job_ids = frozenset(self.versions)
        return (JobsWish(locked=job_ids, specs=frozenset() if self.limited_to is None else job_ids),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        return (RemovalsWish(jobs=frozenset(self.versions) & uow[Jobs].jobs.keys()),)

    def decide(self, uow: UnitOfWork) -> Mapping[str, Refusal]:
        refusals = {job_id: self._remove(uow, job_id, version) for job_id, version in self.versions.items()}
        return {job_id: refusal for job_id, refusal in refusals.items() if refusal is not None}

    def _remove(self, uow: UnitOfWork, job_id: str, version: int | None) -> Refusal | None:
        jobs, removals = uow[Jobs], uow[Removals]
        if job_id not in jobs.jobs:
            code = ErrorCode.JOB_REMOVED if job_id in jobs.removed else ErrorCode.UNKNOWN_JOB
            return Refusal(code, "the job was removed before" if job_id in jobs.removed else "the job is not known")
        job, found = jobs.jobs[job_id], removals.found[job_id]
        report = Report(TransitionKind.REMOVED, message=self.reason, response=found.describe(), actor=self.actor)
        refusal = self._find_obstacle(uow, job, found, version)
        decision = refusal or decide(job, _outline_last(job, found), report, uow.clock)
        if isinstance(decision, Refusal):
            return jobs.refuse(job_id, report, decision)
        assert decision.entry is not None
        jobs.recorded_counts[report.kind] += 1
        jobs.entries.append(decision.entry)
        jobs.drop(job_id, found.tenant)
        removals.removed.append(job_id)
        return None

    def _find_obstacle(self, uow: UnitOfWork, job: Job, found: Removable, version: int | None) -> Refusal | None:
        if job.live:
            return None  # as its transition says
        if version is not None and version != job.version:
            return Refusal(ErrorCode.MOVED_ON, f"the job is at version {job.version}, and no longer {version}")
        if job.id in uow[Jobs].jobs.changes:
            return Refusal(ErrorCode.NOT_ARCHIVED, "the job has just changed")
        return found.find_obstacle(uow[Removals].kept_seq)


@dataclass(frozen=True, slots=True)
class RemoveJob(Command[None]):
    """Remove one job. RefusedError: it stays, by the codes of RemoveJobs. NotFoundError: it is not there."""

    job_id: str
    reason: str
    version: int | None = None

    @property
    def _all(self) -> RemoveJobs:
        return RemoveJobs({self.job_id: self.version}, self.reason, actor=self.actor, limited_to=self.limited_to)

    def locks(self) -> Wishes:
        return self._all.locks()

    def reads(self, uow: UnitOfWork) -> Wishes:
        return self._all.reads(uow)

    def decide(self, uow: UnitOfWork) -> None:
        uow[Jobs].require(self.job_id)
        for refusal in self._all.decide(uow).values():
            raise_refusal(refusal)


def _outline_last(job: Job, found: Removable) -> Execution | None:
    """Return the last execution of a job with what the entry that removes the job has of it."""
    if job.execution_id is None or found.submission is None:
        return None
    state = ExecutionState.LEASED if job.live else ExecutionState.DONE
    return Execution(job.execution_id, job.id, state=state, submission=found.submission)
