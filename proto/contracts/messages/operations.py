"""What may be done to many jobs, as it is asked for."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.criteria import parse_criteria
from contracts.fields import AgentId, OperationName, StrictModel, Text
from contracts.judging.policy import Reference
from contracts.resources import JobFilter
from signoff.fields import Money
from signoff.status import OperationKind
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read_fields

#: Jobs that may be named at most; a filter may match more.
NAMED_MAX = 10_000

#: What goes with which kinds.
_KINDS_OF = {
    "agent_id": {OperationKind.ASSIGN},
    "comment": {OperationKind.RESUBMIT},
    "reason": {OperationKind.CANCEL},
    "judge": {OperationKind.REJUDGE},
    "criteria": {OperationKind.REJUDGE},
    "criteria_set": {OperationKind.REJUDGE},
    "shadow": {OperationKind.REJUDGE},
    "rate_per_s": {OperationKind.REJUDGE},
    "budget_usd": {OperationKind.REJUDGE},
}


class NewOperation(StrictModel):
    """What to do to many jobs: those that exist and match a filter as the operation is made, or those named."""

    kind: OperationKind = Field(
        description="each job gets what one call of that name would do to it; `retry` executes jobs that stand at "
        "FAILED, or at one of the statuses of the filter, and of what is unproven (`verdict_unproven`) only what a "
        "filter names by that code; `rejudge` judges their results again, and calls no agent"
    )
    name: OperationName | None = None
    filter: JobFilter | None = Field(None, description="with one condition at least; 100,000 jobs at most may match")
    job_ids: list[str] = Field(default_factory=list, max_length=NAMED_MAX, description="instead of a filter")
    agent_id: AgentId | None = Field(None, description="of `assign`: to whom")
    comment: Text | None = Field(None, description="of `resubmit`: told to the agents beside the verdict's feedback")
    reason: Text | None = Field(None, description="of `cancel`")
    judge: Reference | None = Field(
        None,
        description="of `rejudge`: the judge policy, or one version; when not set, for each job the version that it "
        "was judged by, and the validators' own settings where that was none",
    )
    criteria: Text | None = Field(None, description="of `rejudge` as a shadow: judged by instead of the jobs' own")
    criteria_set: Reference | None = Field(None, description="of `rejudge` as a shadow: the set instead of the jobs'")
    shadow: bool | None = Field(
        None, description="of `rejudge`: whether nothing changes; else the verdicts become those of the jobs"
    )
    rate_per_s: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        None, description="of `rejudge`: how many results a second are judged at most"
    )
    budget_usd: Annotated[Money, Field(gt=0)] | None = Field(
        None,
        description="of `rejudge`: what judging may cost; nothing more begins once it would be exceeded "
        "(`budget_exhausted`), nor once some were judged and none tells its cost (`cost_unknown`): it needs a model "
        "whose price is known, or named in the policy",
    )

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
        if (self.criteria is not None or self.criteria_set is not None) and not self.shadow:
            msg = "other criteria need shadow: to judge by them for good, edit the criteria of the jobs first"
            raise ValueError(msg)
        if self.criteria is not None and self.criteria_set is not None:
            msg = "give either criteria or criteria_set"
            raise ValueError(msg)
        if self.criteria is not None and not parse_criteria(self.criteria):
            msg = "criteria must have one criterion at least"
            raise ValueError(msg)
        if self.kind is OperationKind.ASSIGN and self.agent_id is None:
            msg = "agent_id is missing: say to whom the jobs are assigned"
            raise ValueError(msg)
        return self


def new_operation_of(message: pb.NewOperation) -> NewOperation:
    """Return what is asked for as received. Raise ValidationError if it is malformed."""
    return NewOperation(**read_fields(message))
