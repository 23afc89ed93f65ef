"""A program that has nothing of Signoff reads what happens to jobs."""

import asyncio
import sys
from pathlib import Path

from support.system import WAIT_S, System

EXAMPLE = Path(__file__).parents[2] / "proto" / "examples" / "follow_jobs.py"


async def test_the_example_of_a_consumer_prints_each_transition_of_a_job_in_order(system: System) -> None:
    """It is started as its docstring says, and prints the whole life of a job, once."""
    job = await system.create()
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    expected = [[job.id, str(entry.version), entry.job_status.value] for entry in await system.logs(job.id)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(EXAMPLE), system.endpoints["kafka"], stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    printed: list[list[str]] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while len(printed) < len(expected):
                words = (await process.stdout.readline()).decode().split(maxsplit=3)
                assert words, "it has ended"
                printed += [words[:3]] if words[0] == job.id else []
    finally:
        process.kill()
        await process.wait()
    assert printed == expected
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 35
