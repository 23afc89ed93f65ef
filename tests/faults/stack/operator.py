"""What operators do meanwhile: limits, policies, pauses, an agent that changes, replays, a rebuild, judging again."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from contracts.resources import JobFilter, NewAgent, NewOperation
from faults.checking.canaries import CANARY, PRESS
from faults.checking.judging import POLICIES
from faults.checking.observed import RESTING, Rejudged
from faults.checking.reading import outcomes
from faults.checking.rebuilding import rebuilt_part
from faults.stack.crowd import PATIENCE_S, Crowd, RefusedError
from faults.stack.strangers import LUNAR, MOON, OTHER_CRITERIA, STEADY, registered
from faults.stack.upstreams import STRANGERS
from faults.stack.wishes import BOOKS, LATE, LIMITS
from localstack.services import Addresses
from servicekit.errors import TransientError
from signoff import AsyncClient
from signoff.client import ENDED
from signoff.status import JobStatus, OperationKind

EVERY_S = 6.0
AWAY_S = 2.5
#: A rebuild that was begun in the midst succeeds so long after the storm at the latest.
REBUILT_WITHIN_S = 300.0
#: Of what was written in so many of the last seconds, an operator publishes all again.
REPLAYED_SINCE = "20s"
#: Results that are judged again by name: of the jobs that were asked for last, so that some are live.
JUDGED_AGAIN = 40
#: Judging again, as a shadow and for real, and after which part of the time.
SHADOW, REAL = "judged again as a shadow", "judged again"
_BEGIN_AT = {SHADOW: 0.35, REAL: 0.6}


@dataclass(slots=True)
class Operator:
    """One who has a chore now and then, and sees it through."""

    crowd: Crowd
    client: AsyncClient
    addresses: Addresses
    agents_url: str
    attempt_timeout_s: float
    seed: int
    #: Where facts are archived, of which a rebuild is made then.
    archive: Path | None = None
    #: What was done, and how often.
    done: Counter[str] = field(default_factory=Counter)
    #: Why a rebuild in the midst was none; None: it was made, and is a part of what there is.
    rebuilt: str | None = "nothing was rebuilt in the midst"
    rejudged: list[Rejudged] = field(default_factory=list)

    async def prepare(self) -> None:
        """Register the other tenants, set the limits, and make the judge policies."""
        for tenant in (LATE, *STRANGERS):
            await self.client.create_tenant(name=tenant)
        for name, limit in LIMITS.items():
            await self.client.set_limit(name, limit)
        for policy, models in POLICIES.items():
            name, _, version = policy.partition("@")
            stages = [{"kind": "checks"}, {"kind": name, "judges": [{"model": model} for model in models]}]
            saved = await self.client.put_judge_policy({"name": name, "stages": stages})
            assert saved.version == int(version), saved
        single = {"kind": "single", "judges": [{"model": CANARY}]}
        await self.client.put_judge_policy({"name": f"{PRESS}.{CANARY}-judge", "stages": [single]})
        await self.client.put_criteria_set(f"{PRESS}.{CANARY}-set", f"Is of {CANARY}")
        await self.client.create_token(name=f"{CANARY}-token", role="viewer", tenants=[PRESS])

    async def run(self, lasts_s: float) -> None:
        """Chores, for a time; and in its midst a rebuild, and judging again what has ended by then."""
        random, began = Random(f"operator/{self.seed}"), time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rebuild(began + lasts_s / 2, began + lasts_s + REBUILT_WITHIN_S))
            for how, part in _BEGIN_AT.items():
                group.create_task(self._judge_again(how, began + lasts_s * part))
            while time.monotonic() < began + lasts_s:
                chore = random.choice(
                    (self._pause_agent, self._pause_tenant, self._pause_book, self._change_agent, self._replay)
                )
                await chore(random)
                await asyncio.sleep(random.uniform(0, 2 * EVERY_S))

    async def _pause_agent(self, _random: Random) -> None:
        await self._away("agent:slow", "an agent was paused")

    async def _pause_tenant(self, _random: Random) -> None:
        await self._away(f"tenant:{PRESS}", "a tenant was paused")

    async def _pause_book(self, random: Random) -> None:
        """Once it is resumed, the limit of each book holds as before."""
        await self._away(f"label:book={random.randrange(BOOKS)}", "a book was paused")

    async def _away(self, name: str, what: str) -> None:
        await self._see_through(lambda: self.client.pause(name))
        await asyncio.sleep(AWAY_S)
        await self._see_through(lambda: self.client.resume(name))
        self.done[what] += 1

    async def _change_agent(self, _random: Random) -> None:
        """What an agent can do, nobody can for a while."""
        (agent,) = [
            one for one in registered(self.agents_url, self.agents_url, self.attempt_timeout_s) if one.id == LUNAR
        ]
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
            self.rebuilt = await rebuilt_part(self.addresses, self.archive)
            why = f" failed: {self.rebuilt.strip().splitlines()[-1][:120]}" if self.rebuilt else ""
            self.done[f"a rebuild in the midst{why}"] += 1
            await asyncio.sleep(1)

    async def _judge_again(self, how: str, at: float) -> None:
        """Judge jobs again that a filter finds, or that were asked for last; until that has ended."""
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        random, key = Random(f"{how}/{self.seed}"), str(self.crowd.ids.derive("operation", how, str(self.seed)))
        judge, began_at = random.choice((None, *POLICIES)), time.time()
        criteria = OTHER_CRITERIA if how == SHADOW else None
        new = NewOperation(
            kind=OperationKind.REJUDGE, judge=judge, shadow=how == SHADOW, criteria=criteria, **self._chosen(random)
        )
        until, until_answered = time.monotonic() + PATIENCE_S, self.crowd.until_answered
        found: dict[str, str] = {}
        try:
            made = await self._make(new, key, until)
            while (state := (await until_answered(lambda: self.client.get_operation(made.id))).state) not in ENDED:
                if time.monotonic() > until:
                    break
                await asyncio.sleep(1)
            found = await until_answered(lambda: outcomes(self.client, made.id))
        except (RefusedError, TimeoutError) as error:
            state = repr(error)
        self.rejudged.append(Rejudged(how == SHADOW, judge, began_at, time.time(), state, found))
        self.done[how] += 1

    async def _make(self, new: NewOperation, key: str, until: float) -> Any:
        """Make an operation as soon as some job has ended that it is to be of."""
        while True:
            try:
                return await self.crowd.until_answered(lambda: self.client.create_operation(new, idempotency_key=key))
            except RefusedError as refusal:
                if str(refusal) != "nothing_matches" or time.monotonic() > until:
                    raise
            await asyncio.sleep(1)

    def _chosen(self, random: Random) -> dict[str, Any]:
        resting = [JobStatus(status) for status in sorted(RESTING)]
        by = random.choice(({"agent_id": STEADY}, {"tenant": PRESS}, None, None))
        named = [one.job_id for one in self.crowd.asked if one.settled == "accepted"][-JUDGED_AGAIN:]
        if by is None and named:
            return {"job_ids": list(dict.fromkeys(named))}
        return {"filter": JobFilter(statuses=resting, **(by or {"agent_id": STEADY}))}

    async def _see_through(self, operation: Callable[[], Awaitable[object]]) -> None:
        try:
            await self.crowd.until_answered(operation)
        except TimeoutError:
            self.crowd.odd.append("the operator was never answered")
