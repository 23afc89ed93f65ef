"""What the jobstore answers: jobs, entries of their logs, agents, limits, operations, and what operators see.

Nothing of it is checked: enumerations are open, and unknown fields are ignored.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pydantic import Field, computed_field

from signoff import identity, judging
from signoff.agent_stats import AgentStats as AgentStats  # noqa: PLC0414 - it is imported from here
from signoff.agent_stats import CircuitChange as CircuitChange  # noqa: PLC0414 - it is imported from here
from signoff.agent_stats import Percentiles as Percentiles  # noqa: PLC0414 - it is imported from here
from signoff.fields import JsonModel, Model, Money, NextPageToken, Open, SumOfMoney, Time, optional
from signoff.jsontext import Json
from signoff.judging import Criterion, CriterionWarning, Verdict
from signoff.status import (
    CheckOutcome,
    Circuit,
    Delivery,
    EmptyResult,
    ExecutionState,
    InboxKind,
    ItemOutcome,
    JobLogKind,
    JobLogStatus,
    JobStatus,
    LetterOutcome,
    OperationKind,
    OperationState,
    Protocol,
    Resubmit,
    TryState,
)
from signoff.wire import read


class Policy(Model):
    """How a job is run. What is not set is taken from the agent, and then from the service's settings."""

    max_submissions: int | None = optional("not-met verdicts before the job is REJECTED")
    max_calls: int | None = optional("calls of the agent in all, lost ones included")
    attempt_timeout_s: float | None = optional("the whole call of an agent")
    deadline_s: float | None = optional("all attempts and the judgement")
    delivery: Open[Delivery] | None = None
    connect_timeout_s: float | None = optional("connecting to the agent")
    queue_timeout_s: float | None = optional("due, and not taken by an executor")
    heartbeat_timeout_s: float | None = optional("an asynchronous agent's silence")
    judging_timeout_s: float | None = optional("from the result to the verdict")
    backoff_first_s: float | None = optional("the longest wait after the first call")
    backoff_max_s: float | None = optional("the longest wait of all")
    backoff_factor: float | None = optional("by which it grows from call to call")
    retry_codes: list[str] | None = optional("after which the agent is called again, whatever else")
    no_retry_codes: list[str] | None = optional("after which it never is")
    resubmit: Open[Resubmit] | None = optional("who asks for the next submission; by hand when not set")
    hand_over_after: int | None = optional(
        "if automatic: not-met verdicts on an agent's work before another one gets the job"
    )
    budget_usd: Money | None = optional("of all calls of agents and judges")
    budget_tokens: int | None = optional("of all calls of agents and judges")
    reuse_verdict: bool | None = optional("whether a verdict on the identical result may be reused")
    empty_result: Open[EmptyResult] | None = optional(
        "what becomes of a result without content; when not set it is not met, and no judge is asked"
    )
    judge: str | None = optional("the judge policy, by name or `name@version`; `default` when not set")
    criteria_set: str | None = optional("the criteria set that is judged by besides, by name or `name@version`")


class Reason(Model):
    """One thing that holds back an execution."""

    code: str
    name: str = Field("", description="a limit such as `tenant:press`, an agent's id, `executor` or `validator`")
    used: int | None = optional("of what is `allowed`, such as 5 of 5")
    allowed: int | None = None
    since: Time | None = optional("when what holds it back was last changed, or last heard of")
    until: Time | None = optional("when it lifts by itself, if that is known")
    owner: str = Field(description="whose move it is: operator, caller, agent, time or signoff")
    remedy: str = Field(description="what lifts it, in a sentence")
    allowed_usd: Money | None = optional("of `limit_usd_per_day`: what may be spent in a day of UTC")
    agents_usd: SumOfMoney | None = optional("what was spent of that by now, as agents claim")
    judges_usd: SumOfMoney | None = optional("and by judges")


class PastWait(Model):
    """What an execution has waited for, and from when to when."""

    code: str
    name: str = Field("", description="a limit such as `tenant:press`, an agent's id, or `executor`")
    since: Time
    until: Time


class Waiting(Model):
    """Why an execution waits, or a job for which an agent is looked for. One that does not wait has no reasons."""

    execution_id: UUID | None = optional("left out of a job without an execution")
    since: Time | None = optional("when the last entry of its log was recorded: since then it waits")
    reasons: list[Reason] = Field(default_factory=list, description="the first is what it meets first")
    place: int | None = optional(
        "of what is due, and not in lists: its turn among those of its tenant under the same limits; "
        "10001 stands for any later one"
    )
    starts_at: Time | None = optional("when it begins, where nothing but its own time holds it back")


class WaitingSum(Model):
    """How many executions of many wait for one reason, each counted for the first of its reasons."""

    code: str
    name: str = ""
    count: int
    owner: str
    remedy: str
    until: Time | None = optional("the earliest of those that are known")
    since: Time | None = optional("when what holds them back was changed, or was there last: the earliest")


