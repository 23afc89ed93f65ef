"""The group `signoff executions`."""

from typing import Annotated

import typer

from cli.session import Session, command, make_app

app = make_app("Requests to run a job, each with what became of it.")


@app.callback()
def _group() -> None: ...  # without it, Typer makes its only command the group itself


@command(app, "get")
async def get(
    cli: Session, execution_id: Annotated[str, typer.Argument(metavar="ID", help="The id of an execution.")]
) -> None:
    """Show one execution: where it stands, or how it ended, whatever ran later."""
    async with cli.jobstore() as jobstore:
        await cli.show_execution(jobstore, await jobstore.get_execution(execution_id))
