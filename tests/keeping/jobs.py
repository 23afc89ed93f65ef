"""Steady jobs, of which some are to be removed and others are to stay; each has a word that says which."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import uuid4

from aiohttp import web

from contracts.resources import NewJob
from signoff import AsyncClient, SignoffError
from signoff.status import RESTING, OperationKind
from signoff.types import Job

T = TypeVar("T")

AGENT: Final = "echo"
#: Of which a retention removes what is older than a minute.
BRIEF: Final = "brief"
BRIEF_S: Final = 60.0
#: The words of what is to be gone, and of what is to stay, begin so.
GONE, KEPT = "goneheron", "keptheron"
#: Seconds between two jobs, and between two looks at what can be removed.
PACE_S, LOOK_S = 0.3, 2.0
PATIENCE_S: Final = 240.0
#: What is asked again: nobody answered.
AGAIN: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED"})


class Fate(StrEnum):
    """What is to become of a job."""

    REMOVED = "removed"
    EXPIRED = "expired"
    STAYS = "stays"
    HELD = "held"


FATES: Final = tuple(Fate)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that was asked for."""

    id: str
    fate: Fate
    word: str

    @property
    def is_gone(self) -> bool:
        """Whether it is to be removed in the end."""
        return self.fate in {Fate.REMOVED, Fate.EXPIRED}


def make(number: int, fate: Fate | None = None) -> Asked:
    """Return a job by its number; `fate`: its own is chosen by its number."""
    fate = fate or FATES[number % len(FATES)]
    word = GONE if fate in {Fate.REMOVED, Fate.EXPIRED} else KEPT
    prefix = f"{BRIEF}:" if fate is Fate.EXPIRED else ""  # as ids in a tenant begin
    return Asked(f"{prefix}job-{number}", fate, f"{word}{number}x")


async def echo(request: web.Request) -> web.Response:
    """Answer as an agent that repeats its payload."""
    body = await request.json()
    return web.json_response({"text": f"The sky is blue, {body['payload']['word']}."})


@dataclass
class Steady:
    """A client that asks for jobs, holds some, and has others removed, whatever becomes of jobstores meanwhile."""

    client: AsyncClient
    asked: list[Asked] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    async def prepare(self, agent_url: str) -> None:
        """Make the agent, the tenant and its retention."""
        await self.client.create_agent(id=AGENT, name=AGENT, url=agent_url)
        await self.client.create_tenant(name=BRIEF)
        await self.client.set_retention(f"tenant:{BRIEF}", completed_s=BRIEF_S)

    async def ask_all(self) -> None:
        """Ask for one job after the other until it is over."""
        while not self.is_over:
            began = time.monotonic()
            await self.ask(make(len(self.asked)))
            await asyncio.sleep(max(0.0, began + PACE_S - time.monotonic()))

    async def ask(self, job: Asked) -> None:
        """Ask for a job until it is executed, and hold it if it is to be held."""
        execution_id = uuid4()
        new = NewJob(
            id=job.id,
            title=f"Describe the sky, {job.word}",
            payload={"word": job.word},
            acceptance_criteria='Says "blue"',
            agent_id=AGENT,
            tenant=BRIEF if job.fate is Fate.EXPIRED else "default",
        )
        await self.until_done(lambda: self.client.create_job(new))
        if job.fate is Fate.HELD:
            await self.until_done(lambda: self.client.hold_job(job.id, "a proof"))
        await self.until_done(lambda: self.client.execute_job(job.id, execution_id))
        self.asked.append(job)

    async def remove_all(self) -> None:
        """Have removed what is to be removed, and what is held, which stays, until all has gone that is to go."""
        while not (self.is_over and not self.left()):
            if some := [job.id for job in self.asked if job.fate is Fate.HELD][-3:] + self.left()[:100]:
                await self.remove(some)
            await asyncio.sleep(LOOK_S)

    def left(self) -> list[str]:
        """The jobs that are still to be removed by an operation."""
        return [job.id for job in self.asked if job.fate is Fate.REMOVED and job.id not in self.removed]

    async def remove(self, job_ids: Sequence[str]) -> None:
        """Remove jobs by an operation, and note what became of each."""
        key = f"remove-{time.monotonic_ns()}"
        operation = await self.until_done(
            lambda: self.client.create_operation(
                kind=OperationKind.REMOVE, job_ids=list(job_ids), reason="a proof", idempotency_key=key
            )
        )

        async def read() -> list[Any]:
            async for _ in self.client.watch_operation(operation.id):
                pass
            return [item async for item in self.client.iter_operation_items(operation.id)]

        for item in await self.until_done(read):
            self.refused[item.code or item.outcome] += 1
            if item.outcome == "DONE" or item.code == "job_removed":
                self.removed.add(item.job_id)

    async def until_done(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask until it is answered; asked twice, it is done once."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await call()
                except SignoffError as error:
                    if error.grpc_status.name not in AGAIN:
                        raise
                    self.errors[f"{error.grpc_status.name} {error.code}"] += 1
                except TimeoutError:
                    self.errors["timeout"] += 1
                await asyncio.sleep(0.2)

    async def find(self, job: Asked) -> Job | str:
        """Return a job, or the code by which it is refused."""
        while True:
            try:
                return await self.client.get_job(job.id)
            except SignoffError as error:
                if error.grpc_status.name not in AGAIN:
                    return error.code
            await asyncio.sleep(0.2)

    async def until_rested(self) -> None:
        """Wait until each job that stays rests, and each other is removed."""
        async with asyncio.timeout(PATIENCE_S):
            for job in self.asked:
                while True:
                    found = await self.find(job)
                    if isinstance(found, str) or (not job.is_gone and found.status in RESTING):
                        break
                    await asyncio.sleep(0.2)
