"""Jobs, logs, agents and verdicts, as REST bodies and Kafka bodies show them."""

import operator
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, computed_field, model_validator

from contracts.agents.headers import HEADERS_MAX, check_header_changes, check_headers
from contracts.agents.urls import check_http_url
from contracts.criteria import (
    CriteriaList,
    CriteriaText,
    Criterion,
    CriterionWarning,
    ReferenceChanges,
    References,
    check_numbers,
    join_forms,
    parse_stored_criteria,
)
from contracts.fields import (
    AgentId,
    Capabilities,
    FailureCodes,
    JobId,
    JsonModel,
    Label,
    LabelPair,
    Labels,
    Model,
    NextPageToken,
    Open,
    Patch,
    Priority,
    StrictModel,
    Tenant,
    Text,
    Time,
    Title,
)
from contracts.judging.policy import Reference
from contracts.judging.verdict import Verdict
from contracts.waiting.reasons import PastWait, Waiting, WaitingSum
from signoff.jsontext import Json
from signoff.status import (
    Circuit,
    Delivery,
    EmptyResult,
    ExecutionState,
    ItemOutcome,
    JobLogKind,
    JobLogStatus,
    JobStatus,
    OperationKind,
    OperationState,
    Protocol,
    Resubmit,
)


class Policy(StrictModel):
    """How a job is run. What is not set is taken from the agent, and then from the service's settings."""

    max_submissions: int | None = Field(None, ge=1, le=100, description="not-met verdicts before the job is REJECTED")
    max_calls: int | None = Field(None, ge=1, le=100, description="calls of the agent in all, lost ones included")
    attempt_timeout_s: float | None = Field(None, gt=0, le=86_400, description="the whole call of an agent")
    deadline_s: float | None = Field(None, gt=0, le=2_592_000, description="all attempts and the judgement")
    delivery: Delivery | None = None
    connect_timeout_s: float | None = Field(None, gt=0, le=300, description="connecting to the agent")
    queue_timeout_s: float | None = Field(None, gt=0, le=2_592_000, description="due, and not taken by an executor")
    heartbeat_timeout_s: float | None = Field(None, gt=0, le=86_400, description="an asynchronous agent's silence")
    judging_timeout_s: float | None = Field(None, gt=0, le=2_592_000, description="from the result to the verdict")
    backoff_first_s: float | None = Field(None, ge=0, le=86_400, description="the longest wait after the first call")
    backoff_max_s: float | None = Field(None, ge=0, le=86_400, description="the longest wait of all")
    backoff_factor: float | None = Field(None, ge=1, le=100, description="by which it grows from call to call")
    retry_codes: FailureCodes | None = Field(None, description="after which the agent is called again, whatever else")
    no_retry_codes: FailureCodes | None = Field(None, description="after which it never is")
    resubmit: Resubmit | None = Field(None, description="who asks for the next submission; by hand when not set")
    hand_over_after: int | None = Field(
        None,
        ge=1,
        le=100,
        description="if automatic: not-met verdicts on an agent's work before another one gets the job",
    )
    budget_usd: float | None = Field(None, ge=0, le=1_000_000, description="of all calls of agents and judges")
    budget_tokens: int | None = Field(None, ge=0, le=2**53, description="of all calls of agents and judges")
    reuse_verdict: bool | None = Field(None, description="whether a verdict on the identical result may be reused")
    empty_result: EmptyResult | None = Field(
        None, description="what becomes of a result without content; when not set it is not met, and no judge is asked"
    )
    judge: Reference | None = Field(
        None, description="the judge policy, by name or `name@version`; `default` when not set"
    )
    criteria_set: Reference | None = Field(
        None, description="the criteria set that is judged by besides, by name or `name@version`"
    )

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, given: object) -> object:
        """Take the number of calls by the name that it had, too."""
        if not isinstance(given, dict) or "max_attempts" not in given:
            return given
        return {"max_calls" if name == "max_attempts" else name: value for name, value in given.items()}

    def over(self, other: "Policy") -> "Policy":
        """Return this policy, with the fields that are not set taken from another."""
        own = vars(self)
        missing = {name: value for name, value in vars(other).items() if value is not None and own[name] is None}
        return self.model_copy(update=missing)


