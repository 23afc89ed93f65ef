"""Models of the API's requests and responses, beside the resources of the contracts.

The fields of a body that asks for a call have the names of the parameters of the jobstore's client.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Generic, Self, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from contracts.criteria import CriteriaList, CriteriaText, join_forms
from contracts.fields import (
    AgentId,
    LabelPair,
    Moment,
    OperationName,
    RetentionName,
    StrictModel,
    Tenant,
    Text,
    matches,
)
from contracts.judging.policy import JudgePolicy
from contracts.judging.versions import Least, NamedJudgePolicy, Share
from contracts.resources import Amount, JobFilter, NewJob, RetentionPatch
from contracts.waiting import WaitReason
from signoff.fields import Model, Money, NextPageToken, Time
from signoff.identity import AccessToken, Caller
from signoff.jsontext import Json
from signoff.judging import Validator
from signoff.status import FACET_FIELDS, AuditOutcome, ItemOutcome, JobLogKind, JobOrder, JobStatus, OperationKind, View
from signoff.types import Job

#: Items of a page. The jobstore takes the largest page for a larger one, as far as the number fits.
PageSize = Annotated[int, Field(ge=0), AfterValidator(lambda size: min(size, 2**31 - 1))]

Item = TypeVar("Item")


GroupId = Annotated[
    str, StringConstraints(max_length=64, pattern=matches(r"^[a-z0-9_-]+$", "must be the id of a group of the inbox"))
]
Code = Annotated[Text, StringConstraints(max_length=64)]
CriterionText = Annotated[Text, StringConstraints(min_length=1, max_length=2_000)]


def optional(description: str) -> Any:
    """Declare a query parameter, or a member of a body, that may be left out."""
    return Field(None, description=description)


def repeated(max_length: int, description: str) -> Any:
    """Declare a query parameter that may be repeated, at most `max_length` times."""
    return Field(default_factory=list, max_length=max_length, description=description)


class PageQuery(Model):
    """Query parameters that choose a page of a list."""

    page_size: PageSize | None = optional("items a page, 500 at most; as many as are usual without it")
    page_token: Annotated[str, Field(description="`next_page_token` of the page before")] = ""

    @property
    def page(self) -> dict[str, Any]:
        """The choice of a page as keyword arguments for the jobstore's client."""
        return {"page_size": self.page_size or 0, "page_token": self.page_token}


Paging = Annotated[PageQuery, Query()]


class OfTenantQuery(PageQuery):
    """Query parameters of a list that may be of one tenant."""

    tenant: Text = Field("", description="of this tenant alone; of all that the caller may see without it")

    @property
    def page(self) -> dict[str, Any]:
        """The choice of a page, and of the tenant."""
        return {**super().page, "tenant": self.tenant}


OfTenant = Annotated[OfTenantQuery, Query()]


class AgentStatsQuery(PageQuery):
    """Query parameters of how agents do."""

    agent_id: Text = Field("", description="of this agent alone, with its percentiles, failures and refusals")

    @property
    def page(self) -> dict[str, Any]:
        """The choice of a page, and of the agent."""
        return {**super().page, "agent_id": self.agent_id}


class ViewQuery(Model):
    """Query parameter that says how much is shown."""

    view: View = Field(View.BASIC, description="`basic` leaves out texts and bodies")


class RemovedJobQuery(PageQuery):
    """Query parameters of a job that was removed."""

    view: View = Field(View.FULL, description="`basic` leaves out texts and bodies")


class RetentionDraft(RetentionPatch):
    """A change of a retention that is not made: what is not given is as it stands."""

    name: RetentionName

    @property
    def change(self) -> dict[str, Any]:
        """The fields that would change, by name."""
        return self.model_dump(include=self.model_fields_set - {"name"})


#: By the name of a parameter that may be repeated: the field of a JobFilter that has all its values.
_FIELDS_OF_FILTERS: Final = {
    **{name: f"{name}s" for name in ("label", "code", "reason")},
    **{f"not_{name}": f"not_{name}s" for name in ("agent_id", "tenant", "label", "batch_id", "code")},
    "not_criterion_not_met": "not_criteria_not_met",
}


