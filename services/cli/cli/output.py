"""Print what a command has to say: tables and lines for people, or JSON. No text steers the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from cli.short_ids import find_short_ends
from cli.terminal import Styled, cut, render_line, render_table, replace_line
from contracts.status import Circuit, JobLogStatus, OperationState

if TYPE_CHECKING:
    from contracts.criteria import Criterion, CriterionWarning
    from contracts.messages.operations import OperationItem, OperationPreview
    from contracts.messages.views import Batch, DeadLetter, DeadLetters
    from contracts.resources import Agent, Job, JobLog, Limit, Operation, Policy

STYLES = {
    "COMPLETED": "green",
    "FAILED": "red",
    "REJECTED": "red",
    "RESUBMISSION_REQUIRED": "yellow",
    "IN_PROGRESS": "cyan",
    "CANCELLED": "magenta",
    "MATCHING_FAILED": "magenta",
    "DONE": "green",
    "RUNNING": "cyan",
    "REFUSED": "red",
    "PAUSED": "yellow",
    "CANCELLING": "magenta",
}
#: On a terminal longer messages and payloads are cut, unless it is to be `plain`.
MESSAGE_MAX_CHARS = 300


def style_status(status: str) -> Styled:
    """Return a status in its colour."""
    return Styled(status, STYLES.get(status.strip(), ""))


def style_status_of(job: Job) -> Styled:
    """Return a job's status in its colour; a cancelled job does not look as if it waited."""
    return Styled(f"{job.status} (cancelled)", STYLES["CANCELLED"]) if job.cancelled else style_status(job.status)


def format_time(moment: datetime, *, with_ms: bool = False) -> str:
    """Return a time in this machine's zone, with its date and the zone."""
    local = moment.astimezone()
    fraction = f".{local.microsecond // 1000:03}" if with_ms else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{fraction} {local:%Z}"


def format_seconds(seconds: float) -> str:
    """Return a length of time as people read it."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"


def format_percent(progress: float | None) -> str:
    """Return the progress of a job in percent; "" if its agent reported none."""
    return "" if progress is None else f"{progress:.0%}"


def format_spent(usd: float | None, tokens: int | None) -> str:
    """Return what a job has spent so far; "" if nothing is known to be spent."""
    words = [f"{usd:.6g} USD"] if usd else []
    return ", ".join([*words, *([f"{tokens} tokens"] if tokens else [])])


def format_criterion(one: Criterion) -> str:
    """Return a criterion as its line in the text form."""
    return ": ".join([*["optional"] * (not one.required), *[one.kind] * (one.kind != "meets"), one.text])


def _last_code(job: Job) -> str | None:
    """Return the code of the newest entry of a job's log, with the HTTP status where that is what failed."""
    code, message = (None, None) if job.last_log is None else (job.last_log.code, job.last_log.message or "")
    status = message.removeprefix("the agent answered ")[:3] if message and code == "agent_status" else ""
    return f"{code} {status}" if status.isdecimal() else code


def format_policy(policy: Policy) -> str:
    """Return the fields of a policy that are set, as `--policy` takes them."""
    fields = {name: ",".join(value) if isinstance(value, list) else value for name, value in vars(policy).items()}
    return " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def _gets_work(agent: Agent) -> str:
    return "no: disabled" if not agent.enabled else "no: paused" if agent.paused else "yes"


def format_circuit(agent: Agent) -> Styled:
    """Return the state of an agent's circuit, and until when an open one is open."""
    words = agent.circuit.replace("_", " ")
    if agent.circuit is Circuit.OPEN and agent.circuit_open_until is not None:
        words += f" until {format_time(agent.circuit_open_until)}"
    return Styled(words, "" if agent.circuit is Circuit.CLOSED else "red")


