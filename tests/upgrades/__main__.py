"""`make upgrade`: migrate 100,000 jobs while the release before serves; then run today's on all that it left.

The migration is made here, behind the last that there is, and adds a column. Then two of each service are replaced, one
after the other, under load: by the same version, and the release's by today's.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from measuring import seeding
from support.free_ports import free_port
from support.stacks import running_stack

from contracts.resources import NewAgent, NewJob
from localstack.process import ServiceSpec, end, spawn
from localstack.services import Addresses, Fleet, make_service_specs
from localstack.stack import Stack
from localstack.supervisor import probe_http
from signoff import AsyncClient, SignoffError
from upgrades.rolling import roll
from upgrades.versions import find_earlier, make_next_jobstore, of_earlier, of_next, unpack_earlier

CLIENTS = 4
#: Seconds that clients call before the newer jobstore starts, and after it serves.
AROUND_S = 10.0
#: The longest that a client may wait for one call.
WAIT_MAX_S = 5.0
#: Within so many seconds after the end all jobs of the clients are COMPLETED.
QUIET_S = 120.0
#: How long an agent takes while processes are replaced.
CALL_S = (2.0, 8.0)


@dataclass
class Calls:
    """What clients asked for, and how long each call took, by phase."""

    phase: str = "before"
    waits: defaultdict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    async def run(self, client: AsyncClient) -> None:
        """Ask for one job after the other, for ever."""
        while True:
            job = NewJob(title="A life", acceptance_criteria="Is not empty", agent_id="worker")
            created = await self._time("CreateJob", client.create_job(job))
            if created is None:
                continue
            self.jobs.append(created.id)
            await self._time("ExecuteJob", client.execute_job(created.id))
            await self._time("ListJobs", client.list_jobs(page_size=20))
            await self._time("ListJobLogs", client.list_job_logs(created.id))

    async def _time(self, name: str, calling: Any) -> Any:
        phase, began = self.phase, time.monotonic()
        try:
            return await calling
        except SignoffError as error:
            self.errors.append(f"{name}: {error.code} {error}")
            return None
        finally:
            self.waits[phase].append((time.monotonic() - began, name))

    def describe(self, phase: str) -> str:
        longest, name = max(self.waits[phase])
        return f"{len(self.waits[phase])} calls, the longest {longest:.2f} s ({name})"


def run_version(
    directory: Path, version: Callable[[ServiceSpec], ServiceSpec]
) -> AbstractAsyncContextManager[tuple[Stack, Addresses]]:
    """Run the whole system on a data directory, each service of a version."""
    return running_stack(directory, lambda *of: [version(spec) for spec in make_service_specs(*of)])


async def load(stack: Stack, client: AsyncClient, database: asyncpg.Connection, jobs: int) -> None:
    """Store jobs by SQL, as if they were published, while the jobstore stands still."""

    async def store() -> None:
        await seeding.store_jobs(database, jobs)
        await seeding.skip_facts(database)
        await seeding.vacuum(database)

    await seeding.while_stopped(lambda: dict(stack.processes), client, store)


@asynccontextmanager
async def newer_jobstore(
    directory: Path, addresses: Addresses, version: Callable[[ServiceSpec], ServiceSpec]
) -> AsyncIterator[Path]:
    """Start a jobstore of today beside the earlier one's, until it serves; yield its log."""
    (spec,) = make_service_specs(addresses, Fleet(), lambda _: free_port())[:1]
    health, log = spec.env["SIGNOFF_HEALTH_ADDRESS"], directory / "logs" / "newer.log"
    env = {**spec.env, "SIGNOFF_GRPC_ADDRESS": f"127.0.0.1:{free_port()}"}
    process = await spawn(replace(version(replace(spec, env=env)), name="newer"), log)
    is_ready = probe_http(f"http://{health}/readyz")
    try:
        while not await is_ready():
            if process.returncode is not None:
                sys.exit(f"the newer jobstore ended with status {process.returncode}: {log}")
            await asyncio.sleep(0.1)
        yield log
    finally:
        await end(process, spec.stop_signal, spec.grace_s)


