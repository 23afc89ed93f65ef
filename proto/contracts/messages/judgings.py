"""Judgings without a job, and what came of judging jobs again; their gRPC messages (`x_message`) and back (`x_of`)."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from contracts.criteria import References, check_numbers, parse_criteria
from contracts.fields import Model, NextPageToken, Open, StrictModel, Text, Time, Title
from contracts.judging.policy import JudgePolicy, Reference
from contracts.judging.verdict import Verdict
from signoff.jsontext import Json, json_text, parse_json
from signoff.status import FREE_JUDGINGS, JudgingKind, JudgingState, Outcome
from signoff.v1 import judging_service_pb2 as pb
from signoff.wire import read_fields, read_word, write_message, write_word

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
    payload: Json = Field(None, description="part of the task, as title and description are; checks may look at it")
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
            msg = "must have one criterion at least"
            raise ValueError(msg)
        return text

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        check_numbers(self.references, parse_criteria(self.acceptance_criteria))
        return self


class NewJudgings(StrictModel):
    """Judgings to queue, by a stored judge policy, by one that is not stored, or by the validators' own settings."""

    kind: JudgingKind = JudgingKind.TRY
    cases: Annotated[list[JudgingCase], Field(min_length=1, max_length=CASES_MAX)]
    judge: Reference | None = Field(None, description="a judge policy: its name, or one version of it")
    judge_policy: JudgePolicy | None = Field(None, description="one that is not stored, instead")
    evaluation: UUID | None = Field(
        None, description="an id of the caller's: what is judged under it is counted, and kept, as one evaluation"
    )
    repeat: int = Field(
        1, ge=1, le=REPEATS_MAX, description="how often each case was judged in the evaluation with these"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind not in FREE_JUDGINGS:
            msg = f"kind is {', '.join(FREE_JUDGINGS)}: jobs are judged again by an operation `rejudge`"
            raise ValueError(msg)
        if self.judge is not None and self.judge_policy is not None:
            msg = "give either judge or judge_policy"
            raise ValueError(msg)
        if self.evaluation is not None:
            self._check_evaluation()
        return self

    def _check_evaluation(self) -> None:
        """Raise ValueError if nothing could be counted: what is not stored has no name that is its own."""
        if self.kind != JudgingKind.EVALUATE or self.judge_policy is not None:
            msg = "evaluation goes with the kind `evaluate`, and with a judge policy that is stored"
            raise ValueError(msg)
        if any(len(case.labels) != 1 + len(parse_criteria(case.acceptance_criteria)) for case in self.cases):
            msg = "labels of an evaluated case have a letter for the whole and one for each criterion"
            raise ValueError(msg)


class Judging(Model):
    """A judging without a job, and its verdict once there is one."""

    item: int = Field(description="the number of its case, from 0")
    kind: Open[JudgingKind]
    state: Open[JudgingState]
    verdict: Verdict | None = None
    probe: dict[str, Any] | None = Field(None, description="of a `test`: what the judge was found to do")
    code: str | None = Field(None, description="why there is no answer")
    message: str | None = None
    cost_usd: float = 0.0
    tokens: int = 0
    duration_s: float | None = None
    job_id: str | None = None
    created_at: Time
    answered_at: Time | None = None


class JudgingProgress(Model):
    """How many of the judgings of one call are answered."""

    total: int
    answered: int
    cost_usd: float = 0.0


class CriterionChange(Model):
    """A criterion whose outcome is another than before."""

    text: str
    before: Open[Outcome]
    after: Open[Outcome]


class Flip(Model):
    """A verdict that is another than before, on the same result."""

    item: int
    job_id: str
    title: str = ""
    was_valid: bool
    is_valid: bool
    criteria: list[CriterionChange] = Field(default_factory=list)
    reason: str = ""


class CriterionDiff(Model):
    """How the outcomes of a criterion changed; criteria are the same where their lines of the text form are."""

    text: str = Field(description="its line of the text form, such as `never: Curses`")
    judged: int
    changed: int
    outcomes: dict[str, int] = Field(description="how often, by `before > after`, as `pass > fail`")


class RejudgeReport(Model):
    """What judging jobs again came to."""

    judged: int = Field(description="results that are judged again")
    judged_before: int = Field(description="those of them that had a verdict")
    accepted_before: int
    accepted_after: int
    flipped: int
    failed: dict[str, int] = Field(default_factory=dict, description="why others were not judged, by code")
    cost_usd: float = 0.0
    tokens: int = 0
    criteria: list[CriterionDiff] = Field(default_factory=list, description="what changed most, 100 at most")
    flips: list[Flip] = Field(default_factory=list)
    next_page_token: NextPageToken = None


def new_judgings_message(new: NewJudgings, idempotency_key: str = "") -> pb.CreateJudgingsRequest:
    """Return what is asked for as it is sent."""
    return pb.CreateJudgingsRequest(
        kind=write_word(pb.JudgingKind.DESCRIPTOR, new.kind),
        cases=[_case_message(case) for case in new.cases],
        judge=new.judge,
        judge_policy_json=new.judge_policy.model_dump_json(exclude_defaults=True) if new.judge_policy else None,
        idempotency_key=idempotency_key or None,
        evaluation=str(new.evaluation) if new.evaluation else None,
        repeat=new.repeat,
    )


def new_judgings_of(message: pb.CreateJudgingsRequest) -> NewJudgings:
    """Return what is asked for as received. ValueError: it is malformed."""
    policy = message.judge_policy_json if message.HasField("judge_policy_json") else None
    return NewJudgings.model_validate(
        {
            "kind": read_word(pb.JudgingKind.DESCRIPTOR, message.kind),
            "cases": [_case_of(case) for case in message.cases],
            "judge": message.judge if message.HasField("judge") else None,
            "judge_policy": None if policy is None else JudgePolicy.model_validate_json(policy),
            "evaluation": message.evaluation if message.HasField("evaluation") else None,
            "repeat": message.repeat or 1,
        }
    )


def _case_message(case: JudgingCase) -> pb.JudgingCase:
    fields = case.model_dump(exclude={"result", "payload"}, exclude_none=True)
    payload = None if case.payload is None else json_text(case.payload)
    return pb.JudgingCase(**fields, result_json=json_text(case.result), payload_json=payload)


def _case_of(message: pb.JudgingCase) -> dict[str, Any]:
    fields = {field.name: value for field, value in message.ListFields()}
    fields["references"] = dict(message.references)
    payload, result = fields.pop("payload_json", None), fields.pop("result_json", "null")
    payload = None if payload is None else parse_json(payload)
    return {"acceptance_criteria": "", **fields, "result": parse_json(result), "payload": payload}


def judging_message(judging: Judging) -> pb.Judging:
    """Return a judging as it is sent."""
    probe = None if judging.probe is None else json_text(judging.probe)
    return write_message(pb.Judging, {**judging.model_dump(exclude={"probe"}), "probe_json": probe})


def judging_of(message: pb.Judging) -> Judging:
    """Return a judging as received."""
    return Judging(**read_fields(message))


def progress_of(message: pb.WatchJudgingsResponse) -> JudgingProgress:
    """Return how far judgings are as received."""
    return JudgingProgress(total=message.total, answered=message.answered, cost_usd=message.cost_usd)


def report_message(report: RejudgeReport) -> pb.GetRejudgeReportResponse:
    """Return a report as it is sent."""
    return write_message(pb.GetRejudgeReportResponse, report.model_dump())


def report_of(message: pb.GetRejudgeReportResponse) -> RejudgeReport:
    """Return a report as received."""
    return RejudgeReport(**{**read_fields(message), "next_page_token": message.next_page_token or None})