class JobsFilter(Model):
    """Query parameters that choose jobs, apart from their status."""

    agent_id: AgentId | None = None
    tenant: Tenant | None = None
    batch_id: UUID | None = None
    label: list[LabelPair] = repeated(64, "`name:value`; all of them must be on the job")
    created_after: Moment | None = optional("or at this time")
    created_before: Moment | None = None
    text: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = optional(
        "its words, or how they begin; or what stands in the id or the title of the newest"
    )
    cancelled: bool | None = optional("whether the last execution was cancelled")
    code: list[Code] = repeated(20, "any of them: why the last execution was not completed")
    criterion_not_met: CriterionText | None = optional(
        "the text of a required criterion that the last verdict did not pass"
    )
    cost_usd_min: Money | None = optional("USD, or more; of jobs whose last execution ended")
    cost_usd_max: Money | None = optional("USD, or less")
    duration_s_min: Amount | None = optional("seconds, or more; of jobs whose last execution ended")
    duration_s_max: Amount | None = optional("seconds, or less")
    id_part: Annotated[Text, StringConstraints(min_length=4, max_length=200)] | None = optional(
        "how the id begins or ends"
    )
    not_agent_id: list[AgentId] = repeated(20, "none of them; a job without an agent matches")
    not_tenant: list[Tenant] = repeated(20, "none of them")
    not_label: list[LabelPair] = repeated(64, "`name:value`; none of them is on the job")
    not_batch_id: list[UUID] = repeated(20, "an item of none of them")
    not_code: list[Code] = repeated(20, "none of them")
    not_criterion_not_met: list[CriterionText] = repeated(20, "the last verdict did not pass any of them: left out")
    reason: list[WaitReason] = repeated(
        20, "any of them: what a job waits for now, `CODE`, or `CODE:NAME` as in `limit_paused:agent:scribe`"
    )

    @field_validator("label", "code", "not_label", "not_code", "reason", mode="before")
    @classmethod
    def _drop_empty(cls, value: object) -> object:
        """Remove empty values from a list, so that `label=` filters by nothing."""
        return [each for each in value if each] if isinstance(value, list) else value

    def to_job_filter(self, statuses: Sequence[JobStatus] = ()) -> JobFilter:
        """Return these conditions, and the statuses, as a filter for the jobstore's client."""
        given = {_FIELDS_OF_FILTERS.get(name, name): getattr(self, name) for name in JobsFilter.model_fields}
        labels = dict(text.split(":", 1) for text in self.label)
        return JobFilter(**given | {"statuses": list(statuses), "labels": labels})


class JobsQuery(JobsFilter, PageQuery, ViewQuery):
    """Query parameters of a list of jobs: filter, order, page."""

    status: list[JobStatus] = Field(default_factory=list, description="any of them")
    order: JobOrder = Field(JobOrder.CREATED_DESC, description="with `-` the newest, or the most, first")


class FacetsQuery(JobsFilter, PageQuery):
    """Query parameters that choose jobs, and the field of which the values are counted."""

    field: Annotated[Text, StringConstraints(max_length=256)] = Field(
        description=f"{', '.join(FACET_FIELDS)} (its names), or `label:NAME` (its values)"
    )
    status: list[JobStatus] = Field(default_factory=list, description="any of them")


class DeadLettersQuery(PageQuery):
    """Query parameters of a list of dead letters."""

    include_done: bool = Field(False, description="also those that were redriven or discarded")


class LogsQuery(PageQuery, ViewQuery):
    """Query parameters of a job's log: filter, order, page."""

    newest_first: bool = False
    submission: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = optional("only what belongs to it")
    from_version: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = optional("of the first entry")
    kind: list[JobLogKind] = repeated(40, "any of them")


class ReceiptQuery(Model):
    """Query parameters of a receipt: which verdict it is about, and how much it says."""

    version: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = optional(
        "of the entry that holds the verdict; without it and a submission: the one that ended the job"
    )
    submission: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = optional("the last verdict on this one")
    view: View = Field(View.FULL, description="`basic` leaves out the texts of criteria, of which hashes stay")


class InboxQuery(Model):
    """Of what an inbox is."""

    tenant: Text = Field("", description="of this tenant alone; of all that the caller may see without it")


class InboxVisit(StrictModel):
    """What its viewer does with the inbox."""

    seen: bool = Field(
        False, description="the viewer looks at it now; half an hour after the last of these its visit has ended"
    )
    snoozed: list[GroupId] = Field(
        default_factory=list, max_length=100, description="ids of groups that are not for now: until they grow"
    )
    until: Time | None = optional("the time at which they are shown again at the latest; in 14 days when not set")
    shown: list[GroupId] = Field(default_factory=list, max_length=1_000, description="ids of groups put off no longer")


