"""The whole system on two servers of PostgreSQL, one of which is lost while clients ask for jobs."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiohttp import web
from support.replication import Pair
from support.stacks import running_stack
from support.system import served

from contracts.resources import NewAgent, NewJob
from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, Port, make_service_specs
from localstack.stack import Stack
from signoff import AsyncClient, SignoffError
from signoff.status import RESTING, JobStatus

CLIENTS = 4
REST_S = 180.0


class CountingAgent:
    """An agent that counts its calls by execution."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls[(await request.json())["execution_id"]] += 1
        return web.json_response({"text": "The sky is blue."})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self._answer)
        return app


@dataclass
class Clients:
    """Clients that ask for jobs, and what was acknowledged to them: an answer is a promise."""

    client: AsyncClient
    agent_id: str
    acknowledged: list[str] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)  # when each was asked for, and acknowledged
    errors: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    async def run(self, number: int) -> None:
        """Ask for one job after the other, each until it is acknowledged."""
        count = 0
        while not self.is_over:
            count, asked = count + 1, time.monotonic()
            new = NewJob(
                id=f"client-{number}-{count}",
                title="Describe the sky",
                acceptance_criteria='Says "blue"',
                agent_id=self.agent_id,
            )
            created = await self._ask(lambda new=new: self.client.create_job(new))
            if created and await self._ask(lambda new=new: self.client.execute_job(str(new.id))):
                self.acknowledged.append(str(new.id))
                self.times.append((asked, time.monotonic()))

    async def _ask(self, call: Any) -> bool:
        while not self.is_over:
            try:
                await call()
            except SignoffError as error:
                if error.code in {"conflict", "refused"}:  # a try before had succeeded, unanswered
                    return True
                self.errors[str(error.code)] += 1
                await asyncio.sleep(0.05)
            else:
                return True
        return False

    async def until_answered(self, count: int) -> None:
        """Until so many more jobs were acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(REST_S):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - clients tell nobody
                await asyncio.sleep(0.02)


@dataclass
class System:
    """All services, two jobstores among them, and how they are reached."""

    folder: Path
    pair: Pair
    addresses: Addresses
    client: AsyncClient
    agent: CountingAgent
    stack: Stack

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[Clients]:
        """Clients that ask until the block ends."""
        clients = Clients(self.client, "counting")
        tasks = [asyncio.create_task(clients.run(number)) for number in range(CLIENTS)]
        try:
            yield clients
        finally:
            clients.is_over = True
            await asyncio.wait(tasks)
            for task in tasks:
                task.result()

    async def rest(self, job_ids: Sequence[str]) -> Counter[str]:
        """The statuses of jobs once nothing happens to them any more; `lost`, of those that are not there."""
        found: Counter[str] = Counter()
        async with asyncio.timeout(REST_S):
            for job_id in job_ids:
                found[await self._rest(job_id)] += 1
        return found

    async def _rest(self, job_id: str) -> str:
        while True:
            with suppress(asyncio.TimeoutError):
                try:
                    status = (await self.client.get_job(job_id)).status
                except SignoffError as error:
                    if error.code == "not_found":
                        return "lost"
                else:
                    if status in RESTING:
                        return JobStatus(status).value
            await asyncio.sleep(0.1)

    async def until_ended(self) -> float:
        """The seconds until each jobstore has said that the database is older than its facts."""
        began = time.monotonic()
        logs = [self.folder / "logs" / f"{name}.log" for name in ("jobstore", "jobstore-2")]
        async with asyncio.timeout(REST_S):
            while not any("database_older_than_facts" in log.read_text() for log in logs):  # noqa: ASYNC110 - logs
                await asyncio.sleep(0.05)
        return time.monotonic() - began

    def beside(self, name: str) -> str:
        """The URL of another database of the server that took over."""
        return urlsplit(self.pair.standby.url)._replace(path=f"/{name}").geturl()

    async def signoff(self, *arguments: str) -> tuple[int | None, dict[str, Any]]:
        """Run a command; return its status, and the last document that it printed."""
        env = {**os.environ, "SIGNOFF_KAFKA": self.addresses.kafka} | {
            "SIGNOFF_SECRETS": self.addresses.secrets["SIGNOFF_SECRETS"]
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments, "--json"), env=env, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        lines = [line for line in said.decode().splitlines() if line]
        return process.returncode, json.loads(lines[-1]) if lines else {}


async def jobs_in(url: str, job_ids: Sequence[str]) -> set[str]:
    """Those of some jobs that a database has."""
    server = await asyncpg.connect(url)
    rows = await server.fetch("SELECT id FROM jobs WHERE id = ANY ($1)", list(job_ids))
    await server.close()
    return {str(row["id"]) for row in rows}


@asynccontextmanager
async def running(folder: Path, pair: Pair) -> AsyncIterator[System]:
    """Run the whole system, whose jobstores have the URL of both servers."""
    own = pair.primary.made
    changed = {"database": pair.name(own.jobstore_url), "migrating": pair.name(own.migrate_url), "postgres": own.url}

    def make_services(addresses: Addresses, fleet: Fleet, port: Port) -> Sequence[ServiceSpec]:
        return make_service_specs(replace(addresses, **changed), fleet, port)

    agent, options = CountingAgent(), {"fleet": Fleet(jobstores=2), "short_lived": True, "progress": lambda _: None}
    async with (
        running_stack(folder, make_services, **options) as (stack, addresses),
        served(agent.app()) as url,
        AsyncClient(addresses.grpc, addresses.token) as client,
    ):
        await client.create_agent(NewAgent(id="counting", name="counting", url=url))
        yield System(folder, pair, replace(addresses, **changed), client, agent, stack)
