"""The local judge: what it decides, and that OpenAI's own client takes its answers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from openai import AsyncOpenAI, BadRequestError
from pydantic import BaseModel, ConfigDict

from localstack.judge import create_app
from localstack.rules import DISCLAIMER, judge_criterion, list_texts


class Finding(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    index: int
    outcome: str
    evidence: str | None
    comment: str


class Verdict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    criteria: list[Finding]
    reason: str


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    server = TestServer(create_app())
    async with server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="local", base_url=str(server.make_url("/v1")), max_retries=0) as client:
        yield client


def document(result: Any, *criteria: str) -> str:
    numbered = [{"index": index, "text": text} for index, text in enumerate(criteria, 1)]
    return json.dumps({"criteria": numbered, "result": result})


@pytest.mark.parametrize(
    ("criterion", "result", "outcome", "evidence"),
    [
        ('mentions "Paris"', {"text": "In PARIS, in spring"}, "pass", "PARIS"),
        ('mentions "Paris" and "Rome"', {"a": "paris", "b": ["Rome"]}, "pass", "paris"),
        ('mentions "Paris" and "Rome"', {"a": "paris"}, "fail", "paris"),
        ('mentions "Rome"', {"Rome": "a name is no text"}, "fail", None),
        ('totals "42.5"', {"total": 42.5}, "pass", "42.5"),
        ("says \u201cyes\u201d", ["Yes"], "pass", "Yes"),
        ('has "two words"', ["two", "words"], "fail", None),
        ('an empty "" quote asks for nothing', "x", "pass", "x"),
        ("is polite", "Good day", "pass", "Good day"),
        ("is polite", {"a": [{"b": ""}, [], None]}, "fail", None),
        ("is polite", 0, "pass", "0"),
        ("is polite", False, "pass", "false"),
        ("is polite", "  \n", "fail", None),
    ],
)
def test_a_criterion_is_judged_by_the_fixed_rules(
    criterion: str, result: Any, outcome: str, evidence: str | None
) -> None:
    finding = judge_criterion(criterion, list_texts(result))
    assert (finding.outcome, finding.evidence) == (outcome, evidence)
    assert DISCLAIMER in finding.comment


def test_a_deeply_nested_result_is_read_without_recursion() -> None:
    result: Any = "bottom"
    for _ in range(100_000):
        result = [result]
    assert list_texts(result) == ["bottom"]


async def test_responses_are_parsed_by_the_official_client(client: AsyncOpenAI) -> None:
    asked: list[Any] = [
        {"role": "user", "content": "an example"},
        {"role": "assistant", "content": "its answer"},
        {"role": "user", "content": [{"type": "input_text", "text": document({"text": "blue"}, 'is "blue"', "any")}]},
    ]
    answer = await client.responses.parse(
        model="m", instructions="judge", input=asked, text_format=Verdict, store=False
    )
    assert answer.status == "completed"
    assert answer.output_parsed is not None
    assert [finding.outcome for finding in answer.output_parsed.criteria] == ["pass", "pass"]
    assert DISCLAIMER in answer.output_parsed.reason
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


async def test_responses_take_a_plain_string(client: AsyncOpenAI) -> None:
    answer = await client.responses.parse(model="m", input=document("red", 'is "blue"'), text_format=Verdict)
    assert answer.output_parsed is not None
    assert answer.output_parsed.criteria[0].outcome == "fail"


async def test_chat_completions_are_parsed_by_the_official_client(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(
        model="m",
        messages=[
            {"role": "system", "content": "judge"},
            {"role": "user", "content": document("blue", 'is "blue"')},
        ],
        response_format=Verdict,
    )
    verdict = answer.choices[0].message.parsed
    assert verdict is not None
    assert verdict.criteria[0].evidence == "blue"
    assert [model.id async for model in client.models.list()] == ["local-rules"]


@pytest.mark.parametrize(
    "text", ["what is this?", "[]", "{}", '{"criteria": [], "x": 1}', '{"criteria": ["a"], "result": 1}', "[" * 100_000]
)
async def test_what_it_cannot_understand_is_a_bad_request(client: AsyncOpenAI, text: str) -> None:
    with pytest.raises(BadRequestError) as error:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    assert error.value.type == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"messages": 3}', b'{"messages": [], "stream": true}'])
async def test_a_malformed_body_is_a_bad_request(server: TestServer, body: bytes) -> None:
    async with TestClient(server) as client, client.post("/v1/chat/completions", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
