"""The command `signoff watch`."""

from contextlib import aclosing
from typing import Annotated

import typer

from cli.commands.jobs import Detail
from cli.session import Session, command, make_app
from signoff.status import View

app = make_app()


@command(app, "watch")
async def watch(
    cli: Session,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this cursor; 0 is the beginning.")] = None,
    view: Detail = View.BASIC,
) -> None:
    """Show everything that happens to all jobs, until interrupted."""
    async with cli.jobstore() as jobstore:
        await cli.learn_agents(jobstore)
        begin = await jobstore.get_latest_cursor() if after is None else after
        async with aclosing(jobstore.watch_jobs(after=begin, view=view)) as events:
            async for event in events:
                if event.log is not None:
                    cli.out.show_log(event.log, f"{event.log.job_id}  ")
