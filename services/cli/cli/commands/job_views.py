"""Commands of `signoff jobs` that show all of one job."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.parameters.lookups import JobId, find_job, find_job_id
from cli.session import Session, command, make_app
from cli.views.waiting import list_agents_of
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import View

if TYPE_CHECKING:
    from signoff.types import JobLog

app = make_app("Show all of one job.")

Submission = Annotated[
    int | None, typer.Option("--submission", min=1, help="Show this one; the last with a result when not given.")
]
#: Entries of a log that are read at most.
_ENTRIES_MAX = 50_000


async def read_log(jobstore: AsyncClient, job_id: str) -> "list[JobLog]":
    """Return the log of a job, oldest first. Raise CommandError where it is too long to be shown."""
    logs, token = await jobstore.list_job_logs(job_id, page_size=500, view=View.FULL)
    while token:
        page, token = await jobstore.list_job_logs(job_id, page_size=500, page_token=token, view=View.FULL)
        logs += page
        if len(logs) > _ENTRIES_MAX:
            message = f"the log has more than {_ENTRIES_MAX} entries: read it by `signoff jobs logs {job_id}`"
            raise CommandError(message, code=ErrorCode.LOG_TOO_LONG)
    return logs


@command(app, "show")
async def show(
    cli: Session,
    job_id: JobId,
    submission: Submission = None,
    full: Annotated[bool, typer.Option("--full", help="Show the whole result.")] = False,
) -> None:
    """Show a job: the verdict criterion by criterion, the result, why it waits, and where the time went."""
    from cli.views import job_view  # noqa: PLC0415 - only needed here

    async with cli.jobstore() as jobstore:
        job = await find_job(jobstore, job_id)
        waiting = None if job.live is False else await jobstore.explain_job(job.id)
        logs = await read_log(jobstore, job.id)
        causes = [*(waiting.reasons if waiting else ()), *(wait for log in logs for wait in log.waited or ())]
        await cli.learn_agents(jobstore, [job.agent_id, *list_agents_of(causes)])
    job_view.show_job(cli.out, job, waiting, logs, submission, in_full=full)


@command(app, "diff")
async def diff(
    cli: Session,
    job_id: JobId,
    first: Annotated[int | None, typer.Argument(metavar="FROM", min=1, help="The number of a submission.")] = None,
    second: Annotated[int | None, typer.Argument(metavar="TO", min=1, help="The number of another one.")] = None,
) -> None:
    """Compare the results and verdicts of two submissions, the last two when none are given."""
    from cli.views import job_view  # noqa: PLC0415 - only needed here

    async with cli.jobstore() as jobstore:
        job_id = await find_job_id(jobstore, job_id)
        logs = await read_log(jobstore, job_id)
    with_results = sorted({log.submission for log in logs if log.kind == "result" and log.submission})
    if len(with_results) < 2 and second is None:  # noqa: PLR2004 - it takes two
        raise CommandError(f"{job_id} has results of fewer than two submissions", code=ErrorCode.NO_RESULT)
    to = second or with_results[-1]
    since = first or max((each for each in with_results if each < to), default=with_results[0])
    if not job_view.show_diff(cli.out, logs, since, to):
        known = ", ".join(map(str, with_results)) or "none"
        raise CommandError(f"submissions of {job_id} with a result: {known}", code=ErrorCode.NO_RESULT)


@command(app, "open")
async def open_(cli: Session, job_id: JobId) -> None:
    """Open the page of a job in a browser; print its address where there is none."""
    if cli.target.http is None:
        raise CommandError("no console is known: give --http or --endpoints", code=ErrorCode.NO_CONSOLE)
    async with cli.jobstore() as jobstore:
        job_id = (await find_job(jobstore, job_id)).id
    from urllib.parse import quote  # noqa: PLC0415 - only needed here

    address = f"{cli.target.http.rstrip('/')}/jobs/{quote(job_id, safe='')}"
    cli.out.print_json({"address": address})
    cli.out.print_line(address)
    if sys.stdout.isatty() and not cli.out.as_json and not cli.out.plain:
        typer.launch(address)
