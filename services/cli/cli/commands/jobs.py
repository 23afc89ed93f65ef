"""The groups `signoff jobs` and `signoff executions`."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands import job_views
from cli.errors import CommandError, ExitStatus, find_exit_status
from cli.options import (
    Options,
    find_given,
    option,
    parse_future_time,
    parse_pairs,
    parse_usd,
    read_json,
    read_json_file,
    validate_resource,
)
from cli.output import (
    Output,
    format_criterion,
    format_labels,
    format_last_code,
    format_percent,
    format_policy,
    format_spent,
    format_time,
    list_agents_of,
    name_cause,
    print_reasons,
    style_status,
    style_status_of,
    to_json,
)
from cli.parameters import (
    AgentId,
    Detail,
    JobId,
    OptionalJobId,
    PageSize,
    PageToken,
    complete_agents,
    find_agent_id,
    find_job,
    find_job_id,
    make_filter,
    policy_option,
    with_filter,
)
from cli.session import Session, command, make_app, with_options
from cli.terminal import cut
from signoff import UNCHANGED, AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.status import FACET_FIELDS, RESTING, JobLogStatus, JobOrder, JobStatus, View

if TYPE_CHECKING:
    from signoff.types import Execution, Job, JobLog

app = make_app("Create, execute and follow jobs.")
app.registered_commands += job_views.app.registered_commands

#: Characters of each line of a result at the end of a wait; `signoff jobs show` has all of them.
RESULT_LINE_MAX_CHARS = 400

Wait = Annotated[
    bool, typer.Option("--wait", help="Show its transitions until the job rests; succeed if it COMPLETED.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout-s", metavar="SECONDS", min=0, help="Wait no longer than this.")
]
ExecutionId = Annotated[
    str | None, typer.Option("--execution-id", metavar="UUID", help="Its id: asked for twice, it is one execution.")
]
Payload = Annotated[
    str | None, typer.Option("--payload", metavar="JSON", help="The input of the agent: JSON, @file or - (stdin).")
]
NotBefore = Annotated[
    str | None, typer.Option("--not-before", metavar="TIME", help="Begin no earlier: ISO 8601, or in 90s, 15m, 1h, 2d.")
]


with_job_options = with_options(
    options=Options(
        option("--title", str, "Its title, a line."),
        option("--description", str, "The task of the agent, in full."),
        option(
            "--criteria",
            list[str],
            "A criterion of the result, after `optional:`, `never:` or `check:` if it is one of these. "
            "May be repeated.",
            "acceptance_criteria",
            parse=lambda texts, _: "\n".join(texts),
        ),
        option("--payload", str, "The input of the agent: JSON, @file or - (stdin).", metavar="JSON", parse=read_json),
        option("--priority", int, "9 comes first; 5 when not given.", min=0, max=9),
        option("--label", list[str], "A label. May be repeated.", "labels", metavar="NAME=VALUE", parse=parse_pairs),
        option(
            "--capability",
            list[str],
            "A capability that the agent needs; without --agent, one is matched. May be repeated.",
            "capabilities",
        ),
        option(
            "--not-before",
            str,
            "Begin no earlier: ISO 8601, or in 90s, 15m, 1h, 2d.",
            metavar="TIME",
            parse=parse_future_time,
        ),
        policy_option,
        option(
            "--budget-usd",
            str,
            "The largest cost of all calls; as --policy budget_usd=USD.",
            metavar="USD",
            parse=parse_usd,
        ),
    )
)


@command(app, "create")
@with_job_options
async def create(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    options: dict[str, Any],
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="AGENT",
            help="The agent that executes it; without one it is PENDING.",
            autocompletion=complete_agents,
        ),
    ] = None,
    job_id: Annotated[str | None, typer.Option("--id", help="Its id; one is made when not given.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="The tenant that owns it; not given: that of the profile, or `default`.")
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The job as JSON, or - (standard input); options override it.")
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Execute it at once.")] = False,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Create a job."""
    if wait and not execute:
        raise typer.BadParameter("goes with --execute", param_hint="--wait")
    fields = cli.in_tenant(_add_file(file, options) | find_given(agent_id=agent, id=job_id, tenant=tenant))
    new = validate_resource("NewJob", fields | {"policy": fields.get("policy") or {}}, "--file" if file else "the job")
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
            await _show_job(cli, jobstore, job)


