"""The group `signoff limits`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Options, option, parse_usd, validate_resource
from cli.output import Output, find_agent_of, format_usd
from cli.parameters import PageSize, PageToken
from cli.session import Session, command, make_app, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.connection import list_all

if TYPE_CHECKING:
    from signoff.types import Limit

app = make_app(
    "Limit agents, tenants and labels: agent:<id>, tenant:<name>, label:<key>=<value>; * for each other one."
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="agent:<id>, tenant:<name> or label:<key>=<value>; * for each, as far as its own limit does not set it.",
    ),
]


@command(app, "list")
async def list_(cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List limits by name."""
    limits, token = await jobstore.list_limits(page_size=page_size, page_token=page_token)
    await cli.learn_agents(jobstore, [find_agent_of(each.name) for each in limits])
    cli.out.print_page(limits, token)
    if limits:
        _print_limits(cli.out, limits)
    else:
        cli.out.print_line("nothing is limited: `signoff limits set` sets a limit")
    cli.out.print_next_page_token(token)


@command(app, "get")
async def get(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """Show one limit."""
    _show_limit(cli.out, await jobstore.get_limit(name))


@command(app, "set")
@with_options(
    fields=Options(
        option("--concurrency", int, "How many executions run at once."),
        option("--rate", int, "How many executions begin in each --rate-period-s."),
        option("--rate-period-s", float, "The period of --rate; 1 when not given.", metavar="SECONDS"),
        option("--queue-max", int, "Of a tenant: how many executions may wait."),
        option("--weight", float, "Of a tenant: its share beside other tenants, 1 when not given."),
        option(
            "--usd-per-day",
            str,
            "Of a tenant: what its agents claim and its judges cost in a day of UTC.",
            metavar="USD",
            parse=parse_usd,
        ),
        option(
            "--judge-policies",
            str,
            "Of a tenant: the judge policies that may be named, such as cheap,standard.",
            metavar="NAMES",
            parse=lambda names, _: names.split(","),
        ),
        option("--paused/--no-paused", bool, "Begin nothing that it applies to; not given, it stays as it is."),
    )
)
async def set_(
    cli: Session,
    jobstore: AsyncClient,
    name: Name,
    fields: dict[str, Any],
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset", metavar="FIELD", help="A field to unset, such as concurrency. May be repeated."),
    ] = None,
) -> None:
    """Set the given fields of a limit, and leave the rest; it applies at once, also to executions that wait."""
    patch = validate_resource("LimitPatch", fields | dict.fromkeys(unset or ()), "the limit")
    _show_limit(cli.out, await jobstore.set_limit(name, patch))


@command(app, "remove")
async def remove(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """Remove a limit."""
    await jobstore.remove_limit(name)
    cli.out.print({"removed": name}, f"{name}: no limit")


@command(app, "pause")
async def pause(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """Pause all that a limit applies to: nothing of it begins; what is with an agent goes on."""
    _show_limit(cli.out, await jobstore.pause(name))


@command(app, "resume")
async def resume(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """Resume all that a limit paused, within the rest of the limit."""
    _show_limit(cli.out, await jobstore.resume(name))


@command(app, "confirm")
async def confirm(cli: Session, jobstore: AsyncClient) -> None:
    """Confirm the limits as they are, after a rebuild that did not find all that was set: work begins again."""
    await jobstore.confirm_limits()
    limits = await list_all(jobstore.iter_limits())
    cli.out.print_json({"confirmed": [limit.name for limit in limits]})
    cli.out.print_line(f"confirmed: {len(limits)} limits are set, and what waits begins")


def _show_limit(out: Output, limit: "Limit") -> None:
    out.print_json(limit)
    _print_limits(out, [limit])


def _print_limits(out: Output, limits: "Sequence[Limit]") -> None:
    rows = [
        (
            out.name_limit(limit.name),
            limit.concurrency,
            None if limit.rate is None else f"{limit.rate} in {limit.rate_period_s:g} s",
            limit.queue_max,
            limit.weight,
            _describe_spending(limit),
            " ".join(limit.judge_policies or ()) or None,
            Styled("yes", "yellow") if limit.paused else "no",
        )
        for limit in limits
    ]
    out.print_table(["name", "at once", "rate", "may wait", "weight", "a day", "judge policies", "paused"], rows)


def _describe_spending(limit: "Limit") -> str | None:
    """Return what a tenant may spend in a day, and what it has spent: `20 USD, today agents 3.5 USD`."""
    allowed = [] if limit.usd_per_day is None else [format_usd(limit.usd_per_day)]
    spent = {"agents": limit.agents_usd, "judges": limit.judges_usd}
    today = [f"{name} {format_usd(usd)}" for name, usd in spent.items() if usd]
    return ", ".join([*allowed, *([f"today {' and '.join(today)}"] if today else [])]) or None
