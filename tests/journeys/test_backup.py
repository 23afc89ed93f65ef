"""Operators restore what they have kept, by the commands of docs/operations/backup.md."""

import asyncio
import os
import re
import sys
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import asyncpg
import psutil
import pytest
from support.free_ports import free_port
from support.system import WAIT_S, Agent, System, signoff

from contracts.resources import NewJob, NewLimit
from contracts.status import JobStatus
from localstack.postgres import find_binaries

PAGE = Path(__file__).parents[2] / "docs/operations/backup.md"
DUMP, RESTORE, *_ = (dedent(each) for each in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))


class Operator:
    """Runs commands of the page in a folder."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.url: str = system.endpoints["postgres"]

    async def run(self, commands: str, **urls: str) -> None:
        path = f"{find_binaries()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = os.environ | {"PATH": path, "SIGNOFF_ENDPOINTS": str(self.system.endpoints_file)} | urls
        command = ("sh", "-e", "-c", commands)
        process = await asyncio.create_subprocess_exec(*command, env=env, cwd=self.folder)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0

    async def make_database(self) -> str:
        name = f"restored_{uuid4().hex}"
        server = await asyncpg.connect(self.url)
        await server.execute(f'CREATE DATABASE "{name}"')
        await server.close()
        return f"{self.url.rpartition('/')[0]}/{name}"


@pytest.fixture
def operator(system: System, tmp_path: Path) -> Operator:
    return Operator(system, tmp_path)


async def test_a_backup_and_the_facts_make_the_database_again(system: System, operator: Operator, agent: Agent) -> None:
    """No jobstore runs on a backup that is older than its facts; with the facts nothing but later batches is lost."""
    await system.client.set_limit("tenant:backup", NewLimit(concurrency=3))
    job = NewJob(id=f"backup-{uuid4()}", title="Describe the sky", acceptance_criteria='Says "blue"', agent_id="agent")
    batch = await system.client.execute_jobs(jobs=[job])
    await system.at_rest(str(job.id))
    await system.calm()
    await operator.run(DUMP, DATABASE_URL=operator.url)
    late = await system.create()
    await system.client.execute_job(late.id)
    assert (await system.at_rest(late.id)).status is JobStatus.COMPLETED
    await system.calm()
    calls = len(agent.calls[late.id])

    older, new = await operator.make_database(), f"{operator.url}_{uuid4().hex}"
    await operator.run('pg_restore --dbname="$OLDER" signoff.dump', OLDER=older)
    assert "database_older_than_facts" in await ended_jobstore(system, older)
    assert "database_older_than_facts" in await ended_jobstore(system, await operator.make_database())

    await operator.run(RESTORE, NEW_DATABASE_URL=new)
    (result,) = await signoff(system, "verify", "--database-url", new)
    assert result["ok"]
    rebuilt = await asyncpg.connect(new)
    assert await rebuilt.fetchval("SELECT concurrency FROM limits WHERE name = 'tenant:backup'") == 3
    assert await rebuilt.fetchval("SELECT state FROM operations WHERE id = $1", batch.id) == "DONE"
    assert await rebuilt.fetchval("SELECT count(*) FROM operation_items WHERE operation_id = $1", batch.id) == 1
    await rebuilt.close()
    await system.client.remove_limit("tenant:backup")
    assert len(agent.calls[late.id]) == calls


async def ended_jobstore(system: System, database_url: str) -> str:
    """What a jobstore says that is started on another database, and ends."""
    env = psutil.Process(system.endpoints["processes"]["jobstore"]).environ()
    env |= {
        "SIGNOFF_DATABASE_URL": database_url.replace("postgresql://", "postgresql+asyncpg://"),
        "SIGNOFF_HEALTH_ADDRESS": "",
        "SIGNOFF_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jobstore"), env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 1
    return output.decode()
