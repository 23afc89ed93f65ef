"""What operators do meanwhile: limits, pauses, an agent that changes, replays and a rebuild; drawn from the seed."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from contracts.client import JobStoreClient
from contracts.resources import NewAgent
from faults.checking.rebuilding import rebuilt_part
from faults.stack.crowd import Crowd, RefusedError
from faults.stack.strangers import LUNAR, MOON, registered
from faults.stack.wishes import LIMITS, PRESS
from localstack.services import Addresses
from servicekit.errors import TransientError

EVERY_S = 6.0
AWAY_S = 2.5
#: A rebuild that was begun in the midst succeeds so long after the storm at the latest.
REBUILT_WITHIN_S = 300.0
#: Of what was written in so many of the last seconds, an operator publishes all again.
REPLAYED_SINCE = "20s"


@dataclass(slots=True)
class Operator:
    """One who has a chore now and then, and sees it through."""

    crowd: Crowd
    client: JobStoreClient
    addresses: Addresses
    agents_url: str
    attempt_timeout_s: float
    seed: int
    #: What was done, and how often.
    done: Counter[str] = field(default_factory=Counter)
    #: Why a rebuild in the midst was none; None: it was made, and is a part of what there is.
    rebuilt: str | None = "nothing was rebuilt in the midst"

    async def prepare(self) -> None:
        """Set the limits."""
        for name, limit in LIMITS.items():
            await self.client.set_limit(name, limit)

    async def run(self, lasts_s: float) -> None:
        """Chores, for a time; and in its midst a rebuild."""
        random, began = Random(f"operator/{self.seed}"), time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rebuild(began + lasts_s / 2, began + lasts_s + REBUILT_WITHIN_S))
            while time.monotonic() < began + lasts_s:
                chore = random.choice((self._pause_agent, self._pause_tenant, self._change_agent, self._replay))
                await chore(random)
                await asyncio.sleep(random.uniform(0, 2 * EVERY_S))

    async def _pause_agent(self, _random: Random) -> None:
        await self._away("agent:slow", "an agent was paused")

    async def _pause_tenant(self, _random: Random) -> None:
        await self._away(f"tenant:{PRESS}", "a tenant was paused")

    async def _away(self, name: str, what: str) -> None:
        await self._see_through(lambda: self.client.pause(name))
        await asyncio.sleep(AWAY_S)
        await self._see_through(lambda: self.client.resume(name))
        self.done[what] += 1

    async def _change_agent(self, _random: Random) -> None:
        """What an agent can do, nobody can for a while."""
        (agent,) = [one for one in registered(self.agents_url, self.attempt_timeout_s) if one.id == LUNAR]
        await self._update(agent.model_copy(update={"capabilities": []}))
        await asyncio.sleep(AWAY_S)
        await self._update(agent.model_copy(update={"capabilities": [MOON]}))
        self.done["an agent lost a capability for a while"] += 1

    async def _update(self, agent: NewAgent) -> None:
        await self._see_through(lambda: self.client.update_agent(LUNAR, agent))

    async def _replay(self, random: Random) -> None:
        topic = random.choice(("execute-requested", "result-produced", "job-status-reported"))
        try:
            await self.crowd.signoff("replay", topic, "--since", REPLAYED_SINCE, "--publish", "--yes")
            self.done["a topic was replayed"] += 1
        except (RefusedError, TransientError, TimeoutError):  # the broker is away
            self.done["a replay failed"] += 1

    async def _rebuild(self, at: float, until: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        while self.rebuilt is not None and time.monotonic() < until:
            self.rebuilt = await rebuilt_part(self.addresses)
            why = f" failed: {self.rebuilt.strip().splitlines()[-1][:120]}" if self.rebuilt else ""
            self.done[f"a rebuild in the midst{why}"] += 1
            await asyncio.sleep(1)

    async def _see_through(self, operation: Callable[[], Awaitable[object]]) -> None:
        try:
            await self.crowd.until_answered(operation)
        except TimeoutError:
            self.crowd.odd.append("the operator was never answered")
