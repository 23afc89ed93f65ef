"""Show judge policies and criteria sets, their versions, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cli.output import Output, format_spent, format_time
from cli.terminal import Styled

if TYPE_CHECKING:
    from signoff.judging import (
        CriteriaRemarks,
        CriteriaSetVersion,
        JudgePolicyVersion,
        JudgingWarning,
        NamedCriteriaSet,
        NamedGoldenSet,
        NamedJudgePolicy,
        SavedCriteriaSet,
        SavedJudgePolicy,
        Validator,
    )

#: What labels say of a version.
_MEASURED = ("evaluation", "warnings")
_VERSIONS = ["version", "", "met", "not met", "unjudged", "spent", "made", "by", "note"]


def show_judge_policies(out: Output, policies: Sequence[NamedJudgePolicy], validators: Sequence[Validator]) -> None:
    """Show judge policies, and by what validators judge."""
    out.print_json({"policies": policies, "validators": validators})
    out.print_table(["policy", *_VERSIONS], [(each.name, *_row(each, each.versions[0])) for each in policies])
    if validators:
        out.print_line()
        rows = [(each.owner, each.judge or "has not said", ", ".join(each.keys)) for each in validators]
        out.print_table(["validator", "is set to", "keys"], rows)


def show_judge_policy(out: Output, found: NamedJudgePolicy, shown: Any) -> None:
    """Show one version of a judge policy whole, what labels say of it, and all versions that are there."""
    out.print_json({**vars(found), **{name: getattr(shown, name) for name in ("version", "policy", *_MEASURED)}})
    out.print_line(f"{found.name}@{shown.version}")
    for line in json.dumps(shown.policy, indent=2).splitlines():
        out.print_line(line)
    if (evaluation := shown.evaluation) is not None:
        by, at = evaluation.actor, format_time(evaluation.created_at)
        out.print_line(f"evaluated as {found.name}@{evaluation.version} by {by}, {at}: {_count_wrong(evaluation)}")
        if evaluation.quorum:
            from cli.evaluating.tables import describe_quorum  # noqa: PLC0415 - heavy, and only needed here

            for quorum in evaluation.quorum:
                out.print_line(describe_quorum(vars(quorum)))
    _print_warnings(out, shown.warnings)
    out.print_line()
    out.print_table(_VERSIONS, [_row(found, version) for version in found.versions])
    moves = [(format_time(move.created_at), _name_move(move.version), move.actor, move.reason) for move in found.moves]
    out.print_line()
    out.print_table(["since", "", "by", "reason"], moves)


def show_saved_policy(out: Output, saved: SavedJudgePolicy) -> None:
    """Show which version was added, and what should be looked at."""
    out.print_json(saved)
    is_current = saved.current == saved.version
    how = "is current" if is_current else f"waits for `signoff judges promote {saved.name} {saved.version}`"
    out.print_line(f"{saved.name}@{saved.version} {how}")
    _print_warnings(out, saved.warnings)


def show_golden_set(out: Output, found: NamedGoldenSet) -> None:
    """Show what a new version of a policy must reach, and on which cases."""
    out.print_json(found)
    rows: list[tuple[str, object]] = [
        ("cases", f"{found.cases}: {found.good} good, {found.bad} bad"),
        ("of the good ones must pass", f"{100 * found.true_positive_rate_min:g} %, with 95 % certainty"),
        ("of the bad ones must be refused", f"{100 * found.true_negative_rate_min:g} %, with 95 % certainty"),
        ("may flip", "" if found.flips_max is None else f"{100 * found.flips_max:g} %"),
        ("their SHA-256", found.cases_hash),
        ("set", f"{format_time(found.created_at)} by {found.actor}"),
        ("note", found.note or ""),
    ]
    is_retired = Styled(" (removed: versions take over without it)", "yellow") if found.is_retired else ""
    out.print_line(f"the golden set of {found.name}", is_retired)
    out.print_table(["", ""], [row for row in rows if row[1] != ""])
    from contracts.judging.statistics import count_missing  # noqa: PLC0415 - only needed here

    asked = (("good", found.good, found.true_positive_rate_min), ("bad", found.bad, found.true_negative_rate_min))
    missing = ((kind, count_missing(count, count, least)) for kind, count, least in asked)  # by a perfect record
    if lacks := " and ".join(f"{count} {kind}" for kind, count in missing if count):
        out.print_line(Styled(f"warning: no version can pass it before it has {lacks} cases more", "yellow"))


def show_criteria_sets(out: Output, sets: Sequence[NamedCriteriaSet]) -> None:
    """Show criteria sets."""
    out.print_json({"sets": sets})
    out.print_table(["set", *_VERSIONS], [(each.name, *_row(each, each.versions[0])) for each in sets])


def show_criteria_set(out: Output, found: NamedCriteriaSet, shown: CriteriaSetVersion) -> None:
    """Show the criteria of one version of a set, and all versions that are there."""
    out.print_json({**vars(found), "version": shown.version, "acceptance_criteria": shown.acceptance_criteria})
    out.print_line(f"{found.name}@{shown.version}")
    for line in shown.acceptance_criteria.split("\n"):
        out.print_line(f"  {line}")
    out.print_line()
    out.print_table(_VERSIONS, [_row(found, version) for version in found.versions])


def show_saved_set(out: Output, saved: SavedCriteriaSet) -> None:
    """Show which version was added, and what is ambiguous in it."""
    out.print_json(saved)
    out.print_line(f"{saved.name}@{saved.version} is current")
    out.print_warnings(saved.warnings)


def show_remarks(out: Output, remarks: CriteriaRemarks) -> None:
    """Show what is ambiguous in criteria, and which no section of a long result decides."""
    out.print_json(remarks)
    out.print_warnings(remarks.warnings)
    for note in remarks.notes:
        out.print_line(f"note: {note.message}")
    if not remarks.warnings:
        out.print_line("nothing to remark on these criteria")


def _row(named: NamedJudgePolicy | NamedCriteriaSet, version: JudgePolicyVersion | CriteriaSetVersion) -> list[object]:
    mark = "current" if version.version == named.current else "retired" if named.current is None else ""
    judged = version.judged
    counts: list[object] = [judged.met, judged.not_met, judged.unjudged, format_spent(judged.cost_usd, judged.tokens)]
    return [version.version, mark, *counts, format_time(version.created_at), version.actor, version.note or ""]


def _count_wrong(evaluation: Any) -> str:
    counts = evaluation.overall
    good, bad = counts.true_accepts + counts.false_rejects, counts.true_rejects + counts.false_accepts
    return f"{counts.false_accepts} of {bad} bad results accepted, {counts.false_rejects} of {good} good ones refused"


def _print_warnings(out: Output, warnings: Sequence[JudgingWarning]) -> None:
    for warning in warnings:
        out.print_line(Styled(f"warning: {warning.message} ({warning.code})", "yellow"))


def _name_move(version: int | None) -> str:
    return "retired" if version is None else f"version {version} is current"