class NewJob(StrictModel):
    """What somebody asks for."""

    id: JobId | None = Field(None, description="chosen by whoever creates it, or by the jobstore")
    title: Title
    description: Text = ""
    acceptance_criteria: CriteriaText = ""
    criteria: CriteriaList = Field(default_factory=list, exclude=True)
    references: References = Field(default_factory=dict)
    payload: Json = None
    agent_id: AgentId | None = None
    capabilities: Capabilities = Field(default_factory=list)
    not_before: Time | None = Field(None, description="no execution begins earlier")
    priority: Priority = 5
    tenant: Tenant = "default"
    labels: Labels = Field(default_factory=dict)
    policy: Policy = Field(default_factory=Policy)

    @model_validator(mode="after")
    def _complete_criteria(self) -> Self:
        given = _given_criteria(self)
        if self.policy.criteria_set is None or any(given):  # else those of its set are enough
            self.acceptance_criteria, self.criteria = join_forms(*given)
        check_numbers(self.references, self.criteria)
        return self


class JobPatch(Patch):
    """What a job is to ask for from now on; what is not given stays.

    Criteria without references drop those that there are: their numbers would be others'.
    """

    title: Title = Field(default_factory=str)
    description: Text | None = None
    acceptance_criteria: CriteriaText | None = None
    criteria: CriteriaList | None = Field(None, exclude=True)
    references: ReferenceChanges | None = None
    payload: Json = None
    capabilities: Capabilities | None = None
    not_before: Time | None = Field(None, description="no execution begins earlier")
    priority: Priority | None = None
    labels: dict[Label, Label | None] | None = None
    policy: Policy | None = None

    @model_validator(mode="after")
    def _complete_criteria(self) -> Self:
        text, criteria = _given_criteria(self)
        if text is None and criteria is None:
            return self
        if text or criteria:
            self.acceptance_criteria, self.criteria = join_forms(text, criteria)
        else:  # those of its set may be enough
            self.acceptance_criteria, self.criteria = "", []
        self.model_fields_set.add("acceptance_criteria")  # they are one thing, named by its text form
        self.model_fields_set.discard("criteria")
        check_numbers(self.references or {}, self.criteria)
        return self


def _given_criteria(job: NewJob | JobPatch) -> tuple[str | None, list[Criterion] | None]:
    given = job.model_fields_set
    return (
        job.acceptance_criteria or "" if "acceptance_criteria" in given else None,
        job.criteria or [] if "criteria" in given else None,
    )


class Job(JsonModel):
    """A job as it stands. `version` counts its recorded transitions from 1, without a gap."""

    id: str
    title: str
    description: str = ""
    acceptance_criteria: str = ""
    references: dict[int, str] = Field(
        default_factory=dict, description="for judges alone, by the number of their criterion in `criteria`, from 1"
    )
    payload: Json = None
    status: Open[JobStatus]
    version: int
    agent_id: str | None = None
    execution_id: UUID | None = Field(None, description="the execution that is live, or was the last")
    submission: int = Field(1, description="of the execution that is live, or was the last, or comes next")
    priority: int = 5
    tenant: str = "default"
    labels: dict[str, str] = Field(default_factory=dict)
    policy: Policy = Field(default_factory=Policy)
    progress: float | None = Field(None, description="of the last execution, 0 to 1, as its agent reported last")
    progress_message: str | None = None
    capabilities: list[str] = Field(default_factory=list)
    not_before: Time | None = None
    batch_id: UUID | None = Field(None, description="the last that executed it")
    cost_usd: float = Field(0.0, description="by all calls of agents and judges, as far as they claim it")
    tokens: int = 0
    live: bool | None = Field(
        None, description="whether an execution is asked for or under way; None: it is not known here"
    )
    cancelled: bool = Field(
        False, description="whether the last execution was cancelled, and nothing was asked for since"
    )
    code: str | None = Field(None, description="why the last execution was not completed, or no agent matches")
    duration_s: float | None = Field(
        None, description="from the request of the last execution to its end; None while it goes on"
    )
    created_at: Time
    updated_at: Time
    last_log: "JobLog | None" = Field(
        None, description="the newest entry of its log, without payloads; where it was asked for"
    )
    waiting: Waiting | None = Field(None, description="why it waits, if it does; in lists")
    result: Json = Field(None, description="of the last submission that was judged; where one job is read")
    verdict: Verdict | None = Field(None, description="on that result")
    result_version: int | None = Field(None, description="of the entry of the log that holds these two")

    @computed_field(description="what `acceptance_criteria` says")  # type: ignore[prop-decorator]
    @property
    def criteria(self) -> list[Criterion]:
        """The criteria, as its text form says: no text is told twice in what is stored and published."""
        return parse_stored_criteria(self.acceptance_criteria)


