"""Operators restore what they have kept, by the commands of docs/operations/backup.md, and all goes on from there."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faults.checking.observed import Record
from faults.checking.reading import Tables, topics
from support.compose_backup import ComposeBackup
from support.fakes import until
from support.system import WAIT_S, Agent, Asking, Judge, signoff

from contracts.events import AdministrationChanged
from contracts.resources import NewAgent, NewJob, NewLimit
from contracts.topics import FACT_TOPICS, MESSAGE_MAX_BYTES, TOPIC_OF
from localstack.backing import Infrastructure, infrastructure
from localstack.datadir import DataDir
from localstack.postgres import find_binaries
from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, make_secrets, make_service_specs
from localstack.supervisor import Supervisor
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics
from signoff import AsyncClient
from signoff.status import Delivery, JobStatus
from signoff.types import Job

# Each starts all services several times, on a machine that others share.
pytestmark = pytest.mark.timeout(300)

PAGE = Path(__file__).parents[2] / "docs/operations/backup.md"
BACKUP, RESTORE, *_ = (dedent(each) for each in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
FAST = {"SIGNOFF_LEASE_S": "3", "SIGNOFF_OFFER_AGAIN_S": "3", "SIGNOFF_BACKOFF_FIRST_S": "0.2"}


@dataclass
class Installation(Asking):
    """A broker and a database server, and services that an operator starts on a database; they end without a word."""

    servers: Infrastructure
    folder: Path
    ports: DataDir
    addresses: Addresses
    specs: list[ServiceSpec] = field(default_factory=list)
    supervisor: Supervisor | None = None

    @property
    def url(self) -> str:
        """The database that the services run on, or ran on last."""
        return self.addresses.postgres

    async def start(self, url: str) -> None:
        self.addresses = replace(self.addresses, postgres=url)
        told = {name: getattr(self.addresses, name) for name in ("grpc", "kafka", "postgres", "token")}
        secrets = self.addresses.secrets["SIGNOFF_SECRETS"]
        self.endpoints_file.write_text(json.dumps(told | {"secrets": secrets}))
        made = make_service_specs(self.addresses, Fleet(env={"jobstore": FAST}), self.ports.get_port)
        self.specs = [replace(spec, stop_signal=signal.SIGKILL) for spec in made if spec.name != "console"]
        self.supervisor = Supervisor(self.ports.logs)
        await self.supervisor.start(self.specs[:1])
        await self.supervisor.start(self.specs[1:])

    async def stop(self) -> None:
        assert self.supervisor is not None
        await self.supervisor.stop()

    def read_advice(self) -> dict[str, str]:
        """Return what the jobstore advises its operator, though it is ready."""
        health = self.specs[0].env["SIGNOFF_HEALTH_ADDRESS"]
        with urlopen(f"http://{health}/readyz", timeout=WAIT_S) as answer:
            return dict(json.load(answer)["advice"])

    async def empty_kafka(self) -> None:
        data = self.folder / "servers" / "kafka" / "data"
        data.rename(data.with_name(f"lost_{uuid4().hex}"))  # before it dies: it is started again at once
        await asyncio.wrap_future(self.servers.kill("kafka"))

    async def write(self, records: Iterable[Record]) -> None:
        """Write records as they were: key, value, headers and partition, in their order."""
        kafka = self.servers.kafka
        await ensure_topics(KafkaAccess(kafka), 1)
        async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=MESSAGE_MAX_BYTES) as producer:
            for each in records:
                await producer.send(each.topic, each.value, each.key, each.partition, headers=[*each.headers])

    async def run(self, commands: str, **urls: str) -> None:
        """Run commands of the page."""
        path = f"{find_binaries()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "SIGNOFF_ENDPOINTS": str(self.endpoints_file)} | urls
        command = ("sh", "-e", "-c", commands)
        process = await asyncio.create_subprocess_exec(*command, env=env, cwd=self.folder)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0

    def name_database(self) -> str:
        """The address of a database that is not there."""
        return f"{self.url.rpartition('/')[0]}/restored_{uuid4().hex}"

    async def make_database(self) -> str:
        url = self.name_database()
        server = await asyncpg.connect(self.url)
        await server.execute(f'CREATE DATABASE "{url.rpartition("/")[2]}"')
        await server.close()
        return url

    def backup_as_compose(self, folder: Path) -> ComposeBackup:
        """The scripts of deploy/compose, on the database that the services run on."""
        secrets = self.addresses.secrets["SIGNOFF_SECRETS"]
        given = {"DATABASE_URL": self.url, "KAFKA": self.servers.kafka, "SECRETS": secrets}
        return ComposeBackup(folder, self.url, more={f"SIGNOFF_{name}": value for name, value in given.items()})

    async def completed(self) -> Job:
        """A new job, which passes through."""
        job = await self.create()
        await self.client.execute_job(job.id)
        job = await self.at_rest(job.id)
        assert job.status is JobStatus.COMPLETED
        return job

    async def called(self, agent: Agent, delivery: Delivery) -> Job:
        """A job whose agent is called, and does not answer as long as these services live. The facts tell of it."""
        job = await self.create(policy={"delivery": delivery})
        agent.answers[job.id] = lambda _: asyncio.Event().wait()
        await self.client.execute_job(job.id)
        await until(lambda: job.id in agent.calls, WAIT_S)
        await self.published()
        del agent.answers[job.id]
        return job

    async def published(self) -> None:
        """Wait until all facts are published."""
        tables = Tables(self.url)
        async with asyncio.timeout(WAIT_S):
            while (await tables.unfinished())[1]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)

    async def ended_jobstore(self, url: str) -> str:
        """What a jobstore says that is started on another database, and ends."""
        other = {"SIGNOFF_DATABASE_URL": url.replace("postgresql://", "postgresql+asyncpg://")}
        output: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
        process = await asyncio.create_subprocess_exec(
            *self.specs[0].argv, env={**self.specs[0].env, **other}, **output
        )
        said, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode == 1
        return said.decode()


@pytest.fixture(scope="module")
async def installed(
    judge: Judge, agent: Agent, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    folder = tmp_path_factory.mktemp("backup")
    ports = DataDir(folder / "services")
    with infrastructure(folder / "servers") as servers, ports.lock():
        judge_url, grpc = f"http://127.0.0.1:{judge.port}", f"127.0.0.1:{ports.get_port('grpc')}"
        secrets = make_secrets(ports)
        addresses = Addresses(servers.kafka, grpc, "", servers.postgres, {}, judge_url, secrets)
        async with AsyncClient(grpc, addresses.token) as client:
            made = Installation(folder / "endpoints.json", client, servers, folder, ports, addresses)
            await made.start(servers.postgres)
            try:
                await client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
                yield made
            finally:
                await made.stop()


def count_calls(agent: Agent, *jobs: Job) -> list[int]:
    return [len(agent.calls.get(job.id, ())) for job in jobs]


async def ask_by_each_promise(installed: Installation, agent: Agent) -> list[Job]:
    """A job that has ended, and two that are live, to be called at least once, and at most once."""
    done = await installed.completed()
    again = await installed.called(agent, Delivery.AT_LEAST_ONCE)
    return [done, again, await installed.called(agent, Delivery.AT_MOST_ONCE)]


async def require_promises(installed: Installation, agent: Agent, jobs: list[Job], code: str) -> Job:
    """What was live goes on by its promise, and what had ended has ended; return a new job, which passes through."""
    _, again, once = jobs
    new_one = await installed.completed()
    assert (await installed.at_rest(again.id)).status is JobStatus.COMPLETED
    failed = await installed.at_rest(once.id)
    assert (failed.status, failed.code) == (JobStatus.FAILED, code)
    await installed.calm()
    assert count_calls(agent, *jobs, new_one) == [1, 2, 1, 1]
    return new_one


@pytest.mark.real
async def test_a_backup_and_the_facts_make_the_database_again(
    installed: Installation, agent: Agent, tmp_path: Path
) -> None:
    """No jobstore runs on a dump that is older than its facts; Compose restores with them, and nothing is lost."""
    await installed.client.create_tenant(name="backup")
    await installed.client.set_limit("tenant:backup", NewLimit(concurrency=3))
    new = NewJob(id=f"backup-{uuid4()}", title="Describe the sky", acceptance_criteria='Says "blue"', agent_id="agent")
    batch = await installed.client.execute_jobs(jobs=[new])
    job = await installed.at_rest(str(new.id))
    await installed.calm()
    await installed.run('pg_dump --format=custom --file=older.dump "$DATABASE_URL"', DATABASE_URL=installed.url)
    of_compose = installed.backup_as_compose(tmp_path)
    assert (await of_compose.run("make")).status == 0
    late = await installed.completed()
    live = await installed.called(agent, Delivery.AT_LEAST_ONCE)
    await installed.stop()

    older = await installed.make_database()
    await installed.run('pg_restore --dbname="$OLDER" older.dump', OLDER=older)
    assert "database_older_than_facts" in await installed.ended_jobstore(older)
    assert "database_older_than_facts" in await installed.ended_jobstore(await installed.make_database())
    replaced = await of_compose.up("--restore", "newest")
    assert '"goes_on":true' in replaced.out, replaced.err
    (result,) = await signoff(installed, "verify", "--database-url", installed.url)
    assert result["ok"]
    rebuilt = await asyncpg.connect(installed.url)
    assert await rebuilt.fetchval("SELECT concurrency FROM limits WHERE name = 'tenant:backup'") == 3
    assert await rebuilt.fetchval("SELECT state FROM operations WHERE id = $1", batch.id) == "DONE"
    assert await rebuilt.fetchval("SELECT count(*) FROM operation_items WHERE operation_id = $1", batch.id) == 1
    await rebuilt.close()

    await installed.start(installed.url)
    new_one = await installed.completed()
    assert (await installed.at_rest(live.id)).status is JobStatus.COMPLETED
    await installed.client.remove_limit("tenant:backup")
    await installed.calm()
    assert count_calls(agent, job, late, live, new_one) == [1, 1, 2, 1]


@pytest.mark.real
async def test_a_broker_that_was_lost_is_told_every_fact_again(installed: Installation, agent: Agent) -> None:
    """The database goes on as it was."""
    jobs = await ask_by_each_promise(installed, agent)
    await installed.stop()
    await installed.empty_kafka()

    await installed.start(installed.url)
    jobs += [await require_promises(installed, agent, jobs, "lease_lapsed")]
    records = [
        (r.key or b"", json.loads(r.value))
        for r in (await topics(KafkaAccess(installed.servers.kafka)))["job-changed"]
        if r.value
    ]
    for job in jobs:
        published = sorted({value["version"] for key, value in records if key.decode() == job.id})
        assert published == [entry.version for entry in await installed.logs(job.id)]


@pytest.mark.real
async def test_a_database_that_was_lost_is_made_of_the_facts_alone(installed: Installation, agent: Agent) -> None:
    jobs = await ask_by_each_promise(installed, agent)
    await installed.stop()
    made = installed.name_database()
    await signoff(installed, "rebuild", "--database-url", made, "--create")

    await installed.start(made)
    await require_promises(installed, agent, jobs, "rebuilt")


@pytest.mark.real
async def test_what_is_lost_but_for_a_backup_or_a_copy_of_the_facts_is_made_of_it(
    installed: Installation, agent: Agent
) -> None:
    """Two commands bring everything back, database and broker: one before, while all runs, and one after the loss."""
    jobs = await ask_by_each_promise(installed, agent)
    await installed.run(BACKUP, DATABASE_URL=installed.url)
    await installed.stop()
    copied = await topics(KafkaAccess(installed.servers.kafka))
    await installed.empty_kafka()

    await installed.write(record for topic in FACT_TOPICS for record in copied[topic])
    made, restored = installed.name_database(), installed.name_database()
    *_, result = await signoff(installed, "rebuild", "--database-url", made, "--create")  # before: how far it is
    assert (result["ok"], result["aside"], result["gaps"]) == (True, [], 0)
    (result,) = await signoff(installed, "verify", "--database-url", made)
    assert result["ok"]

    await installed.empty_kafka()
    await installed.run(RESTORE, NEW_DATABASE_URL=restored)
    (result,) = await signoff(installed, "verify", "--database-url", restored)
    assert result["ok"]
    await installed.start(restored)
    await require_promises(installed, agent, jobs, "rebuilt")
    await installed.published()
    held = {r.key for r in (await topics(KafkaAccess(installed.servers.kafka)))["job-changed"]}
    assert {job.id.encode() for job in jobs} < held


async def pause_and_limit(installed: Installation, agent: Agent) -> tuple[Job, Job, str]:
    """An agent that rests, and what waits for it; a batch of which one job runs under a limit, and a judge policy."""
    client, name = installed.client, f"resting-{uuid4().hex[:8]}"
    await client.create_agent(NewAgent(id=name, name=name, url=agent.url))
    await client.pause(f"agent:{name}")
    waits = await installed.create(agent_id=name)
    await client.execute_job(waits.id)
    await client.put_judge_policy({"name": name, "asks": "each"})
    await client.set_limit(f"label:team={name}", NewLimit(concurrency=1))
    jobs = [await installed.create(labels={"team": name}) for _ in range(3)]
    agent.answers |= {job.id: lambda _: asyncio.Event().wait() for job in jobs}
    batch = await client.execute_jobs([job.id for job in jobs])
    await until(lambda: sum(count_calls(agent, *jobs)) == 1, WAIT_S)
    await installed.published()
    for job in jobs:
        del agent.answers[job.id]
    return waits, jobs[0], str(batch.id)


@pytest.mark.real
async def test_what_was_paused_is_not_called_by_a_database_made_of_the_facts(
    installed: Installation, agent: Agent
) -> None:
    """Pause, limit, policy and a running batch are there again; what waited for the agent runs once it is resumed."""
    waits, _, batch_id = await pause_and_limit(installed, agent)
    await installed.stop()
    made = installed.name_database()
    await signoff(installed, "rebuild", "--database-url", made, "--create")
    (result,) = await signoff(installed, "verify", "--database-url", made)
    assert result["ok"]

    await installed.start(made)
    async with asyncio.timeout(WAIT_S):
        async for batch in installed.client.watch_operation(batch_id):
            done = batch
    assert (done.state, done.counts) == ("DONE", {"COMPLETED": 3})
    await installed.completed()
    assert count_calls(agent, waits) == [0]
    limits = {limit.name: limit for limit in (await installed.client.list_limits())[0]}
    assert limits[f"agent:{waits.agent_id}"].paused
    assert limits[f"label:team={waits.agent_id}"].concurrency == 1
    policy = await installed.client.get_judge_policy(waits.agent_id or "")
    assert policy.current == 1
    await installed.client.resume(f"agent:{waits.agent_id}")
    assert (await installed.at_rest(waits.id)).status is JobStatus.COMPLETED


@pytest.mark.real
async def test_nothing_begins_where_what_was_paused_is_lost_until_an_operator_confirms_what_is_set(
    installed: Installation, agent: Agent
) -> None:
    waits, other, _ = await pause_and_limit(installed, agent)
    called = count_calls(agent, waits, other)
    await installed.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=installed.servers.kafka)
    await admin.start()
    await admin.delete_topics([TOPIC_OF[AdministrationChanged]])
    await admin.close()
    made = installed.name_database()
    *_, result = await signoff(installed, "rebuild", "--database-url", made, "--create")
    assert result["are_limits_lost"]

    await installed.start(made)
    for job in (waits, other):
        explained = await installed.client.explain_job(job.id)
        assert explained.reasons[0].code == "limits_lost"
    assert (await installed.client.diagnose()).are_limits_lost
    await until(lambda: "signoff limits confirm" in installed.read_advice().get("limits", ""), WAIT_S)
    await installed.client.pause(f"agent:{waits.agent_id}")
    await signoff(installed, "limits", "confirm")
    assert (await installed.at_rest(other.id)).status is JobStatus.COMPLETED
    await installed.completed()
    assert count_calls(agent, waits) == [called[0]] == [0]
    await installed.client.resume(f"agent:{waits.agent_id}")
    assert (await installed.at_rest(waits.id)).status is JobStatus.COMPLETED
