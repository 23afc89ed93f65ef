"""Follow a job until it rests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from cli.errors import CommandError, ExitStatus
from cli.session import Session
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import RESTING, JobLogStatus, JobStatus

if TYPE_CHECKING:
    from signoff.types import Job, JobLog

_FINAL_STATUSES = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


async def watch_transitions(jobstore: AsyncClient, job_id: str, *, after_version: int = 0) -> AsyncGenerator[JobLog]:
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


def succeed_if_completed(job: Job) -> None:
    """End the command with status 1 unless the job is COMPLETED."""
    if job.status is not JobStatus.COMPLETED:
        message = f"{job.id} is {job.status}"
        raise CommandError(message, code=ErrorCode.NOT_COMPLETED, status=ExitStatus.NOT_MET)
