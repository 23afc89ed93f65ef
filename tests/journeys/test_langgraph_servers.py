"""Graphs on LangGraph servers do jobs, as the page on agents shows."""

import asyncio
import re
from pathlib import Path

from support.distributions import ROOT
from support.free_ports import free_port
from support.installed import installed
from support.system import WAIT_S, System, follow

PAGE = (ROOT / "docs/agents.md").read_text().partition("\n## A LangGraph server\n")[2].partition("\n## ")[0]


def block(language: str) -> str:
    """The page's block in a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


async def test_a_page_makes_an_agent_of_a_graph_and_its_job_is_completed(system: System, tmp_path: Path) -> None:
    (tmp_path / "plan.py").write_text(block("python"))
    (tmp_path / "langgraph.json").write_text(block("json"))
    python = await asyncio.to_thread(installed, ROOT / "tests/peers/langgraph.txt")
    commands = re.sub(r"\b2024\b", str(free_port()), block("sh"))
    told = await follow(system, tmp_path, commands, python.parent, within_s=2 * WAIT_S)
    assert "COMPLETED" in told
    (job,) = (job for job in (await system.client.list_jobs())[0] if job.title == "A journey")
    assert "First pack, then go. A journey" in (await system.client.get_job(job.id)).result
