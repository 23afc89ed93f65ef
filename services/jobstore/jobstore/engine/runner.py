"""Carry out commands: lock, load, decide and write a batch of them in one transaction."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from jobstore.engine.database import ConstraintError, Database, RaceError
from jobstore.engine.parts import Command, Listeners, UnitOfWork, Wishes
from jobstore.engine.store import Stores
from jobstore.errors import DatabaseFaultError
from jobstore.jobs.model import ExecutionTerms
from servicekit.errors import DATABASE_OUTAGES, DoubtfulError, PermanentError, TransientError
from servicekit.retry import chunk_by_size, isolate_failures
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

R = TypeVar("R")


class SetAside(Enum):
    """The result of a command that was not carried out, but set aside to be carried out by itself."""

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
    """Carry out commands of one kind in batches: while one batch is under way, the next one gathers.

    `handle` carries out a batch in one transaction, and returns a result for each command, in order. A command whose
    caller has given up before its batch began is not carried out.
    """

    handle: Callable[[Sequence[Command[object]]], Awaitable[Sequence[object]]]
    #: Bounds of one batch.
    items_max: int = 200
    bytes_max: int = 16 << 20
    _waiting: list[_Waiting] = field(default_factory=list)
    _running: asyncio.Task[None] | None = None

    async def run(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | DoubtfulError]:
        """Return the result of each command, in order: a PermanentError of one that failed for good.

        A DoubtfulError is the result of one that failed alone, and may fail again; nothing was carried out of it.
        TransientError: it is not known whether any command was carried out.
        """
        return await asyncio.gather(*map(self._put, commands))

    async def run_one(self, command: Command[R]) -> R:
        """Return the result of one command, or raise its PermanentError or DoubtfulError."""
        result = await self._put(command)
        if isinstance(result, PermanentError | DoubtfulError):
            raise result
        return result

    def _put(self, command: Command[R]) -> "asyncio.Future[R | PermanentError | DoubtfulError]":
        """Put a command into the batch that gathers."""
        result = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(command, result))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
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
        # Whoever gave up may have asked another jobstore since, and then for the contrary.
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


#: After so long a command that fails alone is given up, and its record goes to the dead-letter queue.
PATIENCE_S: Final = 600.0
#: A command that did not fail for so long was carried out, or its worker is gone.
FORGET_S: Final = 120.0


class Doubts:
    """Since when, and when last, each command failed alone. Only what failed within FORGET_S is held."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._failing: dict[Hashable, tuple[float, float]] = {}

    def is_over(self, command: Command[object]) -> bool:
        """Note that a command failed alone, and return whether it has for too long."""
        now = time.monotonic()
        self._failing = {key: times for key, times in self._failing.items() if now - times[1] < FORGET_S}
        key = (type(command), *command.locks())
        since, _ = self._failing.get(key, (now, now))
        self._failing[key] = since, now
        return now - since >= self._patience_s

    def forget(self) -> None:
        """Begin anew."""
        self._failing.clear()


class CommandRunner:
    """Carry out commands. Each kind has a lane of its own, in which concurrent calls share a transaction."""

    def __init__(
        self, database: Database, stores: Stores, terms: ExecutionTerms, patience_s: float = PATIENCE_S
    ) -> None:
        """`patience_s`: for how long a command may fail alone, while the database can be written."""
        self._database = database
        self._stores = stores
        self._doubts = Doubts(patience_s)
        self.terms = terms
        #: Called after each commit.
        self.listeners = Listeners()
        self.submit = Lane(self._carry_out_or_give_up)
        self.claim = Lane(self._carry_out_or_give_up)
        self.record = Lane(self._carry_out_or_give_up)
        #: Judgings without a job: neither jobs nor whoever judges these wait for the others.
        self.judge = Lane(self._carry_out_or_give_up)
        self.match = Lane(self._carry_out_or_give_up)
        #: What administrators ask for, but for what changes limits, which waits for all that hold them.
        self.administer = Lane(self._carry_out_or_give_up)
        self.limit = Lane(self._carry_out_or_give_up)

    async def carry_out(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | SetAside]:
        """Carry out a batch in one transaction: lock, load, decide, write.

        Return the result of each command, in order: a PermanentError for one that failed, and changed nothing.
        TransientError: it is not known whether any was carried out. SET_ASIDE is the result of a command that needs the
        limits lock while limits are being changed, unless all need it, which wait: it is for the caller to carry out by
        itself.
        """
        uow = UnitOfWork(self.terms, listeners=copy(self.listeners))  # they are called, or what they take is not done
        async with self._database.pipelined_transaction() as connection:
            wishes = [command.locks() for command in commands]
            await self._stores.lock(connection, uow, wishes)
            aside = uow.find_set_aside(wishes)
            ready = [command for command, is_aside in zip(commands, aside, strict=True) if not is_aside]
            await self._stores.load(connection, uow, lambda: [command.reads(uow) for command in ready])
            decided = iter([_decide(command, uow) for command in ready])
            await self._stores.write(connection, uow, commits=True)
        self._stores.settle(uow)
        return [SET_ASIDE if is_aside else next(decided) for is_aside in aside]

    async def _carry_out_or_give_up(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | SetAside]:
        """Carry out a batch; give a command up that has failed alone for too long.

        DoubtfulError: none was carried out, although the database can be written. The caller halves the batch until
        the command stands alone that is at fault, and then tries that again, until it is given up.
        """
        try:
            return await self.carry_out(commands)
        except DoubtfulError as error:
            await self._probe()
            if len(commands) > 1 or not self._doubts.is_over(commands[0]):
                raise
            fault = DatabaseFaultError(str(error))
            _log_alone(commands[0].locks(), fault)
            raise fault from error

    async def _probe(self) -> None:
        """Find out whether the database can be written at all. What failed during an outage did not fail alone."""
        try:
            await self._database.availability.probe()
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._doubts.forget()
            raise


def _log_alone(wishes: Wishes, fault: DatabaseFaultError) -> None:
    extra = {"code": fault.code, "reason": str(fault)}
    for wish in wishes:
        extra |= wish.name()
    log.error("the database fails at one command for too long; it is given up", extra=extra)


def _decide(command: Command[R], uow: UnitOfWork) -> R | PermanentError:
    try:
        return command.decide(uow)
    except PermanentError as error:
        return error
