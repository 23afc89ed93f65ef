"""Declare judge policies, and the verdicts that are made by them."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from contracts.agents import check_http_url, has_userinfo
from contracts.checks import CheckError, find_fault
from contracts.criteria import CRITERIA_MAX, CRITERION_MAX_CHARS, Criterion
from contracts.fields import StrictModel, Text, matches
from signoff import judging
from signoff.fields import Money, optional
from signoff.jsontext import Json, json_text
from signoff.judging import CriterionVerdict
from signoff.status import Outcome
from signoff.values import to_nanos, to_usd

#: The policy of jobs that name none: it holds the settings that validators report.
DEFAULT_POLICY: Final = "default"
#: Votes of a quorum; a stage asks as many models at most.
VOTES_MIN: Final = 2
VOTES_MAX: Final = 9
STAGES_MAX: Final = 8
#: Bytes of the parameters of a model, as JSON.
PARAMETERS_MAX_BYTES: Final = 4_000

#: The fields of a model that do not change what it is asked.
_ASIDE: Final = {"family", "input_usd", "cached_usd", "output_usd"}
_MILLION: Final = 1_000_000
_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,63}"
_VERSION: Final = "@[1-9][0-9]{0,8}"
#: A reference to one version.
VERSIONED: Final = re.compile(_NAME + _VERSION)
#: The name of a judge policy, a criteria set or a key.
A_NAME: Final = matches(
    f"^{_NAME}$", "must be a name of small letters, digits and . _ -, which begins with a letter or digit"
)
Name = Annotated[str, StringConstraints(pattern=A_NAME)]
#: A name, or one version under it: `strict` or `strict@3`.
_A_REFERENCE: Final = matches(
    f"^{_NAME}({_VERSION})?$", "must be a name of small letters, digits and . _ -, or one version: name@3"
)
Reference = Annotated[str, StringConstraints(pattern=_A_REFERENCE)]
#: A member of the body of every call of an agent, which its judges may see, too.
TaskMember = Literal["title", "description", "payload", "feedback"]
#: Which criteria one ask is about.
Asks = Literal["all", "each", "auto"]
CriterionText = Annotated[Text, StringConstraints(min_length=1, max_length=CRITERION_MAX_CHARS)]


def split_reference(reference: str) -> tuple[str, int | None]:
    """Return the name and the version in a reference; without a version None, for the current one."""
    name, _, version = reference.partition("@")
    return name, int(version) if version else None


def join_reference(name: str, version: int) -> str:
    """Return the reference to a version of a policy or a set: `name@version`."""
    return f"{name}@{version}"


def name_judging(judge: str, policy: str | None) -> str:
    """Return the name under which verdicts may be reused: the judge's, followed by the policy's unless that is None."""
    return judge if policy is None else f"{judge} by {policy}"


def _check_base_url(url: str) -> str:
    check_http_url(url)
    if has_userinfo(url) or "?" in url or "#" in url:
        raise ValueError("must have no user, password, query or fragment: a key is named in `key`")
    return url


def _check_parameters(parameters: dict[str, Json]) -> dict[str, Json]:
    if len(json_text(parameters).encode()) > PARAMETERS_MAX_BYTES:
        raise ValueError(f"must have at most {PARAMETERS_MAX_BYTES} bytes as JSON")
    return parameters


def _check_check(text: str) -> str:
    if (fault := find_fault(text, may_be_vacuous=True)) is not None:
        raise CheckError(str(fault), code=fault.code)  # that one is kept
    return text


def _check_task(members: list[TaskMember]) -> list[TaskMember]:
    if len(set(members)) < len(members):
        raise ValueError("names a member twice")
    return members


class _Frozen(StrictModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JudgeModel(_Frozen):
    """A model that judges, and where it is. What is not set is taken from the validator's own settings."""

    model: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    family: Annotated[Text, StringConstraints(max_length=64)] | None = optional(
        "models of one family err alike; a further ask is best made of another"
    )
    api: Literal["chat", "responses"] | None = optional("found out when not set")
    base_url: Annotated[Text, StringConstraints(max_length=2_000), AfterValidator(_check_base_url)] | None = None
    key: Name | None = optional("the name of a key in the validators' settings, never the key itself")
    parameters: Annotated[dict[str, Json], Field(max_length=16), AfterValidator(_check_parameters)] = Field(
        default_factory=dict, description="sent with every ask, such as temperature"
    )
    input_usd: Money | None = optional("the price of a million tokens; when not set, as it is known")
    cached_usd: Money | None = optional(
        "of a million input tokens read from a prompt cache; when not set, as of any others"
    )
    output_usd: Money | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3_600)] | None = None
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    @property
    def asked_as(self) -> str:
        """The fields that change the asks of the model, as JSON: models with the same fields get the same asks."""
        return self.model_dump_json(exclude=_ASIDE)

    def price(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> Decimal | None:
        """Return the cost in USD of tokens; `cached_tokens` are part of the input. None if this model has no price."""
        if self.input_usd is None and self.cached_usd is None and self.output_usd is None:
            return None
        input_usd = self.input_usd or 0
        cached_usd = input_usd if self.cached_usd is None else self.cached_usd
        cached = min(cached_tokens, input_tokens)
        priced = ((input_tokens - cached, input_usd), (cached, cached_usd), (output_tokens, self.output_usd or 0))
        nanos = sum(tokens * to_nanos(usd) for tokens, usd in priced)  # of a million of them each
        return to_usd((nanos + _MILLION // 2) // _MILLION)


class Stage(_Frozen):
    """One step of judging.

    `checks` asks nobody; `single` asks one model; `quorum` counts votes by criterion; `cascade` asks the first model,
    and the second where the first is unsure or its quotations fail.
    """

    kind: Literal["checks", "single", "quorum", "cascade"]
    judges: Annotated[list[JudgeModel], Field(max_length=VOTES_MAX)] = Field(
        default_factory=list, description="none: the validator's own"
    )
    votes: Annotated[int, Field(ge=1, le=VOTES_MAX)] | None = optional(
        "of a quorum: as many asks, over the judges in turn, in other order and wording"
    )

    @model_validator(mode="after")
    def _check_judges(self) -> Self:
        bounds = {"checks": (0, 0), "single": (0, 1), "quorum": (0, VOTES_MAX), "cascade": (2, 2)}
        least, most = bounds[self.kind]
        if not least <= len(self.judges) <= most:
            number = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"a stage `{self.kind}` names {number} judges, and this one {len(self.judges)}")
        if self.votes is not None and self.kind != "quorum":
            raise ValueError("only a quorum has votes")
        if self.kind == "quorum" and (self.votes or len(self.judges)) < VOTES_MIN:
            raise ValueError("a quorum needs two votes at least")
        if self.votes is not None and self.votes < len(self.judges):
            raise ValueError("a quorum has a vote for each of its judges at least")
        return self


class LoopStep(_Frozen):
    """What a pass needs besides, from some submission on: asks that are told to refute it, a check, or a confirmation.

    A step that confirms asks about the quoted passages alone, and neither refutes nor checks.
    """

    from_submission: Annotated[int, Field(ge=1, le=100, description="when not set, of one that confirms 1")] = 2
    confirm: bool = Field(False, description="whether a judge must say that the quoted passages alone show what passed")
    asks: Annotated[int, Field(ge=0, le=VOTES_MAX, description="when not set, of one that confirms 0")] = 1
    judge: JudgeModel | None = optional(
        "best of another family; when not set, of the last stage: one of another family than who let it"
        " pass, else the last"
    )
    check: Annotated[Text, AfterValidator(_check_check)] | None = optional("the text of a criterion of kind `check`")

    @model_validator(mode="before")
    @classmethod
    def _begin_confirming_at_once(cls, given: Any) -> Any:
        confirms = isinstance(given, dict) and given.get("confirm") is True
        return {"from_submission": 1, "asks": 0} | given if confirms else given

    @model_validator(mode="after")
    def _check_confirm(self) -> Self:
        if self.confirm and (self.asks or self.check is not None):
            raise ValueError("a step that confirms has no `asks` and no `check`: these are steps of their own")
        return self


class JudgePolicy(_Frozen):
    """How results are judged, by name and version. A version never changes."""

    name: Name
    version: int = Field(0, ge=0, le=999_999_999, description="given by the jobstore; 0: not stored yet")
    stages: Annotated[list[Stage], Field(min_length=1, max_length=STAGES_MAX)] = Field(
        default_factory=lambda: [Stage(kind="checks"), Stage(kind="single")]
    )
    asks: Asks = Field(
        "auto",
        description="which criteria one ask is about: all of them, each alone, or `auto`: all if they are five at most,"
        " else up to five of a kind, and each of `apart` alone",
    )
    apart: Annotated[list[CriterionText], Field(max_length=CRITERIA_MAX)] = Field(
        default_factory=list,
        description="texts of criteria that are judged better alone, as an evaluation of policies with `asks` of both"
        " kinds shows",
    )
    task: Annotated[list[TaskMember], Field(max_length=4), AfterValidator(_check_task)] = Field(
        default_factory=lambda: list[TaskMember](["title", "description", "payload"]),
        description="what judges see of what the agent was asked; `feedback`, what it was told of its last submission,"
        " quotes the agent; empty: nothing",
    )
    judge_after_checks: bool = Field(False, description="whether a model is asked where a required check fails")
    loop: Annotated[list[LoopStep], Field(max_length=STAGES_MAX)] = Field(
        default_factory=lambda: [LoopStep()],
        description="what a pass needs besides; empty: nothing more. Where all steps confirm, one that refutes follows"
        " from submission 2 on, as it does by default",
    )
    section_chars: Annotated[int, Field(ge=2_000, le=1_000_000)] | None = optional(
        "a longer result is judged by sections of so many characters; when not set, the validator's"
    )
    whole: Literal["excerpt", "refuse"] = Field(
        "excerpt",
        description="how a criterion about the whole, such as `is written in French`, is judged of a result that has"
        " sections: by its head, its tail and a sample, or not at all",
    )
    result_max_chars: Annotated[int, Field(ge=1)] | None = optional(
        "of criteria and result as JSON; when not set, the validator's: by default all that doors take"
    )
    prompt: Annotated[int, Field(ge=1)] | None = optional("the version of the prompt; when not set, the validator's")

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        kinds = [stage.kind for stage in self.stages]
        if "checks" in kinds[1:]:
            raise ValueError("`checks` is the first stage or none: they are free, and run before any judge is paid")
        if len(kinds) - kinds.count("checks") != 1:
            raise ValueError("a policy has one stage that asks judges, after `checks`: single, quorum or cascade")
        return self

    @property
    def steps(self) -> list[LoopStep]:
        """The steps of the loop; if all of them only confirm, a step that refutes follows them."""
        return [*self.loop, LoopStep()] if self.loop and all(one.confirm for one in self.loop) else self.loop

    def list_judges(self) -> Iterator[JudgeModel]:
        """Yield the models of the stages, and then the models of the loop's steps."""
        for stage in self.stages:
            yield from stage.judges
        yield from (step.judge for step in self.loop if step.judge is not None)

    @property
    def reference(self) -> str:
        """The policy's name and version, as in jobs and verdicts; the name alone if the policy is not stored."""
        return join_reference(self.name, self.version) if self.version else self.name


class Verdict(judging.Verdict):
    """The judgement of one result. `is_valid` is computed from the criteria, never taken from a model."""

    @classmethod
    def of(
        cls,
        criteria: list[CriterionVerdict],
        reason: str,
        model: str | None = None,
        judge_error: str | None = None,
        **terms: Any,
    ) -> Self:
        """Make a verdict; the result is valid if every required criterion passed. `terms` are other fields of it."""
        is_valid = all(c.outcome is Outcome.PASS for c in criteria if c.required)
        return cls(is_valid=is_valid, reason=reason, criteria=criteria, model=model, judge_error=judge_error, **terms)

    def check_words(self) -> Self:
        """Return the verdict. Raise ValueError if an outcome is not known: no validator is newer than the jobstore."""
        for criterion in self.criteria:
            Outcome(criterion.outcome)
        return self

    @property
    def is_unproven(self) -> bool:
        """Whether the judge made no error, and each required criterion without a pass, one at least, is unproven."""
        open_ones = [c for c in self.criteria if c.required and c.outcome is not Outcome.PASS]
        return self.judge_error is None and bool(open_ones) and all(c.unproven for c in open_ones)

    @model_validator(mode="after")
    def _check_is_valid(self) -> Self:
        if self.is_valid and any(c.outcome is not Outcome.PASS for c in self.criteria if c.required):
            raise ValueError("is_valid although a required criterion did not pass")
        return self


_KNOWN_KINDS = frozenset({"meets", "never", "check"})
#: Kinds whose pass has evidence: words that meet it, or what a check found. Of what is absent there may be none.
_KINDS_WITH_EVIDENCE = frozenset({"meets", "check"})


def find_mismatch(criteria: Sequence[Criterion], verdict: Verdict) -> str | None:
    """Return why a verdict does not judge these criteria, as a message, or None if it does.

    A verdict judges the criteria if it has each of them once and in order, has evidence for each pass of a kind that
    needs some, calls unproven only what could not be assessed, and has an `is_valid` that follows from the outcomes.
    Whether the evidence stands in the result is not looked at.
    """
    if len(verdict.criteria) != len(criteria):
        return f"the verdict judges {len(verdict.criteria)} criteria, and the job has {len(criteria)}"
    if not any(criterion.required for criterion in criteria):
        return "no criterion is required, so that any result would be valid"
    for number, (criterion, judged) in enumerate(zip(criteria, verdict.criteria, strict=True), 1):
        if (fault := _find_fault(criterion, judged)) is not None:
            return f"criterion {number} of the verdict {fault}"
    if verdict.is_valid != Verdict.of(verdict.criteria, verdict.reason).is_valid:
        return f"is_valid is {str(verdict.is_valid).lower()}, which does not follow from the outcomes"
    return None


def _find_fault(criterion: Criterion, judged: CriterionVerdict) -> str | None:
    if judged.text != criterion.text:
        return "has another text than the job's"
    if (judged.required, judged.kind) != (criterion.required, criterion.kind):
        return "is not required, or not of the kind, as the job says"
    if judged.outcome is Outcome.PASS:
        if criterion.kind not in _KNOWN_KINDS:
            return f"passed, and nobody knows how to judge the kind {criterion.kind!r}"
        if criterion.kind in _KINDS_WITH_EVIDENCE and not any(map(str.strip, judged.evidence)):
            return "passed without evidence"
    if judged.unproven and judged.outcome is not Outcome.CANNOT_ASSESS:
        return f"is unproven although its outcome is {judged.outcome}"
    return None
