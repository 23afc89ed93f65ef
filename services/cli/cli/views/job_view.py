"""Show all of one job: what was asked for, what was judged and why, the result, and where the time went."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cli.output import Output, format_criterion, format_seconds, format_spent, format_time, style_status_of
from cli.terminal import Styled, columns_of
from cli.views import waterfall
from cli.views.judging_view import describe_asks
from cli.views.waiting import name_cause, print_reasons
from signoff.status import JobLogKind

if TYPE_CHECKING:
    from signoff.judging import CriterionVerdict, Verdict
    from signoff.types import Job, JobLog, Waiting

#: Lines of a result that a terminal shows, unless all are asked for.
RESULT_LINES_MAX: Final = 40
_OUTCOMES: Final = {"pass": ("met", "green"), "fail": ("not met", "red"), "cannot_assess": ("cannot say", "yellow")}
#: Of what must never be there.
_OUTCOMES_OF_NEVER: Final = _OUTCOMES | {"pass": ("absent", "green"), "fail": ("found", "red")}
_BAR_STYLES: Final = {
    waterfall.QUEUE: "yellow",
    waterfall.QUEUE_FOR_JUDGE: "magenta",
    waterfall.AGENT: "cyan",
    waterfall.BACKOFF: "yellow",
    waterfall.JUDGE: "magenta",
}
_BAR_MIN_CHARS: Final = 20
_BAR_MAX_CHARS: Final = 100


def find_result(logs: Sequence[JobLog], submission: int | None = None) -> tuple[int, Any, Verdict | None] | None:
    """Return the last result of a job, or of one submission: (submission, result, its verdict if it has one)."""
    for log in reversed(logs):
        has_result = log.result is not None or log.verdict is not None or log.kind is JobLogKind.RESULT
        if submission in {None, log.submission} and has_result:
            return log.submission or 1, log.result, log.verdict
    return None


def format_result(result: Any) -> list[str]:
    """Return the lines of a result: those of a text as they are, of anything else as indented JSON."""
    if isinstance(result, dict) and len(result) == 1 and isinstance(text := next(iter(result.values())), str):
        result = text
    return (result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False)).splitlines()


def show_job(
    out: Output, job: Job, waiting: Waiting | None, logs: Sequence[JobLog], submission: int | None, *, in_full: bool
) -> None:
    """Show a job with its last result, or that of one submission, why it waits, and where the time went."""
    found, calls = find_result(logs, submission), waterfall.make_calls(logs)
    out.print_json(
        {
            "job": job,
            "waiting": waiting,
            "submission": found and found[0],
            "result": found and found[1],
            "verdict": found and found[2],
            "calls": calls,
        }
    )
    _show_head(out, job)
    if waiting is not None and waiting.reasons:
        out.print_line()
        out.print_line(Styled("it waits for", "bold"))
        print_reasons(out, waiting)
    if found is None:
        _show_criteria(out, job)
        out.print_line()
        out.print_line(f"no result{'' if submission is None else f' of submission {submission}'} yet")
    else:
        _show_verdict(out, job, found[0], found[2])
        _show_result(out, format_result(found[1]), in_full=in_full or out.is_whole)
    show_waterfall(out, calls)


def _show_head(out: Output, job: Job) -> None:
    out.print_line(style_status_of(job), "  ", Styled(job.title, "bold"))
    rows = [
        ("id", job.id),
        ("agent", out.name_agent(job.agent_id)),
        (
            "submission",
            f"{job.submission} of {job.policy.max_submissions}" if job.policy.max_submissions else job.submission,
        ),
        ("created", format_time(job.created_at)),
        ("changed", format_time(job.updated_at)),
        ("spent", format_spent(job.cost_usd, job.tokens, claimed=True)),
        ("labels", " ".join(f"{name}={value}" for name, value in job.labels.items())),
    ]
    out.print_table(["", ""], [row for row in rows if row[1]])


def _show_criteria(out: Output, job: Job) -> None:
    out.print_line()
    out.print_line(Styled("criteria", "bold"))
    out.print_table(["", ""], [("", format_criterion(criterion)) for criterion in job.criteria or ()])


def _show_verdict(out: Output, job: Job, submission: int, verdict: Verdict | None) -> None:
    if verdict is None:
        _show_criteria(out, job)
        return
    out.print_line()
    out.print_line(Styled(f"verdict of submission {submission}", "bold"), f"  {verdict.reason}")
    rows: list[tuple[object, object]] = []
    for criterion in verdict.criteria:
        word, style = _word_outcome(criterion.outcome, criterion.kind)
        word = "unproven" if criterion.unproven else word
        rows.append((Styled(str(word), style), _format_line(criterion)))
        rows += [("", f'evidence: "{quote}"') for quote in criterion.evidence]
        rows += [("", criterion.comment)] if criterion.comment else []
    rows += [("by", by)] if (by := describe_asks(verdict)) else []
    out.print_table(["", ""], rows)


def _show_result(out: Output, lines: Sequence[str], *, in_full: bool) -> None:
    out.print_line()
    out.print_line(Styled("result", "bold"))
    shown = lines if in_full else lines[:RESULT_LINES_MAX]
    for line in shown:
        out.print_line(f"  {line}")
    if len(shown) < len(lines):
        out.print_line(f"  ... {len(lines) - len(shown)} more lines: --full shows them")


def show_waterfall(out: Output, calls: Sequence[waterfall.Call]) -> None:
    """Show where the time of a job went, a bar for each call of an agent."""
    if not calls:
        return
    now = datetime.now(UTC)
    sums = waterfall.sum_up(calls, now)
    out.print_line()
    out.print_line(
        Styled("time", "bold"),
        "  ",
        ", ".join(f"{what} {format_seconds(took.total_seconds())}" for what, took in sums.items()),
    )
    names = [_name_call(call) for call in calls]
    width = max(map(len, names))
    columns = min(_BAR_MAX_CHARS, max(_BAR_MIN_CHARS, columns_of() - width - 30))
    for name, call, bar in zip(names, calls, waterfall.draw(calls, now, columns), strict=True):
        used = sum(len(text) for _, text in bar)
        parts = [Styled(text, _BAR_STYLES.get(what, "")) for what, text in bar]
        end = (call.spans[-1].end or now) - call.spans[0].begin
        outcome = call.outcome if call.spans[-1].end else f"{call.spans[-1].what} ..."
        out.print_line(
            f"  {name:<{width}}  ",
            *parts,
            " " * (columns + 2 - used),
            f"{format_seconds(end.total_seconds())}  {outcome}",
        )
    for cause, took in waterfall.sum_waits(calls, partial(name_cause, out)).items():
        out.print_line(f"  {format_seconds(took.total_seconds())} in the queue for {cause}")
    legend = {what: text[0] for bar in waterfall.draw(calls, now, columns) for what, text in bar if what and text}
    out.print_line("  ", ", ".join(f"{sign} {what}" for what, sign in legend.items()))


def _name_call(call: waterfall.Call) -> str:
    again = f" (try {call.try_number})" if call.try_number > 1 else ""
    return f"submission {call.submission}{again}, call {call.call}"


def show_diff(out: Output, logs: Sequence[JobLog], first: int, second: int) -> bool:
    """Show what differs between the results and verdicts of two submissions; return whether both have a result."""
    found = [find_result(logs, submission) for submission in (first, second)]
    if found[0] is None or found[1] is None:
        return False
    verdicts = [_outcomes(each[2]) if each else {} for each in found]
    texts = [format_result(each[1]) if each else [] for each in found]
    names = [f"submission {first}", f"submission {second}"]
    lines = list(difflib.unified_diff(texts[0], texts[1], names[0], names[1], lineterm=""))
    criteria = [
        {"text": text, "from": verdicts[0].get(text), "to": verdicts[1].get(text)}
        for text in dict.fromkeys([*verdicts[0], *verdicts[1]])
    ]
    out.print_json({"from": first, "to": second, "criteria": criteria, "diff": lines})
    for criterion in criteria:
        kind = "never" if str(criterion["text"]).removeprefix("optional: ").startswith("never: ") else None
        change = [_word_outcome(criterion[side] or "not judged", kind)[0] for side in ("from", "to")]
        style = "" if change[0] == change[1] else "bold"
        out.print_line(Styled(f"{change[0]} -> {change[1]}".ljust(24), style), str(criterion["text"]))
    out.print_line()
    for line in lines or ["the results are the same"]:
        out.print_line(Styled(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")))
    return True


def _word_outcome(outcome: str, kind: str | None) -> tuple[str, str]:
    """Return the word of an outcome, and its style."""
    return (_OUTCOMES_OF_NEVER if kind == "never" else _OUTCOMES).get(outcome, (outcome, ""))


def _outcomes(verdict: Verdict | None) -> dict[str, str]:
    """Return the outcomes of a verdict, by the lines of its criteria in the text form."""
    return {_format_line(one): one.outcome for one in (verdict.criteria if verdict else ())}


def _format_line(criterion: CriterionVerdict) -> str:
    """Return a criterion of a verdict as its line of the text form: of one text there may be one of each kind."""
    marks = [*([] if criterion.required else ["optional"]), *([] if criterion.kind == "meets" else [criterion.kind])]
    return ": ".join([*marks, criterion.text])
