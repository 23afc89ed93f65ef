"""Graphs on LangGraph servers do jobs, as the page on agents shows."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

from support.distributions import ROOT
from support.free_ports import free_port
from support.installed import installed
from support.system import WAIT_S, System

PAGE = (ROOT / "docs/agents.md").read_text().partition("\n## A LangGraph server\n")[2].partition("\n## ")[0]


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