@command(app, "get")
async def get(cli: Session, jobstore: AsyncClient, job_id: JobId) -> None:
    """Show one job."""
    await _show_job(cli, jobstore, await find_job(jobstore, job_id))


@command(app, "explain")
async def explain(cli: Session, jobstore: AsyncClient, job_id: JobId) -> None:
    """Show why a job waits: what holds it back, whose move it is, and what lifts it."""
    waiting = await jobstore.explain_job(await find_job_id(jobstore, job_id))
    await cli.learn_agents(jobstore, list_agents_of(waiting.reasons))
    cli.out.print_json(waiting)
    if waiting.held:
        cli.out.print_line(f"it is held, and not removed until it is released: {waiting.held}")
    if not waiting.reasons:
        cli.out.print_line("it does not wait: whatever was requested has begun")
        return
    about = [f"it has waited since {format_time(waiting.since)}"] if waiting.since else ["it waits"]
    about += [f"its turn: {waiting.place}"] if waiting.place else []
    # The causes of waiting after that time are not known yet.
    about += [f"it begins no earlier than {format_time(waiting.starts_at)}"] if waiting.starts_at else []
    cli.out.print_line(", ".join(about))
    print_reasons(cli.out, waiting)


@command(app, "list")
@with_filter
async def list_(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    conditions: dict[str, Any],
    sort: Annotated[
        JobOrder, typer.Option("--order", help="The order; with `-`, the newest or the largest come first.")
    ] = JobOrder.CREATED_DESC,
    page_size: PageSize = 50,
    page_token: PageToken = "",
    view: Detail = View.BASIC,
) -> None:
    """List jobs, newest first unless sorted otherwise, each that waits with why."""
    job_filter = await make_filter(jobstore, cli.in_tenant(conditions))
    page = await jobstore.list_matching(job_filter, page_size=page_size, page_token=page_token, order=sort, view=view)
    reasons = [reason for job in page.jobs if job.waiting for reason in job.waiting.reasons]
    await cli.learn_agents(jobstore, [*(job.agent_id for job in page.jobs), *list_agents_of(reasons)])
    show_jobs(cli.out, page.jobs, page.next_page_token, page.searched)


@command(app, "count")
@with_filter
async def count(cli: Session, jobstore: AsyncClient, conditions: dict[str, Any]) -> None:
    """Count jobs by status, and those that were cancelled; a filter's statuses are ignored."""
    job_filter = await make_filter(jobstore, cli.in_tenant(conditions))
    found = await jobstore.count_jobs(job_filter)
    cli.out.print_json(found)
    counts = {**dict(sorted(found.counts.items())), "cancelled, whatever their status": found.cancelled}
    rows = [(format_count(count, found.capped_at), status) for status, count in counts.items() if count]
    cli.out.print_table(("jobs", "status"), rows)
    _show_searched(cli.out, found.searched)


@command(app, "facets")
@with_filter
async def facets(
    cli: Session,
    jobstore: AsyncClient,
    field: Annotated[
        str, typer.Argument(metavar="FIELD", help=f"One of: {', '.join(FACET_FIELDS)}; or label:NAME, for its values.")
    ],
    conditions: dict[str, Any],
    page_size: PageSize = 20,
    page_token: PageToken = "",
) -> None:
    """Count jobs by the values of a field, the most frequent first; a filter's condition on that field is ignored."""
    job_filter = await make_filter(jobstore, cli.in_tenant(conditions))
    found = await jobstore.list_job_facets(field, job_filter, page_size=page_size, page_token=page_token)
    cli.out.print_json(found)
    rows = [(format_count(one.count, found.capped_at), one.value, one.name or "") for one in found.facets]
    cli.out.print_table(("jobs", field, "name"), rows)
    _show_searched(cli.out, found.searched)
    cli.out.print_next_page_token(found.next_page_token)


