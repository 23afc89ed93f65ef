"""The group `signoff jobs`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import parse_future_time, parse_pairs, read_json, read_json_file, validate_model
from cli.session import Session, command, make_app
from cli.watching import show_until_rest, succeed_if_completed
from contracts.client import UNCHANGED, JobStoreClient
from contracts.status import RESTING, JobOrder, JobStatus

if TYPE_CHECKING:
    from contracts.resources import Job, JobFilter

app = make_app("Create, execute and follow jobs.")

JobId = Annotated[str, typer.Argument(metavar="JOB")]
Wait = Annotated[bool, typer.Option("--wait", help="Show what happens until the job rests; succeed if it COMPLETED.")]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Wait no longer.")]
ExecutionId = Annotated[str | None, typer.Option("--execution-id", help="A UUID; the same is one execution.")]
Payload = Annotated[str | None, typer.Option("--payload", metavar="JSON", help="JSON, @file, or - (standard input).")]
NotBefore = Annotated[
    str | None, typer.Option("--not-before", metavar="TIME", help="Begin no earlier: ISO 8601, or in 90s, 15m, 1h, 2d.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500)]
Cursor = Annotated[str, typer.Option("--cursor", help="Where the page before said to go on.")]


@command(app, "create")
async def create(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    title: Annotated[str | None, typer.Option()] = None,
    criteria: Annotated[
        list[str] | None,
        typer.Option(
            "--criteria", "--criterion", help="One criterion, perhaps after `optional:` or `never:`; repeatable."
        ),
    ] = None,
    payload: Payload = None,
    agent: Annotated[str | None, typer.Option(help="The agent's id; without one the job is PENDING.")] = None,
    job_id: Annotated[str | None, typer.Option("--id")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="9 first.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE")] = None,
    capability: Annotated[
        list[str] | None,
        typer.Option(help="That the agent must have; without --agent, one is matched. May be repeated."),
    ] = None,
    not_before: NotBefore = None,
    file: Annotated[str | None, typer.Option(help="The job as JSON, or -; options come before it.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Execute it at once.")] = False,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Create a job."""
    from contracts.resources import NewJob  # noqa: PLC0415 - heavy, and only needed here

    if wait and not execute:
        raise typer.BadParameter("goes with --execute", param_hint="--wait")
    options: dict[str, Any] = {
        "title": title,
        "acceptance_criteria": "\n".join(criteria) if criteria else None,
        "agent_id": agent,
        "id": job_id,
        "priority": priority,
        "labels": parse_pairs(label, "--label") if label else None,
        "capabilities": capability,
        "not_before": parse_future_time(not_before, "--not-before"),
    }
    fields = _require_object(read_json_file(file, "--file")) if file else {}
    if criteria:
        fields.pop("criteria", None)
    fields |= {name: value for name, value in options.items() if value is not None}
    if payload is not None:
        fields["payload"] = read_json(payload, "--payload")
    new = validate_model(NewJob, fields, "--file" if file else "the job")
    async with cli.jobstore() as jobstore:
        job = await jobstore.create_job(new)
        cli.out.print_warnings(job.warnings)
        if execute:
            executed = await jobstore.execute_job(job.id)
            await _show(cli, jobstore, executed, job.version, wait=wait, timeout_s=timeout_s)
        else:
            cli.out.show_job(job)


@command(app, "get")
async def get(cli: Session, job_id: JobId) -> None:
    """Show one job."""
    async with cli.jobstore() as jobstore:
        cli.out.show_job(await jobstore.get_job(job_id, with_last_log=True))


@command(app, "explain")
async def explain(cli: Session, job_id: JobId) -> None:
    """Show why a job waits: what holds it back, whose move it is, and what lifts it."""
    async with cli.jobstore() as jobstore:
        cli.out.show_waiting(await jobstore.explain_job(job_id))


