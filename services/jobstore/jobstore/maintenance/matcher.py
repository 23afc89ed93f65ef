"""Tries again to find agents for the jobs that wait for one: whenever agents change, and now and then."""

import asyncio
from typing import Final

from jobstore.commands.base import Command
from jobstore.commands.jobs import MatchJob
from jobstore.domain.matching import best, missing
from jobstore.runner import CommandRunner
from jobstore.storage import candidates
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

CHUNK: Final = 500
#: A job that was created while its agent was registered, and saw it not, waits so long.
POLL_S: Final = 30.0


class Matcher:
    """Jobs for which nothing has changed cost a read: nobody else waits for them, and their logs do not grow."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self._database = database
        self._runner = runner
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Try again, for ever; woken by each commit that changes an agent."""
        await run_forever(self.match, name="matcher", every_s=POLL_S, wake=self.wake)

    async def match(self) -> None:
        """Try once to find an agent for every job that waits for one."""
        after: str | None = ""
        while after is not None:
            commands, after = await self._worth_trying(after)
            await self._runner.match.run(commands)

    async def _worth_trying(self, after: str) -> tuple[list[Command], str | None]:
        """Of the next jobs those that match now, or lack something else than before; and behind which job to go on."""
        async with self._database.session() as session:
            rows = await candidates.waiting(session, after, CHUNK)
            needs = {name for row in rows for name in row.capabilities}
            there = [c for _, c in await candidates.with_any(session, needs)] if needs else []
        worth: list[Command] = [
            MatchJob(row.id, row.version)
            for row in rows
            if best(row.id, row.capabilities, there) or missing(row.capabilities, there) != row.missing
        ]
        return worth, rows[-1].id if len(rows) == CHUNK else None
