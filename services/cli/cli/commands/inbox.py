"""The command `signoff inbox`."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.group_views import learn_agents_of, print_group
from cli.options import parse_seconds
from cli.output import Output, format_percent, format_time, format_usd
from cli.session import Session, command, make_app
from signoff import AsyncClient

if TYPE_CHECKING:
    from signoff.types import Inbox, InboxHappened

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
    await learn_agents_of(cli, jobstore, found.groups)
    show_inbox(cli.out, found)


def show_inbox(out: Output, found: "Inbox") -> None:
    """Print what happened, and the groups that are not put off, each with what is to be done."""
    out.print(found, describe_happened(found.happened))
    for group in found.groups:
        if group.snoozed_until is None:
            print_group(out, group, f"signoff inbox --not-now {group.id}")
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
