"""A client of a jobstore that knows no tokens but those of its environment, and has kept nothing yet."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from support.real_console import TOKEN, jobstore_on

from jobstore.engine.database import Database
from signoff import AsyncClient


@pytest.fixture
async def client(database: Database) -> AsyncIterator[AsyncClient]:
    async with database.transaction() as connection:
        for table in ("tokens", "audit", "limits"):
            await connection.execute(text(f"DELETE FROM {table}"))
    async with jobstore_on(database) as (_, address), AsyncClient(address, TOKEN) as client:
        yield client
