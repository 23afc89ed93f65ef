"""The stories with the client of Signoff."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from telling import new_id

from signoff import AsyncClient, ConflictError, InvalidError
from signoff.status import ExecutionState, JobStatus, OperationState, Outcome
from signoff.types import Job

T = TypeVar("T")
WAIT_S = 60


def new_job(payload: Any = None, **fields: Any) -> dict[str, Any]:
    text = {"text": "blue"} if payload is None else payload
    new = {"id": new_id(), "title": "A story", "acceptance_criteria": 'Says "blue"', "agent_id": "writer"}
    return new | {"payload": text} | fields


async def until(ask: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """Ask until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not is_so(answer := await ask()):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)
    return answer


async def make(client: AsyncClient, payload: Any = None, **fields: Any) -> str:
    return (await client.create_job(new_job(payload, **fields))).id


async def run_one(client: AsyncClient, payload: Any = None) -> Job:
    job_id = await make(client, payload)
    await client.execute_job(job_id)
    return await client.wait(job_id, timeout_s=WAIT_S)


async def job_runs(client: AsyncClient) -> None:
    job = await run_one(client)
    assert job.status is JobStatus.COMPLETED
    assert "blue" in json.dumps(job.result)
    assert job.verdict is not None
    assert job.verdict.is_valid
    assert [each.outcome for each in job.verdict.criteria] == [Outcome.PASS]


async def key_repeats(client: AsyncClient) -> None:
    job_id, key, replays = await make(client), new_id(), list[bool]()
    first = await client.execute_job(job_id, idempotency_key=key)
    telling = client.with_token(os.environ["SIGNOFF_TOKEN"], on_replay=lambda: replays.append(True))
    assert (await telling.execute_job(job_id, idempotency_key=key)).id == first.id
    assert replays == [True]


async def unknown_member(client: AsyncClient) -> None:
    try:
        await client.create_job(new_job(priority=12))
    except InvalidError as error:
        assert (error.code, [name for name, _ in error.fields]) == ("invalid_request", ["job.priority"])  # noqa: PT017
    else:
        raise AssertionError


async def stale_edit(client: AsyncClient) -> None:
    job_id = await make(client)
    await client.edit_job(job_id, title="New", version=1)
    try:
        await client.edit_job(job_id, title="Newer", version=1)
    except ConflictError as error:
        assert error.code == "version_conflict"  # noqa: PT017
    else:
        raise AssertionError
    assert (await client.get_job(job_id)).title == "New"


async def pages(client: AsyncClient) -> None:
    labels = {"team": new_id()}
    made = {await make(client, labels=labels) for _ in range(5)}
    found, sizes, token = list[str](), list[int](), ""
    while not sizes or token:
        page = await client.list_matching({"labels": labels}, page_size=2, page_token=token)
        found += [job.id for job in page.jobs]
        sizes.append(len(page.jobs))
        token = page.next_page_token
    assert (set(found), sizes) == (made, [2, 2, 1])


async def watch_resumes(client: AsyncClient) -> None:
    job_id = await make(client)
    versions, place = list[int](), 0
    async with aclosing(client.watch_jobs([job_id])) as live:
        async for event in live:
            if event.job is not None:
                await client.execute_job(job_id)
            if event.log is not None:
                versions, place = [event.log.version], event.cursor
                break
    async with aclosing(client.watch_jobs([job_id], after=place)) as rest:
        async for event in rest:
            if event.log is not None:
                versions.append(event.log.version)
                if event.log.job_status is JobStatus.COMPLETED:
                    break
    assert versions == [*range(versions[0], versions[-1] + 1)]


async def batch_of_twenty(client: AsyncClient) -> None:
    batch = await client.execute_jobs(jobs=[new_job() for _ in range(20)])
    await until(lambda: client.get_operation(batch.id), lambda each: each.state is OperationState.DONE)
    outcomes, token = list[list[str]](), ""
    while not outcomes or token:
        items, token = await client.list_operation_items(batch.id, page_size=8, page_token=token)
        outcomes.append([str(item.outcome) for item in items])
    assert outcomes == [["COMPLETED"] * size for size in (8, 8, 4)]
    assert [item.item async for item in client.iter_operation_items(batch.id)] == [*range(20)]


async def cancel(client: AsyncClient) -> None:
    job_id = await make(client, {"agent": {"delay_s": 60}})
    execution = await client.execute_job(job_id)
    await until(lambda: client.get_job(job_id), lambda job: job.status is JobStatus.IN_PROGRESS)
    await client.cancel_job(job_id)
    await until(lambda: client.get_execution(execution.id), lambda each: each.state is ExecutionState.CANCELLED)
    assert (await client.get_job(job_id)).cancelled


async def failure_says_why(client: AsyncClient) -> None:
    job = await run_one(client, {"agent": {"status": 422}})
    assert (job.status, job.code) == (JobStatus.FAILED, "agent_status")
    assert (await client.explain_job(job.id)).reasons == []


async def agent_is_paused(client: AsyncClient) -> None:
    agent = await client.create_agent(id=new_id(), name="Story", url=os.environ["STORIES_AGENT_URL"])
    assert (await client.pause(f"agent:{agent.id}")).paused
    job_id = await make(client, agent_id=agent.id)
    await client.execute_job(job_id)
    waiting = await until(lambda: client.explain_job(job_id), lambda each: bool(each.reasons))
    assert [reason.code for reason in waiting.reasons] == ["limit_paused"]
    assert not (await client.resume(f"agent:{agent.id}")).paused
    assert (await client.wait(job_id, timeout_s=WAIT_S)).status is JobStatus.COMPLETED


async def tell() -> None:
    async with AsyncClient(os.environ["SIGNOFF_JOBSTORE"], os.environ["SIGNOFF_TOKEN"]) as client:
        for story in (
            job_runs,
            key_repeats,
            unknown_member,
            stale_edit,
            pages,
            watch_resumes,
            batch_of_twenty,
            cancel,
            failure_says_why,
            agent_is_paused,
        ):
            await story(client)
            print(story.__name__, flush=True)


asyncio.run(tell())
