"""An adversary who can read every topic and write to all of them; what it tries is drawn from the seed."""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from support.kafka.batches import bomb, poison, produce, tiny

from contracts.criteria import parse_criteria
from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.judging.policy import Verdict
from contracts.resources import NewJob
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secrets, Signature, make_secret
from contracts.topics import REPLAY_HEADER, TOPICS
from faults.checking.observed import FORGED, Record
from faults.stack.strangers import CRITERIA, DRIPPING, STEADY, WORD
from faults.stack.upstreams import ADVERSARY, STRANGERS, sign
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Outgoing, Publisher, to_record
from servicekit.patches import UnreadableBatch, skip_unreadable_batches
from signoff.judging import CriterionVerdict
from signoff.status import JobStatus, Outcome, ReportKind

RATE = 50
#: Seconds between two batches that no producer makes.
BATCH_S = 4.0
#: MiB that one of them unpacks to, and records that another holds.
BOMB_MIB, TINY = 512, 5_000
PULSE_S = 0.2
#: Requests for an agent that drips: more than two executors take at once, and then as many as it answers.
FLOOD = 400
#: What an outage of the broker kept from being written is written after it, of so long.
BEHIND_MAX_S = 30.0
#: Of what it read in a topic, it forges the newest, whose leases may still be held.
NEWEST = 40
REPORTS = ("result-produced", "job-status-reported")
REQUESTS = ("execute-requested", "cancel-requested")
FACTS = ("job-changed", "agent-changed", "execution-refused", "administration-changed")
AWAY_S = 1.0
NOISE = b"noise"


