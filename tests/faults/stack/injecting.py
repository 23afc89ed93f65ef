"""Faults, as they are done to a running world."""

import asyncio
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import psutil
from aiokafka.errors import KafkaError

from cli.commands.doctor import check_jobstores
from cli.session import Target
from faults.checking.observed import VERSIONS, Fault, Theft
from faults.checking.reading import GROUPS
from faults.schedule import Planned
from faults.stack.world import World
from jobstore.engine.address import DRIVER_ERRORS
from localstack.kafka import ADMIN

#: A part that was ended is ready again within this, from when it has the broker and the database.
BACK_S = 240.0
LOOK_S = 0.5
#: A stranger leaves its group within this, or without a word.
LEAVES_S = 30.0
#: Members that a thief adds to a group: more than it has partitions to spare.
THIEVES = 12
#: Who wonders why everything stands still asks the doctor after so long for the first time, and then so often.
ASKED_AFTER_S, ASKED_EVERY_S = 25.0, 3.0
#: A link where nothing passes keeps its fault for so many looks more, until it meets something.
QUIET_LOOKS = 40
#: What the doctor says of a stranger in a group.
NO_PROCESS = "a member is no process of Signoff"
BACKING = ("kafka", "postgres")
#: Who waits for a lock on the table longer than this holds up whoever comes after.
SLOW_DISK = """
SET lock_timeout = '100ms';
CREATE SEQUENCE IF NOT EXISTS slowed;
GRANT USAGE ON SEQUENCE slowed TO PUBLIC;
CREATE OR REPLACE FUNCTION slow_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM nextval('slowed'), pg_sleep(0.15); RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER slow_disk AFTER INSERT ON job_logs FOR EACH STATEMENT EXECUTE FUNCTION slow_disk();
"""
FAST_DISK = """
SET lock_timeout = '100ms';
DROP TRIGGER IF EXISTS slow_disk ON job_logs; DROP FUNCTION IF EXISTS slow_disk; DROP SEQUENCE IF EXISTS slowed;
"""


@dataclass(frozen=True, slots=True)
class Done:
    """To which process it was done, and on how much it acted: connections, chunks, processes, partitions, writes."""

    pid: int | None = None
    acted: int = 1


