"""What executors do beside jobs: they stop work that was left behind, and try agents for whoever sets them up."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil
import pytest
from aiohttp import web
from support.fake_langgraph import FakeLangGraph, Fault, Handler, fake_langgraph, hangs
from support.fakes import until
from support.free_ports import free_port
from support.system import AGENT_KEY, WAIT_S, Agent, AsyncAgent, System, another, served, signoff

from contracts.resources import NewAgent
from signoff.status import Circuit, JobStatus, Protocol, TryState
from signoff.types import AgentTry

HALF = {"state": "running", "progress": 0.5, "message": "half of it"}


async def test_work_is_stopped_after_a_deadline_that_passed_while_no_executor_had_the_job(
    system: System, async_agent: AsyncAgent
) -> None:
    """The executors are killed, nobody goes on, and the deadline passes: the agent is told to stop all the same."""
    left = NewAgent(id="left-alone", name="left", url=async_agent.url, protocol=Protocol.HTTP_ASYNC)
    await system.client.create_agent(left)
    job = await system.create("left-alone", policy={"deadline_s": 20})
    async_agent.statuses[job.id] = lambda: HALF
    await system.client.execute_job(job.id)
    await system.logged(job.id, lambda entry: entry.progress is not None)
    await system.client.pause("agent:left-alone")
    kill_executors(system)
    await system.logged(job.id, lambda entry: entry.code == "lease_lapsed")
    assert async_agent.count(job.id, "DELETE") == 0

    ended = await system.at_rest(job.id)
    assert (ended.status, ended.code) == (JobStatus.FAILED, "deadline_exceeded")
    await async_agent.until(job.id, "DELETE")
    assert async_agent.count(job.id, "POST") == 1


async def test_a_task_whose_create_was_never_answered_is_cancelled_afterwards(system: System) -> None:
    """The executors die before the answer that names the work, and the job is cancelled: our ids find the task."""
    async with a2a_server() as server:
        new = NewAgent(id="lost-answer", name="lost", url=server.url, protocol=Protocol.A2A)
        await system.client.create_agent(new)
        job = await system.create("lost-answer")
        await system.client.execute_job(job.id)
        await asyncio.wait_for(server.sent.wait(), WAIT_S)
        await system.client.pause("agent:lost-answer")
        kill_executors(system)
        await system.client.cancel_job(job.id)
        await asyncio.wait_for(server.canceled.wait(), WAIT_S)
        assert (len(server.messages), (await system.client.get_job(job.id)).status) == (1, JobStatus.ASSIGNED)


def kill_executors(system: System) -> None:
    for executor in ("executor", "executor-2"):
        if executor in system.endpoints["processes"]:
            system.kill(executor, signal.SIGKILL)


@pytest.mark.parametrize("executors", ["polling", "killed"])
async def test_the_run_of_a_cancelled_job_is_cancelled(system: System, executors: str) -> None:
    """By the executor that polls the run or, where none runs as the job is cancelled, by one that is started later."""
    async with langgraph_server(system, f"graph-{executors}") as (graph, job_id):
        await system.logged(job_id, lambda entry: bool(entry.handle))
        await until(lambda: graph.count("list"), WAIT_S)
        if executors == "killed":
            await system.client.pause("agent:graph-killed")
            kill_executors(system)
        await system.client.cancel_job(job_id)
        await until(lambda: graph.runs()[0].ended, WAIT_S)
        assert (graph.count("run"), graph.runs()[0].ended) == (1, "interrupted")
        assert (await system.client.get_job(job_id)).status is JobStatus.ASSIGNED


async def test_a_run_is_cancelled_once_its_job_has_failed_since_the_server_never_answered(system: System) -> None:
    policy = {"attempt_timeout_s": 1.0, "max_calls": 1}
    async with langgraph_server(system, "graph-silent", policy, runs_and_hangs) as (graph, job_id):
        ended = await system.at_rest(job_id)
        assert (ended.status, ended.code) == (JobStatus.FAILED, "agent_timeout")
        await until(lambda: graph.runs()[0].ended, WAIT_S)
        assert (graph.count("run"), graph.runs()[0].ended) == (1, "interrupted")


async def runs_and_hangs(request: web.Request, handler: Handler) -> web.StreamResponse:
    await handler(request)
    return await hangs(request, handler)


@asynccontextmanager
async def langgraph_server(
    system: System, name: str, policy: dict[str, Any] | None = None, *faults: Fault
) -> AsyncIterator[tuple[FakeLangGraph, str]]:
    """A server whose runs do not end by themselves, and a job that is executed by its graph."""
    async with fake_langgraph() as graph:
        graph.work_s, graph.faults["run"] = 1000.0, [*faults]
        fields = {"protocol": Protocol.LANGGRAPH, "settings": {"assistant": "agent"}}
        await system.client.create_agent(
            NewAgent.model_validate({"id": name, "name": name, "url": graph.url, **fields})
        )
        job = await system.create(name, policy=policy or {})
        await system.client.execute_job(job.id)
        yield graph, job.id


class A2AServer:
    """A server of A2A that makes a task of each message, and never answers it."""

    def __init__(self) -> None:
        self.url = ""
        self.sent, self.canceled = asyncio.Event(), asyncio.Event()
        self.messages: list[dict[str, Any]] = []

    async def show_card(self, _: web.Request) -> web.Response:
        interface = {"url": self.url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"name": "Sky", "supportedInterfaces": [interface]})

    async def answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        params = asked["params"]
        match asked["method"]:
            case "SendMessage":
                self.messages.append(params["message"])
                self.sent.set()
                await asyncio.Event().wait()
            case "CancelTask":
                self.canceled.set()
        state = "TASK_STATE_CANCELED" if self.canceled.is_set() else "TASK_STATE_WORKING"
        ours = [each for each in self.messages if each["contextId"] == params.get("contextId", each["contextId"])]
        tasks = [{"id": "task-1", "status": {"state": state}, "history": [each]} for each in ours]
        result = {"tasks": tasks} if asked["method"] == "ListTasks" else tasks[0]
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


@asynccontextmanager
async def a2a_server() -> AsyncIterator[A2AServer]:
    server, app = A2AServer(), web.Application()
    app.add_routes([web.get("/.well-known/agent-card.json", server.show_card), web.post("/", server.answer)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield server
    finally:
        await runner.cleanup()


async def test_an_agent_is_tried_and_checked_without_any_job(system: System, agent: Agent) -> None:
    """One call with a payload of one's own, shown request by request, and then how the agent keeps to its protocol."""
    headers = {"X-Key": "file:journey/key"}
    await system.client.create_agent(NewAgent(id="to-be-tried", name="tried", url=agent.url, headers=headers))
    jobs = (await system.client.count_jobs()).counts
    (made,) = await signoff(system, "agents", "try", "to-be-tried", "--payload", '{"topic": "the sky"}')
    assert (made["state"], made["result"]) == ("DONE", {"text": "The sky is blue."})
    (exchange,) = made["exchanges"]
    assert (exchange["status"], exchange["request_headers"]["X-Key"]) == (200, "***")
    assert json.loads(exchange["request_body"])["payload"] == {"topic": "the sky"}
    ((sent, body),) = agent.calls[made["id"]]
    assert (sent["X-Key"], body["payload"]) == (AGENT_KEY, {"topic": "the sky"})

    (checked,) = await signoff(system, "agents", "tries", "to-be-tried", "--id", await _check(system))
    rows = {row["check"]: row["outcome"] for row in checked["checks"]}
    assert rows["same_key"] == rows["deadline"] == rows["size"] == "passed"
    assert rows["error"] == "failed"  # it answers 500
    assert (await system.client.count_jobs()).counts == jobs
    assert (await system.client.get_agent("to-be-tried")).circuit is Circuit.CLOSED