@command(app, "logs")
async def logs(
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    page_size: PageSize = 100,
    page_token: PageToken = "",
    view: Detail = View.BASIC,
) -> None:
    """Show the log of a job, oldest first."""
    page = await jobstore.list_job_logs(
        await find_job_id(jobstore, job_id), page_size=page_size, page_token=page_token, view=view
    )
    await cli.learn_agents(jobstore)
    cli.out.print_page(*page)
    for log in page[0] if not cli.out.as_json else ():
        cli.out.show_log(log)
    cli.out.print_next_page_token(page[1])


@command(app, "execute")
async def execute(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    execution_id: ExecutionId = None,
    not_before: NotBefore = None,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Execute a job with its assigned agent."""
    begins = parse_future_time(not_before, "--not-before")
    before = await find_job(jobstore, job_id)
    await jobstore.execute_job(before.id, execution_id, not_before=begins)
    await _show(cli, jobstore, before.id, before.version, wait=wait, timeout_s=timeout_s)


@command(app, "resubmit")
async def resubmit(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    comment: Annotated[str | None, typer.Option(help="A comment for the agent, beside the verdict's feedback.")] = None,
    execution_id: ExecutionId = None,
    wait: Wait = False,
    timeout_s: Timeout = None,
) -> None:
    """Resubmit a job: the agent tries again, with the verdict's feedback."""
    before = await find_job(jobstore, job_id)
    await jobstore.resubmit_job(before.id, execution_id, comment=comment)
    await _show(cli, jobstore, before.id, before.version, wait=wait, timeout_s=timeout_s)


@command(app, "watch")
async def watch(cli: Session, jobstore: AsyncClient, job_id: JobId, timeout_s: Timeout = None) -> None:
    """Show the transitions of a job, past and new, until it rests; succeed if it COMPLETED."""
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
    reason: Annotated[str | None, typer.Option(help="The reason, for the log.")] = None,
) -> None:
    """Cancel the live execution of a job; or one execution by its id, even before it is requested."""
    if job_id is None and execution_id is None:
        raise typer.BadParameter("is missing; or give --execution-id", param_hint="JOB")
    async with cli.jobstore() as jobstore:
        if job_id is not None:
            job = await jobstore.cancel_job(await find_job_id(jobstore, job_id), reason, execution_id=execution_id)
            await _show_job(cli, jobstore, job)
            return
        execution = await jobstore.cancel_execution(execution_id or "", reason)
        await _show_execution(cli, jobstore, execution)
        if execution.job_id is None:
            cli.out.print_line("nobody has asked for it yet; when somebody does, it is cancelled")


@command(app, "assign")
async def assign(cli: Session, jobstore: AsyncClient, job_id: JobId, agent: AgentId, payload: Payload = None) -> None:
    """Assign an agent, and a new payload if one is given."""
    value = UNCHANGED if payload is None else read_json(payload, "--payload")
    job_id, agent = await find_job_id(jobstore, job_id), await find_agent_id(jobstore, agent)
    await _show_job(cli, jobstore, await jobstore.assign_agent(job_id, agent, value))


@command(app, "edit")
@with_job_options
async def edit(
    cli: Session,
    job_id: JobId,
    options: dict[str, Any],
    remove_label: Annotated[
        list[str] | None, typer.Option("--remove-label", metavar="NAME", help="Drop a label. May be repeated.")
    ] = None,
    file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A JSON merge patch, or - (standard input); options override it.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Change it only if this is its version.")] = None,
) -> None:
    """Change the given fields of a job, and nothing else; criteria and capabilities replace all that it had."""
    fields = _add_file(file, options)
    if remove_label:
        fields["labels"] = {**(fields.get("labels") or {}), **dict.fromkeys(remove_label)}
    if not fields:
        raise typer.BadParameter("give at least one option that changes the job", param_hint="JOB")
    async with cli.jobstore() as jobstore:
        job = await find_job(jobstore, job_id)
        saved = await jobstore.edit_job(job.id, validate_resource("JobPatch", fields, "the change"), version=version)
        cli.out.print_warnings(saved.warnings)
        await _show_job(cli, jobstore, saved)


