"""Commands of `signoff jobs` that show all of one job."""

import difflib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.errors import CommandError
from cli.output import (
    Output,
    format_asks,
    format_criterion,
    format_labels,
    format_seconds,
    format_spent,
    format_time,
    list_agents_of,
    name_cause,
    print_reasons,
    style_status_of,
)
from cli.parameters import JobId, find_job, find_job_id
from cli.session import Session, command, make_app
from cli.terminal import Styled, columns_of
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import JobLogKind, JobLogStatus, View

if TYPE_CHECKING:
    from signoff.judging import Verdict
    from signoff.keeping import RemovedJob
    from signoff.types import Job, JobLog, PastWait, Waiting

app = make_app("Show all of one job.")

Submission = Annotated[
    int | None, typer.Option("--submission", min=1, help="Show this one; the last with a result when not given.")
]
FromArchive = Annotated[
    bool, typer.Option("--archived", help="Of a job that was removed, by its whole id, as the archive has it.")
]
#: The largest number of entries of a log that are read.
_ENTRIES_MAX = 50_000


async def read_log(jobstore: AsyncClient, job_id: str) -> "list[JobLog]":
    """Return the entries of a job's log, oldest first. Raise CommandError if the log has more than _ENTRIES_MAX."""
    logs = []
    async for log in jobstore.iter_job_logs(job_id, view=View.FULL):
        logs.append(log)
        if len(logs) > _ENTRIES_MAX:
            message = f"the log has more than {_ENTRIES_MAX} entries: read it by `signoff jobs logs {job_id}`"
            raise CommandError(message, code=ErrorCode.LOG_TOO_LONG)
    return logs


@command(app, "show")
async def show(
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    submission: Submission = None,
    full: Annotated[bool, typer.Option("--full", help="Show the whole result.")] = False,
    archived: FromArchive = False,
) -> None:
    """Show a job: the verdict criterion by criterion, the result, why it waits, and where the time went."""
    if archived:
        await _show_archived(cli, jobstore, job_id, submission, in_full=full)
        return
    job = await find_job(jobstore, job_id)
    waiting = None if job.live is False else await jobstore.explain_job(job.id)
    logs = await read_log(jobstore, job.id)
    causes = [*(waiting.reasons if waiting else ()), *(wait for log in logs for wait in log.waited or ())]
    await cli.learn_agents(jobstore, [job.agent_id, *list_agents_of(causes)])
    show_job(cli.out, job, waiting, logs, submission, in_full=full)


async def _show_archived(
    cli: Session, jobstore: AsyncClient, job_id: str, submission: int | None, *, in_full: bool
) -> None:
    found = await jobstore.get_removed_job(job_id, page_size=500)
    logs, token = found.logs, found.next_page_token
    while token and len(logs) < _ENTRIES_MAX:
        page = await jobstore.get_removed_job(job_id, page_size=500, page_token=token)
        logs, token = [*logs, *page.logs], page.next_page_token
    await cli.learn_agents(jobstore, [found.job.agent_id])
    cli.out.print_line(describe_origin(found))
    show_job(cli.out, found.job, None, logs, submission, in_full=in_full)


def describe_origin(found: "RemovedJob") -> str:
    """Return in words where a removed job was read from."""
    parts = ", ".join(map(str, found.parts))
    return f"removed at {format_time(found.removed_at)}; from the archive, part {parts}"


@command(app, "diff")
async def diff(
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    first: Annotated[int | None, typer.Argument(metavar="FROM", min=1, help="The number of a submission.")] = None,
    second: Annotated[int | None, typer.Argument(metavar="TO", min=1, help="The number of another one.")] = None,
) -> None:
    """Compare the results and verdicts of two submissions, the last two when none are given."""
    job_id = await find_job_id(jobstore, job_id)
    logs = await read_log(jobstore, job_id)
    with_results = sorted({log.submission for log in logs if log.kind == "result" and log.submission})
    if len(with_results) < 2 and second is None:  # noqa: PLR2004 - it takes two
        raise CommandError(f"{job_id} has results of fewer than two submissions", code=ErrorCode.NO_RESULT)
    to = second or with_results[-1]
    since = first or max((each for each in with_results if each < to), default=with_results[0])
    if not show_diff(cli.out, logs, since, to):
        known = ", ".join(map(str, with_results)) or "none"
        raise CommandError(f"submissions of {job_id} with a result: {known}", code=ErrorCode.NO_RESULT)


