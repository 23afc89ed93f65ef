"""Replace two of each service, one after the other, while executions are live, and say what that cost whom."""

import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
from aiohttp import web
from faults.checking.observed import LogRow
from faults.checking.reading import all_jobs, all_logs, quiet, topics
from support.fakes import until
from support.system import Judge, served

from contracts.resources import NewAgent, NewJob, Policy
from servicekit.kafka.access import KafkaAccess
from signoff import AsyncClient
from signoff.status import RESTING, Protocol, View
from upgrades.pairs import KINDS, PAIRS, Pairs, pairs
from upgrades.versions import COLUMN, REVISION

#: How much longer than the longest before it a job may wait.
LONGER_S = 5.0
#: Of so many clients one is at the consoles, the others at the jobstores.
REST_SHARE = 5
#: And of the others one has its results judged by a policy: by a check, and by two votes.
POLICY: dict[str, Any] = {
    "name": "votes",
    "stages": [{"kind": "checks"}, {"kind": "quorum", "judges": [{"model": "first"}, {"model": "second"}]}],
}
VOTES = 2
#: Jobs of an agent by a protocol that the release before does not call.
MODELS = 4
#: Within this a call at some console is answered; one that is refused goes to the other.
REST_WAIT_S = 10.0
REST_POLL_S = 0.25
#: Within so many seconds everything is at rest after the last client has asked.
QUIET_S = 90.0


@dataclass
class Life:
    """When a job was asked for, its agent was called, answered, and the job was seen at rest."""

    asked: float
    called: float = 0.0
    answered: float = 0.0
    ended: float = 0.0
    has_policy: bool = False

    def list_waits(self) -> tuple[float, float]:
        """Until the agent was called; and until the job was at rest, from when it was answered."""
        return self.called - self.asked, self.ended - self.answered


#: The longest waits, in seconds, as `Life.list_waits` names them, each with its job.
Longest = tuple[tuple[float, str], tuple[float, str]]


@dataclass
class Load:
    """Clients that ask for one job after the other, and the agent of all."""

    call_s: tuple[float, float]
    lives: dict[str, Life] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    ends: bool = False
    #: The judge policy that some name.
    judge: str | None = None
    #: The jobs of the agent whose protocol is a newer one, and where it is called.
    models: list[str] = field(default_factory=list)
    model_url: str = ""
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    async def on_call(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls[body["execution_id"]] += 1
        life = self.lives[body["job_id"]]
        life.called = life.called or time.monotonic()
        await asyncio.sleep(self._random.uniform(*self.call_s))
        life.answered = time.monotonic()
        return web.json_response({"text": f"The sky is blue, says {body['job_id']}."})

    async def on_model(self, request: web.Request) -> web.Response:
        """Answer as a model does, which is asked the id of the job."""
        job_id = (await request.json())["messages"][-1]["content"]
        self.calls[job_id] += 1
        self.lives[job_id].called = time.monotonic()
        message = {"role": "assistant", "content": f"The sky is blue, says {job_id}."}
        return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})

    @property
    def with_policy(self) -> dict[str, Life]:
        return {job_id: life for job_id, life in self.lives.items() if life.has_policy}

    async def live(self, ask: Callable[[NewJob], Awaitable[None]], *, wants_policy: bool) -> None:
        """Ask for one job after the other."""
        while not self.ends:
            job_id, judge = f"job-{uuid4().hex}", self.judge if wants_policy else None
            policy = Policy(max_submissions=1, **({"judge": judge} if judge else {}))
            criteria = 'Says "blue"\ncheck: contains "sky"' if judge else 'Says "blue"'
            self.lives[job_id] = Life(time.monotonic(), has_policy=judge is not None)
            await ask(NewJob(id=job_id, title="A job", acceptance_criteria=criteria, agent_id="agent", policy=policy))
            self.lives[job_id].ended = time.monotonic()

    def longest(self, since: float, until: float) -> Longest:
        """The longest waits of the jobs that ended within a time, and whose they were."""
        ended = [(job_id, life) for job_id, life in self.lives.items() if since < life.ended < until]
        waits = [(life.list_waits(), job_id) for job_id, life in ended]
        return max((wait, job_id) for (wait, _), job_id in waits), max((wait, job_id) for (_, wait), job_id in waits)


def by_grpc(client: AsyncClient) -> Callable[[NewJob], Awaitable[None]]:
    """Return what creates a job, executes it and watches it to its end, at whichever jobstore answers."""

    async def ask(job: NewJob) -> None:
        assert job.id is not None
        await client.create_job(job)
        await client.execute_job(job.id)
        async for event in client.watch_jobs([job.id]):
            status = event.job.status if event.job else event.log.status if event.log else None
            if status in RESTING:
                return

    return ask