class OverviewRange(StrEnum):
    """How far back an overview looks."""

    HOUR = "1h"
    SIX_HOURS = "6h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def seconds(self) -> int:
        """The length of the range in seconds."""
        return {"1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}[self.value]


class OverviewQuery(Model):
    """Of when, and of what, an overview is."""

    range: OverviewRange = OverviewRange.HOUR
    tenant: Text = Field("", description="of this tenant alone; of all that the caller may see without it")


class QualityRange(StrEnum):
    """How far back it looks at what was accepted: by hours up to a week, by days of UTC beyond."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "31d"
    QUARTER = "90d"

    @property
    def seconds(self) -> int:
        """The length of the range in seconds."""
        return {"24h": 86_400, "7d": 604_800, "31d": 2_678_400, "90d": 7_776_000}[self.value]


class QualityQuery(Model):
    """Of when, and of what, it is said how much was accepted."""

    range: QualityRange = QualityRange.WEEK
    tenant: Text = Field("", description="of this tenant alone; of all that the caller may see without it")
    agent_id: Text = Field("", description="of the results of this agent alone,")
    judge: Text = Field("", description="by this judge policy alone, or this version of it (`strict@3`),")
    of_criterion: Text = Field("", description="and of the outcomes of this criterion, in place of the verdicts")


class Page(Model, Generic[Item]):
    """A part of a list; `next_page_token` leads to the next one."""

    items: list[Item]
    next_page_token: NextPageToken = None

    @classmethod
    def of(cls, page: tuple[list[Item], str]) -> Self:
        """Make a page of what the jobstore's client returned: the items, and the token of the next page, or ""."""
        return cls(items=page[0], next_page_token=page[1] or None)


class JobPage(Page[Job]):
    """A part of a list of jobs."""

    searched: int | None = Field(
        None,
        description="so many of the newest were searched for `text`, or sorted of those that match, and no more: "
        "a page that is not full may have a next one",
    )


class JobAssignment(Model):
    """Whom to give a job to, and with what payload if not with its own."""

    agent_id: AgentId
    payload: Json = optional("replaces the job's payload, where it is given")


class ExecutionName(Model):
    """A body that may name the execution; repeated with one id, it is one execution."""

    execution_id: UUID | None = None


class NewExecution(ExecutionName, StrictModel):
    """One execution."""

    not_before: Time | None = optional("it begins no earlier")


class Resubmission(ExecutionName):
    """The next submission."""

    comment: Text | None = optional("told to the agent beside the verdict's feedback")


class Cancellation(Model):
    """Why, and who asks."""

    reason: Text | None = None


class JobCancellation(Cancellation):
    """Of which execution: without one, of whichever is live."""

    execution_id: UUID | None = optional("of this and no other: a repeat never meets the next one")


class NewBatch(Model):
    """Jobs to execute: `job_ids` that exist, those that a `filter` matches, or whole new `jobs`."""

    job_ids: list[str] = Field(default_factory=list, max_length=10_000)
    jobs: list[NewJob] = Field(default_factory=list, max_length=10_000)

    filter: JobFilter | None = None
    name: OperationName | None = None

    @model_validator(mode="after")
    def _check_exactly_one(self) -> Self:
        if [bool(self.job_ids), bool(self.jobs), self.filter is not None].count(True) != 1:
            raise ValueError("give either job_ids, jobs or a filter")
        return self


class OperationsQuery(OfTenantQuery):
    """Which operations to list."""

    kind: list[OperationKind] = Field(default_factory=list, description="may be repeated; all without one")


class ItemsQuery(PageQuery):
    """Which items of an operation to list."""

    outcome: list[ItemOutcome] = Field(default_factory=list, description="may be repeated; all without one")


class AuditChoice(Model):
    """Which entries of the audit."""

    actor: list[Text] = repeated(50, "whose: any of them")
    action: list[Text] = repeated(50, "what was called, such as `create_token`: any of them")
    outcome: list[AuditOutcome] = repeated(2, "done or refused")
    tenant: list[Tenant] = repeated(50, "about these tenants: any of them")
    since: Moment | None = optional("at this time or later")
    until: Moment | None = optional("before this time")

    @property
    def filter(self) -> dict[str, Any]:
        """The choice as the jobstore's client takes it."""
        plural = {f"{name}s": getattr(self, name) for name in ("actor", "action", "outcome", "tenant")}
        return {**plural, "since": self.since, "until": self.until}


class AuditQuery(AuditChoice, PageQuery):
    """Which entries of the audit to list."""


class OperationRetry(Model):
    """Which items of a batch to execute again."""

    name: OperationName | None = optional("of the new one")

    statuses: list[JobStatus] = Field(default_factory=list, description="how they ended; FAILED when not given")


class JudgePolicyPage(Page[NamedJudgePolicy]):
    """A page of judge policies, and the validators that are there."""

    validators: list[Validator]


class VersionsQuery(Model):
    """Which versions of a name."""

    page_size: PageSize | None = optional("versions; 50 when not given, and at most")
    before: Annotated[int | None, Field(ge=1, le=999_999_999, description="only versions below this one")] = None

    @property
    def page(self) -> dict[str, int]:
        """The choice of versions as keyword arguments for the jobstore's client."""
        return {"page_size": self.page_size or 0, "before": self.before or 0}


Versions = Annotated[VersionsQuery, Query()]


Note = Annotated[Text, StringConstraints(max_length=1_000)]


class NewJudgePolicy(StrictModel):
    """A version of a judge policy to add."""

    policy: JudgePolicy = Field(
        description="`name` as in the address; `version`, if it is given, is the newest that is known"
    )
    note: Note | None = optional("what is noted about the version")


class JudgePolicyPromotion(StrictModel):
    """A version to make current."""

    version: int = Field(ge=1, le=999_999_999)
    report: dict[str, Json] | None = Field(
        None,
        description="of `signoff judge evaluate --json` on the policy's golden set, where it has one: its `evaluation` "
        "names the judgings that count, and its `policies` say what these say",
    )
    force_reason: Note | None = optional("why, although something speaks against it; it is kept")


class NewGoldenSet(StrictModel):
    """Labelled cases that a new version of a policy must pass, and what it must reach on them."""

    cases_jsonl: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="a labelled case a line, as `signoff judge evaluate` takes them; each labelled as a whole"
    )
    true_positive_rate_min: Least | None = optional(
        "what the lower bound (95 %) of the share of good results that pass reaches; 0.9 when not set"
    )
    true_negative_rate_min: Least | None = optional("the same of bad ones that do not; 0.9 when not set")
    flips_max: Share | None = optional("of cases whose repeats may differ; any when not set")
    note: Note | None = optional("what is noted about the set")


