"""The client: requests in any form, pages, waiting, errors by kind, tries; and the same without asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import pytest
from support.fake_jobstore import TOKEN, FakeJobStore, Refusal, Server
from support.fakes import until

from contracts.resources import NewJob
from signoff import AsyncClient, Client, DeadlineError, InvalidError, NotFoundError, SignoffError, UnavailableError
from signoff.status import JobStatus
from signoff.types import Job, read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read

JOB = {"title": "A", "acceptance_criteria": "B", "agent_id": "writer"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server(FakeJobStore())
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.address, TOKEN) as made:
        yield made


async def test_a_request_is_given_by_keyword_as_a_mapping_or_as_a_model(client: AsyncClient) -> None:
    made = [await client.create_job(**JOB), await client.create_job(JOB), await client.create_job(NewJob(**JOB))]
    made += [await client.create_job({"title": "C"}, acceptance_criteria="B", policy={"max_calls": 3})]
    assert [(job.title, job.policy.max_calls) for job in made] == [("A", None)] * 3 + [("C", 3)]
    assert len({job.id for job in made}) == 4


@pytest.mark.parametrize("fields", [{"agent": "writer"}, {"policy": {"max_submision": 1}}, {"title": 5}])
async def test_what_no_request_has_is_refused_and_not_sent(client: AsyncClient, server: Server, fields: dict) -> None:
    with pytest.raises(InvalidError) as refused:
        await client.create_job({**JOB, **fields})
    assert refused.value.code == "invalid_request"
    assert server.store.asked(jobs_pb.CreateJobRequest) == []


async def test_an_iterator_yields_the_items_of_all_pages(client: AsyncClient) -> None:
    ids = [(await client.create_job(**JOB)).id for _ in range(5)]
    found = [job.id async for job in client.iter_jobs(page_size=2, statuses=["ASSIGNED"])]
    assert sorted(found) == sorted(ids)


async def test_wait_returns_the_job_once_it_is_at_rest(client: AsyncClient, server: Server) -> None:
    job = await client.create_job(**JOB, payload={"ends": "COMPLETED"})
    await client.execute_job(job.id)
    assert (await client.wait(job.id, timeout_s=5)).status is JobStatus.COMPLETED
    server.store.jobs[job.id] = server.store.jobs[job.id].model_copy(update={"live": True})
    with pytest.raises(DeadlineError):
        await client.wait(job.id, timeout_s=0.05)
    with pytest.raises(NotFoundError):
        await client.wait("nobody")


async def test_an_error_is_of_the_class_of_its_kind(client: AsyncClient, server: Server) -> None:
    with pytest.raises(NotFoundError) as missing:
        await client.get_job("nobody")
    assert (missing.value.code, missing.value.retryable) == ("unknown_job", False)
    server.store.refusals["GetJob"] = Refusal(grpc.StatusCode.UNAVAILABLE, "kafka_unavailable")
    began = time.monotonic()
    with pytest.raises(UnavailableError) as away:
        await client.get_job("a", timeout_s=0.3)
    assert away.value.retryable
    assert isinstance(away.value, SignoffError)
    assert time.monotonic() - began < 5


async def test_a_watch_goes_on_where_the_server_says_that_it_will_pass(client: AsyncClient, server: Server) -> None:
    server.store.refusals["WatchJobs"] = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_calls")
    watching = asyncio.create_task(anext(client.watch_jobs()))
    await until(lambda: len(server.store.asked(jobs_pb.WatchJobsRequest)) > 1)
    server.store.refusals.clear()
    assert (await asyncio.wait_for(watching, 10)).cursor >= 0


async def test_the_same_without_asyncio(server: Server) -> None:
    def use() -> tuple[list[str], JobStatus]:
        with Client(server.address, TOKEN) as client:
            job = client.create_job(**JOB, payload={"ends": "COMPLETED"})
            client.execute_job(job.id)
            ended = client.wait(job.id, timeout_s=5)
            with pytest.raises(NotFoundError):
                client.get_job("nobody")
            return [each.id for each in client.iter_jobs()], ended.status

    ids, status = await asyncio.to_thread(use)
    assert (len(ids), status) == (1, JobStatus.COMPLETED)


def test_both_clients_have_the_same_calls() -> None:
    calls = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert calls <= set(dir(Client))


def test_a_new_word_in_a_policy_of_an_answer_is_a_text() -> None:
    job = read_model(pb.Job(id="a", policy=pb.Policy(delivery=77, retry_codes=["503"])))
    assert (job.policy.delivery, job.policy.retry_codes, job.policy.no_retry_codes) == ("UNKNOWN_77", ["503"], None)
    assert read(pb.Job(id="a"), Job).labels is not read(pb.Job(id="b"), Job).labels
