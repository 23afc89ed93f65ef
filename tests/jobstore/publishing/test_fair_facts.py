"""While one tenant has a great many facts to tell, those of another are published at once (invariant 12)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.structs import RecordMetadata
from pydantic_core import from_json
from sqlalchemy import text
from support.jobstore.signed_facts import make_keys
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.relay import FactSigner, Relay
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.publisher import Publisher

JOBS, ENTRIES = 100, 200
#: What invariant 12 promises.
PROMISED_S = 2.0

REQUEST = '{"payload":null}'
_MORE_JOBS = text(
    "INSERT INTO jobs SELECT (jsonb_populate_record(j, jsonb_build_object('id', j.id || '-' || n))).* "
    "FROM jobs j CROSS JOIN generate_series(1, CAST(:jobs AS int)) AS n WHERE j.id = :job_id"
)
_MORE_ENTRIES = text(
    "INSERT INTO job_logs (job_id, version, status, job_status, kind, request_payload, created_at) "
    "SELECT j.id || '-' || n, v, 'PENDING', 'PENDING', 'progress', CAST(:request AS json), now() "
    "FROM jobs j CROSS JOIN generate_series(CAST(:first AS int), CAST(:last AS int)) AS v "
    "CROSS JOIN generate_series(1, CAST(:jobs AS int)) AS n WHERE j.id = :job_id ORDER BY v, n"
)


class Acknowledged:
    """A publisher that keeps which versions of each job were acknowledged."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._changed = asyncio.Event()
        self.versions: defaultdict[str, list[int]] = defaultdict(list)

    async def send(self, records: Any) -> list[Any]:
        results = list(await self._publisher.send(records))
        for record, result in zip(records, results, strict=True):
            assert isinstance(result, RecordMetadata)
            if record.key is not None and record.topic == "job-changed":
                self.versions[record.key.decode()].append(from_json(record.value)["version"])
        self._changed.set()
        return results

    async def wait_for(self, job_id: str, count: int) -> None:
        """Wait until so many facts of a job were acknowledged."""
        while len(self.versions[job_id]) < count:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def acknowledged(kafka: str) -> AsyncIterator[Acknowledged]:
    await ensure_topics(KafkaAccess(kafka), 1)
    publisher = Publisher(KafkaAccess(kafka), "test")
    await publisher.start()
    yield Acknowledged(publisher)
    await publisher.stop()


@pytest.fixture
async def relay(database: Database, acknowledged: Any, kafka: str) -> AsyncIterator[Relay]:
    """A relay that runs."""
    topics = Topics(KafkaAccess(kafka))
    signer = FactSigner(make_keys("t"))
    relay = Relay(database, acknowledged, signer, topics.end_offsets, lambda: ensure_topics(KafkaAccess(kafka), 1))
    running = asyncio.create_task(relay.run())
    yield relay
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await topics.close()


async def test_what_one_tenant_has_to_tell_holds_no_fact_of_another_back(
    relay: Relay, acknowledged: Acknowledged, database: Database, runner: CommandRunner
) -> None:
    """Not while it commits, and not until all is published: in one transaction, and in many."""
    large = await Steps(database, runner).created(tenant="large")
    waits: list[float] = []

    async def time_another() -> None:
        began = asyncio.get_running_loop().time()
        small = await Steps(database, runner).created(tenant="small")
        relay.note_recorded(None)
        await acknowledged.wait_for(small.job_id, 1)
        waits.append(asyncio.get_running_loop().time() - began)

    async with asyncio.timeout(120):
        await acknowledged.wait_for(large.job_id, 1)
        async with database.transaction() as connection:
            await connection.execute(_MORE_JOBS, {"job_id": large.job_id, "jobs": JOBS})
            half = {"job_id": large.job_id, "jobs": JOBS, "first": 1, "last": ENTRIES // 2, "request": REQUEST}
            await connection.execute(_MORE_ENTRIES, half)
            await time_another()
        for first in range(ENTRIES // 2 + 1, ENTRIES + 1, 10):
            async with database.transaction() as connection:
                await connection.execute(_MORE_ENTRIES, half | {"first": first, "last": first + 9})
            relay.note_recorded(None)
            if first % 20 == 1:
                await time_another()
        await time_another()
        published = sum(map(len, acknowledged.versions.values()))
        for number in range(1, JOBS + 1):
            await acknowledged.wait_for(f"{large.job_id}-{number}", ENTRIES)
    assert max(waits) < PROMISED_S, waits
    assert published < JOBS * ENTRIES
    for number in range(1, JOBS + 1):
        assert acknowledged.versions[f"{large.job_id}-{number}"] == list(range(1, ENTRIES + 1))
