"""Clients: each job through a door of its own, asked for until it is answered, with a record of what was."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any, NamedTuple
from uuid import UUID

import aiohttp

from contracts.events import CancelRequested, ExecuteRequested
from contracts.resources import JobFilter, JobPatch
from faults.checking.canaries import CANARY
from faults.checking.observed import Asked, Batched, Cancelled, Model, Pause, Poison
from faults.stack.upstreams import CLIENTS, sign, sign_value
from faults.stack.wishes import ASSIGNED_ANEW, Wish, name_agent, wish
from jobstore.jobs.model import IdKey
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Publisher
from signoff import AsyncClient, SignoffError
from signoff.connection import PAGE_MAX
from signoff.status import JobStatus
from signoff.types import Job, Operation, OperationItem

#: Answers that say nothing of what became of a request: it is asked again, with the same ids.
AGAIN = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED"})
AGAIN_S = 0.5
#: A client that gets no answer at all for that long gives up: longer than the broker takes to come up four times in a
#: row on a machine that is busy with other things.
PATIENCE_S = 300.0
RESUMED_WITHIN_S = 4 * PATIENCE_S
PAUSED_S = 1.5
CLI_S = 60.0
STRAYS = "a batch with strays was asked for"
JOB_REMOVED = "job_removed"
#: What the command line says when it could not find out.
_CLI_AGAIN = frozenset(
    {"unavailable", "call_deadline_exceeded", "call_cancelled", "aborted", "resource_exhausted", "too_many_calls"}
)


class RefusedError(Exception):
    """An answer: no."""


class Many(NamedTuple):
    """A batch, and what became of each of its jobs."""

    id: UUID
    items: Sequence[OperationItem]


@dataclass(slots=True)
class Crowd:
    """All clients; who calls a jobstore or a console calls another each time, also to ask again."""

    clients: Sequence[AsyncClient]
    consoles: Sequence[aiohttp.ClientSession]
    publisher: Publisher
    ids: IdKey
    #: The environment in which the command line finds the jobstores.
    cli_env: Mapping[str, str]
    asked: list[Asked] = field(default_factory=list)
    cancels: list[Cancelled] = field(default_factory=list)
    batched: list[Batched] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    models: dict[str, Model] = field(default_factory=dict)
    #: What clients did besides, in words.
    did: list[str] = field(default_factory=list)
    #: By watch, what it was told; there are as many as jobstores.
    watched: list[list[tuple[str, int]]] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    #: How often an answer was one that should never be given, by its words.
    odd: list[str] = field(default_factory=list)
    _batches: dict[str, Many] = field(default_factory=dict)
    _turns: Iterator[AsyncClient] = field(init=False)
    _consoles: Iterator[aiohttp.ClientSession] = field(init=False)

    def __post_init__(self) -> None:
        self._turns, self._consoles = cycle(self.clients), cycle(self.consoles)

    @property
    def client(self) -> AsyncClient:
        return next(self._turns)

    async def run(self, seed: int, count: int, lasts_s: float) -> None:
        """`count` wishes, spread over a time; returns when the last is answered."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, began + number * lasts_s / count - time.monotonic()))
                group.create_task(self._attempt(wish(seed, number)))
                if number % 50 == 10:
                    group.create_task(self._plant(seed, number))

    async def _attempt(self, wish: Wish) -> None:
        try:
            await self._fulfil(wish)
        except RefusedError as refusal:
            if str(refusal) != JOB_REMOVED:
                raise
            self.did.append("a job was removed before its client was done with it")
        except TimeoutError:
            unanswered = Asked(str(wish.execution_id), wish.job_id, wish.agent or "", wish.door, time.time(), "", 0)
            self.asked.append(replace(unanswered, settled="unanswered", settled_at=time.time(), cancelled=True))

    async def _fulfil(self, wish: Wish) -> None:
        self.models.update(wish.models)
        await self._create(wish)
        asked = Asked(str(wish.execution_id), wish.job_id, wish.agent or "", wish.door, time.time(), "", 0)
        asked.cancelled = wish.cancel_door is not None or wish.control == "cancel"
        if "before" in wish.edits and await self._edit(wish, 1):
            asked.edition, asked.at = 1, time.time()
        asking = [asyncio.create_task(self._ask(wish, asked)) for _ in range(1 + wish.repeats)]
        if wish.cancel_door:
            await asyncio.sleep(wish.cancel_after_s)
            await self._cancel(wish, wish.cancel_door)
        await asyncio.gather(*asking)
        self.asked.append(asked)
        is_edited = "live" in wish.edits and await self._edit(wish, 2)
        if wish.control and wish.job_id in self._batches:
            await self._steer(wish.control, self._batches[wish.job_id])
        if "after" in wish.edits:
            await self._execute_anew(wish)
        elif wish.lacking and not asked.cancelled and asked.settled == "accepted":
            await self._resubmit(wish, 2 if is_edited else asked.edition)

    async def _create(self, wish: Wish) -> None:
        """The job, where it is not asked for with its request; and wait for the agent that it is matched to."""
        if wish.door == "event inline":
            return
        for job in (wish.job, *(wish.companions if wish.door == "filter" else ())):
            await self.until_answered(lambda job=job: self.client.create_job(job))
        if wish.agent is None:
            await self._until(wish.job_id, lambda job: job.status is not JobStatus.PENDING)

    async def _edit(self, wish: Wish, edition: int) -> bool:
        """Edit the job; whether it was done."""
        edit = JobPatch(title=f"Describe the sky, edition {edition}", payload=wish.payload(edition))
        try:
            if edition % 2:
                await self.until_answered(lambda: self.client.edit_job(wish.job_id, edit))
            else:
                body = edit.model_dump(mode="json", exclude_unset=True)
                await self.until_answered(lambda: self.rest("PATCH", f"/api/jobs/{wish.job_id}", json=body))
        except RefusedError as refusal:
            self.did.append(f"edit refused: {refusal}")
            return False
        self.did.append("edited")
        return True

    async def _ask(self, wish: Wish, asked: Asked) -> None:
        try:
            settled = await self.until_answered(lambda: self._through(wish, asked))
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
                await self.rest("POST", path, json={"execution_id": known})
            case "rest key":
                asked.execution_id = str(self.ids.derive("execution", wish.job_id, known))
                await self.rest("POST", path, headers={"Idempotency-Key": known})
            case "cli":
                await self.signoff("jobs", "execute", wish.job_id, "--execution-id", known)
            case "event":
                await self._publish(ExecuteRequested(execution_id=wish.execution_id, job_id=wish.job_id))
                return "published"
            case "event inline":
                inline = ExecuteRequested(execution_id=wish.execution_id, job_id=wish.job_id, job=wish.job)
                await self._publish(inline)
                return "published"
            case _:
                batch = await self._execute_many(wish)
                if wish.has_strays:
                    self._note_strays(batch, wish)
                    await self.client.create_job(wish.late)
                    self._note_strays(await self._execute_many(wish), wish)
                return self._note_batch(batch, wish, asked)
        return "accepted"

    async def _publish(self, event: ExecuteRequested | CancelRequested) -> None:
        await self.publisher.publish_records([sign(event, CLIENTS)])

    async def _execute_many(self, wish: Wish) -> Many:
        known = str(wish.execution_id)
        companions = [*wish.companions, *([wish.twin] if wish.has_strays else [])]
        match wish.door:
            case "batch":
                ids = [wish.job_id, *([wish.late.id or ""] if wish.has_strays else [])]
                made = await self.client.execute_jobs(ids, companions, name=f"{CANARY}-batch", idempotency_key=known)
            case "rest batch":
                jobs = [job.model_dump(mode="json", exclude_none=True) for job in (wish.job, *companions)]
                key = {"Idempotency-Key": known}
                body = await self.rest("POST", "/api/batches", json={"jobs": jobs}, headers=key)
                made = Operation.model_validate(body)
            case _:
                made = await self.client.execute_jobs(filter=JobFilter(labels=wish.bulk), idempotency_key=known)
        while True:
            items, _ = await self.client.list_operation_items(made.id, page_size=PAGE_MAX)
            if items and all(item.outcome != "WAITING" for item in items):
                return Many(made.id, items)
            await asyncio.sleep(AGAIN_S)  # it is carried out in parts

    def _note_strays(self, batch: Many, wish: Wish) -> None:
        """Note which batch it is, and what became of the last item, which has a companion's id."""
        self.batched.append(Batched(str(wish.execution_id), str(batch.id), [batch.items[-1].code]))
        self.did.append(STRAYS)

    def _note_batch(self, batch: Many, wish: Wish, asked: Asked) -> str:
        """Note what became of the companions, once, and answer for the job itself."""
        own = next(item for item in batch.items if item.job_id == wish.job_id)
        if wish.job_id not in self._batches:
            self._batches[wish.job_id] = batch
            for item in (item for item in batch.items if item is not own):
                settled = f"refused: {item.code}" if item.code else "accepted"
                about = {"execution_id": str(item.execution_id), "job_id": item.job_id, "settled": settled}
                is_cancelled = wish.control == "cancel"
                self.asked.append(replace(asked, **about, settled_at=time.time(), cancelled=is_cancelled))
        asked.execution_id = str(own.execution_id)
        return f"refused: {own.code}" if own.code else "accepted"

    async def _steer(self, control: str, batch: Many) -> None:
        """Pause a batch for a while, cancel it, or retry it once it is over."""
        try:
            if control == "pause":
                await self._pause(batch)
            elif control == "cancel":
                await self.until_answered(lambda: self.rest("POST", f"/api/batches/{batch.id}/cancel", json={}))
            else:
                for item in batch.items:
                    await self._until(item.job_id, _is_over)
                key = str(self.ids.derive("batch", str(batch.id), "retry"))
                await self.until_answered(lambda: self.client.retry_operation(batch.id, idempotency_key=key))
        except RefusedError as refusal:  # it is over already, or there is nothing to retry
            control = f"{control} refused: {refusal}"
        except TimeoutError:  # a batch that stays paused for it is found, and this is why
            control = f"{control} unanswered, of {batch.id}"
        self.did.append(f"batch: {control}")

    async def _pause(self, batch: Many) -> None:
        """Pause a batch for a while. It may be paused, too, where nobody answered, and is resumed then as well."""
        try:
            await self.until_answered(lambda: self.client.pause_operation(batch.id))
        except TimeoutError:
            await self._resume(batch)
            raise
        began_at = time.time()
        await asyncio.sleep(PAUSED_S)
        ended_at = time.time()
        await self._resume(batch)
        self.pauses.append(Pause(frozenset(str(item.execution_id) for item in batch.items), began_at, ended_at))

    async def _resume(self, batch: Many) -> None:
        """Resume a batch, however long that takes: of what stays paused nobody could say whether it is lost."""
        path = f"/api/batches/{batch.id}/resume"
        await self.until_answered(lambda: self.rest("POST", path), RESUMED_WITHIN_S)

    async def _cancel(self, wish: Wish, door: str) -> None:
        try:
            await self.until_answered(lambda: self._cancelled(wish, door))
            settled = "published" if door == "event" else "done"
        except RefusedError as refusal:  # it rests already, or nobody knows it yet
            settled = f"refused: {refusal}"
        except TimeoutError:
            settled = "unanswered"
        self.cancels.append(Cancelled(wish.job_id, door, settled))

    async def _cancelled(self, wish: Wish, door: str) -> None:
        execution_id, why = str(wish.execution_id), {"reason": "by a client"}
        match door:
            case "grpc":
                await self.client.cancel_job(wish.job_id, "by a client")
            case "grpc execution":
                await self.client.cancel_execution(execution_id, "by a client")
            case "rest":
                await self.rest("POST", f"/api/jobs/{wish.job_id}/cancel", json=why)
            case "rest execution":
                await self.rest("POST", f"/api/executions/{execution_id}/cancel", json=why)
            case _:
                await self._publish(CancelRequested(execution_id=wish.execution_id, job_id=wish.job_id))

    async def _execute_anew(self, wish: Wish) -> None:
        """Once the job rests, edit it and execute it again; assigned to another where it was rejected."""
        await self._until(wish.job_id, _is_over)
        if not await self._edit(wish, 3):
            return  # COMPLETED: there is nothing more to ask
        asked = self._asked_again(wish, "anew", 3)

        async def execute() -> None:
            if (await self.client.get_job(wish.job_id)).status is JobStatus.REJECTED:
                await self.client.assign_agent(wish.job_id, name_agent(ASSIGNED_ANEW, wish.tenant))
            await self.client.execute_job(wish.job_id, asked.execution_id)

        await self._settle(asked, execute)

    async def _resubmit(self, wish: Wish, edition: int) -> None:
        job = await self._until(wish.job_id, _is_over)
        if job is None or job.status is not JobStatus.RESUBMISSION_REQUIRED:
            return
        asked = self._asked_again(wish, "resubmit", edition)
        path, body = f"/api/jobs/{wish.job_id}/resubmit", {"execution_id": asked.execution_id, "comment": "bluer"}
        await self._settle(asked, lambda: self.rest("POST", path, json=body))

    def _asked_again(self, wish: Wish, door: str, edition: int) -> Asked:
        again = str(self.ids.derive("execution", wish.job_id, "again"))
        return Asked(again, wish.job_id, wish.agent or "", door, time.time(), "", 0, edition=edition)

    async def _settle(self, asked: Asked, operation: Callable[[], Awaitable[Any]]) -> None:
        try:
            await self.until_answered(operation)
            asked.settled = "accepted"
        except RefusedError as refusal:
            asked.settled = f"refused: {refusal}"
        except TimeoutError:  # it may be requested all the same
            asked.settled = "unanswered"
        asked.settled_at = time.time()
        self.asked.append(asked)

    async def _until(self, job_id: str, is_good: Callable[[Job], bool]) -> Job | None:
        """The job once it is as it should be; None: it never is, and whoever checks will find it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    job = await self.until_answered(lambda: self.client.get_job(job_id))
                    if is_good(job):
                        return job
                    await asyncio.sleep(1)
        return None

    async def _plant(self, seed: int, number: int) -> None:
        """A record that cannot be processed, in each topic that is consumed."""
        for topic in ("execute-requested", "result-produced", "job-status-reported", "cancel-requested"):
            value = f"poison {seed} {number} {topic}".encode()
            try:
                await self.until_answered(lambda topic=topic, value=value: self._raw(topic, value))
                self.poison.append(Poison(value, time.time()))
            except TimeoutError:
                self.cancels.append(Cancelled(topic, "poison", "unanswered"))

    async def _raw(self, topic: str, value: bytes) -> None:
        (result,) = await self.publisher.send([sign_value(topic, value, CLIENTS)])
        if isinstance(result, Exception):
            raise result

    async def signoff(self, *arguments: str) -> str:
        """Run the command line, and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments, "--json"),
            env={**os.environ, **self.cli_env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, wrong = await asyncio.wait_for(process.communicate(), CLI_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode == 0:
            return said.decode()
        try:
            error = json.loads(wrong.decode().splitlines()[-1])
        except (ValueError, LookupError, TypeError):
            self.odd.append(f"{arguments[0]} {arguments[1]}: {wrong.decode()[-300:]}")
            raise TransientError(wrong.decode()[-300:]) from None
        if error["code"] in _CLI_AGAIN or error["code"].startswith("database_"):
            raise TransientError(error["detail"])
        raise RefusedError(error["code"])

    async def rest(self, method: str, path: str, **arguments: Any) -> Any:
        async with next(self._consoles).request(method, path, **arguments) as answer:
            if answer.status < 400:
                return await answer.json()
            problem = await answer.json()
            if answer.status in {502, 503, 504, 408, 429}:
                raise TransientError(str(problem))
            if answer.status >= 500:
                self.odd.append(f"{path.rpartition('/')[2]}: {answer.status} {problem.get('detail')}")
                raise TransientError(str(problem))
            raise RefusedError(problem.get("code") or problem.get("title"))

    async def until_answered(self, operation: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
        """The answer, however often it must be asked for. Raise RefusedError where it is no."""
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    return await operation()
                except SignoffError as error:
                    self._weigh(error)
                except (aiohttp.ClientError, TimeoutError, OSError, TransientError):
                    pass
                await asyncio.sleep(AGAIN_S)

    def _weigh(self, error: SignoffError) -> None:
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
                async for event in client.watch_jobs(after=after):
                    if event.log is not None:
                        after = event.cursor
                        told.append((event.log.job_id, event.log.version))
            except SignoffError as error:
                self.odd.append(f"watch: {error.grpc_status.name} {error.code}: {error}")
            await asyncio.sleep(AGAIN_S)


def _is_over(job: Job) -> bool:
    return not job.live
