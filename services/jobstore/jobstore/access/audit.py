"""Keep the audit: write entries with their changes or before their calls, count refused calls, and list entries."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.access.audited import ENTRY, NOBODY, OTHERS, Audit, Entry
from jobstore.engine import sql
from jobstore.engine.database import Database
from jobstore.engine.parts import UnitOfWork
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection, Row
from jobstore.schema.access_tables import audit
from servicekit.errors import TransientError
from servicekit.process.runtime import run_forever
from signoff.status import AuditOutcome

#: Seconds after which refused calls that are alike are counted anew.
COUNTED_S: Final = 60.0
#: How many kinds of refused calls a jobstore tells apart meanwhile, of known callers and of nobody; further ones are
#: counted together, so that a flood of calls leaves a bounded number of entries.
KINDS_MAX: Final = 200
NOBODY_MAX: Final = 100
#: Those whose entry is written with their change, in its transaction; of other calls it is written first.
WITH_CHANGE: Final = frozenset(
    {
        *(f"/signoff.v1.IdentityService/{name}" for name in ("CreateToken", "RotateToken", "RevokeToken")),
        *(f"/signoff.v1.IdentityService/{name}" for name in ("CreateSession", "EndSession", "CreateTenant")),
        *(f"/signoff.v1.OperationsService/{name}" for name in ("SetLimit", "RemoveLimit", "Pause", "ConfirmLimits")),
        *(f"/signoff.v1.KeepingService/{name}" for name in ("SetRetention", "DeleteRetention")),
        "/signoff.v1.OperationsService/SpendLoginCode",
    }
)

_COLUMNS: Final = sql.columns(audit, without=("id", "at"))
_ADD: Final = sql.insert("audit", _COLUMNS)
_LIST: Final = text(
    """
    SELECT * FROM audit
    WHERE (CAST(:actors AS text[]) IS NULL OR actor = ANY(:actors))
        AND (CAST(:actions AS text[]) IS NULL OR action = ANY(:actions))
        AND (CAST(:outcomes AS text[]) IS NULL OR outcome = ANY(:outcomes))
        AND (CAST(:tenants AS text[]) IS NULL OR tenants && :tenants)
        AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
        AND (CAST(:at AS timestamptz) IS NULL OR (at, id) < (:at, CAST(:id AS uuid)))
    ORDER BY at DESC, id DESC LIMIT :limit
    """
)


async def add_entries(connection: Connection, entries: Collection[Entry]) -> None:
    """Add entries to the audit."""
    rows = [
        {
            **{name: getattr(entry, name) for name in _COLUMNS},
            "outcome": entry.outcome.value,
            "tenants": None if entry.tenants is None else sorted(entry.tenants),
        }
        for entry in entries
    ]
    await connection.execute(_ADD, sql.arrays(_COLUMNS, "u", rows))


async def add_own(connection: Connection, **known: object) -> None:
    """Add the entry of the call that is under way, in the transaction of its change; `known`: what is known of it now.

    A call that is not kept, such as of a test without a server, has none.
    """
    if (entry := ENTRY.get()) is not None:
        await add_entries(connection, [replace(entry, **known)])  # type: ignore[arg-type] # fields of an entry


async def list_audit(
    connection: Connection, limit: int, after: tuple[datetime, UUID] | None = None, **wanted: object
) -> Sequence[Row]:
    """Return up to `limit` entries that a connection may read, the newest first, after the place `after`.

    `wanted`: `actors`, `actions`, `outcomes` and `tenants`, `since` and `until`; what is None or missing is any.
    """
    at, id_ = after or (None, None)
    names = ("actors", "actions", "outcomes", "tenants", "since", "until")
    asked = {name: wanted.get(name) or None for name in names}
    return await connection.execute(_LIST, {**asked, "at": at, "id": id_, "limit": limit})


class AuditStore(Store):
    """Write the entries of commands with what they change."""

    part = Audit

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Add the entries."""
        if entries := uow[Audit].entries:
            await add_entries(connection, entries)


@dataclass(slots=True)
class _Tally:
    """Refused calls that are alike: the first, and how many there were that no entry tells of."""

    first: Entry
    untold: int = 1
    is_known: bool = False


class Refusals:
    """Refused calls: of each kind the first is an entry, and then one more a minute, which has their count."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], _Tally] = {}
        self._of_nobody = 0
        #: Set when there is a first of its kind.
        self.wake = asyncio.Event()

    def add(self, entry: Entry) -> None:
        """Count a refused call."""
        key: tuple[object, ...] = (entry.actor, entry.method, entry.code, entry.reason, entry.address)
        is_nobody = entry.actor == NOBODY
        if key not in self._kinds:
            of_nobody = self._of_nobody
            if of_nobody >= NOBODY_MAX if is_nobody else len(self._kinds) - of_nobody >= KINDS_MAX:
                key, entry = (is_nobody,), Entry(NOBODY if is_nobody else OTHERS, "", outcome=AuditOutcome.REFUSED)
        if (tally := self._kinds.get(key)) is not None:
            tally.untold += 1
            return
        self._kinds[key] = _Tally(entry)
        self._of_nobody += is_nobody
        self.wake.set()

    def take(self, *, everything: bool) -> list[Entry]:
        """Return what is to be written: the first calls of each kind or, with `everything`, the counts of all, too."""
        due = [tally for tally in self._kinds.values() if tally.untold and (everything or not tally.is_known)]
        entries = [replace(tally.first, count=tally.untold) for tally in due]
        for tally in due:
            tally.untold, tally.is_known = 0, True
        if everything:
            self._kinds = {}
            self._of_nobody = 0
        return entries


class Auditor:
    """Write the audit of a jobstore's calls. `reads`: calls that read payloads are kept, too."""

    def __init__(self, database: Database, *, reads: bool = False) -> None:
        self._database = database
        self.reads = reads
        self.refusals = Refusals()
        self._unwritten: list[Entry] = []
        self._begun_at = time.monotonic()

    async def begin(self, entry: Entry) -> None:
        """Write the entry of a call that is about to be carried out, or leave it to the transaction of its change.

        TransientError: it cannot be written, and the call must not happen.
        """
        if entry.method in WITH_CHANGE:
            ENTRY.set(entry)
            return
        async with self._database.session() as session:
            await add_entries(session, [entry])

    async def flush(self, *, everything: bool = True) -> None:
        """Write which calls were refused. TransientError: the database is away; they are kept until it is back.

        Entries whose writing was cut short are written again, and stand there twice rather than not at all.
        """
        await self._write()
        self._unwritten = self.refusals.take(everything=everything)
        await self._write()

    async def _write(self) -> None:
        if self._unwritten:
            async with self._database.session() as session:
                await add_entries(session, self._unwritten)
            self._unwritten = []

    def _find_rest_s(self) -> float:
        return max(0.0, self._begun_at + COUNTED_S - time.monotonic())

    async def _flush_due(self) -> None:
        is_due = not self._find_rest_s()
        if is_due:
            self._begun_at = time.monotonic()
        await self.flush(everything=is_due)

    async def close(self) -> None:
        """Write what was refused until now, if the database is there."""
        with contextlib.suppress(TransientError):
            await self.flush()

    async def run(self) -> None:
        """Write refused calls for ever."""
        await run_forever(self._flush_due, name="audit", every_s=self._find_rest_s, wake=self.refusals.wake)
