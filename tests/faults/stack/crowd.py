"""Clients: each job through a door of its own, asked for until it is answered, with a record of what was."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from random import Random
from typing import Any
from uuid import UUID

import aiohttp

from contracts.client import JobStoreClient, JobStoreError
from contracts.events import CancelRequested, ExecuteRequested
from contracts.messages.views import Batch
from contracts.resources import NewJob
from contracts.status import RESTING, JobStatus
from faults.checking.observed import Asked, Cancelled, Poison
from faults.stack.strangers import CRITERIA, HABITS, STEADY
from jobstore.domain.ids import IdKey
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing, Publisher

DOORS = ("grpc", "rest", "rest key", "event", "event inline", "batch", "rest batch")
CANCEL_DOORS = ("grpc", "rest", "event")
#: Two doors take companions along.
JOBS_A_WISH = 1 + 2 * 2 / len(DOORS)
#: Answers that say nothing of what became of a request: it is asked again, with the same ids.
AGAIN = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED"})
AGAIN_S = 0.5
#: A client that gets no answer at all for that long gives up: longer than the broker takes to come up four times in a
#: row on a machine that is busy with other things.
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What one client wants; drawn from the seed."""

    job_id: str
    execution_id: UUID
    door: str
    agent: str
    repeats: int
    lacking: int
    cancel_door: str | None
    cancel_after_s: float

    @property
    def job(self) -> NewJob:
        return self._job(self.job_id)

    @property
    def companions(self) -> list[NewJob]:
        """New jobs that are asked for in the same batch."""
        return [self._job(f"{self.job_id}-{number}") for number in (1, 2)]

    def _job(self, job_id: str) -> NewJob:
        return NewJob(
            id=job_id,
            title=f"Describe the sky, for {self.agent}",
            acceptance_criteria=CRITERIA,
            agent_id=self.agent,
            payload={"agent": self.agent, "lacking": self.lacking},
        )


def wish(seed: int, number: int) -> Wish:
    """The wish with a number."""
    random = Random(f"crowd/{seed}/{number}")
    steady = random.random() < 0.3
    execution_id = UUID(int=random.getrandbits(128), version=4)
    return Wish(
        job_id=f"storm-{seed}-{number}",
        execution_id=execution_id,
        door=random.choice(DOORS),
        agent=STEADY if steady else random.choice([name for name in HABITS if name != STEADY]),
        repeats=random.choice((0, 0, 0, 1, 2)),
        lacking=random.choice((0, 0, 0, 0, 1, 2)),
        cancel_door=random.choice(CANCEL_DOORS) if random.random() < 0.15 else None,
        cancel_after_s=random.choice((0.0, 0.05, 0.2, 1.0, 3.0)),
    )


class RefusedError(Exception):
    """An answer: no."""


