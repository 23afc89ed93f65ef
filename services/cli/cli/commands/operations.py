"""The groups `signoff bulk` and `signoff batches`: operations on many jobs."""

import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.commands.group_views import learn_agents_of, print_group
from cli.options import read_json_file, validate_resource
from cli.output import (
    STYLES,
    Output,
    describe_sum,
    format_percent,
    format_time,
    format_usd,
    list_agents_of,
    print_sums,
    style_status,
    style_status_of,
)
from cli.parameters import (
    BatchId,
    OperationId,
    PageSize,
    PageToken,
    complete_agents,
    complete_jobs,
    filter_options,
    find_agent_id,
    find_batch_id,
    find_job_ids,
    make_checked_filter,
    with_filter,
)
from cli.session import Session, command, make_app, succeed_if, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.status import BATCH_KINDS, ItemOutcome, JobStatus, OperationKind, OperationState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from signoff.types import Operation, OperationPreview

bulk_app = make_app("Execute, cancel, resubmit, assign or retry all jobs that match.")

Reason = Annotated[str | None, typer.Option("--reason", help="The reason, for the logs.")]


@dataclass(frozen=True)
class OperationOptions:
    """The options that all operations on many jobs have, beside those of the filter."""

    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB", help="These jobs, instead of all that match.", autocompletion=complete_jobs),
    ] = None
    name: Annotated[str | None, typer.Option("--name", help="The name of the operation, for people.")] = None
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Asked for twice with one key, it is one operation.")
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how many jobs, some of them, and what they may cost.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it ends; succeed if all went well.")] = (
        False
    )


with_choice = with_options(conditions=filter_options, how=OperationOptions)


@command(bulk_app, "execute")
@with_choice
async def execute(cli: Session, conditions: dict[str, Any], how: OperationOptions) -> None:
    """Execute all jobs that match."""
    await make_operation(cli, OperationKind.EXECUTE, conditions, how)


@command(bulk_app, "cancel")
@with_choice
async def cancel(cli: Session, conditions: dict[str, Any], how: OperationOptions, reason: Reason = None) -> None:
    """Cancel the live executions of all jobs that match; what begins after that goes on."""
    await make_operation(cli, OperationKind.CANCEL, conditions, how, reason=reason)


@command(bulk_app, "resubmit")
@with_choice
async def resubmit(
    cli: Session,
    conditions: dict[str, Any],
    how: OperationOptions,
    comment: Annotated[
        str | None, typer.Option(help="A comment for the agents, beside the verdict's feedback.")
    ] = None,
) -> None:
    """Resubmit all jobs that match and were not accepted: the agents try again, with the verdict's feedback."""
    await make_operation(cli, OperationKind.RESUBMIT, conditions, how, comment=comment)


@command(bulk_app, "assign")
@with_choice
async def assign(
    cli: Session,
    conditions: dict[str, Any],
    how: OperationOptions,
    to: Annotated[
        str, typer.Option("--to", metavar="AGENT", help="The agent that gets them.", autocompletion=complete_agents)
    ],
) -> None:
    """Assign all jobs that match to an agent."""
    await make_operation(cli, OperationKind.ASSIGN, conditions, how, agent_id=to)


@command(bulk_app, "retry")
@with_choice
async def retry(cli: Session, conditions: dict[str, Any], how: OperationOptions) -> None:
    """Execute again all jobs that match and FAILED, or stand at --status.

    Those whose judge proved nothing are passed by, unless --code names verdict_unproven: `signoff rejudge` helps them.
    """
    await make_operation(cli, OperationKind.RETRY, conditions, how)


