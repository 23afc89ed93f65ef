"""Agents in processes of their own, called by the executor's adapter: killed, frozen, stopped, two at once."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from support.factories import grant
from support.fakes import until
from support.free_ports import free_port
from yarl import URL

from executor import errors
from executor.http_agents import HeaderValues, HttpAsyncAgent, HttpClient
from executor.ports import Call
from servicekit.addresses import parse_allowed
from signoff.status import Protocol

HERE = Path(__file__).parent
SECRET = "whsec_" + "c2lnbm9mZi1hZ2VudC1pcy10ZXN0ZWQtd2l0aC10aGlz"
pytestmark = pytest.mark.real


class Served:
    """Processes that serve agents of `served_agents` and share one store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    async def start(
        self, name: str, port: int | None = None, *, by: str = "signoff_agent serve", **env: str
    ) -> tuple[str, subprocess.Popen[bytes]]:
        """Serve an agent; return its URL and process once it answers."""
        port = port or free_port()
        store = str(self.folder / "store.sqlite3")
        process = subprocess.Popen(  # noqa: ASYNC220 - it goes on
            [sys.executable, "-m", *by.split(), f"served_agents:{name}", "--port", str(port)],
            cwd=HERE,
            env={**os.environ, "SERVED_FOLDER": str(self.folder), "SIGNOFF_AGENT_STORE": store, **env},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        url = f"http://127.0.0.1:{port}/agents/{name}"
        async with asyncio.timeout(60), ClientSession() as http:
            while True:
                with contextlib.suppress(ClientError):
                    async with http.get(url) as answer:
                        assert answer.status == 200
                        return url, process
                assert process.poll() is None
                await asyncio.sleep(0.02)

    def lines(self, key: str, what: str) -> list[str]:
        """What the work of a key has noted."""
        path = self.folder / f"{key}.{what}"
        return path.read_text().splitlines() if path.exists() else []

    def let_end(self) -> None:
        (self.folder / "end").touch()


@pytest.fixture
def served(tmp_path):
    served = Served(tmp_path)
    yield served
    for process in served.processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and its workers
        process.wait()


@pytest.fixture
async def adapter():
    values = HeaderValues({"SIGNOFF_AGENT_SIGNING": SECRET}, None)
    allowed = parse_allowed("127.0.0.0/8")
    async with HttpClient(allowed=allowed, header_values=values, result_max_bytes=100_000) as client:
        yield HttpAsyncAgent(client, poll_max_s=0.05)


class Calls:
    """Calls of one execution, as the executor makes them one after another."""

    def __init__(self, url: str, **fields: Any) -> None:
        self.grant = grant(url=url, protocol=Protocol.HTTP_ASYNC, **fields)
        self.key = str(self.grant.lease.execution_id)
        self.handle: str | None = None
        self.reports: list[Any] = []
        self.usage: list[Any] = []
        self.number = 0
        self.is_given_up = False

    def next(self, url: str | None = None) -> Call:
        self.number += 1
        return Call(
            self.grant if url is None else replace(self.grant, url=url),
            self.number,
            report_progress=self.reports.append,
            is_given_up=lambda: self.is_given_up,
            spend=self.usage.append,
            handle=self.handle,
            keep_handle=self.keep,
        )

    def keep(self, handle: str) -> None:
        self.handle = handle or None


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def test_the_executor_gets_the_result_the_progress_and_the_usage(served, adapter):
    url, process = await served.start("waiting")
    calls = Calls(url, request={"title": "blue"})
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: calls.reports)
    assert (calls.reports[-1].fraction, calls.reports[-1].message) == (0.5, f"in {process.pid}")
    served.let_end()
    assert await calling == "blue"
    assert calls.usage[0].input_tokens == 3


async def test_the_executors_signature_is_taken_and_no_other(served, adapter):
    url, _ = await served.start("waiting", SIGNOFF_AGENT_SIGNING=SECRET)
    served.let_end()
    with pytest.raises(errors.AgentStatusError, match="not signed"):
        await adapter.call(Calls(url).next())
    assert await adapter.call(Calls(url, signing="env:SIGNOFF_AGENT_SIGNING").next()) == "A title"


