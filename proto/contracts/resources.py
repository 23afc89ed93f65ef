"""Declare the models of requests at all doors, and read them from gRPC messages."""

import operator
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    computed_field,
    field_validator,
    model_validator,
)

from contracts.access import SERVICES
from contracts.agent_settings import check_settings
from contracts.agents import (
    HEADERS_MAX,
    check_header_changes,
    check_headers,
    check_http_url,
    check_signed,
    check_signing,
)
from contracts.criteria import (
    CRITERIA_MAX,
    CriteriaList,
    CriteriaText,
    Criterion,
    ReferenceChanges,
    References,
    check_numbers,
    join_forms,
    parse_criteria,
    parse_stored_criteria,
)
from contracts.fields import (
    AgentId,
    Capabilities,
    FailureCodes,
    JobId,
    Label,
    LabelPair,
    Labels,
    OperationName,
    Patch,
    Priority,
    StrictModel,
    Tenant,
    TenantName,
    Text,
    Title,
    TokenName,
    narrow,
)
from contracts.judging.policy import JudgePolicy, Name, Reference
from contracts.waiting import WaitReason
from signoff import types
from signoff.fields import Model, Money, ReportedMoney, Time, optional
from signoff.jsontext import Json
from signoff.status import (
    FREE_JUDGINGS,
    Delivery,
    EmptyResult,
    JobStatus,
    JudgingKind,
    LetterOutcome,
    OperationKind,
    Protocol,
    Resubmit,
    Role,
)
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read_fields, read_patch, write_row

_DAY_S: Final = 86_400
_MONTH_S: Final = 30 * _DAY_S


class NewPolicy(StrictModel, types.Policy):
    """How a job is run. What is not set is taken from the agent, and then from the service's settings."""

    max_submissions: int | None = narrow(ge=1, le=100)
    max_calls: int | None = narrow(ge=1, le=100)
    attempt_timeout_s: float | None = narrow(gt=0, le=_DAY_S)
    deadline_s: float | None = narrow(gt=0, le=_MONTH_S)
    delivery: Delivery | None = narrow()
    connect_timeout_s: float | None = narrow(gt=0, le=300)
    queue_timeout_s: float | None = narrow(gt=0, le=_MONTH_S)
    heartbeat_timeout_s: float | None = narrow(gt=0, le=_DAY_S)
    judging_timeout_s: float | None = narrow(gt=0, le=_MONTH_S)
    backoff_first_s: float | None = narrow(ge=0, le=_DAY_S)
    backoff_max_s: float | None = narrow(ge=0, le=_DAY_S)
    backoff_factor: float | None = narrow(ge=1, le=100)
    retry_codes: FailureCodes | None = narrow()
    no_retry_codes: FailureCodes | None = narrow()
    resubmit: Resubmit | None = narrow()
    hand_over_after: int | None = narrow(ge=1, le=100)
    budget_tokens: int | None = narrow(ge=0, le=2**53)
    empty_result: EmptyResult | None = narrow()
    judge: Reference | None = narrow()
    criteria_set: Reference | None = narrow()

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, given: object) -> object:
        """Accept `max_attempts`, the earlier name of `max_calls`, too."""
        if not isinstance(given, dict) or "max_attempts" not in given:
            return given
        return {"max_calls" if name == "max_attempts" else name: value for name, value in given.items()}

    def over(self, other: types.Policy) -> "Policy":
        """Return this policy, with the fields that are not set taken from another."""
        own = vars(self)
        missing = {name: value for name, value in vars(other).items() if value is not None and own[name] is None}
        return self.model_copy(update=missing)


Policy = NewPolicy


class NewJob(StrictModel):
    """What somebody asks for."""

    #: Fields that the jobstore sets by who calls, where they are not given.
    OF_CALLER: ClassVar = frozenset({"tenant"})

    id: JobId | None = optional("chosen by whoever creates it, or by the jobstore")
    title: Title
    description: Text = ""
    acceptance_criteria: CriteriaText = ""
    criteria: CriteriaList = Field(default_factory=list, exclude=True)
    references: References = Field(default_factory=dict)
    payload: Json = None
    agent_id: AgentId | None = None
    capabilities: Capabilities = Field(default_factory=list)
    not_before: Time | None = optional("no execution begins earlier")
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
    not_before: Time | None = optional("no execution begins earlier")
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


