"""The commands of the group `signoff jobs` that remove jobs, and keep jobs from being removed."""

from typing import Annotated, Any

import typer

from cli.commands.jobs import app
from cli.commands.operations import OperationOptions, Reason, make_operation, with_choice
from cli.output import format_time
from cli.parameters import JobId, PageSize, PageToken, find_job_id
from cli.session import Session, command
from signoff import AsyncClient
from signoff.status import OperationKind


@command(app, "remove")
@with_choice
async def remove(cli: Session, conditions: dict[str, Any], how: OperationOptions, reason: Reason = None) -> None:
    """Remove jobs for good: those named, or all that match; their ids stay taken, and the archive has what they were.

    What is live, held, a labelled case, in an operation that is under way, or not archived yet, stays.
    """
    await make_operation(cli, OperationKind.REMOVE, conditions, how, reason=reason)


@command(app, "hold")
async def hold(
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it is kept, for people.")] = None,
) -> None:
    """Keep a job from being removed, by retention or by hand, until it is released."""
    held = await jobstore.hold_job(await find_job_id(jobstore, job_id), reason)
    cli.out.print_json(held)
    cli.out.print_line(f"{held.job_id} is held since {format_time(held.created_at)}, by {held.actor}")


@command(app, "release")
async def release(cli: Session, jobstore: AsyncClient, job_id: JobId) -> None:
    """Let a job that is held be removed again."""
    job_id = await find_job_id(jobstore, job_id)
    await jobstore.release_job(job_id)
    cli.out.print_json({"job_id": job_id})
    cli.out.print_line(f"{job_id} is not held")


@command(app, "holds")
async def holds(cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List the jobs that are held, by their ids."""
    found, token = await jobstore.list_holds(page_size=page_size, page_token=page_token)
    cli.out.print_page(found, token)
    if not found:
        cli.out.print_line("no job is held: `signoff jobs hold` keeps one from being removed")
        return
    rows = [[each.job_id, each.reason or "", each.actor, format_time(each.created_at)] for each in found]
    cli.out.print_table(["job", "reason", "by", "since"], rows)
    cli.out.print_next_page_token(token)