class SavedJob(Job):
    """A job as the answer to creating or editing it shows it."""

    warnings: list[CriterionWarning] = Field(default_factory=list, description="of its criteria, which were accepted")


class Execution(Model):
    """One request to run a job, and what became of it, whatever ran later."""

    id: UUID
    job_id: str | None = Field(None, description="none where it was cancelled before anybody asked for it")
    submission: int = Field(1, description="the number of the job's submission that it makes")
    agent_id: str | None = None
    state: Open[ExecutionState]
    attempt: int = Field(0, description="attempts that have begun")
    spent_calls: int = Field(0, description="calls that failed or were lost")
    max_calls: int | None = Field(None, description="calls that its policy allows in all")
    batch_id: UUID | None = None
    not_before: Time | None = Field(None, description="it begins no earlier")
    deadline_at: Time | None = None
    judge: str | None = Field(None, description="the version of the judge policy, frozen at the request")
    code: str | None = Field(None, description="why it was not completed")
    cost_usd: float | None = Field(None, description="spent when it ended, or by now, as far as calls reported it")
    tokens: int | None = None
    created_at: Time = Field(description="when it was requested")
    ended_at: Time | None = None


class JobLog(JsonModel):
    """One recorded transition."""

    id: UUID
    job_id: str
    version: int
    status: Open[JobLogStatus]
    job_status: Open[JobStatus] = Field(description="where the job stood after it")
    agent_id: str | None = None
    request: Json = Field(
        None, description="what the agent was sent: the body of every call of the execution that is requested"
    )
    payload: Json = Field(None, description="the job's, from its creation or an assignment on")
    before: dict[str, Json] | None = Field(None, description="of an edit: each field that it changed, as it was")
    after: dict[str, Json] | None = Field(None, description="and as it is since")
    result: Json = Field(None, description="what the agent answered; beside a verdict, what was judged")
    partial: Json = Field(None, description="of progress: what the agent had so far")
    verdict: Verdict | None = None
    message: str | None = None
    code: str | None = Field(None, description="a stable error or reason code")
    execution_id: UUID | None = None
    attempt: int | None = None
    lease: int | None = None
    submission: int | None = None
    event_id: UUID | None = None
    progress: float | None = Field(None, description="of the job, after it")
    cost_usd: float | None = Field(None, description="by the job, after it; None where nothing was")
    tokens: int | None = None
    next_attempt_at: Time | None = Field(None, description="after a failure: when the agent is called again")
    kind: Open[JobLogKind] | None = Field(None, description="what was reported, asked for or noticed")
    max_calls: int | None = Field(None, description="of the agent, that the execution's policy allows in all")
    spent_calls: int | None = Field(None, description="of the execution, after it: that failed or were lost")
    actor: str | None = Field(None, description="who asked for it, by their credentials")
    duration_s: float | None = Field(
        None, description="of the call or the judging that it ends, as its worker measured it"
    )
    waited: list[PastWait] | None = Field(
        None, description="what its execution waited for before it, in order: of what took a tenth of a second at least"
    )
    cursor: int = Field(0, description="the number of its row; where a watch goes on")
    created_at: Time


AgentName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
AgentUrl = Annotated[Text, StringConstraints(max_length=2000), AfterValidator(check_http_url)]


class NewAgent(StrictModel, hide_input_in_errors=True):
    """An agent to register."""

    id: AgentId | None = None
    name: AgentName
    protocol: Protocol = Protocol.HTTP
    url: AgentUrl
    capabilities: list[Label] = Field(default_factory=list, max_length=64)
    policy: Policy = Field(default_factory=Policy)
    enabled: bool = True
    deterministic: bool = Field(False, description="its result may be reused for an identical request")
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict,
        max_length=HEADERS_MAX,
        description="sent with every call; each value by reference: `env:SIGNOFF_AGENT_<NAME>` or `file:<path>`",
    )


