"""Group commit: concurrent calls of one kind share a transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jobstore.storage.outages import ConstraintError, RaceError
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.retry import chunk_by_size, isolate_failures

log = logging.getLogger(__name__)

C = TypeVar("C")

#: How often a batch is tried that meets another writer's rows each time. Then its callers get the RaceError, or, where
#: it is a constraint, the batch is halved until the item stands alone that does not keep it.
TRIES_MAX = 6


@dataclass(slots=True)
class Lane(Generic[C]):
    """Carry out items of one kind in batches: while one batch is under way, the next one gathers.

    `handle` carries out a batch in one transaction, and returns a result for each item, in order. `size` is an item's
    weight in bytes.
    """

    handle: Callable[[Sequence[C]], Awaitable[Sequence[Any]]]
    size: Callable[[C], int] = lambda _: 0
    #: Bounds of one batch.
    items_max: int = 200
    bytes_max: int = 16 << 20
    _waiting: list[tuple[C, asyncio.Future[Any]]] = field(default_factory=list)
    _running: asyncio.Task[None] | None = None

    async def run(self, items: Sequence[C]) -> list[Any]:
        """Return the result of each item, in order: a PermanentError of one that failed for good.

        A DoubtfulError is the result of one that failed alone, and may fail again; nothing was carried out of it.
        TransientError: it is not known whether any item was carried out.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.gather(*futures)

    async def run_one(self, item: C) -> Any:
        """Return the result of one item, or raise its PermanentError or DoubtfulError."""
        (result,) = await self.run([item])
        if isinstance(result, PermanentError | DoubtfulError):
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
                    await self._run_batch(batch)
        finally:
            self._running = None

    async def _run_batch(self, batch: Sequence[tuple[C, asyncio.Future[Any]]]) -> None:
        try:
            results: Sequence[Any] = await isolate_failures([item for item, _ in batch], self._retry_races)
        except TransientError as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _retry_races(self, items: Sequence[C]) -> Sequence[Any]:
        for _ in range(TRIES_MAX - 1):
            try:
                return await self.handle(items)
            except RaceError as error:
                log.info("raced with another writer; the batch is tried again", extra={"reason": str(error)})
        try:
            return await self.handle(items)
        except ConstraintError as error:
            raise PermanentError(f"a constraint is not kept: {error}", code="invalid_data") from error