class Job(types.JobFields):
    """A job as facts and rows have it: its criteria follow from their text form, and no text is told twice."""

    @computed_field(description="what `acceptance_criteria` says")  # type: ignore[prop-decorator]
    @property
    def criteria(self) -> list[Criterion] | None:
        """The criteria, as the text form says."""
        return None if self.acceptance_criteria is None else parse_stored_criteria(self.acceptance_criteria)


AgentName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
AgentUrl = Annotated[Text, StringConstraints(max_length=2000), AfterValidator(check_http_url)]
Signing = Annotated[Text, AfterValidator(check_signing)]


class NewAgent(StrictModel, hide_input_in_errors=True):
    """An agent to register."""

    OF_CALLER: ClassVar = frozenset({"tenant", "shared"})

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
    settings: dict[str, Json] = Field(
        default_factory=dict,
        validate_default=True,
        description="what the protocol needs to know, such as the model; 64 KiB at most",
    )
    signing: Signing | None = optional("of http and http_async: the secrets that sign each call, by reference")
    tenant: Tenant = Field("default", description="whose it is, for good")
    shared: bool = Field(True, description="whether jobs of all tenants may use it; not given: if it is of `default`")

    @model_validator(mode="before")
    @classmethod
    def _keep_to_tenant(cls, given: object) -> object:
        """Share no agent of another tenant than `default` unless the agent says so."""
        if isinstance(given, dict) and given.get("tenant", "default") != "default":
            return {"shared": False, **given}
        return given

    @field_validator("settings")
    @classmethod
    def _check_settings(cls, settings: dict[str, Json], info: ValidationInfo) -> dict[str, Json]:
        protocol = info.data.get("protocol")
        return settings if protocol is None else check_settings(protocol, settings)

    @field_validator("signing")
    @classmethod
    def _check_signed(cls, signing: str | None, info: ValidationInfo) -> str | None:
        return check_signed(info.data.get("protocol"), signing)


class NewAgentTry(StrictModel):
    """What an agent is asked in a try, as a job would ask it."""

    payload: Json = None
    title: Title = "A try"
    description: Text = ""
    acceptance_criteria: Text = Field("", description="nobody judges by them")
    check: bool = Field(False, description="whether to find out besides how it keeps to its protocol, by further calls")


class AgentPatch(Patch, hide_input_in_errors=True):
    """What is to change of an agent; what is not given stays. A URL with `***` for user and password keeps them."""

    name: AgentName = Field(default_factory=str)
    protocol: Protocol | None = None
    url: AgentUrl = Field(default_factory=str)
    capabilities: list[Label] | None = Field(None, max_length=64)
    policy: Policy | None = None
    enabled: bool | None = None
    deterministic: bool | None = None
    headers: Annotated[dict[str, str | None], AfterValidator(check_header_changes)] | None = optional(
        "null sends one no more"
    )
    settings: dict[str, Json] | None = optional("null removes one")
    signing: Signing | None = optional("null signs no more")
    shared: bool | None = None


def _check_spendable(usd: Decimal) -> Decimal:
    if not usd:
        raise ValueError("must be more than 0: to begin nothing, pause it")
    return usd


#: Names of judge policies; an empty list, as messages have it, names none to choose from.
PolicyNames = Annotated[list[Name], Field(max_length=100), AfterValidator(lambda names: names or None)]


class NewLimit(StrictModel):
    """What holds back the executions that a name applies to; what is not set is as the limit of its wildcard says."""

    concurrency: int | None = Field(None, ge=0, le=1_000_000, description="executions with executors at once")
    rate: int | None = Field(None, ge=1, le=1_000_000, description="executions begun in each `rate_period_s`")
    rate_period_s: float = Field(1.0, gt=0, le=2_592_000)
    queue_max: int | None = Field(None, ge=0, le=100_000_000, description="of a tenant: executions that may wait")
    weight: float | None = Field(None, gt=0, le=1_000, description="of a tenant: its share; 1 unless set")
    paused: bool | None = optional("begin nothing; stays as it is where it is not given")
    usd_per_day: Annotated[Money, AfterValidator(_check_spendable)] | None = optional(
        "of a tenant: what its agents claim and its judges cost in a day of UTC, together; stays if not given"
    )
    judge_policies: PolicyNames | None = optional(
        "of a tenant: the names of the judge policies that its jobs, agents and judgings may name; stays if not given"
    )


