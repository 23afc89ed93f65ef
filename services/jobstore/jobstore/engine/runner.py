"""Carry out commands: lock, load, decide and write a batch of them in one transaction, by the store of each part."""

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple, TypeVar

from sqlalchemy import TextClause, text

from jobstore.engine import sql
from jobstore.engine.database import CHANNEL, Database, Wake
from jobstore.engine.lanes import SET_ASIDE, Lane, SetAside
from jobstore.engine.parts import Command, Listeners, Part, UnitOfWork, Wish, Wishes, WishList
from jobstore.engine.sql import Connection, Rows, Values
from jobstore.errors import DatabaseFaultError
from jobstore.jobs.model import ExecutionTerms
from servicekit.errors import DATABASE_OUTAGES, DoubtfulError, PermanentError, TransientError

#: Writes what is written behind the statement that most have together.
Last = Callable[[Connection], Awaitable[None]]


class Piece(NamedTuple):
    """SQL over an `unnest` of rows with an alias: a piece of one statement, which sees the tables as they were."""

    sql: str
    columns: Mapping[str, str]
    alias: str
    #: What may be asked of the written rows, under the piece's name.
    returning: str = "1"
    #: The condition that finds the rows of a whole batch by their keys.
    of_batch: str = ""
    #: How many rows are written by VALUES: each number is a statement of its own.
    few_max: int = 1

    def compose(self, count: int) -> str:
        """Return the SQL for so many rows, or for any number where that is 0."""
        if not count:
            return self.sql + self.of_batch
        rows = sql.unnest(self.alias, self.columns)
        return self.sql.replace(rows, sql.few(self.alias, self.columns, count))


class Ending(NamedTuple):
    """The end of the statement that is written together, in place of one that notifies alone."""

    #: The SQL behind the pieces with these names, each of which returns what it says.
    compose: Callable[[Sequence[str]], str]
    parameters: Mapping[str, object]
    #: Called with the rows that it returns.
    take: Callable[[Rows], None]


class Store:
    """Lock, load and write the rows of one part. What a subject does not need it does not define."""

    part: ClassVar[type[Part]]
    #: What commands ask of it. It is visited only where one of them does, unless its rows go with others'.
    wish: ClassVar[type[Wish]] = Wish
    is_always_locked: ClassVar[bool] = False
    is_always_loaded: ClassVar[bool] = False
    #: Whether its locks are the last: it is visited once, when all else is read.
    is_last: ClassVar[bool] = False

    #: What is written in one statement with the rows of other parts, by name.
    pieces: ClassVar[Mapping[str, Piece]] = {}

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock what is known before anything is read, and read what belongs to it."""

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load, and perhaps lock, what is known once rows are locked."""

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write changes. RaceError: another transaction has inserted one of the new rows since."""

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of the pieces, by their names."""
        del uow
        return {}

    def make_ending(self, uow: UnitOfWork, rows: Mapping[str, Sequence[Values]]) -> Ending | None:
        """Return how the statement ends that writes these rows, if that is to return anything."""
        del uow, rows
        return None

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return what such rows leave for the loops to do."""
        del uow
        return Wake.NOTHING

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return how changes are written that come behind that statement; None: there are none."""
        del uow
        return None

    def settle(self, uow: UnitOfWork) -> None:
        """Log and count what was decided, and call listeners: all of it is committed."""


#: How often commands may ask for more, by what they have read.
ROUNDS_MAX: Final = 3


class Rounds:
    """Ask commands what they read, and again while what was read lets them ask for more."""

    def __init__(self, ask: Callable[[], Iterable[Wishes]]) -> None:
        """`ask` returns what each command asks for by now."""
        self._ask = ask
        #: All that was asked for last.
        self.asked = WishList([])

    def __iter__(self) -> Iterator[WishList]:
        """Yield what is asked for first, also if that is nothing, and then what is new each time."""
        self.asked = WishList([*self._ask()])
        yield self.asked
        for _ in range(ROUNDS_MAX - 1):
            if not (known := self.asked):
                return
            self.asked = WishList([*self._ask()])
            if not (new := self.asked.subtract(known)):
                return
            yield new