@command(app, "list")
async def list_(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    status: Annotated[list[JobStatus] | None, typer.Option(case_sensitive=False)] = None,
    agent: Annotated[str | None, typer.Option()] = None,
    tenant: Annotated[str | None, typer.Option()] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE")] = None,
    batch: Annotated[str | None, typer.Option(help="Whose last execution is of this batch.")] = None,
    text: Annotated[str | None, typer.Option(help="That stands in the id or the title.")] = None,
    created_after: Annotated[str | None, typer.Option(metavar="TIME", help="Or then; of RFC 3339.")] = None,
    created_before: Annotated[str | None, typer.Option(metavar="TIME")] = None,
    sort: Annotated[JobOrder, typer.Option(help="With - the newest first.")] = JobOrder.CREATED_DESC,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> None:
    """List jobs, newest first unless sorted otherwise."""
    conditions = {
        "statuses": status,
        "agent_id": agent,
        "tenant": tenant,
        "labels": parse_pairs(label, "--label") if label else None,
        "batch_id": batch,
        "text": text,
        "created_after": created_after,
        "created_before": created_before,
    }
    job_filter = _make_filter({name: value for name, value in conditions.items() if value is not None})
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_matching(job_filter, limit=limit, page_token=cursor, order=sort, with_last_log=True)
    cli.out.show_jobs(page.jobs, page.next_page_token)


@command(app, "logs")
async def logs(cli: Session, job_id: JobId, limit: Limit = 100, cursor: Cursor = "") -> None:
    """Show what was recorded about a job, oldest first."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_job_logs(job_id, limit=limit, page_token=cursor)
    cli.out.show_logs(*page)


@command(app, "execute")
async def execute(
    cli: Session,
    job_id: JobId,
    execution_id: ExecutionId = None,
    not_before: NotBefore = None,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Execute a job with its assigned agent."""
    begins = parse_future_time(not_before, "--not-before")
    async with cli.jobstore() as jobstore:
        before = (await jobstore.get_job(job_id)).version
        job = await jobstore.execute_job(job_id, execution_id, not_before=begins)
        await _show(cli, jobstore, job, before, wait=wait, timeout_s=timeout_s)


@command(app, "resubmit")
async def resubmit(
    cli: Session,
    job_id: JobId,
    comment: Annotated[str | None, typer.Option(help="Told to the agent beside the verdict's feedback.")] = None,
    execution_id: ExecutionId = None,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Let the agent try again, with the verdict's feedback."""
    async with cli.jobstore() as jobstore:
        version = (await jobstore.get_job(job_id)).version
        job = await jobstore.resubmit_job(job_id, execution_id, comment=comment)
        await _show(cli, jobstore, job, version, wait=wait, timeout_s=timeout_s)


@command(app, "watch")
async def watch(cli: Session, job_id: JobId, timeout_s: Timeout = None) -> None:
    """Show what happened and happens to a job until it rests; succeed if it COMPLETED."""
    async with cli.jobstore() as jobstore:
        await jobstore.get_job(job_id)
        await show_until_rest(cli, jobstore, job_id, timeout_s=timeout_s)


@command(app, "cancel")
async def cancel(
    cli: Session,
    job_id: Annotated[str | None, typer.Argument(metavar="JOB", help="May be left out with --execution-id.")] = None,
    execution_id: Annotated[
        str | None, typer.Option("--execution-id", metavar="UUID", help="This one, and no other that is live since.")
    ] = None,
    reason: Annotated[str | None, typer.Option()] = None,
    requested_by: Annotated[
        str | None, typer.Option("--by", envvar="USER", help="Who asks, as the log tells it.")
    ] = None,
) -> None:
    """Cancel what is asked for or under way; or one execution, also one that nobody has asked for yet."""
    if job_id is None and execution_id is None:
        raise typer.BadParameter("is missing; or give --execution-id", param_hint="JOB")
    async with cli.jobstore() as jobstore:
        if job_id is not None:
            job: Job | None = await jobstore.cancel_job(
                job_id, reason, requested_by=requested_by, execution_id=execution_id
            )
        else:
            job = await jobstore.cancel_execution(execution_id or "", reason, requested_by=requested_by)
        if job is not None:
            cli.out.show_job(job)
        else:
            cli.out.print_json({"execution_id": execution_id, "job": None})
            cli.out.print_line("nobody has asked for it yet; when somebody does, it is cancelled")


@command(app, "assign")
async def assign(
    cli: Session, job_id: JobId, agent: Annotated[str, typer.Argument(metavar="AGENT")], payload: Payload = None
) -> None:
    """Assign an agent, and a new payload if one is given."""
    value = UNCHANGED if payload is None else read_json(payload, "--payload")
    async with cli.jobstore() as jobstore:
        cli.out.show_job(await jobstore.assign_agent(job_id, agent, value))


async def _show(
    cli: Session, jobstore: JobStoreClient, job: "Job", before: int, *, wait: bool, timeout_s: float | None
) -> None:
    if not wait:
        cli.out.show_job(job)
    elif job.version == before and job.status in RESTING:  # that execution was requested before, and is over
        cli.out.show_job(job)
        succeed_if_completed(cli, job)
    else:
        await show_until_rest(cli, jobstore, job.id, after_version=before, timeout_s=timeout_s)


def _make_filter(conditions: dict[str, Any]) -> "JobFilter | dict[str, Any]":
    """Return a filter, checked if anything in it may be wrong. Raise BadParameter with what is."""
    if not conditions.keys() & {"batch_id", "text", "created_after", "created_before"}:
        return conditions
    from contracts.resources import JobFilter  # noqa: PLC0415 - heavy, and only needed here

    return validate_model(JobFilter, conditions, "the filter")


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--file")
    return value
