"""`signoff doctor` names what is wrong, and what helps, within ten seconds, whatever is broken."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import psutil
import pytest
from support.outsiders import frozen, reporting, stealing
from support.system import WAIT_S, System

from cli.commands.doctor import check_all
from cli.session import read_endpoints
from contracts.topics import EXECUTOR_GROUP
from servicekit.process.runtime import VERSION
from signoff.status import JobStatus

#: Within which it answers on a quiet machine.
WITHIN_S = 10.0
#: Seconds between two looks: each asks all parts.
LOOK_EVERY_S = 1.0
#: Those that nobody else depends on, and those that others do.
LEAVES, ROOTS = ["executor", "validator", "console", "agents"], ["jobstore", "kafka", "postgres"]


async def diagnose(system: System, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and the checks by part, within WITHIN_S."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "doctor", "--json", *options),
        env={**os.environ, "SIGNOFF_ENDPOINTS": str(system.endpoints_file)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    share = (os.cpu_count() or 1) / max(os.getloadavg()[0], os.cpu_count() or 1)  # of a core, beside the other tests
    assert (time.monotonic() - began) * share < WITHIN_S
    return process.returncode or 0, {check["part"]: check for check in json.loads(output)["checks"]}


def wrong(checks: dict[str, dict[str, Any]]) -> set[str]:
    assert all(check["remedy"] for check in checks.values() if not check["ok"])
    return {part for part, check in checks.items() if not check["ok"]}


async def look(system: System) -> dict[str, dict[str, Any]]:
    """What the command finds, by part, without a process for each look."""
    return {check.part: vars(check) for check in await check_all(read_endpoints(system.endpoints_file))}


async def until_found(system: System, part: str, words: str) -> dict[str, Any]:
    """Ask until a part is wrong in these words, and return what is said of it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            checks = await look(system)
            if part in wrong(checks) and words in checks[part]["found"]:
                return checks[part]
            await asyncio.sleep(LOOK_EVERY_S)


async def until_well(system: System) -> None:
    async with asyncio.timeout(WAIT_S):
        while wrong(await look(system)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_EVERY_S)


async def until_read(system: System) -> None:
    """Wait until executors have read all that is asked of them, also by jobs of earlier tests that go on."""
    async with asyncio.timeout(WAIT_S):
        while not (await look(system))["group signoff-executor"]["found"].startswith("1 members, 0 "):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)


@contextmanager
def killed(system: System, names: Iterable[str]) -> Any:
    """Processes that are gone, and that nobody starts again yet."""
    pids = [system.endpoints["processes"][name] for name in names]
    supervisor = psutil.Process(psutil.Process(pids[0]).ppid())
    supervisor.suspend()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:  # else nothing works for any test that follows
        supervisor.resume()


@asynccontextmanager
async def well_again(system: System) -> AsyncIterator[None]:
    yield
    await until_well(system)
    job = await system.create()
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED


async def test_a_stack_that_is_well_is_said_to_be(system: System) -> None:
    await until_well(system)
    status, checks = await diagnose(system)
    assert status == 0
    assert checks["executors"]["found"].startswith("1, with room for ")
    assert checks["group signoff-executor"]["found"].startswith("1 members, ")
    await until_read(system)
    assert checks["versions"]["found"] == VERSION
    assert " GiB free for " in checks["disk of broker 1"]["found"]


@pytest.mark.parametrize("names", [LEAVES, *([name] for name in ROOTS)], ids="-".join)
async def test_what_is_frozen_is_named(system: System, names: Sequence[str]) -> None:
    async with well_again(system), AsyncExitStack() as stack:
        for name in names:
            stack.enter_context(frozen(system.endpoints["processes"][name]))
        status, checks = await diagnose(system)
        assert status == 1
        assert {f"process {name}" for name in names} <= wrong(checks)
        assert all("is stopped" in checks[f"process {name}"]["found"] for name in names)
        found = wrong(checks)
        for name, part in (("jobstore", "jobstore"), ("kafka", "kafka"), ("postgres", "database")):
            assert (part in found) == (name in names)
        assert "token" not in found