class Stores:
    """The stores of all parts, in the order in which every transaction locks (docs/protocol.md#locks)."""

    def __init__(self, *stores: Store) -> None:
        """Take the stores in their order; those whose locks are last stand last."""
        self._all = stores
        self._locking = self._having("lock")
        self._loading = [store for store in self._having("load") if not store.is_last]
        self._last = [store for store in self._having("load") if store.is_last]
        self._writing = self._having("write")
        self._rowing = self._having("make_rows")
        self._waking = self._having("find_wake")
        self._ending = self._having("make_ending")
        self._following = self._having("find_last")
        self._settling = self._having("settle")
        self._pieces = {name: piece for store in stores for name, piece in store.pieces.items()}

    def _having(self, step: str) -> list[Store]:
        return [store for store in self._all if getattr(type(store), step) is not getattr(Store, step)]

    async def lock(self, connection: Connection, uow: UnitOfWork, of_each: Sequence[Wishes]) -> None:
        """Lock what commands ask for."""
        asked = WishList(of_each)
        for store in self._locking:
            if store.is_always_locked or store.wish in asked:
                await store.lock(connection, uow, asked)

    async def load(self, connection: Connection, uow: UnitOfWork, ask: Callable[[], Iterable[Wishes]]) -> None:
        """Load what commands ask for, in rounds, and then that whose locks are last."""
        rounds = Rounds(ask)
        for asked in rounds:
            for store in self._loading:
                if store.is_always_loaded or store.wish in asked:
                    await store.load(connection, uow, asked)
        for store in self._last:
            if store.wish in rounds.asked:
                await store.load(connection, uow, rounds.asked)

    async def write(self, connection: Connection, uow: UnitOfWork, *, commits: bool = False) -> None:
        """Write all changes. RaceError: another transaction has inserted one of the new rows since.

        `commits`: the last statement may commit the pipelined transaction, so that an error of what follows it undoes
        nothing.
        """
        for store in self._writing:
            if store.part in uow:
                await store.write(connection, uow)
        rows: dict[str, Sequence[Values]] = {}
        wake, ending = Wake.NOTHING, None
        for store in self._rowing:
            if store.part in uow:
                rows |= store.make_rows(uow)
        for store in self._waking:
            if store.part in uow:
                wake |= store.find_wake(uow)
        for store in self._ending:
            if store.part in uow:
                ending = store.make_ending(uow, rows)
        last = [behind for store in self._following if store.part in uow and (behind := store.find_last(uow))]
        await write_together(connection, self._pieces, rows, wake, uow, ending, commits=commits and not last)
        for behind in last:
            await behind(connection)

    def settle(self, uow: UnitOfWork) -> None:
        """Log and count what was decided, and call listeners, once all of it is committed."""
        for store in self._settling:
            if store.part in uow:
                store.settle(uow)


async def write_together(
    connection: Connection,
    pieces: Mapping[str, Piece],
    rows: Mapping[str, Sequence[Values]],
    wake: Wake,
    uow: UnitOfWork | None = None,
    ending: Ending | None = None,
    *,
    commits: bool = False,
) -> None:
    """Write rows in one statement, made of the pieces that have any, and notify of what they leave to do."""
    names = tuple(name for name in pieces if rows.get(name))
    if not names:
        return
    is_batch = any(len(rows[name]) > pieces[name].few_max for name in names)
    counts = tuple(0 if is_batch else len(rows[name]) for name in names)
    parameters: dict[str, object] = {"wake": wake.payload, "now": None if uow is None else uow.clock.now}
    for name in names:
        parameters |= (sql.arrays if is_batch else sql.cells)(pieces[name].columns, pieces[name].alias, rows[name])
    key = (names, counts, None if ending is None else ending.compose)
    if (statement := _composed.get(key)) is None:
        statement = _composed[key] = _compose([(name, pieces[name]) for name in names], counts, ending)
    returned = await connection.execute(
        statement, parameters | dict({} if ending is None else ending.parameters), commits=commits
    )
    if ending is not None:
        ending.take(returned)


#: The statements that were composed so far, by the names of their pieces, the rows of each, and their ending.
_composed: dict[tuple[object, ...], TextClause] = {}


def _compose(pieces: Sequence[tuple[str, Piece]], counts: Sequence[int], ending: Ending | None) -> TextClause:
    """Return the statement that writes these pieces; `counts` of rows, or 0: any."""
    composed = [(name, piece, piece.compose(count)) for (name, piece), count in zip(pieces, counts, strict=True)]
    if ending is None:
        written = ", ".join(f"{name} AS ({statement})" for name, _, statement in composed)
        return text(f"WITH {written} SELECT pg_notify('{CHANNEL}', :wake) WHERE :wake <> ''")
    written = ", ".join(f"{name} AS ({statement} RETURNING {piece.returning})" for name, piece, statement in composed)
    return text(f"WITH {written} {ending.compose([name for name, _ in pieces])}")


log = logging.getLogger(__name__)

R = TypeVar("R")

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
        uow = UnitOfWork(self.terms, listeners=self.listeners.copy())  # they are called, or what they take is not done
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
