"""The command `signoff verify`."""

from contextlib import aclosing
from typing import Annotated, Any

import typer

from cli import jobstore_process
from cli.errors import CommandError, ExitStatus
from cli.fact_key_settings import HOW_TO_GIVE, describe_left, describe_unread, find_fact_keys
from cli.session import Session, command, make_app
from signoff.errors import ErrorCode

app = make_app()


@command(app, "verify")
async def verify(
    cli: Session,
    database_url: Annotated[str, typer.Option(metavar="URL", help="The rebuilt database.")],
    live: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The live database; `postgres` of the endpoints file when not given."),
    ] = None,
) -> None:
    """Compare a rebuilt database with the live one, row by row; succeed if they are the same.

    All differences are told, of each table up to 100 rows, by job, version and column. A rebuilt database that only
    ends before the live one is told to be older, and what the live one has recorded since is no other difference.

    Compared are agents, jobs, job_logs, executions and facts, each row in all its columns. Of executions that are
    live, state, owner, due_at, fails_at, offers, seq and lease are left out: they move without a fact. Executions
    that the rebuild ended are counted, and are no difference. The live system must be quiet, or the rebuilt database
    is older than it.

    With a key (SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS or the endpoints file) and a Kafka, the facts are read, too, and
    those are counted that nobody vouches for: a rebuild leaves them out.
    """
    live_url = live or cli.target.postgres
    if live_url is None:
        raise CommandError("no live database is known: give --live, or --endpoints", code=ErrorCode.NO_DATABASE)
    settings = {"REBUILT_URL": database_url, "LIVE_URL": live_url}
    if (keys := find_fact_keys(cli.target)) is not None and cli.target.kafka is not None:
        settings |= {"FACT_KEYS": str(keys), "KAFKA": cli.require_kafka()}
    async with aclosing(jobstore_process.run("verify", settings)) as lines:
        result = [line async for line in lines if "error" not in line]
    if not result:
        return
    cli.out.print_json(result[-1])
    _show_result(cli, result[-1])
    if not result[-1]["ok"]:
        raise typer.Exit(ExitStatus.NOT_MET)


def _show_result(cli: Session, result: dict[str, Any]) -> None:
    if result["ok"]:
        cli.out.print_line("ok: " + ", ".join(f"{count} {table}" for table, count in result["counts"].items()))
    _show_differences(cli, result)
    if result["ended"]:
        cli.out.print_line(
            f"{result['ended']} live executions were ended by the rebuild: their agents are called at most once"
        )
    if result["stubs"]:
        names = ", ".join(result["stubs"])
        cli.out.print_line(f"not in the topics whole, so that no rebuild has them: {names} (raise max.message.bytes)")
    if result["behind"]:
        cli.out.print_line(f"the live relay is behind: {result['behind']} facts are not published yet")
    if result["left"] is None:
        cli.out.print_line(f"the signatures of facts were not checked: {HOW_TO_GIVE}, and --kafka")
    for told in (*describe_left(result["left"] or {}), *describe_unread(result["unread"])):
        cli.out.print_line(told)


def _show_differences(cli: Session, result: dict[str, Any]) -> None:
    if (older := result["older"]) is not None:
        cli.out.print_line(f"the rebuilt database is older: {older['jobs']} jobs were created or have gone on since")
        for job_id, version in older["ends_at"].items():
            ends = f"ends at version {version}" if version else "is not there yet"
            cli.out.print_line(f"  job {job_id} {ends}")
        cli.out.print_line("  rebuild once more while the live system is quiet, or compare with what is quiet")
    for difference in result["differences"]:
        cli.out.print_line(_name(difference))
        cli.out.print_line(f"  rebuilt  {difference['rebuilt']}")
        cli.out.print_line(f"  live     {difference['live']}")
    if not result["complete"]:
        cli.out.print_line("more rows differ than are told here")


def _name(difference: dict[str, Any]) -> str:
    """Name what differs by what people know it by."""
    table, key, job_id, version = (difference[name] for name in ("table", "key", "job_id", "version"))
    where = f"{table} {key}" if job_id is None else f"job {job_id or '(unknown)'}"
    where += f", version {version}" if version is not None else ""
    where += f", execution {key}" if table == "executions" else ""
    of_row = "the row" if difference["column"] is None else f"column {difference['column']}"
    return f"{where}: {of_row}" + (f" of {table}" if job_id is not None else "")
