"""Judgings without a job, as they are asked for."""

from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from contracts.criteria import References, check_numbers, parse_criteria
from contracts.fields import StrictModel, Text, Title
from contracts.judging.policy import JudgePolicy, Reference
from signoff.jsontext import Json
from signoff.status import FREE_JUDGINGS, JudgingKind
from signoff.v1 import judging_service_pb2 as pb
from signoff.wire import read_fields

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


def new_judgings_of(message: pb.CreateJudgingsRequest) -> NewJudgings:
    """Return what is asked for as received. ValueError: it is malformed."""
    return NewJudgings(**read_fields(message))
