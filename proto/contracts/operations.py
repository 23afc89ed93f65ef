"""Operations on many jobs: what is asked for, what it would be about, and what became of each job."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from contracts.fields import AgentId, Model, StrictModel, Text
from contracts.resources import Job, JobFilter
from contracts.status import OperationKind

#: Jobs that may be named at most; a filter may match more.
NAMED_MAX = 10_000

OperationName = Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
#: What goes with which kinds.
_KINDS_OF = {
    "agent_id": {OperationKind.ASSIGN},
    "comment": {OperationKind.RESUBMIT},
    "reason": {OperationKind.CANCEL},
    "requested_by": {OperationKind.CANCEL},
}


class NewOperation(StrictModel):
    """What to do to many jobs: those that exist and match a filter as the operation is made, or those named."""

    kind: OperationKind = Field(
        description="each job gets what one call of that name would do to it; `retry` executes jobs that stand at FAILED, "
        "or at one of the statuses of the filter"
    )
    name: OperationName | None = None
    filter: JobFilter | None = Field(None, description="with one condition at least; 100,000 jobs at most may match")
    job_ids: list[str] = Field(default_factory=list, max_length=NAMED_MAX, description="instead of a filter")
    agent_id: AgentId | None = Field(None, description="of `assign`: to whom")
    comment: Text | None = Field(None, description="of `resubmit`: told to the agents beside the verdict's feedback")
    reason: Text | None = Field(None, description="of `cancel`")
    requested_by: Text | None = Field(None, description="of `cancel`: who asks, as the logs tell it")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.job_ids) == (self.filter is not None):
            msg = "give either a filter or job_ids"
            raise ValueError(msg)
        if self.filter is not None and not self.filter.model_dump(exclude_defaults=True):
            msg = "the filter has no condition: it would take every job; name one, such as created_before"
            raise ValueError(msg)
        for name, kinds in _KINDS_OF.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                msg = f"{name} goes with {' or '.join(kinds)}"
                raise ValueError(msg)
        if self.kind is OperationKind.ASSIGN and self.agent_id is None:
            msg = "agent_id is missing: say to whom the jobs are assigned"
            raise ValueError(msg)
        return self


class OperationItem(Model):
    """One job of an operation."""

    item: int = Field(description="its number within the operation, from 0")
    job_id: str
    title: str = ""
    outcome: str = Field(
        description="`WAITING` until it is carried out, `REFUSED` with a code, or `CANCELLED` with the operation. Of what "
        "was executed: how that goes, or went, with all that followed by policy, as JobStatus says it, or `CANCELLED`; "
        "what is done to the job later changes nothing here. `DONE` of all else"
    )
    code: str | None = None
    message: str | None = None
    execution_id: UUID | None = Field(None, description="what was requested, or cancelled")
    retried_by: UUID | None = Field(None, description="the operation that retried it,")
    retry_execution_id: UUID | None = Field(None, description="and the execution that this requested")


class OperationPreview(Model):
    """What an operation would be about."""

    total: int = Field(description="of jobs; more than items_max are refused, and counted no further")
    items_max: int
    counts: dict[str, int] = Field(default_factory=dict, description="by status")
    sample: list[Job] = Field(default_factory=list, description="five at most, without description, criteria, payload")
    cost_usd: float | None = Field(
        None,
        description="an estimate of what executing them costs: what the last jobs of the same agents spent on average; "
        "None where nothing is executed, or nothing is known",
    )
    cost_of: int = Field(0, description="of how many of the jobs that is; what the others cost is not known")
