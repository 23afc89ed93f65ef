"""Lane: concurrent calls share a commit, without waiting for one another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jobstore.storage.database import RaceError, log
from servicekit.errors import PermanentError, TransientError
from servicekit.retry import chunk_by_size, isolate_failures

C = TypeVar("C")


@dataclass(slots=True)
class Lane(Generic[C]):
    """One kind of write: while a transaction is under way the next batch gathers, so that calls share a commit."""

    handle: Callable[[Sequence[C]], Awaitable[Sequence[Any]]]
    size: Callable[[C], int] = lambda _: 0
    items_max: int = 200
    bytes_max: int = 16 << 20
    _waiting: list[tuple[C, asyncio.Future[Any]]] = field(default_factory=list)
    _running: asyncio.Task[None] | None = None

    async def run(self, items: Sequence[C]) -> list[Any]:
        """The result of each item, in order, a PermanentError among them; TransientError: nothing is known of any."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.gather(*futures)

    async def one(self, item: C) -> Any:
        """The result of one item; its PermanentError is raised."""
        (result,) = await self.run([item])
        if isinstance(result, PermanentError):
            raise result
        return result

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                sized = chunk_by_size(
                    waiting, lambda w: self.size(w[0]), limit=self.items_max, bytes_max=self.bytes_max
                )
                for batch in sized:
                    await self._settle(batch)
        finally:
            self._running = None

    async def _settle(self, batch: Sequence[tuple[C, asyncio.Future[Any]]]) -> None:
        try:
            results: Sequence[Any] = await isolate_failures([item for item, _ in batch], self._without_races)
        except TransientError as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _without_races(self, items: Sequence[C]) -> Sequence[Any]:
        for _ in range(5):
            try:
                return await self.handle(items)
            except RaceError as error:
                log.info("raced with another writer", extra={"reason": str(error)})
        return await self.handle(items)