@command(app, "open")
async def open_(cli: Session, job_id: JobId) -> None:
    """Open the page of a job in a browser; print its address where there is none."""
    if cli.target.http is None:
        raise CommandError("no console is known: give --http or --endpoints", code=ErrorCode.NO_CONSOLE)
    async with cli.jobstore() as jobstore:
        job_id = (await find_job(jobstore, job_id)).id
    from urllib.parse import quote  # noqa: PLC0415 - only needed here

    address = f"{cli.target.http.rstrip('/')}/jobs/{quote(job_id, safe='')}"
    cli.out.print({"address": address}, address)
    if sys.stdout.isatty() and not cli.out.as_json and not cli.out.plain:
        typer.launch(address)


QUEUE, AGENT, BACKOFF, JUDGE = "queue", "agent", "backoff", "judge"
QUEUE_FOR_JUDGE = "queue for judge"
#: The span that an entry of each kind begins; any other entry of an execution begins none.
_FOLLOWS: Final = {
    "requested": QUEUE,
    "claimed": QUEUE,
    "call_begun": AGENT,
    "progress": AGENT,
    "call_failed": BACKOFF,
    "attempt_failed": BACKOFF,
    "given_back": QUEUE,
    "lapsed": QUEUE,
    "result": JUDGE,
    "misjudged": JUDGE,
}
#: Kinds of entries after which the agent is called once more.
_ENDS_CALL: Final = {"call_failed", "attempt_failed", "given_back", "lapsed"}


@dataclass
class Span:
    """A part of a call, such as the wait in the queue, with its begin and end; `end` is None while the part goes on."""

    what: str
    begin: datetime
    end: datetime | None = None
    #: The causes of the wait, where they are known.
    waits: "list[PastWait]" = field(default_factory=list)


@dataclass
class Call:
    """One call of an agent, with the wait before the call and the judging of the call's result."""

    submission: int
    call: int
    agent_id: str | None
    #: A submission that failed or was cancelled may be executed again: which time this is.
    try_number: int = 1
    spans: list[Span] = field(default_factory=list)
    #: When the agent reported progress, and how far it was.
    ticks: list[tuple[datetime, float]] = field(default_factory=list)
    #: How it ended: the status or code of its last entry.
    outcome: str = ""


def make_calls(logs: "Iterable[JobLog]") -> list[Call]:
    """Return the calls of a job, oldest first; `logs` are the entries of the job's log, oldest first."""
    calls: list[Call] = []
    numbers: dict[object, int] = {}
    tries: dict[int, int] = {}
    for log in logs:
        is_late = log.kind == "result" and log.status == JobLogStatus.CANCELLED  # it came after that, and is not judged
        if log.execution_id is None or is_late:
            continue
        submission = log.submission or 1
        if log.kind == "requested":
            numbers[log.execution_id] = 1
            tries[submission] = tries.get(submission, 0) + 1
            calls.append(Call(submission, 1, log.agent_id, tries[submission]))
        elif not calls or log.execution_id not in numbers:
            continue
        is_judging = bool(calls[-1].spans) and calls[-1].spans[-1].what == JUDGE
        if log.kind in _ENDS_CALL and is_judging:
            continue  # a validator was lost or gave the result back: it is judged once more
        _add(calls, log)
        if log.kind in _ENDS_CALL:
            numbers[log.execution_id] += 1
            begin = log.next_attempt_at or log.created_at
            spans = [Span(BACKOFF, log.created_at, begin)] if begin > log.created_at else []
            spans.append(Span(QUEUE, begin))
            calls.append(Call(submission, numbers[log.execution_id], log.agent_id, tries.get(submission, 1), spans))
    return calls


def _add(calls: Sequence[Call], log: "JobLog") -> None:
    """Add an entry to the last call: the entry may end the span under way, and may begin the next span."""
    call = calls[-1]
    call.agent_id = log.agent_id or call.agent_id
    call.outcome = log.code or str(log.status)
    if log.kind == "progress" and log.progress is not None:
        call.ticks.append((log.created_at, log.progress))
    follows = None if log.kind in _ENDS_CALL else _FOLLOWS.get(log.kind or "")
    _split(call, log)
    last = call.spans[-1] if call.spans else None
    if last is not None and last.what == QUEUE:
        last.waits += log.waited or ()
    if last is not None and last.end is None:
        if last.what == follows:
            return
        last.end = max(last.begin, log.created_at)
    if follows:
        call.spans.append(Span(follows, log.created_at))


