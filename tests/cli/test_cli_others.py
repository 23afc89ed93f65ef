"""Agents, batches and the watch of everything."""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime

import pytest

from contracts.resources import NewAgent, NewJob
from contracts.status import Circuit, JobLogStatus


def job(job_id, ends=None):
    payload = None if ends is None else {"ends": ends}
    return NewJob(id=job_id, title=job_id, acceptance_criteria="c", agent_id="writer", payload=payload)


async def test_an_agent_is_created_changed_and_disabled(signoff):
    url = "http://127.0.0.1:1/writer"
    created = await signoff("agents", "create", "--id", "writer", "--name", "Writer", "--url", url, "--json")
    assert created.json["protocol"] == "http"
    changed = await signoff("agents", "update", "writer", "--name", "Author", "--capability", "prose", "--json")
    assert (changed.json["name"], changed.json["url"], changed.json["capabilities"]) == ("Author", url, ["prose"])
    assert (await signoff("agents", "disable", "writer", "--json")).json["enabled"] is False
    assert (await signoff("agents", "update", "writer", "--enabled", "--json")).json["enabled"] is True
    assert "Author" in (await signoff("agents", "list")).out
    assert (await signoff("agents", "get", "nobody")).status == 1
    assert (await signoff("agents", "create", "--name", "x", "--url", "ftp://x")).status == 2


async def test_the_circuit_of_an_agent_is_shown_and_until_when_it_is_open(signoff, jobstore):
    until = datetime(2100, 1, 1, 12, 30, tzinfo=UTC)
    agents = {"calm": (Circuit.CLOSED, None), "down": (Circuit.OPEN, until), "tried": (Circuit.HALF_OPEN, until)}
    for name, (circuit, at) in agents.items():
        agent = jobstore.add_agent(NewAgent(id=name, name=name, url="http://127.0.0.1:1/"))
        jobstore.agents[name] = agent.model_copy(update={"circuit": circuit, "circuit_open_until": at})
    lines = {line.split()[0]: line for line in (await signoff("agents", "list")).out.splitlines()}
    assert "closed" in lines["calm"]
    assert f"open until {until.astimezone():%H:%M:%S}" in lines["down"]
    assert "half open" in lines["tried"]
    told = (await signoff("agents", "get", "down", "--json")).json
    assert (told["circuit"], datetime.fromisoformat(told["circuit_open_until"])) == ("open", until)


@pytest.mark.parametrize(("ends", "status"), [("COMPLETED", 0), ("FAILED", 1)])
async def test_a_batch_succeeds_when_all_its_jobs_do(signoff, jobstore, ends, status):
    await jobstore.add(job("a", "COMPLETED"))
    await jobstore.add(job("b", ends))
    ran = await signoff("batches", "create", "a", "b", "--wait", "--idempotency-key", "k", "--json")
    assert (ran.status, ran.json["state"]) == (status, "DONE")
    assert (await signoff("batches", "get", "k", "--json")).json == ran.json


async def test_a_batch_of_which_a_job_is_refused_is_1(signoff, jobstore):
    await jobstore.add(job("a"))
    ran = await signoff("batches", "create", "a", "unknown")
    assert ran.status == 1
    assert "unknown_job" in ran.out


async def test_a_batch_of_new_jobs_is_read_from_standard_input(signoff, jobstore):
    text = json.dumps([job("a").model_dump(mode="json"), job("b").model_dump(mode="json")])
    assert (await signoff("batches", "create", "--file", "-", stdin=text)).status == 0
    assert set(jobstore.jobs) == {"a", "b"}


@pytest.mark.parametrize("arguments", [[], ["a", "--file", "-"], ["--file", "-"]])
async def test_a_batch_of_nothing_or_of_both_is_bad_usage(signoff, arguments):
    assert (await signoff("batches", "create", *arguments, stdin="{}")).status == 2


async def test_the_watch_of_everything_ends_when_interrupted(jobstore, env):
    await jobstore.add(job("a"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "watch", "--json", "--after", "0",
        env=os.environ | {name: value for name, value in env.items() if value},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        first = json.loads(await process.stdout.readline())
        await jobstore.record("a", JobLogStatus.IN_PROGRESS)
        second = json.loads(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert [(log["job_id"], log["cursor"]) for log in (first, second)] == [("a", 1), ("a", 2)]
    assert (process.returncode, out, err) == (130, b"", b"")
