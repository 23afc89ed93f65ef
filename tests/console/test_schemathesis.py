"""Whatever may be asked of the REST doors, and much that may not, against a real jobstore: nothing is found.

Event streams have no end, and are left to the tests of events; dead letters need a broker, and are left to theirs.
"""

import asyncio
import sys
from pathlib import Path

import pytest
from support.real_console import TOKEN, real_console

from jobstore.tasks import rules

CONFIG = Path(__file__).with_name("schemathesis.toml")
COMMAND = (
    f"-m schemathesis.cli --config-file {CONFIG} run --checks all --phases examples,coverage,fuzzing --max-examples 6 "
    "--generation-deterministic --continue-on-failure --max-failures 30 "
    "--exclude-path-regex (/events|/dead-letters/resolve)$ --suppress-health-check all "
    "--no-color --warnings off --request-timeout 20"
).split()
HEADER = ("-H", f"Authorization: Bearer {TOKEN}")


@pytest.mark.timeout(600)
async def test_nothing_is_found(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody ends the tries of agents: a hundred requests would be refused, each again and again until it times out.
    monkeypatch.setattr(rules, "TRIES_MAX", 10_000)
    async with real_console(postgres, timeout_s=3.0) as console:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            *HEADER,
            f"{console.url}/openapi.json",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
