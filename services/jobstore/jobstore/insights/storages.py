"""Measure how full the storages are that work fills, and say why no new work is taken while one is nearly full."""

import asyncio
import logging
import shutil
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client import Gauge
from sqlalchemy import text

from jobstore.engine.database import Database
from servicekit.errors import TransientError
from servicekit.kafka.broker import LogDir
from servicekit.process.runtime import run_forever

log = logging.getLogger(__name__)

USED = Gauge("signoff_storage_used_bytes", "Bytes that a storage holds", ["storage"])
TOTAL = Gauge("signoff_storage_total_bytes", "Bytes that a storage may hold", ["storage"])
FULL = Gauge("signoff_storage_full", "1 while a storage is so full that no new work is taken", ["storage"])

#: Seconds between two looks.
LOOK_EVERY_S: Final = 20.0
#: A storage that was full is so until it is below its bound by this share.
MARGIN: Final = 0.05
#: Growth is that of the last day, by one size each ten minutes; of less than ten minutes nothing is said.
KEPT_EVERY_S: Final = 600.0
KEPT_MAX: Final = 144
DAY_S: Final = 86_400.0

_DATABASE_BYTES: Final = text("SELECT pg_database_size(current_database())")


class Storage(NamedTuple):
    """A storage: its name, the bytes that it holds, and those that it may hold."""

    name: str
    used_bytes: int
    total_bytes: int

    @property
    def share(self) -> float:
        """The share that is used; 1 of a storage of no bytes."""
        return self.used_bytes / self.total_bytes if self.total_bytes else 1.0


class Measured(NamedTuple):
    """A storage, whether new work is refused for it, its growth a day, and in how many days it will be refused."""

    storage: Storage
    is_full: bool
    growth_bytes_per_day: float | None
    refused_in_days: float | None


class Fill:
    """The sizes of one storage over a day, and whether it is full: from `full_at` on, until MARGIN below."""

    def __init__(self, full_at: float) -> None:
        self._full_at = full_at
        self._sizes: deque[tuple[float, int]] = deque(maxlen=KEPT_MAX)
        self.is_full = False

    def note(self, storage: Storage, now_s: float) -> Measured:
        """Note a size at a time, and return what follows from it and those before."""
        self.is_full = storage.share >= self._full_at - (MARGIN if self.is_full else 0.0)
        if not self._sizes or now_s - self._sizes[-1][0] >= KEPT_EVERY_S:
            self._sizes.append((now_s, storage.used_bytes))
        since_s, before = self._sizes[0]
        if now_s - since_s < KEPT_EVERY_S:
            return Measured(storage, self.is_full, None, None)
        growth = (storage.used_bytes - before) / (now_s - since_s) * DAY_S
        room = max(0.0, storage.total_bytes * self._full_at - storage.used_bytes)
        return Measured(storage, self.is_full, growth, room / growth if growth > 0 else None)


class Storages:
    """Measure disks, the database and the disks of brokers, each where it is known how much it may hold."""

    def __init__(
        self,
        database: Database,
        list_log_dirs: Callable[[], Awaitable[Sequence[LogDir]]],
        *,
        disks: Sequence[Path] = (),
        database_max_bytes: int | None = None,
        full_at: float,
    ) -> None:
        """`full_at`: the share of a storage from which on no new work is taken."""
        self._database, self._list_log_dirs = database, list_log_dirs
        self._disks, self._database_max_bytes = disks, database_max_bytes
        self._full_at = full_at
        self._fills: dict[str, Fill] = {}
        #: By name; of one that cannot be measured now, as it was.
        self.measured: dict[str, Measured] = {}

    def find_full(self) -> str | None:
        """Return in words which storages are full, so that no new work is taken; None: none is."""
        full = [each.storage for each in self.measured.values() if each.is_full]
        words = "; ".join(f"{each.name} is {each.share:.0%} full" for each in full)
        return f"{words}: no new work is taken until it is below {self._full_at - MARGIN:.0%}" if full else None

    async def run(self) -> None:
        """Measure all storages, for ever."""
        await run_forever(self.look, name="storages", every_s=LOOK_EVERY_S)

    async def look(self) -> None:
        """Measure all storages once; one that is out of reach stays as it was measured last."""
        before = self.find_full()
        measures: list[Callable[[], Awaitable[list[Storage]]]] = [partial(_measure_disk, path) for path in self._disks]
        for measure in (*measures, self._measure_database, self._measure_brokers):
            try:
                found = await measure()
            except (TransientError, OSError) as error:
                log.info("a storage cannot be measured now", extra={"reason": str(error)})
                continue
            for storage in found:
                self._note(storage)
        if (after := self.find_full()) != before:
            log.log(logging.WARNING if after else logging.INFO, after or "no storage is full: new work is taken again")

    def _note(self, storage: Storage) -> None:
        fill = self._fills.setdefault(storage.name, Fill(self._full_at))
        self.measured[storage.name] = measured = fill.note(storage, time.monotonic())
        USED.labels(storage.name).set(storage.used_bytes)
        TOTAL.labels(storage.name).set(storage.total_bytes)
        FULL.labels(storage.name).set(measured.is_full)

    async def _measure_database(self) -> list[Storage]:
        if self._database_max_bytes is None:
            return []
        async with self._database.session() as session:
            return [Storage("database", await session.scalar(_DATABASE_BYTES), self._database_max_bytes)]

    async def _measure_brokers(self) -> list[Storage]:
        return [
            Storage(f"broker {each.broker} {each.path}", each.total_bytes - each.free_bytes, each.total_bytes)
            for each in await self._list_log_dirs()
        ]


async def _measure_disk(path: Path) -> list[Storage]:
    """Return a disk as programs other than root's may use it."""
    usage = await asyncio.to_thread(shutil.disk_usage, path)
    return [Storage(f"disk {path}", usage.used, usage.used + usage.free)]
