"""The group `signoff dlq`."""

from typing import Annotated

import typer

from cli.session import Session, command, make_app

app = make_app("Dead letters: what could not be processed, as it was, and why.")


@app.callback()
def callback() -> None:
    """Keep this a group: Typer would make one of a single command."""


@command(app, "list")
async def list_(cli: Session, limit: Annotated[int, typer.Option("--limit", min=1, max=500)] = 50) -> None:
    """Count them by topic, and show the newest."""
    async with cli.jobstore() as jobstore:
        cli.out.show_dead_letters(await jobstore.list_dead_letters(limit=limit))
