"""Run lives one at a time, each step awaited, and count what each of them asks for."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from contracts.events import JobChanged
from contracts.resources import NewJob
from contracts.signing import is_marker
from contracts.topics import TOPIC_OF
from measuring.counting import COMMITTED_S, Note, RequestCounter, count
from signoff import AsyncClient

STEP_MAX_S = 60
#: A payload with an answer is for the agent of lives.py; others pass it over.
PAYLOAD = {"answer": {"text": "the sky is blue"}}


@dataclass(frozen=True)
class Life:
    """A life: when it was asked for and when its last fact came, on the monotonic clock, and what it took."""

    job_id: str
    created: float
    asked: float
    ended: float
    facts: int
    notes: list[Note]

    @property
    def counts(self) -> dict[str, int]:
        """What was asked for from the job's creation on, and the facts."""
        return {**count(self.notes), "facts": self.facts}


class LonelyLives:
    """Run lives of an agent one after another."""

    def __init__(self, client: AsyncClient, consumer: AIOKafkaConsumer, counter: RequestCounter, agent_id: str) -> None:
        self._client, self._consumer, self._counter, self._agent_id = client, consumer, counter, agent_id

    async def run(self) -> Life:
        """Create a job and wait for its fact, execute it, and wait for the last one and all that follows."""
        job_id = f"alone-{uuid4().hex}"
        new = NewJob(
            id=job_id,
            title="A life",
            acceptance_criteria='Says "blue"\nIs not empty',
            payload=PAYLOAD,
            agent_id=self._agent_id,
        )
        created = time.monotonic()
        await self._client.create_job(new)
        facts = await self._wait_for(job_id, "ASSIGNED")
        await self._counter.wait_for_calm(created)
        asked = time.monotonic()
        await self._client.execute_job(job_id)
        facts += await self._wait_for(job_id, "COMPLETED")
        ended = time.monotonic()
        notes = await self._counter.wait_for_calm(created, COMMITTED_S)
        return Life(job_id, created, asked, ended, facts, notes)

    async def _wait_for(self, job_id: str, status: str) -> int:
        """Wait until a fact says that a job has a status; return how many facts of it came."""
        facts = 0
        async with asyncio.timeout(STEP_MAX_S):
            async for record in self._consumer:
                if is_marker(record):
                    continue
                fact: dict[str, Any] = json.loads(record.value)
                facts += fact["job_id"] == job_id
                if fact["job_id"] == job_id and fact["job"]["status"] == status:
                    break
        return facts


@asynccontextmanager
async def run_alone(
    client: AsyncClient, kafka: str, counter: RequestCounter, agent_id: str
) -> AsyncIterator[LonelyLives]:
    """Run lives one at a time in a system that was started after its counter was made."""
    consumer = AIOKafkaConsumer(TOPIC_OF[JobChanged], bootstrap_servers=kafka)
    await consumer.start()
    try:
        await consumer.seek_to_end()
        yield LonelyLives(client, consumer, counter, agent_id)
    finally:
        await consumer.stop()