def describe_operation(operation: Operation) -> list[str | Styled]:
    """Return the counts of a batch and, while it runs, its rate and estimated end, as parts of a line."""
    counts = ", ".join(f"{count} {word}" for word, count in sorted(operation.counts.items()))
    name = f"{operation.name}  " if operation.name else ""
    parts: list[str | Styled] = [
        f"{operation.id}  {name}",
        style_status(operation.state),
        f"  {operation.total} jobs: {counts}",
    ]
    if operation.state is OperationState.RUNNING and operation.rate_per_s:
        parts.append(f" · {operation.rate_per_s:.1f}/s")
    if operation.ends_at is not None:
        parts.append(f" · ends about {format_time(operation.ends_at)}")
    return parts


def to_json(document: Any) -> str:
    """Return the shortest JSON of plain values, times and records."""
    return json.dumps(document, default=_to_plain, ensure_ascii=False, separators=(",", ":"))


def _to_plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else vars(value)


def _name_source(letter: DeadLetter) -> str:
    """Return where a dead letter came from, as far as it says so."""
    parts = (letter.source_topic, letter.source_partition, letter.source_offset)
    return "/".join("?" if part is None else str(part) for part in parts) if letter.source_topic else ""


class Output:
    """The output of one command: JSON, or text for people."""

    def __init__(self, *, as_json: bool, plain: bool = False) -> None:
        self.as_json = as_json
        self.plain = plain
        self._in_progress = False

    def print_json(self, document: Any) -> None:
        """Print a JSON document on one line; nothing without --json."""
        if self.as_json:
            _write(sys.stdout, to_json(document) + "\n")

    def print_line(self, *parts: str | Styled) -> None:
        """Print a line; nothing with --json."""
        if not self.as_json:
            _write(sys.stdout, render_line(parts, sys.stdout, plain=self.plain) + "\n")

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, one_line: bool = False) -> None:
        """Print a table, on a terminal with the last column wrapped or, with `one_line`, cut; nothing with --json."""
        if not self.as_json:
            _write(sys.stdout, render_table(columns, rows, sys.stdout, plain=self.plain, one_line=one_line))

    def print_error(self, message: str, code: str) -> None:
        """Print why the command failed, on standard error."""
        self.print_aside({"error": {"code": code, "message": message}}, Styled(f"error: {message}", "red"))

    def print_warnings(self, warnings: Sequence[CriterionWarning]) -> None:
        """Print what is ambiguous, on standard error."""
        for one in warnings:
            lines = [f"warning: {one.message}", *(one.suggestion or "").splitlines()]
            self.print_aside({"warning": one}, Styled("; instead: ".join(lines), "yellow"))

    def print_aside(self, document: Any, text: Styled) -> None:
        """Print what is not the command's answer, on standard error."""
        line = to_json(document) if self.as_json else render_line([text], sys.stderr, plain=self.plain)
        _write(sys.stderr, line + "\n")

    def _shorten(self, text: str | None) -> str:
        """Return a text as long as a terminal shows it; whole where it is not for a terminal."""
        is_whole = self.plain or not sys.stdout.isatty()
        return text or "" if is_whole else cut(text or "", MESSAGE_MAX_CHARS)

    def show_job(self, job: Job) -> None:
        """Show a job."""
        self.print_json(job)
        rows: list[tuple[str, object]] = [
            ("id", job.id),
            ("title", job.title),
            ("status", style_status_of(job)),
            ("version", job.version),
            ("agent", job.agent_id),
            ("submission", job.submission),
            ("execution", job.execution_id),
            ("progress", format_percent(job.progress)),
            ("the agent says", job.progress_message),
            ("spent", format_spent(job.spent_usd, job.spent_tokens)),
            ("code", _last_code(job)),
            ("last", job.last_log and self._shorten(job.last_log.message)),
            *(("criterion", format_criterion(criterion)) for criterion in job.criteria),
            ("payload", self._shorten(to_json(job.payload))),
            ("labels", " ".join(f"{name}={value}" for name, value in job.labels.items())),
            ("policy", format_policy(job.policy)),
        ]
        self.print_table(["", ""], [row for row in rows if row[1] is not None and row[1] != ""])

    def show_jobs(self, jobs: Sequence[Job], next_cursor: str) -> None:
        """Show a page of jobs."""
        self.print_json({"items": jobs, "next_cursor": next_cursor or None})
        rows = [
            (
                job.id,
                end,
                style_status_of(job),
                _last_code(job),
                format_percent(job.progress),
                job.agent_id,
                job.submission,
                job.title,
            )
            for job, end in zip(jobs, find_short_ends([job.id for job in jobs]), strict=True)
        ]
        self._print_without_empty(["id", "short", "status", "code", "progress", "agent", "submission", "title"], rows)
        self._print_next_cursor(next_cursor)

    def _print_without_empty(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table with a line a row, without the columns that are empty in all rows but the last column."""
        last = len(columns) - 1
        kept = [n for n in range(len(columns)) if n in {0, last} or any(row[n] not in {None, ""} for row in rows)]
        self.print_table([columns[n] for n in kept], [[row[n] for n in kept] for row in rows], one_line=True)

    def show_log(self, log: JobLog, name: str = "") -> None:
        """Show a transition as a line of a timeline."""
        self.print_json(log)
        message = self._shorten(log.message)
        attempt = f"attempt {log.attempt}" if log.attempt and not message.startswith("attempt") else ""
        progress = format_percent(log.progress) if log.status is JobLogStatus.IN_PROGRESS else ""
        what = " · ".join(part for part in (attempt, log.code or "", progress, message) if part)
        if cost := format_spent(log.spent_usd, log.spent_tokens):
            what += f" ({cost} so far)"
        self.print_line(
            f"{format_time(log.created_at, with_ms=True)}  {name}v{log.version:<3} ",
            style_status(f"{log.status:<22}" if what else log.status),
            what,
        )

    def show_logs(self, logs: Sequence[JobLog], next_cursor: str) -> None:
        """Show a page of a job's log."""
        if self.as_json:
            self.print_json({"items": logs, "next_cursor": next_cursor or None})
            return
        for log in logs:
            self.show_log(log)
        self._print_next_cursor(next_cursor)

    def show_agent(self, agent: Agent) -> None:
        """Show an agent."""
        self.print_json(agent)
        rows: list[tuple[str, object]] = [
            ("id", agent.id),
            ("name", agent.name),
            ("protocol", agent.protocol),
            ("url", agent.url),
            ("gets work", _gets_work(agent)),
            ("circuit", format_circuit(agent)),
            ("capabilities", " ".join(agent.capabilities)),
            ("deterministic", "yes" if agent.deterministic else ""),
            *(("header", f"{name}={reference}") for name, reference in agent.headers.items()),
            ("policy", format_policy(agent.policy)),
        ]
        self.print_table(["", ""], [row for row in rows if row[1] != ""])

    def show_agents(self, agents: Sequence[Agent], next_cursor: str) -> None:
        """Show a page of agents."""
        self.print_json({"items": agents, "next_cursor": next_cursor or None})
        self._print_agents(agents)
        self._print_next_cursor(next_cursor)

    def show_batch(self, batch: Batch) -> None:
        """Show a batch, and those of its jobs that were refused."""
        self.print_json(batch)
        self.print_line(*describe_operation(batch))
        for item in batch.items:
            if item.code is not None:
                self.print_line(f"  {item.job_id}  ", style_status("REFUSED"), f"  {item.code}: {item.message}")

    def show_operation(self, operation: Operation) -> None:
        """Show an operation, such as a batch, without its items."""
        self.print_json(operation)
        self.print_line(*describe_operation(operation))

    def show_operations(self, operations: Sequence[Operation], next_cursor: str) -> None:
        """Show a page of batches."""
        self.print_json({"items": operations, "next_cursor": next_cursor or None})
        for operation in operations:
            self.print_line(f"{format_time(operation.created_at)}  ", *describe_operation(operation))
        self._print_next_cursor(next_cursor)

    def show_preview(self, kind: str, preview: OperationPreview, basis: str) -> None:
        """Show what an operation would be about; `basis` is by what its cost is estimated."""
        self.print_json(preview)
        counts = ", ".join(f"{count} {word}" for word, count in sorted(preview.counts.items()))
        more = f"more than {preview.items_max}" if preview.total > preview.items_max else preview.total
        self.print_line(f"{kind}: {more} jobs" + (f": {counts}" if counts else ""))
        for job in preview.sample:
            self.print_line(f"  {job.id}  ", style_status_of(job), f"  {job.title}")
        if preview.total > len(preview.sample) > 0:
            self.print_line(f"  and {preview.total - len(preview.sample)} more")
        if preview.cost_usd is not None:
            of = "" if preview.cost_of == preview.total else f" for {preview.cost_of} of them"
            self.print_line(f"estimated cost: ${preview.cost_usd:.2f}{of}, by {basis}")

    def show_items(self, items: Sequence[OperationItem], next_cursor: str) -> None:
        """Show a page of the items of an operation."""
        self.print_json({"items": items, "next_cursor": next_cursor or None})
        rows = [(i.job_id, style_status(i.outcome), i.code, i.message or i.title, i.retried_by) for i in items]
        self.print_table(["job", "outcome", "code", "why", "retried by"], rows)
        self._print_next_cursor(next_cursor)

    def show_progress(self, operation: Operation) -> None:
        """Show the state of a batch: on a terminal in one line that changes, elsewhere in a new line each time."""
        if self.as_json or self.plain or not sys.stdout.isatty():
            self.show_operation(operation)
            return
        _write(sys.stdout, replace_line(render_line(describe_operation(operation), sys.stdout, plain=self.plain)))
        self._in_progress = True

    def end_progress(self) -> None:
        """End the line that shows progress."""
        if self._in_progress:
            _write(sys.stdout, "\n")
        self._in_progress = False

    def show_limit(self, limit: Limit) -> None:
        """Show a limit."""
        self.print_json(limit)
        self._print_limits([limit])

    def show_dead_letters(self, letters: DeadLetters) -> None:
        """Show how many dead letters there are, and the newest."""
        self.print_json(letters)
        for topic, count in sorted(letters.counts.items()):
            self.print_line(f"{topic}: {count}")
        rows = [
            (
                f"{letter.topic}/{letter.partition}/{letter.offset}",
                format_time(letter.at),
                letter.code,
                _name_source(letter),
                letter.key,
                letter.message,
            )
            for letter in letters.items
        ]
        if rows:
            self.print_table(["dead letter", "time", "code", "came from", "key", "why"], rows)

    def show_limits(self, limits: Sequence[Limit]) -> None:
        """Show all limits."""
        self.print_json({"items": limits})
        if limits:
            self._print_limits(limits)
        else:
            self.print_line("nothing is limited: `signoff limits set` sets a limit")

    def _print_limits(self, limits: Sequence[Limit]) -> None:
        rows = [
            (
                limit.name,
                limit.concurrency,
                None if limit.rate is None else f"{limit.rate} in {limit.rate_period_s:g} s",
                limit.queue_max,
                limit.weight,
                Styled("yes", "yellow") if limit.paused else "no",
            )
            for limit in limits
        ]
        self.print_table(["name", "at once", "rate", "may wait", "weight", "paused"], rows)

    def _print_agents(self, agents: Sequence[Agent]) -> None:
        rows = [
            (
                agent.id,
                agent.name,
                agent.protocol,
                agent.url,
                _gets_work(agent),
                format_circuit(agent),
                " ".join(agent.capabilities),
            )
            for agent in agents
        ]
        self.print_table(["id", "name", "protocol", "url", "gets work", "circuit", "capabilities"], rows)

    def _print_next_cursor(self, next_cursor: str) -> None:
        if next_cursor:
            self.print_line(f"more: --cursor {next_cursor}")


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()  # so that whoever reads on sees it now, and that nobody does is noticed here
