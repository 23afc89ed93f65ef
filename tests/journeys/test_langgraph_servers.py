"""Graphs on LangGraph servers do jobs: as the page on agents shows, and once each, whoever is killed meanwhile."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.distributions import ROOT
from support.fake_langgraph import fake_langgraph, holds
from support.fakes import until
from support.free_ports import free_port
from support.installed import installed
from support.system import WAIT_S, System

from contracts.resources import NewAgent
from signoff.status import Delivery, JobStatus, Protocol

PAGE = (ROOT / "docs/agents.md").read_text().partition("\n## A LangGraph server\n")[2].partition("\n## ")[0]
#: Jobs that are under way as their executors are killed.
JOBS = 50


def block(language: str) -> str:
    """The page's block in a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


async def test_a_page_makes_an_agent_of_a_graph_and_its_job_is_completed(system: System, tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text(block("python"))
    (tmp_path / "langgraph.json").write_text(block("json"))
    (tmp_path / ".signoff").mkdir()
    (tmp_path / ".signoff/endpoints.json").symlink_to(system.endpoints_file)
    python = await asyncio.to_thread(installed, ROOT / "tests/peers/langgraph.txt")
    path = f"{Path(sys.executable).parent}:{python.parent}:{os.environ['PATH']}"
    with (tmp_path / "output").open("w+") as output:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-ec", re.sub(r"\b2024\b", str(free_port()), block("sh"))),
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "COLUMNS": "160"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            returned = await asyncio.wait_for(shell.wait(), 2 * WAIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)  # the server that the page leaves running
        output.seek(0)
        told = output.read()
    assert returned == 0, told
    assert "COMPLETED" in told
    (job,) = (job for job in (await system.client.list_jobs())[0] if job.title == "A journey")
    assert "First pack, then go. A journey" in (await system.client.get_job(job.id)).result


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("moment", ["thread", "run", "list", "join"])
async def test_executors_that_are_killed_leave_one_run_of_each_job(
    system: System, moment: str, delivery: Delivery
) -> None:
    """Before the run is sent, with the answer to it under way, between polls, and as the result is read."""
    async with fake_langgraph() as graph:
        gate = asyncio.Event()
        graph.faults[moment] = [holds(gate, works_first=moment != "thread")] * JOBS
        name = f"graph-{moment}-{delivery}"
        agent = NewAgent(id=name, name=name, url=graph.url, protocol=Protocol.LANGGRAPH, settings={"assistant": "a"})
        await system.client.create_agent(agent)
        jobs = [await system.create(name, policy={"delivery": delivery}) for _ in range(JOBS)]
        await asyncio.gather(*(system.client.execute_job(job.id) for job in jobs))
        await until(lambda: not graph.faults[moment], WAIT_S)
        for executor in ("executor", "executor-2"):
            if executor in system.endpoints["processes"]:
                system.kill(executor, signal.SIGKILL)
        gate.set()
        ended = await asyncio.gather(*(system.at_rest(job.id) for job in jobs))
        runs = Counter(run.metadata["signoff_job_id"] for run in graph.runs())
    is_unknown = moment == "thread" and delivery is Delivery.AT_MOST_ONCE
    statuses, codes = Counter(job.status for job in ended), {job.code for job in ended}
    assert statuses == {JobStatus.FAILED if is_unknown else JobStatus.COMPLETED: JOBS}, codes
    assert runs == ({} if is_unknown else {job.id: 1 for job in jobs})
    assert not is_unknown or codes == {"agent_work_unknown"}
