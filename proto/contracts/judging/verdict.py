"""Verdicts: the judgement of a result, by criterion and by stage, and every ask of a model that it rests on."""

import operator
from typing import Any, Self

from pydantic import Field, model_validator

from contracts.fields import Model, Open
from signoff.status import Outcome


def _is_none(value: object) -> bool:
    return value is None


def _is_false(value: object) -> bool:
    return value is False


class CriterionVerdict(Model):
    """The judgement of one criterion."""

    text: str
    outcome: Open[Outcome]
    required: bool = True
    kind: str = Field("meets", description="the criterion's: `meets`, `never` or `check`")
    evidence: list[str] = Field(
        default_factory=list, description="quotations of the result, or what a check found; none where none stand there"
    )
    comment: str = ""
    unproven: bool = Field(
        default=False,
        exclude_if=_is_false,
        description="open by the judge's failure: its last pass had no evidence that counts, or was not confirmed, "
        "or no sound answer came; its outcome is then cannot_assess",
    )
    by: str | None = Field(None, exclude_if=_is_none, description="the kind of the stage that decided it")
    evidence_spans: list[list[tuple[int, int]]] | None = Field(
        None,
        exclude_if=_is_none,
        description="by REST, for each quotation where it stands in the result: [start, end]; the first 20 places",
    )
    discloses: bool = Field(
        default=False,
        exclude_if=_is_false,
        description="its comment holds words of a reference that are known from nothing else: the agent is not sent it",
    )


class Ask(Model):
    """One ask of a model, as the log keeps it; or, where there were very many, the sum of some."""

    model: str
    role: str = Field(
        "judge",
        description="`judge`, `vote`, `cheap`, `strong`; `confirm`: whether passages show what passed; `refute`: a "
        "pass was to be refuted; `control`: about a harmless result",
    )
    prompt: int | None = Field(None, exclude_if=_is_none, description="the version of the prompt")
    input_tokens: int | None = Field(None, exclude_if=_is_none)
    cached_tokens: int | None = Field(
        None, exclude_if=_is_none, description="of the input tokens, those read from a prompt cache; None: none were"
    )
    output_tokens: int | None = Field(None, exclude_if=_is_none)
    cost_usd: float | None = Field(None, exclude_if=_is_none)
    latency_s: float | None = Field(None, exclude_if=_is_none)
    request_id: str | None = Field(None, exclude_if=_is_none, description="as the judge's API names the request")
    refused: int | None = Field(
        None, exclude_if=_is_none, description="how many tries before it were refused, or had no answer; None: none was"
    )
    last_refusal: str | None = Field(
        None, exclude_if=_is_none, description="of the last of them: a status, such as 429, or a code: judge_timeout"
    )
    vote: int | None = Field(None, exclude_if=_is_none, description="of a quorum: which vote, from 1")
    section: int | None = Field(None, exclude_if=_is_none, description="of a long result: which part, from 1")
    sum_of: int | None = Field(None, exclude_if=_is_none, description="how many asks these are together, where not one")
    outcomes: str | None = Field(
        None,
        exclude_if=_is_none,
        description="what it answered, a letter for each criterion of the job: p (pass), f (fail), c (cannot assess), "
        "- (not asked); not given where the answer was nonsense",
    )


class StageVerdict(Model):
    """What one stage of judging decided."""

    kind: str = Field(description="`checks`, `single`, `quorum`, `cascade`, `confirm` or `refute`; more may follow")
    outcomes: str = Field(description="a letter for each criterion, as in Ask: what it decided")
    asks: list[Ask] = Field(default_factory=list)


class Verdict(Model):
    """The judgement of one result. `is_valid` is computed from the criteria, never taken from a model."""

    is_valid: bool
    reason: str
    criteria: list[CriterionVerdict]
    model: str | None = Field(None, exclude_if=_is_none)
    judge_error: str | None = Field(
        None,
        exclude_if=_is_none,
        description="the code of what the judge did instead of judging this result; it is not submitted again",
    )
    judge: str | None = Field(
        None, exclude_if=_is_none, description="the judge policy and its version, such as `strict@3`"
    )
    references_sha256: str | None = Field(
        None, exclude_if=_is_none, description="of the references that it was judged by, as the jobstore has them"
    )
    discloses: bool = Field(
        default=False, exclude_if=_is_false, description="the reason holds words of a reference, as a comment may"
    )
    submission: int | None = Field(
        None, exclude_if=_is_none, description="which submission of the job this is the judgement of"
    )
    submissions: int | None = Field(None, exclude_if=_is_none, description="how many there may be")
    stages: list[StageVerdict] = Field(default_factory=list, exclude_if=operator.not_, description="how it was judged")

    @classmethod
    def of(
        cls,
        criteria: list[CriterionVerdict],
        reason: str,
        model: str | None = None,
        judge_error: str | None = None,
        **terms: Any,
    ) -> Self:
        """Make a verdict; the result is valid if every required criterion passed. `terms` are its other fields."""
        is_valid = all(c.outcome is Outcome.PASS for c in criteria if c.required)
        return cls(is_valid=is_valid, reason=reason, criteria=criteria, model=model, judge_error=judge_error, **terms)

    def check_words(self) -> Self:
        """Return the verdict. Raise ValueError if an outcome is none that is known: what judges is not that new."""
        for criterion in self.criteria:
            Outcome(criterion.outcome)
        return self

    @property
    def is_unproven(self) -> bool:
        """Whether nothing but the judge's failure to prove a pass stands between the result and its being valid."""
        open_ones = [c for c in self.criteria if c.required and c.outcome is not Outcome.PASS]
        return self.judge_error is None and bool(open_ones) and all(c.unproven for c in open_ones)

    @model_validator(mode="after")
    def _check_is_valid(self) -> Self:
        if self.is_valid and any(c.outcome is not Outcome.PASS for c in self.criteria if c.required):
            msg = "is_valid although a required criterion did not pass"
            raise ValueError(msg)
        return self
