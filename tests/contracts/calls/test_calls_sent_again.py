"""A call that was carried out, and whose answer was lost, is sent again: nothing is done twice, and it is answered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from support.fake_jobstore import TOKEN, FakeJobStore, Server
from support.fake_operations import Refusal

from contracts.resources import NewAgent, NewJob, NewLimit
from signoff import AsyncClient, SignoffError
from signoff.v1 import job_service_pb2 as jobs_pb


@asynccontextmanager
async def losing(method: str) -> AsyncIterator[tuple[FakeJobStore, AsyncClient, list[Any]]]:
    """A jobstore whose first answer of a method is lost, its client, and the requests of that method."""
    store, asked = FakeJobStore(), []
    carry_out: Callable[..., Awaitable[Any]] = getattr(store, method)

    async def lose(request: Any, context: Any) -> Any:
        asked.append(request)
        answer = await carry_out(request, context)
        if len(asked) == 1:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "unavailable", "the answer is lost")
        return answer

    setattr(store, method, lose)
    server = Server(store)
    await server.start()
    try:
        async with AsyncClient(server.address, TOKEN) as client:
            yield store, client, asked
    finally:
        await server.stop()


async def test_one_agent_is_registered() -> None:
    async with losing("CreateAgent") as (store, client, asked):
        agent = await client.create_agent(NewAgent(name="writer", url="http://writer.test"))
        assert len(asked) == 2
        assert list(store.agents) == [agent.id]


async def test_the_execution_is_cancelled_that_was_live_and_never_the_next_one() -> None:
    async with losing("CancelJob") as (store, client, asked):
        job = await client.create_job(NewJob(title="A", acceptance_criteria="B", agent_id="writer"))
        await client.execute_job(job.id)
        live = store.jobs[job.id] = store.jobs[job.id].model_copy(update={"live": True})
        await client.cancel_job(job.id)
        assert [request.execution_id for request in asked] == [str(live.execution_id)] * 2


async def test_a_cancel_where_nothing_is_live_names_no_execution() -> None:
    async with losing("GetJob") as (store, client, asked):
        job = await client.create_job(NewJob(title="A", acceptance_criteria="B", agent_id="writer"))
        await client.cancel_job(job.id)
        assert len(asked) == 2
        assert [request.HasField("execution_id") for request in store.asked(jobs_pb.CancelJobRequest)] == [False]


async def test_a_limit_that_was_there_is_removed() -> None:
    async with losing("RemoveLimit") as (store, client, asked):
        await client.set_limit("agent:writer", NewLimit(max_in_flight=1))
        await client.remove_limit("agent:writer")
        assert len(asked) == 2
        assert store.limits == {}
        with pytest.raises(SignoffError) as refused:
            await client.remove_limit("agent:writer")
        assert refused.value.code == "unknown_limit"
