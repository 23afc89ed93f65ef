"""A rebuild has of removed jobs what stays of them, whichever executions their entries name."""

from functools import partial
from pathlib import Path
from typing import Any

from support.archived import HistoryInMemory
from support.jobstore.archiving import KEYS, Archiving
from support.jobstore.removed import removed, rows_of
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.steps import Steps, verdict
from told_facts import empty, rebuilding, verified

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id


async def test_of_jobs_of_one_execution_and_of_two_the_same_is_rebuilt(
    database: Database, runner: CommandRunner, database_url: str, postgres: str, tmp_path: Path
) -> None:
    archiving = Archiving(database, TopicsInMemory(), tmp_path)
    of_one, of_two = Steps(database, runner), Steps(database, runner)
    for steps, outcome in ((of_one, Outcome.PASS), (of_two, Outcome.FAIL)):
        await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=verdict(outcome))
    await runner.submit.run_one(ExecuteJob(of_two.job_id, new_execution_id(), chosen=True, actor=SIGNOFF))
    await runner.submit.run_one(CancelJob(of_two.job_id, actor=SIGNOFF))
    await archiving.publish()
    assert await removed(database, runner, of_one.job_id, of_two.job_id) == {}
    await archiving.publish()

    history: Any = partial(HistoryInMemory, archiving.topics)
    async with empty(postgres) as (rebuilt, url):
        await rebuilding(rebuilt, history, KEYS).run()

        assert (await verified(url, database_url))["ok"]
        for each in (database, rebuilt):
            assert [row.execution_id for row in await rows_of(each, "executions", "true")] == [of_two.execution_id]
