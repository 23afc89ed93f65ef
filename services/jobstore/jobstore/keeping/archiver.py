"""Archive facts: every record of their topics in signed parts, of which each is read back before anything relies on it.

Of all jobstores one archives at a time, and two that both take themselves for that one cannot write the same part: its
manifest is created once, and the row `keeping` moves on only from the part before. Nothing is removed or cut that is
not archived (`archived_seq`), and nothing at all once a part is missing, changed or another installation's.
"""

import asyncio
import hashlib
import logging
import random
import time
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from prometheus_client import Gauge
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.events import JobChanged
from contracts.signing import FactFilter, FactKeys
from contracts.topic_prefix import TOPIC_PREFIX, bare_name
from contracts.topics import FACT_TOPICS, TOPIC_OF
from jobstore.engine import locks, sql
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.engine.sql import Connection
from jobstore.keeping.pace import pause
from jobstore.schema.keeping_tables import archive_parts
from servicekit import clock
from servicekit.archive.parts import PART_BYTES, Archive, Manifest, Part, PartWriter, iterate_records
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.history import History, Record
from servicekit.process.runtime import run_forever
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

T = TypeVar("T")

_JOBS: Final = TOPIC_OF[JobChanged]
#: Records that are archived between two pauses, in which the event loop does what others wait for.
_TURN: Final = 200

OUTAGE: Final = Gauge("signoff_archive_outage", "1 while this process cannot archive facts, by why", ["code"])
ARCHIVED_AT: Final = Gauge("signoff_archived_seconds", "When this process last had archived all facts, since 1970")

#: One row, so that the marks of the relay and of the archive are of one moment.
_STATE: Final = text(
    "SELECT k.part, k.part_hash, k.incarnation, k.offsets::text, k.newest::text, k.suspect, "
    "coalesce((SELECT seq FROM archive_parts WHERE number = k.part), 0) AS archived_seq, "
    "r.published_seq, r.offsets::text AS published FROM keeping k, relay r WHERE k.id = 1 AND r.id = 1"
)
_MOVE_ON: Final = text(
    """
    UPDATE keeping SET part = :part, part_hash = :hash, offsets = CAST(:offsets AS json),
        newest = CAST(:newest AS json), archived_seq = greatest(archived_seq, :seq), archive_error = NULL
    WHERE id = 1 AND part = :part - 1 AND incarnation = :incarnation RETURNING part
    """
)
_ADD_PART: Final = text(
    "INSERT INTO archive_parts (number, first_seq, last_seq, facts_at, seq, bytes) "
    "VALUES (:part, :first_seq, :last_seq, :facts_at, :seq, :bytes)"
)
#: What is refused vouches for nothing, until it is whole again.
_REFUSE: Final = text("UPDATE keeping SET archived_seq = 0, archive_error = :reason, suspect = :suspect WHERE id = 1")
_NOTE: Final = text(
    "UPDATE keeping SET archive_error = :reason WHERE id = 1 AND archive_error IS DISTINCT FROM :reason"
)
_TRUST: Final = text(
    """
    UPDATE keeping SET archive_error = NULL, suspect = NULL,
        archived_seq = coalesce((SELECT seq FROM archive_parts WHERE number = part), 0)
    WHERE id = 1 AND (archive_error IS NOT NULL OR suspect IS NOT NULL)
    """
)
_LACKING: Final = text(
    """
    SELECT fact.seq FROM unnest(CAST(:seqs AS bigint[])) AS fact (seq)
    WHERE NOT EXISTS (SELECT FROM job_logs l WHERE l.seq = fact.seq)
        AND NOT EXISTS (SELECT FROM facts f WHERE f.seq = fact.seq) LIMIT 1
    """
)

