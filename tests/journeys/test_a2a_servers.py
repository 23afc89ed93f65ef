"""A server of A2A that nobody here wrote becomes an agent, as the page on agents shows."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from support.distributions import ROOT
from support.free_ports import free_port
from support.installed import installed
from support.system import System, follow

from contracts.resources import AgentPatch, NewAgent
from signoff.status import Protocol
from signoff.types import Agent

PEERS = ROOT / "tests/peers"
COMMANDS = (ROOT / "docs/agents.md").read_text().partition("\n## An A2A server\n")[2].partition("```sh\n")[2]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server by fasta2a, which says what it is told."""
    port = free_port()
    python = await asyncio.to_thread(installed, PEERS / "fasta2a.txt")
    server = await asyncio.create_subprocess_exec(python, PEERS / "fasta2a_server.py", str(port))
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"http://127.0.0.1:{port}/.well-known/agent-card.json"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield port
    finally:
        server.terminate()
        await server.wait()


async def test_a_page_makes_an_agent_of_a_server_and_its_job_is_completed(
    system: System, port: int, tmp_path: Path
) -> None:
    commands = re.sub(r"\b9002\b", str(port), COMMANDS.partition("```")[0])
    told = await follow(system, tmp_path, commands)
    assert "COMPLETED" in told
    (job,) = (job for job in (await system.client.list_jobs())[0] if job.title == "A story")
    assert (await system.client.get_job(job.id)).result == "A story, about the sea. Feedback: null"
    async with asyncio.timeout(30):
        while (card := (await find_agent(system, "storyteller")).card) is None:
            continue
    assert (card.name, card.binding, card.lists_tasks, card.code) == ("My Agent", "JSONRPC", False, None)


async def test_a_card_that_cannot_be_read_says_why_and_is_read_once_it_can_be(system: System, port: int) -> None:
    gone = NewAgent(id="gone", name="gone", url=f"http://127.0.0.1:{free_port()}/", protocol=Protocol.A2A)
    await system.client.create_agent(gone)
    async with asyncio.timeout(30):
        while (card := (await system.client.get_agent("gone")).card) is None:
            continue
        assert (card.code, card.name) == ("agent_unreachable", "")
        await system.client.update_agent("gone", AgentPatch(url=f"http://127.0.0.1:{port}/"))
        while (card := (await system.client.get_agent("gone")).card) is None or card.code:
            continue
    assert card.name == "My Agent"


async def find_agent(system: System, name: str) -> Agent:
    (found,) = [agent async for agent in system.client.iter_agents() if agent.name == name]
    return found
