"""Against the server of LangGraph for development: one run an execution, whatever becomes of its executor."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from support.factories import grant
from support.fakes import until

from contracts.resources import Usage
from executor import errors
from executor.conformance import Check
from executor.http_agents import HeaderValues, HttpClient
from executor.langgraph_agents import LangGraphAgent
from executor.ports import Call, Grant
from executor.recording import Recording
from servicekit.addresses import parse_allowed
from servicekit.retry import backoffs_s
from signoff.status import Delivery, Protocol

pytestmark = pytest.mark.real


@pytest.fixture
async def agent() -> AsyncIterator[LangGraphAgent]:
    allowed = parse_allowed("127.0.0.0/8")
    async with HttpClient(allowed=allowed, header_values=HeaderValues({}, None), result_max_bytes=100_000) as client:
        yield LangGraphAgent(client, poll_max_s=0.2)


class Job:
    """A job whose agent is a graph of the server: its thread, and the calls of its executions."""

    def __init__(self, server: Any, agent: LangGraphAgent) -> None:
        self.thread_id = str(uuid4())
        self.message_id = str(uuid4())
        self.spent: list[Usage] = []
        self.handles: list[str] = []
        self._server = server
        self._agent = agent

    def grant(self, title: str, **fields: Any) -> Grant:
        settings = {"assistant": "agent", "input": {"messages": [{"role": "user", "content": "{{title}}"}]}}
        ids = {"context_id": self.thread_id, "message_id": self.message_id}
        whole = {"protocol": Protocol.LANGGRAPH, "url": self._server.url, "request": {"title": title}, **ids}
        return grant(**{**whole, "settings": {**settings, **fields.pop("settings", {})}, **fields})

    def call(self, title: str, *, given_up: bool = False, **fields: Any) -> "asyncio.Task[Any]":
        a_grant = self.grant(title, **fields)
        call = Call(
            a_grant,
            spend=self.spent.append,
            is_given_up=lambda: given_up,
            handle=a_grant.handle,
            keep_handle=self.handles.append,
        )
        return asyncio.create_task(self._agent.call(call))

    async def runs(self) -> list[str]:
        """The statuses of the thread's runs, newest first."""
        try:
            return [run["status"] for run in await self._server.get(f"/threads/{self.thread_id}/runs")]
        except TypeError:  # there is no such thread
            return []

    async def until_runs(self, *statuses: str) -> None:
        async with asyncio.timeout(60):
            for wait_s in backoffs_s(0.02, 0.1):
                if tuple(await self.runs()) == statuses:
                    return
                await asyncio.sleep(wait_s)


@pytest.fixture
def job(langgraph: Any, agent: LangGraphAgent) -> Job:
    return Job(langgraph, agent)


