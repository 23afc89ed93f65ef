"""Fakes of what is outside of a service: leases, agents, a publisher."""

# ruff: noqa: ARG002 - the arguments are the ports'

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from contracts.events import Event
from executor.ports import Call, Claim, Grant
from servicekit.errors import TransientError
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.worker import GivenBackLease, HeldLease, Lease, LeaseState, Renewal, Worker


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait for what must become true."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the condition is anything
            await asyncio.sleep(0.002)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    """A worker that renews its leases meanwhile, and then is stopped without any grace."""
    running = asyncio.create_task(worker.run())
    yield worker
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await worker.stop(0.0)


class FakeLeases:
    """Keeps every lease and every outcome, unless `states` says otherwise; out of reach while `away`."""

    def __init__(self, lease_s: float = 0.1) -> None:
        self.lease_s = lease_s
        self.states: dict[Lease, LeaseState] = {}
        self.away = False
        self.calls = 0
        self.rooms: list[int] = []
        self.held: list[Lease] = []  # of the last call
        self.outcomes: list[Lease] = []  # likewise
        self.new_keys: list[Lease] = []
        self.given_back: list[tuple[Lease, bool]] = []
        #: In how many seconds those are due that were given back to be due later.
        self.due_after_s: dict[Lease, float] = {}
        self.during: Callable[[], Awaitable[None]] | None = None
        self.at_once = self.at_once_max = 0

    async def renew(
        self,
        owner: UUID,
        room: int,
        held: Sequence[HeldLease],
        outcomes: Sequence[Lease],
        given_back: Sequence[GivenBackLease],
    ) -> Renewal:
        self.calls += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        try:
            if self.during is not None:
                await self.during()
        finally:
            self.at_once -= 1
        if self.away:
            raise TransientError("away")
        self.rooms.append(room)
        self.held, self.outcomes = [work.lease for work in held], list(outcomes)
        self.away_s = [work.judge_away_s for work in held]
        self.given_back += [(one.lease, one.begun) for one in given_back]
        self.due_after_s |= {one.lease: one.due_after_s for one in given_back if one.due_after_s}
        states = [[self.states.get(lease, LeaseState.KEEP) for lease in leases] for leases in (self.held, outcomes)]
        return Renewal(*states, self.lease_s, self.new_keys, judgings_waiting=0)


class FakeExecutions:
    """Answers claims as `answers` says, by execution id, None where none can be read; away for the first `outages`."""

    def __init__(self) -> None:
        self.answers: dict[UUID | None, Grant | ClaimDenied] = {}
        self.outages = 0
        self.asked: list[list[Claim]] = []
        self.rooms: list[int] = []

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant | ClaimDenied]:
        self.asked.append(list(claims))
        self.rooms.append(room)
        if self.outages:
            self.outages -= 1
            raise TransientError("away")
        return [self.answers[read_execution_id(claim.request)] for claim in claims]


def read_execution_id(body: bytes) -> UUID | None:
    """The execution that a request names."""
    try:
        return UUID(json.loads(body)["execution_id"])
    except ValueError:
        return None


class FakePublisher:
    """Keeps what is published, but for the first `errors`; every publication waits while `open` is not set."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.soon: list[Event] = []
        self.signed_by: list[Lease] = []
        self.errors: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()

    async def publish_report(self, report: Event, lease: Lease) -> None:
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.events.append(report)
        self.signed_by.append(lease)

    def publish_report_soon(self, report: Event, lease: Lease) -> None:
        self.soon.append(report)
        self.signed_by.append(lease)


class FakeReaders:
    """Consumers of what workers report: they have read it all, unless they are `behind`."""

    def __init__(self) -> None:
        self.behind = False

    async def find_ends(self) -> dict[Any, int]:
        return {}

    async def have_read(self, ends: object) -> bool:
        del ends
        return not self.behind


class FakeAgent:
    """Does what `does` says, for each call."""

    def __init__(self, does: Callable[[Call], Awaitable[Any]] | None = None) -> None:
        self.does = does
        self.called: list[Call] = []

    async def call(self, call: Call) -> Any:
        self.called.append(call)
        return None if self.does is None else await self.does(call)
