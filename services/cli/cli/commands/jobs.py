"""The groups `signoff jobs` and `signoff executions`."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands import job_views
from cli.errors import CommandError, ExitStatus, find_exit_status
from cli.options import parse_future_time, parse_pairs, read_json, read_json_file, validate_model
from cli.output import Output, format_last_code, format_percent, style_status_of
from cli.parameters import (
    AgentId,
    BudgetUsd,
    JobId,
    OptionalJobId,
    PolicyFields,
    complete_agents,
    find_agent_id,
    find_job,
    find_job_id,
    make_filter,
    parse_policy,
    with_filter,
)
from cli.session import Session, command, make_app
from cli.terminal import Styled
from cli.waiting import list_agents_of, name_cause, show_waiting
from signoff import UNCHANGED, AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.status import FACET_FIELDS, RESTING, JobLogStatus, JobOrder, JobStatus, View

if TYPE_CHECKING:
    from signoff.types import Job, JobCounts, JobLog


app = make_app("Create, execute and follow jobs.")
app.registered_commands += job_views.app.registered_commands

Wait = Annotated[bool, typer.Option("--wait", help="Show what happens until the job rests; succeed if it COMPLETED.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout-s", metavar="SECONDS", min=0, help="Wait no longer than this.")
]
ExecutionId = Annotated[
    str | None, typer.Option("--execution-id", metavar="UUID", help="Its id: asked for twice, it is one execution.")
]
Payload = Annotated[
    str | None, typer.Option("--payload", metavar="JSON", help="What the agent is given: JSON, @file or - (stdin).")
]
NotBefore = Annotated[
    str | None, typer.Option("--not-before", metavar="TIME", help="Begin no earlier: ISO 8601, or in 90s, 15m, 1h, 2d.")
]
Title = Annotated[str | None, typer.Option(help="What it is, in a line.")]
Description = Annotated[str | None, typer.Option(help="What the agent is to do, in full.")]
Criteria = Annotated[
    list[str] | None,
    typer.Option(
        "--criteria",
        help="What the result must be or do, after `optional:`, `never:` or `check:` if it is that. May be repeated.",
    ),
]
Priority = Annotated[int | None, typer.Option(min=0, max=9, help="9 comes first; 5 when not given.")]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="A label. May be repeated.")]
Capabilities = Annotated[
    list[str] | None,
    typer.Option(
        "--capability", help="What the agent must be able to do; without --agent, one is matched. May be repeated."
    ),
]
PageSize = Annotated[int, typer.Option("--page-size", min=1, max=2**31 - 1, help="How many to show; 500 at most.")]
Detail = Annotated[
    View, typer.Option("--view", case_sensitive=False, help="How much --json shows: basic leaves out texts and bodies.")
]
PageToken = Annotated[
    str,
    typer.Option("--page-token", help="Go on where the page before ended: what it shows after `more:`."),
]


@command(app, "create")
async def create(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    title: Title = None,
    description: Description = None,
    criteria: Criteria = None,
    payload: Payload = None,
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="AGENT",
            help="The agent that executes it; without one it is PENDING.",
            autocompletion=complete_agents,
        ),
    ] = None,
    job_id: Annotated[str | None, typer.Option("--id", help="Its id; one is made when not given.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose job it is; `default` when not given.")] = None,
    priority: Priority = None,
    label: Labels = None,
    capability: Capabilities = None,
    not_before: NotBefore = None,
    policy: PolicyFields = None,
    budget_usd: BudgetUsd = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The job as JSON, or - (standard input); options override it.")
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Execute it at once.")] = False,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Create a job."""
    from contracts.resources import NewJob  # noqa: PLC0415 - heavy, and only needed here

    if wait and not execute:
        raise typer.BadParameter("goes with --execute", param_hint="--wait")
    given = {"agent_id": agent, "id": job_id, "tenant": tenant}
    fields = _read_fields(file, title, description, criteria, payload, priority, label, capability, not_before)
    fields |= {name: value for name, value in given.items() if value is not None}
    fields |= {"policy": {**(fields.get("policy") or {}), **parse_policy(policy, budget_usd)}}
    new = validate_model(NewJob, fields, "--file" if file else "the job")
    if execute and not (new.agent_id or new.capabilities):
        raise typer.BadParameter("needs --agent, or --capability to match one", param_hint="--execute")
    async with cli.jobstore() as jobstore:
        if agent is not None:
            new.agent_id = await find_agent_id(jobstore, agent)
        job = await jobstore.create_job(new)
        cli.out.print_warnings(job.warnings)
        if execute:
            try:
                await jobstore.execute_job(job.id)
            except SignoffError as error:
                message = f"the job {job.id} was created, and is not executed: {error.message}"
                raise CommandError(
                    message, code=error.code, status=find_exit_status(error.code, error.grpc_status.name)
                ) from None
            await _show(cli, jobstore, job.id, job.version, wait=wait, timeout_s=timeout_s)
        else:
            await cli.show_job(jobstore, job)


