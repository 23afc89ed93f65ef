"""The command `signoff explain`."""

from cli.session import Session, command, make_app

app = make_app()


@command(app, "explain")
async def explain(cli: Session) -> None:
    """Show why jobs wait: how many for what, whose move it is, and what lifts it."""
    async with cli.jobstore() as jobstore:
        cli.out.show_waiting_sums((await jobstore.get_overview()).waiting)
