"""The command `signoff inbox`."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import parse_seconds
from cli.output import Output, format_percent, format_time, format_usd, list_agents_of, name_cause
from cli.session import Session, command, make_app
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.status import OperationKind

if TYPE_CHECKING:
    from signoff.types import Inbox, InboxGroup, InboxHappened, InboxOperation

app = make_app()


@command(app, "inbox")
async def inbox(
    cli: Session,
    jobstore: AsyncClient,
    not_now: Annotated[
        list[str] | None, typer.Option("--not-now", metavar="GROUP", help="Put this group off until it grows.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="Put it off for so long at most: 2h, 3d, at most 14d.")
    ] = None,
    show: Annotated[
        list[str] | None, typer.Option("--show", metavar="GROUP", help="Put this group off no longer.")
    ] = None,
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Of this tenant alone.")] = "",
) -> None:
    """Show what needs somebody, the urgent first, and what happened since one looked last."""
    if for_ is not None and not not_now:
        raise typer.BadParameter("--for says for how long --not-now puts a group off", param_hint="--for")
    until = None if for_ is None else datetime.now(UTC) + timedelta(seconds=parse_seconds(for_, "--for"))
    found = await jobstore.update_inbox(seen=True, snoozed=not_now or (), until=until, shown=show or (), tenant=tenant)
    agents = [group.agent_id for group in found.groups if group.agent_id is not None]
    await cli.learn_agents(jobstore, [*agents, *list_agents_of(found.groups)])
    show_inbox(cli.out, found)


def show_inbox(out: Output, found: "Inbox") -> None:
    """Print what happened, and the groups that are not put off, each with what is to be done."""
    out.print(found, describe_happened(found.happened))
    for group in found.groups:
        if group.snoozed_until is None:
            out.print_line(_describe(out, group))
            for line in _list_details(group):
                out.print_line(f"  {line}")
    if put_off := len(found.groups) - found.count:
        out.print_line(f"not now: {put_off}")
    if not found.groups:
        out.print_line("nothing needs you")


def describe_happened(happened: "InboxHappened") -> str:
    """Return in a line what happened since the last visit."""
    rate = happened.acceptance_rate
    parts = [
        f"{happened.ended} ended",
        *([] if rate is None else [f"{format_percent(rate)} accepted"]),
        f"{happened.failed} failed",
        format_usd(happened.cost_usd),
    ]
    return f"since {format_time(happened.since)}: {', '.join(parts)}"


def _describe(out: Output, group: "InboxGroup") -> Styled:
    kind = "" if group.code == group.kind else group.kind
    cause = name_cause(out, group, with_id=False).strip()
    about = [kind, out.name_agent(group.agent_id, with_id=False), cause, group.criterion or ""]
    since = "" if group.since is None else f", since {format_time(group.since)}"
    more = "+" if group.has_more else ""
    return Styled(f"{group.count}{more} {' '.join(filter(None, about))}{since}", "bold")


def _list_details(group: "InboxGroup") -> list[str]:
    newest = "" if group.newest_job_id is None else f"newest: {group.newest_job_id}"
    return [
        *([f"{newest}: {group.message}" if group.message else newest] if newest else []),
        group.remedy,
        *([] if group.operation is None else [_make_command(group.operation)]),
        f"signoff inbox --not-now {group.id}",
    ]


def _make_command(operation: "InboxOperation") -> str:
    """Return the command line that makes an operation."""
    chosen = operation.filter
    options = {
        "--agent": chosen.agent_id,
        "--code": next(iter(chosen.codes), None),
        "--status": "resubmission_required" if operation.kind == OperationKind.RESUBMIT else None,
        "--criterion-not-met": chosen.criterion_not_met,
        "--tenant": chosen.tenant,
        "--created-after": None if chosen.created_after is None else f"{chosen.created_after:%Y-%m-%dT%H:%M:%SZ}",
    }
    words = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value is not None]
    return " ".join([f"signoff bulk {operation.kind}", *words])
