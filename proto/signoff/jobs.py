"""What the jobstore answers of jobs: their fields, logs and executions, and why they wait. `signoff.types` has it, too.

Nothing of it is checked: enumerations are open, and unknown fields are ignored.
"""

from decimal import Decimal
from uuid import UUID

from pydantic import Field

from signoff.fields import JsonModel, Model, Money, NextPageToken, Open, SumOfMoney, Time, optional
from signoff.jsontext import Json
from signoff.judging import Criterion, CriterionWarning, Verdict
from signoff.status import (
    Delivery,
    EmptyResult,
    ExecutionState,
    JobLogKind,
    JobLogStatus,
    JobStatus,
    Resubmit,
)


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
    held: str | None = optional("who holds the job, so that it is not removed, and why; not in lists")


class WaitingSum(Model):
    """How many executions of many wait for one reason, each counted for the first of its reasons."""

    code: str
    name: str = ""
    count: int
    owner: str
    remedy: str
    until: Time | None = optional("the earliest of those that are known")
    since: Time | None = optional("when what holds them back was changed, or was there last: the earliest")


class RemovedExecution(Model):
    """An execution of a removed job."""

    id: UUID
    submission: int
    answer: str = Field(description="what it was answered: a status of the log, in small letters")
    created_at: Time
    batch_id: UUID | None = None
    cost_usd: SumOfMoney | None = optional("left out where nothing was")
    tokens: int | None = None


class RemovedVerdict(Model):
    """A verdict of a removed job."""

    version: int = Field(description="of the entry that had it")
    sha256: str = Field(description="of its JSON as the log had it; hexadecimal")


class Removal(Model):
    """What the entry that removes a job says of it: the line that stays."""

    tenant: str
    created_at: Time = Field(description="when the job was")
    ended_at: Time = Field(description="when it last changed")
    executions: list[RemovedExecution] = Field(
        default_factory=list, description="those that were requested, but for one of no batch that the entry names"
    )
    verdict: RemovedVerdict | None = optional("the last that was given, if any was")
    parts: list[int] = Field(default_factory=list, description="numbers of the archive's parts that hold its log")


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
    removed: Removal | None = optional("of the entry that removes its job, and stays of it")
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
    trace_id: str | None = optional("the trace that it belongs to: that of whoever asked for it, or one of its own")


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
    reasons: list[str] = Field(
        default_factory=list,
        description="any of them: what a job waits for now, `CODE`, or `CODE:NAME` as in `limit_paused:agent:scribe`",
    )


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
