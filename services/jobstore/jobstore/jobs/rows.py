"""Jobs, their logs, and requests under idempotency keys, in one transaction. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID, uuid4

from contracts.topics import measure_job
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.errors import NotFoundError, check_size
from jobstore.jobs.model import Job, LogEntry, Refusal, Report, RequestKey, Said, Spec, TransitionKind
from jobstore.judging.rules import Task
from signoff.errors import ErrorCode
from signoff.status import JobLogStatus, JobStatus

#: A job as gRPC shows it: the fields of contracts.resources.Job, with the payload as JSON text.
JobView: TypeAlias = dict[str, Any]
#: While a job rests after a verdict, its submission is the one that was judged, not the next.
_AFTER_A_VERDICT: Final = frozenset({JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})
#: What people see of a job; the rest commands alone read.
_SHOWN_OF_SPEC: Final = [each.name for each in fields(Spec) if each.name != "spec_hash"]
_SHOWN_OF_JOB: Final = [
    each.name for each in fields(Job) if each.name not in {"not_met", "feedback", "not_met_criteria"}
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsWish(Wish):
    """Jobs that are `locked`, with the jobs of all executions that are; `specs`, `questions` and `tasks` of jobs.

    Once they are locked: the `last_entries` of their logs, and the `feedback` that was sent with executions.
    """

    locked: frozenset[str] = frozenset()
    specs: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    last_entries: frozenset[str] = frozenset()
    feedback: frozenset[UUID] = frozenset()

    def name(self) -> dict[str, str]:
        """Return the id of the job that it locks."""
        return {"job_id": min(self.locked)} if self.locked else {}


class Question(NamedTuple):
    """By what a job's result is judged: frozen while an execution is live, since nothing can be edited then.

    `references` is JSON text: model answers and rubrics by the number of their criterion.
    """

    acceptance_criteria: str
    tenant: str
    references: str | None = None


@dataclass(eq=False, slots=True)
class Jobs(Part):
    """Jobs by id, what they ask for, and the entries of their logs."""

    jobs: Overlay[str, Job] = field(default_factory=overlay)
    #: Also of new jobs, and of those that ask for something else now.
    specs: Overlay[str, Spec] = field(default_factory=overlay)
    questions: dict[str, Question] = field(default_factory=dict)
    #: What live executions ask their agents, by job: frozen as questions are, and not more than judges are shown.
    tasks: dict[str, Task] = field(default_factory=dict)
    last_entries: dict[str, Said] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)
    #: The entries as they are handed over once they are committed.
    recorded: Sequence[object] = ()
    #: For logs and metrics: decisions by kind, and refusals by job.
    recorded_counts: defaultdict[TransitionKind, int] = field(default_factory=lambda: defaultdict(int))
    refusals: list[tuple[str | None, Report, Refusal]] = field(default_factory=list)

    def require(self, job_id: str) -> Job:
        """Return a locked job. Raise NotFoundError (`unknown_job`) if there is none."""
        if job_id not in self.jobs:
            raise NotFoundError(f"no job has the id {job_id}", code=ErrorCode.UNKNOWN_JOB)
        return self.jobs[job_id]

    def add(self, job: Job, spec: Spec, report: Report) -> None:
        """Add a new job, and the first entry of its log."""
        self.jobs[job.id], self.specs[job.id] = job, spec
        self.recorded_counts[report.kind] += 1
        self.entries.append(LogEntry(job, JobLogStatus(job.status), report, None))

    def refuse(self, job_id: str | None, report: Report, refusal: Refusal) -> Refusal:
        """Keep a refusal for the log, and return it."""
        self.refusals.append((job_id, report, refusal))
        return refusal

    def find_last_said(self, job_id: str) -> Said | None:
        """Return what the last entry of a job's log says: one of this transaction, or the one that was loaded."""
        own = next((entry.report for entry in reversed(self.entries) if entry.job.id == job_id), None)
        return self.last_entries.get(job_id) if own is None else Said(own.kind, own.message, own.actor)

    def check_size(self, spec: Spec) -> None:
        """Raise an InvalidError (`payload_too_large`) if a job would ask for more bytes than the limit allows."""
        check_size(measure_job(spec, spec.payload), self.uow.terms.job_max_bytes)

    def show(self, job_id: str) -> JobView:
        """Return a job as gRPC shows it."""
        job, spec = self.jobs[job_id], self.specs[job_id]
        changed = job_id in self.jobs.changes
        return {
            **{name: getattr(spec, name) for name in _SHOWN_OF_SPEC},
            **{name: getattr(job, name) for name in _SHOWN_OF_JOB},
            "submission": max(1, job.not_met + (job.status not in _AFTER_A_VERDICT)),
            "updated_at": self.uow.clock.now if changed else spec.updated_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysWish(Wish):
    """Idempotency `keys` of requests."""

    keys: frozenset[RequestKey] = frozenset()


@dataclass(eq=False, slots=True)
class RequestKeys(Part):
    """What was asked for under idempotency keys, as hashes, by the ids of the requests."""

    hashes: Overlay[UUID, bytes] = field(default_factory=overlay)

    def find(self, key: RequestKey) -> bytes | None:
        """Return the hash of what was asked for under an idempotency key, None where nothing was."""
        tenant = self._find_tenant(key)
        return None if tenant is None else self.hashes.get(self.uow.terms.ids.derive_request(key, tenant))

    def list_ids(self, keys: Iterable[RequestKey]) -> dict[UUID, RequestKey]:
        """Return keys by the ids of their requests; of a job that is not known there is none."""
        tenants = ((key, self._find_tenant(key)) for key in keys)
        return {self.uow.terms.ids.derive_request(key, tenant): key for key, tenant in tenants if tenant is not None}

    def keep(self, key: RequestKey) -> None:
        """Keep what was asked for under an idempotency key."""
        tenant = self._find_tenant(key)
        assert tenant is not None  # of a job that is not known nothing was made
        self.hashes[self.uow.terms.ids.derive_request(key, tenant)] = key.body_hash

    def _find_tenant(self, key: RequestKey) -> str | None:
        spec = self.uow[Jobs].specs.get(key.job_id or "")
        return key.tenant or (spec.tenant if spec else None)


def generate_id() -> str:
    """Return an id for a job or an agent whose creator chose none."""
    return str(uuid4())