def by_rest(http: aiohttp.ClientSession, consoles: list[str]) -> Callable[[NewJob], Awaitable[None]]:
    """Return what does the same by polling, at whichever console answers: `consoles` is of one client alone."""

    async def call(method: str, path: str, **options: Any) -> Any:
        async with asyncio.timeout(REST_WAIT_S):
            while True:
                consoles.reverse()
                with suppress(aiohttp.ClientConnectionError):
                    async with http.request(method, f"http://{consoles[0]}/api/jobs{path}", **options) as answer:
                        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                            assert answer.ok, await answer.text()
                            return await answer.json()
                await asyncio.sleep(0.1)

    async def ask(job: NewJob) -> None:
        await call("POST", "", json=job.model_dump(mode="json", exclude_unset=True))
        await call("POST", f"/{job.id}/execute", headers={"Idempotency-Key": f"{job.id} once"})
        while (await call("GET", f"/{job.id}"))["status"] not in RESTING:  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(REST_POLL_S)

    return ask


@asynccontextmanager
async def loaded(running: Pairs, load: Load, live: int) -> AsyncIterator[None]:
    """Keep so many executions live; all have ended in the end."""
    token = running.addresses.token
    app = web.Application()
    app.router.add_post("/", load.on_call)
    app.router.add_post("/v1/chat/completions", load.on_model)
    async with (
        served(app) as url,
        AsyncClient(",".join(running.dialled("jobstore")), token) as client,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
    ):
        await client.create_agent(NewAgent(id="agent", name="agent", url=url))
        load.model_url = f"{url.rstrip('/')}/v1"
        asks = [
            by_rest(http, running.dialled("console")) if number % REST_SHARE == 0 else by_grpc(client)
            for number in range(live)
        ]
        async with asyncio.TaskGroup() as tasks:
            for number, ask in enumerate(asks):
                tasks.create_task(load.live(ask, wants_policy=number % REST_SHARE == 1))
            yield
            load.ends = True


@dataclass
class Report:
    """What a roll cost."""

    jobs: int
    before: Longest
    meanwhile: Longest
    leaders: list[str]
    problems: list[str]

    def __str__(self) -> str:
        names = ("until the agent was called", "from its answer to the end")
        waits = zip(names, self.before, self.meanwhile, strict=True)
        told = [f"{name}: at most {then:.2f} s before, {now:.2f} s meanwhile" for name, (then, _), (now, _) in waits]
        return "; ".join([f"{self.jobs} jobs", *told, f"facts by {', '.join(self.leaders)}", *self.problems[:10]])


async def roll(directory: Path, *, upgrades: bool, live: int, call_s: tuple[float, float], around_s: float) -> Report:
    """Replace each process in place; in an upgrade a jobstore by one of today that was ready before."""
    judge, load = Judge(), Load(call_s)
    await judge.start()
    try:
        async with pairs(directory, f"http://127.0.0.1:{judge.port}", upgrades=upgrades) as running:
            async with loaded(running, load, live):
                await make_policy(running, load)
                await asyncio.sleep(around_s)
                await until(lambda: any(life.ended for life in load.lives.values()), QUIET_S)
                began = time.monotonic()
                problems = list[str]()
                for kind in KINDS:
                    for name in PAIRS[kind]:
                        await (
                            running.replace(name) if running.upgrades and kind == "jobstore" else running.restart(name)
                        )
                        if kind == "executor":  # of the other the release before may run still
                            await until(lambda: any(load.lives[job_id].called for job_id in load.models), QUIET_S)
                    if kind == "jobstore":
                        problems += await ask_models(running, load)
                await asyncio.sleep(around_s)
                await until(lambda: all(load.lives[job_id].called for job_id in load.models), QUIET_S)
            problems += await find_problems(running, load, judge)
            before, meanwhile = load.longest(0.0, began), load.longest(began, math.inf)
            problems += await find_long_waits(running, before, meanwhile)
            if running.upgrades:
                problems += await find_unmigrated(running)
    finally:
        await judge.stop()
    return Report(len(load.lives), before, meanwhile, running.leaders, problems)


async def make_policy(running: Pairs, load: Load) -> None:
    """Make the judge policy, and let jobs name it from now on."""
    async with AsyncClient(",".join(running.dialled("jobstore")), running.addresses.token) as client:
        saved = await client.put_judge_policy(POLICY)
    load.judge = f"{POLICY['name']}@{saved.version}"


