"""Publish every fact: each recorded transition as `job-changed`, per job in order, `version` without a gap.

Rows of the log commit in another order than their numbers. A pass publishes each row that it sees; of one job it sees
no version before those below it. Tenants take turns, so that none waits for the facts of another.

Two numbers are stored: `published_seq`, behind which the next leader goes on, and `settled_seq`, up to which watches
read and entries are counted. Every row up to the first was published, or will never exist; every row up to the second
was seen, or will never exist. A missing number will never exist once all transactions have ended that wrote the log,
and the log was read again. So facts wait for no transaction, and the numbers only for those that write the log.

Rows that this process records are handed over in memory (`recent`): the relay neither looks for them nor reads them. It
looks for rows of other processes when these notify it, for missing numbers, and now and then.

A fact that its topic refuses for good is published as a stub, so that it holds nothing back; the whole fact follows
later under the same version (`Stubs`).
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiokafka.structs import RecordMetadata
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.events import fact_id
from contracts.signing import SIGNATURE_HEADER, FactKeys
from contracts.topic_prefix import bare_name
from contracts.topics import FACT_TOPICS, TOPICS
from jobstore.engine import locks
from jobstore.engine.database import CHANNEL, SETTLED, Database
from jobstore.engine.locks import Lock
from jobstore.engine.sql import Connection
from jobstore.jobs.store import Recorded
from jobstore.publishing import fact_reader
from jobstore.publishing.fact_reader import Fact, Progress, Stubs
from jobstore.publishing.watches import LAST, Backlog, Recent, Unseen, Writers
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.publisher import BoundedPublisher, Outgoing, Publisher, name_source
from servicekit.process.runtime import Alarm, run_forever, wait_for_wake
from signoff.errors import ErrorCode
from signoff.status import RESTING

log = logging.getLogger(__name__)


_STATE: Final = text("SELECT published_seq, settled_seq, offsets::text, signers::text FROM relay WHERE id = 1")
#: One statement, so that watchers are notified of the cursor that is stored, once it is committed.
_STORE: Final = text(
    "WITH stored AS (UPDATE relay SET published_seq = :published, settled_seq = greatest(settled_seq, :settled), "
    "offsets = CAST(:offsets AS json), signers = CAST(:signers AS json) WHERE id = 1 RETURNING settled_seq) "
    "SELECT pg_notify(:channel, :kind || settled_seq) FROM stored"
)

#: The archive goes on behind the last part with the topics as they are from now on.
_BEGIN_INCARNATION: Final = text(
    "UPDATE keeping SET incarnation = uuidv7(), offsets = '{}', newest = '{}' WHERE id = 1"
)


class Marks:
    """The relay's stored state: `published_seq`, `settled_seq`, last offsets of partitions, names of signing keys."""

    def __init__(self) -> None:
        self.offsets: dict[str, int] = {}
        self.signers: list[str] = []
        self._stored: tuple[object, ...] = ()
        #: When changes are to be stored, by the clock of the event loop.
        self.store_at = math.inf

    async def load(self, session: Connection) -> tuple[int, int]:
        """Load the marks; return the numbers up to which all rows are published, and up to which all are settled."""
        row = (await session.execute(_STATE)).one()
        self.offsets, self.signers = from_json(row.offsets), from_json(row.signers)
        published, settled = row.published_seq, max(row.published_seq, row.settled_seq)
        self._stored = self._get_state(published, published)  # rows up to the settled number are seen anew
        return published, settled

    def note_offset(self, place: RecordMetadata) -> bool:
        """Note a record's offset. Return False if it is not above the partition's last one: the topic was made anew."""
        partition = f"{place.topic}/{place.partition}"
        is_behind: bool = place.offset > self.offsets.get(partition, -1)
        if is_behind:
            self.offsets[partition] = place.offset
        return is_behind

    async def store(self, session: Connection, published: int, settled: int, after_s: float = 0.0) -> None:
        """Store the marks if they have changed, once the change has waited for `after_s` seconds."""
        state, now = self._get_state(published, settled), asyncio.get_running_loop().time()
        self.store_at = math.inf if state == self._stored else min(self.store_at, now + after_s)
        if self.store_at <= now:
            texts = {"offsets": to_json(self.offsets).decode(), "signers": to_json(self.signers).decode()}
            numbers = {"published": published, "settled": settled}
            await session.execute(_STORE, {**numbers, **texts, "channel": CHANNEL, "kind": SETTLED})
            self._stored, self.store_at = state, math.inf

    def _get_state(self, published: int, settled: int) -> tuple[object, ...]:
        return published, settled, self.offsets.copy(), self.signers.copy()


