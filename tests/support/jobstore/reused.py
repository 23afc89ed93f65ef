"""Jobs whose verdicts and results may be reused, and what is kept of them."""

from typing import Any

from sqlalchemy import text

from contracts.resources import NewAgent
from jobstore.engine.database import Database
from jobstore.executions.claims import ClaimAnswer, ClaimJudging, ClaimOutcome
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from support.jobstore.steps import CRITERIA, Steps, result, verdict

JUDGE = "a-model (chat, prompt 1)"
SURE = NewAgent(id="sure", name="sure", url="http://127.0.0.1:1/", deterministic=True)


class Life(Steps):
    """One job, whose result is judged by `judge`."""

    judge = JUDGE

    async def claim_judging(self, lease: int, owner: Any = None, room: int = 10, **fields: Any) -> ClaimAnswer:
        event = result(self.execution_id, self.job_id, lease, **fields)
        command = ClaimJudging(event, owner or self.validator, room, judge=self.judge, actor=SIGNOFF)
        answer: ClaimAnswer = await self.runner.claim.run_one(command)
        return answer

    async def judged(self, outcome: Outcome = Outcome.PASS, value: Any = "blue", **fields: Any) -> "Life":
        """To the end, by the judge itself."""
        lease = await self.running(**fields)
        criteria = fields.get("acceptance_criteria", CRITERIA)
        claimed = await self.claim_judging(lease, value=value, acceptance_criteria=criteria)
        assert claimed.outcome == ClaimOutcome.GRANTED, claimed
        assert claimed.execution is not None
        told = verdict(outcome, criteria=criteria, model="a-model")
        await self.report(claimed.execution.lease, ReportKind.VERDICT, verdict=told, model_and_prompt=self.judge)
        return self

    async def at_judge(self, value: Any = "blue", room: int = 10, **fields: Any) -> ClaimAnswer:
        """How the claim of its judging is answered."""
        lease = await self.running(**fields)
        criteria = fields.get("acceptance_criteria", CRITERIA)
        return await self.claim_judging(lease, value=value, room=room, acceptance_criteria=criteria)


async def rows(database: Database) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(text("SELECT * FROM reusable ORDER BY created_at")))


async def aged(database: Database, seconds: float) -> None:
    async with database.transaction() as connection:
        older = "UPDATE reusable SET created_at = created_at - make_interval(secs => :s)"
        await connection.execute(text(older), {"s": seconds})
