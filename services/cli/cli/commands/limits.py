"""The group `signoff limits`."""

from typing import Annotated

import typer

from cli.commands.jobs import PageSize, PageToken
from cli.options import validate_model
from cli.output import find_agent_of
from cli.session import Session, command, make_app
from signoff.connection import list_all

app = make_app(
    "Limit agents, tenants and labels: agent:<id>, tenant:<name>, label:<key>=<value>; * for each other one."
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="agent:<id>, tenant:<name> or label:<key>=<value>; * for each, as far as its own limit does not say it.",
    ),
]


@command(app, "list")
async def list_(cli: Session, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List limits by name."""
    async with cli.jobstore() as jobstore:
        limits, token = await jobstore.list_limits(page_size=page_size, page_token=page_token)
        await cli.learn_agents(jobstore, [find_agent_of(each.name) for each in limits])
    cli.out.show_limits(limits, token)


@command(app, "get")
async def get(cli: Session, name: Name) -> None:
    """Show one limit."""
    async with cli.jobstore() as jobstore:
        cli.out.show_limit(await jobstore.get_limit(name))


@command(app, "set")
async def set_(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    name: Name,
    concurrency: Annotated[int | None, typer.Option(help="How many executions run at once.")] = None,
    rate: Annotated[int | None, typer.Option(help="How many executions begin in each --rate-period-s.")] = None,
    per_s: Annotated[
        float | None, typer.Option("--rate-period-s", metavar="SECONDS", help="The period of --rate; 1 when not given.")
    ] = None,
    queue_max: Annotated[int | None, typer.Option(help="Of a tenant: how many executions may wait.")] = None,
    weight: Annotated[
        float | None, typer.Option(help="Of a tenant: its share beside other tenants, 1 when not given.")
    ] = None,
    paused: Annotated[
        bool | None,
        typer.Option("--paused/--no-paused", help="Begin nothing that it applies to; not given, it stays as it is."),
    ] = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="FIELD", help="Set no `concurrency`, say, any more. May be repeated."),
    ] = None,
) -> None:
    """Set what is given of a limit, and leave the rest; it applies at once, also to what waits."""
    from contracts.resources import LimitPatch  # noqa: PLC0415 - heavy, and only needed here

    options = {
        "concurrency": concurrency,
        "rate": rate,
        "rate_period_s": per_s,
        "queue_max": queue_max,
        "weight": weight,
        "paused": paused,
    }
    fields = {field: value for field, value in options.items() if value is not None} | dict.fromkeys(unset or ())
    patch = validate_model(LimitPatch, fields, "the limit")
    async with cli.jobstore() as jobstore:
        cli.out.show_limit(await jobstore.set_limit(name, patch))


@command(app, "remove")
async def remove(cli: Session, name: Name) -> None:
    """Remove a limit."""
    async with cli.jobstore() as jobstore:
        await jobstore.remove_limit(name)
    cli.out.print_json({"removed": name})
    cli.out.print_line(f"{name}: no limit")


@command(app, "pause")
async def pause(cli: Session, name: Name) -> None:
    """Pause all that a limit applies to: nothing of it begins; what is with an agent goes on."""
    async with cli.jobstore() as jobstore:
        cli.out.show_limit(await jobstore.pause(name))


@command(app, "resume")
async def resume(cli: Session, name: Name) -> None:
    """Resume what was paused, within the rest of its limit."""
    async with cli.jobstore() as jobstore:
        cli.out.show_limit(await jobstore.resume(name))


@command(app, "confirm")
async def confirm(cli: Session) -> None:
    """Confirm that what is set now is all there is, after a rebuild that did not find it: work begins again."""
    async with cli.jobstore() as jobstore:
        await jobstore.confirm_limits()
        limits = await list_all(jobstore.iter_limits())
    cli.out.print_json({"confirmed": [limit.name for limit in limits]})
    cli.out.print_line(f"confirmed: {len(limits)} limits are set, and what waits begins")
