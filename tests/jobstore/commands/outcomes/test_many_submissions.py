"""The thousandth submission of a job costs what the first does."""

from sqlalchemy import text
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id

#: Of each submission an execution that has ended, and five entries.
_ADD = (
    """
    INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id,
        priority, spent, answer, request_version, result_version)
    SELECT md5(:job_id || n)::uuid, :job_id, 'JUDGING', 'DONE', 1, 2, 1, 0, 1 + n % 100, 'writer', 5, 0,
        'rejected', 5 * n + 2, 5 * n + 5 FROM generate_series(0, 999) n
    """,
    """
    INSERT INTO job_logs (job_id, version, status, job_status, kind, execution_id, submission, created_at)
    SELECT :job_id, 5 * n + v, status, status, kind, md5(:job_id || n)::uuid, 1 + n % 100, signoff_now()
    FROM generate_series(0, 999) n, (VALUES (2, 'ASSIGNED', 'requested'), (3, 'IN_PROGRESS', 'claimed'),
        (4, 'IN_PROGRESS', 'call_begun'), (5, 'IN_PROGRESS', 'result'), (6, 'REJECTED', 'not_met'))
        AS e (v, status, kind)
    """,
    "UPDATE jobs SET version = 5001, status = 'REJECTED' WHERE id = :job_id",
)
_READ = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relname = ANY(:names)"


async def test_the_thousandth_submission_reads_as_little_as_the_first(
    database: Database, runner: CommandRunner
) -> None:
    async def submit(steps: Steps) -> int:
        """How many rows a submission reads of what grows with them."""
        before = await _count_read(database)
        steps.execution_id = new_execution_id()
        await runner.submit.run_one(AssignAgent(steps.job_id, "writer", actor=SIGNOFF))
        await runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
        claimed = await steps.claim()
        assert claimed.execution is not None
        await steps.result(claimed.execution.lease)
        judged = await steps.claim_judging(claimed.execution.lease)
        assert judged.execution is not None
        await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
        return await _count_read(database) - before

    first, grown = [await Steps(database, runner).created() for _ in range(2)]
    little = await submit(first)
    async with database.transaction() as connection:
        for statement in _ADD:
            await connection.execute(text(statement), {"job_id": grown.job_id})
    assert await submit(grown) <= 2 * little + 20


async def _count_read(database: Database) -> int:
    async with database.session() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
        return int(await session.scalar(text(_READ), {"names": ["jobs", "job_logs", "executions"]}) or 0)
