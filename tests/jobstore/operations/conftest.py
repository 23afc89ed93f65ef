"""No batch of an earlier test is left, and there is room for every execution."""

import pytest
from batch_world import World
from rejudge_world import Validator
from support.jobstore.steps import seen

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import ExecutionStage


@pytest.fixture
async def world(database: Database, runner: CommandRunner) -> World:
    made = World(database, runner)
    for table in ("operation_items", "operations", "executions", "workers", "limits"):
        await made.sql(f"DELETE FROM {table}")
    await seen(database, ExecutionStage.EXECUTING, 1_000)
    return made


@pytest.fixture
async def validator(world: World) -> Validator:
    await world.sql("DELETE FROM judgings")
    return Validator(world)