class JobLog(JsonModel):
    """One recorded transition."""

    id: UUID
    job_id: str
    version: int
    status: Open[JobLogStatus]
    job_status: Open[JobStatus] = Field(description="where the job stood after it")
    agent_id: str | None = None
    request: Json = optional("what the agent was sent: the body of every call of the execution that is requested")
    payload: Json = optional("the job's, from its creation or an assignment on")
    before: dict[str, Json] | None = optional("of an edit: each field that it changed, as it was")
    after: dict[str, Json] | None = optional("and as it is since")
    result: Json = optional("what the agent answered; beside a verdict, what was judged")
    partial: Json = optional("of progress: what the agent had so far")
    verdict: Verdict | None = None
    message: str | None = None
    code: str | None = optional("a stable error or reason code")
    execution_id: UUID | None = None
    attempt: int | None = None
    lease: int | None = None
    submission: int | None = None
    event_id: UUID | None = None
    progress: float | None = optional("of the job, after it")
    cost_usd: SumOfMoney | None = optional("by the job, after it; left out where nothing was")
    tokens: int | None = None
    next_attempt_at: Time | None = optional("after a failure: when the agent is called again")
    kind: Open[JobLogKind] | None = optional("what was reported, asked for or noticed")
    max_calls: int | None = optional("of the agent, that the execution's policy allows in all")
    spent_calls: int | None = optional("of the execution, after it: that failed or were lost")
    actor: str | None = optional("who asked for it, by their credentials")
    duration_s: float | None = optional("of the call or the judging that it ends, as its worker measured it")
    waited: list[PastWait] | None = optional(
        "what its execution waited for before it, in order: of what took a tenth of a second at least"
    )
    handle: str | None = optional("the agent's own name for the work, where it was reported")
    tenant: str | None = optional("that of the job")
    cursor: int = Field(0, description="the number of its row; where a watch goes on")
    created_at: Time


class JobFields(JsonModel):
    """All of a job but its criteria. `version` counts its recorded transitions from 1, without a gap."""

    id: str
    title: str
    description: str | None = optional("of full jobs; criteria, references and payload are, too")
    acceptance_criteria: str | None = None
    references: dict[int, str] | None = optional(
        "for judges alone, by the number of their criterion in `criteria`, from 1"
    )
    payload: Json = None
    status: Open[JobStatus]
    version: int
    agent_id: str | None = None
    execution_id: UUID | None = optional("the execution that is live, or was the last")
    submission: int = Field(1, description="of the execution that is live, or was the last, or comes next")
    priority: int = 5
    tenant: str = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    policy: Policy = Field(default_factory=Policy)
    progress: float | None = optional("of the last execution, 0 to 1, as its agent reported last")
    progress_message: str | None = None
    capabilities: list[str] = Field(default_factory=list)
    not_before: Time | None = None
    batch_id: UUID | None = optional("the last that executed it")
    cost_usd: SumOfMoney = Field(Decimal(0), description="by all calls of agents and judges, as far as they claim it")
    tokens: int = 0
    live: bool | None = optional("whether an execution is asked for or under way; left out: it is not known here")
    cancelled: bool = Field(
        False, description="whether the last execution was cancelled, and nothing was asked for since"
    )
    code: str | None = optional("why the last execution was not completed, or no agent matches")
    duration_s: float | None = optional("from the request of the last execution to its end; left out while it goes on")
    created_at: Time
    updated_at: Time
    last_log: JobLog | None = optional("the newest entry of its log, without payloads; where it was asked for")
    waiting: Waiting | None = optional("why it waits, if it does; in lists")
    result: Json = optional("of the last submission that was judged; where one job is read")
    verdict: Verdict | None = optional("on that result")
    result_version: int | None = optional("of the entry of the log that holds these two")


class Job(JobFields):
    """A job as it stands. `version` counts its recorded transitions from 1, without a gap."""

    criteria: list[Criterion] | None = optional("what `acceptance_criteria` says")


class SavedJob(Job):
    """A job as the answer to creating or editing it shows it."""

    warnings: list[CriterionWarning] = Field(default_factory=list, description="of its criteria, which were accepted")


class Execution(Model):
    """One request to run a job, and what became of it, whatever ran later."""

    id: UUID
    job_id: str | None = optional("none where it was cancelled before anybody asked for it")
    submission: int = Field(1, description="the number of the job's submission that it makes")
    agent_id: str | None = None
    state: Open[ExecutionState]
    attempt: int = Field(0, description="attempts that have begun")
    spent_calls: int = Field(0, description="calls that failed or were lost")
    max_calls: int | None = optional("calls that its policy allows in all")
    batch_id: UUID | None = None
    not_before: Time | None = optional("it begins no earlier")
    deadline_at: Time | None = None
    judge: str | None = optional("the version of the judge policy, frozen at the request")
    code: str | None = optional("why it was not completed")
    cost_usd: SumOfMoney | None = optional("spent when it ended, or by now, as far as calls reported it")
    tokens: int | None = None
    created_at: Time = Field(description="when it was requested")
    ended_at: Time | None = None
    settings: dict[str, Json] | None = optional("what its agent is called with, frozen at the request")