@command(bulk_app, "list")
async def list_(
    cli: Session,
    jobstore: AsyncClient,
    kind: Annotated[
        list[OperationKind] | None, typer.Option(help="Operations of this kind. May be repeated; all when not given.")
    ] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """List operations, newest first."""
    page = await jobstore.list_operations(kind or [], page_size=page_size, page_token=page_token)
    show_operations(cli.out, *page)


@command(bulk_app, "get")
async def get(cli: Session, jobstore: AsyncClient, operation_id: OperationId) -> None:
    """Show the state of an operation, and what of it failed or was not accepted, by what it needs."""
    await show_with_groups(cli, jobstore, await find_batch_id(jobstore, operation_id))


@command(bulk_app, "report")
async def report(
    cli: Session,
    jobstore: AsyncClient,
    operation_id: OperationId,
    outcome: Annotated[
        list[ItemOutcome] | None,
        typer.Option(case_sensitive=False, help="Items with this outcome. May be repeated; all when not given."),
    ] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """Show what became of each job of an operation, and why it was refused."""
    operation_id = await find_batch_id(jobstore, operation_id)
    page = await jobstore.list_operation_items(operation_id, outcome or (), page_size=page_size, page_token=page_token)
    await cli.learn_agents(jobstore)
    columns = {
        "job": lambda item: item.job_id,
        "outcome": lambda item: style_status(item.outcome),
        "code": lambda item: item.code,
        "retried by": lambda item: item.retried_by,
        "why": lambda item: cli.out.name_agents_in(item.message or item.title),
    }
    cli.out.print_items(*page, columns, spared=["retried by"], wrapped=True)


@command(bulk_app, "pause")
async def pause(cli: Session, jobstore: AsyncClient, operation_id: OperationId) -> None:
    """Pause an operation: nothing more of it begins; what is with an agent goes on."""
    await show_operation(cli, jobstore, await jobstore.pause_operation(await find_batch_id(jobstore, operation_id)))


@command(bulk_app, "resume")
async def resume(cli: Session, jobstore: AsyncClient, operation_id: OperationId) -> None:
    """Resume a paused operation."""
    await show_operation(cli, jobstore, await jobstore.resume_operation(await find_batch_id(jobstore, operation_id)))


@command(bulk_app, "abort")
async def abort(cli: Session, jobstore: AsyncClient, operation_id: OperationId, reason: Reason = None) -> None:
    """Abort an operation: nothing more of it begins, and its live executions are cancelled; what is done stays done."""
    operation_id = await find_batch_id(jobstore, operation_id)
    await show_operation(cli, jobstore, await jobstore.cancel_operation(operation_id, reason))


async def make_operation(
    cli: Session,
    kind: OperationKind,
    conditions: dict[str, Any],
    how: OperationOptions,
    *,
    then: "Callable[[AsyncClient, str], Awaitable[None]] | None" = None,
    **parameters: object,
) -> None:
    """Preview an operation, create it once the user confirms, and print it, with --wait once it has ended.

    With --wait, then call `then` with the operation's id, and exit with status 1 unless all its jobs ended well.
    """
    if bool(how.job_ids) == bool(conditions):
        raise typer.BadParameter("give either jobs, or what the jobs must be, such as --status", param_hint="JOB")
    is_asked = not (how.dry_run or how.yes)
    if is_asked and (cli.out.as_json or not sys.stdin.isatty()):
        raise typer.BadParameter(
            "is needed where nobody can be asked; --dry-run shows what it would do", param_hint="--yes"
        )
    async with cli.jobstore() as jobstore:
        if conditions:
            chosen: dict[str, Any] = {"filter": await make_checked_filter(jobstore, cli.in_tenant(conditions))}
        else:
            chosen = {"job_ids": await find_job_ids(jobstore, how.job_ids or [])}
        if isinstance(agent := parameters.get("agent_id"), str):
            chosen["agent_id"] = await find_agent_id(jobstore, agent)
        new = validate_resource(
            "NewOperation", {"kind": kind, "name": how.name, **parameters, **chosen}, "the operation"
        )
        if not how.yes:
            show_preview(cli.out, kind, await jobstore.preview_operation(new), _name_basis(kind, new.judge))
        if how.dry_run or (is_asked and not typer.confirm(f"{kind} them?")):
            return
        made = await jobstore.create_operation(new, idempotency_key=how.key)
        if how.wait:
            made = await show_until_ended(cli, jobstore, str(made.id), as_json=False)
        await show_operation(cli, jobstore, made)
        if how.wait and then is not None:
            await then(jobstore, str(made.id))
    succeed_if(not how.wait or has_completed(made))


def _name_basis(kind: OperationKind, judge: str | None) -> str:
    """Return words for what an operation's cost is estimated from; "" if an operation of this kind costs nothing."""
    if kind is not OperationKind.REJUDGE:
        return "what similar jobs have cost recently" if kind in BATCH_KINDS else ""
    return "what judging them cost last" if judge is None else f"what verdicts by {judge} cost on average"


batches_app = make_app("Execute many jobs at once.")

Statuses = Annotated[
    list[JobStatus] | None, typer.Option("--status", case_sensitive=False, help="At this status. May be repeated.")
]
Name = Annotated[str | None, typer.Option("--name", help="The name of the batch, for people.")]
Key = Annotated[str | None, typer.Option("--idempotency-key", help="Asked for twice with one key, it is one batch.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show its progress until it ends; succeed if all COMPLETED.")]


@command(batches_app, "create")
@with_filter
async def create_batch(  # noqa: PLR0917 - each is an option
    cli: Session,
    conditions: dict[str, Any],
    job_ids: Annotated[
        list[str] | None, typer.Argument(metavar="JOB", help="Jobs that exist.", autocompletion=complete_jobs)
    ] = None,
    file: Annotated[str | None, typer.Option(help="New jobs as a JSON array, or -.")] = None,
    name: Name = None,
    key: Key = None,
    wait: Wait = False,
) -> None:
    """Execute jobs: those named, those in a file, or those that match; succeed if all were accepted."""
    if [bool(job_ids), bool(file), bool(conditions)].count(True) != 1:
        raise typer.BadParameter("give either jobs, --file, or what the jobs must be", param_hint="JOB")
    given = read_json_file(file, "--file") if file else []
    if isinstance(given, list):
        given = [cli.in_tenant(each) if isinstance(each, dict) else each for each in given]
    jobs = validate_resource("NewJob", given, "--file", many=True)
    async with cli.jobstore() as jobstore:
        job_filter = await make_checked_filter(jobstore, cli.in_tenant(conditions)) if conditions else None
        found = await find_job_ids(jobstore, job_ids or [])
        created = await jobstore.execute_jobs(found, jobs, filter=job_filter, name=name, idempotency_key=key)
        await _show_created(cli, jobstore, created, wait=wait)


@command(batches_app, "list")
async def list_batches(
    cli: Session, jobstore: AsyncClient, page_size: PageSize = 50, page_token: PageToken = ""
) -> None:
    """List batches, newest first."""
    page = await jobstore.list_operations(BATCH_KINDS, page_size=page_size, page_token=page_token)
    show_operations(cli.out, *page)


@command(batches_app, "get")
async def get_batch(cli: Session, jobstore: AsyncClient, batch_id: BatchId) -> None:
    """Show the state of a batch, and what of it failed or was not accepted, by what it needs."""
    await show_with_groups(cli, jobstore, await find_batch_id(jobstore, batch_id))


@command(batches_app, "watch")
async def watch_batch(cli: Session, jobstore: AsyncClient, batch_id: BatchId) -> None:
    """Show the progress of a batch until it ends; succeed if all its jobs COMPLETED."""
    batch_id = await find_batch_id(jobstore, batch_id)
    succeed_if(has_completed(await show_until_ended(cli, jobstore, batch_id)))


@command(batches_app, "pause")
async def pause_batch(cli: Session, jobstore: AsyncClient, batch_id: BatchId) -> None:
    """Pause a batch: nothing more of it begins; what is with an agent goes on."""
    await show_operation(cli, jobstore, await jobstore.pause_operation(await find_batch_id(jobstore, batch_id)))


@command(batches_app, "resume")
async def resume_batch(cli: Session, jobstore: AsyncClient, batch_id: BatchId) -> None:
    """Resume a paused batch."""
    await show_operation(cli, jobstore, await jobstore.resume_operation(await find_batch_id(jobstore, batch_id)))


@command(batches_app, "cancel")
async def cancel_batch(cli: Session, jobstore: AsyncClient, batch_id: BatchId, reason: Reason = None) -> None:
    """Cancel a batch: nothing more of it begins, and its live executions are cancelled; it is CANCELLED soon after."""
    batch_id = await find_batch_id(jobstore, batch_id)
    await show_operation(cli, jobstore, await jobstore.cancel_operation(batch_id, reason))


@command(batches_app, "retry")
async def retry_batch(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    batch_id: BatchId,
    status: Statuses = None,
    name: Name = None,
    key: Key = None,
    wait: Wait = False,
) -> None:
    """Execute again what FAILED of a batch, or ended at --status, as a new batch; succeed if all were accepted.

    Jobs whose judge proved nothing are passed by: `signoff rejudge --batch BATCH --code verdict_unproven` helps them.
    """
    batch_id = await find_batch_id(jobstore, batch_id)
    created = await jobstore.retry_operation(batch_id, status or [], name=name, idempotency_key=key)
    await _show_created(cli, jobstore, created, wait=wait)


async def _show_created(cli: Session, jobstore: AsyncClient, created: "Operation", *, wait: bool) -> None:
    """Print a batch, with `wait` at its end. Exit with status 1 if a job was refused or, at the end, not completed."""
    if wait:
        created = await show_until_ended(cli, jobstore, str(created.id), as_json=False)
    await show_operation(cli, jobstore, created)
    succeed_if(has_completed(created) if wait else "REFUSED" not in created.counts)


#: Outcomes of items that ended well: DONE is that of an operation that executes nothing.
_GOOD: Final = (JobStatus.COMPLETED, "DONE")


async def show_operation(cli: Session, jobstore: AsyncClient, operation: "Operation", **members: Any) -> None:
    """Print an operation, such as a batch, why its executions wait, and the first of its items that were refused.

    `members`: those of its JSON besides.
    """
    await cli.learn_agents(jobstore, list_agents_of(operation.waiting))
    cli.out.print({**vars(operation), **members} if members else operation, *_describe(operation))
    print_sums(cli.out, operation.waiting)
    if operation.refused:
        rows = [
            (item.job_id, style_status(item.outcome), f"{item.code}: {cli.out.name_agents_in(item.message)}")
            for item in operation.refused
        ]
        cli.out.print_list(["job", "outcome", "why"], rows, wrapped=True)
    if (more := operation.counts.get("REFUSED", 0) - len(operation.refused)) > 0:
        cli.out.print_line(f"and {more} more: signoff bulk report {operation.id} --outcome refused")


async def show_with_groups(cli: Session, jobstore: AsyncClient, operation_id: str) -> None:
    """Print an operation, and the groups of what failed or was not accepted, each with what does something about it."""
    operation = await jobstore.get_operation(operation_id)
    groups = (await jobstore.get_operation_groups(operation_id)).groups
    await show_operation(cli, jobstore, operation, **({"groups": groups} if groups else {}))
    await learn_agents_of(cli, jobstore, groups)
    for group in groups:
        print_group(cli.out, group)


def show_operations(out: Output, operations: "Sequence[Operation]", next_page_token: str) -> None:
    """Print a page of operations, as JSON with --json, else as a list."""
    columns = {
        "id": lambda each: each.id,
        "created": lambda each: format_time(each.created_at),
        "kind": lambda each: each.kind,
        "name": lambda each: each.name,
        "state": _style_state,
        "jobs": lambda each: each.total,
        "of which": _list_counts,
    }
    out.print_items(operations, next_page_token, columns, spared=["name", "kind", "created"])


def show_preview(out: Output, kind: str, preview: "OperationPreview", basis: str) -> None:
    """Print a preview of an operation; `basis` says what its cost is estimated from, "" if it costs nothing."""
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


async def show_until_ended(
    cli: Session, jobstore: AsyncClient, operation_id: str, *, as_json: bool = True
) -> "Operation":
    """Print an operation's progress until it has ended, with --json only if `as_json`; return the ended operation."""
    last = await jobstore.get_operation(operation_id)
    named, look = ("batch_id", "batches watch") if last.kind in BATCH_KINDS else ("operation_id", "bulk get")
    with cli.look_again_by(f"signoff {look} {operation_id}", **{named: operation_id}):
        async with aclosing(jobstore.watch_operation(operation_id)) as operations:
            async for last in operations:
                if as_json or not cli.out.as_json:
                    await cli.learn_agents(jobstore, list_agents_of(last.waiting))
                    waits = [f" · {describe_sum(cli.out, each)}" for each in last.waiting]
                    cli.out.print_progress(last, *_describe(last), *waits)
    cli.out.end_progress()
    return last


def has_completed(operation: "Operation") -> bool:
    """Return whether an operation is DONE and has items, all of which are COMPLETED, or DONE without an execution."""
    return operation.state is OperationState.DONE and 0 < operation.total == _count_good(operation)


def _count_good(operation: "Operation") -> int:
    return sum(operation.counts.get(word, 0) for word in _GOOD)


def _style_state(operation: "Operation") -> Styled:
    """Return an operation's state in a colour: DONE in green if all items ended well, yellow if some did, else red."""
    good = _count_good(operation)
    if operation.state is not OperationState.DONE or good == operation.total:
        return style_status(operation.state)
    return Styled(operation.state, STYLES["RESUBMISSION_REQUIRED" if good else "FAILED"])


def _list_counts(operation: "Operation") -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(operation.counts.items()))


def _describe(operation: "Operation") -> list[str | Styled]:
    """Return an operation's id, state, counts, cost and, while it runs, rate and estimated end, as parts of a line."""
    name = f"{operation.name}  " if operation.name else ""
    parts: list[str | Styled] = [
        f"{operation.id}  {name}",
        _style_state(operation),
        f"  {operation.total} jobs: {_list_counts(operation)}",
    ]
    if operation.state is OperationState.RUNNING and operation.rate_per_s:
        parts.append(f" · {operation.rate_per_s:.1f}/s")
    if operation.acceptance_rate is not None:
        parts.append(f" · {format_percent(operation.acceptance_rate)} accepted")
    if operation.cost_usd:
        parts.append(f" · {format_usd(operation.cost_usd)}")
    if operation.expected_cost_usd is not None:
        parts.append(f" of about {format_usd(operation.expected_cost_usd)}")
    if operation.ends_at is not None:
        parts.append(f" · ends about {format_time(operation.ends_at)}")
    return parts