@pytest.mark.parametrize("name", ["waiting", "retried", "repeatable"])
async def test_work_of_a_killed_process_is_lost_and_done_again_only_if_it_may_be(served, adapter, name):
    port = free_port()
    url, process = await served.start(name, port)
    calls = Calls(url)
    if name == "retried":
        with pytest.raises(errors.AgentError, match="busy"):
            await adapter.call(calls.next())
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: served.lines(calls.key, "began") and calls.reports)
    kill(process)
    await served.start(name, port)
    with pytest.raises(errors.AgentWorkLostError):
        await calling
    served.let_end()
    if name == "repeatable":
        assert await adapter.call(calls.next()) == "A title"
        assert len(served.lines(calls.key, "began")) == 2
    else:
        with pytest.raises(errors.AgentStatusError, match="may have been done in part") as refused:
            await adapter.call(calls.next())
        assert (refused.value.status, refused.value.retryable) == (410, False)
        assert len(served.lines(calls.key, "began")) == 1


@pytest.mark.parametrize("is_known", [True, False], ids=["by its handle", "by its key"])
async def test_a_result_outlives_its_process(served, adapter, is_known):
    served.let_end()
    port = free_port()
    url, process = await served.start("waiting", port)
    calls = Calls(url)
    assert await adapter.call(calls.next()) == "A title"
    kill(process)
    await served.start("waiting", port)
    calls.handle = calls.handle if is_known else None
    assert await adapter.call(calls.next()) == "A title"
    assert len(served.lines(calls.key, "began")) == 1


async def test_a_call_that_is_given_up_cancels_the_function(served, adapter):
    url, _ = await served.start("waiting")
    calls = Calls(url)
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: served.lines(calls.key, "began"))
    calls.is_given_up = True
    calling.cancel()
    await until(lambda: served.lines(calls.key, "cancelled"))


async def test_told_to_stop_it_answers_until_its_work_has_ended(served, adapter):
    url, process = await served.start("waiting")
    calls = Calls(url)
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: calls.reports)
    process.terminate()
    async with ClientSession() as http:
        while True:
            async with http.get(url) as answer:
                if answer.status == 503:
                    break
    with pytest.raises(errors.AgentBusyError):
        await adapter.call(Calls(url).next())
    served.let_end()
    assert await calling == "A title"
    assert await asyncio.to_thread(process.wait, 30) == 0


async def test_what_the_grace_cuts_is_told_as_lost_also_after_a_restart(served, adapter):
    port = free_port()
    url, process = await served.start("hasty", port)
    calls = Calls(url)
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: served.lines(calls.key, "began"))
    process.terminate()
    assert await asyncio.to_thread(process.wait, 30) == 0
    assert served.lines(calls.key, "cancelled")
    await served.start("hasty", port)
    with pytest.raises(errors.AgentWorkLostError):
        await calling
    with pytest.raises(errors.AgentStatusError, match="may have been done in part"):
        await adapter.call(calls.next())


async def test_two_processes_with_one_store_are_one_agent(served, adapter):
    (first, process), (second, _) = await served.start("waiting"), await served.start("waiting")
    calls = Calls(first)
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: calls.reports)
    followed = Calls(second)
    followed.grant = replace(calls.grant, url=second)
    following = asyncio.create_task(adapter.call(followed.next()))
    await until(lambda: followed.reports and followed.reports[-1].message == f"in {process.pid}")
    assert followed.handle == calls.handle
    served.let_end()
    assert await asyncio.gather(calling, following) == ["A title", "A title"]
    assert len(served.lines(calls.key, "began")) == 1


