"""The command `signoff explain`."""

from cli.session import Session, command, make_app
from cli.views.waiting import list_agents_of, show_waiting_sums

app = make_app()


@command(app, "explain")
async def explain(cli: Session) -> None:
    """Show why jobs wait: how many for what, whose move it is, and what lifts it."""
    async with cli.jobstore() as jobstore:
        waiting = (await jobstore.get_overview()).waiting
        await cli.learn_agents(jobstore, list_agents_of(waiting))
    show_waiting_sums(cli.out, waiting)