class Retirement(StrictModel):
    """Why a name is retired."""

    reason: Note | None = None


class NewCriteria(StrictModel):
    """Criteria, in either form, or in both where they say the same."""

    acceptance_criteria: CriteriaText = ""
    criteria: CriteriaList = Field(default_factory=list)

    @model_validator(mode="after")
    def _join(self) -> Self:
        given = self.model_fields_set
        text = self.acceptance_criteria if "acceptance_criteria" in given else None
        _, self.criteria = join_forms(text, self.criteria if "criteria" in given else None)
        return self


class NewCriteriaSet(NewCriteria):
    """A version of a criteria set to add."""

    note: Note | None = optional("what is noted about the version")


class Me(Caller):
    """Who calls, and what it may ask for."""

    may: list[str] = Field(description="the ids of the operations of this API whose roles and tenants the caller has")


class MadeToken(Model):
    """A token that was made, and its secret, which is nowhere else."""

    token: AccessToken
    secret: str = Field(description="what callers send as `Authorization: Bearer <secret>`")


class TokenRotation(StrictModel):
    """How a token is replaced by another of its name."""

    overlap_s: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = optional(
        "seconds for which the tokens before go on; a day when not given, 0: they end now"
    )


class TokensQuery(PageQuery):
    """Query parameters of a list of tokens."""

    include_ended: bool = Field(False, description="also those that have ended or were revoked")


class Health(Model):
    """What the console can reach."""

    status: str = Field(description="`ok`, or `unavailable` while the jobstore or its database is out of reach")
    jobstore: bool = Field(description="whether the jobstore answers")
    live: bool
    version: str = Field(description="of this console")
    database: str | None = optional("why the jobstore cannot write to its database, if it cannot")
    remedy: str | None = optional("what to do about that")