class AgentPatch(Patch, hide_input_in_errors=True):
    """What is to change of an agent; what is not given stays. A URL with `***` for user and password keeps them."""

    name: AgentName = Field(default_factory=str)
    protocol: Protocol | None = None
    url: AgentUrl = Field(default_factory=str)
    capabilities: list[Label] | None = Field(None, max_length=64)
    policy: Policy | None = None
    enabled: bool | None = None
    deterministic: bool | None = None
    headers: Annotated[dict[str, str | None], AfterValidator(check_header_changes)] | None = Field(
        None, description="null sends one no more"
    )


class Agent(NewAgent):
    """A registered agent."""

    id: str
    headers: dict[str, str] = Field(default_factory=dict, description="references to the values of headers")
    protocol: Open[Protocol] = Protocol.HTTP
    circuit: Open[Circuit] = Circuit.CLOSED
    circuit_open_until: Time | None = Field(None, description="until when it is given nothing")
    paused: bool = Field(False, description="whether it is given nothing until somebody resumes it")
    version: int = Field(1, description="counts its changes from 1")
    created_at: Time
    updated_at: Time


class NewLimit(StrictModel):
    """What holds back the executions that a name applies to; what is not set is as the limit of its wildcard says."""

    concurrency: int | None = Field(None, ge=0, le=1_000_000, description="executions with executors at once")
    rate: int | None = Field(None, ge=1, le=1_000_000, description="executions begun in each `rate_period_s`")
    rate_period_s: float = Field(1.0, gt=0, le=2_592_000)
    queue_max: int | None = Field(None, ge=0, le=100_000_000, description="of a tenant: executions that may wait")
    weight: float | None = Field(None, gt=0, le=1_000, description="of a tenant: its share; 1 unless set")
    paused: bool | None = Field(None, description="begin nothing; stays as it is where it is not given")

    @property
    def is_empty(self) -> bool:
        """Whether it sets nothing."""
        return all(getattr(self, name) is None for name in NewLimit.model_fields if name != "rate_period_s")


class LimitPatch(Patch, NewLimit):
    """What is to change of a limit; what is not given stays. One of which nothing is left is removed."""

    rate_period_s: float | None = Field(None, gt=0, le=2_592_000)  # type: ignore[assignment]
    paused: bool | None = Field(None, description="begin nothing")


