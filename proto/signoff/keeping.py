"""What the jobstore answers of how long things are kept, of how much is kept, and of jobs that were removed."""

from pydantic import Field

from signoff.fields import Model, Open, Time, optional
from signoff.jobs import Job, JobLog
from signoff.status import JobStatus


class Retention(Model):
    """For how long jobs are kept once they rest, by status, and operations once they ended."""

    name: str = Field(description="`tenant:<name>`; or `tenant:*`, of each tenant whose own does not say it")
    completed_s: float | None = optional("seconds; as `tenant:*` says, or for ever, without it")
    failed_s: float | None = None
    rejected_s: float | None = None
    resubmission_required_s: float | None = None
    cancelled_s: float | None = optional("of jobs whose last execution was cancelled")
    operations_s: float | None = optional("of operations and their items, once they ended")
    version: int = Field(1, description="counts its changes from 1, and again once it was deleted")
    updated_at: Time


class Hold(Model):
    """A job that is not removed until it is released."""

    job_id: str
    reason: str | None = None
    actor: str = Field(description="who asked for it")
    created_at: Time


class KeptBack(Model):
    """What keeps back the removal of what is due."""

    code: str = Field(description="`no_archive`, `archive_failed`, `archive_late`, `job_held`, ..")
    count: int = Field(0, description="of jobs, up to 10,000; 0 where it keeps back all")
    message: str
    remedy: str = Field("", description="what helps, in a sentence")


class RetentionEffect(Model):
    """What a retention lets go by some time."""

    jobs: int = Field(0, description="without those that are held, or in an operation that is under way")
    counts: dict[str, int] = Field(default_factory=dict, description="by status; cancelled ones as `CANCELLED`")
    has_more: bool = Field(False, description="up to 100,000 jobs are counted")
    operations: int = 0
    bytes: int = Field(0, description="an estimate of the bytes of tables that they take")
    oldest_at: Time | None = optional("when the oldest of them came to rest")
    sample: list[Job] = Field(
        default_factory=list, description="the five oldest, without description, criteria, payload"
    )


class RetentionPreview(Model):
    """What a change of a retention would let go."""

    retention: Retention = Field(description="as it would be")
    now: RetentionEffect = Field(description="what it would let go at once,")
    later: RetentionEffect = Field(description="and within 30 days, that included, of what rests now")
    kept_back: list[KeptBack] = Field(default_factory=list, description="why nothing would go although it is due")


class KeptTable(Model):
    """A table of the database."""

    name: str
    bytes: int = Field(description="with its indexes")
    rows: int = Field(0, description="as the database estimates it")


class KeptJobs(Model):
    """Jobs of a tenant and a status."""

    tenant: str
    status: Open[JobStatus]
    count: int
    oldest_at: Time | None = optional("when that which rests longest came to rest")
    by_age: list[int] = Field(
        default_factory=list,
        description="by how long ago they changed last: within a day, a week, 30 days, 90 days, and longer",
    )


class KeptArchive(Model):
    """The archive, without which nothing is removed."""

    is_configured: bool = False
    bytes: int = 0
    parts: int = 0
    newest_at: Time | None = optional("when the newest part was written")
    behind: int = Field(0, description="rows of logs, and other facts, that are not archived yet")
    checkpoint: int = 0
    checkpoint_at: Time | None = optional("when the newest checkpoint was written")
    error: str | None = optional("why nothing is archived now, if that is so; nothing is removed meanwhile")


class KeptTopic(Model):
    """A topic of Kafka."""

    topic: str
    bytes: int = Field(description="on each broker together")


class KeptGrowth(Model):
    """How it grows, of the last seven days or of as many as there were."""

    days: float = Field(0.0, description="how many days it is of")
    jobs_per_day: float = 0.0
    database_bytes_per_day: float = Field(0.0, description="an estimate: of jobs times the bytes of one in the tables")
    archive_bytes_per_day: float = 0.0


class KeptNext(Model):
    """What goes next of a tenant."""

    tenant: str
    kind: str = Field(description="a status, `CANCELLED`, or `OPERATION`")
    at: Time = Field(description="when the first is due; in the past while it is being removed, or is kept back")
    due: int = Field(0, description="how many are due by now, up to 10,000")


class Kept(Model):
    """What is kept, how much it is, how it grows, what goes next, and what keeps removal back."""

    at: Time
    is_on: bool = Field(False, description="whether anything is ever removed: a retention says so")
    database_bytes: int = 0
    tables: list[KeptTable] = Field(default_factory=list, description="the largest first")
    jobs: list[KeptJobs] = Field(default_factory=list, description="by tenant and status, the most first: 200 at most")
    removed: int = Field(0, description="removed jobs whose line is kept,")
    uncut: int = Field(0, description="and those of them whose log is not cut yet")
    holds: int = Field(0, description="of jobs")
    archive: KeptArchive = Field(default_factory=KeptArchive)
    topics: list[KeptTopic] = Field(default_factory=list, description="empty while the broker is out of reach")
    growth: KeptGrowth = Field(default_factory=KeptGrowth)
    next: list[KeptNext] = Field(default_factory=list, description="the soonest first")
    kept_back: list[KeptBack] = Field(default_factory=list, description="what keeps back the removal of what is due")


class RemovedJob(Model):
    """A job that was removed, as the archive has it."""

    job: Job = Field(description="as it last stood")
    logs: list[JobLog] = Field(default_factory=list, description="a page of its log, oldest first; the last removes it")
    next_page_token: str | None = optional("of the log; not given on the last page")
    removed_at: Time
    receipt: str | None = optional("of the verdict that ended it: a DSSE envelope, as JSON text")
    parts: list[int] = Field(default_factory=list, description="of the archive, that it was read from")
