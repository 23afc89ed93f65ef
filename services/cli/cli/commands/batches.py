"""signoff batches ..."""

import asyncio
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from cli.command import Session, command
from cli.inputs import json_file
from contracts.client import Batch, JobStoreClient
from contracts.resources import NewJob

app = typer.Typer(no_args_is_help=True, help="Execute many jobs at once.")

POLL_S = 0.5


@command(app, "create")
async def create(
    cli: Session,
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Jobs that exist.")] = None,
    file: Annotated[str | None, typer.Option(help="New jobs as a JSON array, or -.")] = None,
    key: Annotated[str | None, typer.Option("--idempotency-key", help="The same key is the same batch.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until all jobs rest; succeed if all COMPLETED.")] = False,
) -> None:
    """Execute jobs; succeed if all were accepted."""
    if bool(job_ids) == bool(file):
        raise typer.BadParameter("give either jobs or --file", param_hint="JOB")
    jobs = _new_jobs(json_file(file, "--file")) if file else []
    async with cli.jobstore() as jobstore:
        batch = await jobstore.execute_jobs(job_ids or [], jobs, idempotency_key=key)
        if wait:
            batch = await _done(jobstore, batch)
    cli.out.batch(batch)
    is_good = batch.counts.get("COMPLETED") == batch.total if wait else all(item.accepted for item in batch.items)
    if not is_good:
        raise typer.Exit(1)


@command(app, "get")
async def get(cli: Session, batch_id: Annotated[str, typer.Argument(metavar="BATCH")]) -> None:
    """Show how a batch stands."""
    async with cli.jobstore() as jobstore:
        cli.out.batch(await jobstore.get_batch(batch_id))


async def _done(jobstore: JobStoreClient, batch: Batch) -> Batch:
    while batch.state != "DONE":
        await asyncio.sleep(POLL_S)
        batch = await jobstore.get_batch(batch.id)
    return batch


def _new_jobs(value: Any) -> list[NewJob]:
    try:
        return TypeAdapter(list[NewJob]).validate_python(value)
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--file") from error