@dataclass(slots=True)
class Injector:
    """Does what was planned, one fault a target at a time, and notes when each really began and ended."""

    world: World
    done: list[Fault] = field(default_factory=list)
    impossible: list[Planned] = field(default_factory=list)
    #: What never came back after a fault.
    lost: list[str] = field(default_factory=list)
    thefts: list[Theft] = field(default_factory=list)
    _busy: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _emptied: Iterator[int] = field(default_factory=count)

    async def run(self, plan: Sequence[Planned]) -> None:
        """All faults at their times; returns when the last is over."""
        began, settle_s = time.monotonic(), self.world.terms.settle_s
        under_way: list[asyncio.Task[None]] = []
        async with asyncio.TaskGroup() as group:
            for planned in plan:
                await asyncio.sleep(max(0.0, began + planned.after_s - time.monotonic() - settle_s * planned.alone))
                if planned.alone:
                    await asyncio.gather(*under_way)
                    await asyncio.sleep(settle_s)
                under_way.append(group.create_task(self.inject(planned)))
                if planned.alone:
                    await under_way[-1]
                    await asyncio.sleep(settle_s)
                    began = time.monotonic() - planned.after_s - planned.lasts_s - settle_s

    async def inject(self, planned: Planned) -> None:
        """One fault, as soon as its target has recovered from the one before."""
        kinds: dict[str, Callable[[Planned], Awaitable[Done | None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "freeze": self._freeze,
            "empty": self._empty,
            "rebalance": self._rebalance,
            "thief": self._thief,
            "slow disk": self._slow_disk,
            "full disk": self._full_disk,
            **dict.fromkeys(VERSIONS, self._extra),
        }
        means = kinds.get(planned.kind, self._link)
        async with self._busy[f"{'link' if means == self._link else 'process'} {planned.target}"]:
            began_at = time.time()
            done = await means(planned)
        if done is None:
            self.impossible.append(planned)
            return
        self.done.append(Fault(planned.kind, planned.target, began_at, time.time(), done.pid, done.acted))

    async def _kill(self, planned: Planned, number: signal.Signals = signal.SIGKILL) -> Done:
        pid = self.world.pids[planned.target]
        ended = asyncio.create_task(self.world.stack.kill(planned.target, number))
        left_s = BACK_S
        while left_s > 0 and not ended.done():
            await asyncio.wait([ended], timeout=LOOK_S)
            left_s -= 0 if self._lacks(planned.target) else LOOK_S
        if not ended.done():
            ended.cancel()
            self.lost.append(f"{planned.target} was not ready {BACK_S:g} s after its {planned.kind}")
        await asyncio.wait([ended])
        if not ended.cancelled():
            ended.result()
        return Done(pid)

    def _lacks(self, target: str) -> bool:
        """Whether a part has to wait for the broker or the database, to which something is being done."""
        return any(self._busy[f"process {name}"].locked() for name in BACKING if target not in BACKING)

    async def _stop(self, planned: Planned) -> Done:
        """SIGTERM; PostgreSQL is asked for a fast shutdown, since a smart one waits for its clients for ever."""
        if planned.target in BACKING:
            return await self._kill(planned, signal.SIGINT if planned.target == "postgres" else signal.SIGTERM)
        pid, told_at = self.world.pids[planned.target], time.time()
        stopping = asyncio.create_task(self._kill(planned, signal.SIGTERM))
        stop = await self.world.told_to_stop(planned.target, pid, told_at)
        if stop.took_s is None:
            _signalled(pid, signal.SIGKILL)
        await stopping
        return Done(pid)

    async def _freeze(self, planned: Planned) -> Done:
        """SIGSTOP and SIGCONT of a process and, for PostgreSQL, of those that serve its connections."""
        pid = self.world.pids[planned.target]
        frozen: list[int] = []
        try:
            frozen += _signalled(pid, signal.SIGSTOP)  # it starts no more
            frozen += [one for child in _children(pid) for one in _signalled(child, signal.SIGSTOP)]
            await asyncio.sleep(planned.lasts_s)
        finally:
            for one in reversed(frozen):
                _signalled(one, signal.SIGCONT)
        return Done(pid, len(frozen))

    async def _empty(self, planned: Planned) -> Done:
        """The broker dies, and its successor finds no data: moved away first, since it is started again at once."""
        data = self.world.directory / "kafka" / "data"
        gone = data.rename(data.with_name(f"gone-{next(self._emptied)}"))
        done = await self._kill(planned)
        await asyncio.to_thread(shutil.rmtree, gone)
        return done

    async def _extra(self, planned: Planned) -> Done:
        """One more worker comes and goes, of this version or another, so that two versions work at once."""
        name = await self.world.start_extra(planned.target, planned.kind)
        pid = self.world.extras[name].pid  # one that met no broker has ended by itself
        await asyncio.sleep(planned.lasts_s)
        await self.world.stop_extra(name)
        return Done(pid)

    async def _thief(self, planned: Planned) -> Done:
        """Strangers join a service's groups, have most partitions, and leave; meanwhile somebody asks why it stands."""
        began_at, named_at = time.time(), None
        stealing = asyncio.create_task(self._rebalance(planned, THIEVES))
        if planned.alone:
            groups = {group for _, group in _groups_of(planned.target)}
            await asyncio.wait([stealing], timeout=ASKED_AFTER_S)
            while named_at is None and not stealing.done():
                named_at = time.time() if groups <= await self._named_by_doctor() else None
                await asyncio.wait([stealing], timeout=ASKED_EVERY_S)
            await stealing
            self.thefts.append(Theft(frozenset(groups), began_at, named_at, time.time()))
        return await stealing

    async def _named_by_doctor(self) -> set[str]:
        """The groups of which `signoff doctor` says that a stranger is a member."""
        target = Target(
            jobstore=self.world.jobstore_addresses,
            jobstore_ca=self.world.addresses.tls and str(self.world.addresses.tls[0]),
            token=self.world.addresses.token,
        )
        checks = [check for check in await check_jobstores(target) if not check.ok and NO_PROCESS in check.found]
        return {check.part.removeprefix("group ") for check in checks}

    async def _rebalance(self, planned: Planned, members: int = 1) -> Done:
        """Strangers join a service's groups, are assigned partitions, read none, and leave."""
        joining = [names for names in _groups_of(planned.target) for _ in range(members)]
        assigned = await asyncio.gather(*(self._joined(*names, planned.lasts_s) for names in joining))
        return Done(acted=sum(assigned))

    async def _joined(self, topic: str, group: str, lasts_s: float) -> int:
        partitions = None
        with suppress(TimeoutError):
            async with asyncio.timeout(BACK_S):
                while partitions is None:  # the broker may be gone, or frozen
                    partitions = await self._join_once(topic, group, lasts_s)
                    await asyncio.sleep(LOOK_S)
        return partitions or 0

    async def _join_once(self, topic: str, group: str, lasts_s: float) -> int | None:
        """Return how many partitions it had at last; None: it did not get in."""
        kafka = self.world.addresses.reach_as(ADMIN)
        stranger = kafka.make_consumer(topic, group_id=group, enable_auto_commit=False)
        try:
            await stranger.start()
            await asyncio.sleep(lasts_s)
            return len(stranger.assignment())
        except KafkaError:
            return None
        finally:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(stranger.stop(), LEAVES_S)

    async def _slow_disk(self, planned: Planned) -> Done:
        await self._sql(SLOW_DISK)
        await asyncio.sleep(planned.lasts_s)
        slowed = await self._sql("SELECT last_value FROM slowed")
        await self._sql(FAST_DISK)
        return Done(acted=slowed - 1)

    async def _full_disk(self, planned: Planned) -> Done | None:
        """The database finds no room; then it does again, and is back."""
        disk = self.world.disk
        if disk is None:
            return None
        before = self._complaints()
        try:
            while not await asyncio.to_thread(disk.fill):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            await asyncio.sleep(planned.lasts_s)
        finally:
            await asyncio.to_thread(disk.empty)
        try:
            await self._sql("SELECT 1")
        except TimeoutError:
            self.lost.append(f"postgres was not back {BACK_S:g} s after its disk had been full")
        return Done(acted=self._complaints() - before)

    def _complaints(self) -> int:
        """How often the database said that it found no room, by its own log."""
        logs = self.world.directory.glob("logs/postgres.log*")
        return sum(path.read_bytes().count(b"No space left on device") for path in logs)

    async def _sql(self, statement: str) -> Any:
        async with asyncio.timeout(BACK_S):
            while True:
                with suppress(*DRIVER_ERRORS):
                    connection = await asyncpg.connect(self.world.addresses.postgres, timeout=5)
                    try:
                        if statement.startswith("SELECT"):
                            return await connection.fetchval(statement)
                        return await connection.execute(statement)
                    finally:
                        await connection.close(timeout=1)
                await asyncio.sleep(0.2)

    async def _link(self, planned: Planned) -> Done:
        link = self.world.links[planned.target]
        before = link.acted[planned.kind]
        link.set(planned.kind)
        await asyncio.sleep(planned.lasts_s)
        for _ in range(QUIET_LOOKS):
            if link.acted[planned.kind] > before:
                break
            await asyncio.sleep(LOOK_S)
        link.set("open")
        return Done(acted=link.acted[planned.kind] - before)


def _groups_of(service: str) -> list[tuple[str, str]]:
    """The consumer groups of a service, each with its topic."""
    return [(topic, group) for topic, groups in GROUPS.items() for group in groups if group.split("-")[1] == service]


def _signalled(pid: int, number: signal.Signals) -> list[int]:
    """The process, unless it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return [pid]
    return []


def _children(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []
