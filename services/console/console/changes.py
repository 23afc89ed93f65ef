"""A transition as viewers see it: what changed, without bodies, ready to be sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic_core import to_json

from contracts.resources import JobLog
from contracts.status import JobLogStatus, JobStatus

MESSAGE_MAX_CHARS = 500
_SHOWN = {
    *("job_id", "version", "agent_id", "code", "attempt", "submission", "progress", "execution_id"),
    *("spent_usd", "spent_tokens", "next_attempt_at"),
}
RETRY_MS = 1_000


class JobChange(BaseModel):
    """The data of a `job-changed` event. Apply it only if `version` is above the one you have."""

    cursor: int
    job_id: str
    version: int
    status: JobStatus = Field(description="where the job stands now")
    log_status: JobLogStatus | None = Field(None, description="what the log says, where that is no place to stand")
    code: str | None = None
    message: str | None = None
    attempt: int | None = None
    submission: int | None = None
    progress: float | None = Field(None, description="of the job, 0 to 1")
    execution_id: UUID | None = None
    agent_id: str | None = None
    spent_usd: float | None = Field(None, description="by the job, after it; None where nothing was")
    spent_tokens: int | None = None
    next_attempt_at: datetime | None = Field(None, description="after a failure: when the agent is called again")
    at: datetime

    @classmethod
    def of(cls, log: JobLog, cursor: int) -> "JobChange":
        """What a log tells viewers."""
        return cls(
            **log.model_dump(include=_SHOWN),
            cursor=cursor,
            status=log.job_status,
            log_status=log.status if log.status != log.job_status.value else None,
            message=log.message and log.message[:MESSAGE_MAX_CHARS],
            at=log.created_at,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One event of the stream, made once for all viewers."""

    cursor: int
    job_id: str
    frame: bytes

    @classmethod
    def of(cls, log: JobLog, cursor: int) -> "Change":
        """The event that a log becomes."""
        data = JobChange.of(log, cursor).model_dump(mode="json", exclude_none=True)
        return cls(cursor, log.job_id, frame("job-changed", data, cursor))


def frame(event: str, data: dict[str, Any], cursor: int | None = None) -> bytes:
    """One server-sent event; with a cursor, a reader that comes back resumes behind it."""
    place = b"" if cursor is None else b"id: %d\n" % cursor
    return b"%sevent: %s\ndata: %s\n\n" % (place, event.encode(), to_json(data))


#: Opens every stream: how long a reader waits before it comes back.
OPENING = b"retry: %d\n\n" % RETRY_MS
