"""A job is held, and released; and many are removed by an operation, which an administrator alone may ask for."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.removed import archived, removed, rows_of
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import NotFoundError
from jobstore.jobs.model import Actor
from jobstore.jobs.waits import explain_jobs
from jobstore.keeping.holds import HoldJob, ReleaseJob
from jobstore.operations.commands import CreateOperation, OperationSpec
from jobstore.operations.reads import get as get_operation
from jobstore.operations.worker import OperationWorker, make_items
from signoff.status import OperationKind, Outcome, ReportKind

AUDITOR = Actor("token:auditor")


async def test_what_is_held_is_not_removed_and_what_is_released_is(steps: Steps) -> None:
    await steps.created()
    for _ in range(2):
        held = await steps.runner.administer.run_one(HoldJob(steps.job_id, "an audit", actor=AUDITOR))
        assert (held.reason, held.actor) == ("an audit", AUDITOR)
    assert (await removed(steps.database, steps.runner, steps.job_id))[steps.job_id].code == "job_held"
    for _ in range(2):
        await steps.runner.administer.run_one(ReleaseJob(steps.job_id, actor=AUDITOR))
    assert await removed(steps.database, steps.runner, steps.job_id) == {}
    of_hold = "body ->> 'kind' = 'holds' AND key = :id ORDER BY seq"
    told = await rows_of(steps.database, "facts", of_hold, id=steps.job_id)
    assert ['"removed" : true' in row.body for row in told] == [False, True]


@pytest.mark.parametrize("command", [HoldJob, ReleaseJob])
async def test_a_job_that_is_not_there_is_not_held(steps: Steps, command: Any) -> None:
    with pytest.raises(NotFoundError) as error:
        await steps.runner.administer.run_one(command(str(uuid4()), actor=AUDITOR))
    assert error.value.code == "unknown_job"
    await steps.created()
    await removed(steps.database, steps.runner, steps.job_id)
    with pytest.raises(NotFoundError) as error:
        await steps.runner.administer.run_one(command(steps.job_id, actor=AUDITOR))
    assert error.value.code == "job_removed"


async def carried_out(database: Database, runner: CommandRunner, kind: OperationKind, *jobs: Steps) -> UUID:
    """An operation on these jobs, once each item is answered."""
    operation_id, worker = uuid4(), OperationWorker(database, runner)
    items = make_items(runner.terms.ids, operation_id, [job.job_id for job in jobs])
    spec = OperationSpec(kind, items, parameters={"reason": "asked for"} if kind is OperationKind.REMOVE else {})
    await runner.administer.run_one(CreateOperation(operation_id, spec, actor=AUDITOR))
    while await rows_of(database, "operation_items", "operation_id = :id AND NOT answered", id=operation_id):
        await worker.work()
    return operation_id


async def test_an_operation_removes_jobs_and_says_of_each_why_it_stays(
    database: Database, runner: CommandRunner
) -> None:
    gone, live, held = (Steps(database, runner) for _ in range(3))
    await gone.created()
    await live.requested()
    await held.created()
    await runner.administer.run_one(HoldJob(held.job_id, actor=AUDITOR))
    await archived(database)
    operation_id = await carried_out(database, runner, OperationKind.REMOVE, gone, live, held)
    items = await rows_of(database, "operation_items", "operation_id = :id ORDER BY item", id=operation_id)
    assert [item.code for item in items] == [None, "execution_live", "job_held"]
    (entry,) = await rows_of(database, "job_logs", "job_id = :id AND kind = 'removed'", id=gone.job_id)
    assert (entry.actor, entry.message) == (AUDITOR, "asked for")
    again = await carried_out(database, runner, OperationKind.REMOVE, gone)
    (item,) = await rows_of(database, "operation_items", "operation_id = :id", id=again)
    assert item.code == "job_removed"


async def test_an_operation_keeps_the_outcome_and_the_cost_of_jobs_that_are_removed(
    database: Database, runner: CommandRunner
) -> None:
    steps = await Steps(database, runner).created()
    batch_id = await carried_out(database, runner, OperationKind.EXECUTE, steps)
    (item,) = await rows_of(database, "operation_items", "operation_id = :id", id=batch_id)
    steps.execution_id = item.execution_id
    answer = await steps.claim()
    assert answer.execution is not None
    judged = await steps.claim_judging(answer.execution.lease, usage={"cost_usd": "0.25", "input_tokens": 7})
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))

    async def read() -> Any:
        async with Callers(database).session() as session:
            operation = await get_operation(session, batch_id)
        assert operation is not None
        return operation.counts, operation.cost_usd, operation.tokens

    before = await read()
    assert before[0] == {"COMPLETED": 1}
    async with database.transaction() as connection:
        await connection.driver.execute("UPDATE operations SET state = 'DONE'")
    assert await removed(database, runner, steps.job_id) == {}
    assert await read() == before
    assert before[1] > 0


async def test_an_explanation_of_a_job_says_who_holds_it(steps: Steps) -> None:
    await steps.created()
    for reason, said in ((None, "token:auditor"), ("an audit", "token:auditor: an audit")):
        await steps.runner.administer.run_one(HoldJob(steps.job_id, reason, actor=AUDITOR))
        async with steps.database.session() as session:
            told = (await explain_jobs(session, [steps.job_id], 60.0, places=True))[steps.job_id]
            in_list = (await explain_jobs(session, [steps.job_id], 60.0))[steps.job_id]
        assert (told.held, in_list.held) == (said, None)
        await steps.runner.administer.run_one(ReleaseJob(steps.job_id, actor=AUDITOR))
