"""The group `signoff batches`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.jobs import PageSize, PageToken
from cli.errors import ExitStatus
from cli.options import read_json_file
from cli.parameters.job_filter import make_checked_filter, with_filter
from cli.parameters.lookups import BatchId, complete_jobs, find_batch_id, find_job_ids
from cli.session import Session, command, make_app
from cli.views.operations_view import has_completed, show_operation, show_operations, show_until_ended
from signoff.status import BATCH_KINDS, JobStatus

if TYPE_CHECKING:
    from contracts.resources import NewJob

app = make_app("Execute many jobs at once.")

Statuses = Annotated[
    list[JobStatus] | None, typer.Option("--status", case_sensitive=False, help="At this status. May be repeated.")
]
Name = Annotated[str | None, typer.Option("--name", help="What the batch is called, for whoever looks at it.")]
Key = Annotated[str | None, typer.Option("--idempotency-key", help="Asked for twice with one key, it is one batch.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show its progress until it ends; succeed if all COMPLETED.")]


@command(app, "create")
@with_filter
async def create(  # noqa: PLR0917 - each is an option
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
    jobs = _validate_new_jobs(read_json_file(file, "--file")) if file else []
    async with cli.jobstore() as jobstore:
        job_filter = await make_checked_filter(jobstore, conditions) if conditions else None
        found = await find_job_ids(jobstore, job_ids or [])
        created = await jobstore.execute_jobs(found, jobs, filter=job_filter, name=name, idempotency_key=key)
        if wait:
            created = await show_until_ended(cli, jobstore, str(created.id), as_json=False)
        await show_operation(cli, jobstore, created)
    _exit_unless(has_completed(created) if wait else "REFUSED" not in created.counts)


@command(app, "list")
async def list_(cli: Session, page_size: PageSize = 50, page_token: PageToken = "") -> None:
    """List batches, newest first."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_operations(BATCH_KINDS, page_size=page_size, page_token=page_token)
    show_operations(cli.out, *page)


@command(app, "get")
async def get(cli: Session, batch_id: BatchId) -> None:
    """Show the state of a batch."""
    async with cli.jobstore() as jobstore:
        await show_operation(cli, jobstore, await jobstore.get_operation(await find_batch_id(jobstore, batch_id)))


@command(app, "watch")
async def watch(cli: Session, batch_id: BatchId) -> None:
    """Show the progress of a batch until it ends; succeed if all its jobs COMPLETED."""
    async with cli.jobstore() as jobstore:
        batch_id = await find_batch_id(jobstore, batch_id)
        _exit_unless(has_completed(await show_until_ended(cli, jobstore, batch_id)))


@command(app, "pause")
async def pause(cli: Session, batch_id: BatchId) -> None:
    """Pause a batch: nothing more of it begins; what is with an agent goes on."""
    async with cli.jobstore() as jobstore:
        await show_operation(cli, jobstore, await jobstore.pause_operation(await find_batch_id(jobstore, batch_id)))


@command(app, "resume")
async def resume(cli: Session, batch_id: BatchId) -> None:
    """Resume a paused batch."""
    async with cli.jobstore() as jobstore:
        await show_operation(cli, jobstore, await jobstore.resume_operation(await find_batch_id(jobstore, batch_id)))


@command(app, "cancel")
async def cancel(
    cli: Session,
    batch_id: BatchId,
    reason: Annotated[str | None, typer.Option(help="Why, as the logs tell it.")] = None,
) -> None:
    """Cancel a batch: nothing more of it begins, and its live executions are cancelled; it is CANCELLED soon after."""
    async with cli.jobstore() as jobstore:
        batch_id = await find_batch_id(jobstore, batch_id)
        cancelled = await jobstore.cancel_operation(batch_id, reason)
        await show_operation(cli, jobstore, cancelled)


@command(app, "retry")
async def retry(
    cli: Session,
    batch_id: BatchId,
    status: Statuses = None,
    name: Name = None,
    key: Key = None,
    wait: Wait = False,
) -> None:
    """Execute again what FAILED of a batch, or ended at --status, as a new batch; succeed if all were accepted.

    Jobs whose judge proved nothing are passed by: `signoff rejudge --batch BATCH --code verdict_unproven` helps them.
    """
    async with cli.jobstore() as jobstore:
        batch_id = await find_batch_id(jobstore, batch_id)
        created = await jobstore.retry_operation(batch_id, status or [], name=name, idempotency_key=key)
        if wait:
            created = await show_until_ended(cli, jobstore, str(created.id), as_json=False)
        await show_operation(cli, jobstore, created)
    _exit_unless(has_completed(created) if wait else "REFUSED" not in created.counts)


def _exit_unless(is_good: bool) -> None:
    if not is_good:
        raise typer.Exit(ExitStatus.NOT_MET)


def _validate_new_jobs(value: Any) -> "list[NewJob]":
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - heavy, and only needed here

    from contracts.fields import describe_problem  # noqa: PLC0415 - same
    from contracts.resources import NewJob  # noqa: PLC0415 - same

    try:
        return TypeAdapter(list[NewJob]).validate_python(value, extra="forbid")
    except ValidationError as error:
        wrong = "; ".join(describe_problem(problem, list[NewJob]) for problem in error.errors())
        raise typer.BadParameter(wrong, param_hint="--file") from error
