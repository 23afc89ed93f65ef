"""What the jobstore answers: jobs, entries of their logs, agents, limits, operations, and what operators see.

Nothing of it is checked: enumerations are open, and unknown fields are ignored.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pydantic import Field, computed_field

from signoff import identity, judging, keeping
from signoff.agent_stats import AgentStats as AgentStats
from signoff.agent_stats import CircuitChange as CircuitChange
from signoff.agent_stats import Percentiles as Percentiles
from signoff.fields import Model, Money, NextPageToken, Open, SumOfMoney, Time, optional
from signoff.jobs import (
    Execution as Execution,
)
from signoff.jobs import (
    Job as Job,
)
from signoff.jobs import (
    JobCounts as JobCounts,
)
from signoff.jobs import (
    JobFacet as JobFacet,
)
from signoff.jobs import (
    JobFacets as JobFacets,
)
from signoff.jobs import (
    JobFields as JobFields,
)
from signoff.jobs import (
    JobFilter as JobFilter,
)
from signoff.jobs import (
    JobLog as JobLog,
)
from signoff.jobs import (
    PastWait as PastWait,
)
from signoff.jobs import (
    Policy as Policy,
)
from signoff.jobs import (
    Reason as Reason,
)
from signoff.jobs import (
    Removal as Removal,
)
from signoff.jobs import (
    RemovedExecution as RemovedExecution,
)
from signoff.jobs import (
    RemovedVerdict as RemovedVerdict,
)
from signoff.jobs import (
    SavedJob as SavedJob,
)
from signoff.jobs import (
    Waiting as Waiting,
)
from signoff.jobs import (
    WaitingSum as WaitingSum,
)
from signoff.jsontext import Json
from signoff.quality import Quality as Quality
from signoff.quality import QualityCounts as QualityCounts
from signoff.quality import QualityOf as QualityOf
from signoff.quality import QualityOfCriterion as QualityOfCriterion
from signoff.quality import QualityPoint as QualityPoint
from signoff.quality import Worker as Worker
from signoff.quality import Workers as Workers
from signoff.status import (
    CheckOutcome,
    Circuit,
    InboxKind,
    ItemOutcome,
    LetterOutcome,
    OperationKind,
    OperationState,
    Protocol,
    TryState,
)
from signoff.wire import read


class AgentSkill(Model):
    """One thing that an agent says it can do."""

    id: str
    name: str = ""
    description: str = ""
    tags: list[str] = Field(default_factory=list)


class AgentCard(Model):
    """What an A2A server says of itself, as an executor reads it at each change of the agent, and each hour."""

    name: str = ""
    description: str = ""
    version: str = Field("", description="of the agent, in its own words")
    url: str = Field("", description="where it is called")
    binding: str = Field("", description="JSONRPC or HTTP+JSON")
    lists_tasks: bool = Field(
        False, description="if not, work whose answer is lost ends `agent_work_unknown` under `at_most_once`"
    )
    skills: list[AgentSkill] = Field(default_factory=list, description="offered as capabilities")
    read_at: Time
    code: str | None = optional("why it could not be read last")
    message: str | None = optional("the same in words")
    changed_at: Time | None = optional("when another card than the one before was read")
    changes: list[str] = Field(default_factory=list, description="what was changed then, in words")


class Agent(Model):
    """A registered agent."""

    id: str
    name: str
    protocol: Open[Protocol] = Protocol.HTTP
    url: str
    capabilities: list[str] = Field(default_factory=list)
    policy: Policy = Field(default_factory=Policy)
    enabled: bool = True
    deterministic: bool = Field(False, description="its result may be reused for an identical request")
    headers: dict[str, str] = Field(default_factory=dict, description="references to the values of headers")
    settings: dict[str, Json] = Field(
        default_factory=dict,
        description="what its protocol needs to know; an execution has them as they were requested",
    )
    signing: str | None = optional("a reference to the secrets, one or two, that sign each call")
    tenant: str = "default"
    shared: bool = Field(True, description="whether jobs of all tenants may use it")
    circuit: Open[Circuit] = Circuit.CLOSED
    circuit_open_until: Time | None = optional("until when it is given nothing")
    paused: bool = Field(False, description="whether it is given nothing until somebody resumes it")
    card: AgentCard | None = optional("of an A2A server; left out until an executor has read it")
    version: int = Field(1, description="counts its changes from 1")
    created_at: Time
    updated_at: Time


class AgentExchange(Model):
    """One request to an agent and its answer: secrets are `***`, and bodies are cut at 64 KiB."""

    method: str
    url: str
    request_headers: dict[str, str] = Field(default_factory=dict)
    request_body: str = ""
    status: int | None = optional("of the answer; left out if none came")
    response_headers: dict[str, str] = Field(default_factory=dict)
    response_body: str = ""
    duration_s: float = 0.0
    code: str | None = optional("why no whole answer came")
    message: str | None = None
    advice: str | None = optional("what to do about it")


class AgentCheck(Model):
    """One thing that an agent's protocol promises, and whether the agent keeps it."""

    check: str = Field(description="`same_key`, `progress`, `cancel`, `error`, `deadline`, `size` or `signature`")
    outcome: Open[CheckOutcome]
    message: str
    advice: str | None = optional("what to do about it")
    exchanges: list[int] = Field(default_factory=list, description="that show it, by their places from 0")


