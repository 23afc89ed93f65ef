"""Ctrl-C ends what looks, and nothing of what is looked at: whoever looked is told how to look again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from support.fakes import until

from contracts.resources import NewAgent, NewJob
from signoff.status import JobLogStatus

INTERRUPTED = 130


@pytest.fixture
async def look(env) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Starts a command as the shell would, in a process of its own."""
    async with AsyncExitStack() as stack:

        async def start(*arguments: str) -> Any:
            return await stack.enter_async_context(_running(env, arguments))

        yield start


@asynccontextmanager
async def _running(env: dict[str, str | None], arguments: tuple[str, ...]) -> AsyncIterator[Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env=os.environ | {name: value for name, value in env.items() if value},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def interrupt(process: Any) -> tuple[int, str, str]:
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(autouse=True)
async def _poem(jobstore) -> None:
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))


@pytest.mark.parametrize("words", [["execute", "--wait"], ["watch"]], ids=" ".join)
async def test_a_job_that_is_waited_for_goes_on_and_the_command_says_how_to_look_again(look, jobstore, words):
    process = await look("jobs", words[0], "poem", *words[1:])
    while b"IN_PROGRESS" not in await process.stdout.readline():
        if words == ["watch"]:
            await jobstore.record("poem", JobLogStatus.IN_PROGRESS)
    status, _, err = await interrupt(process)
    assert (status, err) == (INTERRUPTED, "poem goes on: look again by `signoff jobs watch poem`\n")
    assert jobstore.jobs["poem"].status == "IN_PROGRESS"


async def test_a_program_is_told_so_as_json(look, jobstore):
    process = await look("jobs", "execute", "poem", "--wait", "--json")
    await until(lambda: jobstore.open_watches)
    status, out, err = await interrupt(process)
    told = {"job_id": "poem", "goes_on": True, "look_again": "signoff jobs watch poem"}
    assert (status, out, json.loads(err)) == (INTERRUPTED, "", told)


async def test_a_batch_that_is_waited_for_goes_on_too(look, jobstore):
    process = await look("batches", "create", "poem", "--wait")
    assert b"RUNNING" in await process.stdout.readline()
    status, _, err = await interrupt(process)
    (batch_id,) = jobstore.operations
    assert (status, err) == (INTERRUPTED, f"{batch_id} goes on: look again by `signoff batches watch {batch_id}`\n")


async def test_a_try_that_no_executor_takes_says_so_and_goes_on_too(look, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="writer", url="http://127.0.0.1:1/"))
    jobstore.try_ends = {"state": "QUEUED"}
    process = await look("agents", "try", "writer")
    assert await process.stderr.readline() == b"no executor has taken it yet: `signoff doctor` says whether one runs\n"
    status, _, err = await interrupt(process)
    (try_id,) = jobstore.tries
    told = f"{try_id} goes on: look again by `signoff agents tries writer --id {try_id}`\n"
    assert (status, err) == (INTERRUPTED, told)


async def test_the_watch_of_everything_ends_without_a_word(look, jobstore):
    process = await look("watch", "--json", "--after", "0")
    first = json.loads(await process.stdout.readline())
    await jobstore.record("poem", JobLogStatus.IN_PROGRESS)
    second = json.loads(await process.stdout.readline())
    assert [(log["job_id"], log["cursor"]) for log in (first, second)] == [("poem", 1), ("poem", 2)]
    assert await interrupt(process) == (INTERRUPTED, "", "")
