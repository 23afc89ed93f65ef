"""Show verdicts that belong to no job, and what judging jobs again came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cli.output import Output, format_seconds, format_spent
from cli.terminal import Styled

if TYPE_CHECKING:
    from contracts.messages.judgings import Judging, RejudgeReport

_STYLES: Final = {"pass": "green", "fail": "red", "cannot_assess": "yellow"}


def show_judging(out: Output, judging: Judging) -> None:
    """Show the verdict of a judging, or why there is none."""
    out.print_json(judging)
    if judging.code is not None:
        out.print_line(Styled(f"not judged: {judging.code}", "red"), f": {judging.message or ''}")
    verdict = judging.verdict or {}
    if "is_valid" in verdict:
        out.print_line(_style_valid(verdict["is_valid"]), f": {verdict['reason']}")
        out.print_table(["criterion", "outcome", "evidence", "comment"], _make_rows(verdict["criteria"]))
    else:
        out.print_table(["", ""], [(name, str(value)) for name, value in verdict.items()])
    for judge in verdict.get("judges", ()):
        out.print_table(["the judge", ""], [(name, str(value)) for name, value in judge.items()])
    spent = format_spent(judging.cost_usd, judging.tokens)
    took = "" if judging.duration_s is None else format_seconds(judging.duration_s)
    out.print_line(", ".join(filter(None, (verdict.get("model"), took, spent))))


def _make_rows(criteria: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (
            one["text"],
            Styled(one["outcome"], _STYLES.get(one["outcome"], "")),
            one.get("evidence"),
            one.get("comment", ""),
        )
        for one in criteria
    ]


def show_report(out: Output, report: RejudgeReport) -> None:
    """Show a report of judging jobs again: sums, criteria that changed, and a page of flips."""
    out.print_json(report)
    out.print_line(
        f"{report.judged} judged again, {report.judged_before} of them judged before: "
        f"{report.accepted_before} accepted before, {report.accepted_after} now; {report.flipped} flip"
    )
    if spent := format_spent(report.cost_usd, report.tokens):
        out.print_line(spent)
    for code, count in sorted(report.failed.items()):
        out.print_line(f"{count} not judged: {code}")
    changed = [one for one in report.criteria if one.changed]
    if changed:
        ways = [(one.changed, one.judged, _join(one.outcomes), one.text) for one in changed]
        out.print_table(["changed", "of", "how", "criterion"], ways)
    if report.flips:
        rows = [
            (
                flip.job_id,
                Styled(f"{_word(flip.was_valid)} > {_word(flip.is_valid)}", "green" if flip.is_valid else "red"),
                "; ".join(f"{one.text}: {one.before} > {one.after}" for one in flip.criteria) or flip.reason,
            )
            for flip in report.flips
        ]
        out.print_list(["job", "verdict", "why"], rows, wrapped=True)
    if report.next_page_token:
        out.print_line(f"more: --cursor {report.next_page_token}")


def _join(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {way}" for way, count in outcomes.items() if len(set(way.split(" > "))) > 1)


def _word(is_valid: bool) -> str:
    return "accepted" if is_valid else "not accepted"


def _style_valid(is_valid: bool) -> Styled:
    return Styled(_word(is_valid), "green" if is_valid else "red")
