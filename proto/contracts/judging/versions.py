"""Describe versions of judge policies, and decide by the golden set whether one may take over."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from contracts.fields import StrictModel
from contracts.judging.cases import BadLine, Case, hash_cases, hash_question, read_case, read_cases
from contracts.judging.evaluation import FAIL, NOTHING, PASS, measure
from contracts.judging.policy import VOTES_MAX, JudgePolicy
from contracts.judging.statistics import (
    Confusion,
    QuorumWorth,
    clopper_pearson_low,
    count_missing,
    count_missing_alike,
    wilson,
)
from signoff import judging
from signoff.errors import ErrorCode
from signoff.fields import Model, Time, optional
from signoff.jsontext import json_text

#: What is asked of a judge before its figures are used at all: 90 % of the good pass, and 90 % of the bad do not.
RATE_MIN: Final = 0.9

#: Policies of one report.
POLICIES_MAX: Final = 100

Share = Annotated[float, Field(ge=0, le=1)]
#: A share that a lower bound may reach: thousands of cases show the highest, and none show that nothing is wrong.
Least = Annotated[float, Field(ge=0, le=0.999)]
#: SHA-256 of labelled cases.
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the labelled cases, in any order")]
Count = Annotated[int, Field(ge=0)]


class GoldenSet(StrictModel):
    """The labelled cases of a policy, by their hash, and the shares that a version must reach on them."""

    model_config = ConfigDict(frozen=True)

    cases_hash: Hash
    cases: Annotated[int, Field(ge=1)]
    good: Annotated[int, Field(ge=1, description="results that are to pass")]
    bad: Annotated[int, Field(ge=1, description="results that are not")]
    true_positive_rate_min: Least = Field(
        RATE_MIN,
        description="what the lower bound (Clopper-Pearson, 95 %) of the share of good results that pass reaches",
    )
    true_negative_rate_min: Least = Field(RATE_MIN, description="the same of bad results that do not pass")
    flips_max: Share | None = optional("the share of cases whose repeats may differ; left out: not looked at")


def make_golden(lines: Iterable[bytes], **least: float | None) -> tuple[GoldenSet, str]:
    """Return the golden set of the cases in `lines`, and its body: a line with the terms of the set, and a line a case.

    `least` are the required shares. Raise ValueError if a line is no case, if a case has no label of the whole or
    repeats the question of another, or if no case is good, or none is bad.
    """
    cases: list[Case] = []
    lines_of: dict[str, int] = {}
    for one in read_cases(lines):
        if isinstance(one, BadLine):
            msg = f"line {one.line} {one.reason}"
            raise ValueError(msg)  # noqa: TRY004 - the line is no case, whatever its type
        if one.case.label is None:
            msg = f"line {one.line} says nothing of the whole: give label, or labels of all required criteria"
            raise ValueError(msg)
        if (first := lines_of.setdefault(hash_question(one.case.ask()), one.line)) != one.line:
            raise ValueError(f"line {one.line} is judged as line {first} is: a copy shows nothing more of a judge")
        cases.append(one.case)
    if {case.label for case in cases} != {True, False}:
        msg = "a golden set needs good results and bad ones: without them it says nothing of what a judge lets pass"
        raise ValueError(msg)
    good = sum(case.label is True for case in cases)
    counted = {"cases_hash": hash_cases(cases), "cases": len(cases), "good": good, "bad": len(cases) - good}
    golden = GoldenSet.model_validate({**counted, **least})
    return golden, "\n".join([golden.model_dump_json(), *(case.write() for case in cases)])


def read_golden(body: str) -> tuple[GoldenSet, str]:
    """Return the golden set (its required shares) in a body, and the text of its cases, one a line."""
    first, _, cases = body.partition("\n")
    return GoldenSet.model_validate_json(first), cases


class GoldenRefusal(NamedTuple):
    """The code and the message that say why a version may not become current."""

    code: str
    message: str


class Counts(Model):
    """How many were judged rightly and wrongly."""

    true_accepts: Count
    false_accepts: Count
    true_rejects: Count
    false_rejects: Count
    unsure: Count = Field(0, description="of the rejects: what the judge could not assess")

    @classmethod
    def of(cls, confusion: Confusion) -> Self:
        """Return the counts of a confusion matrix."""
        return cls(**confusion.counts)

    def total(self) -> Confusion:
        """Return the counts as a confusion matrix, with its rates."""
        return Confusion(**self.model_dump())


class Measured(Model):
    """The stored part of an evaluation of one version: its judgements of whole results, and the worth of its votes."""

    cases_hash: Hash
    overall: Counts
    quorum: Annotated[list[QuorumWorth], Field(max_length=VOTES_MAX)] = Field(default_factory=list)


class Evaluated(NamedTuple):
    """A stored evaluation of one version: the counts and, by the hash of a question, a letter for each repeat.

    The letters are `p` (accepted), `f` (not accepted) and `-` (not judged).
    """

    measured: Measured
    judged: Mapping[str, str]


class PolicyReport(Model):
    """The fields that are read from the report of one policy."""

    policy: str
    versions: dict[str, int] = Field(default_factory=dict)
    overall: dict[str, Any] = Field(default_factory=dict)

    def judges(self) -> set[str]:
        """Return the versions that judged; if no verdict names one, the name that was asked for."""
        return set(self.versions) or {self.policy}


class Report(Model):
    """The fields that are read from a report of `signoff judge evaluate`: it names an evaluation, and no more."""

    evaluation: UUID
    policies: Annotated[list[PolicyReport], Field(max_length=POLICIES_MAX)] = Field(default_factory=list)


def find_refusal(body: str, reference: str, report: Report, evaluated: Evaluated | None) -> GoldenRefusal | None:
    """Return why version `reference` (`name@version`) may not become current by its stored evaluation; None if it may.

    `body` is that of the golden set, whose labels are used. A case that was not judged counts against the version.
    """
    own = next((one for one in report.policies if one.judges() == {reference}), None)
    if own is None and report.policies:
        found = ", ".join(sorted({name for one in report.policies for name in one.judges()}))
        message = f"the report is of {found}, and not of {reference} alone: evaluate that one"
        return GoldenRefusal(ErrorCode.GOLDEN_OTHER_VERSION, message)
    if evaluated is None:
        message = (
            f"no evaluation {report.evaluation} of {reference} is kept: it was not finished, or a later one of the "
            f"same cases has taken its place; evaluate {reference} again"
        )
        return GoldenRefusal(ErrorCode.GOLDEN_NOT_KEPT, message)
    counted = measure(evaluated.measured.overall.total())
    edited = [name for name, said in (own.overall if own else {}).items() if counted.get(name) != said]
    if edited:
        message = (
            f"the report is not what its judgings say: {edited[0]} is {json_text(counted.get(edited[0]))} by the "
            "judgings that are kept. It was edited, or is of another evaluation"
        )
        return GoldenRefusal(ErrorCode.GOLDEN_REPORT_DIFFERS, message)
    golden, lines = read_golden(body)
    cases = [case for line in lines.splitlines() if isinstance(case := read_case(line.encode()), Case)]
    judged = [(case.label is True, evaluated.judged.get(hash_question(case.ask()))) for case in cases]
    if lacking := sum(letters is None for _, letters in judged):
        message = (
            f"{lacking} of the {golden.cases} cases of the golden set were not judged, as a first submission, in this "
            "evaluation: evaluate the version on the golden set itself"
        )
        return GoldenRefusal(ErrorCode.GOLDEN_OTHER_CASES, message)
    faults = list(_find_faults(golden, [(label, letters or "") for label, letters in judged]))
    if not faults:
        return None
    return GoldenRefusal(ErrorCode.GOLDEN_FAILED, f"{reference} does not pass the golden set: {'; '.join(faults)}")


def _find_faults(golden: GoldenSet, judged: Sequence[tuple[bool, str]]) -> Iterator[str]:
    firsts = Counter((label, letters[0]) for label, letters in judged)  # the first judgement counts
    if unjudged := sum(count for (_, letter), count in firsts.items() if letter == NOTHING):
        yield f"{golden.cases - unjudged} of {golden.cases} cases have a verdict"
    for is_good, right, words, least in (
        (True, PASS, "good results pass", golden.true_positive_rate_min),
        (False, FAIL, "bad results are refused", golden.true_negative_rate_min),
    ):
        count, total = firsts[is_good, right], firsts[is_good, PASS] + firsts[is_good, FAIL]
        if missing := count_missing(count, total, least):
            kind = words.partition(" ")[0]
            yield (
                f"{count} of {total} {words}, which shows {clopper_pearson_low(count, total):.3f} or more with 95 % "
                f"certainty, and not {least:g}: {_describe_missing(count, total, least, missing, kind)}"
            )
    if golden.flips_max is not None:
        repeated = [said for _, letters in judged if len(said := letters.replace(NOTHING, "")) > 1]
        flips = wilson(sum(len(set(said)) > 1 for said in repeated), len(repeated))
        if flips.share is None:
            yield "nothing was judged twice, and flips are looked at: evaluate with --repeats 2 or more"
        elif flips.share > golden.flips_max:
            yield f"{flips.share:.3f} of the cases flipped between repeats, more than {golden.flips_max:g}"


def _describe_missing(count: int, total: int, least: float, missing: int, kind: str) -> str:
    if count == total:
        return f"{missing} more {kind} cases are missing"
    alike = count_missing_alike(count, total, least)
    at_this_share = "at this share not even a million are" if alike is None else f"{alike} are if as many are as so far"
    return f"{missing} more {kind} cases would be enough if all of them are judged rightly; {at_this_share}"


def _read_policy(policy: Any) -> Any:
    """Return the judge policy in a JSON value, which was checked when it was stored, perhaps by a newer jobstore.

    A value that this version cannot read as a policy is returned as it is.
    """
    try:
        return JudgePolicy.model_validate(policy, extra="ignore") if isinstance(policy, dict) else policy
    except ValidationError:
        return policy


def _hide_newer(schema: dict[str, Any]) -> None:
    """Remove from a field's JSON Schema the bare object, which stands for the policies of a newer jobstore."""
    schema["anyOf"] = [each for each in schema["anyOf"] if each.get("type") != "object"]


class JudgeEvaluation(Measured):
    """What an evaluation on labelled cases found of a version of a policy."""

    evaluation: str = Field(description="names it, as its report does")
    version: int = Field(description="that was evaluated")
    actor: str
    created_at: Time


class JudgePolicyVersion(judging.JudgePolicyVersion):
    """One version of a judge policy, which never changes."""

    policy: Annotated[JudgePolicy | dict[str, Any] | None, BeforeValidator(_read_policy)] = Field(  # type: ignore[assignment]
        None, description="not in lists", json_schema_extra=_hide_newer
    )
    evaluation: JudgeEvaluation | None = optional(  # type: ignore[assignment]
        "the newest, of this version, or of one that judges by the same stages; not in lists"
    )


class NamedJudgePolicy(judging.NamedJudgePolicy):
    """A judge policy by its name."""

    versions: list[JudgePolicyVersion] = Field(  # type: ignore[assignment]
        default_factory=list, description="newest first; in lists the current one alone"
    )


class SavedJudgePolicy(NamedJudgePolicy, judging.SavedJudgePolicy):
    """A judge policy as the answer to putting a version shows it."""
