"""Faults, as they are done to a running world."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import asyncpg

from faults.observed import Fault
from faults.schedule import Planned
from faults.world import World

BACK_S = 60.0
SLOW_DISK = """
CREATE OR REPLACE FUNCTION slow_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.15); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER slow_disk AFTER INSERT ON job_logs FOR EACH STATEMENT EXECUTE FUNCTION slow_disk();
"""
FAST_DISK = "DROP TRIGGER IF EXISTS slow_disk ON job_logs"


@dataclass(slots=True)
class Injector:
    """Does what was planned, one fault a target at a time, and notes when each really began and ended."""

    world: World
    done: list[Fault] = field(default_factory=list)
    skipped: list[Planned] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    _emptied: Iterator[int] = field(default_factory=count)

    async def run(self, plan: Sequence[Planned]) -> None:
        """All faults at their times; returns when the last is over."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for planned in plan:
                await asyncio.sleep(max(0.0, began + planned.after_s - time.monotonic()))
                group.create_task(self.inject(planned))

    async def inject(self, planned: Planned) -> None:
        """One fault, unless its target has not recovered from another."""
        kinds: dict[str, Callable[[Planned], Awaitable[int | None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "freeze": self._freeze,
            "empty": self._empty,
            "extra": self._extra,
            "slow disk": self._slow_disk,
        }
        means = kinds.get(planned.kind, self._link)
        busy = f"{'link' if means == self._link else 'process'} {planned.target}"
        if busy in self._busy:
            self.skipped.append(planned)
            return
        self._busy.add(busy)
        began_at = time.time()
        try:
            pid = await means(planned)
        finally:
            self._busy.discard(busy)
        self.done.append(Fault(planned.kind, planned.target, began_at, time.time(), pid))

    async def _kill(self, planned: Planned, number: signal.Signals = signal.SIGKILL) -> int:
        pid = self.world.pids[planned.target]
        await asyncio.wait_for(self.world.stack.kill(planned.target, number), BACK_S)
        return pid

    async def _stop(self, planned: Planned) -> int:
        """SIGTERM; PostgreSQL is asked for a fast shutdown, since a smart one waits for its clients for ever."""
        if planned.target in {"postgres", "kafka"}:
            return await self._kill(planned, signal.SIGINT if planned.target == "postgres" else signal.SIGTERM)
        pid, told_at = self.world.pids[planned.target], time.time()
        stopping = asyncio.create_task(self._kill(planned, signal.SIGTERM))
        stop = await self.world.told_to_stop(planned.target, pid, told_at)
        if stop.took_s is None:
            os.kill(pid, signal.SIGKILL)
        await stopping
        return pid

    async def _freeze(self, planned: Planned) -> int | None:
        pid = self.world.pids[planned.target]
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(planned.lasts_s)
            finally:
                os.kill(pid, signal.SIGCONT)
        return pid

    async def _empty(self, planned: Planned) -> int:
        """The broker dies, and its successor finds no data: moved away first, since it is started again at once."""
        data = self.world.directory / "kafka" / "data"
        gone = data.rename(data.with_name(f"gone-{next(self._emptied)}"))
        pid = await self._kill(planned)
        await asyncio.to_thread(shutil.rmtree, gone)
        return pid

    async def _extra(self, planned: Planned) -> int:
        name = await self.world.start_extra(planned.target)
        pid = self.world.pids[name]
        await asyncio.sleep(planned.lasts_s)
        await self.world.stop_extra(name)
        return pid

    async def _slow_disk(self, planned: Planned) -> None:
        await self._sql(SLOW_DISK)
        await asyncio.sleep(planned.lasts_s)
        await self._sql(FAST_DISK)

    async def _sql(self, statement: str) -> None:
        async with asyncio.timeout(BACK_S):
            while True:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection = await asyncpg.connect(self.world.addresses.postgres, timeout=5)
                    try:
                        await connection.execute(statement)
                    finally:
                        await connection.close(timeout=1)
                    return
                await asyncio.sleep(0.2)

    async def _link(self, planned: Planned) -> None:
        link = self.world.links[planned.target]
        link.set(planned.kind)
        await asyncio.sleep(planned.lasts_s)
        link.set("open")
