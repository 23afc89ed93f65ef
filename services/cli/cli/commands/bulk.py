"""The group `signoff bulk`."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.jobs import PageSize, PageToken
from cli.errors import ExitStatus
from cli.options import validate_model
from cli.parameters.job_filter import make_checked_filter, read_conditions
from cli.parameters.lookups import (
    OperationId,
    complete_agents,
    complete_jobs,
    find_agent_id,
    find_batch_id,
    find_job_ids,
)
from cli.session import Session, command, make_app, with_options
from cli.views.operations_view import (
    has_completed,
    show_items,
    show_operation,
    show_operations,
    show_preview,
    show_until_ended,
)
from signoff.status import BATCH_KINDS, ItemOutcome, OperationKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from signoff import AsyncClient

app = make_app("Execute, cancel, resubmit, assign or retry all jobs that match.")

Reason = Annotated[str | None, typer.Option("--reason", help="Why, as the logs tell it.")]


@dataclass(frozen=True)
class How:
    """What is said of every operation beside what it does, and by which filter."""

    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB", help="These jobs, instead of all that match.", autocompletion=complete_jobs),
    ] = None
    name: Annotated[
        str | None, typer.Option("--name", help="What the operation is called, for whoever looks at it.")
    ] = None
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


with_choice = with_options(conditions=read_conditions, how=How)


@command(app, "execute")
@with_choice
async def execute(cli: Session, conditions: dict[str, Any], how: How) -> None:
    """Execute all jobs that match."""
    await make_operation(cli, OperationKind.EXECUTE, conditions, how)


@command(app, "cancel")
@with_choice
async def cancel(cli: Session, conditions: dict[str, Any], how: How, reason: Reason = None) -> None:
    """Cancel the live executions of all jobs that match; what begins after that goes on."""
    await make_operation(cli, OperationKind.CANCEL, conditions, how, reason=reason)


@command(app, "resubmit")
@with_choice
async def resubmit(
    cli: Session,
    conditions: dict[str, Any],
    how: How,
    comment: Annotated[str | None, typer.Option(help="Told to the agents beside the verdict's feedback.")] = None,
) -> None:
    """Resubmit all jobs that match and were not accepted: the agents try again, with the verdict's feedback."""
    await make_operation(cli, OperationKind.RESUBMIT, conditions, how, comment=comment)


@command(app, "assign")
@with_choice
async def assign(
    cli: Session,
    conditions: dict[str, Any],
    how: How,
    to: Annotated[
        str,
        typer.Option("--to", metavar="AGENT", help="The agent that gets them.", autocompletion=complete_agents),
    ],
) -> None:
    """Assign all jobs that match to an agent."""
    await make_operation(cli, OperationKind.ASSIGN, conditions, how, agent_id=to)


@command(app, "retry")
@with_choice
async def retry(cli: Session, conditions: dict[str, Any], how: How) -> None:
    """Execute again all jobs that match and FAILED, or stand at --status.

    Those whose judge proved nothing are passed by, unless --code names verdict_unproven: `signoff rejudge` helps them.
    """
    await make_operation(cli, OperationKind.RETRY, conditions, how)


@command(app, "list")
async def list_(
    cli: Session,
    kind: Annotated[
        list[OperationKind] | None, typer.Option(help="Operations of this kind. May be repeated; all when not given.")
    ] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """List operations, newest first."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_operations(kind or [], page_size=page_size, page_token=page_token)
    show_operations(cli.out, *page)


@command(app, "get")
async def get(cli: Session, operation_id: OperationId) -> None:
    """Show the state of an operation."""
    async with cli.jobstore() as jobstore:
        await show_operation(cli, jobstore, await jobstore.get_operation(await find_batch_id(jobstore, operation_id)))


@command(app, "report")
async def report(
    cli: Session,
    operation_id: OperationId,
    outcome: Annotated[
        list[ItemOutcome] | None,
        typer.Option(case_sensitive=False, help="Items with this outcome. May be repeated; all when not given."),
    ] = None,
    page_size: PageSize = 50,
    page_token: PageToken = "",
) -> None:
    """Show what became of each job of an operation, and why it was refused."""
    async with cli.jobstore() as jobstore:
        operation_id = await find_batch_id(jobstore, operation_id)
        page = await jobstore.list_operation_items(
            operation_id, outcome or (), page_size=page_size, page_token=page_token
        )
        await cli.learn_agents(jobstore)
    show_items(cli.out, *page)


@command(app, "pause")
async def pause(cli: Session, operation_id: OperationId) -> None:
    """Pause an operation: nothing more of it begins; what is with an agent goes on."""
    async with cli.jobstore() as jobstore:
        await show_operation(cli, jobstore, await jobstore.pause_operation(await find_batch_id(jobstore, operation_id)))


@command(app, "resume")
async def resume(cli: Session, operation_id: OperationId) -> None:
    """Resume a paused operation."""
    async with cli.jobstore() as jobstore:
        await show_operation(
            cli, jobstore, await jobstore.resume_operation(await find_batch_id(jobstore, operation_id))
        )


@command(app, "abort")
async def abort(cli: Session, operation_id: OperationId, reason: Reason = None) -> None:
    """Abort an operation: nothing more of it begins, and its live executions are cancelled; what is done stays done."""
    async with cli.jobstore() as jobstore:
        operation_id = await find_batch_id(jobstore, operation_id)
        aborted = await jobstore.cancel_operation(operation_id, reason)
        await show_operation(cli, jobstore, aborted)


async def make_operation(
    cli: Session,
    kind: OperationKind,
    conditions: dict[str, Any],
    how: How,
    *,
    then: "Callable[[AsyncClient, str], Awaitable[None]] | None" = None,
    **parameters: object,
) -> None:
    """Show what an operation is about, make it if that is wanted, show how it goes, and then, once it has ended, more.

    Fail if some of its jobs were refused.
    """
    from contracts.resources import NewOperation  # noqa: PLC0415 - heavy, and only needed here

    if bool(how.job_ids) == bool(conditions):
        raise typer.BadParameter("give either jobs, or what the jobs must be, such as --status", param_hint="JOB")
    is_asked = not (how.dry_run or how.yes)
    if is_asked and (cli.out.as_json or not sys.stdin.isatty()):
        raise typer.BadParameter(
            "is needed where nobody can be asked; --dry-run shows what it would do", param_hint="--yes"
        )
    async with cli.jobstore() as jobstore:
        if conditions:
            chosen: dict[str, Any] = {"filter": await make_checked_filter(jobstore, conditions)}
        else:
            chosen = {"job_ids": await find_job_ids(jobstore, how.job_ids or [])}
        if isinstance(agent := parameters.get("agent_id"), str):
            chosen["agent_id"] = await find_agent_id(jobstore, agent)
        new = validate_model(NewOperation, {"kind": kind, "name": how.name, **parameters, **chosen}, "the operation")
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
    if how.wait and not has_completed(made):
        raise typer.Exit(ExitStatus.NOT_MET)


def _name_basis(kind: OperationKind, judge: str | None) -> str:
    """Return by what the cost of an operation is estimated; "" of one that costs nothing."""
    if kind is not OperationKind.REJUDGE:
        return "what similar jobs have cost recently" if kind in BATCH_KINDS else ""
    return "what judging them cost last" if judge is None else f"what verdicts by {judge} cost on average"
