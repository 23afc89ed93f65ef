"""The command line before a jobstore on a real database, since who may what is its own to decide."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from support.jobstore.tables import database, database_url, template
from support.real_console import TOKEN, jobstore_on

from jobstore.engine.database import Database
from signoff import AsyncClient

__all__ = ["database", "database_url", "template"]

FILE = "config/signoff/profiles.json"


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM tokens"))
    async with jobstore_on(database) as (_, address):
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address, TOKEN) as client:
        yield client


@pytest.fixture
def env(address: str, env: dict[str, str | None]) -> dict[str, str | None]:
    return env | {"SIGNOFF_JOBSTORE": address, "SIGNOFF_TOKEN": TOKEN}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE
