"""Show operations on many jobs, such as batches: what one would be about, how it goes, and what became of each job."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from cli.output import STYLES, Output, format_time, format_usd, style_status, style_status_of
from cli.session import Session
from cli.terminal import Styled
from cli.views.waiting import describe_sum, list_agents_of, print_sums
from cli.watching import told_that_it_goes_on
from signoff import AsyncClient
from signoff.status import BATCH_KINDS, JobStatus, OperationState

if TYPE_CHECKING:
    from signoff.types import Operation, OperationItem, OperationPreview

#: Outcomes of items that are as they should be: DONE is that of what executes nothing.
_GOOD: Final = (JobStatus.COMPLETED, "DONE")


async def show_operation(cli: Session, jobstore: AsyncClient, operation: Operation) -> None:
    """Show an operation, such as a batch, why it waits, and those of its items that were refused first."""
    await cli.learn_agents(jobstore, list_agents_of(operation.waiting))
    cli.out.print_json(operation)
    cli.out.print_line(*_describe(operation))
    print_sums(cli.out, operation.waiting)
    if operation.refused:
        rows = [
            (item.job_id, style_status(item.outcome), f"{item.code}: {cli.out.name_agents_in(item.message)}")
            for item in operation.refused
        ]
        cli.out.print_list(["job", "outcome", "why"], rows, wrapped=True)
    if (more := operation.counts.get("REFUSED", 0) - len(operation.refused)) > 0:
        cli.out.print_line(f"and {more} more: signoff bulk report {operation.id} --outcome refused")


def show_operations(out: Output, operations: Sequence[Operation], next_page_token: str) -> None:
    """Show a page of operations."""
    out.print_page(operations, next_page_token)
    rows = [
        (
            each.id,
            format_time(each.created_at),
            each.kind,
            each.name,
            _style_state(each),
            each.total,
            _list_counts(each),
        )
        for each in operations
    ]
    columns = ["id", "created", "kind", "name", "state", "jobs", "of which"]
    out.print_list(columns, rows, spared=["name", "kind", "created"])
    out.print_next_page_token(next_page_token)


def show_preview(out: Output, kind: str, preview: OperationPreview, basis: str) -> None:
    """Show what an operation would be about; `basis` is by what its cost is estimated, "" where it costs nothing."""
    out.print_json(preview)
    counts = ", ".join(f"{count} {word}" for word, count in sorted(preview.counts.items()))
    more = f"more than {preview.items_max}" if preview.total > preview.items_max else preview.total
    out.print_line(f"{kind}: {more} jobs" + (f": {counts}" if counts else ""))
    if preview.sample:
        out.print_list(["id", "status", "title"], [(job.id, style_status_of(job), job.title) for job in preview.sample])
    if preview.total > len(preview.sample) > 0:
        out.print_line(f"and {preview.total - len(preview.sample)} more")
    if preview.cost_usd is not None:
        of = "" if preview.cost_of == preview.total else f" for {preview.cost_of} of them"
        out.print_line(f"estimated cost: {format_usd(preview.cost_usd)}{of}, by {basis}")
    elif preview.total and basis:
        out.print_line("estimated cost: not known")


def show_items(out: Output, items: Sequence[OperationItem], next_page_token: str) -> None:
    """Show a page of the items of an operation."""
    out.print_page(items, next_page_token)
    rows = [
        (i.job_id, style_status(i.outcome), i.code, i.retried_by, out.name_agents_in(i.message or i.title))
        for i in items
    ]
    out.print_list(["job", "outcome", "code", "retried by", "why"], rows, spared=["retried by"], wrapped=True)
    out.print_next_page_token(next_page_token)


async def show_until_ended(
    cli: Session, jobstore: AsyncClient, operation_id: str, *, as_json: bool = True
) -> Operation:
    """Show an operation until it has ended, as JSON only with `as_json`; return its last state."""
    last = await jobstore.get_operation(operation_id)
    named, look = ("batch_id", "batches watch") if last.kind in BATCH_KINDS else ("operation_id", "bulk get")
    with told_that_it_goes_on(cli, {named: operation_id}, f"signoff {look} {operation_id}"):
        async with aclosing(jobstore.watch_operation(operation_id)) as operations:
            async for last in operations:
                if as_json or not cli.out.as_json:
                    await cli.learn_agents(jobstore, list_agents_of(last.waiting))
                    waits = [f" · {describe_sum(cli.out, each)}" for each in last.waiting]
                    cli.out.print_progress(last, *_describe(last), *waits)
    cli.out.end_progress()
    return last


def has_completed(operation: Operation) -> bool:
    """Return whether an operation is done, and all its items are COMPLETED, or DONE where nothing was executed."""
    return operation.state is OperationState.DONE and 0 < operation.total == _count_good(operation)


def _count_good(operation: Operation) -> int:
    return sum(operation.counts.get(word, 0) for word in _GOOD)


def _style_state(operation: Operation) -> Styled:
    """Return the state of an operation in a colour: one that is DONE in that of what became of its items."""
    good = _count_good(operation)
    if operation.state is not OperationState.DONE or good == operation.total:
        return style_status(operation.state)
    return Styled(operation.state, STYLES["RESUBMISSION_REQUIRED" if good else "FAILED"])


def _list_counts(operation: Operation) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(operation.counts.items()))


def _describe(operation: Operation) -> list[str | Styled]:
    """Return the counts of an operation and, while it runs, its rate and estimated end, as parts of a line."""
    name = f"{operation.name}  " if operation.name else ""
    parts: list[str | Styled] = [
        f"{operation.id}  {name}",
        _style_state(operation),
        f"  {operation.total} jobs: {_list_counts(operation)}",
    ]
    if operation.state is OperationState.RUNNING and operation.rate_per_s:
        parts.append(f" · {operation.rate_per_s:.1f}/s")
    if operation.cost_usd:
        parts.append(f" · {format_usd(operation.cost_usd)}")
    if operation.ends_at is not None:
        parts.append(f" · ends about {format_time(operation.ends_at)}")
    return parts
