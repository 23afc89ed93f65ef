"""The command `signoff rebuild`."""

from contextlib import aclosing
from typing import Annotated, Any

import typer

from cli import jobstore_process
from cli.fact_key_settings import describe_left, describe_unread, require_fact_keys
from cli.session import Session, command, make_app

app = make_app()

_LOST = (
    "limits, pauses, judge policies, criteria sets and operations were not found whole: nothing begins until "
    "they are set again, and confirmed: signoff limits confirm"
)


@command(app, "rebuild")
async def rebuild(
    cli: Session,
    database_url: Annotated[str, typer.Option(metavar="URL", help="An empty database: postgresql://...")],
    create: Annotated[bool, typer.Option("--create", help="Create the database first, unless it exists.")] = False,
    accept_gaps: Annotated[
        bool,
        typer.Option(
            "--accept-gaps", help="Where a version of a job is missing, or a stub, leave out what follows it."
        ),
    ] = False,
) -> None:
    """Fill an empty database from the facts in Kafka: job-changed, and what is told of all else.

    Jobs, their logs, agents, the answers given to execution ids, limits, judge policies, criteria sets and operations
    are as they were. What was live is queued again;
    but where an agent must not be called twice, its job is FAILED with the code `rebuilt`. A jobstore started on the
    database goes on from there; the one that told the facts must not run any more then.
    """
    settings = {
        "KAFKA": cli.require_kafka(),
        "DATABASE_URL": database_url,
        "CREATE_DATABASE": str(create),
        "ACCEPT_GAPS": str(accept_gaps),
        "FACT_KEYS": str(require_fact_keys(cli.target)),
    }
    async with aclosing(jobstore_process.run("rebuild", settings)) as lines:
        async for line in lines:
            if "error" not in line:
                cli.out.print_json(line)
                cli.out.print_line(_describe(line))
                if line.get("are_limits_lost"):
                    cli.out.print_line(_LOST)
                for told in (*describe_left(line.get("left") or {}), *describe_unread(line.get("unread"))):
                    cli.out.print_line(told)


def _describe(line: dict[str, Any]) -> str:
    if "counts" not in line:
        return f"{line['records']} records read"
    counts = ", ".join(f"{count} {table}" for table, count in line["counts"].items())
    more = {
        "queued": "live executions are queued again",
        "failed": "jobs FAILED: their agents must not be called twice",
        "gaps": "jobs or agents lack facts",
        "unreadable": "records were no facts",
    }
    told = [f"rebuilt: {counts}", *(f"{line[name]} {word}" for name, word in more.items() if line.get(name))]
    return "; ".join([*told, *([f"set aside: {', '.join(line['aside'])}"] if line.get("aside") else [])])