class LimitPatch(Patch, NewLimit):
    """What is to change of a limit; what is not given stays. One of which nothing is left is removed."""

    rate_period_s: float | None = Field(None, gt=0, le=2_592_000)  # type: ignore[assignment]
    paused: bool | None = optional("begin nothing")


#: For how long something is kept. A minute at least, so that nobody removes what has just ended by a wrong unit.
KeptFor = Annotated[float | None, Field(ge=60, le=3_153_600_000)]


class NewRetention(StrictModel):
    """For how many seconds jobs are kept once they rest, by status, and operations once they ended.

    Of a tenant, what is not set is as `tenant:*` says; there, what is not set is kept for ever.
    """

    completed_s: KeptFor = optional("a minute or more")
    failed_s: KeptFor = None
    rejected_s: KeptFor = None
    resubmission_required_s: KeptFor = None
    cancelled_s: KeptFor = optional("of jobs whose last execution was cancelled")
    operations_s: KeptFor = optional("of operations and their items, once they ended")


class RetentionPatch(Patch, NewRetention):
    """What is to change of a retention; what is not given stays. One of which nothing is left is deleted."""


class NewTenant(StrictModel):
    """A tenant to register."""

    name: TenantName
    title: Title | None = optional("what people call it")


class NewToken(StrictModel):
    """A token to make. It is of the tenants that are named, or of all."""

    name: TokenName
    role: Role
    tenants: list[TenantName] = Field(default_factory=list, max_length=1_000)
    all_tenants: bool = Field(default=False, description="those to come included")
    lasts_s: float | None = Field(None, gt=0, le=3_153_600_000, description="seconds until it ends")

    @model_validator(mode="after")
    def _check_tenants(self) -> Self:
        if bool(self.tenants) == self.all_tenants:
            raise ValueError("a token is of some tenants or of all: give tenants, or all_tenants")
        if self.role in SERVICES and not self.all_tenants:
            raise ValueError(f"a token of the role {self.role} is of all tenants: give all_tenants")
        return self


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_CriterionText = Annotated[Text, StringConstraints(max_length=2_000)]


class NewJobFilter(StrictModel, types.JobFilter):
    """Jobs by what they are; all that is given must hold."""

    statuses: list[JobStatus] = narrow()
    text: Annotated[Text, StringConstraints(max_length=200)] | None = narrow()
    codes: list[Annotated[Text, StringConstraints(max_length=64)]] = narrow(max_length=20)
    criterion_not_met: _CriterionText | None = narrow()
    duration_s_min: Amount | None = narrow()
    duration_s_max: Amount | None = narrow()
    id_part: Annotated[Text, StringConstraints(min_length=4, max_length=200)] | None = narrow()
    not_agent_ids: list[Text] = narrow(max_length=20)
    not_tenants: list[Text] = narrow(max_length=20)
    not_labels: list[LabelPair] = narrow(max_length=64)
    not_batch_ids: list[UUID] = narrow(max_length=20)
    not_codes: list[Annotated[Text, StringConstraints(max_length=64)]] = narrow(max_length=20)
    not_criteria_not_met: list[_CriterionText] = narrow(max_length=20)
    reasons: list[WaitReason] = narrow(max_length=20)

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, given: object) -> object:
        """Accept the earlier names of the bounds of the cost, too."""
        if not isinstance(given, dict):
            return given
        names = {f"{old}_{bound}": f"cost_usd_{bound}" for old in ("cost", "spent_usd") for bound in ("min", "max")}
        return {names.get(name, name): value for name, value in given.items()}


JobFilter = NewJobFilter


class Usage(Model):
    """What a call consumed, as far as whoever was called said."""

    input_tokens: int = Field(0, ge=0, le=2**53)
    cached_tokens: int = Field(
        0, ge=0, le=2**53, exclude_if=operator.not_, description="of the input tokens, those read from a prompt cache"
    )
    output_tokens: int = Field(0, ge=0, le=2**53)
    cost_usd: ReportedMoney | None = optional("left out where it is not known")
    claimed_usd: ReportedMoney | None = optional("what an agent claimed, where that is more than one call may cost")
    model: Annotated[Text, StringConstraints(max_length=200)] | None = None

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


#: Jobs that may be named at most; a filter may match more.
NAMED_MAX = 10_000