async def test_of_two_workers_of_a_server_one_does_the_work_of_a_key(served, adapter):
    """One of them is killed: its work is lost, that of the other goes on, and nothing is done twice."""
    url, _ = await served.start("waiting", by="uvicorn --workers 2")
    calls = [Calls(url) for _ in range(30)]  # each asked for three times: one process has room for all of these
    calling = [asyncio.create_task(adapter.call(one.next())) for one in calls for _ in range(3)]
    await until(lambda: all(served.lines(one.key, "began") for one in calls))
    workers = {one.key: served.lines(one.key, "began") for one in calls}
    killed = workers[calls[0].key][0]
    os.kill(int(killed), signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{killed}").exists())
    served.let_end()
    await asyncio.gather(*calling, return_exceptions=True)
    for one in calls:
        (worker,) = workers[one.key]
        if worker == killed:
            with pytest.raises(errors.AgentStatusError, match="may have been done in part"):
                await adapter.call(one.next())
        else:
            assert await adapter.call(one.next()) == "A title"
        assert served.lines(one.key, "began") == [worker]


async def test_each_process_can_stop_the_work_of_the_other(served, adapter):
    (first, _), (second, _) = await served.start("waiting"), await served.start("waiting")
    calls = Calls(first)
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: calls.handle)
    async with ClientSession() as http, http.delete(URL(second).join(URL(calls.handle))) as answer:
        assert answer.status == 202
    with pytest.raises(errors.AgentWorkLostError):
        await calling
    assert served.lines(calls.key, "cancelled")


async def test_work_of_a_frozen_process_shows_no_life_and_is_not_done_by_another(served, adapter):
    (first, process), (second, _) = await served.start("repeatable"), await served.start("repeatable")
    calls = Calls(first, policy={"heartbeat_timeout_s": 1.5})
    calling = asyncio.create_task(adapter.call(calls.next()))
    await until(lambda: calls.reports)
    process.send_signal(signal.SIGSTOP)
    other = Calls(second, policy={"heartbeat_timeout_s": 1.5})
    other.grant = replace(calls.grant, url=second)
    with pytest.raises(errors.AgentHeartbeatTimeoutError, match="same heartbeat"):
        await adapter.call(other.next())
    with pytest.raises(errors.AgentBusyError, match="is being stopped"):  # its adapter gave it up
        await adapter.call(other.next())
    with pytest.raises(errors.AgentHeartbeatTimeoutError):
        await calling
    assert len(served.lines(calls.key, "began")) == 1
    kill(process)
    served.let_end()
    assert await adapter.call(other.next()) == "A title"
    assert len(served.lines(calls.key, "began")) == 2


async def call_again(adapter: HttpAsyncAgent, calls: Calls) -> Any:
    """The result of an execution that has two calls left; None if they fail."""
    for _ in range(2):
        with contextlib.suppress(errors.AgentError):
            return await adapter.call(calls.next())
    return None


async def test_killed_at_any_moment_it_never_does_the_work_of_a_key_twice(served, adapter):
    """Ten times, under work that is begun, goes on and ends; what has a result has the same at each call."""
    served.let_end()
    port, seed = free_port(), random.randrange(1 << 32)
    dice, results = random.Random(seed), {}
    for _ in range(10):
        url, process = await served.start("waiting", port)
        calls = [Calls(url, request={"payload": {"for_s": dice.uniform(0, 0.1)}}) for _ in range(20)]
        calling = [asyncio.create_task(adapter.call(one.next())) for one in calls]
        await asyncio.sleep(dice.uniform(0, 0.2))
        kill(process)
        await served.start("waiting", port)
        for one, ended in zip(calls, await asyncio.gather(*calling, return_exceptions=True), strict=True):
            assert not isinstance(ended, Exception) or isinstance(ended, errors.AgentError), ended
            results[one.key] = await call_again(adapter, one) if isinstance(ended, Exception) else ended
        kill(served.processes[-1])
    began = [len(served.lines(key, "began")) for key in results]
    assert set(began) <= {0, 1}, seed
    done = [key for key, result in results.items() if result is not None]
    assert all(served.lines(key, "began") for key in done), seed