@command(app, "get")
async def get(cli: Session, job_id: JobId) -> None:
    """Show one job."""
    async with cli.jobstore() as jobstore:
        await cli.show_job(jobstore, await find_job(jobstore, job_id))


@command(app, "explain")
async def explain(cli: Session, job_id: JobId) -> None:
    """Show why a job waits: what holds it back, whose move it is, and what lifts it."""
    async with cli.jobstore() as jobstore:
        waiting = await jobstore.explain_job(await find_job_id(jobstore, job_id))
        await cli.learn_agents(jobstore, list_agents_of(waiting.reasons))
    show_waiting(cli.out, waiting)


@command(app, "list")
@with_filter
async def list_(
    cli: Session,
    conditions: dict[str, Any],
    sort: Annotated[
        JobOrder, typer.Option("--order", help="By what to sort; after `-`, the newest or the most come first.")
    ] = JobOrder.CREATED_DESC,
    page_size: PageSize = 50,
    page_token: PageToken = "",
    view: Detail = View.BASIC,
) -> None:
    """List jobs, newest first unless sorted otherwise, each that waits with why."""
    async with cli.jobstore() as jobstore:
        job_filter = await make_filter(jobstore, conditions)
        page = await jobstore.list_matching(
            job_filter, page_size=page_size, page_token=page_token, order=sort, view=view
        )
        await cli.learn_agents(jobstore, list_agents_in(page.jobs))
    show_jobs(cli.out, page.jobs, page.next_page_token, page.searched)


@command(app, "count")
@with_filter
async def count(cli: Session, conditions: dict[str, Any]) -> None:
    """Count jobs by status, and those that were cancelled; what a filter says of the status is ignored."""
    async with cli.jobstore() as jobstore:
        job_filter = await make_filter(jobstore, conditions)
        found = await jobstore.count_jobs(job_filter)
    cli.out.print_json(found)
    show_counts(cli.out, found)


@command(app, "facets")
@with_filter
async def facets(
    cli: Session,
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help=f"One of: {', '.join(FACET_FIELDS)}; or label:NAME, for its values.")
    ],
    conditions: dict[str, Any],
    page_size: PageSize = 20,
    page_token: PageToken = "",
) -> None:
    """Count jobs by the values of a field, the most frequent first; what a filter says of that field is ignored."""
    async with cli.jobstore() as jobstore:
        job_filter = await make_filter(jobstore, conditions)
        found = await jobstore.list_job_facets(field, job_filter, page_size=page_size, page_token=page_token)
    cli.out.print_json(found)
    rows = [(format_count(one.count, found.capped_at), one.value, one.name or "") for one in found.facets]
    cli.out.print_table(("jobs", field, "name"), rows)
    if found.searched is not None:
        cli.out.print_line(f"of the newest {found.searched} that match")
    cli.out.print_next_page_token(found.next_page_token)


@command(app, "logs")
async def logs(
    cli: Session, job_id: JobId, page_size: PageSize = 100, page_token: PageToken = "", view: Detail = View.BASIC
) -> None:
    """Show what was recorded about a job, oldest first."""
    async with cli.jobstore() as jobstore:
        page = await jobstore.list_job_logs(
            await find_job_id(jobstore, job_id), page_size=page_size, page_token=page_token, view=view
        )
        await cli.learn_agents(jobstore)
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
        before = await find_job(jobstore, job_id)
        await jobstore.execute_job(before.id, execution_id, not_before=begins)
        await _show(cli, jobstore, before.id, before.version, wait=wait, timeout_s=timeout_s)