def _add_file(file: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a job: those in `file`, replaced by those in `options`, in a policy field by field."""
    fields = read_json_file(file, "--file") if file else {}
    if not isinstance(fields, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--file")
    if "acceptance_criteria" in options:
        fields.pop("criteria", None)
    policy = options.pop("policy", {}) | find_given(budget_usd=options.pop("budget_usd", None))
    return fields | options | ({"policy": {**(fields.get("policy") or {}), **policy}} if policy else {})


async def _show(
    cli: Session, jobstore: AsyncClient, job_id: str, before: int, *, wait: bool, timeout_s: float | None
) -> None:
    job = await jobstore.get_job(job_id)
    if not wait:
        await _show_job(cli, jobstore, job)
    elif job.version == before and job.status in RESTING:  # that execution was requested before, and is over
        await _show_job(cli, jobstore, job)
        succeed_if_completed(job)
    else:
        await show_until_rest(cli, jobstore, job.id, after_version=before, timeout_s=timeout_s, only_end=True)


async def _show_job(cli: Session, jobstore: AsyncClient, job: "Job") -> None:
    """Print a job: as JSON with --json, else its fields, a line each, with the name of its agent."""
    out, last = cli.out, job.last_log
    await cli.learn_agents(jobstore, [job.agent_id])
    out.print_json(job)
    out.print_fields(
        ("id", job.id),
        ("title", job.title),
        ("status", style_status_of(job)),
        ("version", job.version),
        ("agent", out.name_agent(job.agent_id)),
        ("submission", job.submission),
        ("execution", job.execution_id),
        ("progress", format_percent(job.progress)),
        ("the agent says", job.progress_message),
        ("spent", format_spent(job.cost_usd, job.tokens, claimed=True)),
        ("code", format_last_code(job)),
        ("last", last and out.shorten(out.name_agents_in(last.message))),
        *(("criterion", format_criterion(criterion)) for criterion in job.criteria or ()),
        ("payload", out.shorten(to_json(job.payload))),
        ("labels", format_labels(job.labels)),
        ("policy", format_policy(job.policy)),
    )


async def _show_execution(cli: Session, jobstore: AsyncClient, execution: "Execution") -> None:
    """Print an execution: as JSON with --json, else its fields, a line each, with the name of its agent."""
    out, made = cli.out, execution
    await cli.learn_agents(jobstore, [made.agent_id])
    out.print_json(made)
    times = {
        "requested": made.created_at,
        "not before": made.not_before,
        "deadline": made.deadline_at,
        "ended": made.ended_at,
    }
    out.print_fields(
        ("id", made.id),
        ("state", style_status(made.state)),
        ("job", made.job_id),
        ("agent", out.name_agent(made.agent_id)),
        ("submission", made.submission),
        ("attempt", made.attempt or None),
        ("calls lost", f"{made.spent_calls} of {made.max_calls}" if made.max_calls else None),
        ("batch", made.batch_id),
        ("judge", made.judge),
        ("code", made.code),
        ("spent", format_spent(made.cost_usd, made.tokens, claimed=True)),
        ("settings", made.settings and json.dumps(made.settings, ensure_ascii=False)),
        *((name, at and format_time(at)) for name, at in times.items()),
    )


def show_jobs(out: Output, jobs: "Sequence[Job]", next_page_token: str, searched: int | None) -> None:
    """Print a page of jobs, and why each waits. If `searched` is set, only that many of the newest were searched."""
    columns = {
        "id": lambda job: job.id,
        "status": style_status_of,
        "code": format_last_code,
        "waits for": lambda job: _name_causes(out, job),
        "progress": lambda job: format_percent(job.progress),
        "agent": lambda job: out.name_agent(job.agent_id, with_id=False),
        "submission": lambda job: job.submission,
        "title": lambda job: job.title,
    }
    spared = ["submission", "progress", "agent", "short", "waits for", "code"]
    note = "" if searched is None else f"among the newest {searched}: older ones were not looked at"
    out.print_items(jobs, next_page_token, columns, note=note, spared=spared, searched=searched)


def _name_causes(out: Output, job: "Job") -> str:
    return ", ".join(name_cause(out, reason, with_id=False) for reason in job.waiting.reasons) if job.waiting else ""


def format_count(count: int, capped_at: int) -> str:
    """Return a count as text, with a plus if it has reached `capped_at`, since it may be higher."""
    return f"{count}{'+' * (count >= capped_at)}"


def _show_searched(out: Output, searched: int | None) -> None:
    if searched is not None:
        out.print_line(f"of the newest {searched} that match")


_FINAL_STATUSES = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


async def watch_transitions(jobstore: AsyncClient, job_id: str, *, after_version: int = 0) -> "AsyncGenerator[JobLog]":
    """Yield the log entries of a job after `after_version`, until the newest leaves the job at rest or cancelled."""
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
    """Print the transitions of a job until it is at rest. Raise CommandError if the job is not COMPLETED then.

    Raise CommandError after `timeout_s`, too. With `only_end`, print how the job ended, too; with --json nothing else.
    """
    try:
        with cli.look_again_by(f"signoff jobs watch {job_id}", job_id=job_id):
            async with asyncio.timeout(timeout_s):
                await cli.learn_agents(jobstore)
                logs = watch_transitions(jobstore, job_id, after_version=after_version)
                async with aclosing(logs):
                    async for log in logs:
                        if not (only_end and cli.out.as_json):
                            cli.out.show_log(log)
    except TimeoutError:
        job = await jobstore.get_job(job_id)
        message = f"{job_id} is still {job.status} after {timeout_s} s"
        raise CommandError(message, code=ErrorCode.TIMEOUT, status=ExitStatus.NOT_MET) from None
    job = await jobstore.get_job(job_id)
    if only_end:
        cli.out.print_json(job)
        _show_end(cli.out, job, after_version)
    succeed_if_completed(job)


def _show_end(out: Output, job: "Job", after_version: int) -> None:
    """Print how a job came to rest, its verdict and result since `after_version`, and the command that shows more."""
    if out.as_json:
        return
    verdict = job.verdict if (job.result_version or 0) > after_version else None
    out.print_line()
    out.print_fields(
        ("id", job.id),
        ("status", style_status_of(job)),
        ("verdict", verdict and verdict.reason),
        ("more", f"signoff jobs show {job.id}"),
    )
    if verdict is not None:
        job_views.show_result(out, [cut(line, RESULT_LINE_MAX_CHARS) for line in job_views.format_result(job.result)])


def succeed_if_completed(job: "Job") -> None:
    """Raise CommandError, at which the command exits with status 1, unless the job is COMPLETED."""
    if job.status is not JobStatus.COMPLETED:
        raise CommandError(f"{job.id} is {job.status}", code=ErrorCode.NOT_COMPLETED, status=ExitStatus.NOT_MET)


executions_app = make_app("Requests to run a job, each with what became of it.")


@executions_app.callback()
def _group() -> None: ...  # without it, Typer makes its only command the group itself


@command(executions_app, "get")
async def get_execution(
    cli: Session,
    jobstore: AsyncClient,
    execution_id: Annotated[str, typer.Argument(metavar="ID", help="The id of an execution.")],
) -> None:
    """Show one execution: its state, or how it ended."""
    await _show_execution(cli, jobstore, await jobstore.get_execution(execution_id))
