"""Carry out commands: lock, load, decide and write a batch of them in one transaction, by the store of each part."""

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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

log = logging.getLogger(__name__)

R = TypeVar("R")

#: Writes rows that come behind the common statement of all parts.
Last = Callable[[Connection], Awaitable[None]]


class Piece(NamedTuple):
    """SQL that writes the rows of an `unnest` called `alias`, as a CTE that sees the tables as before its statement."""

    sql: str
    columns: Mapping[str, str]
    alias: str
    #: The columns that RETURNING has of the written rows, under the name of the piece.
    returning: str = "1"
    #: The condition that finds the rows of a whole batch by their keys.
    of_batch: str = ""
    #: Up to how many rows are written by VALUES: each number is a statement of its own.
    few_max: int = 1

    def compose(self, count: int) -> str:
        """Return the SQL that writes `count` rows, or any number of rows if `count` is 0."""
        if not count:
            return self.sql + self.of_batch
        rows = sql.unnest(self.alias, self.columns)
        return self.sql.replace(rows, sql.few(self.alias, self.columns, count))


class Ending(NamedTuple):
    """The end of the statement that writes all parts' rows, if it returns rows; without an ending it only notifies."""

    #: Returns the SQL behind the pieces of these names.
    compose: Callable[[Sequence[str]], str]
    parameters: Mapping[str, object]
    #: Called with the rows that the statement returns.
    take: Callable[[Rows], None]


class Store:
    """Lock, load and write the rows of one part. A subclass overrides the steps that its part needs."""

    part: ClassVar[type[Part]]
    #: The wish of commands for it. It is visited only for such a wish, unless it is always locked or loaded.
    wish: ClassVar[type[Wish]] = Wish
    is_always_locked: ClassVar[bool] = False
    is_always_loaded: ClassVar[bool] = False
    #: Whether its locks are the last: it is visited once, after all others.
    is_last: ClassVar[bool] = False

    #: The SQL that writes its rows in the common statement, by name.
    pieces: ClassVar[Mapping[str, Piece]] = {}

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock the rows that commands ask for before any row is read, and read what belongs to these rows."""

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load, and perhaps lock, the rows that commands ask for once other rows are locked."""

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write changes that no piece writes. RaceError: another transaction has since inserted one of the new rows."""

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows that each piece of this store writes, by the names of the pieces."""
        del uow
        return {}

    def make_ending(self, uow: UnitOfWork, rows: Mapping[str, Sequence[Values]]) -> Ending | None:
        """Return the end of the statement that writes `rows`, if this store needs rows that it returns, else None."""
        del uow, rows
        return None

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return the kinds of work that the changed rows leave for the loops."""
        del uow
        return Wake.NOTHING

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return the function that writes changes after the common statement of all parts; None: there are none."""
        del uow
        return None

    def settle(self, uow: UnitOfWork) -> None:
        """After the commit, log and count the decisions, and call listeners."""


#: How many times commands are asked what they read.
ROUNDS_MAX: Final = 3


class Rounds:
    """Ask commands which rows they read, and ask again while rows that were read make them ask for more."""

    def __init__(self, ask: Callable[[], Iterable[Wishes]]) -> None:
        """`ask` returns the current wishes of each command."""
        self._ask = ask
        #: The wishes of the last round.
        self.asked = WishList([])

    def __iter__(self) -> Iterator[WishList]:
        """Yield the wishes of the first round, even if they are empty, and then the new ones of each further round."""
        self.asked = WishList([*self._ask()])
        yield self.asked
        for _ in range(ROUNDS_MAX - 1):
            if not (known := self.asked):
                return
            self.asked = WishList([*self._ask()])
            if not (new := self.asked.subtract(known)):
                return
            yield new


_STEPS: Final = ("lock", "load", "write", "make_rows", "find_wake", "make_ending", "find_last", "settle")


