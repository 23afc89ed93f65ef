"""Publish every fact: each recorded transition as `job-changed`, per job in order, `version` without a gap.

Rows of the log commit in another order than their numbers. So a pass publishes only up to a number below which every
row is settled: that number was read, then a transaction id taken, and every older transaction has ended since. The
number of a row is therefore the place of its fact in the order of publication, and the cursor of every watch.

A fact that its topic refuses for good is published as a stub, so that it holds nothing back; the whole follows it later
under the same version (`stubs`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.structs import RecordMetadata
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.topics import FACT_TOPICS
from jobstore.publishing import job_changed
from jobstore.publishing.fact_signer import FactSigner
from jobstore.publishing.late_facts import find_reverted
from jobstore.publishing.stubs import FACT_TOO_LARGE, Fact, Stubs
from jobstore.storage import locks
from jobstore.storage.database import Database
from jobstore.storage.locks import Lock
from jobstore.storage.notifications import CHANNEL, PUBLISHED
from jobstore.storage.sql import Connection
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.process.runtime import run_forever, wait_for_wake

log = logging.getLogger(__name__)

#: Facts that one pass publishes at most.
BATCH: Final = 1_000
#: Bytes of stored bodies that one pass reads, so that memory is bounded however large they are.
BATCH_BYTES: Final = 4 << 20
#: Bytes of records that one pass makes of them.
RECORDS_BYTES: Final = 16 << 20
POLL_S: Final = 0.5
#: Seconds until a pending horizon is checked again: only for older transactions to end.
PENDING_POLL_S: Final = 0.005
#: Seconds between checks that the topics still hold what was published.
PROBE_S: Final = 5.0

#: Read before the snapshot, so that whoever drew a number up to it is older than the snapshot's transaction.
_HORIZON: Final = text("SELECT last_value, is_called FROM job_logs_seq_seq")
_SNAPSHOT: Final = text(
    "SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint), "
    "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)",
)
#: Bytes of JSON in a column; what is compressed may be a hundred times larger than it is stored.
_SIZE: Final = (
    "coalesce(CASE WHEN pg_column_compression({0}) IS NULL THEN pg_column_size({0}) "
    "ELSE octet_length({0}::text) END, 0)"
)
#: Jobs change while their entries wait: what a fact says of its job comes from the entry, or from `late_facts`.
_ROWS: Final = text(
    f"""
    SELECT l.seq, l.id, l.job_id, l.version, l.status, l.job_status, l.agent_id, l.message, l.code, l.execution_id,
        l.attempt, l.lease, l.submission, l.event_id, l.progress, l.spent_usd, l.spent_tokens,
        l.next_attempt_at, l.actor, l.created_at,
        l.request_payload::text AS request, l.response_payload::text AS response,
        j.title, j.priority, j.tenant, j.labels::text AS labels, j.policy::text AS policy, j.capabilities,
        j.not_before AS job_not_before, j.created_at AS job_created_at,
        CASE WHEN l.progress IS NOT NULL THEN (
            SELECT p.message FROM job_logs p
            WHERE p.job_id = l.job_id AND p.version <= l.version AND p.kind = 'progress'
            ORDER BY p.version DESC LIMIT 1) END AS progress_message,
        CASE WHEN l.version = 1 OR l.kind = 'edited' THEN j.description END AS description,
        CASE WHEN l.version = 1 OR l.kind = 'edited' THEN j.acceptance_criteria END AS acceptance_criteria,
        EXISTS (SELECT FROM job_logs x
            WHERE x.job_id = l.job_id AND x.version > l.version AND x.kind = 'edited') AS is_edited_later,
        CASE WHEN l.status = 'ASSIGNED' AND l.execution_id IS NULL THEN to_json(a)::text END AS agent,
        l.kind, l.spent, CASE WHEN l.version = 1 THEN encode(j.spec_hash, 'hex') END AS spec_hash,
        e.policy::text AS frozen_policy, CAST(e.policy ->> 'max_attempts' AS int) AS calls,
        e.deadline_at, e.not_before, e.batch_id,
        encode(e.reuse_key, 'hex') AS reuse_key, e.created_at AS requested_at, l.bytes
    FROM (
        SELECT *, sum(size) OVER (ORDER BY seq) AS bytes FROM (
            SELECT *, {_SIZE.format("request_payload")} + {_SIZE.format("response_payload")}
                + CASE WHEN version = 1 OR kind = 'edited' THEN (
                    SELECT octet_length(description) + octet_length(acceptance_criteria) FROM jobs WHERE id = job_id)
                ELSE 0 END AS size
            FROM job_logs WHERE seq > :after AND seq <= :until ORDER BY seq LIMIT :limit
        ) AS sized
    ) AS l JOIN jobs j ON j.id = l.job_id LEFT JOIN agents a ON a.id = l.agent_id
        LEFT JOIN executions e ON e.execution_id = l.execution_id
    WHERE l.bytes - l.size < :bytes
    ORDER BY l.seq
    """,  # noqa: S608 - fragments of our own
)
_FACTS: Final = text(
    """
    SELECT seq, topic, key, body::text AS body, body ->> 'execution_id' AS execution_id,
        CAST(coalesce(body ->> 'refused_at', body -> 'agent' ->> 'updated_at') AS timestamptz) AS happened_at
    FROM facts WHERE seq > :after AND seq <= :until ORDER BY seq LIMIT :limit
    """,
)
_STATE: Final = text("SELECT published_seq, offsets::text, signers::text FROM relay")
#: One statement, so that watchers are notified of the cursor that is stored, once it is committed.
_STORE: Final = text(
    "WITH stored AS (UPDATE relay SET published_seq = :seq, offsets = CAST(:offsets AS json), "
    "signers = CAST(:signers AS json) RETURNING published_seq) "
    "SELECT pg_notify(:channel, :kind || published_seq) FROM stored",
)

#: The next offset of each partition of a topic.
EndOffsets = Callable[[str], Awaitable[Mapping[int, int]]]


class PendingHorizon(NamedTuple):
    """A number of a row, settled once every transaction older than `transaction` has ended."""

    number: int
    transaction: int


class Relay:
    """Publish facts in order; of all jobstores one does so at a time."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        signer: FactSigner,
        end_offsets: EndOffsets,
        make_topics: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._signer = signer
        self._end_offsets = end_offsets
        self._make_topics = make_topics
        self._pending: PendingHorizon | None = None
        self._horizon = 0
        self.published = 0
        self._offsets: dict[str, int] = {}
        self._limit = BATCH
        self._stubs = Stubs()
        self._signers: list[str] = []
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Relay for ever, while this process holds the relay's lock."""
        await run_forever(self._try_to_lead, name="relay", every_s=POLL_S)

    async def _try_to_lead(self) -> None:
        try:
            await self._lead()
        except TransientError as error:
            if error.code == "kafka_unavailable":
                await self._make_topics()  # a broker that came back empty has none
            raise

    async def _lead(self) -> None:
        """Hold the lock on a session of its own, so that the lock is free when this process is gone."""
        async with self._database.session() as session:
            if not await locks.try_hold_by_session(session, Lock.RELAY):
                return
            try:
                await self._relay_for_ever(session)
            finally:
                session.invalidate()  # in the pool, the lock and the settings would outlive this

    async def _relay_for_ever(self, session: Connection) -> None:
        """Relay as the leader, for ever."""
        # Fast commits: should the last be lost, facts are published once more, and readers apply each once.
        await session.execute(text("SET synchronous_commit = off"))
        await self.load(session)
        loop = asyncio.get_running_loop()
        probe_at = 0.0
        while True:
            if loop.time() >= probe_at:
                await self._probe(session)
                probe_at = loop.time() + PROBE_S
            has_more = await self.relay(session)
            took_any = await self.complete_stubs(session)
            if not (has_more or took_any):
                await wait_for_wake(self.wake, POLL_S if self._pending is None else PENDING_POLL_S)

    async def load(self, session: Connection) -> None:
        """Go on where the last leader was. TransientError (`wrong_secrets`): not with the secrets of this process."""
        row = (await session.execute(_STATE)).one()
        self.published, self._offsets, self._signers = row.published_seq, from_json(row.offsets), from_json(row.signers)
        self._pending, self._horizon = None, 0
        self._signer.check_order(self._signers)
        await self._stubs.load(session)

    async def _probe(self, session: Connection) -> None:
        """Begin again at version 1 when the topic holds less than was acknowledged: its broker came back empty."""
        for topic in FACT_TOPICS:
            ends = await self._end_offsets(topic)
            if any(end <= self._offsets.get(f"{topic}/{number}", -1) for number, end in ends.items()):
                await self._begin_again(session)
                return

    async def _begin_again(self, session: Connection) -> None:
        log.error("a topic lost what was published: publishing every fact again from the first one")
        self.published, self._offsets = 0, {}
        await self._store(session)

    async def _store(self, session: Connection) -> None:
        state = {"offsets": to_json(self._offsets).decode(), "signers": to_json(self._signers).decode()}
        await session.execute(_STORE, {"seq": self.published, **state, "channel": CHANNEL, "kind": PUBLISHED})

    async def relay(self, session: Connection) -> bool:
        """Publish the next facts below the horizon, and return whether there were any.

        TransientError (`kafka_unavailable`): not all were acknowledged; the next call begins at the first of those.
        """
        if not await self._mark(session):
            return True
        await self._advance_horizon(session)
        if self._horizon <= self.published:
            return False
        facts, has_all = await self._read(session, self.published, self._horizon, self._limit)
        # Sizes are only known once bodies are read, so that little is read after much was left.
        self._limit = min(BATCH, 2 * (self._limit if has_all else len(facts)))
        progress = await self._publish(facts)
        if progress is None:
            await self._begin_again(session)
            return True
        await self._stubs.store(session, facts[: progress.told], progress.stubs)
        if progress.told == len(facts) and has_all:
            self.published = self._horizon
        elif progress.told:
            self.published = facts[progress.told - 1].seq
        await self._store(session)
        if progress.is_lost:
            raise TransientError(
                "Kafka did not acknowledge every fact; the rest is published once it does", code="kafka_unavailable"
            )
        return True

    async def _read(self, session: Connection, after: int, until: int, limit: int) -> tuple[list[Fact], bool]:
        """Return the next facts after a number, in order, and whether those are all up to `until`."""
        span = {"after": after, "until": until, "limit": limit}
        entries = (await session.execute(_ROWS, span | {"bytes": BATCH_BYTES})).all()
        is_cut = bool(entries) and entries[-1].bytes >= BATCH_BYTES
        if is_cut:
            span["until"] = entries[-1].seq
        facts, size = list[Fact](), 0
        reverted = await find_reverted(session, entries)
        for row in entries:
            before = reverted.get(row.seq, {})
            facts.append(Fact(row.seq, row, before, job_changed.make_job_changed(row, before)))
            size += len(facts[-1].record.value)
            if size >= RECORDS_BYTES:
                is_cut, span["until"] = True, row.seq
                break
        facts += [Fact(row.seq, row, {}, job_changed.make_fact(row)) for row in await session.execute(_FACTS, span)]
        return sorted(facts, key=lambda fact: fact.seq)[:limit], len(facts) < limit and not is_cut

    async def _mark(self, session: Connection) -> bool:
        """Write markers before the first fact under a new key, and before all facts on a broker that came back empty.

        Return False if that turns out only now. Markers that are repeated change nothing.
        """
        signer = self._signer
        is_new = signer.name not in self._signers[-1:]
        if not is_new and self._offsets.keys() >= signer.places:
            return True
        for result in await self._publisher.send(signer.markers):
            if isinstance(result, Exception):
                raise TransientError(f"a marker was not acknowledged: {result}", code="kafka_unavailable") from result
            if not self._note_offset(result):
                await self._begin_again(session)
                return False
        if is_new:
            self._signers.append(signer.name)
            log.info("facts are signed with another key from here on", extra={"signer": signer.name})
        await self._store(session)
        return True

    async def _advance_horizon(self, session: Connection) -> None:
        """Move the horizon to a number below which every row is committed, or never will be.

        A number read now is settled once every transaction that was open then has ended: at once where none is, else in
        a later pass.
        """
        last = (await session.execute(_HORIZON)).one()
        number = last.last_value if last.is_called else 0
        if number <= self._horizon:
            return
        own, oldest = (await session.execute(_SNAPSHOT)).one()
        if self._pending is not None and oldest >= self._pending.transaction:
            self._horizon, self._pending = self._pending.number, None
        if oldest >= own:
            self._horizon, self._pending = number, None
        elif self._pending is None:
            self._pending = PendingHorizon(number, own)

    async def complete_stubs(self, session: Connection) -> bool:
        """Publish whole what stands as a stub, where its topic takes it by now, and return whether it took any."""
        is_taken = False
        for seq in await self._stubs.find_due(session, self.published):
            for fact in (await self._read(session, seq - 1, seq, 1))[0]:
                (result,) = await self._send([fact.record])
                if isinstance(result, PermanentError):
                    continue
                if isinstance(result, Exception):
                    raise result
                if not self._note_offset(result):
                    await self._begin_again(session)
                    return True
                await self._stubs.forget(session, fact)
                is_taken = True
        return is_taken

    async def _send(self, records: Sequence[Outgoing]) -> list[RecordMetadata | Exception]:
        """Publish records of facts, whole or stubs, signed: the one place through which each passes."""
        return await self._publisher.send([self._signer.sign(record) for record in records])

    async def _publish(self, facts: Sequence[Fact]) -> "_Progress | None":
        """Publish facts in order, as stubs where their topics refuse them; None if an offset did not rise: a new topic.

        What follows a fact that was refused here is left to the next pass, since that may have been lost with it.
        """
        stubs = {fact.seq: FACT_TOO_LARGE for fact in facts if not self._stubs.has_room_for(fact.record)}
        records = [fact.make_stub(stubs[fact.seq]) if fact.seq in stubs else fact.record for fact in facts]
        for count, (fact, result) in enumerate(zip(facts, await self._send(records), strict=True)):
            is_refused = isinstance(result, PermanentError)
            if is_refused:
                result = await self._publish_alone(fact, stubs)  # noqa: PLW2901 - it takes the place of the refusal
            if isinstance(result, Exception):
                return _Progress(count, stubs, is_lost=True)
            if result is not None and not self._note_offset(result):
                return None
            if is_refused:
                return _Progress(count + 1, stubs)
        return _Progress(len(facts), stubs)

    async def _publish_alone(self, fact: Fact, stubs: dict[int, str]) -> Any:
        """Publish a fact that was refused, perhaps for what was in its batch; else its stub, which is added to `stubs`.

        Return where it stands, or an error; None: not even its stub is taken, and it is passed over for now.
        """
        (result,) = await self._send([fact.record])
        if not isinstance(result, PermanentError):
            stubs.pop(fact.seq, None)
            return result
        stubs[fact.seq] = self._stubs.note_refusal(fact, result)
        (result,) = await self._send([fact.make_stub(stubs[fact.seq])])
        return None if isinstance(result, PermanentError) else result

    def _note_offset(self, place: RecordMetadata) -> bool:
        """Remember where a record stands. Return False if it does not stand behind all before it: the topic is new."""
        partition = f"{place.topic}/{place.partition}"
        is_behind: bool = place.offset > self._offsets.get(partition, -1)
        if is_behind:
            self._offsets[partition] = place.offset
        return is_behind


class _Progress(NamedTuple):
    """How many facts, from the first, were acknowledged; stubs of these facts by code; whether one was lost."""

    told: int
    stubs: dict[int, str]
    is_lost: bool = False