@command(app, "resubmit")
async def resubmit(
    cli: Session,
    job_id: JobId,
    comment: Annotated[str | None, typer.Option(help="Told to the agent beside the verdict's feedback.")] = None,
    execution_id: ExecutionId = None,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Resubmit a job: the agent tries again, with the verdict's feedback."""
    async with cli.jobstore() as jobstore:
        before = await find_job(jobstore, job_id)
        await jobstore.resubmit_job(before.id, execution_id, comment=comment)
        await _show(cli, jobstore, before.id, before.version, wait=wait, timeout_s=timeout_s)


@command(app, "watch")
async def watch(cli: Session, job_id: JobId, timeout_s: Timeout = None) -> None:
    """Show what happened and happens to a job until it rests; succeed if it COMPLETED."""
    async with cli.jobstore() as jobstore:
        job = await find_job(jobstore, job_id)
        await show_until_rest(cli, jobstore, job.id, timeout_s=timeout_s)


@command(app, "cancel")
async def cancel(
    cli: Session,
    job_id: OptionalJobId = None,
    execution_id: Annotated[
        str | None,
        typer.Option("--execution-id", metavar="UUID", help="Cancel this execution, and none that began later."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, as the log tells it.")] = None,
) -> None:
    """Cancel what waits or runs of a job; or one execution by its id, even before anybody has asked for it."""
    if job_id is None and execution_id is None:
        raise typer.BadParameter("is missing; or give --execution-id", param_hint="JOB")
    async with cli.jobstore() as jobstore:
        if job_id is not None:
            job = await jobstore.cancel_job(await find_job_id(jobstore, job_id), reason, execution_id=execution_id)
            await cli.show_job(jobstore, job)
            return
        execution = await jobstore.cancel_execution(execution_id or "", reason)
        await cli.show_execution(jobstore, execution)
        if execution.job_id is None:
            cli.out.print_line("nobody has asked for it yet; when somebody does, it is cancelled")


@command(app, "assign")
async def assign(cli: Session, job_id: JobId, agent: AgentId, payload: Payload = None) -> None:
    """Assign an agent, and a new payload if one is given."""
    value = UNCHANGED if payload is None else read_json(payload, "--payload")
    async with cli.jobstore() as jobstore:
        job_id, agent = await find_job_id(jobstore, job_id), await find_agent_id(jobstore, agent)
        await cli.show_job(jobstore, await jobstore.assign_agent(job_id, agent, value))


@command(app, "edit")
async def edit(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    job_id: JobId,
    title: Title = None,
    description: Description = None,
    criteria: Criteria = None,
    payload: Payload = None,
    priority: Priority = None,
    label: Labels = None,
    remove_label: Annotated[
        list[str] | None, typer.Option("--remove-label", metavar="NAME", help="Drop a label. May be repeated.")
    ] = None,
    capability: Capabilities = None,
    not_before: NotBefore = None,
    policy: PolicyFields = None,
    budget_usd: BudgetUsd = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A JSON merge patch, or - (standard input); options override it.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Change it only if this is its version.")] = None,
) -> None:
    """Change what is given of a job, and nothing else; criteria and capabilities replace all that it had."""
    from contracts.resources import JobPatch  # noqa: PLC0415 - heavy, and only needed here

    fields = _read_fields(file, title, description, criteria, payload, priority, label, capability, not_before)
    if remove_label:
        fields["labels"] = {**(fields.get("labels") or {}), **dict.fromkeys(remove_label)}
    policy_fields = parse_policy(policy, budget_usd)
    if not (fields or policy_fields):
        raise typer.BadParameter("give at least one option that changes the job", param_hint="JOB")
    async with cli.jobstore() as jobstore:
        job = await find_job(jobstore, job_id)
        if policy_fields:
            fields["policy"] = {**(fields.get("policy") or {}), **policy_fields}
        saved = await jobstore.edit_job(job.id, validate_model(JobPatch, fields, "the change"), version=version)
        cli.out.print_warnings(saved.warnings)
        await cli.show_job(jobstore, saved)


def _read_fields(  # noqa: PLR0913, PLR0917 - each is an option
    file: str | None,
    title: str | None,
    description: str | None,
    criteria: list[str] | None,
    payload: str | None,
    priority: int | None,
    label: list[str] | None,
    capability: list[str] | None,
    not_before: str | None,
) -> dict[str, Any]:
    """Return the fields of a job that a file gives, and over them those that options give."""
    fields = _require_object(read_json_file(file, "--file")) if file else {}
    if criteria:
        fields.pop("criteria", None)
    options = {
        "title": title,
        "description": description,
        "acceptance_criteria": "\n".join(criteria) if criteria else None,
        "priority": priority,
        "labels": parse_pairs(label, "--label") if label else None,
        "capabilities": capability,
        "not_before": parse_future_time(not_before, "--not-before"),
    }
    fields |= {name: value for name, value in options.items() if value is not None}
    return fields if payload is None else fields | {"payload": read_json(payload, "--payload")}


async def _show(
    cli: Session, jobstore: AsyncClient, job_id: str, before: int, *, wait: bool, timeout_s: float | None
) -> None:
    job = await jobstore.get_job(job_id)
    if not wait:
        await cli.show_job(jobstore, job)
    elif job.version == before and job.status in RESTING:  # that execution was requested before, and is over
        await cli.show_job(jobstore, job)
        succeed_if_completed(job)
    else:
        await show_until_rest(cli, jobstore, job.id, after_version=before, timeout_s=timeout_s, only_end=True)


def _require_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--file")
    return value


def list_agents_in(jobs: "Sequence[Job]") -> Iterator[str | None]:
    """Yield the ids of the agents that a list names."""
    for job in jobs:
        yield job.agent_id
        if job.waiting:
            yield from list_agents_of(job.waiting.reasons)


def show_jobs(out: Output, jobs: "Sequence[Job]", next_page_token: str, searched: int | None) -> None:
    """Show a page of jobs, each that waits with why, and whether only the newest were `searched` for them."""
    out.print_page(jobs, next_page_token, **({} if searched is None else {"searched": searched}))
    rows = [
        (
            job.id,
            style_status_of(job),
            format_last_code(job),
            _name_causes(out, job),
            format_percent(job.progress),
            out.name_agent(job.agent_id, with_id=False),
            job.submission,
            job.title,
        )
        for job in jobs
    ]
    columns = ["id", "status", "code", "waits for", "progress", "agent", "submission", "title"]
    out.print_list(columns, rows, spared=["submission", "progress", "agent", "short", "waits for", "code"])
    if searched is not None:
        out.print_line(f"among the newest {searched}: older ones were not looked at")
    out.print_next_page_token(next_page_token)


def _name_causes(out: Output, job: "Job") -> str:
    return ", ".join(name_cause(out, reason, with_id=False) for reason in job.waiting.reasons) if job.waiting else ""


def format_count(count: int, capped_at: int) -> str:
    """Return a count, with a plus where it may be more."""
    return f"{count}{'+' * (count >= capped_at)}"


def show_counts(out: Output, found: "JobCounts") -> None:
    """Show how many jobs there are by status, and how many were cancelled."""
    rows = [(format_count(count, found.capped_at), status) for status, count in sorted(found.counts.items()) if count]
    rows += [(format_count(found.cancelled, found.capped_at), "cancelled, whatever their status")] * bool(
        found.cancelled
    )
    out.print_table(("jobs", "status"), rows)
    if found.searched is not None:
        out.print_line(f"of the newest {found.searched} that match")


_FINAL_STATUSES = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


async def watch_transitions(jobstore: AsyncClient, job_id: str, *, after_version: int = 0) -> "AsyncGenerator[JobLog]":
    """Yield the transitions of a job after a version, until it rests or is cancelled."""
    async with aclosing(jobstore.watch_jobs([job_id], 0)) as events:
        async for event in events:
            if event.log is None or event.log.version <= after_version:
                continue
            yield event.log
            if event.log.status in _FINAL_STATUSES and (await jobstore.get_job(job_id)).version == event.log.version:
                return


async def show_until_rest(
    cli: Session,
    jobstore: AsyncClient,
    job_id: str,
    *,
    after_version: int = 0,
    timeout_s: float | None = None,
    only_end: bool = False,
) -> None:
    """Show the transitions of a job until it rests; the command succeeds only if the job is COMPLETED then.

    `only_end`: as JSON nothing but the job is printed, as it ended.
    """
    try:
        with told_that_it_goes_on(cli, {"job_id": job_id}, f"signoff jobs watch {job_id}"):
            async with asyncio.timeout(timeout_s):
                await cli.learn_agents(jobstore)
                logs = watch_transitions(jobstore, job_id, after_version=after_version)
                async with aclosing(logs):
                    async for log in logs:
                        if not (only_end and cli.out.as_json):
                            cli.out.show_log(log)
    except TimeoutError:
        job = await jobstore.get_job(job_id)
        raise CommandError(
            f"{job_id} is still {job.status} after {timeout_s} s", code=ErrorCode.TIMEOUT, status=ExitStatus.NOT_MET
        ) from None
    job = await jobstore.get_job(job_id)
    if only_end:
        cli.out.print_json(job)
    succeed_if_completed(job)


@contextmanager
def told_that_it_goes_on(cli: Session, named: dict[str, str], again: str) -> Iterator[None]:
    """Say, where looking is interrupted, that what is looked at goes on, and by what command to look again."""
    try:
        yield
    except asyncio.CancelledError:
        (name,) = named.values()
        cli.out.end_progress()
        cli.out.print_aside(
            {**named, "goes_on": True, "look_again": again}, Styled(f"{name} goes on: look again by `{again}`")
        )
        raise


def succeed_if_completed(job: "Job") -> None:
    """End the command with status 1 unless the job is COMPLETED."""
    if job.status is not JobStatus.COMPLETED:
        message = f"{job.id} is {job.status}"
        raise CommandError(message, code=ErrorCode.NOT_COMPLETED, status=ExitStatus.NOT_MET)


executions_app = make_app("Requests to run a job, each with what became of it.")


@executions_app.callback()
def _group() -> None: ...  # without it, Typer makes its only command the group itself


@command(executions_app, "get")
async def get_execution(
    cli: Session, execution_id: Annotated[str, typer.Argument(metavar="ID", help="The id of an execution.")]
) -> None:
    """Show one execution: where it stands, or how it ended, whatever ran later."""
    async with cli.jobstore() as jobstore:
        await cli.show_execution(jobstore, await jobstore.get_execution(execution_id))
