"""`make observe` beside the data folder of a stack: three lines, what Prometheus scrapes, and where traces go to."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from support.prometheus import need

from cli.commands.up import _find_receiver

DEPLOY = Path(__file__).parents[2] / "deploy"
WAIT_S = 60


@asynccontextmanager
async def observing(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """Yield the process and the lines that it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "observe", "--data-dir", str(folder)),
        env={**os.environ, "PYTHONPATH": str(DEPLOY)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            yield process, [(await process.stdout.readline()).decode() for _ in range(3)]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.real
async def test_it_follows_a_stack_and_leads_it_to_the_receiver_until_it_is_interrupted(tmp_path: Path) -> None:
    await asyncio.to_thread(need, "prometheus")
    async with observing(tmp_path) as (process, lines), aiohttp.ClientSession() as http:
        names, urls = zip(
            *(re.findall(r"^(\w+) +(http://127\.0\.0\.1:\d+|Ctrl-C)", line)[0] for line in lines), strict=True
        )
        assert names == ("Prometheus", "traces", "stop")
        variables = await _find_receiver(tmp_path / "observe.json")
        assert variables == {
            "SIGNOFF_OTLP_ENDPOINT": urls[1],
            "SIGNOFF_TRACE_URL": f"{urls[1]}/traces/{{trace_id}}",
        }
        # Its own metrics stand for those of a jobstore.
        (tmp_path / "endpoints.json").write_text(json.dumps({"metrics": {"jobstore-2": f"{urls[0]}/metrics"}}))
        found: list[dict[str, object]] = []
        while not found:
            await asyncio.sleep(0.2)
            async with http.get(f"{urls[0]}/api/v1/query", params={"query": 'up{component="jobstore"} == 1'}) as answer:
                found = (await answer.json())["data"]["result"]
        async with http.get(urls[0]) as answer:
            assert answer.status == 200, "Debian's has its page in files"
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert await _find_receiver(tmp_path / "observe.json") == {}


async def test_of_one_that_was_killed_nothing_is_left_to_send_to(tmp_path: Path) -> None:
    """The port is one on which nobody listens."""
    (tmp_path / "observe.json").write_text(json.dumps({"SIGNOFF_OTLP_ENDPOINT": "http://127.0.0.1:1"}))
    assert await _find_receiver(tmp_path / "observe.json") == {}