#: Rows that were published, in their order. A fact that its topic takes in no form is not, and is known as a stub.
_PUBLISHED: Final = text(
    """
    SELECT seq FROM (
        SELECT l.seq FROM job_logs l WHERE l.seq > :after AND l.seq <= :until
        UNION ALL SELECT f.seq FROM facts f WHERE f.seq > :after AND f.seq <= :until
    ) AS published WHERE NOT EXISTS (SELECT FROM stubs s WHERE s.seq = published.seq) ORDER BY seq
    """
)
#: What is left of the logs of removed jobs was archived before, perhaps in another place, and is not published again.
_OF_REMOVED: Final = text(
    "SELECT l.seq FROM job_logs l WHERE l.seq = ANY(CAST(:seqs AS bigint[])) AND l.kind <> 'removed' "
    "AND NOT EXISTS (SELECT FROM jobs WHERE jobs.id = l.job_id)"
)
_PARTS_AHEAD: Final = text(
    "SELECT number FROM archive_parts WHERE last_seq >= :least AND first_seq <= :most ORDER BY number DESC"
)
#: Rows that are read ahead of those that are looked at.
_ROWS_AHEAD: Final = 2_000
#: The most rows that are looked for in parts before at once.
_LACKING_MAX: Final = 100_000

_PART: Final = sql.columns(archive_parts, without=("created_at",))
_FORGET_PARTS: Final = text("DELETE FROM archive_parts WHERE number >= :first")
_LET_GO: Final = text("UPDATE archive_parts SET bytes = 0 WHERE number < :first")
_ADD_PARTS: Final = sql.insert("archive_parts", _PART)
#: Parts in one statement.
_PARTS_BATCH: Final = 1_000
_BEGIN: Final = text(
    "UPDATE keeping SET part = :part, part_hash = :hash, archived_seq = :seq, archive_error = NULL, suspect = NULL"
)
_GO_ON: Final = text(
    "UPDATE keeping SET incarnation = :incarnation, offsets = CAST(:offsets AS json), newest = CAST(:newest AS json)"
)

#: The next offset of each partition of a topic.
EndOffsets = Callable[[str], Awaitable[Mapping[int, int]]]


class _Numbered(Struct):
    cursor: int


class _Logged(Struct):
    log: _Numbered


def find_number(record: Record) -> int | None:
    """Return the number of the row that a fact tells; None: the record is a marker, or no fact that is known."""
    try:
        if record.topic == _JOBS:
            return msgspec.json.decode(record.value or b"", type=_Logged).log.cursor
        return msgspec.json.decode(record.value or b"", type=_Numbered).cursor
    except msgspec.MsgspecError:
        return None


async def take_archive(connection: Connection, archive: Archive, *, goes_on: bool) -> None:
    """Let a database that was rebuilt from an archive go on behind its last part; `goes_on`: so do the topics."""
    beginning = await archive.find_beginning()
    first = {"first": 1 if beginning is None else beginning.number}
    await connection.execute(_FORGET_PARTS, first)
    await connection.execute(_LET_GO, first)
    rows: list[dict[str, object]] = []
    last: Part | None = None
    async for part in archive.read_chain():
        rows.append({name: getattr(part.manifest, name) for name in _PART})
        last = part
        if len(rows) == _PARTS_BATCH:
            await connection.execute(_ADD_PARTS, sql.arrays(_PART, "u", rows))
            rows.clear()
    if last is None:
        return
    await connection.execute(_ADD_PARTS, sql.arrays(_PART, "u", rows))
    manifest = last.manifest
    await connection.execute(_BEGIN, {"part": last.number, "hash": last.sha256, "seq": manifest.seq})
    if goes_on:
        marks = {"offsets": _name_all(manifest.offsets), "newest": _name_all(manifest.newest)}
        texts = {name: to_json(mark).decode() for name, mark in marks.items()}
        await connection.execute(_GO_ON, {"incarnation": manifest.incarnation, **texts})


@dataclass(slots=True)
class State:
    """How far facts are archived, by the database; offsets and names of keys are by `topic/partition`."""

    part: int
    part_hash: str | None
    incarnation: UUID
    offsets: dict[str, int]
    newest: dict[str, str]
    archived_seq: int
    #: A part that was refused, and is read again before all else.
    suspect: int | None
    published_seq: int
    #: The last offsets that the relay knows.
    published: Mapping[str, int]


@dataclass(slots=True)
class _Draft:
    """The part that is being gathered."""

    #: The numbers of all facts of this pass, also of the full parts before, and those ahead of the pass before.
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    writer: PartWriter = field(default_factory=PartWriter)
    first_seq: int | None = None
    last_seq: int | None = None

    def add(self, records: Sequence[Record]) -> None:
        self.writer.add(records)
        if numbers := [number for record in records if (number := find_number(record)) is not None]:
            self.first_seq = min(numbers) if self.first_seq is None else min(self.first_seq, *numbers)
            self.last_seq = max(numbers) if self.last_seq is None else max(self.last_seq, *numbers)
            self.numbers.extend(numbers)