async def ask_models(running: Pairs, load: Load) -> list[str]:
    """Register an agent by a newer protocol, and ask for jobs of it; say which does not wait for an executor of today.

    All jobstores are of today by then.
    """
    settings = {"model": "m", "template": "{{title}}", "api": "chat"}
    model = NewAgent(id="model", name="model", protocol=Protocol.OPENAI, url=load.model_url, settings=settings)
    load.models = [f"job-{uuid4().hex}" for _ in range(MODELS)]
    async with AsyncClient(",".join(running.dialled("jobstore")), running.addresses.token) as client:
        await client.create_agent(model)
        for job_id in load.models:
            load.lives[job_id] = Life(time.monotonic())  # no time is measured of it
            policy = Policy(max_submissions=1)
            new = NewJob(id=job_id, title=job_id, acceptance_criteria='Says "blue"', agent_id="model", policy=policy)
            await client.create_job(new)
            await client.execute_job(job_id)
        if not running.upgrades:
            return []
        told = {
            job_id: [reason.code for reason in (await client.explain_job(job_id)).reasons] for job_id in load.models
        }
    return [f"{job_id} waits for {codes}" for job_id, codes in told.items() if "protocol_not_called" not in codes]


async def find_problems(running: Pairs, load: Load, judge: Judge) -> list[str]:
    """Say which call was repeated, which job is not COMPLETED, and which fact is missing or out of order."""
    problems = [f"{count} calls of {execution}" for execution, count in load.calls.items() if count > 1]
    if left := await quiet(running.tables, KafkaAccess(running.addresses.kafka), QUIET_S):
        problems.append(left)
    async with AsyncClient(",".join(running.dialled("jobstore")), running.addresses.token) as client:
        jobs = {job.id: job for job in await all_jobs(client)}
        logs = await all_logs(client, [job for job in jobs.values() if job.id in load.with_policy])
    problems += find_misjudged(load, logs)
    problems += [f"{job.id} is {job.status}" for job in jobs.values() if job.status != "COMPLETED"]
    problems += [f"{job_id} is unknown" for job_id in load.lives.keys() - jobs.keys()]
    asks = len(load.lives) + (VOTES - 1) * len(load.with_policy)
    if judge.asked != asks:
        problems.append(f"the judge was asked {judge.asked} times, and not {asks}, of {len(load.lives)} results")
    told: dict[str, list[int]] = {}
    for record in (await topics(KafkaAccess(running.addresses.kafka)))["job-changed"]:
        if record.key and record.value:
            told.setdefault(record.key.decode(), []).append(json.loads(record.value)["version"])
    for job_id, job in jobs.items():
        if list(dict.fromkeys(told.get(job_id, []))) != list(range(1, job.version + 1)):
            problems.append(f"the facts of {job_id} have versions {told.get(job_id)} of {job.version}")
    return problems


async def find_long_waits(running: Pairs, before: Longest, meanwhile: Longest) -> list[str]:
    """Say which job waited more than LONGER_S longer than any before, and when each of its entries was written."""
    problems = []
    async with AsyncClient(",".join(running.dialled("jobstore")), running.addresses.token) as client:
        for (then, _), (now, job_id) in zip(before, meanwhile, strict=True):
            if now > then + LONGER_S:
                logs, _ = await client.list_job_logs(job_id, view=View.FULL)
                told = ", ".join(f"{entry.kind} {entry.created_at:%T.%f} ({entry.lease})" for entry in logs)
                problems.append(f"{job_id} waited {now:.1f} s, and none before longer than {then:.1f} s: {told}")
    return problems


def find_misjudged(load: Load, logs: list[LogRow]) -> list[str]:
    """Say which result with a judge policy was judged otherwise, or that none was."""
    verdicts = {entry.job_id: entry for entry in logs if entry.kind == "met"}
    problems = [
        f"{job_id} was judged by {entry.policy} in the stages {entry.stages}"
        for job_id, entry in verdicts.items()
        if (entry.policy, entry.stages) != (load.judge, ("checks", "quorum"))
    ]
    return problems if verdicts else [*problems, "no result with a judge policy was judged"]


async def find_unmigrated(running: Pairs) -> list[str]:
    """Say what the database lacks of the migration that today's jobstores have."""
    database = await asyncpg.connect(running.addresses.postgres)
    revision = await database.fetchval("SELECT version_num FROM alembic_version")
    await database.execute(f"SELECT {COLUMN} FROM jobs LIMIT 1")
    await database.close()
    return [] if revision == REVISION else [f"the database is of revision {revision}"]
