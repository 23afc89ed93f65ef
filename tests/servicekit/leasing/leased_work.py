"""Work under a lease, as a test has it begin and end."""

import asyncio
import time

from support.factories import lease
from support.fakes import until

from servicekit.errors import UnableError
from servicekit.leasing.worker import HeldLease, Worker
from servicekit.metrics import WAITING


class Work:
    """Work that lasts until `finish`, and what became of it."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()
        self.reported = 0
        self.report_errors: list[Exception] = []
        self.report_hangs = False
        self.begun: list[HeldLease] = []
        self.aborted = 0
        self.given_up: list[Exception] = []
        self.give_up_fails = False

    async def __call__(self, held: HeldLease):
        held.begun = True
        self.begun.append(held)
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        return self.report

    async def give_up(self, _: HeldLease, bug: Exception) -> None:
        self.given_up.append(bug)
        if self.give_up_fails:
            raise ZeroDivisionError

    async def report(self) -> None:
        self.reported += 1
        if self.report_hangs:
            await asyncio.Event().wait()
        if self.report_errors:
            raise self.report_errors.pop(0)


def begin(worker: Worker, work: Work, a_lease=None, *, do=None, runs_for_s: float = 60.0, **how) -> bool:
    expires_at = time.monotonic() + runs_for_s
    return worker.start_work(a_lease or lease(), "job-1", expires_at, do or work, work.give_up, **how)


async def begun(worker: Worker, work: Work, a_lease=None) -> HeldLease:
    """Begun work; the worker's clock for it starts at the first renewal."""
    count = len(work.begun)
    assert begin(worker, work, a_lease)
    await until(lambda: len(work.begun) > count)
    return work.begun[-1]


async def refuse(held: HeldLease):
    held.begun = True
    raise UnableError("of a later version")


def waiting(on: str) -> float | None:
    """How many wait for a part that is out of reach, as operators see it.

    Only this metric is read: it is asked every few milliseconds, and other tests left thousands of values in others.
    """
    return next((sample.value for sample in WAITING.collect()[0].samples if sample.labels == {"on": on}), None)
