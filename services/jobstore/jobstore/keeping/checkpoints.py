"""Write checkpoints into the archive, and let go of facts in the topics that a checkpoint and the archive have.

Of all jobstores one does so at a time. Of two that both take themselves for that one, each writes a checkpoint of its
own, or one writes none: a manifest is created once.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from prometheus_client import Gauge
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.topics import FACT_TOPICS
from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.engine.sql import Connection
from jobstore.keeping.snapshots import Snapshots
from servicekit import clock
from servicekit.archive.parts import Archive, Beginning
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.history import History
from servicekit.process import runtime
from servicekit.process.runtime import run_forever

log = logging.getLogger(__name__)

OUTAGE: Final = Gauge("signoff_checkpoint_outage", "1 while this process cannot write a checkpoint, by why", ["code"])
HELD_BACK: Final = Gauge(
    "signoff_facts_held_back", "Facts that stay in their topics until a group has read them", ["group"]
)
WRITTEN_AT: Final = Gauge("signoff_checkpoint_seconds", "When this process last wrote a checkpoint, since 1970")
#: Seconds between two looks whether a checkpoint is due, or facts are, at most.
LOOK_S: Final = 300.0

#: Nothing is due while there is no archive that is as it should be.
_STATE: Final = text(
    """
    SELECT checkpoint, incarnation, offsets::text, signoff_now() AS now,
        checkpoint_at IS NULL OR checkpoint_at + make_interval(secs => :every_s) <= signoff_now() AS is_due
    FROM keeping WHERE part > 0 AND archive_error IS NULL AND suspect IS NULL
    """
)
_NOTE: Final = text(
    "UPDATE keeping SET checkpoint = :number, checkpoint_seq = :seq, checkpoint_at = :at "
    "WHERE id = 1 AND checkpoint < :number"
)

#: The first part that stays: it has a fact that is not in the oldest checkpoint, or is young by one of both clocks.
_FRONT: Final = text(
    """
    WITH first AS (
        SELECT min(number) AS number FROM archive_parts
        WHERE bytes > 0 AND (number = (SELECT part FROM keeping) OR last_seq > :seq OR facts_at > :since
            OR created_at > signoff_now() - make_interval(secs => :kept_s))
    )
    SELECT first.number, count(p.number) AS gone, max(p.last_seq) AS seq
    FROM first LEFT JOIN archive_parts p ON p.number < first.number AND p.bytes > 0 GROUP BY first.number
    """
)
#: Of parts that are gone one a day stays, by which retentions know how old facts are.
_LET_GO: Final = text("UPDATE archive_parts SET bytes = 0 WHERE number < :number AND bytes > 0")
_THIN_OUT: Final = text(
    """
    DELETE FROM archive_parts WHERE number IN (
        SELECT number FROM (
            SELECT number, row_number() OVER (PARTITION BY date_trunc('day', facts_at) ORDER BY number DESC) AS nth
            FROM archive_parts WHERE bytes = 0
        ) AS gone WHERE nth > 1
    )
    """
)
_NOTE_HELD_BACK: Final = text(
    "UPDATE keeping SET held_back = CAST(:held_back AS json) WHERE id = 1 AND held_back::text <> :held_back"
)

#: An offset by partition, as topic and number.
Offsets: TypeAlias = dict[tuple[str, int], int]
#: By group, the offsets up to which it has read.
Committed: TypeAlias = Mapping[str, Offsets]


@dataclass(frozen=True, slots=True)
class CheckpointTerms:
    """How often a checkpoint is written, how long older ones and facts are kept, and whose reading facts wait for."""

    every_s: float
    facts_kept_s: float
    archive_kept_s: float | None = None
    groups: tuple[str, ...] = ()


class Checkpoints:
    """Write a checkpoint whenever one is due, and let go of facts that are in it, archived, read, and old enough."""

    def __init__(
        self,
        database: Database,
        open_snapshot: Callable[[], AbstractAsyncContextManager[Connection]],
        open_snapshots: Callable[[], Snapshots],
        open_archive: Callable[[], Archive],
        *,
        history: Callable[[str], History],
        read_committed: Callable[[tuple[str, ...]], Awaitable[Committed]],
        delete_records: Callable[[Offsets], Awaitable[None]],
        terms: CheckpointTerms,
    ) -> None:
        """`open_snapshot` opens a transaction that sees one moment, for however long it takes."""
        self._database = database
        self._open_snapshot = open_snapshot
        self._open_snapshots = open_snapshots
        self._open_archive = open_archive
        self._history = history
        self._read_committed = read_committed
        self._delete_records = delete_records
        self._terms = terms
        #: By group, how many facts stay for it that would be gone by now.
        self.held_back: dict[str, int] = {}

    async def run(self) -> None:
        """Look for ever, unless another jobstore does."""
        await run_forever(self._try, name="checkpoints", every_s=min(LOOK_S, self._terms.every_s))

    async def _try(self) -> None:
        async with self._database.new_session() as session:  # which ends with this block, and the lock with it
            if await locks.try_hold_by_session(session, Lock.CHECKPOINT):
                await self.look(session)

    def advise(self) -> str | None:
        """Return, in words, whom facts wait for; None: nobody."""
        if not self.held_back:
            return None
        return (
            f"facts stay in their topics until {', '.join(self.held_back)} have read them: let these groups go on, or "
            "take them out of SIGNOFF_FACTS_GROUPS"
        )

    async def look(self, session: Connection) -> None:
        """Write a checkpoint if one is due, and let go of facts. What is wrong with the archive is logged and shown."""
        try:
            await self._look(session)
        except PermanentError as error:
            log.error("no checkpoint is written: %s", error, extra={"code": error.code})  # noqa: TRY400 - no fault of ours
            self._show(error.code)
        except TransientError as error:
            self._show(error.code)
            raise
        else:
            self._show(None)

    def _show(self, code: str | None) -> None:
        OUTAGE.clear()
        if code is not None:
            OUTAGE.labels(code).set(1)

    async def _look(self, session: Connection) -> None:
        asked = {"every_s": self._terms.every_s}
        state = (await session.execute(_STATE, asked)).one_or_none()
        if state is None:
            return
        snapshots, archive = self._open_snapshots(), self._open_archive()
        await archive.renew_beginning()
        if state.is_due:
            await self._write(session, snapshots)
            await self._forget(session, snapshots, archive)
            state = (await session.execute(_STATE, asked)).one_or_none()
        if state is None or not state.checkpoint:
            return
        snapshot = await snapshots.open(state.checkpoint)
        if snapshot is not None and snapshot.manifest.incarnation == state.incarnation:
            archived = {_split(place): offset for place, offset in from_json(state.offsets).items()}
            kept = {_split(place): offset + 1 for place, offset in snapshot.manifest.offsets.items()}
            await self._let_go(kept, archived, state.now)
            await session.execute(_NOTE_HELD_BACK, {"held_back": to_json(self.held_back).decode()})

    async def _write(self, session: Connection, snapshots: Snapshots) -> None:
        await snapshots.open()  # the one before must be whole, and ours
        async with self._open_snapshot() as connection:
            manifest = (await snapshots.write(connection, runtime.VERSION)).manifest
        noted = {"number": manifest.number, "seq": manifest.published_seq, "at": manifest.made_at}
        await session.execute(_NOTE, noted)
        WRITTEN_AT.set(clock.now().timestamp())
        log.info("a checkpoint is written", extra={"number": manifest.number, "bytes": manifest.bytes})

    async def _forget(self, session: Connection, snapshots: Snapshots, archive: Archive) -> None:
        """Let go of old checkpoints, and of old parts in front of the oldest checkpoint that stays."""
        kept_s = self._terms.archive_kept_s
        await snapshots.forget(kept_s)
        if kept_s is None or not await locks.try_hold_by_session(session, Lock.ARCHIVE):
            return  # whoever archives reads a part that may go: the next checkpoint lets it go
        oldest, *_ = await snapshots.list_numbers()
        snapshot = await snapshots.open(oldest)
        assert snapshot is not None
        since = clock.now() - timedelta(seconds=kept_s)
        asked = {"seq": snapshot.manifest.published_seq, "kept_s": kept_s, "since": since}
        first = (await session.execute(_FRONT, asked)).one()
        if first.gone:
            part, earlier = await archive.read_part(first.number), await archive.find_beginning()
            await archive.begin_at(
                Beginning(
                    number=part.number,
                    before=part.manifest.before or "",
                    installation=part.manifest.installation,
                    checkpoint=oldest,
                    seq=max(first.seq or 0, 0 if earlier is None else earlier.seq),
                )
            )
            await session.execute(_LET_GO, {"number": part.number})
            await session.execute(_THIN_OUT)
        if gone := await archive.clear():
            log.info("parts in front of a checkpoint left the archive", extra={"parts": gone, "checkpoint": oldest})

    async def _let_go(self, kept: Offsets, archived: Offsets, now: datetime) -> None:
        # By the earlier of both clocks, so that one that jumps ahead lets nothing go.
        since = min(now, clock.now()) - timedelta(seconds=self._terms.facts_kept_s)
        begins, young = Offsets(), Offsets()
        for topic in FACT_TOPICS:
            async with self._history(topic) as history:
                begins |= {(topic, number): span.start for number, span in (await history.offsets()).items()}
                young |= {(topic, number): span.start for number, span in (await history.offsets(since)).items()}
        committed = await self._read_committed(self._terms.groups) if self._terms.groups else {}
        bounds = {place: min(kept[place], archived[place] - 1, young[place]) for place in kept.keys() & archived.keys()}
        behind = {group: find_behind(bounds, read) for group, read in committed.items()}
        self.held_back = {
            group: count
            for group, places in behind.items()
            if (count := sum(max(0, bounds[place] - max(read, begins[place])) for place, read in places.items()))
        }
        HELD_BACK.clear()
        for group, count in self.held_back.items():
            HELD_BACK.labels(group).set(count)
        for places in behind.values():
            bounds |= {place: min(bounds[place], offset) for place, offset in places.items()}
        gone = {place: offset for place, offset in bounds.items() if offset > begins[place]}
        if gone:
            await self._delete_records(gone)
            log.info(
                "facts that are in a checkpoint and in the archive left their topics",
                extra={"records": sum(offset - begins[place] for place, offset in gone.items())},
            )


def find_behind(bounds: Mapping[tuple[str, int], int], read: Mapping[tuple[str, int], int]) -> Offsets:
    """Return by partition how far a group has read, where that is less than the bounds.

    A group reads the topics of which it has read something; one that has read nothing yet may read any.
    """
    topics = {topic for topic, _ in read if topic in FACT_TOPICS} or set(FACT_TOPICS)
    return {
        place: read.get(place, 0)
        for place, bound in bounds.items()
        if place[0] in topics and read.get(place, 0) < bound
    }


def _split(place: str) -> tuple[str, int]:
    topic, _, number = place.rpartition("/")
    return topic, int(number)
