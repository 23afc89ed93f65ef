"""What the API takes and gives beside the contracts' own resources."""

from typing import Annotated, Generic, Self, TypeVar
from uuid import UUID

from fastapi import Header
from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.jsontext import Json
from contracts.resources import AgentId, JobFilter, Limit, Model, NewJob, Text
from contracts.status import JobStatus

Item = TypeVar("Item")

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="the same key asks for the same thing"),
]


class PageQuery(Model):
    """Which part of a list."""

    limit: Annotated[int | None, Field(ge=1, le=500, description="items a page")] = None
    cursor: Annotated[str, Field(description="`next_cursor` of the page before")] = ""


class JobsQuery(PageQuery):
    """Which jobs."""

    status: list[JobStatus] = Field(default_factory=list)
    agent_id: str | None = None
    tenant: str | None = None
    batch_id: UUID | None = None
    label: list[Annotated[str, StringConstraints(pattern=r"^[^:]+:")]] = Field(
        default_factory=list, max_length=64, description="`name:value`; all of them must be on the job"
    )

    @property
    def labels(self) -> dict[str, str]:
        """The labels by name."""
        return {name: value for name, _, value in (text.partition(":") for text in self.label)}


class Page(Model, Generic[Item]):
    """A part of a list; `next_cursor` leads to the next one."""

    items: list[Item]
    next_cursor: str | None

    @classmethod
    def of(cls, page: tuple[list[Item], str]) -> Self:
        """A page as the jobstore's client answers it."""
        return cls(items=page[0], next_cursor=page[1] or None)


class Assignment(Model):
    """Whom to give a job to, and with what payload if not with its own."""

    agent_id: AgentId
    payload: Json = Field(None, description="replaces the job's payload, where it is given")


class Named(Model):
    """What to call an execution; asking twice with one id is one execution."""

    execution_id: UUID | None = None


class Execution(Named):
    """One execution."""

    not_before: AwareDatetime | None = Field(None, description="it begins no earlier")


class Resubmission(Named):
    """The next submission."""

    comment: Text | None = Field(None, description="told to the agent beside the verdict's feedback")


class Cancellation(Model):
    """Why, and who asks."""

    reason: Text | None = None
    requested_by: Text | None = Field(None, description="as the log tells it; the administrator when not said")


class NewBatch(Model):
    """Jobs to execute: `job_ids` that exist, those that a `filter` matches, or whole new `jobs`."""

    job_ids: list[str] = Field(default_factory=list, max_length=10_000)
    jobs: list[NewJob] = Field(default_factory=list, max_length=10_000)

    filter: JobFilter | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [bool(self.job_ids), bool(self.jobs), self.filter is not None].count(True) != 1:
            msg = "give either job_ids, jobs or a filter"
            raise ValueError(msg)
        return self


class Retry(Model):
    """Which jobs of a batch to execute again."""

    statuses: list[JobStatus] = Field(default_factory=list, description="where they stand; FAILED when not said")


class Limits(Model):
    """All limits."""

    items: list[Limit]


class Health(Model):
    """What the console can reach."""

    status: str = Field(description="`ok`, or `unavailable` while the jobstore is out of reach")
    jobstore: bool
    live: bool