class Stores:
    """The stores of all parts, in the order in which every transaction locks (docs/protocol.md#locks)."""

    def __init__(self, *stores: Store) -> None:
        """Take the stores in the order in which they lock; the stores whose locks are taken last stand last."""
        #: The stores that define each step.
        self._having = {
            step: [store for store in stores if getattr(type(store), step) is not getattr(Store, step)]
            for step in _STEPS
        }
        self._loading = [store for store in self._having["load"] if not store.is_last]
        self._last = [store for store in self._having["load"] if store.is_last]
        self._pieces = {name: piece for store in stores for name, piece in store.pieces.items()}

    def _find(self, step: str, uow: UnitOfWork) -> Iterator[Store]:
        """Yield the stores that define a step, of parts that the transaction has used."""
        return (store for store in self._having[step] if store.part in uow)

    async def lock(self, connection: Connection, uow: UnitOfWork, of_each: Sequence[Wishes]) -> None:
        """Lock the rows that commands wish to lock; `of_each` has the wishes of each command."""
        asked = WishList(of_each)
        for store in self._having["lock"]:
            if store.is_always_locked or store.wish in asked:
                await store.lock(connection, uow, asked)

    async def load(self, connection: Connection, uow: UnitOfWork, ask: Callable[[], Iterable[Wishes]]) -> None:
        """Load the rows that commands wish, as `ask` returns them, in rounds, and then parts whose locks are last."""
        rounds = Rounds(ask)
        for asked in rounds:
            for store in self._loading:
                if store.is_always_loaded or store.wish in asked:
                    await store.load(connection, uow, asked)
        for store in self._last:
            if store.wish in rounds.asked:
                await store.load(connection, uow, rounds.asked)

    async def write(self, connection: Connection, uow: UnitOfWork, *, commits: bool = False) -> None:
        """Write all changes. RaceError: another transaction has meanwhile inserted one of the new rows.

        `commits`: the last statement may commit the pipelined transaction; an error after it then undoes nothing.
        """
        for store in self._find("write", uow):
            await store.write(connection, uow)
        rows: dict[str, Sequence[Values]] = {}
        wake, ending = Wake.NOTHING, None
        for store in self._find("make_rows", uow):
            rows |= store.make_rows(uow)
        for store in self._find("find_wake", uow):
            wake |= store.find_wake(uow)
        for store in self._find("make_ending", uow):
            ending = store.make_ending(uow, rows)
        last = [behind for store in self._find("find_last", uow) if (behind := store.find_last(uow))]
        await write_together(connection, self._pieces, rows, wake, uow, ending, commits=commits and not last)
        for behind in last:
            await behind(connection)

    def settle(self, uow: UnitOfWork) -> None:
        """After the commit, log and count the decisions, and call listeners."""
        for store in self._find("settle", uow):
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
    """Write rows in one statement, composed of the pieces that have rows, and notify of the work in `wake`."""
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
    """Return the statement composed of some pieces; `counts`: how many rows each piece writes, 0: any number."""
    composed = [(name, piece, piece.compose(count)) for (name, piece), count in zip(pieces, counts, strict=True)]
    if ending is None:
        written = ", ".join(f"{name} AS ({statement})" for name, _, statement in composed)
        return text(f"WITH {written} SELECT pg_notify('{CHANNEL}', :wake) WHERE :wake <> ''")
    written = ", ".join(f"{name} AS ({statement} RETURNING {piece.returning})" for name, piece, statement in composed)
    return text(f"WITH {written} {ending.compose([name for name, _ in pieces])}")


#: Seconds after which a command that fails alone is given up, and its record goes to the dead-letter queue.
PATIENCE_S: Final = 600.0
#: Seconds after which a command that has not failed again was carried out, or its worker is gone.
FORGET_S: Final = 120.0


class Doubts:
    """The times when each command first and last failed alone in its batch, forgotten FORGET_S after the last time."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._failing: dict[Hashable, tuple[float, float]] = {}

    def is_over(self, command: Command[object]) -> bool:
        """Note that a command failed alone in its batch, and return whether it has been failing for too long."""
        now = time.monotonic()
        self._failing = {key: times for key, times in self._failing.items() if now - times[1] < FORGET_S}
        key = (type(command), *command.locks())
        since, _ = self._failing.get(key, (now, now))
        self._failing[key] = since, now
        return now - since >= self._patience_s

    def forget(self) -> None:
        """Forget all failures."""
        self._failing.clear()


class CommandRunner:
    """Carry out commands. Each kind of command has its own lane, in which concurrent calls share a transaction."""

    def __init__(
        self, database: Database, stores: Stores, terms: ExecutionTerms, patience_s: float = PATIENCE_S
    ) -> None:
        """`patience_s`: after how long a command that fails alone, while the database can be written, is given up."""
        self._database = database
        self._stores = stores
        self._doubts = Doubts(patience_s)
        self.terms = terms
        #: Called after each commit.
        self.listeners = Listeners()
        #: Returns why no new work is taken, since a storage is nearly full; None: it is taken.
        self.find_full: Callable[[], str | None] = lambda: None
        self.submit = Lane(self._carry_out_or_give_up)
        self.claim = Lane(self._carry_out_or_give_up)
        self.record = Lane(self._carry_out_or_give_up)
        #: Judgings without a job: these and the reports on jobs do not wait for each other.
        self.judge = Lane(self._carry_out_or_give_up)
        self.match = Lane(self._carry_out_or_give_up)
        #: Commands of administrators; those that change limits, and wait for all that hold them, have another lane.
        self.administer = Lane(self._carry_out_or_give_up)
        self.limit = Lane(self._carry_out_or_give_up)

    async def carry_out(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | SetAside]:
        """Carry out a batch in one transaction: lock, load, decide, write.

        Return the result of each command, in order: a PermanentError for a command that failed, and changed nothing.
        TransientError: it is not known whether any was carried out. A command that needs the limits lock while limits
        are changed has the result SET_ASIDE, and the caller carries it out by itself. If all need that lock, they wait.
        """
        listeners = replace(self.listeners)  # even one that is removed meanwhile is called
        uow = UnitOfWork(self.terms, listeners=listeners, full=self.find_full())
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
        """Carry out a batch; raise DatabaseFaultError for a command that has failed alone for too long.

        DoubtfulError: no command was carried out, although the database can be written. The caller halves the batch
        until the command that is at fault is alone, and then tries that command again, until it is given up.
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
        """Raise TransientError if the database cannot be written: a failure in an outage is no fault of a command."""
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
        return command.decide(uow.show_to(command))
    except PermanentError as error:
        return error
