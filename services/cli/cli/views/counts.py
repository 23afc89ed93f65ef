"""Show how many jobs there are of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import Output

if TYPE_CHECKING:
    from contracts.resources import JobCounts


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