@dataclass
class Held:
    """An agent that answers nobody until `end`, and knows by which process it was called for which try."""

    url: str = ""
    end: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[str, int]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body, place = await request.json(), request.transport and request.transport.get_extra_info("peername")
        self.calls.append((body["job_id"], place[1]))
        await self.end.wait()
        return web.json_response({"text": body["job_id"]})


@pytest.fixture
async def held(system: System) -> AsyncIterator[Held]:
    """The agent `held`, which is registered."""
    agent, app = Held(), web.Application()
    app.router.add_post("/", agent.answer)
    async with served(app) as url:
        name = f"held-{uuid4()}"
        await system.client.create_agent(NewAgent(id=name, name=name, url=url))
        agent.url = name
        yield agent
        agent.end.set()


async def _ended(system: System, agent_id: str, try_id: UUID) -> AgentTry:
    async with asyncio.timeout(WAIT_S):
        while (made := await system.client.get_agent_try(agent_id, try_id)).state is not TryState.DONE:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return made


async def test_a_try_whose_executor_is_killed_ends_within_two_leases_and_is_not_made_again(
    system: System, held: Held
) -> None:
    """A person waits for it; the agent may have done the work. The next try goes to another executor."""
    made = await system.client.create_agent_try(held.url)
    await until(lambda: held.calls, WAIT_S)
    executors = [pid for name, pid in system.endpoints["processes"].items() if name.startswith("executor")]
    ((_, port),) = held.calls
    (pid,) = [pid for pid in executors if port in {each.laddr.port for each in psutil.Process(pid).net_connections()}]
    os.kill(pid, signal.SIGKILL)
    ended = await _ended(system, held.url, made.id)
    assert (ended.code, ended.result, ended.answered_at is not None) == ("try_lost", None, True)
    assert (ended.answered_at - ended.created_at).total_seconds() < 15  # the lease is 4.5 s, the time of the call 60 s
    held.end.set()
    again = await _ended(system, held.url, (await system.client.create_agent_try(held.url)).id)
    assert again.result == {"text": str(again.id)}
    assert [called for called, _ in held.calls] == [str(made.id), str(again.id)]


