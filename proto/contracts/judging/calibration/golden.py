"""Decide whether a version of a policy may take over: by its report on the policy's golden set."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import ConfigDict, Field

from contracts.fields import StrictModel

#: What is asked of a judge before its figures are used at all: 90 % of the good pass, and 90 % of the bad do not.
RATE_MIN: Final = 0.9

Share = Annotated[float, Field(ge=0, le=1)]


class GoldenSet(StrictModel):
    """Labelled cases that belong to a policy, by the hash of them, and what a version must reach on them."""

    model_config = ConfigDict(frozen=True)

    cases_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    cases: Annotated[int, Field(ge=1)]
    true_positive_rate_min: Share = RATE_MIN
    true_negative_rate_min: Share = RATE_MIN
    flips_max: Share | None = Field(
        None, description="the share of cases whose repeats may differ; None: not looked at"
    )


class GoldenRefusal(NamedTuple):
    """Why a version may not take over."""

    code: str
    message: str


def find_refusal(golden: GoldenSet, reference: str, report: Mapping[str, Any]) -> GoldenRefusal | None:
    """Return why a version, `name@version`, may not take over by this report; None: it may.

    What the report does not say counts against it: a set without good or bad cases, or a case without a verdict.
    """
    if report.get("cases_hash") != golden.cases_hash:
        message = "the report is of other cases than the golden set: evaluate the version on the golden set itself"
        return GoldenRefusal("golden_other_cases", message)
    own = next((one for one in report["policies"] if _find_versions(one) == {reference}), None)
    if own is None:
        found = ", ".join(sorted({name for one in report["policies"] for name in _find_versions(one)}))
        message = f"the report is of {found}, and not of {reference} alone: evaluate that on the golden set"
        return GoldenRefusal("golden_other_version", message)
    faults = _find_faults(golden, own)
    if not faults:
        return None
    return GoldenRefusal("golden_failed", f"{reference} does not pass the golden set: {'; '.join(faults)}")


def _find_versions(report: Mapping[str, Any]) -> set[str]:
    """Return the versions of a policy that judged, or the name that was asked for where no verdict says one."""
    return set(report["versions"]) or {report["policy"]}


def _find_faults(golden: GoldenSet, report: Mapping[str, Any]) -> list[str]:
    faults = []
    overall = report["overall"]
    if open_ := golden.cases - overall["labelled"]:
        faults.append(f"{open_} of {golden.cases} cases have no verdict or no label")
    for name, words, least in (
        ("true_positive_rate", "good results pass", golden.true_positive_rate_min),
        ("true_negative_rate", "bad results are refused", golden.true_negative_rate_min),
    ):
        rate = overall[name]
        if rate["share"] is None:
            faults.append(f"no case says how many {words}")
        elif rate["share"] < least:
            between = f"95 % interval {rate['low']:.3f} to {rate['high']:.3f}"
            faults.append(f"{rate['share']:.3f} of the {words}, less than {least:g} ({between})")
    if golden.flips_max is not None:
        flips = report["flips"]["cases"]
        if flips["share"] is None:
            faults.append("nothing was judged twice, and flips are looked at: evaluate with --repeats 2 or more")
        elif flips["share"] > golden.flips_max:
            faults.append(f"{flips['share']:.3f} of the cases flipped between repeats, more than {golden.flips_max:g}")
    return faults
