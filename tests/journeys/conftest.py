"""One running system for all journeys, started as its users start it: `signoff up`.

The agent and the judge are servers of the tests: what they answer is scripted, and what they were asked is kept.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer

from contracts.client import JobStoreClient
from contracts.resources import Job, JobLog, NewAgent, NewJob, Policy
from contracts.status import RESTING
from localstack.judge import create_app as create_judge

START_S = 90
WAIT_S = 60


@dataclass
class Agent:
    """An HTTP agent: `answer` says what it does with a request, and `calls` is what it was asked, by job."""

    url: str = ""
    answers: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    calls: dict[str, list[tuple[Mapping[str, str], dict[str, Any]]]] = field(default_factory=dict)

    async def on_call(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.setdefault(body["job_id"], []).append((request.headers, body))
        answer = self.answers.get(body["job_id"], lambda _: {"text": "The sky is blue."})(body)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)


@dataclass
class Judge:
    """An OpenAI-compatible server by the local rules, that can be taken away and brought back."""

    port: int = 0
    runner: web.AppRunner | None = None
    asked: int = 0

    async def start(self) -> None:
        app = create_judge()
        app.middlewares.append(self._count)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        assert self.runner is not None
        await self.runner.cleanup()

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> Any:
        self.asked += 1
        return await handler(request)


@dataclass
class System:
    """What `signoff up` says of itself, and ways of asking it."""

    endpoints_file: Path
    client: JobStoreClient
    http: aiohttp.ClientSession
    producer: AIOKafkaProducer

    @property
    def endpoints(self) -> dict[str, Any]:
        """As they are now: a process that was started again has another id."""
        parsed: dict[str, Any] = json.loads(self.endpoints_file.read_text())
        return parsed

    async def create(self, agent_id: str | None = "agent", **fields: Any) -> Job:
        policy = Policy(**fields.pop("policy", {}))
        defaults = {"title": "Describe the sky", "acceptance_criteria": 'Says "blue"\nIs not empty'}
        return await self.client.create_job(NewJob(agent_id=agent_id, policy=policy, **{**defaults, **fields}))

    async def at_rest(self, job_id: str) -> Job:
        """The job, once nothing happens to it any more."""
        async with asyncio.timeout(WAIT_S):
            async for event in self.client.watch_jobs([job_id]):
                status = event.job.status if event.job else event.log.status if event.log else None
                if status in RESTING:
                    return await self.client.get_job(job_id)
        raise AssertionError

    async def logged(self, job_id: str, seen: Callable[[JobLog], bool]) -> JobLog:
        """The first entry of the job's log of which `seen` is true."""
        async with asyncio.timeout(WAIT_S):
            async for event in self.client.watch_jobs([job_id], after=0):
                if event.log is not None and seen(event.log):
                    return event.log
        raise AssertionError

    async def known(self, job_id: str) -> None:
        """Wait until a job is known that somebody else creates."""
        await self.logged(job_id, lambda entry: entry.version == 1)

    async def logs(self, job_id: str) -> list[JobLog]:
        logs, _ = await self.client.list_job_logs(job_id)
        assert [entry.version for entry in logs] == list(range(1, len(logs) + 1))
        return logs

    def kill(self, process: str, number: signal.Signals = signal.SIGKILL) -> int:
        pid: int = self.endpoints["processes"][process]
        os.kill(pid, number)
        return pid


@pytest.fixture(scope="session")
async def judge() -> AsyncIterator[Judge]:
    server = Judge()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def agent() -> AsyncIterator[Agent]:
    scripted = Agent()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/agent", scripted.on_call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}/agent"
    yield scripted
    await runner.cleanup()


@pytest.fixture(scope="session")
async def system(judge: Judge, agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    data = tmp_path_factory.mktemp("signoff")
    endpoints_file = data / "endpoints.json"
    env = {
        **os.environ,
        "OPENAI_API_KEY": "of the tests",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{judge.port}/v1",
        "SIGNOFF_LEASE_S": "3",
        "SIGNOFF_OFFER_AGAIN_S": "3",
        "SIGNOFF_RETRY_FIRST_S": "0.2",
    }
    command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data), "--endpoints-file", str(endpoints_file)]
    with (data / "up.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_S):
            while not endpoints_file.exists():
                assert process.returncode is None, (data / "up.log").read_text()
                await asyncio.sleep(0.05)
        endpoints = json.loads(endpoints_file.read_text())
        headers = {"Authorization": f"Bearer {endpoints['token']}"}
        async with (
            JobStoreClient(endpoints["grpc"], endpoints["token"]) as client,
            aiohttp.ClientSession(endpoints["http"], headers=headers) as http,
            AIOKafkaProducer(bootstrap_servers=endpoints["kafka"], acks="all") as producer,
        ):
            await client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
            yield System(endpoints_file, client, http, producer)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
