"""A function of signoff-agent keeps to its protocol, and is called once however often executors are killed.

`SIGNOFF_KILLS` says how often it is killed at each moment.
"""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from support.fakes import until
from support.free_ports import free_port
from support.system import System, signoff

from contracts.resources import NewAgent
from signoff.status import Delivery, JobStatus, Protocol
from signoff_agent import Agent, Task, agent

KILLS = int(os.environ.get("SIGNOFF_KILLS", "1"))
SECRET = "whsec_" + "c2lnbm9mZi1hZ2VudC1pcy10ZXN0ZWQtd2l0aC10aGlz"
MOMENTS = ("before the send", "after the send", "after the answer", "during polling")


class Function:
    """An agent that counts its calls by the title of the job; at a moment requests wait until somebody goes on."""

    def __init__(self, store: Path) -> None:
        self.moment: str | None = None
        self.here = 0  # requests that have come to the moment
        self.on = asyncio.Event()
        self.made: Counter[str] = Counter()

        async def answer(task: Task) -> dict[str, str]:
            self.made[task.title] += 1
            return {"text": "The sky is blue."}

        self.agent: Agent = agent(store=store, secrets=SECRET)(answer)

    async def _pass(self, moment: str) -> bool:
        if self.moment != moment:
            return False
        self.here += 1
        await self.on.wait()
        return True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve as the agent does, with a wait at the moment."""
        if scope["type"] != "http":
            await self.agent(scope, receive, send)
            return
        sent: list[Any] = []
        is_post = scope["method"] == "POST"
        if is_post and await self._pass("before the send"):
            return  # as if it had never come
        if scope["method"] == "GET":
            await self._pass("during polling")

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.agent(scope, receive, keep)
        if is_post:
            await self._pass("after the send")
        for message in sent:
            await send(message)
        self.here += is_post and self.moment == "after the answer"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the tests."""
        yield


@pytest.fixture(scope="module")
async def function(system: System, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    function, port = Function(tmp_path_factory.mktemp("function") / "work"), free_port()
    server = _Server(uvicorn.Config(function, port=port, lifespan="on", log_level="error", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    headers = system.endpoints_file.parent.with_name(f"{system.endpoints_file.parent.name}-headers")
    (headers / "journey/signing").write_text(SECRET)
    fields = {"protocol": Protocol.HTTP_ASYNC, "signing": "file:journey/signing"}
    await system.client.create_agent(
        NewAgent.model_validate({"id": "function", "name": "f", "url": f"http://127.0.0.1:{port}/", **fields})
    )
    yield function
    server.should_exit = True
    await serving


async def test_it_keeps_to_its_protocol(system: System, function: Function) -> None:
    (tried,) = await signoff(system, "agents", "try", "function", "--title", "tried", "--check")
    outcomes = {row["check"]: row["outcome"] for row in tried["checks"]}
    none_is_told = outcomes.pop("progress")
    assert outcomes == dict.fromkeys(("deadline", "size", "same_key", "cancel", "error", "signature"), "passed")
    assert none_is_told == "not_applicable"
    assert function.made["tried"] == 2  # the try, and the one piece of work of two calls with the same key


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_every_job_ends_and_no_function_is_called_twice(system: System, function: Function, moment: str) -> None:
    for number in range(KILLS):
        await kill_once(system, function, moment, f"{moment}, {number}")


async def kill_once(system: System, function: Function, moment: str, name: str) -> None:
    """Kill the executor when calls by each delivery have come to the moment."""
    jobs: dict[str, Delivery] = {}
    for delivery in Delivery:
        job = await system.create("function", title=f"{name}, {delivery}", policy={"delivery": delivery})
        jobs[job.id] = delivery
    function.on, function.here, function.moment = asyncio.Event(), 0, moment
    for job_id in jobs:
        await system.client.execute_job(job_id)
    await until(lambda: function.here == len(jobs))
    for job_id in jobs if moment == "during polling" else ():
        await system.logged(job_id, lambda entry: bool(entry.handle))
    function.moment = None
    system.kill("executor", signal.SIGKILL)
    function.on.set()
    for job_id, delivery in jobs.items():
        job = await system.at_rest(job_id)
        is_sent, is_once = moment != "before the send", delivery is Delivery.AT_MOST_ONCE
        if moment == "during polling" or not is_once:
            assert job.status is JobStatus.COMPLETED, (await system.logs(job_id))[-1]
        assert job.status in {JobStatus.COMPLETED, JobStatus.FAILED}
        assert function.made[job.title] == (0 if is_once and not is_sent else 1)