class AgentTry(Model):
    """A call of an agent that is no job's, and what came of it."""

    id: UUID
    agent_id: str
    check: bool = Field(False, description="whether it is checked how the agent keeps to its protocol")
    state: Open[TryState]
    result: Json = None
    code: str | None = optional("why there is no result")
    message: str | None = None
    advice: str | None = optional("what to do about it")
    cost_usd: SumOfMoney = Decimal(0)
    tokens: int = 0
    duration_s: float | None = None
    exchanges: list[AgentExchange] = Field(
        default_factory=list, description="in order; of very many the first and last"
    )
    exchanges_left_out: int = 0
    checks: list[AgentCheck] = Field(default_factory=list)
    created_at: Time
    answered_at: Time | None = None
    actor: str | None = optional("who asked for it")


class Limit(Model):
    """A limit, as far as it is set."""

    name: str
    concurrency: int | None = optional("executions with executors at once")
    rate: int | None = optional("executions begun in each `rate_period_s`")
    rate_period_s: float = 1.0
    queue_max: int | None = optional("of a tenant: executions that may wait")
    weight: float | None = optional("of a tenant: its share; 1 unless set")
    paused: bool | None = optional("whether nothing begins")
    usd_per_day: Money | None = optional("of a tenant: what its agents and judges may cost in a day of UTC")
    judge_policies: list[str] | None = optional("of a tenant: the judge policies that may be named")
    agents_usd: SumOfMoney | None = optional("of a tenant: what was spent this day of UTC, as agents claim")
    judges_usd: SumOfMoney | None = optional("and by judges")
    version: int = Field(1, description="counts its changes from 1, and again once it was removed")
    updated_at: Time


class OperationItem(Model):
    """One job of an operation."""

    item: int = Field(description="its number within the operation, from 0")
    job_id: str
    title: str = ""
    outcome: Open[ItemOutcome] = Field(
        description="`WAITING` until it is carried out, `REFUSED` with a code, or `CANCELLED` with the operation. Of "
        "what was executed: how that goes, or went, with all that followed by policy, as JobStatus says it, or "
        "`CANCELLED`; what is done to the job later changes nothing here. `DONE` of all else"
    )
    code: str | None = None
    message: str | None = None
    execution_id: UUID | None = optional("what was requested, or cancelled")
    retried_by: UUID | None = optional("the operation that retried it,")
    retry_execution_id: UUID | None = optional("and the execution that this requested")


class Operation(Model):
    """Something done to many jobs; a batch is one that executes them."""

    id: UUID
    tenant: str | None = optional("of all its jobs; not of those from before 0.3.0, and where they are of several")
    kind: Open[OperationKind]
    name: str | None = optional("given when it was made; need not be unique")
    state: Open[OperationState] = Field(description="`RUNNING` until every job of it rests, then `DONE`")
    total: int
    counts: dict[str, int] = Field(description="of items, by their outcome")
    progress: float = Field(0.0, description="the share of its items that came to rest, from 0 to 1")
    rate_per_s: float = Field(0.0, description="of jobs that came to rest, over the last minute")
    ends_at: Time | None = optional("the estimated end; left out while nothing can be estimated")
    created_at: Time
    finished_at: Time | None = None
    retry_of: UUID | None = optional("the operation of which it runs a part again")
    cost_usd: SumOfMoney | None = optional(
        "what its executions, or its judgings, have cost so far, as far as it is known; not given where it makes none"
    )
    tokens: int | None = optional("that these have taken")
    expected_cost_usd: SumOfMoney | None = optional(
        "an estimate of what it will have cost: for each item that is left, what those that ended cost on average; "
        "left out where nothing is known or left"
    )
    acceptance_rate: float | None = optional("the share of what was judged that was accepted")
    filter: JobFilter | None = optional("by which its jobs were chosen when it was made")
    agent_id: str | None = optional("to whom it assigns its jobs")
    judge: str | None = optional("of `rejudge`: by which judge policy and version")
    shadow: bool | None = optional("of `rejudge`: whether nothing changes")
    actor: str | None = optional("who asked for it")
    waiting: list[WaitingSum] = Field(
        default_factory=list, description="why its executions wait, the most first; not in lists"
    )
    refused: list[OperationItem] = Field(
        default_factory=list, description="the first ten items that were refused, and why; not in lists"
    )


