"""A probe says what a server can do, and whether its model judges a harmless result soundly."""

import json
from typing import Any

import fake_judge as fake
import pytest
from aiohttp import web
from fake_judge import FakeJudge, Step

from servicekit.models.pace import Quota
from signoff.status import Outcome
from validator.errors import JudgeAnswerError, JudgeUnavailableError
from validator.judge_config import JudgeConfig
from validator.judges.openai import Capabilities, OpenAIJudge

HEADERS = {
    "x-request-id": "req-7",
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s",
}


async def probe(server: FakeJudge, api: Any = None, **fields: Any) -> Capabilities:
    config = JudgeConfig(api_key="k", base_url=server.base_url, model="a-model", api=api, timeout_s=10, **fields)
    async with OpenAIJudge(config) as own:
        return await own.probe()


async def test_all_of_it(server: FakeJudge) -> None:
    async def step(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = await fake.charges(fake.ok(), {"prompt_tokens": 9, "completion_tokens": 5})(request, body)
        response.headers.update(HEADERS)
        return response

    server.plays(step)
    found = await probe(server)
    assert (found.api, found.output, found.bounds_strings, found.role) == ("chat", "json_schema", True, "system")
    assert (found.left_out, found.thinks, found.model, found.request_id) == ([], False, "gpt-4o-mini", "req-7")
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.output_tokens) == (9, 5)
    assert (found.requests, found.tokens) == (Quota(left=59, most=60, reset_s=1), None)
    assert (found.sample.outcome, found.sample.fault) == (Outcome.PASS, None)
    assert found.latency_s is not None
    assert Capabilities.model_validate_json(found.model_dump_json()) == found


async def test_what_a_server_lacks(server: FakeJudge) -> None:
    def refuse(path: str, body: dict[str, Any]) -> str | None:
        text = json.dumps(body)
        lacking = ("chat/completions", "'store'", "temperature", "json_schema", "json_object", "instructions")
        return next((word for word in lacking if word.strip("'") in f"{path} {text}"), None)

    server.plays(fake.picky(fake.ok(), refuse))
    found = await probe(server, parameters={"temperature": 0})
    assert (found.api, found.output, found.role) == ("responses", "text", "developer")
    assert (found.left_out, found.usage) == (["store", "temperature"], None)
    assert found.sample.fault is None


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (fake.refuses(), "judge_refused"),
        (fake.says("Sure!"), "judge_invalid_json"),
        (fake.ok(outcome="fail"), "it should have passed"),
        (fake.ok(evidence="five or so"), "the quoted evidence does not stand in the result"),
        (fake.ok(evidence=None), ""),
    ],
)
async def test_a_judge_that_is_no_good_is_found_out(server: FakeJudge, step: Step, fault: str) -> None:
    server.plays(step)
    found = await probe(server)
    assert found.sample.fault is not None
    assert fault in found.sample.fault


async def test_a_model_that_thinks(server: FakeJudge) -> None:
    server.plays(fake.says("", finish="length"), fake.ok())
    found = await probe(server)
    assert (found.thinks, found.sample.fault) == (True, None)


async def test_a_server_that_cannot_be_asked(server: FakeJudge) -> None:
    server.plays(fake.status(401))
    with pytest.raises(JudgeUnavailableError):
        await probe(server)
    server.plays(fake.status(400))
    with pytest.raises(JudgeAnswerError):
        await probe(server)