@pytest.mark.parametrize("names", [LEAVES, *([name] for name in ROOTS)], ids="-".join)
async def test_what_was_killed_is_named(system: System, names: Sequence[str]) -> None:
    async with well_again(system):
        with killed(system, names):
            status, checks = await diagnose(system)
        assert status == 1
        assert all(checks[f"process {name}"]["found"].endswith("is gone") for name in names)
        found = wrong(checks)
        for name, part in (("jobstore", "jobstore"), ("kafka", "kafka"), ("postgres", "database")):
            assert (part in found) == (name in names)
        assert "token" not in found
        if names == ["jobstore"]:
            assert checks["jobstore"]["found"].startswith("nothing listens at ")


async def test_a_worker_that_is_silent_is_named_by_its_last_sign_of_life(system: System) -> None:
    """Also on another machine, where nobody sees its process."""
    async with well_again(system):
        with frozen(system.endpoints["processes"]["executor"]):
            await until_found(system, "executors", "none is heard of; last heard of: ")


async def test_a_wrong_token_is_named_and_nothing_else(system: System) -> None:
    status, checks = await diagnose(system, "--token", "wrong")
    assert (status, wrong(checks)) == (1, {"token"})


FULL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE UPDATE ON epochs EXECUTE FUNCTION refuse();
"""
#: What makes a database one of before, and what undoes it.
BEFORE = {
    "database_older_than_facts": (
        """CREATE TABLE lost AS SELECT * FROM job_logs ORDER BY seq DESC LIMIT 1;
        DELETE FROM job_logs WHERE seq IN (SELECT seq FROM lost); UPDATE relay SET offsets = '{}'""",
        "INSERT INTO job_logs SELECT * FROM lost; DROP TABLE lost",
    ),
    "unknown_revision": (
        "UPDATE alembic_version SET version_num = 'x' || version_num",
        "UPDATE alembic_version SET version_num = substr(version_num, 2)",
    ),
}


async def test_a_full_disk_is_named(system: System) -> None:
    database = await asyncpg.connect(system.endpoints["postgres"])
    async with well_again(system):
        await database.execute(FULL)
        check = await until_found(system, "database", "disk is full")
        await database.execute("DROP FUNCTION refuse() CASCADE")
    await database.close()
    assert "free space" in check["remedy"]


@pytest.mark.parametrize("code", list(BEFORE))
async def test_a_jobstore_that_ends_at_a_database_of_before_says_so(system: System, code: str) -> None:
    make, undo = BEFORE[code]
    await system.calm()
    database = await asyncpg.connect(system.endpoints["postgres"])
    async with well_again(system):
        await database.execute(make)
        system.kill("jobstore")
        try:
            check = await until_found(system, "jobstore", f"ended by {code}")
        finally:
            await database.execute(undo)
    await database.close()
    assert "docs/operations/" in check["found"]


async def test_a_foreign_version_and_a_skewed_clock_are_named(system: System) -> None:
    async with reporting(system, version="9.9"), reporting(system, ahead=timedelta(hours=-1)):
        status, checks = await diagnose(system)
    assert (status, wrong(checks)) == (1, {"versions", "clocks"})
    assert "9.9: executor" in checks["versions"]["found"]
    assert "3600 s behind" in checks["clocks"]["found"]
    await until_well(system)


async def test_who_steals_partitions_of_a_group_is_named_and_what_stands_still_for_it(system: System) -> None:
    """No process of ours is to blame, so that all stay ready; once the strangers leave, all goes on."""
    jobs = [await system.create() for _ in range(12)]
    async with well_again(system):
        async with stealing(system, 3):
            for job in jobs:
                await system.client.execute_job(job.id)
            began = time.monotonic()
            group = await until_found(system, f"group {EXECUTOR_GROUP}", "have not moved")
            assert time.monotonic() - began < 40
            metrics = system.endpoints["metrics"]["jobstore"]
            async with aiohttp.ClientSession() as session:
                async with session.get(metrics) as answer:
                    told = await answer.text()
                async with session.get(metrics.replace("/metrics", "/readyz")) as answer:
                    assert answer.status == 200
        for job in jobs:
            assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert group["found"].count("thief at 127.0.0.1") == 3
    assert "end it" in group["remedy"]
    assert f'signoff_group_strangers{{group="{EXECUTOR_GROUP}"}} 3.0' in told
    assert f'signoff_group_stalled_partitions{{group="{EXECUTOR_GROUP}"}} 0.0' not in told
