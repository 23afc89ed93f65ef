"""The three local agents: what they answer, and how a payload steers them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from localstack.agents import create_app

CRITERIA = 'mentions "apples"\nmentions "pears"'


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(create_app())) as client:
        yield client


def job(submission: int = 1, criteria: str = CRITERIA, **payload: Any) -> dict[str, Any]:
    return {
        "execution_id": "e1",
        "job_id": "j1",
        "submission": submission,
        "title": "Fruit",
        "description": "",
        "acceptance_criteria": criteria,
        "payload": payload,
        "feedback": "more fruit" if submission > 1 else None,
    }


async def result(client: TestClient[Any, Any], agent: str, body: dict[str, Any]) -> Any:
    async with client.post(f"/{agent}", json=body) as answer:
        assert answer.status == 200
        return await answer.json()


async def stands(client: TestClient[Any, Any], url: str) -> dict[str, Any]:
    async with client.get(url) as answer:
        status: dict[str, Any] = await answer.json()
        return status


async def test_writer_does_the_job_at_once(client: TestClient[Any, Any]) -> None:
    text = (await result(client, "writer", job(text="From the payload.")))["text"]
    assert all(words in text for words in ("Fruit", "From the payload.", "apples", "pears"))


async def test_what_never_may_appear_is_not_written(client: TestClient[Any, Any]) -> None:
    text = (await result(client, "writer", job(criteria='mentions "apples"\nnever: mentions "pears"')))["text"]
    assert "apples" in text
    assert "pears" not in text


async def test_what_is_to_be_omitted_never_appears(client: TestClient[Any, Any]) -> None:
    text = (await result(client, "writer", job(submission=2, text="Apples, please", omit=["apples"])))["text"]
    assert "apples" not in text.lower()
    assert "pears" in text


async def test_drafter_fails_its_first_submission_only(client: TestClient[Any, Any]) -> None:
    first = (await result(client, "drafter", job(text="Pears!")))["text"]
    second = (await result(client, "drafter", job(submission=2)))["text"]
    assert "pears" not in first.lower()
    assert "pears" in second
    assert (await result(client, "drafter", job(criteria="is good"))) == {"text": ""}
    assert (await result(client, "drafter", job(submission=2, criteria="is good")))["text"]


async def test_a_status_can_be_asked_for_so_many_times(client: TestClient[Any, Any]) -> None:
    body = job(agent={"status": 503, "times": 2, "retry_after_s": 1, "delay_s": 0.01})
    answers = [await client.post("/writer", json=body) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "1"
    async with client.post("/writer", json=job(agent={"status": 418})) as answer:
        assert answer.status == 418


async def test_any_answer_can_be_asked_for(client: TestClient[Any, Any]) -> None:
    assert await result(client, "writer", job(agent={"answer": None})) is None


async def test_what_it_consumed_can_be_said(client: TestClient[Any, Any]) -> None:
    usage = {"input_tokens": 3, "cost_usd": 0.5}
    async with client.post("/writer", json=job(agent={"usage": usage, "status": 503, "times": 1})) as failed:
        assert json.loads(failed.headers["Signoff-Usage"]) == usage
    async with client.post("/builder", json=job(agent={"usage": usage, "delay_s": 0})) as taken:
        assert (await stands(client, taken.headers["Location"]))["usage"] == usage


async def test_builder_tells_how_its_work_stands_until_it_is_done(client: TestClient[Any, Any]) -> None:
    body = job(agent={"delay_s": 0.3})
    async with client.post("/builder", json=body) as taken, client.post("/builder", json=body) as again:
        assert (taken.status, again.status) == (202, 202)
        url = taken.headers["Location"]
        assert again.headers["Location"] == url == "/builder/e1"
    first = await stands(client, url)
    assert (first["state"], first["progress"] < 0.5) == ("running", True)
    seen = [first]
    while seen[-1]["state"] == "running":
        seen.append(await stands(client, url))
    assert [status.get("progress", 1) for status in seen] == sorted(status.get("progress", 1) for status in seen)
    assert seen[-1] == {"state": "succeeded", "result": await result(client, "writer", job())}


async def test_builder_forgets_what_is_stopped_and_the_oldest_of_too_many(
    client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localstack.agents.WORKS_MAX", 2)
    for number in range(3):
        await client.post("/builder", json=job() | {"execution_id": f"e/{number}"})
    async with client.delete("/builder/e%2F2") as answer:
        assert answer.status == 204
    statuses = [(await client.get(f"/builder/e%2F{number}")).status for number in range(3)]
    assert statuses == [404, 200, 404]


async def test_builder_can_be_silent(client: TestClient[Any, Any]) -> None:
    await client.post("/builder", json=job(agent={"delay_s": 0, "silent": True}))
    assert await stands(client, "/builder/e1") == {"state": "running", "heartbeat": 0}


async def test_calls_are_remembered(client: TestClient[Any, Any]) -> None:
    headers = {"Idempotency-Key": "e1", "Signoff-Attempt": "3"}
    await client.post("/writer", json=job(submission=2), headers=headers)
    await client.post("/drafter", json=job() | {"execution_id": "e2"})
    async with client.get("/calls", params={"execution_id": "e1"}) as answer:
        [call] = await answer.json()
    assert (call["agent"], call["job_id"], call["submission"]) == ("writer", "j1", 2)
    assert (call["attempt"], call["idempotency_key"]) == ("3", "e1")
    async with client.get("/calls") as answer:
        assert len(await answer.json()) == 2


async def test_a_body_that_is_no_job_is_a_bad_request(client: TestClient[Any, Any]) -> None:
    async with client.post("/writer", data=b"[1") as answer:
        assert answer.status == 400


async def test_the_model_writes_what_the_criteria_quote_and_calls_a_tool_once(client: TestClient[Any, Any]) -> None:
    task = {"role": "user", "content": f"Fruit\n\n{CRITERIA}"}
    (written,) = await choices(client, messages=[task])
    assert all(words in written["message"]["content"] for words in ("Fruit", "apples", "pears"))
    schema = {"type": "object", "properties": {"fruit": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weigh", "parameters": schema}}
    (calling,) = await choices(client, messages=[task], tools=[tool])
    (call,) = calling["message"]["tool_calls"]
    assert (calling["finish_reason"], json.loads(call["function"]["arguments"])["fruit"]) == ("tool_calls", "apples")
    told = {"role": "tool", "tool_call_id": call["id"], "content": "3 kg"}
    (ended,) = await choices(client, messages=[task, calling["message"], told], tools=[tool])
    assert "3 kg" in ended["message"]["content"]


async def choices(client: TestClient[Any, Any], **body: Any) -> list[Any]:
    async with client.post("/v1/chat/completions", json={"model": "local-writer", **body}) as answer:
        found: list[Any] = (await answer.json())["choices"]
        return found
