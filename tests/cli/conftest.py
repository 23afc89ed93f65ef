"""The command line before a jobstore in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from support.fake_jobstore import TOKEN, FakeJobStore, running_jobstore
from support.fake_jobstore import Server as JobStoreServer
from typer.testing import CliRunner

from cli.__main__ import app


@dataclass
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
async def jobstore_server() -> AsyncIterator[JobStoreServer]:
    async with running_jobstore() as server:
        yield server


@pytest.fixture
def jobstore(jobstore_server: JobStoreServer) -> FakeJobStore:
    return jobstore_server.store


@pytest.fixture
def env(jobstore_server: JobStoreServer, tmp_path, monkeypatch) -> dict[str, str | None]:
    monkeypatch.chdir(tmp_path)
    keys = [f"SIGNOFF_{name}{file}" for name in ("SECRETS", "FACT_KEYS") for file in ("", "_FILE")]
    others = [f"SIGNOFF_{name}" for name in ("ENDPOINTS", "KAFKA", "HTTP", "TOKEN_FILE", "PROFILE", "TENANT")]
    nowhere = dict.fromkeys([*others, *keys]) | {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    return nowhere | {"SIGNOFF_JOBSTORE": jobstore_server.address, "SIGNOFF_TOKEN": TOKEN, "COLUMNS": "200"}


@pytest.fixture
def signoff(env) -> Callable[..., Any]:
    """Runs a command as the shell would, beside the jobstore that it talks to."""

    async def run(*arguments: str, stdin: str | None = None) -> Ran:
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=env, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run