@dataclass(slots=True)
class Crowd:
    """All clients; who calls a jobstore or a console calls another each time, also to ask again."""

    clients: Sequence[JobStoreClient]
    consoles: Sequence[aiohttp.ClientSession]
    publisher: Publisher
    ids: IdKey
    asked: list[Asked] = field(default_factory=list)
    cancels: list[Cancelled] = field(default_factory=list)
    #: By watch, what it was told; there are as many as jobstores.
    watched: list[list[tuple[str, int]]] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    #: How often an answer was one that should never be given, by its words.
    odd: list[str] = field(default_factory=list)
    _turns: Iterator[JobStoreClient] = field(init=False)
    _consoles: Iterator[aiohttp.ClientSession] = field(init=False)

    def __post_init__(self) -> None:
        self._turns, self._consoles = cycle(self.clients), cycle(self.consoles)

    @property
    def client(self) -> JobStoreClient:
        return next(self._turns)

    async def run(self, seed: int, count: int, lasts_s: float) -> None:
        """`count` wishes, spread over a time; returns when the last is answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, began + number * lasts_s / count - time.monotonic()))
                group.create_task(self._fulfil(wish(seed, number)))
                if number % 50 == 10:
                    group.create_task(self._plant(seed, number))

    async def _fulfil(self, wish: Wish) -> None:
        if wish.door != "event inline":
            await self._until_answered(lambda: self.client.create_job(wish.job))
        asked = Asked(str(wish.execution_id), wish.job_id, wish.agent, wish.door, time.time(), "", 0)
        asked.cancelled = wish.cancel_door is not None
        asking = [asyncio.create_task(self._ask(wish, asked)) for _ in range(1 + wish.repeats)]
        if wish.cancel_door:
            await asyncio.sleep(wish.cancel_after_s)
            await self._cancel(wish, wish.cancel_door)
        await asyncio.gather(*asking)
        self.asked.append(asked)
        if wish.lacking and not asked.cancelled and asked.settled == "accepted":
            await self._resubmit(wish)

    async def _ask(self, wish: Wish, asked: Asked) -> None:
        try:
            settled = await self._until_answered(lambda: self._through(wish, asked))
        except RefusedError as refusal:
            settled = f"refused: {refusal}"
        except TimeoutError:
            settled = "unanswered"
        asked.settled, asked.settled_at = asked.settled or settled, asked.settled_at or time.time()

    async def _through(self, wish: Wish, asked: Asked) -> str:
        path, known = f"/api/jobs/{wish.job_id}/execute", str(wish.execution_id)
        match wish.door:
            case "grpc":
                await self.client.execute_job(wish.job_id, known)
            case "rest":
                await self._post(path, json={"execution_id": known})
            case "rest key":
                asked.execution_id = str(self.ids.derive("execution", wish.job_id, known))
                await self._post(path, headers={"Idempotency-Key": known})
            case "batch":
                batch = await self.client.execute_jobs([wish.job_id], wish.companions, idempotency_key=known)
                return self._batch(batch, asked)
            case "rest batch":
                jobs = [job.model_dump(mode="json", exclude_none=True) for job in (wish.job, *wish.companions)]
                answer = await self._post("/api/batches", json={"jobs": jobs}, headers={"Idempotency-Key": known})
                return self._batch(Batch.model_validate(answer), asked)
            case "event":
                await self.publisher.publish(ExecuteRequested(execution_id=wish.execution_id, job_id=wish.job_id))
                return "published"
            case _:
                inline = ExecuteRequested(execution_id=wish.execution_id, job_id=wish.job_id, job=wish.job)
                await self.publisher.publish(inline)
                return "published"
        return "accepted"

    def _batch(self, batch: Batch, asked: Asked) -> str:
        """Note what became of the companions, once, and answer for the job itself."""
        own, *companions = batch.items
        told = {one.execution_id for one in self.asked}
        for item in companions:
            if str(item.execution_id) not in told:
                settled = "accepted" if item.accepted else f"refused: {item.code}"
                about = {"execution_id": str(item.execution_id), "job_id": item.job_id, "settled": settled}
                self.asked.append(replace(asked, **about, settled_at=time.time(), cancelled=False))
        asked.execution_id = str(own.execution_id)
        return "accepted" if own.accepted else f"refused: {own.code}"

    async def _cancel(self, wish: Wish, door: str) -> None:
        try:
            await self._until_answered(lambda: self._cancelled(wish, door))
            settled = "published" if door == "event" else "done"
        except RefusedError as refusal:  # it rests already, or nobody knows it yet
            settled = f"refused: {refusal}"
        except TimeoutError:
            settled = "unanswered"
        self.cancels.append(Cancelled(wish.job_id, door, settled))

    async def _cancelled(self, wish: Wish, door: str) -> None:
        if door == "grpc":
            await self.client.cancel_job(wish.job_id, "by a client")
        elif door == "rest":
            await self._post(f"/api/jobs/{wish.job_id}/cancel", json={"reason": "by a client"})
        else:
            await self.publisher.publish(CancelRequested(execution_id=wish.execution_id, job_id=wish.job_id))

    async def _resubmit(self, wish: Wish) -> None:
        if await self._at_rest(wish.job_id) is not JobStatus.RESUBMISSION_REQUIRED:
            return
        again = self.ids.derive("execution", wish.job_id, "again")
        asked = Asked(str(again), wish.job_id, wish.agent, "resubmit", time.time(), "", 0)
        path, body = f"/api/jobs/{wish.job_id}/resubmit", {"execution_id": str(again), "comment": "bluer, please"}
        try:
            await self._until_answered(lambda: self._post(path, json=body))
            asked.settled = "accepted"
        except RefusedError as refusal:
            asked.settled = f"refused: {refusal}"
        asked.settled_at = time.time()
        self.asked.append(asked)

    async def _at_rest(self, job_id: str) -> JobStatus | None:
        """Where the job comes to rest; None: it does not, and whoever checks will find it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    job = await self._until_answered(lambda: self.client.get_job(job_id))
                    if job.status in RESTING:
                        return job.status
                    await asyncio.sleep(1)
        return None

    async def _plant(self, seed: int, number: int) -> None:
        """A record that cannot be processed, in each topic that is consumed."""
        for topic in ("execute-requested", "result-produced", "job-status-reported", "cancel-requested"):
            value = f"poison {seed} {number} {topic}".encode()
            await self._until_answered(lambda topic=topic, value=value: self._raw(topic, value))
            self.poison.append(Poison(value, time.time()))

    async def _raw(self, topic: str, value: bytes) -> None:
        (result,) = await self.publisher.send([Outgoing(topic, value)])
        if isinstance(result, Exception):
            raise result

    async def _post(self, path: str, **arguments: Any) -> Any:
        async with next(self._consoles).post(path, **arguments) as answer:
            if answer.status < 400:
                return await answer.json()
            problem = await answer.json()
            if answer.status in {502, 503, 504, 408, 429}:
                raise TransientError(str(problem))
            if answer.status >= 500:
                self.odd.append(f"{path.rpartition('/')[2]}: {answer.status} {problem.get('detail')}")
                raise TransientError(str(problem))
            raise RefusedError(problem.get("code") or problem.get("title"))

    async def _until_answered(self, operation: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await operation()
                except JobStoreError as error:
                    self._weigh(error)
                except (aiohttp.ClientError, TimeoutError, OSError, TransientError):
                    pass
                await asyncio.sleep(AGAIN_S)

    def _weigh(self, error: JobStoreError) -> None:
        name = error.grpc_status.name
        if name in {"INTERNAL", "UNKNOWN"}:
            self.odd.append(f"{name} {error.code}: {error}")
        elif name not in AGAIN:
            raise RefusedError(error.code) from error

    async def watch(self, first: int) -> None:
        """Follow all jobs, for ever, from one jobstore to the next at every interruption; what was told is kept."""
        after = 0
        told: list[tuple[str, int]] = []
        self.watched.append(told)
        for client in islice(cycle(self.clients), first, None):
            try:
                async for event in client.watch_jobs(after=after, with_payloads=False):
                    if event.log is not None:
                        after = event.cursor
                        told.append((event.log.job_id, event.log.version))
            except JobStoreError as error:
                self.odd.append(f"watch: {error.grpc_status.name} {error.code}: {error}")
            await asyncio.sleep(AGAIN_S)
