"""What a function may do that is an agent: report, fail, decline, be stopped, and be asked again by the same key."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from support.fakes import until

from signoff_agent import AgentError, DeclinedError, RetryableError, Task, agent
from signoff_agent.app import READING_MAX
from signoff_agent.testing import AgentClient

REQUEST = {"title": "A poem", "payload": {"city": "Oslo"}, "feedback": None, "submission": 2}


@agent
async def poet(task: Task):
    task.progress(0.5, "half", partial=["one"])
    await asyncio.sleep(0.05)
    task.usage(input_tokens=900, output_tokens=8, cost_usd="0.002", model="m")
    task.usage(output_tokens=2, cost_usd=Decimal("0.001"))
    return {"text": f"{task.title} of {task.payload['city']}", "submission": task.submission}


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


class Counted:
    """An agent whose work waits until it is let go, and that counts how often it began."""

    def __init__(self, **options) -> None:
        self.began = 0
        self.may_end = asyncio.Event()
        self.may_clean_up = asyncio.Event()
        self.may_clean_up.set()

        @agent(**options)
        async def wait(_task: Task):
            self.began += 1
            try:
                await self.may_end.wait()
            finally:
                await self.may_clean_up.wait()
            return self.began

        self.agent = wait


async def test_a_result_comes_with_the_progress_before_it_and_the_usage():
    async with AgentClient(poet) as client:
        outcome = await client.run(REQUEST)
    assert (outcome.state, outcome.result) == ("succeeded", {"text": "A poem of Oslo", "submission": 2})
    assert outcome.reports[-1] == {"state": "running", "progress": 0.5, "message": "half", "partial": ["one"]}
    assert outcome.status["usage"] == {"input_tokens": 900, "output_tokens": 10, "cost_usd": "0.003", "model": "m"}


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (DeclinedError("not mine"), {"state": "declined", "message": "not mine"}),
        (RetryableError("busy", code="busy"), {"code": "busy", "message": "busy", "retryable": True}),
        (AgentError("no paper", code="no_paper"), {"code": "no_paper", "message": "no paper", "retryable": False}),
        (AgentError("x" * 900), {"code": "function_failed", "message": "x" * 500, "retryable": False}),
        (
            ValueError("the key is sk-123"),
            {
                "code": "function_error",
                "message": "the function raised ValueError; the agent's log has it",
                "retryable": False,
            },
        ),
        (
            asyncio.CancelledError(),
            {"code": "function_error", "message": "the function was cancelled, by itself", "retryable": False},
        ),
    ],
    ids=["declined", "retryable", "failed", "long", "raised", "cancelled"],
)
async def test_an_error_is_told(raised, status):
    @agent
    async def failing(task: Task):
        task.usage(input_tokens=5)
        raise raised

    async with AgentClient(failing) as client:
        outcome = await client.run(REQUEST)
    told = status if "state" in status else {"state": "failed", "error": status}
    assert outcome.status == {**told, "usage": {"input_tokens": 5}}


@pytest.mark.parametrize(
    ("result", "limit", "code"),
    [
        ("é" * 10, 22, None),  # as Signoff measures it: UTF-8, and two quotes
        ("é" * 10, 21, "result_too_large"),
        (float("nan"), 100, "result_not_json"),
        ({"a": {1, 2}}, 100, "result_not_json"),
        ("\ud800", 100, "result_not_json"),
        (nested(150), 1_000, None),
        (nested(151), 1_000, "result_not_json"),
        (nested(100_000), 1_000, "result_not_json"),
    ],
)
async def test_a_result_that_would_not_be_taken_is_a_failure_that_says_so(result, limit, code):
    @agent
    async def answering(_task: Task):
        return result

    async with AgentClient(answering) as client:
        outcome = await client.run(REQUEST, signoff_result_max_bytes=str(limit))
    assert outcome.error.get("code") == code


async def test_progress_that_signoff_would_not_keep_is_left_out_and_nonsense_is_the_functions_mistake():
    @agent
    async def reporting(task: Task):
        task.progress(0.25, "m" * 600, partial="small")
        task.progress(partial="x" * 20_000)
        with suppress(ValueError):
            task.progress(1.5)
        with suppress(ValueError):
            task.progress(float("nan"))
        without, own = task.status, [1]
        task.progress(partial=own)
        own.append(2)
        return [without, task.status["partial"]]

    async with AgentClient(reporting) as client:
        outcome = await client.run(REQUEST)
    assert outcome.result == [{"progress": 0.25, "message": "m" * 500}, [1]]


async def test_texts_that_a_model_cut_within_a_character_are_told_all_the_same():
    @agent
    async def failing(task: Task):
        task.progress(message="a \ud83d")
        task.usage(model="m\ud83d")
        await asyncio.sleep(0.05)
        raise RetryableError("b \ud83d", code="c\ud83d")

    async with AgentClient(failing) as client:
        outcome = await client.run(REQUEST)
    assert outcome.reports[-1]["message"] == "a ?"
    assert outcome.error == {"code": "c?", "message": "b ?", "retryable": True}
    assert outcome.status["usage"]["model"] == "m?"


async def test_calls_with_one_key_are_one_piece_of_work_and_get_its_end():
    counted = Counted()
    async with AgentClient(counted.agent) as client:
        answers = await asyncio.gather(*(client.post(REQUEST, key="k") for _ in range(50)))
        assert {answer.status for answer in answers} == {202}
        (location,) = {answer.headers["location"] for answer in answers}
        assert len({(await client.get(location)).body["heartbeat"] for _ in range(3)}) == 3
        counted.may_end.set()
        assert (await client.follow(location)).result == 1
        assert (await client.run(REQUEST, key="k")).result == 1
        other = await client.post({"title": "another"}, key="k")
    assert (other.status, other.body) == (
        422,
        {"error": "the Idempotency-Key was used for another request: take a new one"},
    )


async def test_what_failed_begins_anew_and_finds_its_checkpoints():
    @agent
    async def second(task: Task):
        if "tried" not in task.checkpoints:
            await task.checkpoint("tried", task.attempt)
            raise RetryableError("once more")
        return [task.checkpoints["tried"], task.attempt]

    async with AgentClient(second) as client:
        first = await client.post(REQUEST, key="k", signoff_attempt="1")
        assert (await client.follow(first.headers["location"])).error["retryable"]
        assert (await client.post({}, key="k", signoff_attempt="2")).status == 422
        assert (await client.run(REQUEST, key="k", signoff_attempt="2")).result == [1, 2]
        assert (await client.get(first.headers["location"])).status == 404


async def test_stopped_work_is_cancelled_and_its_key_begins_anew_only_once_it_has_ended():
    counted = Counted()
    counted.may_clean_up.clear()
    async with AgentClient(counted.agent) as client:
        location = (await client.post(REQUEST, key="k")).headers["location"]
        await until(lambda: counted.began == 1)
        assert (await client.delete(location)).status == 202
        again = await client.post(REQUEST, key="k")
        assert (again.status, again.headers["retry-after"]) == (503, "1")
        counted.may_clean_up.set()
        assert (await client.follow(location)).state == "lost"
        assert (await client.get(location)).status == 410
        counted.may_end.set()
        assert (await client.run(REQUEST, key="k")).result == 2


async def test_there_is_room_for_so_much_work_and_known_keys_are_answered_all_the_same():
    counted = Counted(max_running=1)
    async with AgentClient(counted.agent) as client:
        location = (await client.post(REQUEST, key="a")).headers["location"]
        full = await client.post(REQUEST, key="b")
        assert (full.status, full.headers["retry-after"]) == (503, "2")
        assert (await client.post(REQUEST, key="a")).headers["location"] == location
        counted.may_end.set()
        await client.follow(location)
        while (ran := await client.run(REQUEST, key="b")).state == "refused":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)  # the end is told before its room is free
        assert ran.state == "succeeded"


async def test_of_many_that_come_at_once_no_more_begin_than_there_is_room_for():
    may_end = asyncio.Event()

    @agent(max_running=5)
    async def wait(_task: Task) -> str:
        await may_end.wait()
        return "done"

    async with AgentClient(wait) as client:
        answers = await asyncio.gather(*(client.post({}, key=f"k{n}") for n in range(50)))
        assert sorted(answer.status for answer in answers) == [202] * 5 + [503] * 45
        may_end.set()


async def test_an_agent_that_stops_takes_nothing_new_and_lets_its_work_end():
    counted = Counted()
    async with AgentClient(counted.agent) as client:
        location = (await client.post(REQUEST, key="a")).headers["location"]
        draining = asyncio.create_task(counted.agent.drain(60, tells=True))
        await until(lambda: counted.agent.is_stopping)
        assert (await client.post(REQUEST, key="b")).status == 503
        assert (await client.get("")).status == 503
        assert (await client.post(REQUEST, key="a")).status == 202
        counted.may_end.set()
        await until(lambda: not counted.agent._runs)
        assert await asyncio.wait([draining], timeout=0.2) == (set(), {draining})  # nobody has heard of the end
        assert (await client.get(location)).body["result"] == 1
        await draining


@pytest.mark.parametrize("is_repeatable", [False, True])
async def test_what_a_stop_cuts_is_told_as_lost_and_repeated_only_if_it_may_be(tmp_path, is_repeatable):
    counted = Counted(is_repeatable=is_repeatable)
    async with AgentClient(counted.agent, store=tmp_path / "work") as client:
        location = (await client.post(REQUEST, key="k")).headers["location"]
        await until(lambda: counted.began == 1)
        await counted.agent.drain(0, tells=True)
        assert (await client.get(location)).status == 410
    counted.may_end.set()
    async with AgentClient(counted.agent, store=tmp_path / "work") as client:
        assert (await client.get(location)).status == 410
        outcome = await client.run(REQUEST, key="k")
    assert outcome.state == ("succeeded" if is_repeatable else "refused")
    assert counted.began == (2 if is_repeatable else 1)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 400),
        ({"idempotency-key": "a b"}, b"{}", 400),
        ({"idempotency-key": "k" * 256}, b"{}", 400),
        ({"idempotency-key": "k"}, b"[]", 400),
        ({"idempotency-key": "k"}, b"{", 400),
        ({"idempotency-key": "k"}, b"\xff", 400),
        ({"idempotency-key": "k"}, b"[" * 100_000, 400),
        ({"idempotency-key": "k", "signoff-result-max-bytes": "many"}, b"{}", 400),
        ({"idempotency-key": "k"}, b" " * 2_001, 413),
    ],
)
async def test_a_request_that_is_none_begins_nothing(headers, body, status):
    counted = Counted(body_max_bytes=2_000 if status == 413 else 1 << 20)
    async with AgentClient(counted.agent) as client:
        assert (await client.send("POST", "", body, headers)).status == status
        assert (await client.send("PATCH", "", body, headers)).status == 405
        assert (await client.get("?work=x")).status == 404
        assert (await client.delete("?work=x")).status == 404
    assert counted.began == 0


async def test_bodies_that_do_not_come_hold_up_so_many_and_begin_nothing():
    counted = Counted()
    hangs = asyncio.Event()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"idempotency-key", b"k")],
    }
    statuses: list[int] = []

    async def hang():
        await hangs.wait()
        return {"type": "http.disconnect"}

    async def told(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async with AgentClient(counted.agent) as client:
        hanging = [asyncio.create_task(counted.agent(scope, hang, told)) for _ in range(READING_MAX)]
        await until(lambda: counted.agent._reading == READING_MAX)
        assert (await client.post(REQUEST, key="other")).status == 503
        hangs.set()
        await asyncio.gather(*hanging)
        assert statuses == [400] * READING_MAX
        assert (await client.post(REQUEST, key="other")).status == 202
        await until(lambda: counted.began == 1)


async def test_a_location_keeps_the_query_of_the_agents_url():
    async with AgentClient(poet) as client:
        answer = await client.send("POST", "?tenant=a", b'{"payload": {"city": "x"}}', {"idempotency-key": "k"})
        assert answer.headers["location"].startswith("?tenant=a&work=")
        assert (await client.follow(answer.headers["location"])).state == "succeeded"


def test_a_function_that_would_hold_the_loop_is_no_agent():
    with pytest.raises(TypeError, match="to_thread"):
        agent(lambda _task: 1)  # type: ignore[arg-type]
