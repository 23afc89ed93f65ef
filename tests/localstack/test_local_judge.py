"""The local judge: what it decides, and that OpenAI's own client takes its answers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from openai import AsyncOpenAI, BadRequestError
from pydantic import BaseModel, ConfigDict

from contracts.criteria import Criterion
from contracts.evidence import Evidence
from localstack.judge import create_app, read_question
from localstack.rules import DISCLAIMER, Judged, list_passages
from validator.prompt import PROMPTS, Questions


class Finding(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    evidence: list[str]
    comment: str
    outcome: str


class Verdict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    c1: Finding
    reason: str


class TwoVerdicts(Verdict):
    c2: Finding


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    server = TestServer(create_app())
    async with server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="local", base_url=str(server.make_url("/v1")), max_retries=0) as client:
        yield client


def messages(result: Any, *criteria: str) -> list[Any]:
    """What is asked by version 2 of the prompt."""
    named = {f"c{number}": {"kind": "meets", "text": text} for number, text in enumerate(criteria, 1)}
    texts = f"word\n{json.dumps(result)}\nword", f"{json.dumps(named)}\n\nand some rules"
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(("other", "words"), [('is "blue"', "all"), ('is "red"', "not all")])
async def test_its_reason_counts_nothing_since_checks_may_decide_other_criteria_of_the_verdict(
    client: AsyncOpenAI, other: str, words: str
) -> None:
    answer = await client.chat.completions.parse(
        model="m", messages=messages("blue", "is a colour", other), response_format=TwoVerdicts
    )
    verdict = answer.choices[0].message.parsed
    assert verdict is not None
    assert verdict.reason == f"{words} that this judge was asked about passed ({DISCLAIMER})"


@pytest.mark.parametrize("version", PROMPTS)
@pytest.mark.parametrize("result", ['blue\n\n"sky"', {"a": "blue\nsky", "n": 5}, ["\\n\t\r\n"], 7, ""])
def test_it_reads_what_validators_ask(version: int, result: Any) -> None:
    asked = Questions(result, prompt=PROMPTS[version], task='{"title":"a\\nb"}').ask(
        [Criterion(text="x"), Criterion(text="y", kind="never")], references={2: "z"}
    )
    said = [{"role": "user", "content": text} for text in (asked.task, asked.result, asked.request)]
    question = read_question(said, "messages")
    assert question.result == result
    assert question.criteria == {"c1": ("meets", "x"), "c2": ("never", "y")}


@pytest.mark.parametrize(
    ("criterion", "result", "outcome", "evidence"),
    [
        ('mentions "Paris"', {"text": "In PARIS, in spring"}, "pass", "PARIS"),
        ('mentions "Paris"', "comparison", "fail", None),
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
        ("is polite", {"n": 5}, "pass", '"n": 5'),
        ("is polite", [7], "pass", "[7]"),
        ("is polite", "word " * 100, "pass", ("word " * 60).rsplit(maxsplit=1)[0]),
        ("is polite", False, "pass", "false"),
        ("is polite", "  \n", "fail", None),
    ],
)
def test_a_criterion_is_judged_by_the_fixed_rules(
    criterion: str, result: Any, outcome: str, evidence: str | None
) -> None:
    finding = Judged(result, [criterion]).judge(criterion)
    assert (finding.outcome, finding.evidence) == (outcome, evidence)
    assert DISCLAIMER in finding.comment
    assert outcome == "fail" or Evidence(result, [criterion]).find_fault(evidence, criterion) is None


@pytest.mark.parametrize(
    ("criterion", "outcome", "evidence"),
    [
        ('mentions "Rome"', "pass", "In Paris, in spring"),
        ('mentions "Rome" or "Paris"', "fail", "Paris"),
        ("is rude", "pass", "In Paris, in spring"),
    ],
)
def test_of_one_that_must_never_hold_no_quoted_word_may_stand_there(
    criterion: str, outcome: str, evidence: str
) -> None:
    finding = Judged("In Paris, in spring", [criterion]).judge(criterion, "never")
    assert (finding.outcome, finding.evidence) == (outcome, evidence)


def test_a_result_that_only_repeats_the_criterion_is_as_good_as_empty() -> None:
    criterion = "The text is polite in all its parts"
    assert Judged({"text": criterion}, [criterion]).judge(criterion).outcome == "fail"


def test_a_deeply_nested_result_is_read_without_recursion() -> None:
    result: Any = "bottom"
    for _ in range(100_000):
        result = [result]
    assert next(list_passages(result)) == "bottom"


async def test_responses_are_parsed_by_the_official_client(client: AsyncOpenAI) -> None:
    asked: list[Any] = [
        {"role": "user", "content": "an example"},
        {"role": "assistant", "content": "its answer"},
        *(
            {"role": "user", "content": [{"type": "input_text", "text": message["content"]}]}
            for message in messages({"text": "blue"}, 'is "blue"', "any")
        ),
    ]
    answer = await client.responses.parse(
        model="m", instructions="judge", input=asked, text_format=TwoVerdicts, store=False
    )
    assert answer.status == "completed"
    assert answer.output_parsed is not None
    assert (answer.output_parsed.c1.outcome, answer.output_parsed.c2.outcome) == ("pass", "pass")
    assert DISCLAIMER in answer.output_parsed.reason
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


async def test_chat_completions_are_parsed_by_the_official_client(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(
        model="m",
        messages=[{"role": "system", "content": "judge"}, *messages("blue", 'is "blue"')],
        response_format=Verdict,
    )
    verdict = answer.choices[0].message.parsed
    assert verdict is not None
    assert verdict.c1.evidence == ["blue"]
    assert [model.id async for model in client.models.list()] == ["local-rules"]


@pytest.mark.parametrize(
    ("result", "asked"),
    [
        ("what is this?", "{}"),
        ("a\n1\nb", "{}"),
        ("a\n{\na", "{}"),
        ("a\n1\na", "[]"),
        ("a\n1\na", '{"c1": "x"}'),
        ("a\n" + "[" * 100_000 + "\na", "{}"),
    ],
)
async def test_what_it_cannot_understand_is_a_bad_request(client: AsyncOpenAI, result: str, asked: str) -> None:
    with pytest.raises(BadRequestError) as error:
        await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": result}, {"role": "user", "content": asked}]
        )
    assert error.value.type == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"messages": 3}', b'{"messages": [], "stream": true}'])
async def test_a_malformed_body_is_a_bad_request(server: TestServer, body: bytes) -> None:
    async with TestClient(server) as client, client.post("/v1/chat/completions", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("result", [[], {"errors": []}])
def test_where_nothing_stands_nothing_stands_that_never_may(result: Any) -> None:
    finding = Judged(result, ["Contains an error"]).judge("Contains an error", "never")
    assert (finding.outcome, finding.evidence) == ("pass", None)