def read_migrations(log: Path) -> list[str]:
    """What the log says of each revision that was applied."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    done = [line for line in lines if line["message"] == "a migration is done"]
    return [f"{line['revision']} took {line['seconds']} s: {line['change']}" for line in done] or ["nothing to migrate"]


#: What of the stored jobs stays as it is.
STORED = """
SELECT count(*) AS entries, count(DISTINCT jobs.id) AS jobs, sum(jobs.version) AS versions, sum(seq) AS numbers
FROM jobs JOIN job_logs ON job_id = jobs.id WHERE tenant LIKE 'tenant-%'
"""


async def run(jobs: int, directory: Path) -> bool:
    """Upgrade once; return whether all went well."""
    calls, earlier, following = Calls(), directory.with_name("earlier"), directory.with_name("next")
    if not unpack_earlier(earlier):
        sys.exit("this is not a git work tree: there is no release to begin from")
    say(f"from {find_earlier()}")
    make_next_jobstore(following)
    today = partial(of_next, directory=following)
    async with AsyncExitStack() as resources:
        stack, addresses = await resources.enter_async_context(
            run_version(directory, partial(of_earlier, directory=earlier))
        )
        client = await resources.enter_async_context(AsyncClient(addresses.grpc, addresses.token))
        await client.create_agent(NewAgent(id="worker", name="worker", url=addresses.agents["writer"]))
        database = await asyncpg.connect(addresses.postgres)
        resources.push_async_callback(database.close)
        await load(stack, client, database, jobs)
        stored = await database.fetchrow(STORED)
        say(f"{stored['jobs']} jobs with {stored['entries']} entries, by the release before")
        calling = [asyncio.create_task(calls.run(client)) for _ in range(CLIENTS)]
        await asyncio.sleep(AROUND_S)
        calls.phase, began = "meanwhile", time.monotonic()
        log = await resources.enter_async_context(newer_jobstore(directory, addresses, today))
        say(f"a jobstore of today serves after {time.monotonic() - began:.1f} s", *read_migrations(log))
        calls.phase = "after"
        await asyncio.sleep(AROUND_S)
        for task in calling:
            assert not task.done(), task
            task.cancel()
        await asyncio.wait(calling)
        left = await wait_until_completed(database, calls.jobs)
    async with run_version(directory, today) as (_, addresses), AsyncClient(addresses.grpc, addresses.token) as client:
        say("today's stack runs on the data directory of the release before")
        job = await client.create_job(NewJob(title="A life", acceptance_criteria="Is not empty", agent_id="worker"))
        await client.execute_job(job.id)
        database = await asyncpg.connect(addresses.postgres)
        left += await wait_until_completed(database, [job.id])
        kept = await database.fetchrow(STORED)
        await database.close()
    for phase in ("before", "meanwhile", "after"):
        say(f"{phase}: {calls.describe(phase)}")
    problems = [*calls.errors, *(f"not COMPLETED: {job_id}" for job_id in left)]
    problems += [f"a call took {wait:.1f} s" for wait, _ in calls.waits["meanwhile"] if wait > WAIT_MAX_S]
    problems += ["stored jobs are not as they were"] if kept != stored else []
    say(*problems[:20], f"{len(calls.jobs)} jobs of clients, {len(problems)} problems")
    return not problems


async def wait_until_completed(database: asyncpg.Connection, jobs: Sequence[str]) -> list[str]:
    """Return which jobs are not COMPLETED in time."""
    deadline, left = time.monotonic() + QUIET_S, list(jobs)
    query = "SELECT id FROM jobs WHERE id = ANY($1) AND execution_id IS NOT NULL AND status <> 'COMPLETED'"
    while left and time.monotonic() < deadline:
        left = [row["id"] for row in await database.fetch(query, jobs)]
        await asyncio.sleep(0.5)
    return left


async def replace_pairs(live: int, directory: Path) -> bool:
    """Restart and upgrade two of each service while executions are live; return whether all went well."""
    went_well = True
    for name, upgrades in {"restart": False, "roll": True}.items():
        report = await roll(directory / name, upgrades=upgrades, live=live, call_s=CALL_S, around_s=AROUND_S)
        say(f"{name}, {live} executions live: {report}")
        went_well = went_well and not report.problems
    return went_well


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"upgrade: {line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="upgrades", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="that are migrated; 0: none")
    parser.add_argument("--live", type=int, default=100, help="executions while processes are replaced; 0: none are")
    arguments = parser.parse_args()
    went_well = True
    with tempfile.TemporaryDirectory(prefix="signoff-upgrade-") as directory:
        if arguments.jobs:
            went_well = uvloop.run(run(arguments.jobs, Path(directory) / "stack"))
        if arguments.live:
            went_well &= uvloop.run(replace_pairs(arguments.live, Path(directory)))
    return 0 if went_well else 1


if __name__ == "__main__":
    sys.exit(main())
