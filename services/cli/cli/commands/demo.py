"""The command `signoff demo`, and its ten jobs."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Container
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.demo_agents import find_stand_in, make_agents, serve_agents
from cli.commands.replay import open_publisher
from cli.commands.up import show_message
from cli.errors import CommandError, ExitStatus
from cli.output import style_status
from cli.session import (
    DATA_DIR,
    Session,
    Target,
    command,
    connect,
    make_app,
    make_kafka_access,
    make_login_link,
    read_endpoints,
    succeed_if,
)
from contracts.events import ExecuteRequested
from contracts.resources import NewAgent, NewJob, Policy
from contracts.signing import KeyUse, Secrets
from signoff import AsyncClient, SignoffError
from signoff.errors import ErrorCode
from signoff.status import JobLogStatus, JobStatus, View
from signoff.types import Job, JobLog
from signoff.values import new_execution_id


@dataclass(frozen=True)
class DemoJob:
    """A job of the demo: the feature that it shows, and the status at which it must end."""

    name: str
    shows: str
    job: NewJob
    ends: JobStatus = JobStatus.COMPLETED
    is_event: bool = False


def make_demo_jobs(run: str) -> list[DemoJob]:
    """Return the jobs of one run of the demo; the ids of the jobs contain `run`, the name of the run."""

    def make(
        name: str,
        shows: str,
        title: str,
        criteria: str,
        ends: JobStatus = JobStatus.COMPLETED,
        *,
        is_event: bool = False,
        **fields: object,
    ) -> DemoJob:
        common = {"id": f"demo-{run}-{name}", "title": title, "acceptance_criteria": criteria, "agent_id": "writer"}
        job = NewJob.model_validate(common | {"labels": {"demo": run}} | fields)
        return DemoJob(name, shows, job, ends, is_event)

    return [
        make("haiku", "met at once", "A haiku about autumn", 'It mentions "autumn"\nIt mentions the "moon"'),
        make(
            "notes",
            "met at once; an optional criterion decides nothing",
            "Release notes for version 2",
            'It says what is "new"\noptional: it mentions "unicorns"',
            payload={"text": "What is new: batches.", "omit": ["unicorns"]},
        ),
        make(
            "draft",
            "not met at first; resubmitted with feedback",
            "A thank-you letter",
            'It mentions the "harvest"',
            agent_id="drafter",
            policy=Policy(max_submissions=3),
        ),
        make(
            "cottage",
            "an asynchronous agent, which tells its progress",
            "A plan of a cottage",
            'It has a "chimney"',
            agent_id="builder",
        ),
        make(
            "unicorn",
            "a criterion that is never met",
            "A story of a lake",
            'It mentions a "unicorn"',
            JobStatus.REJECTED,
            payload={"omit": ["unicorn"]},
            policy=Policy(max_submissions=1),
        ),
        make(
            "broken",
            "the agent answers 400",
            "A job for a broken agent",
            "It is an answer",
            JobStatus.FAILED,
            payload={"agent": {"status": 400}},
        ),
        make(
            "model",
            "a model behind OpenAI's API, asked by an executor",
            "A note on the harvest",
            'It mentions the "pears"',
            agent_id="model",
        ),
        make(
            "function",
            "a function of ten lines, served by signoff-agent",
            "A poem",
            'It mentions the "sea"',
            agent_id="poet",
            payload={"words": ["sky", "sea"]},
        ),
        make(
            "tool",
            "a model with a tool, served by signoff-agent",
            "The weight of the harvest",
            'It names the "apples"',
            agent_id="weigher",
        ),
        make(
            "upstream",
            "an event with the whole job, published to Kafka",
            "A greeting for a customer",
            'It says "welcome"',
            is_event=True,
        ),
    ]


#: The comment with which jobs are resubmitted.
COMMENT = "Please mention what the criterion asks for."
FINAL_STATUSES = frozenset({JobLogStatus.COMPLETED, JobLogStatus.REJECTED, JobLogStatus.FAILED})

app = make_app()


@command(app, "demo")
async def demo(
    cli: Session,
    data_dir: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The folder of the stack that runs, or is started.")
    ] = DATA_DIR,
    timeout_s: Annotated[
        float, typer.Option("--timeout-s", metavar="SECONDS", min=1, help="The longest time for all jobs together.")
    ] = 120.0,
) -> None:
    """Run ten jobs that end in every way a job can, and show how; succeed if each ended as it must."""
    async with _open_target(cli, data_dir) as (target, served, is_own):
        async with connect(target) as jobstore:
            agents = make_agents(target, served)
            jobs = [job for job in make_demo_jobs(secrets.token_hex(3)) if job.job.agent_id in agents]
            try:
                await _register_agents(cli, jobstore, agents, served)
                async with asyncio.timeout(timeout_s):
                    submissions = await _run(cli, jobstore, target, jobs)
            except TimeoutError:
                message = f"not all jobs ended within {timeout_s:g} s; `signoff doctor` may say why"
                raise CommandError(message, status=ExitStatus.NOT_MET) from None
            finally:
                await _disable_agents(jobstore, served)
            ended = [await jobstore.get_job(str(job.job.id)) for job in jobs]
        _show_summary(cli, jobs, ended, submissions)
        link = await make_login_link(target) if target.http and not is_own else None
        _show_next_steps(cli, target, data_dir, jobs, link, is_own=is_own)
    succeed_if(all(job.status is demo.ends for job, demo in zip(ended, jobs, strict=True)))


@asynccontextmanager
async def _open_target(cli: Session, data_dir: Path) -> AsyncIterator[tuple[Target, dict[str, str], bool]]:
    """Yield a stack that serves, or one started for the demo, the URLs of served agents, and whether it was started."""
    target = cli.target
    if target.jobstore is None and (data_dir / "endpoints.json").exists():
        target = read_endpoints(data_dir / "endpoints.json")
    if target.jobstore is not None and await _is_serving(target):
        async with serve_agents(find_stand_in(target), asyncio.sleep(0)) as served:
            yield target, served, False
        return
    if target.jobstore is not None and target.data_dir is None:  # of no local stack, which could be started here
        message = f"the jobstore at {target.jobstore} does not serve; `signoff doctor` may say why"
        raise CommandError(message, code=ErrorCode.STACK, status=ExitStatus.OUT_OF_REACH)
    cli.out.print_line(
        "No stack is running, so one is started for the time of the demo: PostgreSQL, Kafka, the services,"
    )
    cli.out.print_line(
        f"small agents and, without OPENAI_API_KEY, a local judge. Kafka is fetched the first time. Data: {data_dir}"
    )
    from localstack.datadir import DataDir  # noqa: PLC0415 - heavy, and only needed here
    from localstack.errors import StackError  # noqa: PLC0415 - same
    from localstack.stack import Stack, StackSettings  # noqa: PLC0415 - same

    place = DataDir(data_dir)
    try:
        with place.lock():
            settings = StackSettings(data_dir, short_lived=True, progress=lambda message: show_message(cli, message))
            stack = Stack(settings, place)
            stand_in = f"http://127.0.0.1:{place.get_port('agents')}"
            try:
                async with serve_agents(stand_in, stack.start()) as served:
                    yield read_endpoints(place.path / "endpoints.json"), served, True
            finally:
                cli.out.print_line("stopping the stack")
                await stack.stop()
    except StackError as error:
        raise CommandError(str(error), code=ErrorCode.STACK, status=ExitStatus.OUT_OF_REACH) from error


async def _is_serving(target: Target) -> bool:
    async with connect(target) as jobstore:
        return await jobstore.is_serving()


async def _register_agents(
    cli: Session, jobstore: AsyncClient, agents: dict[str, NewAgent], served: Container[str]
) -> None:
    for name, agent in agents.items():
        try:
            await jobstore.update_agent(name, agent)  # which enables it, too
        except SignoffError:
            await jobstore.create_agent(agent)
        until = ", until the demo ends: then disabled" if name in served else ""
        cli.out.print_line(f"agent {name}: {agent.url} ({agent.protocol}{until})")


async def _disable_agents(jobstore: AsyncClient, served: dict[str, str]) -> None:
    """Disable the agents whose servers end with the demo, unless another demo has registered its own since."""
    for name, url in served.items():
        with suppress(SignoffError):  # it was not registered yet, or the jobstore is away
            if (await jobstore.get_agent(name)).url == url:
                await jobstore.disable_agent(name)


async def _run(cli: Session, jobstore: AsyncClient, target: Target, jobs: list[DemoJob]) -> dict[str, int]:
    """Run all jobs to their ends, and print each log entry; return the number of submissions of each job, by job id."""
    begin = await jobstore.get_latest_cursor()
    await asyncio.gather(*(jobstore.create_job(demo.job) for demo in jobs if not demo.is_event))
    batch = await jobstore.execute_jobs([str(demo.job.id) for demo in jobs if not demo.is_event])
    cli.out.print_line(f"batch {batch.id}: {batch.total} jobs asked for by gRPC, one more by an event on Kafka")
    cli.out.print_line()
    await _publish(target, jobs)
    by_id = {str(demo.job.id): demo for demo in jobs}
    submissions = dict.fromkeys(by_id, 1)
    unfinished = set(by_id)
    async with aclosing(jobstore.watch_jobs(list(by_id), begin, view=View.FULL)) as events:
        async for event in events:
            if event.log is None:
                continue
            demo = by_id[event.log.job_id]
            _show_log(cli, demo, event.log)
            submissions[event.log.job_id] = event.log.submission or 1
            if event.log.status is JobLogStatus.RESUBMISSION_REQUIRED:
                await jobstore.resubmit_job(event.log.job_id, comment=COMMENT)
            elif event.log.status in FINAL_STATUSES:
                unfinished.discard(event.log.job_id)
            if not unfinished:
                break
    return submissions


async def _publish(target: Target, jobs: list[DemoJob]) -> None:
    """Publish an ExecuteRequested for each job with `is_event`, as an upstream service would."""
    from servicekit.kafka.publisher import to_record  # noqa: PLC0415 - heavy, and only needed here

    upstream = Secrets.parse_upstreams(text) if (text := os.environ.get("SIGNOFF_UPSTREAM_SECRETS")) else None
    async with open_publisher(make_kafka_access(target), "demo") as publisher:
        for demo in jobs:
            if demo.is_event:
                event = ExecuteRequested(execution_id=new_execution_id(), job_id=str(demo.job.id), job=demo.job)
                key = upstream.make_key(KeyUse.EXECUTE, event.execution_id) if upstream else None
                await publisher.publish_records([to_record(event, "demo", signed_by=key)])


def _show_log(cli: Session, demo: DemoJob, log: JobLog) -> None:
    cli.out.show_log(log, f"{demo.name:<9} ")
    for criterion in log.verdict.criteria if log.verdict else []:
        optional = "" if criterion.required else " (optional)"
        evidence = "".join(f"  <- {quote!r}" for quote in criterion.evidence)
        cli.out.print_line(f"{'':<31}{criterion.outcome:<13} {criterion.text}{optional}{evidence}")


def _show_summary(cli: Session, jobs: list[DemoJob], ended: list[Job], submissions: dict[str, int]) -> None:
    is_right = {job.id: job.status is demo.ends for job, demo in zip(ended, jobs, strict=True)}
    cli.out.print_json({"ok": all(is_right.values()), "jobs": ended})
    rows = [
        (
            demo.name,
            demo.shows,
            style_status(job.status),
            submissions[job.id],
            f"{(job.updated_at - job.created_at).total_seconds():.2f} s",
            "" if is_right[job.id] else f"must be {demo.ends}",
        )
        for job, demo in zip(ended, jobs, strict=True)
    ]
    cli.out.print_line()
    cli.out.print_table(["job", "shows", "ended", "submissions", "until its end", ""], rows)


def _show_next_steps(
    cli: Session, target: Target, data_dir: Path, jobs: list[DemoJob], link: str | None, *, is_own: bool
) -> None:
    where = "" if target.file is None or data_dir == DATA_DIR else f" --endpoints {target.file}"
    cli.out.print_line()
    cli.out.print_line("What to try next:")
    if is_own:
        again = "" if data_dir == DATA_DIR else f" --data-dir {data_dir}"
        cli.out.print_line(f"  signoff up{again}    the same stack, with these jobs in it, until Ctrl-C; then:")
    elif link is not None:
        cli.out.print_line(f"  {link}    the page and the API (the link works once)")
    cli.out.print_line(f"  signoff jobs logs {jobs[2].job.id}{where}    what was recorded, verdicts included (--json)")
    cli.out.print_line(f"  signoff watch{where}    all that happens, as it happens")
    cli.out.print_line(f"  signoff doctor{where}    is every part as it must be?")
