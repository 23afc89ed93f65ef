"""Keep which work was begun and how it ended, in an SQLite file that several processes of one machine may share."""

import asyncio
import fcntl
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

#: Seconds that a status is kept after its work has ended.
KEEP_S: Final = 86_400.0
_BUSY_S: Final = 10.0
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS work (
    key TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT '{}', is_stopping INTEGER NOT NULL DEFAULT 0, changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS running ON work (owner) WHERE state = 'running';
CREATE INDEX IF NOT EXISTS ended ON work (changed_at) WHERE state <> 'running';
CREATE TABLE IF NOT EXISTS checkpoints (
    key TEXT NOT NULL REFERENCES work ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (key, name)
);
"""


#: The stores that are open in this process, and the paths of those that were when it was forked. A child may not use
#: them, at all: SQLite would take the locks of the parent for its own.
_OPEN: Final[set["SqliteStore"]] = set()
_INHERITED: Final[set[Path]] = set()
_FORKED: Final = "it was opened before this process was forked: open it afterwards, in each process"


class StoreError(Exception):
    """The store cannot be read or written now: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work as it is kept. `state`: running, succeeded, failed, declined, stopped, or lost with its process.

    `status` is its status as JSON text. While another process runs it, `heartbeat` changes as long as that one lives.
    """

    id: str
    key: str
    digest: str
    state: str
    status: str
    is_own: bool
    is_stopping: bool
    heartbeat: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to a request for work: the work of its key, whether it has to be done now, and its checkpoints."""

    work: Work
    is_new: bool
    checkpoints: Mapping[str, str]


class Store(Protocol):
    """A store of work. A method raises StoreError if it cannot be done now; a write that returned is durable."""

    async def open(self) -> None:
        """Prepare the store for this process."""

    async def close(self) -> None:
        """Note as lost what this process still runs, and let go of the store."""

    async def begin(self, key: str, digest: str, *, has_room: bool, is_repeatable: bool) -> Begun | None:
        """Begin the work of a key, unless it goes on, has ended well, was cut, or is another request; None: no room.

        Of calls at the same time, in whatever processes, one begins it. Failed or stopped work begins anew, with
        another id; work that was lost only if it `is_repeatable`.
        """

    async def find(self, work_id: str) -> Work | None:
        """Return work by its id, as lost if its process is gone; None if there is none."""

    async def end(self, work_id: str, state: str, status: str) -> None:
        """Keep how work of this process ended."""

    async def stop(self, work_id: str) -> None:
        """Ask the process that runs work to stop it."""

    async def beat(self, statuses: Mapping[str, str]) -> set[str]:
        """Show that this process lives, keep statuses by id, and return the ids of its work that has to be stopped."""

    async def checkpoint(self, key: str, name: str, value: str) -> None:
        """Keep a value beside the work of a key."""

    async def forget(self) -> None:
        """Delete what ended longer ago than it is kept."""


class SqliteStore:
    """A store in an SQLite file.

    A process holds a lock on a file of its own for as long as it lives, so that the others know: work of a process
    that is frozen goes on, work of one that is gone is lost. Writes of the same moment are one transaction.
    """

    def __init__(self, path: str | Path, *, keep_s: float = KEEP_S) -> None:
        self._path = Path(path)
        self._keep_s = keep_s
        self._owner = ""
        self._lock = -1
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1, "signoff-agent-store")
        try:
            self._db = await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        except (OSError, sqlite3.Error) as error:
            self._let_go()
            raise StoreError(f"the store {self._path} cannot be opened: {error}") from error
        await self.forget()

    async def close(self) -> None:
        if self._thread is None:
            return
        with suppress(StoreError):
            await self._do(lambda db: self._lose(db, "owner", self._owner))
        self._thread.submit(self._db.close)
        self._let_go()

    def _let_go(self) -> None:
        """End the thread, and show others that this process runs nothing any more."""
        _OPEN.discard(self)
        if self._thread is not None:
            self._thread.shutdown()
        self._thread = None
        if self._lock >= 0:
            self._lock_path(self._owner).unlink(missing_ok=True)
            os.close(self._lock)
        self._lock = -1

    async def begin(self, key: str, digest: str, *, has_room: bool, is_repeatable: bool) -> Begun | None:
        def act(db: sqlite3.Connection) -> Begun | None:
            work = self._read(db, "key", key)
            if work is not None:
                begins_anew = {"failed", "stopped", "lost"} if is_repeatable else {"failed", "stopped"}
                if work.state not in begins_anew or work.digest != digest:
                    return Begun(work, is_new=False, checkpoints={})
            if not has_room:
                return None
            work = Work(secrets.token_urlsafe(16), key, digest, "running", "{}", is_own=True, is_stopping=False)
            db.execute(
                "INSERT INTO work (key, id, digest, owner, state, changed_at) VALUES (?, ?, ?, ?, 'running', ?) "
                "ON CONFLICT (key) DO UPDATE SET id = excluded.id, owner = excluded.owner, state = 'running', "
                "status = '{}', is_stopping = 0, changed_at = excluded.changed_at",
                (key, work.id, digest, self._owner, time.time()),
            )
            kept = db.execute("SELECT name, value FROM checkpoints WHERE key = ?", (key,))
            return Begun(work, is_new=True, checkpoints=dict(kept.fetchall()))

        return await self._do(act)

    async def find(self, work_id: str) -> Work | None:
        return await self._do(lambda db: self._read(db, "id", work_id))

    async def end(self, work_id: str, state: str, status: str) -> None:
        end = "UPDATE work SET state = ?, status = ?, changed_at = ? WHERE id = ? AND owner = ? AND state = 'running'"
        await self._do(lambda db: db.execute(end, (state, status, time.time(), work_id, self._owner)))

    async def stop(self, work_id: str) -> None:
        stop = "UPDATE work SET is_stopping = 1 WHERE id = ? AND state = 'running'"
        await self._do(lambda db: db.execute(stop, (work_id,)))

    async def beat(self, statuses: Mapping[str, str]) -> set[str]:
        def act(db: sqlite3.Connection) -> set[str]:
            os.utime(self._lock)
            changes = [(status, work_id, self._owner) for work_id, status in statuses.items()]
            db.executemany("UPDATE work SET status = ? WHERE id = ? AND owner = ? AND state = 'running'", changes)
            stopping = "SELECT id FROM work WHERE owner = ? AND state = 'running' AND is_stopping = 1"
            return {work_id for (work_id,) in db.execute(stopping, (self._owner,))}

        return await self._do(act)

    async def checkpoint(self, key: str, name: str, value: str) -> None:
        keep = "INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        await self._do(lambda db: db.execute(keep, (key, name, value)))

    async def forget(self) -> None:
        """Delete what ended longer ago than it is kept, and the locks of processes that are gone."""

        def act(db: sqlite3.Connection) -> None:
            for (owner,) in db.execute("SELECT DISTINCT owner FROM work WHERE state = 'running'").fetchall():
                if not self._lives(owner):
                    self._lose(db, "owner", owner)
            oldest = time.time() - self._keep_s
            db.execute("DELETE FROM work WHERE state <> 'running' AND changed_at < ?", (oldest,))
            for entry in os.scandir(self._path.parent):
                owner = entry.name.removeprefix(f"{self._path.name}.").removesuffix(".lock")
                if entry.name == self._lock_path(owner).name:
                    self._lives(owner, removes=True)

        await self._do(act)

    def _connect(self) -> sqlite3.Connection:
        if self._path.absolute() in _INHERITED:
            raise OSError(_FORKED)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):  # results are nobody else's to read
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._owner, self._lock = self._take_lock()
        _OPEN.add(self)
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        _switch_to_wal(db)
        db.execute("PRAGMA synchronous = FULL")  # a key that was answered is still known after a loss of power
        db.execute("PRAGMA foreign_keys = ON")
        with _transaction(db):
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise sqlite3.DatabaseError(f"it is of version {version}, of a newer signoff-agent")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        return db

    def _take_lock(self) -> tuple[str, int]:
        """Return a new name of this process, and the descriptor of the file by whose lock others see that it lives."""
        while True:
            owner = secrets.token_hex(8)
            path = self._lock_path(owner)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return owner, descriptor
            os.close(descriptor)  # another process took it for one that was left behind

    def _lives(self, owner: str, *, removes: bool = False) -> bool:
        """Return whether a process lives; if it does not, and `removes`, remove its lock.

        A process that begins has a file before it has the lock on it: only who holds that lock may remove the file.
        """
        if owner == self._owner:
            return True
        try:
            descriptor = os.open(self._lock_path(owner), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared with others that look
        except BlockingIOError:
            return True
        else:
            if removes:
                self._lock_path(owner).unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)

    def _lock_path(self, owner: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{owner}.lock")

    def _read(self, db: sqlite3.Connection, column: str, value: str) -> Work | None:
        query = f"SELECT id, key, digest, state, status, owner, is_stopping FROM work WHERE {column} = ?"  # noqa: S608
        row = db.execute(query, (value,)).fetchone()
        if row is None:
            return None
        work_id, key, digest, state, status, owner, is_stopping = row
        heartbeat = 0
        if state == "running" and owner != self._owner:
            if self._lives(owner):
                with suppress(FileNotFoundError):
                    heartbeat = self._lock_path(owner).stat().st_mtime_ns
            else:
                self._lose(db, "id", work_id)
                state = "lost"
        return Work(work_id, key, digest, state, status, owner == self._owner, bool(is_stopping), heartbeat)

    def _lose(self, db: sqlite3.Connection, column: str, value: str) -> None:
        lose = f"UPDATE work SET state = 'lost', changed_at = ? WHERE {column} = ? AND state = 'running'"  # noqa: S608
        db.execute(lose, (time.time(), value))

    async def _do(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the database, in one transaction with what else waits. Raise StoreError if it fails."""
        if self._thread is None:
            raise StoreError(_FORKED if self._path.absolute() in _INHERITED else "the store is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((act, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                answers = await loop.run_in_executor(self._thread, self._commit, [act for act, _ in batch])
            except Exception as error:  # whatever it is, nobody waits for ever
                log.exception("the store %s could not be written", self._path)
                for _, done in batch:
                    if not done.done():
                        done.set_exception(StoreError(str(error)))
            else:
                for (_, done), answer in zip(batch, answers, strict=True):
                    if not done.done():
                        done.set_result(answer)

    def _commit(self, acts: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        with _transaction(self._db):
            return [act(self._db) for act in acts]


def _leave_to_parent() -> None:
    """Let go of the locks of stores, which in a forked child would say that its parent lives."""
    for store in _OPEN:
        os.close(store._lock)  # noqa: SLF001 - of this module
        store._lock, store._thread = -1, None  # noqa: SLF001
        _INHERITED.add(store._path.absolute())  # noqa: SLF001
    _OPEN.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _switch_to_wal(db: sqlite3.Connection) -> None:
    """Let readers and a writer work at once. Two that switch at once do not wait for each other by themselves."""
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
