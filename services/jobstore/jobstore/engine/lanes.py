"""Gather commands into batches: one lane for each kind, in which concurrent calls share a transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from jobstore.engine.database import ConstraintError, RaceError
from jobstore.engine.parts import Command
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.retry import chunk_by_size, isolate_failures
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

R = TypeVar("R")


class SetAside(Enum):
    """The result of a command that its batch left out; the lane carries it out afterwards, without the others."""

    SET_ASIDE = "set aside"


SET_ASIDE: Final = SetAside.SET_ASIDE

#: How often a batch is tried that meets another writer's rows each time. Then its callers get the RaceError, or, where
#: it is a constraint, the batch is halved until the item stands alone that does not keep it.
TRIES_MAX = 6


class _Waiting(NamedTuple):
    command: Command[object]
    result: asyncio.Future[object]


@dataclass(slots=True)
class Lane:
    """Carry out commands of one kind in batches: while one batch is under way, the next batch gathers.

    `handle` carries out a batch in one transaction, and returns a result for each command, in order. A command is not
    carried out if its caller gave up before its batch began.
    """

    handle: Callable[[Sequence[Command[object]]], Awaitable[Sequence[object]]]
    #: Bounds of one batch.
    items_max: int = 200
    bytes_max: int = 16 << 20
    _waiting: list[_Waiting] = field(default_factory=list)
    _running: asyncio.Task[None] | None = None

    async def run(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | DoubtfulError]:
        """Return the result of each command, in order: a PermanentError if the command failed for good.

        The result is a DoubtfulError if a command failed alone in its batch; it was not carried out, and may fail
        again. TransientError: it is not known whether any of the commands was carried out.
        """
        return await asyncio.gather(*map(self._put, commands))

    async def run_one(self, command: Command[R]) -> R:
        """Return the result of one command, or raise the result if it is a PermanentError or DoubtfulError."""
        result = await self._put(command)
        if isinstance(result, PermanentError | DoubtfulError):
            raise result
        return result

    def _put(self, command: Command[R]) -> "asyncio.Future[R | PermanentError | DoubtfulError]":
        """Put a command into the batch that gathers, and return the future of the command's result."""
        result = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, result))
        if self._running is None:
            # The batch is of several callers: in its context is none of them.
            self._running = asyncio.create_task(self._run(), context=Context())
        return result

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for batch in chunk_by_size(
                    waiting, lambda each: each.command.size, limit=self.items_max, bytes_max=self.bytes_max
                ):
                    await self._run_batch(batch)
        finally:
            self._running = None

    async def _run_batch(self, waiting: Sequence[_Waiting]) -> None:
        # A caller that gave up may have asked another jobstore since, and for the contrary.
        batch = [each for each in waiting if not each.result.cancelled()]
        try:
            results = await isolate_failures([command for command, _ in batch], self._retry_races)
        except TransientError as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if result is not SET_ASIDE and not future.done():
                future.set_result(result)
        if aside := [each for each, result in zip(batch, results, strict=True) if result is SET_ASIDE]:
            await self._run_batch(aside)  # by themselves: the others are carried out, and must not be again

    async def _retry_races(self, commands: Sequence[Command[object]]) -> Sequence[object]:
        for _ in range(TRIES_MAX - 1):
            try:
                return await self.handle(commands)
            except RaceError as error:
                log.info("raced with another writer; the batch is tried again", extra={"reason": str(error)})
        try:
            return await self.handle(commands)
        except ConstraintError as error:
            raise PermanentError(f"a constraint is not kept: {error}", code=ErrorCode.INVALID_DATA) from error