@pytest.fixture
async def jobstore(system: System) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another jobstore, and two more executors that ask it, or that of the system."""
    address = f"127.0.0.1:{free_port()}"
    made = await another(system, "jobstore", SIGNOFF_GRPC_ADDRESS=address)
    both = f"{address},{system.endpoints['grpc']}"
    executors = [await another(system, "executor", SIGNOFF_JOBSTORE=both) for _ in range(2)]
    yield made
    for process in executors:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0


async def test_tries_of_two_jobstores_and_their_executors_are_made_once_though_one_jobstore_is_killed(
    system: System, held: Held, jobstore: asyncio.subprocess.Process
) -> None:
    """Executors go on at the other jobstore, which renews their leases, and learns what came of the tries."""
    tries = [await system.client.create_agent_try(held.url) for _ in range(10)]
    await until(lambda: len(held.calls) == 10, WAIT_S)
    jobstore.kill()
    database = await asyncpg.connect(system.endpoints["postgres"])
    late = "SELECT count(*) FROM agent_tasks WHERE agent_id = $1 AND due_at > created_at + interval '10 s'"
    async with asyncio.timeout(WAIT_S):
        while await database.fetchval(late, held.url) < len(tries):  # noqa: ASYNC110 - each was renewed twice
            await asyncio.sleep(0.05)
    await database.close()
    held.end.set()
    ended = [await _ended(system, held.url, made.id) for made in tries]
    assert [(each.code, each.result) for each in ended] == [(None, {"text": str(made.id)}) for made in tries]
    assert sorted(called for called, _ in held.calls) == sorted(str(made.id) for made in tries)


async def _check(system: System) -> str:
    """Have the agent checked over REST, and return the id of the try once it has ended."""
    tries = "/api/agents/to-be-tried/tries"
    async with system.http.post(tries, json={"check": True}) as answer:
        asked = await answer.json()
    async with asyncio.timeout(WAIT_S):
        while asked["state"] != "DONE":
            async with system.http.get(f"{tries}/{asked['id']}") as answer:
                asked = await answer.json()
    return str(asked["id"])
