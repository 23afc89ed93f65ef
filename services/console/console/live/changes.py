"""Turn transitions into server-sent events: what changed of a job, without bodies."""

from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic_core import to_json

from signoff.fields import Open, SumOfMoney, Time
from signoff.status import JobLogStatus, JobStatus
from signoff.types import JobLog, read_model

#: A longer message of a log's entry is cut in events.
MESSAGE_MAX_CHARS = 500
#: How long a browser waits before it opens a lost stream again.
RETRY_MS = 1_000
_LEFT_OUT = {"event_id", "lease", "request", "payload", "before", "after", "result", "partial", "verdict"}


class JobNow(BaseModel):
    """A job as a transition left it: what transitions change. What is left out is as it was before.

    But without `agent_id` it has no agent, and without `progress` none, nor a message of it.
    """

    id: str
    status: Open[JobStatus]
    version: int
    agent_id: str | None = None
    progress: float | None = None
    cost_usd: SumOfMoney
    tokens: int
    live: bool | None = Field(None, description="whether an execution is asked for or under way")
    updated_at: Time
    execution_id: UUID | None = None
    submission: int | None = None
    progress_message: str | None = None

    @classmethod
    def of(cls, log: JobLog) -> "JobNow":
        """Return the job as an entry of its log left it."""
        changed: dict[str, Any] = {}
        # A result that comes after its execution was cancelled says nothing of the one that is live by now.
        if not (log.kind == "result" and log.status is JobLogStatus.CANCELLED):
            is_requested = log.status is JobLogStatus.ASSIGNED and log.execution_id is not None
            changed["live"] = log.job_status is JobStatus.IN_PROGRESS or is_requested
            if log.execution_id is not None:
                changed |= {"execution_id": log.execution_id, "submission": log.submission}
        if log.kind == "progress" or log.progress is None:
            changed["progress_message"] = log.message if log.kind == "progress" else None
        return cls(
            id=log.job_id,
            status=log.job_status,
            version=log.version,
            agent_id=log.agent_id,
            progress=log.progress,
            cost_usd=log.cost_usd or Decimal(0),
            tokens=log.tokens or 0,
            updated_at=log.created_at,
            **changed,
        )


class JobChange(BaseModel):
    """The data of a `job-changed` event. Apply it only if `version` is above the one you have."""

    cursor: int
    job_id: str
    version: int
    job: JobNow
    log: JobLog = Field(description="without payloads, and without what is null; a long message is cut")

    @classmethod
    def of(cls, log: JobLog) -> "JobChange":
        """Return what viewers are sent of an entry."""
        cut = log.model_copy(update={"message": log.message and log.message[:MESSAGE_MAX_CHARS]})
        return cls(cursor=log.cursor, job_id=log.job_id, version=log.version, job=JobNow.of(log), log=cut)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are sent: none that are null or did not change."""
        return {
            "cursor": self.cursor,
            "job_id": self.job_id,
            "version": self.version,
            "job": self.job.model_dump(mode="json", exclude_none=True),
            "log": self.log.model_dump(mode="json", exclude=_LEFT_OUT, exclude_none=True),
        }


class StreamPlace(BaseModel):
    """The data of `hello`, the place at which a new stream begins, and of `reset`, which cannot go on where it was."""

    cursor: int


class StreamPing(BaseModel):
    """The data of a `ping`."""

    cursor: int | None = Field(None, description="where the stream goes on; not while it catches up")
    at: Time
    jobstore: bool = Field(description="whether the jobstore is there")
    database: str | None = Field(None, description="why the jobstore cannot write to its database, if it cannot")
    remedy: str | None = Field(None, description="what to do about that")


class Change:
    """One event of the stream, from an entry, or its message, which is read once, and only if a viewer is sent it."""

    def __init__(self, entry: Any) -> None:
        self.cursor: int = entry.cursor
        self.job_id: str = entry.job_id
        self._entry = entry

    @cached_property
    def frame(self) -> bytes:
        """The bytes that are sent."""
        log = self._entry if isinstance(self._entry, JobLog) else read_model(self._entry)
        return make_frame("job-changed", JobChange.of(log).to_dict(), self.cursor)


def make_frame(event: str, data: dict[str, Any], cursor: int | None = None) -> bytes:
    """Make the bytes of a server-sent event. With a cursor, a reader that comes back resumes after it."""
    place = b"" if cursor is None else b"id: %d\n" % cursor
    given = {name: value for name, value in data.items() if value is not None}
    return b"%sevent: %s\ndata: %s\n\n" % (place, event.encode(), to_json(given))


#: Opens every stream: how long a reader waits before it comes back.
OPENING = b"retry: %d\n\n" % RETRY_MS
