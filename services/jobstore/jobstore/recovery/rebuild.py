"""Rebuild an empty database from the facts in Kafka: `python -m jobstore.recovery.rebuild` (docs/adr/0006).

A rebuild may begin at a snapshot (jobstore.keeping.snapshots): it takes the snapshot's tables, and then the facts that
follow in the topics. Where the topics are not those that the snapshot was made beside, because a broker came back
empty, it takes all that they hold, and every fact is published again.
"""

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeVar, cast

import asyncpg
from pydantic_core import to_json
from sqlalchemy import text

from contracts.events import (
    AdministrationChanged,
    AdministrationKind,
    AgentChanged,
    ExecutionRefused,
    JobChanged,
    RefusedAs,
)
from contracts.resources import Policy
from contracts.signing import FactFilter
from contracts.topics import TOPIC_OF, TOPICS
from jobstore.config import RebuildSettings
from jobstore.engine.address import DatabaseAddress
from jobstore.engine.database import Database
from jobstore.engine.facts import ADMINISTERED, ADMINISTRATION
from jobstore.engine.parts import UnitOfWork
from jobstore.engine.sql import Connection
from jobstore.executions.rows import Executions, ExecutionsWish
from jobstore.executions.rows import record as apply_report
from jobstore.jobs.model import ExecutionState, ExecutionTerms, IdKey, Refusal, Report, TransitionKind
from jobstore.jobs.rows import JobsWish
from jobstore.keeping.archiver import take_archive
from jobstore.keeping.snapshots import Snapshot, Snapshots
from jobstore.recovery import process, stored_facts
from jobstore.recovery.fact_parsing import Fact, parse_fact
from jobstore.recovery.projection import Projection, Removed, SetAside
from jobstore.subjects import STORES
from jobstore.tenants.store import adopt_tenants
from servicekit.archive.history import ArchivedHistory, ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History, Record, describe_unread
from servicekit.process.settings import load_settings
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

T = TypeVar("T")

_INDEXES: Final = text(
    """
    SELECT format('DROP INDEX %I', c.relname) AS drop, pg_get_indexdef(i.indexrelid) AS make
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
    """
)
_KEYS: Final = text(
    """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS make
    FROM pg_constraint
    WHERE contype::text = :type AND conrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
    """
)
#: What the sorting of an index may take, in which 64 MiB would write half of a million texts to disk.
_SORTING: Final = "SET LOCAL maintenance_work_mem = '256MB'"
#: Settings that are off during the load: the planner takes a table that was empty at first for small.
_BY_KEY: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


