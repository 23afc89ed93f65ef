"""Facts of a job that are published, and that an archiver can archive."""

from pathlib import Path

import pytest
from support.jobstore.archiving import Archiving
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner


@pytest.fixture
async def archiving(database: Database, tmp_path: Path) -> Archiving:
    archiving = Archiving(database, TopicsInMemory(), tmp_path / "archive")
    await archiving.execute("UPDATE relay SET published_seq = 0, offsets = '{}', signers = '[]'")
    await archiving.forget()
    return archiving


@pytest.fixture
async def published(archiving: Archiving, database: Database, runner: CommandRunner) -> Archiving:
    await Steps(database, runner).running()
    await archiving.publish()
    return archiving