#: What goes with which kinds.
_KINDS_OF = {
    "agent_id": {OperationKind.ASSIGN},
    "comment": {OperationKind.RESUBMIT},
    "reason": {OperationKind.CANCEL, OperationKind.REMOVE},
    "judge": {OperationKind.REJUDGE},
    "criteria": {OperationKind.REJUDGE},
    "criteria_set": {OperationKind.REJUDGE},
    "shadow": {OperationKind.REJUDGE},
    "rate_per_s": {OperationKind.REJUDGE},
    "budget_usd": {OperationKind.REJUDGE},
}


class NewHold(StrictModel):
    """Why a job is kept from being removed."""

    reason: Annotated[Text, StringConstraints(max_length=500)] | None = optional("for people")


class NewOperation(StrictModel):
    """What to do to many jobs: those that exist and match a filter as the operation is made, or those named."""

    kind: OperationKind = Field(
        description="each job gets what one call of that name would do to it; `retry` executes jobs that stand at "
        "FAILED, or at one of the statuses of the filter, and of what is unproven (`verdict_unproven`) only what a "
        "filter names by that code; `rejudge` judges their results again, and calls no agent; `remove` removes them "
        "for good, which administrators alone may ask for"
    )
    name: OperationName | None = None
    filter: JobFilter | None = optional("with one condition at least; 100,000 jobs at most may match")
    job_ids: list[str] = Field(default_factory=list, max_length=NAMED_MAX, description="instead of a filter")
    agent_id: AgentId | None = optional("of `assign`: to whom")
    comment: Text | None = optional("of `resubmit`: told to the agents beside the verdict's feedback")
    reason: Text | None = optional("of `cancel` and `remove`")
    judge: Reference | None = optional(
        "of `rejudge`: the judge policy, or one version; when not set, for each job the version that it "
        "was judged by, and the validators' own settings where that was none"
    )
    criteria: Text | None = optional("of `rejudge` as a shadow: judged by instead of the jobs' own")
    criteria_set: Reference | None = optional("of `rejudge` as a shadow: the set instead of the jobs'")
    shadow: bool | None = optional("of `rejudge`: whether nothing changes; else the verdicts become those of the jobs")
    rate_per_s: Annotated[float, Field(gt=0, le=10_000)] | None = optional(
        "of `rejudge`: how many results a second are judged at most"
    )
    budget_usd: Annotated[Money, Field(gt=0)] | None = optional(
        "of `rejudge`: what judging may cost; nothing more begins once it would be exceeded "
        "(`budget_exhausted`), nor once some were judged and none tells its cost (`cost_unknown`): it needs a model "
        "whose price is known, or named in the policy"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.job_ids) == (self.filter is not None):
            raise ValueError("give either a filter or job_ids")
        if self.filter is not None and not self.filter.model_dump(exclude_defaults=True):
            raise ValueError("the filter has no condition: it would take every job; name one, such as created_before")
        for name, kinds in _KINDS_OF.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise ValueError(f"{name} goes with {' or '.join(kinds)}")
        if (self.criteria is not None or self.criteria_set is not None) and not self.shadow:
            msg = "other criteria need shadow: to judge by them for good, edit the criteria of the jobs first"
            raise ValueError(msg)
        if self.criteria is not None and self.criteria_set is not None:
            raise ValueError("give either criteria or criteria_set")
        if self.criteria is not None and not parse_criteria(self.criteria):
            raise ValueError("criteria must have one criterion at least")
        if self.kind is OperationKind.ASSIGN and self.agent_id is None:
            raise ValueError("agent_id is missing: say to whom the jobs are assigned")
        return self


#: Cases that one call may queue.
CASES_MAX: Final = 500
#: How often one evaluation judges a case.
REPEATS_MAX: Final = 100


class JudgingCase(StrictModel):
    """A result, and what it is judged by."""

    result: Json
    acceptance_criteria: Text = Field(description="the text form, one a line")
    title: Title | None = None
    description: Text = ""
    references: References = Field(default_factory=dict)
    submission: Annotated[int, Field(ge=1, le=100)] | None = None
    submissions: Annotated[int, Field(ge=1, le=100)] | None = None
    payload: Json = optional("part of the task, as title and description are; checks may look at it")
    judge_empty: bool = Field(False, description="whether the judge is asked about an empty result, too")
    labels: str = Field(
        "",
        pattern="^[tf-]*$",
        description="of an evaluation, what people say: a letter for the whole, then one for each criterion; "
        "t, f, or - where there is no label",
    )

    @field_validator("acceptance_criteria")
    @classmethod
    def _check_criteria(cls, text: str) -> str:
        if not parse_criteria(text):
            raise ValueError("must have one criterion at least")
        return text

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        check_numbers(self.references, parse_criteria(self.acceptance_criteria))
        return self