@dataclass(slots=True)
class Adversary:
    """Reads at once all that is written, and writes `RATE` records a second."""

    kafka: KafkaAccess
    seed: int
    forges_facts: bool = True
    #: What only it wrote, and what it wrote again as it was: by topic and body.
    forged: set[tuple[str, bytes]] = field(default_factory=set)
    copied: set[tuple[str, bytes]] = field(default_factory=set)
    #: Jobs that it asked for as it may, in tenants of strangers: they run.
    jobs: set[str] = field(default_factory=set)
    _read: defaultdict[str, deque[Record]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=NEWEST)))

    @property
    def _facts(self) -> Sequence[str]:
        return FACTS if self.forges_facts else ()

    async def run(self) -> None:
        """Read and write, for ever, across every interruption."""
        skip_unreadable_batches()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_reading())
            group.create_task(self._keep_writing())
            group.create_task(self._keep_writing_batches())

    async def _keep_reading(self) -> None:
        partitions = [TopicPartition(t.name, n) for t in TOPICS.values() for n in range(t.partitions)]
        while True:
            with suppress(KafkaError, OSError):
                async with self.kafka.make_consumer(enable_auto_commit=False) as consumer:
                    consumer.assign(partitions)
                    while True:
                        for records in (await consumer.getmany(timeout_ms=200)).values():
                            self._note(records)
            await asyncio.sleep(AWAY_S)

    def _note(self, records: Sequence[Any]) -> None:
        for r in records:
            if not isinstance(r, UnreadableBatch) and (r.topic, r.value or b"") not in self.forged:
                self._read[r.topic].append(Record(r.topic, r.partition, r.offset, r.key, r.value, r.headers))

    async def _keep_writing_batches(self) -> None:
        """Write, for ever, what no consumer reads, what takes much memory, and what is very many records."""
        random = Random(f"adversary/{self.seed}/batches")
        written = await asyncio.to_thread(lambda: [poison(), bomb(BOMB_MIB), tiny(TINY, NOISE)])
        topics = (*REPORTS, *REQUESTS, *self._facts)
        self.forged |= {(topic, NOISE) for topic in topics}
        while True:
            await asyncio.sleep(BATCH_S)
            topic = random.choice(topics)
            partition = random.randrange(TOPICS[topic].partitions)
            with suppress(KafkaError, OSError):  # an outage of the broker
                await produce(self.kafka, topic, partition, random.choice(written))

    async def _keep_writing(self) -> None:
        random, publisher = Random(f"adversary/{self.seed}"), Publisher(self.kafka, "adversary")
        await publisher.start()
        try:
            written_at = time.monotonic()
            await publisher.send([self._ask(random, DRIPPING) for _ in range(FLOOD)])
            while True:
                await asyncio.sleep(PULSE_S)
                since_s, written_at = time.monotonic() - written_at, time.monotonic()
                count = round(RATE * min(since_s, BEHIND_MAX_S))
                await publisher.send([record for _ in range(count) for record in self._make(random)])
        finally:
            await publisher.stop()

    def _make(self, random: Random) -> list[Outgoing]:
        """Make one record, and note it; none where nothing was read yet that it could be made of."""
        kinds: list[tuple[int, Callable[[Random], Outgoing | None]]] = [
            (30, self._verdict),
            (15, self._result),
            (15, self._failure),
            (10, self._altered),
            (10, self._broken),
            (10, self._again),
            (5, self._elsewhere),
            (4, self._request),
            (4, lambda random: self._ask(random, DRIPPING)),
            (25 if self.forges_facts else 0, self._fact),
        ]
        drawn = (kind for _, kind in random.choices(kinds, [weight for weight, _ in kinds], k=9))
        kind, record = next(((kind, made) for kind in drawn if (made := kind(random))), (None, None))
        if record is None:
            return []
        (self.copied if kind == self._again else self.forged).add((record.topic, record.value))
        return [record]

    def _one_of(self, random: Random, topics: Sequence[str]) -> Record | None:
        read = [record for topic in topics for record in self._read[topic] if record.value]
        return random.choice(read) if read else None

    def _under_a_lease(self, random: Random) -> tuple[Record, dict[str, Any]] | None:
        """Something that a worker reported, whose lease, or the one after it, may be held."""
        record = self._one_of(random, REPORTS)
        with suppress(ValueError, KeyError):
            if record is not None:
                body = json.loads(record.value or b"")
                fields = {name: body[name] for name in ("execution_id", "job_id", "lease", "attempt")}
                return record, fields | {"lease": fields["lease"] + random.choice((0, 0, 1))}
        return None

    def _verdict(self, random: Random) -> Outgoing | None:
        criteria = random.choice((CRITERIA, CRITERIA, "Is forged"))
        judged = [
            CriterionVerdict(**one.model_dump(), outcome=random.choice(list(Outcome)), evidence=[WORD])
            for one in parse_criteria(criteria)
        ]
        about = {"kind": ReportKind.VERDICT, "verdict": Verdict.of(judged, FORGED)}
        return self._report(random, JobStatusReported, **about)

    def _failure(self, random: Random) -> Outgoing | None:
        kind = random.choice([kind for kind in ReportKind if kind is not ReportKind.VERDICT])
        return self._report(random, JobStatusReported, kind=kind, code="agent_status", message=FORGED)

    def _result(self, random: Random) -> Outgoing | None:
        criteria = random.choice((CRITERIA, "Is forged"))
        result = random.choice(({"text": f"{FORGED}: {WORD}"}, WORD, None))
        return self._report(random, ResultProduced, acceptance_criteria=criteria, title=FORGED, result=result)

    def _report(self, random: Random, event: type[Any], **fields: Any) -> Outgoing | None:
        if (of := self._under_a_lease(random)) is None:
            return None
        record, lease = of
        now = datetime.now(UTC)
        times = {"produced_at": now} if event is ResultProduced else {"reported_at": now, "seq": random.randint(1, 9)}
        return self._signed(random, event(**lease, **fields, **times), record)

    def _signed(self, random: Random, event: Any, record: Record) -> Outgoing:
        """Not at all, by the signature of another record, by a secret of its own, or by what is no signature."""
        copied = dict(record.headers).get(SIGNATURE_HEADER)
        how = random.choice(("not", "copied", "own", "garbled"))
        if how == "own":
            signature = Signature.parse(copied)
            own = Secrets.parse(make_secret(signature.secret_id if signature else "local", random.randbytes(32)))
            use = random.choice((KeyUse.EXECUTING, KeyUse.JUDGING))
            return to_record(event, "adversary", signed_by=own.make_key(use, event.execution_id, event.lease))
        header = {"not": None, "copied": copied, "garbled": random.randbytes(40)}[how]
        return to_record(event, "adversary", headers=[(SIGNATURE_HEADER, header)] if header else [])

    def _altered(self, random: Random) -> Outgoing | None:
        """A report as it was, headers included, but for its body."""
        if (record := self._one_of(random, REPORTS)) is None:
            return None
        with suppress(ValueError):
            body = json.loads(record.value or b"") | {"message": FORGED, "title": FORGED, "code": "altered"}
            return Outgoing(record.topic, json.dumps(body).encode(), record.key, record.headers)
        return None

    def _broken(self, random: Random) -> Outgoing | None:
        """Truncated or malformed, in any topic that somebody consumes."""
        if (record := self._one_of(random, (*REPORTS, *REQUESTS))) is None:
            return None
        value = record.value or b""
        broken = random.choice((value[: len(value) // 2], b"\xff" + value, b"[" * 200, b"{}", value + b"}"))
        # With a tail of its own, by which its dead letter is told from another's.
        return Outgoing(record.topic, broken + b" " * random.randrange(1, 200), b"adversary", record.headers)

    def _again(self, random: Random) -> Outgoing | None:
        """As it was, in its own topic, as an operator's replay or as if it were new."""
        if (record := self._one_of(random, (*REPORTS, *REQUESTS, *self._facts))) is None:
            return None
        replay = random.choice(([], [(REPLAY_HEADER, b"1")]))
        return Outgoing(record.topic, record.value or b"", record.key, [*record.headers, *replay])

    def _elsewhere(self, random: Random) -> Outgoing | None:
        """As it was, signature included, in a topic where only parts of Signoff write."""
        if (record := self._one_of(random, (*REPORTS, *REQUESTS, *FACTS))) is None:
            return None
        topic = random.choice([topic for topic in (*REPORTS, *self._facts) if topic != record.topic])
        return Outgoing(topic, record.value or b"", record.key, record.headers)

    def _request(self, random: Random) -> Outgoing:
        """Under ids of its own: a job that runs, a job that nobody knows, and a cancellation of nothing."""
        what = random.choice(("runs", "unknown", "unknown", "cancels", "cancels"))
        if what == "runs":
            return self._ask(random, STEADY)
        kind = ExecuteRequested if what == "unknown" else CancelRequested
        return sign(kind(**_own_ids(random)), ADVERSARY)

    def _ask(self, random: Random, agent: str) -> Outgoing:
        """A job for an agent, in a tenant of strangers."""
        ids, tenant = _own_ids(random), random.choice(STRANGERS)
        ids["job_id"] = f"{tenant}:{ids['job_id']}"
        job = NewJob(
            title="Describe the sky, for an adversary",
            acceptance_criteria=CRITERIA,
            agent_id=agent,
            tenant=tenant,
            payload={"agent": STEADY},
        )
        self.jobs.add(ids["job_id"])
        return sign(ExecuteRequested(**ids, job=job), ADVERSARY)

    def _fact(self, random: Random) -> Outgoing | None:
        """A fact with another status or version, or another address of an agent; perhaps the next of its job."""
        if (record := self._one_of(random, FACTS)) is None:
            return None
        with suppress(ValueError, KeyError, TypeError):
            fact = json.loads(record.value or b"")
            if "agent" in fact and fact["agent"] is not None:
                fact["agent"] |= {"url": "http://127.0.0.1:9/adversary", "name": FORGED}
            if "log" in fact:
                fact["log"] |= {"message": FORGED, "id": str(UUID(int=random.getrandbits(128), version=4))}
                fact["job"] |= {"status": random.choice(list(JobStatus))}
                fact["version"] += random.choice((0, 1, 1, 5))
                fact["log"]["version"] = fact["job"]["version"] = fact["version"]
            if "cursor" in fact:
                fact["cursor"] += random.choice((0, 1, 10**9))
            fact |= {"answer": "refused", "code": "forged"} if "answer" in fact else {}
            value = json.dumps(fact | {"forged": FORGED}).encode()
            return Outgoing(record.topic, value, record.key, random.choice((record.headers, ())))
        return None


def _own_ids(random: Random) -> dict[str, Any]:
    execution_id = UUID(int=random.getrandbits(128), version=4)
    return {"execution_id": execution_id, "job_id": f"adversary-{random.getrandbits(48):x}"}
