"""The running system as journeys and browsers see it, and the scripted agent and judge beside it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web
from aiokafka import AIOKafkaProducer
from faults.checking.reading import Tables, quiet

from contracts.resources import NewJob, Policy
from contracts.topics import MESSAGE_MAX_BYTES
from localstack.judge import create_app as create_judge
from servicekit.kafka.access import KafkaAccess
from signoff import AsyncClient
from signoff.status import RESTING, View
from signoff.types import Job, JobLog
from support.fakes import until
from support.free_ports import free_port

WAIT_S = 60
START_S = 90
#: What only executors know: in a variable, behind `Bearer`, and in a file.
AGENT_TOKEN, AGENT_KEY = "s3cret-token-of-the-journeys", "s3cret-key-of-the-journeys"


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

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/agent", self.on_call)
        async with served(app) as url:
            self.url = f"{url}/agent"
            yield


@dataclass
class AsyncAgent:
    """An asynchronous agent: `statuses` says how a job's work stands, and `asked` is what it was asked, by job."""

    url: str = ""
    statuses: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    asked: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)

    async def on_call(self, request: web.Request) -> web.Response:
        """The same key is the same work."""
        body = await request.json()
        self._note(request, body["job_id"])
        return web.Response(status=202, headers={"Location": f"/works/{body['job_id']}"})

    async def on_look(self, request: web.Request) -> web.Response:
        job_id = request.match_info["job_id"]
        self._note(request, job_id)
        return web.json_response(self.statuses[job_id]())

    async def on_stop(self, request: web.Request) -> web.Response:
        self._note(request, request.match_info["job_id"])
        return web.Response(status=204)

    def _note(self, request: web.Request, job_id: str) -> None:
        self.asked.setdefault(job_id, []).append((request.method, request.headers.get("Idempotency-Key")))

    def count(self, job_id: str, method: str) -> int:
        """How often it was asked this of a job."""
        return [asked for asked, _ in self.asked.get(job_id, [])].count(method)

    async def until(self, job_id: str, method: str) -> None:
        """Wait until it is asked this of a job."""
        await until(lambda: self.count(job_id, method), WAIT_S)


@dataclass
class Judge:
    """An OpenAI-compatible server by the local rules, that can be taken away and brought back."""

    port: int = 0
    runner: web.AppRunner | None = None
    asked: int = 0
    traceparents: list[str | None] = field(default_factory=list)

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
        self.traceparents.append(request.headers.get("traceparent"))
        return await handler(request)


#: What is said of a criterion: evidence and outcome.
Said = tuple[str | None, str]


@asynccontextmanager
async def in_place_of(judge: Judge, say: Callable[[str], Said]) -> AsyncIterator[list[str]]:
    """Let `say` judge, given the name of the model, and yield the names of the models that were asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body["model"])
        evidence, outcome = say(body["model"])
        names: dict[str, Any] = body["response_format"]["json_schema"]["schema"]["properties"]
        said: dict[str, Any] = {
            name: {"evidence": evidence, "comment": outcome, "outcome": outcome} for name in names if name != "reason"
        }
        message = {"role": "assistant", "content": json.dumps(said | {"reason": f"all is {outcome}"})}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": choices}
        return web.json_response(told)

    await judge.stop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", judge.port).start()
    try:
        yield asked
    finally:
        await runner.cleanup()
        await judge.start()


@dataclass
class Asking:
    """Ways of asking a running system, which says of itself what `signoff up` does."""

    endpoints_file: Path
    client: AsyncClient

    @property
    def endpoints(self) -> dict[str, Any]:
        """As they are now: a process that was started again has another id."""
        parsed: dict[str, Any] = json.loads(self.endpoints_file.read_text())
        return parsed

    async def create(self, agent_id: str | None = "agent", **fields: Any) -> Job:
        policy = Policy(**fields.pop("policy", {}))
        defaults = {"title": "Describe the sky", "acceptance_criteria": 'Says "blue"\nIs not empty'}
        if "tenant" in fields:
            await self.client.create_tenant(name=fields["tenant"])
        return await self.client.create_job(NewJob(agent_id=agent_id, policy=policy, **{**defaults, **fields}))

    async def at_rest(self, job_id: str) -> Job:
        """The job, once nothing happens to it any more."""
        async with asyncio.timeout(WAIT_S):
            async for event in self.client.watch_jobs([job_id]):
                status = event.job.status if event.job else event.log.status if event.log else None
                if status in RESTING and (job := await self.client.get_job(job_id)).status in RESTING:
                    return job  # else its policy submitted it again
        raise AssertionError

    async def logged(self, job_id: str, seen: Callable[[JobLog], bool], within_s: float = WAIT_S) -> JobLog:
        """The first entry of the job's log of which `seen` is true."""
        async with asyncio.timeout(within_s):
            async for event in self.client.watch_jobs([job_id], after=0, view=View.FULL):
                if event.log is not None and seen(event.log):
                    return event.log
        raise AssertionError

    async def known(self, job_id: str) -> None:
        """Wait until a job is known that somebody else creates."""
        await self.logged(job_id, lambda entry: entry.version == 1)

    async def logs(self, job_id: str) -> list[JobLog]:
        logs, _ = await self.client.list_job_logs(job_id, view=View.FULL)
        assert [entry.version for entry in logs] == list(range(1, len(logs) + 1))
        return logs

    async def calm(self) -> Tables:
        """The tables, once nothing is under way any more and every fact is told."""
        tables = Tables(self.endpoints["postgres"])
        assert await quiet(tables, KafkaAccess(self.endpoints["kafka"]), WAIT_S) is None
        return tables


