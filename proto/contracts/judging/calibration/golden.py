"""Decide whether a version of a policy may take over: by its report on the policy's golden set."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, NamedTuple

from pydantic import ConfigDict, Field

from contracts.fields import Model, StrictModel
from contracts.judging.calibration.cases import BadLine, hash_cases, read_cases
from contracts.judging.calibration.quorums import QuorumWorth
from contracts.judging.calibration.statistics import Confusion
from contracts.judging.policy import VERSIONED, VOTES_MAX

#: What is asked of a judge before its figures are used at all: 90 % of the good pass, and 90 % of the bad do not.
RATE_MIN: Final = 0.9

#: Policies of one report.
POLICIES_MAX: Final = 100

Share = Annotated[float, Field(ge=0, le=1)]
#: SHA-256 of labelled cases.
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the labelled cases")]
Count = Annotated[int, Field(ge=0)]


class GoldenSet(StrictModel):
    """Labelled cases that belong to a policy, by the hash of them, and what a version must reach on them."""

    model_config = ConfigDict(frozen=True)

    cases_hash: Hash
    cases: Annotated[int, Field(ge=1)]
    true_positive_rate_min: Share = RATE_MIN
    true_negative_rate_min: Share = RATE_MIN
    flips_max: Share | None = Field(
        None, description="the share of cases whose repeats may differ; None: not looked at"
    )


def make_golden(lines: Iterable[bytes], **least: float | None) -> tuple[GoldenSet, str]:
    """Return a golden set of lines of cases, and its body: what is asked for in a line, and a case in each other.

    Raise ValueError if a line is no case, if a case says nothing of the whole, or if none is good, or none bad.
    """
    cases = []
    for one in read_cases(lines):
        if isinstance(one, BadLine):
            msg = f"line {one.line} {one.reason}"
            raise ValueError(msg)  # noqa: TRY004 - the line is no case, whatever its type
        if one.case.label is None:
            msg = f"line {one.line} says nothing of the whole: give label, or labels of all required criteria"
            raise ValueError(msg)
        cases.append(one.case)
    if {case.label for case in cases} != {True, False}:
        msg = "a golden set needs good results and bad ones: without them it says nothing of what a judge lets pass"
        raise ValueError(msg)
    golden = GoldenSet.model_validate({"cases_hash": hash_cases(cases), "cases": len(cases), **least})
    return golden, "\n".join([golden.model_dump_json(), *(case.write() for case in cases)])


def read_golden(body: str) -> tuple[GoldenSet, str]:
    """Return what a body asks for, and its cases, one a line."""
    first, _, cases = body.partition("\n")
    return GoldenSet.model_validate_json(first), cases


class GoldenRefusal(NamedTuple):
    """Why a version may not take over."""

    code: str
    message: str


class Counts(Model):
    """How many were judged rightly and wrongly."""

    true_accepts: Count
    false_accepts: Count
    true_rejects: Count
    false_rejects: Count

    def total(self) -> Confusion:
        """Return them with what follows from them: no share is taken at its word."""
        return Confusion(self.true_accepts, self.false_accepts, self.true_rejects, self.false_rejects)


class _Flips(Model):
    count: Count
    share: Share | None


class _AllFlips(Model):
    cases: _Flips


class Measured(Model):
    """What is kept of an evaluation of one version: how it judged whole results, and what its votes are worth."""

    cases_hash: Hash
    overall: Counts
    quorum: Annotated[list[QuorumWorth], Field(max_length=VOTES_MAX)] = Field(default_factory=list)


class PolicyReport(Model):
    """What is looked at of the report of one policy."""

    policy: str
    versions: dict[str, int] = Field(default_factory=dict)
    overall: Counts
    flips: _AllFlips
    quorum: Annotated[list[QuorumWorth], Field(max_length=VOTES_MAX)] = Field(default_factory=list)

    def judges(self) -> set[str]:
        """Return the versions that judged, or the name that was asked for where no verdict says one."""
        return set(self.versions) or {self.policy}


class Report(Model):
    """What is looked at of a report by `signoff judge evaluate`."""

    cases_hash: Hash
    policies: Annotated[list[PolicyReport], Field(max_length=POLICIES_MAX)]

    def list_measured(self) -> Iterator[tuple[str, Measured]]:
        """Yield what is kept, with the `name@version` that it is of; nothing of what several versions have judged."""
        for one in self.policies:
            judges = one.judges()
            if len(judges) == 1 and VERSIONED.fullmatch(reference := judges.pop()):
                yield reference, Measured(cases_hash=self.cases_hash, overall=one.overall, quorum=one.quorum)


def find_refusal(golden: GoldenSet, reference: str, report: Report) -> GoldenRefusal | None:
    """Return why a version, `name@version`, may not take over by this report; None: it may.

    What the report does not say counts against it: a set without good or bad cases, or a case without a verdict.
    """
    if report.cases_hash != golden.cases_hash:
        message = "the report is of other cases than the golden set: evaluate the version on the golden set itself"
        return GoldenRefusal("golden_other_cases", message)
    own = next((one for one in report.policies if one.judges() == {reference}), None)
    if own is None:
        found = ", ".join(sorted({name for one in report.policies for name in one.judges()}))
        message = f"the report is of {found or 'nothing'}, and not of {reference} alone: evaluate that one"
        return GoldenRefusal("golden_other_version", message)
    faults = list(_find_faults(golden, own))
    if not faults:
        return None
    return GoldenRefusal("golden_failed", f"{reference} does not pass the golden set: {'; '.join(faults)}")


def _find_faults(golden: GoldenSet, report: PolicyReport) -> Iterator[str]:
    overall = report.overall.total()
    if overall.total != golden.cases:
        yield f"{overall.total} of {golden.cases} cases have a verdict and a label"
    for words, rate, least in (
        ("good results pass", overall.true_positive_rate, golden.true_positive_rate_min),
        ("bad results are refused", overall.true_negative_rate, golden.true_negative_rate_min),
    ):
        if rate.share is None:
            yield f"no case says how many {words}"
        elif rate.share < least:
            between = f"95 % interval {rate.low:.3f} to {rate.high:.3f}"
            yield f"{rate.share:.3f} of the {words}, less than {least:g} ({between})"
    if golden.flips_max is not None:
        flips = report.flips.cases
        if flips.share is None:
            yield "nothing was judged twice, and flips are looked at: evaluate with --repeats 2 or more"
        elif flips.share > golden.flips_max:
            yield f"{flips.share:.3f} of the cases flipped between repeats, more than {golden.flips_max:g}"
