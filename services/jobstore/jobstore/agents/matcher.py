"""Find agents for the jobs that wait for one, whenever agents change, and regularly."""

import asyncio
from collections.abc import Sequence
from typing import Final

from jobstore.agents import store as agents
from jobstore.agents.rules import Candidate, choose_usable, describe_missing, find_best
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Row
from jobstore.jobs.commands import MatchJob
from jobstore.jobs.model import SIGNOFF
from servicekit.process.runtime import run_forever

#: How many jobs one transaction matches.
CHUNK: Final = 500
#: The longest wait of a job whose creation and whose agent's registration were concurrent, and so missed each other.
POLL_S: Final = 30.0


class Matcher:
    """Match waiting jobs to agents. A job for which nothing has changed costs a read, and gets no entry in its log."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self._database = database
        self._runner = runner
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Match waiting jobs for ever: every POLL_S, and after each commit that changes an agent."""
        await run_forever(self.match, name="matcher", every_s=POLL_S, wake=self.wake)

    async def match(self) -> None:
        """Try once to find an agent for every job that waits for one."""
        after: str | None = ""
        while after is not None:
            commands, after = await self._select_promising(after)
            await self._runner.match.run(commands)

    async def _select_promising(self, after: str) -> tuple[list[MatchJob], str | None]:
        """Return commands for the next CHUNK waiting jobs after an id, and the id to go on after, None at the end.

        Only jobs that an agent matches now, or whose missing capabilities have changed, get a command.
        """
        async with self._database.session() as session:
            rows = await agents.find_waiting_jobs(session, after, CHUNK)
            needs = {name for row in rows for name in row.capabilities}
            able = [agent for _, agent in await agents.find_with_any(session, needs)] if needs else []
        commands: list[MatchJob] = [
            MatchJob(row.id, row.version, actor=SIGNOFF)
            for row in rows
            if _is_promising(row, choose_usable(able, row.tenant))
        ]
        return commands, rows[-1].id if len(rows) == CHUNK else None


def _is_promising(row: Row, able: Sequence[Candidate]) -> bool:
    """Return whether an agent matches a waiting job now, or the job's missing capabilities have changed."""
    return bool(find_best(row.id, row.capabilities, able)) or describe_missing(row.capabilities, able) != row.missing
