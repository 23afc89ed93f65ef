"""Hold jobs, their logs, and requests under idempotency keys in a transaction. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID, uuid4

from contracts.topics import measure_job
from jobstore.engine.parts import Overlay, Part, Wish, WishList, check_size, overlay
from jobstore.errors import NotFoundError, make_removed_error
from jobstore.jobs.model import Job, LastEntry, LogEntry, Refusal, Report, RequestKey, Spec, TransitionKind
from jobstore.judging.rules import Task
from signoff.errors import ErrorCode
from signoff.status import JobLogStatus, JobStatus

#: A job as gRPC shows it: the fields of contracts.resources.Job, with the payload as JSON text.
JobView: TypeAlias = dict[str, Any]
#: While a job rests after a verdict, its submission is the one that was judged, not the next.
_AFTER_A_VERDICT: Final = frozenset({JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})
#: The fields of a spec and of a job that callers see; commands alone read the others.
_SHOWN_OF_SPEC: Final = [each.name for each in fields(Spec) if each.name != "spec_hash"]
_SHOWN_OF_JOB: Final = [
    each.name for each in fields(Job) if each.name not in {"not_met", "feedback", "not_met_criteria"}
]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsWish(Wish):
    """Jobs to lock (`locked`, and those of executions to lock); jobs of which to read `specs`, `questions` and `tasks`.

    `made`: those of the locked jobs that the command makes, if nothing has their ids yet.
    Read once all are locked: the `last_entries` of the logs of jobs, and the `feedback` that executions were sent.
    """

    locked: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    specs: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    last_entries: frozenset[str] = frozenset()
    feedback: frozenset[UUID] = frozenset()

    def name(self) -> dict[str, str]:
        """Return the id of one job that this wish locks, as a field of a log line, by name; {} if it locks none."""
        return {"job_id": min(self.locked)} if self.locked else {}


class Question(NamedTuple):
    """The criteria and references that a job's result is judged by, which are frozen while an execution is live.

    `references` is JSON text: model answers and rubrics, by the number of the criterion that they belong to.
    """

    acceptance_criteria: str
    tenant: str
    references: str | None = None


@dataclass(eq=False, slots=True)
class Jobs(Part):
    """The jobs of a transaction by id, their specs, and the entries of their logs."""

    jobs: Overlay[str, Job] = field(default_factory=overlay)
    #: The tenants of jobs that were to be locked, and are removed: their ids stay taken.
    removed: dict[str, str] = field(default_factory=dict)
    #: Also of new and of edited jobs.
    specs: Overlay[str, Spec] = field(default_factory=overlay)
    questions: dict[str, Question] = field(default_factory=dict)
    #: The tasks of live executions, by job: frozen as questions are, and cut to what judges are shown.
    tasks: dict[str, Task] = field(default_factory=dict)
    last_entries: dict[str, LastEntry] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)
    #: The entries that are handed over after the commit.
    recorded: Sequence[object] = ()
    #: For logs and metrics: decisions by kind, and refusals by job.
    recorded_counts: Counter[TransitionKind] = field(default_factory=Counter)
    refusals: list[tuple[str | None, UUID | None, Report, Refusal]] = field(default_factory=list)

    def is_foreign(self, asked: WishList, tenants: frozenset[str]) -> bool:
        """Return whether a command locks another tenant's job, or one whose tenant it does not read, and makes none."""
        wish = asked[JobsWish]
        specs = (self.specs.get(job_id) for job_id in wish.locked - wish.made if job_id in self.jobs)
        removed = (self.removed.get(job_id) for job_id in wish.locked - wish.made)
        return any(spec is None or spec.tenant not in tenants for spec in specs) or any(
            tenant is not None and tenant not in tenants for tenant in removed
        )

    def require(self, job_id: str) -> Job:
        """Return a locked job. Raise NotFoundError (`unknown_job`, `job_removed`) if no job has the id."""
        self.refuse_removed(job_id)
        if job_id not in self.jobs:
            raise NotFoundError(f"no job has the id {job_id}", code=ErrorCode.UNKNOWN_JOB)
        return self.jobs[job_id]

    def refuse_removed(self, job_id: str) -> None:
        """Raise NotFoundError (`job_removed`) if the job of this id was removed."""
        if job_id in self.removed:
            raise make_removed_error(job_id)

    def drop(self, job_id: str, tenant: str) -> None:
        """Forget a job that this transaction removes."""
        self.jobs.stored.pop(job_id, None)
        self.removed[job_id] = tenant

    def add(self, job: Job, spec: Spec, report: Report) -> None:
        """Add a new job with its spec, and the first entry of its log, which is about `report`."""
        self.jobs[job.id], self.specs[job.id] = job, spec
        self.recorded_counts[report.kind] += 1
        self.entries.append(LogEntry(job, JobLogStatus(job.status), report, None))

    def refuse(self, job_id: str | None, report: Report, refusal: Refusal, execution_id: UUID | None = None) -> Refusal:
        """Keep the refusal of a report, which is logged after the commit, and return the refusal."""
        self.refusals.append((job_id, execution_id, report, refusal))
        return refusal

    def find_last_entry(self, job_id: str) -> LastEntry | None:
        """Return the last entry of a job's log: this transaction's, or else the loaded one, or else None."""
        own = next((entry.report for entry in reversed(self.entries) if entry.job.id == job_id), None)
        return self.last_entries.get(job_id) if own is None else LastEntry(own.kind, own.message, own.actor)

    def check_size(self, spec: Spec) -> None:
        """Raise InvalidError (`payload_too_large`) if a job would have more bytes than the limit allows."""
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
    """The wish to read the requests under idempotency `keys`."""

    keys: frozenset[RequestKey] = frozenset()


@dataclass(eq=False, slots=True)
class RequestKeys(Part):
    """The body hashes of requests under idempotency keys, by the ids of the requests."""

    hashes: Overlay[UUID, bytes] = field(default_factory=overlay)

    def find(self, key: RequestKey) -> bytes | None:
        """Return the body hash of the earlier request under an idempotency key; None if there was none."""
        tenant = self._find_tenant(key)
        return None if tenant is None else self.hashes.get(self.uow.terms.ids.derive_request(key, tenant))

    def list_ids(self, keys: Iterable[RequestKey]) -> dict[UUID, RequestKey]:
        """Return the keys by the ids of their requests, without the keys of requests on unknown jobs."""
        tenants = ((key, self._find_tenant(key)) for key in keys)
        return {self.uow.terms.ids.derive_request(key, tenant): key for key, tenant in tenants if tenant is not None}

    def keep(self, key: RequestKey) -> None:
        """Keep the body hash of a request under its idempotency key."""
        tenant = self._find_tenant(key)
        assert tenant is not None  # nothing was made of an unknown job
        self.hashes[self.uow.terms.ids.derive_request(key, tenant)] = key.body_hash

    def _find_tenant(self, key: RequestKey) -> str | None:
        spec = self.uow[Jobs].specs.get(key.job_id or "")
        return key.tenant or (spec.tenant if spec else None)


def generate_id() -> str:
    """Return an id for a job or an agent whose creator chose none."""
    return str(uuid4())
