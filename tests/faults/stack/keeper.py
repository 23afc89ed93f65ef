"""Who has jobs removed, by retentions and by filters, holds some, and asks for them at each door once they are gone."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from contracts.events import ExecuteRequested
from contracts.resources import JobFilter, JobPatch, NewJob, NewOperation
from faults.checking.canaries import PRESS
from faults.checking.observed import Barred
from faults.checking.reading import Tables
from faults.stack.crowd import Crowd, RefusedError
from faults.stack.strangers import CRITERIA, STEADY
from faults.stack.upstreams import CLIENTS, sign
from signoff.client import ENDED
from signoff.status import JobStatus, OperationKind

#: Of one tenant what is COMPLETED is removed by retention, and of the other what is FAILED; a minute is the least.
RETENTIONS: Mapping[str, Mapping[str, float]] = {
    f"tenant:{PRESS}": {"completed_s": 60.0},
    "tenant:default": {"failed_s": 60.0},
}
#: Of that other one the steady agent's jobs are removed by a filter once they are so old: their clients are done then.
OLD_S = 20.0
EVERY_S = 4.0
#: How long the logs of what was removed may take to be cut: a while after the removal, and once that is archived.
CUT_WITHIN_S = 400.0
#: How many removed jobs are asked for at each door.
ASKED_FOR = 8
#: Who removes what a retention lets go.
RETENTION = "retention"
BY_RETENTION, BY_OPERATION, HELD = "removed by retention", "removed by an operation", "held"


@dataclass(slots=True)
class Keeper:
    """An administrator who removes and holds jobs, and sees to the end of both."""

    crowd: Crowd
    tables: Tables
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    held: dict[str, float] = field(default_factory=dict)
    barred: list[Barred] = field(default_factory=list)
    in_vain: set[str] = field(default_factory=set)
    _operations: list[UUID] = field(default_factory=list)

    async def prepare(self) -> None:
        """Set the retentions."""
        for name, kept in RETENTIONS.items():
            await self.crowd.client.set_retention(name, **kept)

    async def run(self, lasts_s: float) -> None:
        """Hold jobs and have others removed, for a time."""
        random, ends_at = Random(f"keeper/{self.seed}"), time.monotonic() + lasts_s
        while time.monotonic() < ends_at:
            for chore in (self._hold, self._remove):
                with suppress(TimeoutError):
                    await chore(random)
            await asyncio.sleep(EVERY_S)

    async def _hold(self, random: Random) -> None:
        known = [one.job_id for one in self.crowd.asked[-200:] if one.settled == "accepted"]
        if not known:
            return
        job_id = random.choice(known)
        with suppress(RefusedError):  # it was removed
            await self.crowd.until_answered(lambda: self.crowd.client.hold_job(job_id, "a storm"))
            self.held.setdefault(job_id, time.time())
            self.done[HELD] += 1

    async def _remove(self, random: Random) -> None:
        before = datetime.now(UTC) - timedelta(seconds=OLD_S)
        chosen = JobFilter(statuses=[JobStatus.COMPLETED], tenant="default", agent_id=STEADY, created_before=before)
        new = NewOperation(kind=OperationKind.REMOVE, filter=chosen, reason="a storm")
        key = str(UUID(int=random.getrandbits(128)))
        with suppress(RefusedError):  # nothing matches
            made = await self.crowd.until_answered(lambda: self.crowd.client.create_operation(new, idempotency_key=key))
            self._operations.append(made.id)

    async def settle(self) -> str | None:
        """Let nothing more be removed once something was, and wait until all that was is cut. Return what is not."""
        left: object = f"nothing was {BY_RETENTION}"
        try:
            async with asyncio.timeout(CUT_WITHIN_S):
                while RETENTION not in (await self.tables.removed()).values():  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(1)
                for name in RETENTIONS:
                    await self._see_gone(lambda name=name: self.crowd.client.delete_retention(name))
                for operation_id in self._operations:
                    left = f"the operation {operation_id} goes on"
                    while await self._is_open(operation_id):  # noqa: ASYNC110 - its watch may be cut off
                        await asyncio.sleep(1)
                while left := await self.tables.uncut():  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(1)
        except TimeoutError:
            return f"of removals there is left after {CUT_WITHIN_S:g} s: {left}"
        removed = await self.tables.removed()
        for actor in removed.values():
            self.done[BY_RETENTION if actor == RETENTION else BY_OPERATION] += 1
        await self._ask_for([*removed])
        return None

    async def _is_open(self, operation_id: UUID) -> bool:
        found = await self.crowd.until_answered(lambda: self.crowd.client.get_operation(operation_id))
        return found.state not in ENDED

    async def _see_gone(self, delete: Callable[[], Awaitable[object]]) -> None:
        with suppress(RefusedError):  # a try before had deleted it
            await self.crowd.until_answered(delete)

    async def _ask_for(self, removed: list[str]) -> None:
        """Ask for removed jobs at each door, and note the answers."""
        random = Random(f"removed/{self.seed}")
        for job_id in random.sample(removed, min(ASKED_FOR, len(removed))):
            for door, ask in self._doors(job_id, random):
                try:
                    await self.crowd.until_answered(ask)
                except RefusedError as refusal:
                    code = str(refusal)
                except TimeoutError:
                    code = "unanswered"
                else:
                    code = "as if it were there"
                self.barred.append(Barred(job_id, door, code))
            event = ExecuteRequested(execution_id=UUID(int=random.getrandbits(128), version=4), job_id=job_id)
            await self.crowd.publisher.publish_records([sign(event, CLIENTS)])
            self.in_vain.add(str(event.execution_id))

    def _doors(self, job_id: str, random: Random) -> Iterator[tuple[str, Callable[[], Awaitable[Any]]]]:
        crowd, path = self.crowd, f"/api/jobs/{job_id}"
        known = str(UUID(int=random.getrandbits(128), version=4))
        tenant = PRESS if job_id.startswith(f"{PRESS}:") else "default"
        again = NewJob(
            id=job_id, title="Describe the sky", acceptance_criteria=CRITERIA, agent_id=STEADY, tenant=tenant
        )
        yield "grpc get", lambda: crowd.client.get_job(job_id)
        yield "grpc create", lambda: crowd.client.create_job(again)
        yield "grpc execute", lambda: crowd.client.execute_job(job_id, known)
        yield "grpc edit", lambda: crowd.client.edit_job(job_id, JobPatch(title="Describe the sea"))
        yield "grpc assign", lambda: crowd.client.assign_agent(job_id, STEADY)
        yield "grpc cancel", lambda: crowd.client.cancel_job(job_id, "by a keeper")
        yield "rest get", lambda: crowd.rest("GET", path)
        yield "rest execute", lambda: crowd.rest("POST", f"{path}/execute", json={"execution_id": known})
        yield "cli execute", lambda: crowd.signoff("jobs", "execute", job_id, "--execution-id", known)
