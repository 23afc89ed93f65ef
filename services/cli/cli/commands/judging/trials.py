"""Commands of `signoff judge` that judge without a job, and the report of judging jobs again."""

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.commands.bulk import How, make_operation
from cli.commands.jobs import PageSize, PageToken
from cli.commands.judging.rejudge import Judging, read_judging, show_flips
from cli.errors import CommandError, ExitStatus
from cli.options import read_json, read_text, read_texts, validate_model
from cli.parameters.job_filter import make_filter, read_conditions
from cli.parameters.lookups import OperationId, complete_jobs, find_batch_id, find_job_id
from cli.session import Session, command, with_options
from cli.views.judging_view import show_judging, show_report
from signoff.errors import ErrorCode
from signoff.status import RESTING, OperationKind

if TYPE_CHECKING:
    from signoff import AsyncClient
    from signoff.judging import Judging as MadeJudging

#: What any judge can be asked.
SAMPLE: Final = {"result": {"answer": "Two and two are four."}, "acceptance_criteria": "Gives a number"}
#: The newest results that a draft of criteria is run over.
LAST: Final = 20

Policy = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="NAME[@VERSION]",
        help="By this judge policy, or by the one whose JSON is in @file; the validators' own settings if not given.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add these commands to a group."""
    for name, function in (("try", try_), ("test", probe), ("draft", draft), ("report", report)):
        command(app, name)(function)


async def try_(
    cli: Session,
    result: Annotated[
        str | None,
        typer.Argument(metavar="RESULT", help="The result as JSON, that in @file, or that on standard input (-)."),
    ] = None,
    criteria: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="By these, one a line; or by those in @file; those of the job if not given. May be repeated.",
        ),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(metavar="JOB", help="The last result of this job, instead.", autocompletion=complete_jobs),
    ] = None,
    policy: Policy = None,
    text: Annotated[bool, typer.Option("--text", help="The result is a text as it stands, and no JSON.")] = False,
) -> None:
    """Judge a result, and print the verdict; no job is made. Succeed if the result is accepted."""
    if (result is None) == (job is None):
        raise typer.BadParameter("give either a result or --job", param_hint="RESULT")
    if text and result is None:
        raise typer.BadParameter("goes with a result", param_hint="--text")
    if job is None and not criteria:
        raise typer.BadParameter("is needed with a result", param_hint="--criteria")
    async with cli.jobstore() as jobstore:
        case: dict[str, Any] = {} if job is None else await _read_job(jobstore, await find_job_id(jobstore, job))
        if result is not None:
            case["result"] = read_text(result, "RESULT").removesuffix("\n") if text else _read_result(result)
        if criteria:
            case["acceptance_criteria"] = read_texts(criteria, "--criteria")
        made = await _judge(jobstore, {"kind": "try", "cases": [case], **_read_policy(policy)})
    show_judging(cli.out, made)
    if made.verdict is None or not made.verdict.is_valid:
        raise typer.Exit(ExitStatus.NOT_MET)


async def probe(cli: Session, policy: Policy = None) -> None:
    """Have a judge judge something harmless, and print what it answered and what its API can."""
    async with cli.jobstore() as jobstore:
        made = await _judge(jobstore, {"kind": "test", "cases": [SAMPLE], **_read_policy(policy)})
    show_judging(cli.out, made)
    if made.probe is None:
        raise typer.Exit(ExitStatus.NOT_MET)


@with_options(conditions=read_conditions, judging=Judging, how=How)
async def draft(
    cli: Session,
    conditions: dict[str, Any],
    judging: Judging,
    how: How,
    last: Annotated[int, typer.Option(min=1, max=500, help="How many of the newest results.")] = LAST,
) -> None:
    """Judge the last results of jobs that match by a draft of criteria, and show what would flip; nothing changes.

    How many, and what it costs, is shown first.
    """
    if not judging.criteria and judging.criteria_set is None:
        raise typer.BadParameter("is needed: the draft", param_hint="--criteria")
    if not how.job_ids:
        chosen = {"statuses": sorted(RESTING), **conditions}
        async with cli.jobstore() as jobstore:
            page = await jobstore.list_matching(await make_filter(jobstore, chosen), page_size=last)
        if not page.jobs:
            raise CommandError("no job matches that has a result", code=ErrorCode.NOTHING_MATCHES)
        how, conditions = How([job.id for job in page.jobs], how.name, how.key, how.dry_run, how.yes, how.wait), {}
    parameters = read_judging(judging) | {"shadow": True}
    then = partial(show_flips, cli.out)
    await make_operation(cli, OperationKind.REJUDGE, conditions, how, then=then, **parameters)


async def report(cli: Session, operation_id: OperationId, page_size: PageSize = 50, page_token: PageToken = "") -> None:
    """Show what judging jobs again came to: what flips, by criterion, and job by job."""
    async with cli.jobstore() as jobstore:
        operation_id = await find_batch_id(jobstore, operation_id)
        show_report(
            cli.out, await jobstore.get_rejudge_report(operation_id, page_size=page_size, page_token=page_token)
        )


async def _judge(jobstore: "AsyncClient", fields: dict[str, Any]) -> "MadeJudging":
    """Have one case judged, and return what came of it."""
    from contracts.resources import NewJudgings  # noqa: PLC0415 - heavy, and only needed here

    new: NewJudgings = validate_model(NewJudgings, fields, "what is judged")
    group_id = await jobstore.create_judgings(new)
    async with aclosing(jobstore.watch_judgings(group_id)) as progress:
        async for _ in progress:
            pass
    ((made,), _) = await jobstore.get_judgings(group_id)
    return made


async def _read_job(jobstore: "AsyncClient", job_id: str) -> dict[str, Any]:
    """Return the case of a job: its last result, and what that is judged by."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - heavy, and only needed here

    job = await jobstore.get_job(job_id)
    logs, _ = await jobstore.list_job_logs(job_id, page_size=1, newest_first=True, kinds=["result"])
    if not logs:
        raise CommandError(f"{job_id} has no result", code=ErrorCode.NO_RESULT)
    return {
        "result": parse_json(await jobstore.get_result(job_id, logs[0].version)),
        "acceptance_criteria": job.acceptance_criteria,
        "title": job.title,
        "description": job.description,
        "references": job.references,
        "submission": logs[0].submission,
        "payload": job.payload,
    }


def _read_result(result: str) -> Any:
    try:
        return read_json(result, "RESULT")
    except typer.BadParameter as error:
        message = f"{error.message}; give a text as it stands with --text"
        raise typer.BadParameter(message, param_hint="RESULT") from error


def _read_policy(policy: str | None) -> dict[str, Any]:
    if policy is not None and policy.startswith("@"):
        return {"judge_policy": read_json(policy, "--judge")}
    return {"judge": policy}