class Archiver:
    """Archive facts every `every_s` seconds, or at once while there are more than fit into a part."""

    def __init__(
        self,
        database: Database,
        open_archive: Callable[[], Archive],
        history: Callable[[str], History],
        end_offsets: EndOffsets,
        keys: FactKeys,
        installation: str,
        *,
        every_s: float,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._database = database
        self._open_archive = open_archive
        self._history = history
        self._end_offsets = end_offsets
        self._keys = keys
        self._installation = installation
        self._every_s = every_s
        self._part_bytes = part_bytes
        #: By the hash of the newest part, if this process wrote it: facts in it that the relay had not noted by then.
        self._ahead: dict[str | None, array[int]] = {}

    async def run(self) -> None:
        """Archive for ever, unless another jobstore does."""
        await run_forever(self._try, name="archiver", every_s=self._every_s)

    async def _try(self) -> None:
        async with self._database.new_session() as session:  # which ends with this block, and the lock with it
            if await locks.try_hold_by_session(session, Lock.ARCHIVE):
                await self.archive(session)

    async def archive(self, session: Connection) -> None:
        """Archive all that is published by now, and note in the database, the log and a metric why it cannot be.

        TransientError: something cannot be reached; the next call goes on from the last part.
        """
        state = await self._load(session)
        try:
            archive = self._open_archive()
            await self._check(archive, state)
            await self._adopt(session, archive, state)
            await self._add_parts(session, archive, state)
        except PermanentError as error:
            log.error("facts are not archived: %s", error, extra={"code": error.code})  # noqa: TRY400 - no fault of ours
            await session.execute(_REFUSE, {"reason": str(error), "suspect": state.suspect})
            self._show(error.code)
        except TransientError as error:
            await session.execute(_NOTE, {"reason": str(error)})
            self._show(error.code)
            raise
        else:
            await session.execute(_TRUST)
            self._show(None)
            ARCHIVED_AT.set(clock.now().timestamp())

    def _show(self, code: str | None) -> None:
        OUTAGE.clear()
        if code is not None:
            OUTAGE.labels(code).set(1)

    async def _load(self, session: Connection) -> State:
        row = (await session.execute(_STATE)).one()
        offsets, newest, published = (from_json(each) for each in (row.offsets, row.newest, row.published))
        return State(
            row.part, row.part_hash, row.incarnation, offsets, newest, row.archived_seq, row.suspect,
            row.published_seq, published,
        )  # fmt: skip

    async def _check(self, archive: Archive, state: State) -> None:
        """Raise PermanentError unless the newest part is as the database knows it, and another one is whole."""
        if state.part == 0:
            return
        beginning = await archive.find_beginning()
        newest = await archive.read_part(state.part)
        if newest.sha256 != state.part_hash:
            raise PermanentError(
                f"part {state.part} of the archive {archive.place} was changed: it is not the one that was read back",
                code=ErrorCode.WRONG_ARCHIVE,
            )
        # Each part in its turn: a part that is lost or changed long after it was written is found, too.
        first = 1 if beginning is None else beginning.number
        number = max(first, state.suspect or random.randint(first, state.part))  # noqa: S311 - nobody gains by guessing it
        part = newest if number == state.part else await archive.read_part(number)
        state.suspect = number  # until it is known to be whole
        if number < state.part:
            archive.check_successor(part, await archive.read_part(number + 1))
        await archive.check_data(part)
        state.suspect = None

    async def _adopt(self, session: Connection, archive: Archive, state: State) -> None:
        """Take parts that were written, but not noted, by a process that was killed or cut off in between."""
        before = await archive.read_part(state.part) if state.part else None
        while (part := await archive.find_part(state.part + 1)) is not None:
            archive.check_successor(before, part)
            data = await archive.read_data(part)
            await self._refuse_unknown(session, archive, part, data)
            manifest = part.manifest
            is_current = manifest.incarnation == state.incarnation
            state.offsets = _name_all(manifest.offsets) if is_current else state.offsets
            state.newest = _name_all(manifest.newest) if is_current else state.newest
            await self._note_part(session, part, state)
            log.info("a part of the archive was written before, and is taken", extra={"part": part.number})
            before = part

    async def _refuse_unknown(self, session: Connection, archive: Archive, part: Part, data: bytes) -> None:
        """Raise PermanentError if a part has a fact that this database lacks: it is of another one, or of a newer."""
        numbers = await asyncio.to_thread(_list_numbers, data)
        if (await session.scalar(_LACKING, {"seqs": numbers})) is not None:
            raise PermanentError(
                f"part {part.number} of the archive {archive.place} has facts that this database lacks: "
                "rebuild the database with the archive, or name an empty place",
                code=ErrorCode.WRONG_ARCHIVE,
            )

    async def _add_parts(self, session: Connection, archive: Archive, state: State) -> None:
        """Archive up to the ends that topics have now; every row that was published before stands in front of these."""
        ends = {topic: await self._end_offsets(topic) for topic in FACT_TOPICS}
        _refuse_lost(state, {f"{topic}/{number}": end for topic, of in ends.items() for number, end in of.items()})
        chosen = FactFilter(self._keys)
        try:
            chosen.begin_behind({_split(place): name for place, name in state.newest.items()})
        except ValueError as error:
            raise TransientError(f"SIGNOFF_SECRETS: {error}", code=ErrorCode.WRONG_SECRETS) from error
        draft = _Draft(array("q", self._ahead.get(state.part_hash, ())))  # which a pass that fails leaves as it is
        is_new = False
        for topic, numbers in ends.items():
            if all(state.offsets.get(f"{topic}/{number}", 0) == end for number, end in numbers.items()):
                continue
            is_new = True
            async with self._history(topic) as history:
                async for records in history.read(_find_spans(state, topic, numbers, await history.offsets())):
                    for begin in range(0, len(records), _TURN):
                        began, some = time.monotonic(), records[begin : begin + _TURN]
                        draft.add(list(chosen.keep(some)))
                        state.offsets |= {f"{one.topic}/{one.partition}": one.offset + 1 for one in some}
                        if draft.writer.size >= self._part_bytes:
                            await self._write(session, archive, state, draft, chosen, state.archived_seq)
                            draft = _Draft(draft.numbers)
                        await pause(began)
            state.offsets |= {f"{topic}/{number}": end for number, end in numbers.items()}
        # Perhaps all stands in full parts that a process wrote which was killed: then a part without records says so.
        if is_new or state.published_seq > state.archived_seq:
            await self._refuse_gaps(session, archive, state, draft.numbers)
            await self._write(session, archive, state, draft, chosen, state.published_seq)
            ahead = (number for number in draft.numbers if number > state.archived_seq)
            self._ahead = {state.part_hash: array("q", ahead)}

    async def _refuse_gaps(self, session: Connection, archive: Archive, state: State, numbers: "array[int]") -> None:
        """Raise PermanentError if a row that was published stands in no part, and not in this pass: it was lost.

        A batch that can no longer be read is passed by; what stood in it must not count as archived.
        """
        parameters = {"after": state.archived_seq, "until": state.published_seq}
        found, lacking = iter(sorted(numbers)), set[int]()
        number = next(found, None)
        async with session.driver.transaction():
            async for (seq,) in session.stream(_PUBLISHED, parameters, rows_ahead=_ROWS_AHEAD):
                while number is not None and number < seq:
                    number = next(found, None)
                if number != seq:
                    lacking.add(seq)
                if len(lacking) == _LACKING_MAX:
                    await self._refuse_lacking(session, archive, lacking)
                    lacking.clear()
            if lacking:
                await self._refuse_lacking(session, archive, lacking)

    async def _refuse_lacking(self, session: Connection, archive: Archive, lacking: set[int]) -> None:
        """Raise PermanentError if one of these rows stands in no part before. Facts of tenants are told in turn."""
        span = {"least": min(lacking), "most": max(lacking)}
        for number in list(await session.scalars(_PARTS_AHEAD, span)):
            data = await archive.read_data(await archive.read_part(number))
            lacking = lacking - set(await asyncio.to_thread(_list_numbers, data))
            if not lacking:
                return
        if not (lacking := lacking - set(await session.scalars(_OF_REMOVED, {"seqs": sorted(lacking)}))):
            return
        raise PermanentError(
            f"{len(lacking)} facts, the first with the number {min(lacking)}, were published and can no longer be "
            "read: see docs/operations/archive.md#facts-that-were-lost",
            code=ErrorCode.GAPS,
        )

    async def _write(
        self, session: Connection, archive: Archive, state: State, draft: _Draft, chosen: FactFilter, seq: int
    ) -> None:
        state.newest = {_join(place): name for place, name in chosen.get_newest().items()}
        data = draft.writer.finish()
        manifest = Manifest(
            number=state.part + 1,
            before=state.part_hash,
            installation=self._installation,
            incarnation=state.incarnation,
            spans=draft.writer.spans,
            left=_describe_left(chosen),
            newest=_bare_all(state.newest),
            offsets=_bare_all(state.offsets),
            first_seq=draft.first_seq,
            last_seq=draft.last_seq,
            # Nobody signs the time of a record: one of next year, sent again by somebody, would let nothing be due.
            facts_at=draft.writer.facts_at and min(draft.writer.facts_at, clock.now()),
            seq=max(seq, state.archived_seq),
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        chosen.left.clear()
        part = await archive.write(manifest, data)
        if part is None:
            raise _make_race(state.part + 1)
        await self._note_part(session, part, state)

    async def _note_part(self, session: Connection, part: Part, state: State) -> None:
        """Note a part that was read back, from which on its rows are archived."""
        manifest = part.manifest
        values = {"part": part.number, "seq": manifest.seq}
        marks = {"offsets": to_json(state.offsets).decode(), "newest": to_json(state.newest).decode()}
        of_part = {"first_seq": manifest.first_seq, "last_seq": manifest.last_seq, "facts_at": manifest.facts_at}
        async with session.driver.transaction():
            moved = {**values, **marks, "hash": part.sha256, "incarnation": state.incarnation}
            if await session.scalar(_MOVE_ON, moved) is None:
                raise _make_race(part.number)
            await session.execute(_ADD_PART, {**values, **of_part, "bytes": manifest.bytes})
        state.part, state.part_hash = part.number, part.sha256
        state.archived_seq = max(state.archived_seq, manifest.seq)


def _make_race(number: int) -> TransientError:
    return TransientError(f"another jobstore has archived part {number} meanwhile", code=ErrorCode.RACED)


def _refuse_lost(state: State, ends: Mapping[str, int]) -> None:
    """Raise TransientError if topics hold less than was published or archived: soon all is published again."""
    lost = [place for place, last in state.published.items() if ends.get(place, 0) <= last]
    lost += [place for place, offset in state.offsets.items() if ends.get(place, 0) < offset]
    if lost:
        raise TransientError(
            f"{lost[0]} lost facts that were published: they are archived once they are published again",
            code=ErrorCode.KAFKA_UNAVAILABLE,
        )


def _find_spans(state: State, topic: str, ends: Mapping[int, int], held: Mapping[int, range]) -> Mapping[int, range]:
    """Return the offsets to archive. Raise PermanentError if the topic does not hold them any more."""
    spans = {}
    for number, end in ends.items():
        begin = held[number].start
        start = state.offsets.get(f"{topic}/{number}", begin)
        if start < begin:
            raise PermanentError(
                f"{topic}/{number} does not hold the offsets {start} to {begin - 1} any more, which were not archived: "
                "give back the topic's retention, which is for ever",
                code=ErrorCode.GAPS,
            )
        spans[number] = range(start, end)
    return spans


def _list_numbers(data: bytes) -> list[int]:
    records = (record for topic in FACT_TOPICS for record in iterate_records(data, topic))
    return [number for record in records if (number := find_number(record)) is not None]


def _describe_left(chosen: FactFilter) -> dict[str, dict[str, int]]:
    return {bare_name(topic): reasons for topic, reasons in chosen.describe_left().items()}


def _split(place: str) -> tuple[str, int]:
    topic, _, number = place.rpartition("/")
    return topic, int(number)


def _join(place: tuple[str, int]) -> str:
    return f"{place[0]}/{place[1]}"


def _bare_all(named: Mapping[str, T]) -> dict[str, T]:
    return {bare_name(place): value for place, value in named.items()}


def _name_all(named: Mapping[str, T]) -> dict[str, T]:
    return {TOPIC_PREFIX + place: value for place, value in named.items()}