#: The CloudEvents type of markers.
MARKER_TYPE: Final = b"signoff.marker.v1"


class FactSigner:
    """Sign facts with the first of the keys, whose `name` differs from the names of all other keys.

    `markers` has one marker for every partition. Without a key, and with `{}` instead of null, a marker deletes
    nothing, and readers that know no markers skip it by its type. `places` names the partitions, as `topic/number`.
    """

    def __init__(self, keys: FactKeys, installation: str = "") -> None:
        self._keys = keys
        self.name = keys.signing.name
        self._source = ("ce_source", name_source("jobstore", installation).encode())
        self.markers = [
            Outgoing(topic, b"{}", None, self._make_headers(topic, partition), partition)
            for topic in FACT_TOPICS
            for partition in range(TOPICS[topic].partitions)
        ]
        self.places = {f"{marker.topic}/{marker.partition}" for marker in self.markers}

    def sign(self, fact: Outgoing) -> Outgoing:
        """Return the record of a fact with the headers of its source and its signature."""
        signature = self._keys.signing.sign(fact.topic, fact.key, fact.value)
        return replace(fact, headers=[*fact.headers, self._source, (SIGNATURE_HEADER, signature.encode())])

    def _make_headers(self, topic: str, partition: int) -> list[tuple[str, bytes]]:
        """Return the headers of the marker of a partition. A marker is a CloudEvent, as a fact is."""
        marker_id = fact_id(f"{bare_name(topic)}/{partition}/{self.name}", 0)
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(marker_id).encode()),
            ("ce_type", MARKER_TYPE),
            self._source,
            ("content-type", b"application/json"),
            *self._keys.signing.make_marker(topic, partition),
        ]

    def check_order(self, signers: Sequence[str]) -> None:
        """Raise TransientError if readers would refuse a fact signed now, after `signers` have signed in this order.

        Readers of facts take the order in which secrets sign for their age: a secret that was replaced must not sign
        again. A jobstore that does not have the newest secret leaves the relay to those that have it.
        """
        names = [key.name for key in self._keys]
        values = {name.partition(":")[0]: name for name in names}
        for name in signers:
            secret_id = name.partition(":")[0]
            if values.get(secret_id, name) != name:
                raise _make_error(f"the secret {secret_id!r} has another value than when it signed facts; give it back")
        known = [name for name in reversed(signers) if name in names]
        if known != [name for name in names if name in signers] or self.name in signers[:-1]:
            newest = signers[-1].partition(":")[0]
            raise _make_error(f"{newest!r} signs facts by now, and no older secret will again; list the newest first")


def _make_error(message: str) -> TransientError:
    return TransientError(f"SIGNOFF_SECRETS: {message}", code=ErrorCode.WRONG_SECRETS)


#: The maximum of facts that one pass publishes: a fact of another tenant waits for two passes.
BATCH: Final = 500
#: The maximum of facts that wait: with more, the log is not looked at. Each takes some 40 bytes.
BACKLOG_MAX: Final = 500_000
#: Seconds until a process that does not lead tries to, and until the leader looks at the log without a notification.
LEAD_EVERY_S: Final = 1.0
POLL_S: Final = 2.0
#: The same while numbers are missing: a transaction that commits notifies, one that rolls back does not, and rows that
#: this process commits may never be handed over.
GAPS_POLL_S: Final = 0.05
#: Seconds for which facts of jobs that go on are gathered: the last four facts of a life usually take two requests so.
LINGER_S: Final = 0.03
#: Seconds until marks are stored: facts behind marks that a crash lost are published again; readers apply each once.
STORE_AFTER_S: Final = 0.05
#: Seconds between checks that the topics still hold what was published.
PROBE_S: Final = 5.0

#: Rows are looked up by number and id alone, however the statistics of the tables are, with plans that are made once,
#: since planning took four fifths of a pass. Commits do not wait for the disk: if the last is lost, facts are published
#: again, and readers apply each once.
_SETTINGS: Final = (
    "SET synchronous_commit = off",
    "SET plan_cache_mode = force_generic_plan",
    *(f"SET enable_{plan} = off" for plan in ("seqscan", "bitmapscan", "indexonlyscan", "hashjoin", "mergejoin")),
)