class OperationPreview(Model):
    """What an operation would be about."""

    total: int = Field(description="of jobs; more than items_max are refused, and counted no further")
    items_max: int
    counts: dict[str, int] = Field(default_factory=dict, description="by status")
    sample: list[Job] = Field(default_factory=list, description="five at most, without description, criteria, payload")
    cost_usd: SumOfMoney | None = optional(
        "an estimate of what executing them costs: what the last jobs of the same agents spent on average; "
        "of `rejudge`, what judging these jobs cost last, or, where `judge` is named, what verdicts on jobs by that "
        "version cost on average, those that were reused for nothing included; left out where nothing is known or paid"
    )
    cost_of: int = Field(0, description="of how many of the jobs that is; what the others cost is not known")


class OverviewCounts(Model):
    """Counts and times of what happened within a span of time."""

    created: int = 0
    completed: int = 0
    failed: int = 0
    rejected: int = 0
    resubmission_required: int = 0
    cancelled: int = 0
    cost_usd: SumOfMoney = Decimal(0)
    tokens: int = 0
    wait: Percentiles = Field(default_factory=Percentiles, description="from being asked for to the first claim")
    agent: Percentiles = Field(default_factory=Percentiles, description="of a call of an agent")
    judge: Percentiles = Field(default_factory=Percentiles, description="of a judging")
    duration: Percentiles = Field(
        default_factory=Percentiles, description="from being asked for to the end: all waits, calls and judgings"
    )
    queued_max: int | None = optional("the most that waited at once; left out where no sample was taken")
    running_max: int | None = optional("the most at once that were with an agent")
    judging_max: int | None = optional("the most at once that were being judged")


class OverviewPoint(OverviewCounts):
    """A part of the range."""

    at: Time = Field(description="when it begins")


class OverviewTotals(OverviewCounts):
    """The whole range."""

    @computed_field(description="of what was judged; left out where nothing was")  # type: ignore[prop-decorator]
    @property
    def acceptance_rate(self) -> float | None:
        """The share of what was judged that was accepted."""
        judged = self.completed + self.rejected + self.resubmission_required
        return self.completed / judged if judged else None


class OverviewNow(Model):
    """What is there now."""

    queued: int = Field(0, description="executions that wait for a worker,")
    running: int = Field(0, description="are offered to or with one,")
    judging: int = Field(0, description="and whose result waits for a verdict")
    oldest_wait_s: float | None = optional("of what has waited longest among the queued")
    dead_letters: dict[str, int] = Field(
        default_factory=dict, description="by topic; empty while the broker is out of reach"
    )


class Overview(Model):
    """How it went of late, and how much is there now."""

    points: list[OverviewPoint]
    totals: OverviewTotals
    now: OverviewNow
    upstreams_sign: bool = Field(False, description="whether who asks or cancels by a topic must sign")
    signing_secret: str = Field("", description="the id of the secret that signs reports and facts")
    waiting: list[WaitingSum] = Field(
        default_factory=list,
        description="why executions wait now, the most first; this and `now` are two seconds old at most",
    )


class InboxOperation(Model):
    """An operation that does what a group of the inbox needs, as it is made by."""

    kind: Open[OperationKind]
    filter: JobFilter


class InboxGroup(Model):
    """Jobs that need the same, and what does that for all of them."""

    id: str = Field(description="the same as long as it is about the same")
    kind: Open[InboxKind]
    code: str = Field("", description="why they wait, or failed")
    name: str = Field("", description="what holds them back: a limit such as `tenant:press`, an agent's id, ..")
    agent_id: str | None = optional("of what failed")
    criterion: str | None = optional("of what was not accepted")
    count: int = Field(description="of executions that wait, or of the newest 10,000 jobs of a status of 14 days")
    has_more: bool = Field(False, description="whether there may be more than were counted")
    since: Time | None = optional("when the first came to it, or what holds them back was changed, if that is known")
    newest_at: Time | None = optional("when the newest came to it, or was last changed,")
    newest_job_id: str | None = optional("which job that is,")
    newest_title: str | None = None
    message: str | None = optional("and what its log says")
    remedy: str = Field(description="what is to be done, in a sentence")
    operation: InboxOperation | None = optional("does it for all of them")
    resume: str | None = optional("the name to resume, which does it; `batch:` and an id is an operation's")
    filter: JobFilter | None = optional("lists the jobs; others, too, where the reason of a wait is no filter")
    snoozed_until: Time | None = optional("if it is put off: until it grows, or until then")