class NewJudgings(StrictModel):
    """Judgings to queue, by a stored judge policy, by one that is not stored, or by the validators' own settings."""

    kind: JudgingKind = JudgingKind.TRY
    cases: Annotated[list[JudgingCase], Field(min_length=1, max_length=CASES_MAX)]
    judge: Reference | None = optional("a judge policy: its name, or one version of it")
    judge_policy: JudgePolicy | None = optional("one that is not stored, instead")
    evaluation: UUID | None = optional(
        "an id of the caller's: what is judged under it is counted, and kept, as one evaluation"
    )
    repeat: int = Field(
        1, ge=1, le=REPEATS_MAX, description="how often each case was judged in the evaluation with these"
    )
    tenant: Tenant | None = optional("whose they are, and who pays for them; the caller's own when not given")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind not in FREE_JUDGINGS:
            raise ValueError(f"kind is {', '.join(FREE_JUDGINGS)}: jobs are judged again by an operation `rejudge`")
        if self.judge is not None and self.judge_policy is not None:
            raise ValueError("give either judge or judge_policy")
        if self.evaluation is not None:
            self._check_evaluation()
        return self

    def _check_evaluation(self) -> None:
        """Raise ValueError unless an evaluation can count these: by a stored policy, with labels of all criteria."""
        if self.kind != JudgingKind.EVALUATE or self.judge_policy is not None:
            raise ValueError("evaluation goes with the kind `evaluate`, and with a judge policy that is stored")
        if any(len(case.labels) != 1 + len(parse_criteria(case.acceptance_criteria)) for case in self.cases):
            raise ValueError("labels of an evaluated case have a letter for the whole and one for each criterion")


_Offset = Annotated[int, Field(ge=0, le=2**53)]


class NewResolution(Model):
    """Which open dead letters of a topic to redrive or to discard; all, unless something is given."""

    topic: str = Field(min_length=1, description="that they came from, such as `execute-requested`")
    outcome: LetterOutcome
    reason: Label | None = optional("why, which is kept beside them")
    code: str | None = optional("only those with this code")
    from_offset: _Offset | None = optional("in the dead-letter topic")
    to_offset: _Offset | None = optional("itself included")
    job_id: str | None = optional("only those of this job")
    execution_id: UUID | None = optional("only those of this execution")
    dry_run: bool = Field(False, description="only count them")


P = TypeVar("P", bound=Patch)


def new_job_of(message: pb.NewJob) -> NewJob:
    """Return the new job in a message. Raise ValidationError or ValueError if the message is malformed."""
    _cut_criteria(message)
    return NewJob(**read_fields(message))


def criteria_of(message: Any) -> list[Criterion]:
    """Return the criteria in the message of a new job or a criteria set, but at most one more than a job may have.

    Raise ValidationError if a text is malformed.
    """
    _cut_criteria(message)
    return [Criterion(**{"text": "", **read_fields(one)}) for one in message.criteria]


def patch_of(kind: type[P], message: Message, mask: FieldMask) -> P:
    """Return the patch in a request: `message` has new values, and `mask` names the fields that the patch changes.

    Raise ValidationError or ValueError if the patch is malformed.
    """
    if is_given := "criteria" in mask.paths:
        criteria = criteria_of(message)
    changes = read_patch(message, mask.paths, kind.model_fields)
    return kind.model_validate(changes | ({"criteria": criteria} if is_given else {}), extra="forbid")


def _cut_criteria(message: Any) -> None:
    """Remove all criteria behind the first that is too many, before a million of them are looked at."""
    del message.criteria[CRITERIA_MAX + 1 :]


def job_message(job: Mapping[str, Any], *, as_text: bool) -> pb.Job:
    """Return the message of a job from its row, with the criteria also as a list."""
    criteria = [dict(one) for one in parse_stored_criteria(job["acceptance_criteria"] or "")]
    return write_row(pb.Job, job, as_text=as_text, criteria=criteria)
