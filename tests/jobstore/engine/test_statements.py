"""How many statements each step of a life takes between BEGIN and COMMIT: two locks, what must be loaded, one write."""

from collections.abc import Awaitable, Callable

from support.jobstore.reused import JUDGE, Life
from support.jobstore.statements import recorded_statements
from support.jobstore.steps import verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind


async def count(step: Callable[[], Awaitable[object]]) -> int:
    with recorded_statements() as statements:
        await step()
    return len(statements)


async def test_the_steps_of_a_life(database: Database, runner: CommandRunner) -> None:
    life = Life(database, runner)
    requested = ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=SIGNOFF)
    taken = {
        "create, with its agent": await count(life.created),
        "request, with its agent": await count(lambda: runner.submit.run_one(requested)),
        "claim": await count(life.claim),
        "claim again": await count(life.claim),
        "call begun": await count(lambda: life.report(1, ReportKind.CALL_BEGUN)),
        "result": await count(lambda: life.result(1)),
        "result again": await count(lambda: life.result(1)),
        "judging claim, with the verdict to reuse": await count(lambda: life.claim_judging(1)),
        "verdict, with who judged": await count(
            lambda: life.report(2, ReportKind.VERDICT, verdict=verdict(), model_and_prompt=JUDGE)
        ),
    }
    assert taken == {
        "create, with its agent": 3,
        "request, with its agent": 3,
        "claim": 3,
        "claim again": 3,
        "call begun": 3,
        "result": 3,
        "result again": 2,
        "judging claim, with the verdict to reuse": 4,
        "verdict, with who judged": 3,
    }


async def test_what_ends_or_follows(database: Database, runner: CommandRunner) -> None:
    cancelled, given_back, followed = (Life(database, runner) for _ in range(3))
    await cancelled.running()
    await given_back.running()
    await given_back.due(-1)
    await followed.running(policy={"resubmit": "automatic"})
    await followed.claim_judging(1, value="a result that nobody has judged")
    told = verdict(Outcome.FAIL)
    assert await count(lambda: runner.submit.run_one(CancelJob(cancelled.job_id, actor=SIGNOFF))) == 3
    assert await count(given_back.lapsed) == 3
    assert await count(lambda: followed.report(2, ReportKind.VERDICT, verdict=told)) == 6, "spec, agent and history"


async def test_a_batch_takes_no_more_than_one_command(database: Database, runner: CommandRunner) -> None:
    lives = [await Life(database, runner).requested() for _ in range(5)]
    commands = [CancelJob(life.job_id, actor=SIGNOFF) for life in lives]
    assert await count(lambda: runner.carry_out(commands)) == 3