class JobFilter(Model):
    """Jobs by what they are; all that is given must hold."""

    statuses: list[Open[JobStatus]] = Field(default_factory=list)
    agent_id: str | None = None
    tenant: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    batch_id: UUID | None = optional("the items of a batch, or of any other operation")
    created_after: Time | None = optional("or at this time")
    created_before: Time | None = None
    text: str | None = optional("its words, or how they begin; or what stands in the id or the title of the newest")
    cancelled: bool | None = optional("whether the last execution was cancelled")
    codes: list[str] = Field(default_factory=list, description="any of them: why the last execution was not completed")
    criterion_not_met: str | None = optional("the text of a required criterion that the last verdict did not pass")
    cost_usd_min: Money | None = optional("or as much; jobs whose last execution ended")
    cost_usd_max: Money | None = optional("or as much")
    duration_s_min: float | None = optional("or as long")
    duration_s_max: float | None = optional("or as long")
    id_part: str | None = optional("how the id begins or ends")
    not_agent_ids: list[str] = Field(default_factory=list, description="none of them; a job without an agent matches")
    not_tenants: list[str] = Field(default_factory=list, description="none of them")
    not_labels: list[str] = Field(default_factory=list, description="`name:value`; none of them is on the job")
    not_batch_ids: list[UUID] = Field(default_factory=list, description="an item of none of them")
    not_codes: list[str] = Field(default_factory=list, description="none of them")
    not_criteria_not_met: list[str] = Field(
        default_factory=list, description="the last verdict did not pass any of them: left out"
    )


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


class JobCounts(Model):
    """How many jobs match, by status; those that are 0 are left out."""

    counts: dict[str, int]
    capped_at: int = Field(description="a count that has reached it may be more")
    searched: int | None = optional("so many of the newest that match were counted, and no more")
    cancelled: int = Field(0, description="those whose last execution was cancelled, at whatever status they are")


class JobFacet(Model):
    """A value of a field, and how many jobs have it."""

    value: str = Field(description="`CANCELLED` of a status: whose last execution was, at whatever status they are")
    count: int
    name: str | None = optional("of the agent or the batch, where it has one")


class JobFacets(Model):
    """How many jobs match, by the values of a field, the most frequent first."""

    facets: list[JobFacet]
    capped_at: int = Field(description="a count that has reached it may be more")
    searched: int | None = optional(
        "so many of the newest jobs that match were counted, and no more; not given: all were"
    )
    next_page_token: NextPageToken = None


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
    newest_at: Time | None = optional("of jobs: when the newest came to it,")
    newest_job_id: str | None = optional("which one that is,")
    message: str | None = optional("and what its log says")
    remedy: str = Field(description="what is to be done, in a sentence")
    operation: InboxOperation | None = optional("does it for all of them")
    resume: str | None = optional("the name to resume, which does it; `batch:` and an id is an operation's")
    filter: JobFilter | None = optional("lists the jobs; others, too, where the reason of a wait is no filter")
    snoozed_until: Time | None = optional("if it is put off: until it grows, or until then")


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
            *(identity.AccessToken, identity.AuditEntry, identity.Caller, identity.Session, identity.Tenant),
        )
    },
    "CountJobsResponse": JobCounts,
    "CreateJobResponse": SavedJob,
    "CriteriaSet": judging.NamedCriteriaSet,
    "GetOverviewResponse": Overview,
    "GetRejudgeReportResponse": judging.RejudgeReport,
    "GoldenSet": judging.NamedGoldenSet,
    "JudgePolicy": judging.NamedJudgePolicy,
    "LintCriteriaResponse": judging.CriteriaRemarks,
    "ListDeadLettersResponse": DeadLetters,
    "ListJobFacetsResponse": JobFacets,
    "ListJudgePoliciesResponse": judging.JudgePolicies,
    "PreviewOperationResponse": OperationPreview,
    "PutCriteriaSetResponse": judging.SavedCriteriaSet,
    "PutJudgePolicyResponse": judging.SavedJudgePolicy,
    "ResolveDeadLettersResponse": Resolved,
    "UpdateJobResponse": SavedJob,
    "WatchJudgingsResponse": judging.JudgingProgress,
}


def read_model(message: Any) -> Any:
    """Return a message of the jobstore as its model."""
    return read(message, MODELS[message.DESCRIPTOR.name])