def _split(call: Call, log: "JobLog") -> None:
    """Split in two the span that an entry ends: a wait for a worker, and then work that took the entry's duration.

    The log may record the begin of a call only when the call ends. An entry without a duration splits no span.
    """
    last = call.spans[-1] if call.spans else None
    if last is None or last.end is not None or log.duration_s is None:
        return
    if last.what == AGENT and len(call.spans) > 1 and call.spans[-2].what == QUEUE:
        call.spans.pop()
        last = call.spans[-1]
    if last.what == AGENT:
        return
    began = max(last.begin, log.created_at - timedelta(seconds=log.duration_s))
    waited, done = (QUEUE_FOR_JUDGE, JUDGE) if last.what == JUDGE else (last.what, AGENT)
    call.spans[-1:] = [Span(waited, last.begin, began, last.waits), Span(done, began)]


def sum_up(calls: Sequence[Call], now: datetime) -> dict[str, timedelta]:
    """Return the total time of each kind of span, by kind, without zeros; a span without an end lasts until `now`."""
    sums: dict[str, timedelta] = {}
    for span in (span for call in calls for span in call.spans):
        sums[span.what] = sums.get(span.what, timedelta()) + max(timedelta(), (span.end or now) - span.begin)
    return {what: length for what, length in sums.items() if length}


def sum_waits(calls: Sequence[Call], name: "Callable[[PastWait], str]") -> dict[str, timedelta]:
    """Return the total time of waits in the queue, by cause; `name` returns the name of a wait's cause."""
    sums: dict[str, timedelta] = {}
    for wait in (wait for call in calls for span in call.spans for wait in span.waits):
        cause = name(wait)
        sums[cause] = sums.get(cause, timedelta()) + (wait.until - wait.since)
    return sums


def draw(calls: Sequence[Call], now: datetime, columns: int) -> Iterator[list[tuple[str, str]]]:
    """Yield the bar of each call in a chart of `columns` characters: parts (kind of span, or "" for a gap; text)."""
    begin = min(call.spans[0].begin for call in calls)
    end = max((call.spans[-1].end or now) for call in calls)
    length = max((end - begin).total_seconds(), 1e-3)

    def place(moment: datetime) -> int:
        return round((moment - begin).total_seconds() / length * columns)

    for call in calls:
        parts, at = list[tuple[str, str]](), 0
        for span in call.spans:
            first = max(at, place(span.begin))
            last = max(first + 1, place(span.end or now))  # the shortest span is seen, too
            parts += [("", " " * (first - at)), (span.what, _SIGNS[span.what] * (last - first))]
            at = last
        yield parts


_SIGNS: Final = {
    QUEUE: "\N{LIGHT SHADE}",
    QUEUE_FOR_JUDGE: "\N{LIGHT SHADE}",
    AGENT: "\N{FULL BLOCK}",
    BACKOFF: "\N{MIDDLE DOT}",
    JUDGE: "\N{DARK SHADE}",
}

#: Lines of a result that a terminal shows, unless all are asked for.
RESULT_LINES_MAX: Final = 40
_OUTCOMES: Final = {"pass": ("met", "green"), "fail": ("not met", "red"), "cannot_assess": ("cannot say", "yellow")}
#: The same for criteria of kind `never`.
_OUTCOMES_OF_NEVER: Final = _OUTCOMES | {"pass": ("absent", "green"), "fail": ("found", "red")}
_BAR_STYLES: Final = {QUEUE: "yellow", QUEUE_FOR_JUDGE: "magenta", AGENT: "cyan", BACKOFF: "yellow", JUDGE: "magenta"}
_BAR_MIN_CHARS: Final = 20
_BAR_MAX_CHARS: Final = 100


def find_result(logs: "Sequence[JobLog]", submission: int | None = None) -> "tuple[int, Any, Verdict | None] | None":
    """Return (submission, result, verdict or None) of the last result in a job's log, or in one submission; or None."""
    for log in reversed(logs):
        has_result = log.result is not None or log.verdict is not None or log.kind is JobLogKind.RESULT
        if submission in {None, log.submission} and has_result:
            return log.submission or 1, log.result, log.verdict
    return None


