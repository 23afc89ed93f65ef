"""Put a report of policies on labelled cases into tables, for a terminal and for a page."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from contracts.judging.statistics import QuorumWorth
from signoff.jsontext import json_text

Report = Mapping[str, Any]
Row = Sequence[object]

#: Below this p, chance explains the difference of two policies badly.
P_MAX: Final = 0.05
_RATES: Final = (
    ("agreement", "agreement"),
    ("true positive rate", "true_positive_rate"),
    ("true negative rate", "true_negative_rate"),
    ("false accepts, of bad", "false_accept_rate"),
    ("false rejects, of good", "false_reject_rate"),
)
CRITERIA_HEADER: Final = ("criterion", "labels", "false accepts", "false rejects", "unsure", "agreement %", "kappa")


def format_share(interval: Report) -> str:
    """Return a share with its 95 % interval, in percent."""
    if interval["share"] is None:
        return "undefined: no such labels"
    return f"{100 * interval['share']:.1f} % ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"


def format_number(value: float | None, digits: int, unit: str = "") -> str:
    """Return a number, or that there is none."""
    return "undefined" if value is None else f"{value:.{digits}f}{unit}"


def list_measures(policies: Sequence[Report]) -> Sequence[Row]:
    """Return a row a measure, with a column a policy."""
    names = ["labelled results judged", *(name for name, _ in _RATES), "kappa", "unsure", "not judged"]
    names += [
        "flips over repeats",
        "criteria: agreement",
        "criteria: kappa",
        "asks",
        "cost",
        "an ask: median; 95 %",
    ]
    rows: list[list[object]] = [[name] for name in names]
    for one in policies:
        overall, criteria, latency = one["overall"], one["all_criteria"], one["latency_s"]
        unjudged = ", ".join(f"{count} {code}" for code, count in sorted(one["unjudged"].items()))
        values = [
            f"{overall['labelled']}: {overall['good']} good, {overall['bad']} bad",
            *(format_share(overall[name]) for _, name in _RATES),
            format_number(overall["kappa"], 2),
            overall["unsure"],
            unjudged or 0,
            format_share(one["flips"]["cases"]) if one["flips"]["cases"]["share"] is not None else "not repeated",
            format_share(criteria["agreement"]),
            format_number(criteria["kappa"], 2),
            one["asks"],
            format_cost(one),
            f"{format_number(latency['median'], 2, ' s')}; {format_number(latency['p95'], 2, ' s')}",
        ]
        for row, value in zip(rows, values, strict=True):
            row.append(value)
    return rows


def format_cost(policy: Report) -> str:
    """Return what all asks of a policy cost together, as far as that is known."""
    if policy["cost_usd"] is None:
        return "unknown"
    unknown = policy["asks_of_unknown_cost"]
    return f"${Decimal(policy['cost_usd']):.4f}" + (f", without {unknown} asks of unknown price" if unknown else "")


def list_confusion(measure: Report) -> list[Row]:
    """Return what was said against what is so."""
    return [
        ("labelled good", measure["true_accepts"], measure["false_rejects"]),
        ("labelled bad", measure["false_accepts"], measure["true_rejects"]),
    ]


def list_criteria(policy: Report) -> list[Row]:
    """Return a row a criterion."""
    return [
        (
            one["criterion"],
            one["labelled"],
            one["false_accepts"],
            one["false_rejects"],
            one["unsure"],
            format_number(None if one["agreement"]["share"] is None else 100 * one["agreement"]["share"], 1),
            format_number(one["kappa"], 2),
        )
        for one in policy["criteria"]
    ]


def describe_comparison(comparison: Report) -> str:
    """Return what McNemar's test says of two policies, in a sentence."""
    first, second = comparison["first"], comparison["second"]
    only_first, only_second = comparison["only_first_right"], comparison["only_second_right"]
    p = comparison["p"]
    verdict = "chance explains that badly" if p < P_MAX else "which may be chance"
    return (
        f"{first} alone is right in {only_first} cases, {second} alone in {only_second}: p = {p:.3g} by McNemar's "
        f"exact test, {verdict}; both are right in {comparison['both_right']}, both wrong in {comparison['both_wrong']}"
    )


def describe_gains(first: Report, second: Report) -> str | None:
    """Return on which criteria the second of two policies errs less, in a sentence; None where on none."""
    before = {one["criterion"]: _count_errors(one) for one in first["criteria"]}
    gains = [
        f"{json_text(one['criterion'])} ({_count_errors(one)} of {one['labelled']} instead of {before[name]})"
        for one in second["criteria"]
        if _count_errors(one) < before.get(name := one["criterion"], 0)
    ]
    return f"{second['policy']} errs less on {'; '.join(gains)}" if gains else None


def _count_errors(criterion: Report) -> int:
    return int(criterion["false_accepts"] + criterion["false_rejects"])


def describe_confirming(confirm: Report) -> str:
    """Return what confirming passes was worth, in a sentence."""
    cost = "at an unknown price" if confirm["cost_usd"] is None else f"for ${Decimal(confirm['cost_usd']):.4f}"
    return (
        f"confirming stopped {confirm['bad_stopped']} of {confirm['bad']} bad results that had passed, and "
        f"{confirm['good_stopped']} of {confirm['good']} good ones, by {confirm['asks']} asks {cost}"
    )


def describe_quorum(quorum: Report) -> str:
    """Return what the votes of a quorum are worth, in a sentence."""
    return QuorumWorth.model_validate(quorum).sentence


def describe_left_out(report: Report) -> list[str]:
    """Return what is not in the report, and why."""
    lines = [f"line {one['line']} was skipped: {one['reason']}" for one in report["skipped"]]
    for one in report["policies"]:
        if one["criteria_not_listed"]:
            lines.append(f"{one['policy']}: {one['criteria_not_listed']} further criteria are not listed")
        if one["labels_not_told_apart"]:
            lines.append(
                f"{one['policy']}: {one['labels_not_told_apart']} labels are of criteria too many to tell apart"
            )
    shown, total = len(report["disagreements"]["items"]), report["disagreements"]["total"]
    return [*lines, *([f"{total - shown} further disagreements are not listed"] if total > shown else [])]