#: The next offset of each partition of a topic.
EndOffsets = Callable[[str], Awaitable[Mapping[int, int]]]


class Relay:
    """Publish facts in order; of all jobstores, one does so at a time."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher | BoundedPublisher,
        signer: FactSigner,
        end_offsets: EndOffsets,
        make_topics: Callable[[], Awaitable[None]],
        check_age: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`make_topics` returns once Kafka is within reach: until then this relay does not try to lead again.

        `check_age` raises PermanentError if the database is older than its facts, so that this relay must not lead.
        """
        self._database = database
        self._publisher = publisher
        self._signer = signer
        self._end_offsets = end_offsets
        self._make_topics = make_topics
        self._check_age = check_age
        self._unseen = Unseen(0)
        self._backlog = Backlog()
        self._writers: Writers | None = None
        self._ended = 0  # the number up to which all transactions have ended that drew one
        self._limit = BATCH
        self._stubs = Stubs()
        self._marks = Marks()
        self._leads = False
        self._must_look = True
        self._looked_at = self._moved_at = 0.0  # when the log was read, and when `settled` last rose or a gap appeared
        self._had_gaps = False
        self.recent = Recent()
        self._wake = Alarm()

    @property
    def published(self) -> int:
        """The number up to which every row of the log was published, or will never exist."""
        return min(self.settled, self._backlog.lowest - 1)

    @property
    def settled(self) -> int:
        """The number up to which every row of the log was seen, or will never exist."""
        return self._unseen.settled

    @property
    def has_gaps(self) -> bool:
        """Whether rows may still commit whose numbers are less than that of a row that was seen."""
        return self.settled < self._unseen.last_seen

    async def run(self) -> None:
        """Try for ever to lead, and relay while this process holds the relay's lock."""
        await run_forever(self._try_to_lead, name="relay", every_s=LEAD_EVERY_S)

    async def _try_to_lead(self) -> None:
        try:
            await self._lead()
        except TransientError as error:
            if error.code == ErrorCode.KAFKA_UNAVAILABLE:
                await self._make_topics()  # a broker that came back empty has none; meanwhile another may lead
            raise

    async def _lead(self) -> None:
        """Relay while a session of its own holds the relay's lock: the lock is free when this process is gone."""
        async with self._database.session() as session:
            has_lock = True  # perhaps, until it is known
            try:
                has_lock = await locks.try_hold_by_session(session, Lock.RELAY)
                if has_lock:
                    await self._relay_for_ever(session)
            finally:
                self._leads = False
                self.recent.close()
                if has_lock:
                    session.invalidate()  # in the pool, the lock and the settings would outlive this

    async def _relay_for_ever(self, session: Connection) -> None:
        """Relay as the leader, for ever. `session` holds the relay's lock."""
        if self._check_age is not None:  # another server may have taken over since the last check
            await self._check_age()
        for setting in _SETTINGS:
            await session.execute(text(setting))
        await self.load(session)
        loop = asyncio.get_running_loop()
        probe_at = 0.0
        while True:
            if loop.time() >= probe_at:
                await self._probe(session)
                probe_at = loop.time() + PROBE_S
            is_due = self._must_look or loop.time() >= self._look_at
            has_more = await self.relay(session, looks=is_due, store_after_s=STORE_AFTER_S)
            took_any = await self.complete_stubs(session)
            if not (has_more or took_any):
                await wait_for_wake(self._wake, max(0.0, min(self._look_at, self._marks.store_at) - loop.time()))

    @property
    def _look_at(self) -> float:
        """The time at which to look at the log again, if no notification comes before."""
        return max(self._looked_at, self._moved_at) + GAPS_POLL_S if self.has_gaps else self._looked_at + POLL_S

    def hand_over(self, rows: Sequence[Recorded]) -> None:
        """Take rows that this process has committed; look for those that are not the next version of their job.

        An entry with which a job comes to rest is published at once, with all that waits; others wait for LINGER_S.
        """
        if not self._leads:
            return
        for row in rows:
            if len(self._backlog) < BACKLOG_MAX and self._unseen.has(row.seq):
                if (tenant := self.recent.take(row)) is None:
                    self._must_look = True
                    continue
                self._backlog.add(tenant, [row.seq])
                self._unseen.see([row.seq])
        self._note_settled()
        self._wake.set_within(0.0 if self._must_look or any(row.job_status in RESTING for row in rows) else LINGER_S)

    def note_recorded(self, handed_over: int | None) -> None:
        """Note that rows were recorded: up to the number `handed_over`, by this process, which hands them over soon.

        If it is None, another process recorded rows, which are looked for. Rows that are not handed over in GAPS_POLL_S
        are looked for, too.
        """
        if handed_over is None:
            self._must_look = True
        elif not (self._leads and self._unseen.expect(handed_over)):
            return
        self._note_settled()
        self._wake.set_within(0.0 if self._must_look else GAPS_POLL_S)

    def _note_settled(self) -> None:
        if self._leads and (self.recent.settle(self.settled) or not self._had_gaps):
            self._moved_at = asyncio.get_running_loop().time()
        self._had_gaps = self.has_gaps

    async def load(self, session: Connection) -> None:
        """Continue where the last leader was. TransientError (`wrong_secrets`): readers would refuse its signatures."""
        self._go_on_after(*await self._marks.load(session))
        self._signer.check_order(self._marks.signers)
        await self._stubs.load(session)
        self._leads = True

    def _go_on_after(self, published: int, ended: int) -> None:
        self._unseen, self._backlog, self._writers, self._ended = Unseen(published), Backlog(), None, ended
        self.recent.begin_behind(published)
        self._must_look = True

    async def _probe(self, session: Connection) -> None:
        """Publish all facts again if a topic holds less than was acknowledged: its broker came back empty."""
        for topic in FACT_TOPICS:
            ends = await self._end_offsets(topic)
            if any(end <= self._marks.offsets.get(f"{topic}/{number}", -1) for number, end in ends.items()):
                await self._begin_again(session)
                return

    async def _begin_again(self, session: Connection) -> None:
        log.error("a topic lost what was published: publishing every fact again from the first one")
        self._marks.offsets = {}
        self._go_on_after(0, max(self._ended, self.settled))
        async with session.driver.transaction():
            await self._stubs.forget_all(session)
            await session.execute(_BEGIN_INCARNATION)
            await self._store(session)

    async def _store(self, session: Connection, after_s: float = 0.0) -> None:
        await self._marks.store(session, self.published, self.settled, after_s)

    async def relay(self, session: Connection, *, looks: bool = True, store_after_s: float = 0.0) -> bool:
        """Look for new rows if `looks`, publish facts, store the marks, and return whether to do so again at once.

        TransientError (`kafka_unavailable`): a fact was not acknowledged; the next call begins with that fact.
        """
        if not await self._mark(session):
            return True
        if looks and len(self._backlog) < BACKLOG_MAX:
            self._must_look = False
            if await self._look(session):  # or somebody says meanwhile that there is more
                self._must_look = True
        taken = self._backlog.take(self._limit)
        if not taken:
            await self._store(session, store_after_s)
            return self._must_look
        facts, count = await fact_reader.read(session, taken, self.recent)
        # Sizes are only known once bodies are read, so that little is read after much was left.
        self._limit = min(BATCH, 2 * (self._limit if count == len(taken) else count))
        progress = await self._publish(facts)
        if progress is None:
            await self._begin_again(session)
            return True
        await self._stubs.store(session, facts[: progress.acknowledged], progress.stubs)
        if progress.acknowledged < len(facts):
            count = [number for _, number in taken].index(facts[progress.acknowledged].seq)
        self._backlog.put_back(taken[count:])
        await self._store(session, 0.0 if progress.is_lost else store_after_s)
        if progress.is_lost:
            self._limit = 1  # what is acknowledged in time is stored, however slow the broker is
            raise TransientError(
                "Kafka did not acknowledge every fact; the rest is published once it does",
                code=ErrorCode.KAFKA_UNAVAILABLE,
            )
        return self._must_look or len(self._backlog) > 0

    async def _look(self, session: Connection) -> bool:
        """Note the new rows of the log; return whether to look again at once: for more rows, or as a gap is settled."""
        had_gaps, before = self.has_gaps, self._unseen.ranges
        self._looked_at = asyncio.get_running_loop().time()
        found, until = await fact_reader.look(session, before)
        for tenant, numbers in found.items():
            if new := [number for number in numbers if self._unseen.has(number)]:  # not handed over meanwhile
                if tenant is not None:  # what is left of a removed job's log is archived, and not published again
                    self._backlog.add(tenant, new)
                self._unseen.see(new)
                self.recent.skip(new[-1] if tenant != fact_reader.NO_TENANT else 0)
        self._unseen.give_up(min(until, self._ended))
        self._note_settled()
        has_settled = had_gaps and self.has_gaps and await self._has_settled(session)
        return has_settled or (until < LAST and self._unseen.ranges != before)

    async def _has_settled(self, session: Connection) -> bool:
        """Return whether all transactions have ended that wrote at an earlier look: numbers still missing never come.

        Numbers are drawn in order, and the transaction that drew one is listed as a writer until its rows can be seen.
        """
        now = Writers(await fact_reader.find_writers(session), self._unseen.last_seen)
        if self._writers is None:
            self._writers = now
        if self._writers.transactions & now.transactions:
            return False
        self._ended, self._writers = self._writers.number, None
        return True

    async def _mark(self, session: Connection) -> bool:
        """Write markers before the first fact under a new key, and before all facts on a broker that came back empty.

        Return False if the broker turns out to be empty. Markers that are repeated change nothing.
        """
        signer = self._signer
        is_new = signer.name not in self._marks.signers[-1:]
        if not is_new and self._marks.offsets.keys() >= signer.places:
            return True
        for result in await self._publisher.send(signer.markers):
            if isinstance(result, Exception):
                raise TransientError(
                    f"a marker was not acknowledged: {result}", code=ErrorCode.KAFKA_UNAVAILABLE
                ) from result
            if not self._marks.note_offset(result):
                await self._begin_again(session)
                return False
        if is_new:
            self._marks.signers.append(signer.name)
            log.info("facts are signed with another key from here on", extra={"signer": signer.name})
        await self._store(session)
        return True

    async def complete_stubs(self, session: Connection) -> bool:
        """Publish the whole facts of stubs that are due, and return whether a topic took any of these facts."""
        is_taken = False
        for tenant, seq in await self._stubs.find_due(session):
            for fact in (await fact_reader.read(session, [(tenant, seq)], self.recent))[0]:
                (result,) = await self._send([fact.record])
                if isinstance(result, PermanentError):
                    continue
                if isinstance(result, Exception):
                    raise result
                if not self._marks.note_offset(result):
                    await self._begin_again(session)
                    return True
                await self._stubs.forget(session, fact)
                is_taken = True
        return is_taken

    async def _send(self, records: Sequence[Outgoing]) -> list[RecordMetadata | Exception]:
        """Sign and publish records of facts, whole or stubs, and return the results; nothing else publishes facts."""
        return await self._publisher.send([self._signer.sign(record) for record in records])

    async def _publish(self, facts: Sequence[Fact]) -> Progress | None:
        """Publish facts in order, or their stubs if topics refuse them. Return None if a topic was made anew.

        Facts behind a refused one are left to the next pass, since they may have been lost with it.
        """
        stubs: dict[int, str] = {
            fact.seq: ErrorCode.FACT_TOO_LARGE for fact in facts if not self._stubs.has_room_for(fact.record)
        }
        records = [fact.make_stub(stubs[fact.seq]) if fact.seq in stubs else fact.record for fact in facts]
        for count, (fact, result) in enumerate(zip(facts, await self._send(records), strict=True)):
            is_refused = isinstance(result, PermanentError)
            if is_refused:
                result = await self._publish_alone(fact, stubs)  # noqa: PLW2901 - it takes the place of the refusal
            if isinstance(result, Exception):
                return Progress(count, stubs, is_lost=True)
            if result is not None and not self._marks.note_offset(result):
                return None
            if is_refused:
                return Progress(count + 1, stubs)
        return Progress(len(facts), stubs)

    async def _publish_alone(self, fact: Fact, stubs: dict[int, str]) -> Any:
        """Publish a refused fact alone, since another of its batch may be at fault; else its stub, noted in `stubs`.

        Return the place of the record, or an error; None: not even the stub is taken, and the fact is skipped for now.
        """
        (result,) = await self._send([fact.record])
        if not isinstance(result, PermanentError):
            stubs.pop(fact.seq, None)
            return result
        stubs[fact.seq] = self._stubs.note_refusal(fact, result)
        (result,) = await self._send([fact.make_stub(stubs[fact.seq])])
        return None if isinstance(result, PermanentError) else result
