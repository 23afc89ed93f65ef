"""Declare all locks of the jobstore, and the one order in which every transaction takes them.

A transaction that takes two of them in another order can deadlock with one that keeps to it. The order:

1. LIMITS: shared to request or claim executions, exclusive to change limits or to move an operation.
2. OFFERS, exclusive: to change limits, and for the dispatcher, which counts them. The dispatcher waits for no other
   lock.
3. Rows of `jobs`, in the order of their ids.
4. Rows of `operations`, and then of `agents`, that a command changes, in the order of their ids; an operation's worker
   claims a row that nobody holds (SKIP LOCKED).
5. Rows of `executions`, in the order of their ids; the dispatcher and the offers skip those that are locked.
6. Rows of `limits` whose queues are capped, in the order of their names.
7. Rows of `circuits`, in the order of their agents.
8. Rows of `reusable`, in the order of their keys, when all else is written.
9. Rows of `workers`, in the order of their owners.
10. Rows of `judging_evaluations`, in the order of their names, versions and cases.
11. Rows of `judging_counts`, in the order of their kinds, names and versions. Those of the policy `default`
    are written by the holder of ROLLUPS alone, so that commands, which mostly use it, do not wait for each other.

Once rows are locked (3 and below), waiting for LIMITS could deadlock: changing limits waits for those rows.

The table `facts` is locked to add facts of all that administrators set, while LIMITS or no lock is held.

TENANTS is shared, once rows are locked, to make an id of `default` that begins as a tenant may be named, and exclusive
to make a tenant, which locks nothing else.

Rows of `retentions` are locked by commands that change them, in the order of their names; these lock nothing else.

TRIES, exclusive, is held to ask for a try of an agent, once all else that this needs is locked.

RELAY, ARCHIVE, CHECKPOINT, ROLLUPS, DEAD_LETTERS and MIGRATION stand alone: their holders take no other lock that
anybody waits for. RELAY, ARCHIVE, CHECKPOINT and MIGRATION are held by a session, and are free as soon as its process
is gone or, but for MIGRATION, its epoch has ended (Epochs); all others end with their transaction.

CUTTING is held to delete what is left of the logs of removed jobs; the row of `keeping` is locked behind it, as by the
archiver, and then rows of `job_logs` that nobody else locks. Rows of `executions` and `reusable` of a job that is
removed are locked in their places above, while its row of `jobs` is.

RETENTION is held by a session, too, by the jobstore that removes what retentions let go; nobody waits for it.
"""

from enum import IntEnum, unique

from sqlalchemy import text

from jobstore.engine.sql import Connection


@unique
class Lock(IntEnum):
    """The numbers of the advisory locks, which are the same in all processes of all versions."""

    MIGRATION = 0x51_6E_0F_01
    RELAY = 0x51_6E_0F_02
    LIMITS = 0x51_6E_0F_03
    OFFERS = 0x51_6E_0F_04
    ROLLUPS = 0x51_6E_0F_05
    TEXTS = 0x51_6E_0F_06
    DEAD_LETTERS = 0x51_6E_0F_07
    TRIES = 0x51_6E_0F_08
    TENANTS = 0x51_6E_0F_09
    ARCHIVE = 0x51_6E_0F_0A
    CHECKPOINT = 0x51_6E_0F_0D
    RETENTION = 0x51_6E_0F_0C
    CUTTING = 0x51_6E_0F_0E


_HOLD = text("SELECT pg_advisory_xact_lock(:lock)")
_SHARE = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_TRY_HOLD = text("SELECT pg_try_advisory_xact_lock(:lock)")
_TRY_HOLD_BY_SESSION = text("SELECT pg_try_advisory_lock(:lock)")


async def hold(connection: Connection, lock: Lock) -> None:
    """Wait for an advisory lock, and hold it exclusively until the transaction ends."""
    await connection.execute(_HOLD, {"lock": lock})


async def share(connection: Connection, lock: Lock) -> None:
    """Wait for an advisory lock, and share it until the transaction ends."""
    await connection.execute(_SHARE, {"lock": lock})


async def try_hold(connection: Connection, lock: Lock) -> bool:
    """Hold a lock exclusively until the transaction ends. Return False if another transaction holds or shares it."""
    return bool(await connection.scalar(_TRY_HOLD, {"lock": lock}))


async def try_hold_by_session(session: Connection, lock: Lock) -> bool:
    """Hold a lock exclusively for as long as the session lives. Return False if another session holds the lock."""
    return bool(await session.scalar(_TRY_HOLD_BY_SESSION, {"lock": lock}))
