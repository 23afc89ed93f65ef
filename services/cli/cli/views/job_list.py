"""Show the jobs that match: a page of them, or how many there are of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cli.output import Output, format_last_code, format_percent, style_status_of
from cli.views.waiting import list_agents_of, name_cause

if TYPE_CHECKING:
    from signoff.types import Job, JobCounts


def list_agents_in(jobs: Sequence[Job]) -> Iterator[str | None]:
    """Yield the ids of the agents that a list names."""
    for job in jobs:
        yield job.agent_id
        if job.waiting:
            yield from list_agents_of(job.waiting.reasons)


def show_jobs(out: Output, jobs: Sequence[Job], next_page_token: str, searched: int | None) -> None:
    """Show a page of jobs, each that waits with why, and whether only the newest were `searched` for them."""
    out.print_page(jobs, next_page_token, **({} if searched is None else {"searched": searched}))
    rows = [
        (
            job.id,
            style_status_of(job),
            format_last_code(job),
            _name_causes(out, job),
            format_percent(job.progress),
            out.name_agent(job.agent_id, with_id=False),
            job.submission,
            job.title,
        )
        for job in jobs
    ]
    columns = ["id", "status", "code", "waits for", "progress", "agent", "submission", "title"]
    out.print_list(columns, rows, spared=["submission", "progress", "agent", "short", "waits for", "code"])
    if searched is not None:
        out.print_line(f"among the newest {searched}: older ones were not looked at")
    out.print_next_page_token(next_page_token)


def _name_causes(out: Output, job: Job) -> str:
    return ", ".join(name_cause(out, reason, with_id=False) for reason in job.waiting.reasons) if job.waiting else ""


def format_count(count: int, capped_at: int) -> str:
    """Return a count, with a plus where it may be more."""
    return f"{count}{'+' * (count >= capped_at)}"


def show_counts(out: Output, found: JobCounts) -> None:
    """Show how many jobs there are by status, and how many were cancelled."""
    rows = [(format_count(count, found.capped_at), status) for status, count in sorted(found.counts.items()) if count]
    rows += [(format_count(found.cancelled, found.capped_at), "cancelled, whatever their status")] * bool(
        found.cancelled
    )
    out.print_table(("jobs", "status"), rows)
    if found.searched is not None:
        out.print_line(f"of the newest {found.searched} that match")