@dataclass
class System(Asking):
    """What `signoff up` runs, and all ways of asking it."""

    http: aiohttp.ClientSession
    producer: AIOKafkaProducer
    environments: dict[str, dict[str, str]] = field(default_factory=dict)  # of its processes, by service

    def kill(self, process: str, number: signal.Signals = signal.SIGKILL) -> int:
        pid: int = self.endpoints["processes"][process]
        os.kill(pid, number)
        return pid

    def keep_header(self, name: str, value: str) -> None:
        """Keep what executors read as `file:<name>`."""
        file = _headers_of(self.endpoints_file.parent) / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(value)


def _headers_of(data: Path) -> Path:
    """Return the folder of the headers of agents, which is not among what the system writes."""
    return data.with_name(f"{data.name}-headers")


async def signoff(system: Asking, *arguments: str) -> list[dict[str, Any]]:
    """What the command says, as JSON; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments, "--json"),
        env={**os.environ, "SIGNOFF_ENDPOINTS": str(system.endpoints_file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, (output + errors).decode()
    return [json.loads(line) for line in output.splitlines()]


async def follow(system: Asking, folder: Path, commands: str, *paths: Path, within_s: float = WAIT_S) -> str:
    """Run a page's commands in a folder, as its readers do, and return what they say; they must succeed.

    The servers that they leave running are ended.
    """
    (folder / ".signoff").mkdir()
    (folder / ".signoff/endpoints.json").symlink_to(system.endpoints_file)
    path = ":".join(map(str, [*paths, Path(sys.executable).parent, os.environ["PATH"]]))
    with (folder / "output").open("w+") as output:
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-ec", commands),
            cwd=folder,
            env={**os.environ, "PATH": path, "COLUMNS": "160"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            returned = await asyncio.wait_for(shell.wait(), within_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)
        output.seek(0)
        told = output.read()
    assert returned == 0, told
    return told


async def another(system: System, kind: str, **settings: str) -> asyncio.subprocess.Process:
    """One more process of a service, ready; set as the one that runs but for where it listens."""
    if kind not in system.environments:  # it may be down the next time
        system.environments[kind] = psutil.Process(system.endpoints["processes"][kind]).environ()
    health = settings.setdefault("SIGNOFF_HEALTH_ADDRESS", f"127.0.0.1:{free_port()}")
    env = {**system.environments[kind], **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", kind, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )

    async def ready() -> bool:
        with contextlib.suppress(OSError):
            async with system.http.get(f"http://{health}/readyz") as answer:
                return answer.status == 200
        return False

    async with asyncio.timeout(WAIT_S):
        while not await ready():
            assert process.returncode is None
            await asyncio.sleep(0.05)
    return process


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """An application of the tests, at its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def running(
    data: Path, judge: Judge, more: Sequence[str] = (), *, start_s: float = START_S, **settings: str
) -> AsyncIterator[System]:
    """The whole system, started as its users start it: `signoff up`, with more options. It must end cleanly."""
    endpoints_file = data / "endpoints.json"
    headers = _headers_of(data)
    (headers / "journey").mkdir(parents=True)
    (headers / "journey" / "key").write_text(AGENT_KEY)
    env = {
        **os.environ,
        "OPENAI_API_KEY": "of the tests",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{judge.port}/v1",
        "SIGNOFF_LEASE_S": "3",
        "SIGNOFF_STALLED_AFTER_S": "6",
        "SIGNOFF_OFFER_AGAIN_S": "3",
        "SIGNOFF_BACKOFF_FIRST_S": "0.2",
        "SIGNOFF_GRACE_S": "4",
        "SIGNOFF_AGENT_HEADER_DIR": str(headers),
        "SIGNOFF_AGENT_JOURNEY": f"Bearer {AGENT_TOKEN}",
        **settings,
    }
    options = ["--data-dir", str(data), "--endpoints-file", str(endpoints_file), "--short-lived", "--no-demo", *more]
    command = [sys.executable, "-m", "cli", "up", *options]
    with (data / "up.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(start_s):
            while not endpoints_file.exists():
                assert process.returncode is None, (data / "up.log").read_text()
                await asyncio.sleep(0.05)
        endpoints = json.loads(endpoints_file.read_text())
        bearer = {"Authorization": f"Bearer {endpoints['token']}"}
        async with (
            AsyncClient(endpoints["grpc"], endpoints["token"]) as client,
            aiohttp.ClientSession(endpoints["http"], headers=bearer) as http,
            AIOKafkaProducer(
                bootstrap_servers=endpoints["kafka"], acks="all", max_request_size=MESSAGE_MAX_BYTES
            ) as producer,
        ):
            yield System(endpoints_file, client, http, producer)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
