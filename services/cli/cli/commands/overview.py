"""The command `signoff overview`."""

from typing import Annotated

import typer

from cli.options import parse_seconds
from cli.session import Session, command, make_app
from cli.views.waiting import list_agents_of
from signoff.connection import list_all

app = make_app()


@command(app, "overview")
async def overview(
    cli: Session,
    range_: Annotated[
        str, typer.Option("--range", metavar="LENGTH", help="How far back to look: 90s, 15m, 1h, 2d, at most 30d.")
    ] = "1h",
) -> None:
    """Show how the system is doing: what waits and runs now, what ended recently, and how each agent does."""
    from cli.views.overview_view import show_overview  # noqa: PLC0415 - only needed here

    range_s = parse_seconds(range_, "--range")
    async with cli.jobstore() as jobstore:
        found, agents = await jobstore.get_overview(range_s), await list_all(jobstore.iter_agent_stats())
        await cli.learn_agents(jobstore, [*(agent.agent_id for agent in agents), *list_agents_of(found.waiting)])
    show_overview(cli.out, range_, found, agents)
