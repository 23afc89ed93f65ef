"""Say what a judge's server can do, by what it did with one harmless question."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from contracts.criteria import Criterion
from contracts.evidence import Evidence
from contracts.resources import Usage
from signoff.status import Outcome
from validator.errors import JudgeAnswerError
from validator.judge_config import ApiName
from validator.judges.forms import Form, Output, Role
from validator.judges.quotas import Said
from validator.ports import Reply
from validator.prompt import Question, Questions
from validator.verdict import read_answer, to_storable

_RESULT: Final = {"answer": "Two and two are four."}
_CRITERION: Final = Criterion(text="It says how many two and two are")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sample(_Frozen):
    """What the judge said of a harmless result, and what is wrong with that: a code, or words."""

    outcome: Outcome | None = None
    evidence: list[str] = Field(default_factory=list)
    comment: str | None = None
    fault: str | None = Field(None, description="of a sound pass there is none")


class Allowance(_Frozen):
    """What is left of a quota, of how much, and in how many seconds all of it is there again."""

    left: float
    most: float
    reset_s: float


class Capabilities(_Frozen):
    """What was found out about a model at a server, and what it said of a harmless result."""

    api: ApiName
    output: Output = Field(description="how an answer is held to its schema: `text` by the prompt alone")
    bounds_strings: bool = Field(description="whether the API takes a schema that bounds the length of strings")
    role: Role = Field(description="who speaks the instructions")
    left_out: list[str] = Field(default_factory=list, description="fields that the server does not take")
    thinks: bool = Field(description="whether the model was given room for thoughts before its answer")
    model: str | None = Field(None, description="as the server names it")
    usage: Usage | None = Field(None, description="None: the server does not report it")
    requests: Allowance | None = Field(None, description="by the headers of rate limits, as are tokens")
    tokens: Allowance | None = None
    request_id: str | None = None
    latency_s: float | None = None
    sample: Sample


def make_harmless_question() -> Question:
    """Return a question that any judge can answer."""
    return Questions(_RESULT).ask([_CRITERION])


def read_sample(question: Question, reply: Reply) -> Sample:
    """Return what a judge said of the harmless result, read as strictly as any answer."""
    try:
        (said,) = read_answer(reply.text, question.count, *question.words).criteria
    except JudgeAnswerError as error:
        return Sample(fault=error.code)
    _, fault = Evidence(_RESULT, [_CRITERION.text]).sift(said.evidence, _CRITERION.text)
    if said.outcome is not Outcome.PASS:
        fault = "it should have passed"
    quotes = [to_storable(quote) for quote in said.evidence]
    return Sample(outcome=said.outcome, evidence=quotes, comment=to_storable(said.comment), fault=fault)


def describe(form: Form, told: Said, sample: Sample, said: Reply | JudgeAnswerError, *, thinks: bool) -> Capabilities:
    """Return what was found out by one ask."""
    return Capabilities(
        api=form.api,
        output=form.output,
        bounds_strings=form.bounds_strings,
        role=form.role,
        left_out=sorted(form.without),
        thinks=thinks,
        model=to_storable(said.model) if isinstance(said, Reply) and said.model else None,
        usage=said.usage,
        requests=Allowance(**told.requests._asdict()) if told.requests else None,
        tokens=Allowance(**told.tokens._asdict()) if told.tokens else None,
        request_id=said.request_id,
        latency_s=None if said.latency_s is None else round(said.latency_s, 3),
        sample=sample,
    )
