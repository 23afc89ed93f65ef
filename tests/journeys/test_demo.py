"""The demo ends as it must on a system that runs, and leaves no agent enabled that nobody serves."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from support.system import System

INTERRUPTED = 130


async def demo(system: System, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "demo", "--plain", "--data-dir", str(folder)),
        env={**os.environ, "SIGNOFF_ENDPOINTS": str(system.endpoints_file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def find_enabled(system: System) -> dict[str, bool]:
    agents, _ = await system.client.list_agents()
    return {agent.id: agent.enabled for agent in agents if agent.id in {"writer", "model", "poet", "weigher"}}


async def test_what_the_demo_serves_is_enabled_as_long_as_it_runs(system: System, tmp_path: Path) -> None:
    stopped = await demo(system, tmp_path)
    assert stopped.stdout is not None
    while not (line := await stopped.stdout.readline()).startswith(b"agent weigher"):
        assert line, "it ended"
    assert (await find_enabled(system))["weigher"]
    stopped.send_signal(signal.SIGINT)
    await stopped.communicate()
    assert stopped.returncode == INTERRUPTED
    enabled = await find_enabled(system)
    assert (enabled["poet"], enabled["weigher"], enabled["writer"]) == (False, False, True)

    again = await demo(system, tmp_path)
    told, _ = await asyncio.wait_for(again.communicate(), 120)
    assert again.returncode == 0, told.decode()
    assert await find_enabled(system) == {"writer": True, "model": True, "poet": False, "weigher": False}
    (weighed, *_), _ = await system.client.list_jobs(agent_id="weigher")
    assert "3 kg" in json.dumps((await system.client.get_job(weighed.id)).result)