@asynccontextmanager
async def bulk_load(connection: Connection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Drop the indexes and foreign keys of tables, but not primary keys, and create them again after the block.

    Every look-up of the load is by a primary key. Autovacuum makes the statistics, which no plan needs (docs/adr/0024).
    """
    driver = connection.driver
    foreign_keys = list(await connection.execute(_KEYS, {"tables": tables, "type": "f"}))
    parts = [*foreign_keys, *await connection.execute(_INDEXES, {"tables": tables})]
    for part in parts:
        await driver.execute(part.drop)
    for name in _BY_KEY:
        await driver.execute(f"SET LOCAL {name} = off")
    yield
    for name in _BY_KEY:
        await driver.execute(f"SET LOCAL {name} TO DEFAULT")
    await driver.execute(_SORTING)
    for part in reversed(parts):  # an index may serve to check a key
        await driver.execute(part.make)


@asynccontextmanager
async def _without_keys(connection: Connection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Drop primary keys of tables, to which no foreign key refers, and create them again after the block.

    A key of all rows at once costs half of what it costs row by row.
    """
    keys = list(await connection.execute(_KEYS, {"tables": tables, "type": "p"}))
    for key in keys:
        await connection.driver.execute(key.drop)
    yield
    for key in keys:
        await connection.driver.execute(key.make)


JOBS: Final = TOPIC_OF[JobChanged]
FACTS: Final = {TOPIC_OF[event]: event for event in (AgentChanged, ExecutionRefused, AdministrationChanged)}
LOADED: Final = ("jobs", "job_logs", "executions")
TABLES: Final = (
    *("agents", "agent_settings", "jobs", "job_logs", "executions", "facts"),
    *(table.name for table in ADMINISTERED),
)
#: The most facts, and bytes of them, that are applied together.
BATCH, BATCH_BYTES = 4_000, 16 << 20
#: Facts that are parsed between two turns of the event loop.
TURN: Final = 100
#: How many live executions are queued again together.
LIVE_BATCH: Final = 500
#: The highest number of jobs with missing versions; with more, the topics cannot be those of this installation.
GAPS_MAX = 100_000
#: How many of them are named.
NAMED_MAX = 100
#: Seconds between two lines of progress.
PROGRESS_S = 1.0

_FOREIGN: Final = text(
    "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND to_regclass('alembic_version') IS NULL"
)
#: A jobstore that is started meanwhile waits, and writes nothing between the facts.
_LOCK: Final = text(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
_FILLED: Final = text(" UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in TABLES))  # noqa: S608 - names of our own
_LAST: Final = text("SELECT greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts))")
_NUMBER: Final = text("SELECT setval('job_logs_seq_seq', :last)")
#: What a snapshot has that its relay had not published yet, or may not have.
_UNPUBLISHED: Final = text(
    "SELECT seq FROM job_logs WHERE seq > :published UNION ALL SELECT seq FROM facts WHERE seq > :published"
)
_NEW_TOPICS: Final = text("UPDATE keeping SET incarnation = uuidv7(), offsets = '{}', newest = '{}'")
#: A live execution as its facts have it: what else a snapshot knows of it ended with the jobstores of then.
_FORGET_OFFERS: Final = text(
    """
    UPDATE executions SET state = 'QUEUED', owner = NULL, due_at = NULL, fails_at = NULL, offers = 0, seq = 0,
        misjudged = 0, validators_lost = 0, forged_lease = NULL, waited = NULL, judge_away_at = NULL,
        follows_only = false
    WHERE state <> 'DONE'
    """
)
#: Judgings of items that are queued to be judged anew, and of jobs that were removed since.
_FORGET_JUDGINGS: Final = text(
    """
    DELETE FROM judgings j
    WHERE EXISTS (SELECT FROM operation_items i
            WHERE i.operation_id = j.group_id AND i.item = j.item AND NOT i.answered)
        OR EXISTS (SELECT FROM job_logs l WHERE l.job_id = j.job_id AND l.kind = 'removed')
    """
)
_SINCE: Final = text(
    "SELECT (SELECT count(*) FROM job_logs WHERE seq > :last AND kind <> :rebuilt) "
    "+ (SELECT count(*) FROM facts WHERE seq > :last)"
)
#: Jobs whose log is not whole. Jobs are joined first: entries of removed jobs, of which there may be millions, are of
#: none of them.
_BROKEN: Final = text(
    "SELECT j.id FROM jobs j LEFT JOIN job_logs l ON l.job_id = j.id GROUP BY j.id "
    "HAVING j.version IS DISTINCT FROM max(l.version) OR max(l.version) <> count(l.seq) ORDER BY j.id LIMIT :limit"
)
_PUBLISHED: Final = text(
    "UPDATE relay SET published_seq = :last, offsets = CAST(:offsets AS json), signers = CAST(:signers AS json)"
)
_LIVE: Final = text(
    "SELECT execution_id, job_id FROM executions WHERE state <> :done AND execution_id > :after "
    "ORDER BY execution_id LIMIT :limit"
)
_COUNTS: Final = text(f"SELECT {', '.join(f'(SELECT count(*) FROM {table}) AS {table}' for table in TABLES)}")  # noqa: S608 - names of our own
#: A rebuild requests no executions, and so derives no ids.
_TERMS: Final = ExecutionTerms(Policy(), 0.0, 0.0, ids=IdKey(b""))
#: Open the history of a topic.
OpenHistory = Callable[[str], History]


class Rebuild:
    """Rebuild an empty database from the facts that a filter selects, in one transaction and in bounded batches."""

    def __init__(
        self,
        database: Database,
        history: OpenHistory,
        facts: FactFilter,
        write_line: process.WriteLine,
        *,
        accept_gaps: bool = False,
        snapshot: Snapshot | None = None,
        parts: ArchivedParts | None = None,
        refuses_cut: bool = False,
    ) -> None:
        """`parts` are those of the histories, if these begin in an archive.

        `refuses_cut`: topics must hold their first facts, unless the archive does.
        """
        self._database = database
        self._history = history
        self._facts = facts
        self._write_line = write_line
        self._accept_gaps = accept_gaps
        self._snapshot = snapshot
        self._parts = parts
        self._refuses_cut = refuses_cut
        #: Whether the topics are those that the snapshot was made beside: their records go on behind its own.
        self._goes_on = False
        #: Numbers of facts in the snapshot that no record was met of, if only such are published again.
        self._unmet = set[int]()
        self._reported_at = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._gaps: list[str] = []
        self._histories: list[History] = []
        self._has_limits = True

    async def run(self) -> Mapping[str, object]:
        """Rebuild the database, and return the counts. PermanentError: it is not empty, or facts are missing.

        `left` counts the records without a valid signature, by topic and reason, and `unread` the batches that cannot
        be read, with their offsets; the rebuild leaves out both.
        """
        await self._prepare_tables()
        async with AsyncExitStack() as stack:
            topics = [await stack.enter_async_context(self._history(topic)) for topic in (JOBS, *FACTS)]
            self._histories = topics
            # The end of jobs' topic is read first: the relay published each agent before the jobs assigned to it.
            held = {history.topic: await self._find_offsets(history) for history in topics}
            if self._refuses_cut:
                _refuse_cut(held)
            offsets = held if self._snapshot is None else self._go_on_behind(self._snapshot, held)
            async with self._database.transaction() as connection:
                await self._fill(connection, topics, offsets)
                counts = dict((await connection.execute(_COUNTS)).one())
                last = 0 if self._snapshot is None else self._snapshot.manifest.last_seq
                since = await connection.scalar(_SINCE, {"last": last, "rebuilt": TransitionKind.REBUILT.value})
        lacking = {"aside": self._gaps, "are_limits_lost": not self._has_limits}
        left = {"left": self._facts.describe_left(), "unread": describe_unread(self._histories)}
        began = {} if self._snapshot is None else {"began_at": self._describe_beginning(self._snapshot, since)}
        return {"ok": True, "counts": counts, **self._counts, **lacking, **left, **began}

    def _describe_beginning(self, snapshot: Snapshot, since: int) -> Mapping[str, object]:
        """Return which snapshot it was; `goes_on`: the topics are those of then, so that no fact is lost.

        `since` counts facts that it did not have.
        """
        manifest = snapshot.manifest
        return {
            "number": manifest.number,
            "made_at": manifest.made_at,
            "last_seq": manifest.last_seq,
            "since": since,
            "goes_on": self._goes_on,
            "place": snapshot.objects.place,
        }

    async def _prepare_tables(self) -> None:
        """Migrate the database. PermanentError: it has tables of something else, or rows."""
        async with self._database.transaction() as connection:
            if await connection.scalar(_FOREIGN):
                raise PermanentError(
                    "the database holds tables of something else: name an empty one", code=ErrorCode.DATABASE_NOT_EMPTY
                )
        await self._database.migrate()
        async with self._database.transaction() as connection:
            await _refuse_filled(connection)

    async def _fill(
        self, connection: Connection, topics: list[History], offsets: Mapping[str, Mapping[int, range]]
    ) -> None:
        await connection.execute(_LOCK)
        await _refuse_filled(connection)
        copied = [] if self._snapshot is None else [table.name for table in self._snapshot.manifest.tables]
        async with bulk_load(connection, [*LOADED, *(name for name in copied if name not in LOADED)]):
            if self._snapshot is not None:
                await self._take_snapshot(connection, self._snapshot)
            await self._load(connection, topics, offsets)
        await Removed(connection).cut()
        await self._set_numbers(connection, offsets)
        await adopt_tenants(connection)
        await stored_facts.go_on_with_administration(connection)
        await connection.execute(_FORGET_JUDGINGS)
        if self._snapshot is not None and (broken := await connection.scalars(_BROKEN, {"limit": NAMED_MAX})):
            raise PermanentError(
                f"{self._snapshot.name} and the facts behind it do not fit together: the logs of {', '.join(broken)} "
                "are not whole; name an older one",
                code=ErrorCode.GAPS,
            )
        await self._queue_live(connection)

    async def _find_offsets(self, history: History) -> Mapping[int, range]:
        """Return the offsets that a topic holds, by partition; none of a topic that is not there, if it may be.

        Of such a topic there may be records in the archive.
        """
        try:
            return await history.offsets()
        except PermanentError as error:
            may_be_missing = history.topic == ADMINISTRATION or self._snapshot is not None or self._parts is not None
            if error.code == ErrorCode.UNKNOWN_TOPIC and may_be_missing:
                return dict.fromkeys(range(TOPICS[history.topic].partitions), range(0))
            raise

    def _go_on_behind(
        self, snapshot: Snapshot, held: Mapping[str, Mapping[int, range]]
    ) -> Mapping[str, Mapping[int, range]]:
        """Return the offsets to read: those behind the snapshot's, or all where the topics are others.

        PermanentError: records behind the snapshot's are gone.
        """
        begins = {f"{topic}/{n}": span for topic, spans in held.items() for n, span in spans.items()}
        behind = {place: offset + 1 for place, offset in snapshot.manifest.offsets.items()}
        is_of_archive = self._parts is None or (
            self._parts.incarnation == snapshot.manifest.incarnation
            and all(isinstance(each, ArchivedHistory) and each.goes_on for each in self._histories)
        )
        self._goes_on = (
            bool(behind)
            and is_of_archive
            and all(place in begins and begins[place].stop >= offset for place, offset in behind.items())
        )
        if not self._goes_on:
            return held
        if lost := [place for place, offset in behind.items() if begins[place].start > offset]:
            raise PermanentError(
                f"records are gone that follow {snapshot.name}: {', '.join(lost)} begin behind it; take a newer one",
                code=ErrorCode.GAPS,
            )
        newest = {_read_place(place): snapshot.manifest.signers[-1] for place in behind}
        try:
            self._facts.begin_behind(newest)
        except ValueError as error:
            raise PermanentError(str(error), code=ErrorCode.NO_FACT_KEYS) from error
        return {
            topic: {n: range(behind.get(f"{topic}/{n}", span.start), span.stop) for n, span in spans.items()}
            for topic, spans in held.items()
        }

    async def _take_snapshot(self, connection: Connection, snapshot: Snapshot) -> None:
        async with _without_keys(connection, [*LOADED]):
            await snapshot.load(connection)
        await connection.execute(_FORGET_OFFERS)
        if self._goes_on:
            published = {"published": snapshot.manifest.published_seq}
            self._unmet = set(await connection.scalars(_UNPUBLISHED, published))

    def _meet(self, numbers: Iterable[int]) -> None:
        if self._unmet:
            self._unmet.difference_update(numbers)

    async def _load(
        self, connection: Connection, topics: list[History], offsets: Mapping[str, Mapping[int, range]]
    ) -> None:
        jobs, *others = topics
        for history in others:
            await self._keep_facts(connection, history, offsets[history.topic])
        stubs = await stored_facts.list_stubs(connection, NAMED_MAX)
        self._note_gaps(stubs, len(stubs))
        await connection.execute(stored_facts.PROJECT_AGENTS)
        await connection.execute(stored_facts.PROJECT_AGENT_SETTINGS)
        is_new = not any(span for topic in offsets.values() for span in topic.values())
        self._has_limits = await stored_facts.project_administration(connection, is_new=is_new)
        await self._apply_jobs(connection, jobs, offsets[JOBS])
        self._check_vouched()
        # Refusals come last, since they must not replace an execution of a job's facts.
        await connection.execute(stored_facts.PROJECT_REFUSALS)

    async def _keep_facts(self, connection: Connection, history: History, offsets: Mapping[int, range]) -> None:
        async for records in history.read(offsets):
            facts = [fact for record in self._facts.select(records) if (fact := self._parse(record, _parse_stored))]
            if facts:
                await stored_facts.keep_facts(connection, history.topic, facts)
                self._meet(fact.seq for fact in facts)
            self._report_progress(history.topic, len(records))

    async def _apply_jobs(self, connection: Connection, history: History, offsets: Mapping[int, range]) -> None:
        aside = SetAside(connection)
        await aside.begin()
        removed = Removed(connection)
        # Whatever was cut by then was published, and stands in front of the snapshot's positions.
        await removed.begin(with_cut=not self._goes_on)
        jobs = Projection(connection, aside, removed)
        async with aclosing(prepare_ahead(self._read_facts(history, offsets))) as batches:
            async for facts in batches:
                await jobs.apply(facts)
                self._meet(fact.event.log.cursor for fact in facts if fact.is_whole)
                if len(aside.jobs) > GAPS_MAX:
                    raise self._make_gaps_error(await aside.describe(NAMED_MAX), len(aside.jobs))
        self._note_gaps(await aside.describe(NAMED_MAX), len(aside.jobs))

    async def _read_facts(self, history: History, offsets: Mapping[int, range]) -> AsyncGenerator[list[Fact]]:
        """Yield facts in batches that span several reads, since applying a batch costs as much as hundreds of facts."""
        facts, size = list[Fact](), 0
        async for records in history.read(offsets):
            for number, record in enumerate(self._facts.select(records), 1):
                if (fact := self._parse(record, lambda each: parse_fact(each.value or b""))) is not None:
                    if facts and (len(facts) >= BATCH or size + len(fact.body) > BATCH_BYTES):
                        yield facts
                        facts, size = [], 0
                    facts.append(fact)
                    size += len(fact.body)
                if number % TURN == 0:
                    await asyncio.sleep(0)  # lets the event loop send to PostgreSQL
            self._report_progress(JOBS, len(records))
        if facts:
            yield facts

    def _check_vouched(self) -> None:
        """Raise PermanentError if there are records, but none has a valid signature: they are of another system."""
        if self._snapshot is not None or not self._facts.left or self._facts.get_signers():
            return
        raise PermanentError(
            f"nobody vouches for any record of these topics: {self._count_left()}; give the keys that signed them "
            "(SIGNOFF_SECRETS or SIGNOFF_FACT_KEYS). What versions before 0.2.0 left cannot be read: start with empty "
            "topics and an empty database then",
            code=ErrorCode.NO_VOUCHED_FACTS,
        )

    def _count_left(self) -> str:
        return ", ".join(
            f"{count} of {topic} ({reason})" for (topic, reason), count in sorted(self._facts.left.items())
        )

    def _note_gaps(self, names: Sequence[str], count: int) -> None:
        """Note `count` missing facts, and `names` of some, for the result. PermanentError: gaps are not accepted."""
        if names and not self._accept_gaps:
            raise self._make_gaps_error(names, count)
        self._counts["gaps"] += count
        self._gaps += names

    def _parse(self, record: Record, parse: Callable[[Record], T]) -> T | None:
        """Return the fact in a record, or None if it has none: that is counted and logged, and shows as a gap."""
        try:
            return parse(record)
        except (ValueError, KeyError) as error:
            reason = str(error).partition("\n")[0]
        self._counts["unreadable"] += 1
        where = (record.topic, record.partition, record.offset)
        log.warning("%s/%d at %d is no fact and is passed over: %s", *where, reason)
        return None

    async def _set_numbers(self, connection: Connection, offsets: Mapping[str, Mapping[int, range]]) -> None:
        """Set the sequence and the state of the relay to the last fact, so that the relay publishes only new facts."""
        # A partition without a marker is left out, so that the relay writes new markers into all partitions.
        ends = {f"{topic}/{n}": offsets[topic][n].stop - 1 for topic, n in self._facts.get_marked()}
        if last := await connection.scalar(_LAST):
            await connection.execute(_NUMBER, {"last": last})
        signers = self._facts.get_signers()
        published = min(self._unmet, default=(last or 0) + 1) - 1
        if self._snapshot is not None:
            before = self._snapshot.manifest.signers
            signers = [*before, *(name for name in signers if name not in before)]
        goes_on = self._goes_on if self._snapshot is not None else not any(map(_is_another, self._histories))
        if not goes_on:
            await connection.execute(_NEW_TOPICS)
            published, ends = 0, {}
        if self._parts is not None:
            await take_archive(connection, self._parts.archive, goes_on=goes_on)
        self._counts["published_again"] = len(self._unmet) if self._goes_on else 0
        state = {"offsets": to_json(ends).decode(), "signers": to_json(signers).decode()}
        await connection.execute(_PUBLISHED, {"last": published, **state})

    async def _queue_live(self, connection: Connection) -> None:
        """Queue live executions again, or end those whose agent must not be called twice."""
        parameters = {"done": ExecutionState.DONE.value, "limit": LIVE_BATCH, "after": _FIRST}
        while rows := await connection.execute(_LIVE, parameters):
            ids = [row.execution_id for row in rows]
            uow = UnitOfWork(_TERMS)
            job_ids = frozenset(row.job_id for row in rows)
            wishes = (JobsWish(locked=job_ids), ExecutionsWish(locked=frozenset(ids)))
            await STORES.lock(connection, uow, [wishes])
            for execution_id, job_id in rows:
                execution = uow[Executions].executions[execution_id]
                decision = apply_report(uow, job_id, execution, Report(TransitionKind.REBUILT, lease=execution.lease))
                if not isinstance(decision, Refusal):
                    self._counts["queued" if decision.entry is None else "failed"] += 1
            await STORES.write(connection, uow)
            parameters["after"] = ids[-1]

    def _make_gaps_error(self, names: Sequence[str], count: int) -> PermanentError:
        more = f", and {count - len(names)} more" if count > len(names) else ""
        message = (
            f"facts are missing, or not whole: {', '.join(names)}{more}; of a stub the whole follows once its topic "
            "takes it (max.message.bytes) and a jobstore runs; accept gaps to rebuild without these and what follows"
        )
        if self._facts.left:
            message += f". Records were left out because nobody vouches for them: {self._count_left()}"
        if any(history.unread.count for history in self._histories):
            unread = ", ".join(str(at) for history in self._histories for at in history.unread.named)
            message += f". Batches that cannot be read were passed by: {unread}"
        return PermanentError(message, code=ErrorCode.GAPS)

    def _report_progress(self, topic: str, records: int) -> None:
        self._counts["records"] += records
        if time.monotonic() - self._reported_at >= PROGRESS_S:
            self._reported_at = time.monotonic()
            self._write_line({"topic": topic, "records": self._counts["records"]})


def _is_another(history: History) -> bool:
    """Return whether a topic is archived, and is not the one that the archive goes on with."""
    return isinstance(history, ArchivedHistory) and history.is_another


async def prepare_ahead(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield items, and prepare the next item while the caller handles the present one."""
    end = object()
    async with aclosing(items):
        coming = asyncio.ensure_future(anext(items, end))
        try:
            while (item := await coming) is not end:
                coming = asyncio.ensure_future(anext(items, end))
                yield cast("T", item)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _read_place(place: str) -> tuple[str, int]:
    topic, _, number = place.rpartition("/")
    return topic, int(number)


_FIRST: Final = "00000000-0000-0000-0000-000000000000"


async def _refuse_filled(connection: Connection) -> None:
    if filled := list(await connection.scalars(_FILLED)):
        message = f"the database is not empty: it holds rows in {', '.join(filled)}"
        raise PermanentError(message, code=ErrorCode.DATABASE_NOT_EMPTY)


async def main() -> Mapping[str, object]:
    """Rebuild the database that the environment names, from the Kafka that it names."""
    gc.disable()  # parsed facts form no cycles; the search for cycles took 8 % of the CPU
    settings = load_settings(RebuildSettings)
    url = settings.database_url.get_secret_value()
    if settings.create_database:
        await _create_database(url)
    facts = FactFilter(settings.keys)
    database = Database(url, pool_size=2, bounded=False)
    kafka = KafkaAccess.of(settings)
    history: OpenHistory = partial(History, kafka, check_crcs=False)
    try:
        snapshot = await _find_snapshot(settings)
        parts = await find_parts(settings, snapshot)
        if parts is not None:
            history = partial(ArchivedHistory, kafka, parts=parts, check_crcs=False)
        rebuild = Rebuild(
            database,
            history,
            facts,
            process.write_line,
            accept_gaps=settings.accept_gaps,
            snapshot=snapshot,
            parts=parts,
            refuses_cut=snapshot is None and not settings.accept_gaps,
        )
        return await rebuild.run()
    finally:
        await database.close()


def _refuse_cut(held: Mapping[str, Mapping[int, range]]) -> None:
    """Raise PermanentError if topics do not hold their first facts any more: of what is gone, nothing else may tell."""
    for topic, spans in held.items():
        if cut := [number for number, span in spans.items() if span.start > 0]:
            raise PermanentError(
                f"{topic}/{cut[0]} has let its first facts go, which a checkpoint and the archive have: give the "
                "archive (--archive), or a backup (signoff restore); or accept gaps to rebuild without them",
                code=ErrorCode.GAPS,
            )


async def _find_snapshot(settings: RebuildSettings) -> Snapshot | None:
    """Return the snapshot at which to begin, once it was read to its end; None: a rebuild begins at the first fact."""
    if not (place := settings.backup or settings.archive):
        return None
    number = None if settings.checkpoint in {None, "newest"} else int(settings.checkpoint)
    snapshot = await Snapshots(Objects.open(place), settings.keys).open(number)
    if snapshot is not None:
        await snapshot.check()
    elif settings.checkpoint is not None:
        raise PermanentError(f"there is no checkpoint in {place}", code=ErrorCode.WRONG_ARCHIVE)
    return snapshot


async def find_parts(settings: RebuildSettings, snapshot: Snapshot | None) -> ArchivedParts | None:
    """Return the parts of the archive behind a snapshot, or all; None: there are none.

    PermanentError: parts were let go that the snapshot does not stand for.
    """
    if not (place := settings.archive or settings.backup):
        return None
    archive = Archive(Objects.open(place), settings.keys)
    known = 0 if snapshot is None else snapshot.manifest.published_seq
    parts = await ArchivedParts.load(archive, known)
    if parts.gone_seq > known and not settings.accept_gaps:
        raise PermanentError(
            f"the archive {place} has let go of facts up to number {parts.gone_seq}, and of those the rebuild has the "
            f"first {known}: begin at a newer checkpoint or backup, or accept gaps to rebuild without them",
            code=ErrorCode.GAPS,
        )
    return None if parts.incarnation is None else parts


async def _create_database(url: str) -> None:
    """Create the database that a URL names, unless it exists."""
    target = DatabaseAddress(url)
    server = await target.connect(database="postgres")
    with suppress(asyncpg.DuplicateDatabaseError):
        await server.execute(f"CREATE DATABASE {_quote(target.database or '')}")
    await server.close()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _parse_stored(record: Record) -> stored_facts.StoredFact:
    """Return the fact in a record as it is stored. ValueError: it is no fact, or has a word unknown to this version."""
    event = FACTS[record.topic].model_validate_json(record.value or b"")
    if isinstance(event, AdministrationChanged):
        AdministrationKind(event.kind)
    elif isinstance(event, ExecutionRefused):
        RefusedAs(event.answer)
    assert isinstance(event, AgentChanged | ExecutionRefused | AdministrationChanged)
    return stored_facts.StoredFact(event.cursor, event.key or "", (record.value or b"").decode())


if __name__ == "__main__":
    process.run(main)
