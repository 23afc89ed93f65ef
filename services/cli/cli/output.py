"""What a command says: tables and lines for people, or JSON. Text of strangers is shown, never obeyed."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from contracts.client import Batch
from contracts.resources import Agent, Job, JobLog, Limit, Operation, OperationState
from contracts.status import Circuit, JobLogStatus
from contracts.views import DeadLetters

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
MESSAGE_MAX_CHARS = 300
_LINE_AGAIN = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


def plain(text: object) -> str:
    """Without what would steer a terminal."""
    return "".join(
        char if char.isprintable() else " " if char in "\n\t\r" else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def styled(status: object) -> Text:
    """A status in its colour."""
    return Text(str(status), style=STYLES.get(str(status), ""))


def clock(moment: datetime) -> str:
    """The local time of day."""
    return f"{moment.astimezone():%H:%M:%S.%f}"[:-3]


def percent(progress: float | None) -> str:
    """The part of the work that its agent has done; nothing where it said nothing."""
    return "" if progress is None else f"{progress:.0%}"


def spent(usd: float | None, tokens: int | None) -> str:
    """What a job has spent so far; nothing where nobody said that anything was."""
    words = [f"{usd:.6g} USD"] if usd else []
    return ", ".join([*words, *([f"{tokens} tokens"] if tokens else [])])


def _code(job: Job) -> str | None:
    """Why it stands where it stands."""
    return None if job.last_log is None else job.last_log.code


def circuit(agent: Agent) -> Text:
    """Whether an agent is given work, and until when not."""
    words = agent.circuit.replace("_", " ")
    if agent.circuit is Circuit.OPEN and agent.circuit_open_until is not None:
        words += f" until {clock(agent.circuit_open_until)}"
    return Text(words, style="" if agent.circuit is Circuit.CLOSED else "red")


def how(operation: Operation) -> Text:
    """How a batch goes: its counts, and, while it runs, how fast and until when."""
    counts = ", ".join(f"{count} {word}" for word, count in sorted(operation.counts.items()))
    parts: list[str | Text] = [f"{operation.id}  ", styled(operation.state), f"  {operation.total} jobs: {counts}"]
    if operation.state is OperationState.RUNNING and operation.rate_per_s:
        parts.append(f" · {operation.rate_per_s:.1f}/s")
    if operation.ends_at is not None:
        parts.append(f" · ends about {operation.ends_at.astimezone():%H:%M:%S}")
    return Text.assemble(*parts)


class Output:
    """One command's output."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._in_progress = False

    def json(self, document: Any) -> None:
        """One JSON document on one line; nothing when people read."""
        if self.as_json:
            sys.stdout.write(to_json(document).decode() + "\n")
            sys.stdout.flush()

    def line(self, *parts: str | Text) -> None:
        """A line for people."""
        if not self.as_json:
            self._console.print(Text.assemble(*(part if isinstance(part, Text) else plain(part) for part in parts)))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people."""
        if self.as_json:
            return
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(
                *(cell if isinstance(cell, Text) else Text(plain("" if cell is None else cell)) for cell in row)
            )
        self._console.print(table, soft_wrap=False)

    def error(self, message: str, code: str) -> None:
        """Why the command failed, on standard error."""
        if self.as_json:
            sys.stderr.write(to_json({"error": {"code": code, "message": message}}).decode() + "\n")
        else:
            self._errors.print(Text(f"error: {plain(message)}", style="red"))

    def job(self, job: Job) -> None:
        """One job."""
        self.json(job)
        rows: list[tuple[str, object]] = [
            ("id", job.id),
            ("title", job.title),
            ("status", styled(job.status)),
            ("version", job.version),
            ("agent", job.agent_id),
            ("submission", job.submission),
            ("execution", job.execution_id),
            ("progress", percent(job.progress)),
            ("it says", job.progress_message),
            ("spent", spent(job.spent_usd, job.spent_tokens)),
            ("code", _code(job)),
            ("last", job.last_log and job.last_log.message and job.last_log.message[:MESSAGE_MAX_CHARS]),
            *(("criterion", line) for line in job.acceptance_criteria.splitlines()),
            ("payload", to_json(job.payload).decode()[:MESSAGE_MAX_CHARS]),
            ("labels", " ".join(f"{name}={value}" for name, value in job.labels.items())),
        ]
        self.table(["", ""], [row for row in rows if row[1] is not None and row[1] != ""])

    def jobs(self, jobs: Sequence[Job], next_cursor: str) -> None:
        """A page of jobs."""
        self.json({"items": jobs, "next_cursor": next_cursor or None})
        rows = [
            (job.id, styled(job.status), _code(job), percent(job.progress), job.agent_id, job.submission, job.title)
            for job in jobs
        ]
        self.table(["id", "status", "code", "progress", "agent", "submission", "title"], rows)
        self._more(next_cursor)

    def log(self, log: JobLog, name: str = "") -> None:
        """One transition: a line of a timeline."""
        self.json(log)
        message = (log.message or "")[:MESSAGE_MAX_CHARS]
        attempt = f"attempt {log.attempt}" if log.attempt and not message.startswith("attempt") else ""
        progress = percent(log.progress) if log.status is JobLogStatus.IN_PROGRESS else ""
        what = " · ".join(part for part in (attempt, log.code or "", progress, message) if part)
        if cost := spent(log.spent_usd, log.spent_tokens):
            what += f" ({cost} so far)"
        self.line(f"{clock(log.created_at)}  {name}v{log.version:<3} ", styled(f"{log.status:<22}"), what)

    def logs(self, logs: Sequence[JobLog], next_cursor: str) -> None:
        """A page of transitions."""
        if self.as_json:
            self.json({"items": logs, "next_cursor": next_cursor or None})
            return
        for log in logs:
            self.log(log)
        self._more(next_cursor)

    def agent(self, agent: Agent) -> None:
        """One agent."""
        self.json(agent)
        self._agents([agent])

    def agents(self, agents: Sequence[Agent], next_cursor: str) -> None:
        """A page of agents."""
        self.json({"items": agents, "next_cursor": next_cursor or None})
        self._agents(agents)
        self._more(next_cursor)

    def batch(self, batch: Batch) -> None:
        """A batch, and the jobs of it that were refused."""
        self.json(batch)
        self.line(how(batch))
        for item in batch.items:
            if item.code is not None:
                self.line(f"  {item.job_id}  ", styled("REFUSED"), f"  {item.code}: {item.message}")

    def operation(self, operation: Operation) -> None:
        """A batch without its items."""
        self.json(operation)
        self.line(how(operation))

    def operations(self, operations: Sequence[Operation], next_cursor: str) -> None:
        """A page of batches."""
        self.json({"items": operations, "next_cursor": next_cursor or None})
        for operation in operations:
            self.line(f"{operation.created_at.astimezone():%m-%d %H:%M:%S}  ", how(operation))
        self._more(next_cursor)

    def progress(self, operation: Operation) -> None:
        """How a batch goes: one line that changes on a terminal, and a line each time elsewhere."""
        if self.as_json or not self._console.is_terminal:
            self.operation(operation)
            return
        self._console.control(_LINE_AGAIN)
        self._console.print(how(operation), end="", overflow="ellipsis", no_wrap=True, soft_wrap=False)
        self._in_progress = True

    def end_progress(self) -> None:
        """What follows stands on a line of its own."""
        if self._in_progress:
            self._console.print()
        self._in_progress = False

    def limit(self, limit: Limit) -> None:
        """One limit."""
        self.json(limit)
        self._limits([limit])

    def dead_letters(self, letters: DeadLetters) -> None:
        """How many there are, and the newest."""
        self.json(letters)
        for topic, count in sorted(letters.counts.items()):
            self.line(f"{topic}: {count}")
        rows = [
            (
                f"{letter.topic}/{letter.partition}/{letter.offset}",
                f"{letter.at.astimezone():%m-%d %H:%M:%S}",
                letter.code,
                f"{letter.source_topic}/{letter.source_partition}/{letter.source_offset}",
                letter.message,
            )
            for letter in letters.items
        ]
        if rows:
            self.table(["letter", "at", "code", "from", "why"], rows)

    def limits(self, limits: Sequence[Limit]) -> None:
        """All limits."""
        self.json({"items": limits})
        self._limits(limits)

    def _limits(self, limits: Sequence[Limit]) -> None:
        rows = [
            (
                limit.name,
                limit.concurrency,
                None if limit.rate is None else f"{limit.rate} in {limit.rate_period_s:g} s",
                limit.queue_max,
                limit.weight,
                Text("paused", style="yellow") if limit.paused else "",
            )
            for limit in limits
        ]
        self.table(["name", "at once", "rate", "may wait", "weight", ""], rows)

    def _agents(self, agents: Sequence[Agent]) -> None:
        rows = [
            (
                agent.id,
                agent.name,
                agent.protocol,
                agent.url,
                "paused" if agent.paused else "yes" if agent.enabled else "no",
                circuit(agent),
                " ".join(agent.capabilities),
            )
            for agent in agents
        ]
        self.table(["id", "name", "protocol", "url", "enabled", "circuit", "capabilities"], rows)

    def _more(self, next_cursor: str) -> None:
        if next_cursor:
            self.line(f"more: --cursor {next_cursor}")