def format_result(result: Any) -> list[str]:
    """Return the lines of a result: of the text, if it is a text or an object of one text, else of indented JSON."""
    if isinstance(result, dict) and len(result) == 1 and isinstance(text := next(iter(result.values())), str):
        result = text
    return (result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False)).splitlines()


def show_job(
    out: Output,
    job: "Job",
    waiting: "Waiting | None",
    logs: "Sequence[JobLog]",
    submission: int | None,
    *,
    in_full: bool,
) -> None:
    """Print a job, why it waits, its last result or that of `submission`, with the verdict, and where its time went."""
    found, calls = find_result(logs, submission), make_calls(logs)
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
        show_result(out, format_result(found[1]), in_full=in_full or out.is_whole)
    show_waterfall(out, calls)


def _show_head(out: Output, job: "Job") -> None:
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
        ("labels", format_labels(job.labels)),
    ]
    out.print_fields(*rows)


def _show_criteria(out: Output, job: "Job") -> None:
    out.print_line()
    out.print_line(Styled("criteria", "bold"))
    out.print_table(["", ""], [("", format_criterion(criterion)) for criterion in job.criteria or ()])


def _show_verdict(out: Output, job: "Job", submission: int, verdict: "Verdict | None") -> None:
    if verdict is None:
        _show_criteria(out, job)
        return
    out.print_line()
    out.print_line(Styled(f"verdict of submission {submission}", "bold"), f"  {verdict.reason}")
    rows: list[tuple[object, object]] = []
    for criterion in verdict.criteria:
        word, style = _word_outcome(criterion.outcome, criterion.kind)
        word = "unproven" if criterion.unproven else word
        rows.append((Styled(str(word), style), format_criterion(criterion)))
        rows += [("", f'evidence: "{quote}"') for quote in criterion.evidence]
        rows += [("", criterion.comment)] if criterion.comment else []
    rows += [("by", by)] if (by := format_asks(verdict)) else []
    out.print_table(["", ""], rows)


def show_result(out: Output, lines: Sequence[str], *, in_full: bool = False) -> None:
    """Print the lines of a result, the first RESULT_LINES_MAX of them unless `in_full`."""
    out.print_line()
    out.print_line(Styled("result", "bold"))
    shown = lines if in_full else lines[:RESULT_LINES_MAX]
    for line in shown:
        out.print_line(f"  {line}")
    if len(shown) < len(lines):
        out.print_line(f"  ... {len(lines) - len(shown)} more lines: `signoff jobs show --full` shows them")


def show_waterfall(out: Output, calls: Sequence[Call]) -> None:
    """Print the total time of each kind of span, and a bar of the spans of each call; print nothing without calls."""
    if not calls:
        return
    now = datetime.now(UTC)
    sums = sum_up(calls, now)
    out.print_line()
    out.print_line(
        Styled("time", "bold"),
        "  ",
        ", ".join(f"{what} {format_seconds(took.total_seconds())}" for what, took in sums.items()),
    )
    names = [_name_call(call) for call in calls]
    width = max(map(len, names))
    columns = min(_BAR_MAX_CHARS, max(_BAR_MIN_CHARS, columns_of() - width - 30))
    for name, call, bar in zip(names, calls, draw(calls, now, columns), strict=True):
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
    for cause, took in sum_waits(calls, partial(name_cause, out)).items():
        out.print_line(f"  {format_seconds(took.total_seconds())} in the queue for {cause}")
    legend = {what: text[0] for bar in draw(calls, now, columns) for what, text in bar if what and text}
    out.print_line("  ", ", ".join(f"{sign} {what}" for what, sign in legend.items()))


def _name_call(call: Call) -> str:
    again = f" (try {call.try_number})" if call.try_number > 1 else ""
    return f"submission {call.submission}{again}, call {call.call}"


def show_diff(out: Output, logs: "Sequence[JobLog]", first: int, second: int) -> bool:
    """Print how the results and verdicts of two submissions differ; return False if a submission has no result."""
    found = [find_result(logs, submission) for submission in (first, second)]
    if found[0] is None or found[1] is None:
        return False
    verdicts = [
        {format_criterion(one): one.outcome for one in (each[2].criteria if each and each[2] else ())} for each in found
    ]
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
    """Return the word for an outcome of a criterion of this kind, and its style; an unknown outcome is its own word."""
    return (_OUTCOMES_OF_NEVER if kind == "never" else _OUTCOMES).get(outcome, (outcome, ""))
