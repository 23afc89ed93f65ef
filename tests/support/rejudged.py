"""Jobs whose results are judged again."""

from uuid import uuid4

from jobstore.jobs.model import BOOTSTRAP, VALIDATOR
from jobstore.judging import store as judgings
from jobstore.judging.judgings import FinishJudging, QueueRejudging
from jobstore.judging.rules import NewJudging
from signoff.status import JudgingKind, Outcome
from support.jobstore.steps import Steps, verdict


async def rejudged(steps: Steps, outcome: Outcome) -> None:
    """The job's last result is judged again for real."""
    judging = NewJudging(uuid4(), JudgingKind.REJUDGE, uuid4(), 0, execution_id=steps.execution_id, job_id=steps.job_id)
    await steps.runner.submit.run_one(QueueRejudging(judging, actor=BOOTSTRAP))
    async with steps.database.session() as session:
        (granted,) = await judgings.grant(session, uuid4(), 1, 10.0)
    finish = FinishJudging(
        judging.id,
        granted.lease,
        verdict(outcome).model_dump_json(),
        cost_nanos=250_000_000,
        tokens=3,
        duration_s=1.5,
        execution_id=steps.execution_id,
        job_id=steps.job_id,
        actor=VALIDATOR,
    )
    assert await steps.runner.judge.run_one(finish)
