"""Each POST that makes something takes an Idempotency-Key: the same again is answered the same, another is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import aiohttp
import pytest
from support.jobstore.steps import Steps, verdict
from support.real_console import RealConsole

from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind

NEW = {"title": "A title", "acceptance_criteria": 'Says "blue"', "agent_id": "writer"}


@pytest.fixture
async def web(real: RealConsole) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(real.url, headers=real.headers) as session:
        yield session


class Post(NamedTuple):
    """A request: its path, its body, and the body of another one."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]


async def job(real: RealConsole) -> Post:
    del real
    return Post("/api/jobs", NEW, NEW | {"title": "Another"})


async def execution(real: RealConsole) -> Post:
    steps = await Steps(real.database, real.runner).created()
    return Post(f"/api/jobs/{steps.job_id}/execute", {}, {"not_before": "2100-01-01T00:00:00Z"})


async def resubmission(real: RealConsole) -> Post:
    steps = Steps(real.database, real.runner)
    await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    return Post(f"/api/jobs/{steps.job_id}/resubmit", {}, {"comment": "bluer"})


async def batch(real: RealConsole) -> Post:
    del real
    return Post("/api/batches", {"jobs": [NEW]}, {"jobs": [NEW, NEW]})


async def operation(real: RealConsole) -> Post:
    steps = await Steps(real.database, real.runner).created()
    cancel = {"kind": "cancel", "job_ids": [steps.job_id]}
    return Post("/api/operations", cancel, cancel | {"reason": "enough"})


async def failed(real: RealConsole) -> UUID:
    """A batch whose only execution has failed."""
    steps = await Steps(real.database, real.runner).created()
    made = await real.client.execute_jobs([steps.job_id])
    ((item,), _) = await real.client.list_operation_items(made.id)
    assert item.execution_id is not None
    steps.execution_id = item.execution_id
    claimed = await steps.claim()
    assert claimed.execution is not None
    await steps.report(claimed.execution.lease, ReportKind.FAILED, code="agent_status")
    return made.id


async def batch_again(real: RealConsole) -> Post:
    return Post(f"/api/batches/{await failed(real)}/retry", {}, {"name": "again"})


async def operation_again(real: RealConsole) -> Post:
    return Post(f"/api/operations/{await failed(real)}/retry", {}, {"name": "again"})


async def agent(real: RealConsole) -> Post:
    del real
    new = {"name": "a", "url": "http://127.0.0.1:1/"}
    return Post("/api/agents", new, new | {"name": "b"})


async def judgings(real: RealConsole) -> Post:
    del real
    cases = [[{"result": result, "acceptance_criteria": "Is blue"}] for result in ("blue", "red")]
    return Post("/api/judgings", {"cases": cases[0]}, {"cases": cases[1]})


async def tried(real: RealConsole) -> Post:
    made = await real.client.create_agent(name="tried", url="http://127.0.0.1:1/")
    return Post(f"/api/agents/{made.id}/tries", {"payload": 1}, {"payload": 2})


POSTS = (job, execution, resubmission, batch, operation, batch_again, operation_again, agent, tried, judgings)
Answer = tuple[int, str | None, dict[str, Any]]


async def post(web: aiohttp.ClientSession, path: str, body: dict[str, Any], key: str) -> Answer:
    async with web.post(path, json=body, headers={"Idempotency-Key": key}) as answer:
        if answer.ok:
            assert answer.headers.get("Location")
        return answer.status, answer.headers.get("Idempotency-Replayed"), await answer.json()


@pytest.mark.parametrize("prepare", POSTS)
async def test_a_key_is_one_request(
    real: RealConsole, web: aiohttp.ClientSession, prepare: Callable[[RealConsole], Awaitable[Post]]
) -> None:
    path, body, other = await prepare(real)
    key = f"key {uuid4()}"
    answers = await asyncio.gather(*(post(web, path, body, key) for _ in range(4)))
    assert sorted((status, replayed) for status, replayed, _ in answers) == [(200, "true")] * 3 + [(201, None)]
    (made,) = {answer["id"] for *_, answer in answers}
    status, _, problem = await post(web, path, other, key)
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    status, replayed, again = await post(web, path, body, key)
    assert (status, replayed, again["id"]) == (200, "true", made)


async def test_every_post_that_makes_something_takes_a_key(web: aiohttp.ClientSession) -> None:
    async with web.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    keyed = {
        path
        for path, methods in paths.items()
        for parameter in methods.get("post", {}).get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }
    making = {path for path, methods in paths.items() if "201" in methods.get("post", {}).get("responses", ())}
    assert keyed == making
    assert len(keyed) == len(POSTS)
    assert all({"200", "201"} <= paths[path]["post"]["responses"].keys() for path in keyed)


async def test_a_repeat_of_execute_answers_its_execution_whatever_ran_later(
    real: RealConsole, web: aiohttp.ClientSession
) -> None:
    path, body, _ = await execution(real)
    job_id = path.split("/")[3]
    _, _, first = await post(web, path, body, "once")
    assert (first["state"], first["job_id"]) == ("WAITING", job_id)
    await real.runner.submit.run_one(CancelJob(job_id, actor=SIGNOFF))
    _, _, second = await post(web, path, body, "twice")
    assert second["id"] != first["id"]
    status, replayed, again = await post(web, path, body, "once")
    assert (status, replayed, again["id"], again["state"], again["code"]) == (
        200,
        "true",
        first["id"],
        "CANCELLED",
        "cancelled",
    )
    async with web.get(f"/api/executions/{first['id']}") as answer:
        assert await answer.json() == again


async def test_an_execution_that_was_cancelled_before_it_came_is_told_as_such(web: aiohttp.ClientSession) -> None:
    url = f"/api/executions/{uuid4()}"
    async with web.get(url) as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_execution")
    async with web.post(f"{url}/cancel") as answer:
        cancelled = await answer.json()
    assert (cancelled["state"], cancelled["code"]) == ("CANCELLED", "cancelled")
    async with web.get(url) as answer:
        assert await answer.json() == cancelled
