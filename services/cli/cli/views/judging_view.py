"""Show verdicts that belong to no job, and what judging jobs again came to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cli.output import Output, format_seconds, format_spent, to_json
from cli.terminal import Styled

if TYPE_CHECKING:
    from signoff.judging import Ask, CriterionVerdict, Judging, RejudgeReport, Verdict

_STYLES: Final = {"pass": "green", "fail": "red", "cannot_assess": "yellow"}


def show_judging(out: Output, judging: Judging) -> None:
    """Show the verdict of a judging, or why there is none."""
    out.print_json(judging)
    if judging.code is not None:
        out.print_line(Styled(f"not judged: {judging.code}", "red"), f": {judging.message or ''}")
    verdict, probe = judging.verdict, judging.probe or {}
    if verdict is not None:
        out.print_line(_style_valid(verdict.is_valid), f": {verdict.reason}")
        out.print_table(["criterion", "outcome", "evidence", "comment"], _make_rows(verdict.criteria))
    else:
        out.print_table(["", ""], [(name, str(value)) for name, value in probe.items()])
    for judge in probe.get("judges", ()):
        out.print_table(["the judge", ""], [(name, _word_value(value)) for name, value in judge.items()])
    spent = format_spent(judging.cost_usd, judging.tokens)
    took = "" if judging.duration_s is None else format_seconds(judging.duration_s)
    refused = _describe_refusals(_list_asks(verdict)) if verdict else ""
    model = verdict.model if verdict else probe.get("model")
    out.print_line(", ".join(filter(None, (model, took, spent, refused))))


def describe_asks(verdict: Verdict) -> str:
    """Return who made a verdict, by how many asks of models, and what these took; "" if it does not say."""
    asks = _list_asks(verdict)
    who = ", ".join(filter(None, (verdict.judge, verdict.model)))
    if not asks:
        return who
    usd = sum((Decimal(ask.cost_usd or 0) for ask in asks), Decimal(0))
    tokens = sum((ask.input_tokens or 0) + (ask.output_tokens or 0) for ask in asks)
    count = sum(ask.sum_of or 1 for ask in asks)
    took = format_seconds(sum(ask.latency_s or 0.0 for ask in asks))
    told = (f"{count} asks" if count > 1 else "1 ask", format_spent(usd, tokens), took, _describe_refusals(asks))
    return f"{who}: {', '.join(filter(None, told))}"


def _list_asks(verdict: Verdict) -> list[Ask]:
    return [ask for stage in verdict.stages or () for ask in stage.asks]


def _describe_refusals(asks: Sequence[Ask]) -> str:
    refused = [ask for ask in asks if ask.refused]
    count = sum(ask.refused or 0 for ask in refused)
    return f"{count} refused before, last {refused[-1].last_refusal}" if refused else ""


def _word_value(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)


def _make_rows(criteria: Sequence[CriterionVerdict]) -> list[tuple[object, ...]]:
    return [
        (
            one.text,
            Styled("unproven" if one.unproven else one.outcome, _STYLES.get(one.outcome, "")),
            "; ".join(one.evidence),
            one.comment,
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
    out.print_next_page_token(report.next_page_token)


def _join(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {way}" for way, count in outcomes.items() if len(set(way.split(" > "))) > 1)


def _word(is_valid: bool) -> str:
    return "accepted" if is_valid else "not accepted"


def _style_valid(is_valid: bool) -> Styled:
    return Styled(_word(is_valid), "green" if is_valid else "red")