async def lose(task: "asyncio.Task[Any]") -> None:
    """Cancel a call, as its executor's death does."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_an_execution_is_a_run_and_a_resubmission_the_next_one_in_its_thread(job: Job) -> None:
    assert await job.call("now") == "blue, of 1"
    job.message_id = str(uuid4())
    assert await job.call("again", submission=2) == "blue, of 3"
    assert await job.runs() == ["success", "success"]
    assert [(usage.input_tokens, usage.output_tokens, usage.model) for usage in job.spent] == [(7, 3, "none")] * 2


@pytest.mark.parametrize("at_most_once", [True, False])
async def test_a_run_outlives_its_executor_and_is_followed_once_it_is_found(job: Job, *, at_most_once: bool) -> None:
    first = job.call("slowly")
    await job.until_runs("running")
    await lose(first)
    policy = {"delivery": Delivery.AT_MOST_ONCE} if at_most_once else {}
    assert await job.call("slowly", attempt=2, follows_only=at_most_once, policy=policy) == "blue, of 1"
    assert await job.runs() == ["success"]


@pytest.mark.parametrize("with_handle", [True, False])
async def test_the_result_of_a_run_that_ended_while_nobody_looked_is_taken(job: Job, *, with_handle: bool) -> None:
    first = job.call("slowly")
    await until(lambda: job.handles)
    await lose(first)
    await job.until_runs("success")
    handle = job.handles[0] if with_handle else None
    assert await job.call("slowly", attempt=2, follows_only=True, handle=handle) == "blue, of 1"
    assert await job.runs() == ["success"]


async def test_executors_that_are_lost_at_every_moment_leave_one_run(job: Job) -> None:
    """Fifty calls are lost, each a little later than the one before; the last one brings the result."""
    for number in range(50):
        call = job.call("slowly", attempt=number + 1)
        await asyncio.wait([call], timeout=number * 0.004)
        if call.done():
            break
        await lose(call)
    assert await job.call("slowly", attempt=51) == "blue, of 1"
    assert await job.runs() == ["success"]


async def test_two_executors_at_once_share_one_run(job: Job) -> None:
    """A lease has lapsed that its worker still believes to hold."""
    assert await asyncio.gather(job.call("slowly"), job.call("slowly"), job.call("slowly")) == ["blue, of 1"] * 3
    assert await job.runs() == ["success"]


async def test_what_is_not_there_is_unknown_where_it_must_not_be_sent_again(job: Job) -> None:
    with pytest.raises(errors.AgentWorkUnknownError):
        await job.call("now", attempt=2, follows_only=True)
    assert await job.runs() == []


async def test_a_run_that_failed_says_why_and_is_sent_anew(job: Job) -> None:
    with pytest.raises(errors.AgentFailedError, match="ValueError: out of paper") as failed:
        await job.call("fail")
    assert (failed.value.status, failed.value.retryable) == ("value_error", False)
    assert await job.call("now", attempt=2) == "blue, of 2"


@pytest.mark.parametrize(
    ("assistant", "words"), [("agent", '"which city[?]"'), ("paused", "stopped before or after a node")]
)
async def test_a_graph_that_waits_for_a_person_is_said_to(job: Job, assistant: str, words: str) -> None:
    with pytest.raises(errors.AgentError, match=words) as raised:
        await job.call("ask", settings={"assistant": assistant})
    assert raised.value.code == "agent_input_required"
    job.message_id = str(uuid4())
    assert (await job.call("now")).startswith("blue")  # the thread takes the next submission


async def test_a_run_that_is_given_up_is_cancelled_and_the_next_waits_for_that(job: Job) -> None:
    first = job.call("for ever", given_up=True)
    await job.until_runs("running")
    await lose(first)
    await job.until_runs("interrupted")
    assert (await job.call("now", attempt=2)).startswith("blue")
    assert await job.runs() == ["success", "interrupted"]


async def test_a_thread_that_is_busy_is_waited_for(job: Job) -> None:
    cancelled = job.call("slowly")
    await job.until_runs("running")
    await lose(cancelled)
    job.message_id = str(uuid4())
    assert await job.call("now") == "blue, of 3"
    assert await job.runs() == ["success", "success"]


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"assistant": "nobody"}, "agent_status", "422.*Invalid assistant"),
        ({"output": "plan.0"}, "agent_output_missing", "nothing at plan.0; it has messages"),
        ({"input": {"messages": 3}}, "agent_failed", "NotImplementedError"),
        ({"config": {"recursion_limit": "many"}}, "agent_status", "422"),
    ],
)
async def test_what_the_server_does_not_take_has_a_code(job: Job, settings: Any, code: str, words: str) -> None:
    with pytest.raises(errors.AgentError, match=words) as refused:
        await job.call("now", settings=settings)
    assert (refused.value.code, refused.value.retryable) == (code, False)


async def test_a_check_finds_a_run_again_and_stops_it(job: Job, agent: LangGraphAgent) -> None:
    call = Call(job.grant("slowly", policy={"attempt_timeout_s": 30.0}), is_given_up=lambda: True)
    check = Check(agent, call, Recording())
    assert await check.run(90.0) == "blue, of 1"
    told = {row["check"]: row["outcome"] for row in check.rows}
    assert (told["same_key"], told["cancel"], told["deadline"]) == ("passed", "passed", "passed"), check.rows