class Limit(NewLimit):
    """A limit, as far as it is set."""

    name: str
    version: int = Field(1, description="counts its changes from 1, and again once it was removed")
    updated_at: Time


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class JobFilter(StrictModel):
    """Jobs by what they are; all that is given must hold."""

    statuses: list[JobStatus] = Field(default_factory=list)
    agent_id: str | None = None
    tenant: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    batch_id: UUID | None = Field(None, description="the items of a batch, or of any other operation")
    created_after: Time | None = Field(None, description="or at this time")
    created_before: Time | None = None
    text: Annotated[Text, StringConstraints(max_length=200)] | None = Field(
        None, description="its words, or how they begin; or what stands in the id or the title of the newest"
    )
    cancelled: bool | None = Field(None, description="whether the last execution was cancelled")
    codes: list[Annotated[Text, StringConstraints(max_length=64)]] = Field(
        default_factory=list, max_length=20, description="any of them: why the last execution was not completed"
    )
    criterion_not_met: Annotated[Text, StringConstraints(max_length=2_000)] | None = Field(
        None, description="the text of a required criterion that the last verdict did not pass"
    )
    cost_usd_min: Amount | None = Field(None, description="or as much; jobs whose last execution ended")
    cost_usd_max: Amount | None = Field(None, description="or as much")
    duration_s_min: Amount | None = Field(None, description="or as long")
    duration_s_max: Amount | None = Field(None, description="or as long")
    id_part: Annotated[Text, StringConstraints(min_length=4, max_length=200)] | None = Field(
        None, description="how the id begins or ends"
    )
    not_agent_ids: list[Text] = Field(
        default_factory=list, max_length=20, description="none of them; a job without an agent matches"
    )
    not_tenants: list[Text] = Field(default_factory=list, max_length=20, description="none of them")
    not_labels: list[LabelPair] = Field(
        default_factory=list, max_length=64, description="`name:value`; none of them is on the job"
    )
    not_batch_ids: list[UUID] = Field(default_factory=list, max_length=20, description="an item of none of them")
    not_codes: list[Annotated[Text, StringConstraints(max_length=64)]] = Field(
        default_factory=list, max_length=20, description="none of them"
    )
    not_criteria_not_met: list[Annotated[Text, StringConstraints(max_length=2_000)]] = Field(
        default_factory=list, max_length=20, description="the last verdict did not pass any of them: left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, given: object) -> object:
        """Take the bounds of the cost by the names that they had, too."""
        if not isinstance(given, dict):
            return given
        names = {f"{old}_{bound}": f"cost_usd_{bound}" for old in ("cost", "spent_usd") for bound in ("min", "max")}
        return {names.get(name, name): value for name, value in given.items()}


class JobCounts(Model):
    """How many jobs match, by status; those that are 0 are left out."""

    counts: dict[str, int]
    capped_at: int = Field(description="a count that has reached it may be more")
    searched: int | None = Field(None, description="so many of the newest that match were counted, and no more")
    cancelled: int = Field(0, description="those whose last execution was cancelled, at whatever status they are")


class JobFacet(Model):
    """A value of a field, and how many jobs have it."""

    value: str = Field(description="`CANCELLED` of a status: whose last execution was, at whatever status they are")
    count: int
    name: str | None = Field(None, description="of the agent or the batch, where it has one")


class JobFacets(Model):
    """How many jobs match, by the values of a field, the most frequent first."""

    facets: list[JobFacet]
    capped_at: int = Field(description="a count that has reached it may be more")
    searched: int | None = Field(
        None, description="so many of the newest jobs that match were counted, and no more; not given: all were"
    )
    next_page_token: NextPageToken = None


class OperationFilter(JobFilter):
    """The filter that an operation was made with."""

    statuses: list[Open[JobStatus]] = Field(default_factory=list)


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
    execution_id: UUID | None = Field(None, description="what was requested, or cancelled")
    retried_by: UUID | None = Field(None, description="the operation that retried it,")
    retry_execution_id: UUID | None = Field(None, description="and the execution that this requested")


class Operation(Model):
    """Something done to many jobs; a batch is one that executes them."""

    id: UUID
    kind: Open[OperationKind]
    name: str | None = Field(None, description="given when it was made; need not be unique")
    state: Open[OperationState] = Field(description="`RUNNING` until every job of it rests, then `DONE`")
    total: int
    counts: dict[str, int] = Field(description="of items, by their outcome")
    progress: float = Field(0.0, description="the share of its items that came to rest, from 0 to 1")
    rate_per_s: float = Field(0.0, description="of jobs that came to rest, over the last minute")
    ends_at: Time | None = Field(None, description="the estimated end; None while nothing can be estimated")
    created_at: Time
    finished_at: Time | None = None
    retry_of: UUID | None = Field(None, description="the operation of which it runs a part again")
    cost_usd: float | None = Field(
        None,
        description="what its executions, or its judgings, have cost so far, as far as it is known; not given where it "
        "makes none",
    )
    tokens: int | None = Field(None, description="that these have taken")
    filter: OperationFilter | None = Field(None, description="by which its jobs were chosen when it was made")
    agent_id: str | None = Field(None, description="to whom it assigns its jobs")
    judge: str | None = Field(None, description="of `rejudge`: by which judge policy and version")
    shadow: bool | None = Field(None, description="of `rejudge`: whether nothing changes")
    actor: str | None = Field(None, description="who asked for it")
    waiting: list[WaitingSum] = Field(
        default_factory=list, description="why its executions wait, the most first; not in lists"
    )
    refused: list[OperationItem] = Field(
        default_factory=list, description="the first ten items that were refused, and why; not in lists"
    )


class Usage(Model):
    """What a call consumed, as far as whoever was called said."""

    input_tokens: int = Field(0, ge=0, le=2**53)
    cached_tokens: int = Field(
        0, ge=0, le=2**53, exclude_if=operator.not_, description="of the input tokens, those read from a prompt cache"
    )
    output_tokens: int = Field(0, ge=0, le=2**53)
    cost_usd: float | None = Field(None, ge=0, le=1_000_000, description="None where it is not known")
    claimed_usd: float | None = Field(
        None, ge=0, le=1_000_000, description="what an agent claimed, where that is more than one call may cost"
    )
    model: Annotated[Text, StringConstraints(max_length=200)] | None = None

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens
