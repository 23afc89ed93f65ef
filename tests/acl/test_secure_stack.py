"""`signoff up --secure`: each service has a user of its own, and can do what it has to, with its ACLs alone."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

READY_S = 120


async def signoff(*arguments: str | Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[Path]:
    """Run the whole system, and yield the file of its addresses."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    command = (sys.executable, "-m", "cli", "up", "--secure", "--short-lived", "--data-dir", str(folder))
    with (folder / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    endpoints = folder / "endpoints.json"
    try:
        async with asyncio.timeout(READY_S):
            while not endpoints.exists():  # noqa: ASYNC110 - a file has no event to wait for
                await asyncio.sleep(0.1)
        yield endpoints
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@pytest.mark.acl
@pytest.mark.timeout(400)
async def test_the_demo_and_the_operators_commands_end_well(tmp_path: Path) -> None:
    async with up(tmp_path) as endpoints:
        postgres = json.loads(await asyncio.to_thread(endpoints.read_text))["postgres"]
        at = urlsplit(postgres)
        assert "sslmode=verify-full" in at.query
        database = at._replace(path=f"{at.path}_rebuilt").geturl()
        commands = (
            ("demo",),
            ("doctor",),
            ("replay", "job-changed"),
            ("replay", "execute-requested", "--publish", "--yes"),
            ("dlq", "list"),
            ("rebuild", "--create", "--database-url", database),
            ("verify", "--database-url", database),
        )
        for command in commands:
            status, said = await signoff(*command, "--endpoints", endpoints)
            assert status == 0, said
        assert "SASL_SSL as operator" in (await signoff("doctor", "--endpoints", endpoints))[1]
        logs = [path.read_text() for path in (tmp_path / "logs").glob("*.log*") if not path.name.startswith("kafka")]
    assert logs
    assert not any(word in log for log in logs for word in ("AuthorizationFailed", "kafka_forbidden", "kafka_unauth"))
