"""Two jobstores on one database, an agent that fails and one that does not."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.steps import Published, Steps

from jobstore.agents.store import get_agent
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.dispatcher import Dispatcher
from signoff.status import Circuit, ReportKind
from signoff.types import Agent

FAILURES = 3


@dataclass
class Breakers:
    """Steps of all of them."""

    database: Database
    one: CommandRunner
    two: CommandRunner
    published: Published

    async def sql(self, query: str, **parameters: Any) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(text(query), parameters)

    async def queued(self, **fields: Any) -> Steps:
        return await Steps(self.database, self.one).requested(**fields)

    async def running(self, **fields: Any) -> tuple[Steps, int]:
        steps = Steps(self.database, self.one)
        return steps, await steps.running(**fields)

    async def fail(self, times: int = 1, kind: ReportKind = ReportKind.ATTEMPT_FAILED, **fields: Any) -> list[Steps]:
        """Calls that are made at once, and then fail."""
        calls = [await self.running() for _ in range(times)]
        for steps, lease in calls:
            await steps.report(lease, kind, **{"retryable": True, "retry_after_s": 1_000.0, **fields})
        return [steps for steps, _ in calls]

    async def opened(self) -> None:
        await self.fail(FAILURES)

    async def half_opened(self) -> None:
        """Open, and its time is over."""
        await self.opened()
        await self.time_over()

    async def time_over(self) -> None:
        await self.sql("UPDATE circuits SET open_until = clock_timestamp()")

    async def row(self) -> Any:
        async with self.database.session() as session:
            return (await session.execute(text("SELECT * FROM circuits WHERE agent_id = 'writer'"))).one_or_none()

    async def agent(self) -> Agent:
        async with self.database.session() as session:
            agent = await get_agent(session, "writer")
        assert agent is not None
        return agent

    async def circuit(self) -> Circuit:
        return (await self.agent()).circuit

    async def offered(self, runner: CommandRunner | None = None) -> list[UUID]:
        self.published.events.clear()
        terms = (runner or self.one).terms
        await Dispatcher(self.database, self.published, terms, SECRETS).offer()  # type: ignore[arg-type]
        return [event.execution_id for event in self.published.events]