class OperationGroups(Model):
    """What of a batch failed or was not accepted and stands so now, by what it needs."""

    groups: list[InboxGroup] = Field(
        default_factory=list, description="of its newest 10,000 items that were carried out, as of the inbox"
    )


class InboxHappened(Model):
    """What happened since the viewer's last visit, counted by minutes over a day, and by hours before that."""

    since: Time
    ended: int = Field(0, description="executions that ended, and were not cancelled")
    completed: int = 0
    failed: int = 0
    acceptance_rate: float | None = optional("of what was judged; left out where nothing was")
    cost_usd: SumOfMoney = Decimal(0)


class Inbox(Model):
    """What needs somebody, the urgent first, and what happened since the viewer's last visit."""

    groups: list[InboxGroup]
    count: int = Field(0, description="of groups that are not put off")
    happened: InboxHappened


class DeadLetterResolution(Model):
    """What became of a dead letter, by whom and why."""

    outcome: Open[LetterOutcome]
    actor: str
    reason: str | None = None
    at: Time


class Resolved(Model):
    """How many dead letters were chosen: 500 at most, or 8 MiB. `next_offset` is set where there may be more."""

    letters: int = 0
    skipped: int = Field(0, description="that cannot be redriven, since they are not whole")
    forgotten: int = Field(0, description="executions of which the answer to a wrong record was forgotten")
    next_offset: int | None = optional("the `from_offset` of the rest,")
    to_offset: int | None = optional("and its `to_offset`: of those that were there at first")


class DeadLetter(Model):
    """What could not be processed: why, where it came from, and how it begins. The whole stays in its topic."""

    topic: str
    partition: int
    offset: int
    at: Time
    code: str | None = None
    message: str | None = None
    source_topic: str | None = None
    source_partition: int | None = None
    source_offset: int | None = None
    key: str | None = None
    body: str | None = optional("its first 4,096 bytes as text")
    body_bytes: int = Field(0, description="how many it has in all")
    resolution: DeadLetterResolution | None = optional("what became of it; left out while it is open")
    repeats: int | None = optional("how many more records of its partition it stands for,")
    source_last_offset: int | None = optional("and where the last of them stands")


class DeadLetters(Model):
    """How many are open, by topic, and a page of them, newest first."""

    counts: dict[str, int]
    items: list[DeadLetter]
    next_page_token: NextPageToken = None


#: By the name of a message that is answered, the model of it.
MODELS: Final[Mapping[str, type[Model]]] = {
    **{
        model.__name__: model
        for model in (
            *(Agent, AgentStats, AgentTry, Execution, Inbox, Job, JobLog, Limit),
            *(Operation, OperationItem, Policy, Waiting),
            *(judging.Judging, judging.ReceiptKey),
            *(keeping.Hold, keeping.Retention, keeping.KeptBack),
            *(identity.AccessToken, identity.AuditEntry, identity.Caller, identity.Session, identity.Tenant),
        )
    },
    "CountJobsResponse": JobCounts,
    "CreateJobResponse": SavedJob,
    "CriteriaSet": judging.NamedCriteriaSet,
    "GetOperationGroupsResponse": OperationGroups,
    "GetKeptResponse": keeping.Kept,
    "GetOverviewResponse": Overview,
    "GetQualityResponse": Quality,
    "GetRemovedJobResponse": keeping.RemovedJob,
    "GetWorkersResponse": Workers,
    "GetRejudgeReportResponse": judging.RejudgeReport,
    "GoldenSet": judging.NamedGoldenSet,
    "JudgePolicy": judging.NamedJudgePolicy,
    "LintCriteriaResponse": judging.CriteriaRemarks,
    "ListDeadLettersResponse": DeadLetters,
    "ListJobFacetsResponse": JobFacets,
    "ListJudgePoliciesResponse": judging.JudgePolicies,
    "PreviewOperationResponse": OperationPreview,
    "PreviewRetentionResponse": keeping.RetentionPreview,
    "PutCriteriaSetResponse": judging.SavedCriteriaSet,
    "PutJudgePolicyResponse": judging.SavedJudgePolicy,
    "ResolveDeadLettersResponse": Resolved,
    "UpdateJobResponse": SavedJob,
    "WatchJudgingsResponse": judging.JudgingProgress,
}


def read_model(message: Any) -> Any:
    """Return a message of the jobstore as its model."""
    return read(message, MODELS[message.DESCRIPTOR.name])
