"""Cancels of executions that nobody has asked for: remembered for a time, and only so many."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import Steps, new_job

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import ConflictError, RefusedError
from jobstore.executions import store as executions
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.sweeper import Cleanup
from jobstore.jobs.model import SIGNOFF, ExecutionState
from jobstore.subjects import STORES
from signoff.values import new_execution_id

DAY_S = 86_400


@pytest.fixture
async def steps(database: Database, runner: CommandRunner) -> Steps:
    async with database.transaction() as connection:
        for table in ("executions", "facts"):
            await connection.execute(text(f"DELETE FROM {table}"))
    return Steps(database, runner)


@pytest.fixture
def few(database: Database, runner: CommandRunner) -> CommandRunner:
    """A jobstore that remembers three."""
    return CommandRunner(database, STORES, replace(runner.terms, remembered_max=3))


async def cancel(runner: CommandRunner, *execution_ids: UUID) -> list[Any]:
    return list(
        await runner.record.run([CancelJob(None, execution_id, actor=SIGNOFF) for execution_id in execution_ids])
    )


async def known(database: Database) -> set[UUID]:
    async with database.session() as session:
        return set(await session.scalars(text("SELECT execution_id FROM executions")))


async def read_facts(database: Database) -> list[tuple[str, str]]:
    async with database.session() as session:
        rows = await session.execute(text("SELECT body ->> 'execution_id', body ->> 'answer' FROM facts ORDER BY seq"))
        return [tuple(row) for row in rows]


async def age(database: Database, seconds: float) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE executions SET due_at = due_at - make_interval(secs => :s)"), {"s": seconds}
        )


async def forget(database: Database) -> int:
    return await Cleanup(database, "cancels", executions.forget_remembered, executions.FORGET_BATCH).forget()


async def test_beyond_the_bound_a_cancel_is_refused_and_not_remembered(
    steps: Steps, few: CommandRunner, caplog: Any
) -> None:
    caplog.set_level("INFO")
    ids = [new_execution_id() for _ in range(5)]
    assert await cancel(few, *ids[:2], ids[0]) == [None] * 3
    assert await cancel(few, *ids[2:]) == [None] * 3
    assert await known(steps.database) == set(ids[:3])
    assert [line.code for line in caplog.records if hasattr(line, "code")] == ["too_many_cancels"] * 2
    steps.execution_id = ids[4]
    await steps.requested()  # which was not remembered
    await cancel(few, ids[4])  # and a cancel of what is known is never refused
    assert (await steps.row()).answer == "cancelled"


async def test_none_leaves_a_fact_until_its_execution_is_asked_for(steps: Steps, database: Database) -> None:
    ids = [new_execution_id() for _ in range(3)]
    await cancel(steps.runner, *ids)
    assert await read_facts(database) == []
    await steps.created()
    for _ in range(2):
        with pytest.raises(RefusedError) as refused:
            await steps.runner.submit.run_one(ExecuteJob(steps.job_id, ids[0], chosen=True, actor=SIGNOFF))
        assert refused.value.code == "cancelled"
        steps.execution_id = ids[1]
        assert (await steps.claim()).code == "cancelled"
    assert await read_facts(database) == [(str(ids[0]), "cancelled"), (str(ids[1]), "cancelled")]
    await age(database, 8 * DAY_S)
    assert await forget(database) == 1, "what was answered is kept"
    assert await known(database) == set(ids[:2])


async def test_it_is_kept_for_seven_days_and_then_forgotten(steps: Steps, database: Database) -> None:
    await cancel(steps.runner, steps.execution_id)
    await age(database, 7 * DAY_S - 60)
    assert await forget(database) == 0
    assert (await steps.claim(inline=new_job())).code == "cancelled"
    steps.execution_id = new_execution_id()
    await cancel(steps.runner, steps.execution_id)
    await age(database, 7 * DAY_S + 60)
    assert await forget(database) == 1
    assert (await steps.claim(inline=new_job())).outcome == "GRANTED"


async def test_a_cancel_and_its_request_in_one_transaction(steps: Steps, database: Database) -> None:
    await steps.created()
    asked = ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF)
    _, refused = await steps.runner.carry_out([CancelJob(None, steps.execution_id, actor=SIGNOFF), asked])
    assert refused.code == "cancelled"
    assert await read_facts(database) == [(str(steps.execution_id), "cancelled")]
    assert (await steps.row()).due_at is None


async def test_no_door_tells_anything_of_another_tenants_execution(steps: Steps) -> None:
    await steps.requested(tenant="theirs", title="a secret")
    own = await Steps(steps.database, steps.runner).created(tenant="ours")
    told = []
    with pytest.raises(ConflictError) as refused:
        await own.runner.submit.run_one(ExecuteJob(own.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    told.append(refused.value)
    with pytest.raises(ConflictError) as refused:
        await own.runner.submit.run_one(CancelJob(own.job_id, steps.execution_id, actor=SIGNOFF))
    told.append(refused.value)
    own.execution_id = steps.execution_id
    answer = await own.claim(owner=uuid4())
    assert {error.code for error in told} | {answer.code} == {"execution_conflict"}
    for words in (*map(str, told), answer.message):
        assert words == "the execution id is another job's"
    assert answer.execution is None
    assert (await steps.row()).state is not ExecutionState.DONE
