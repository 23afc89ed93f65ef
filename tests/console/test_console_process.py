"""The console as a process: ready, and gone when told."""

import asyncio
import os
import signal
import socket
import sys

import aiohttp
import pytest
from streams import stream
from support.fake_jobstore import TOKEN


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def test_a_signal_ends_the_process_although_streams_are_open(jobstore_server):
    http, health = free_address(), free_address()
    settings = {
        "JOBSTORE": jobstore_server.address,
        "TOKEN": f"{TOKEN}, one-that-it-replaces-and-that-is-unknown",
        "SESSION_SECRET": "A" * 43,
        "HTTP_ADDRESS": http,
        "HEALTH_ADDRESS": health,
    }
    env = os.environ | {f"SIGNOFF_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "console", env=env)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            await answers(session, f"http://{health}/readyz")
            async with stream(session, f"http://{http}/api/events") as events:
                assert (await events.next()).name == "hello"
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    ("name", "is_warned"), [("CONSOLE_TOKEN", False), ("TOKEN", True)], ids=["its own", "an administrator's"]
)
async def test_a_console_serves_with_its_own_token_and_with_that_of_0_2_0(jobstore_server, name, is_warned):
    http = free_address()
    settings = {"JOBSTORE": jobstore_server.address, "SESSION_SECRET": "A" * 43, "HTTP_ADDRESS": http, name: TOKEN}
    env = os.environ | {f"SIGNOFF_{key}": value for key, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console", env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        await answers(session, f"http://{http}/api/health")
    process.send_signal(signal.SIGTERM)
    told, _ = await process.communicate()
    assert ("set SIGNOFF_CONSOLE_TOKEN" in told.decode()) is is_warned
    assert TOKEN not in told.decode()


async def answers(session, url):
    while True:
        try:
            async with session.get(url) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.05)
