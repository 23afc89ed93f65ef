"""Against `llmock`, which watches how its client takes what goes wrong: it must find nothing to say."""

import asyncio
from typing import Any

import pytest
from peers_judging import CRITERIA, GOOD, RESULT, judge_of

from servicekit.models.forms import ApiName
from validator.judges.openai import OpenAIJudge
from validator.judging import RetryingJudge, validate_agent_response

pytestmark = pytest.mark.real


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> ApiName:
    return request.param


async def judge_well(llmock: Any, api: ApiName, *behaviors: dict[str, Any], many: int = 1) -> None:
    """Judge something while the server behaves so; it must judge well, and have nothing to say of its client."""
    await llmock.post("/_llmock/reset")
    await llmock.post("/_llmock/scenario", {"behaviors": [*behaviors, {"type": "reply", "text": GOOD, "times": None}]})
    config = judge_of(f"{llmock.url}/v1", api)
    async with OpenAIJudge(config) as own:
        patient = RetryingJudge(own, [])
        judgements = (validate_agent_response(RESULT, CRITERIA, config, judge=patient) for _ in range(many))
        verdicts = await asyncio.gather(*judgements)
    assert all(verdict.is_valid for verdict in verdicts)
    said = await llmock.get("/_llmock/verdict")
    assert [found for found in said["findings"] if found["severity"] == "error"] == []


async def test_a_verdict(llmock: Any, api: ApiName) -> None:
    await judge_well(llmock, api)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_failures_are_waited_out(llmock: Any, api: ApiName, status: int) -> None:
    await judge_well(llmock, api, {"type": "fail", "status": status, "retry_after": 0.3, "times": 2})


async def test_many_that_are_refused_at_once(llmock: Any, api: ApiName) -> None:
    await judge_well(llmock, api, {"type": "fail", "status": 429, "retry_after": 0.5, "times": 3}, many=20)


async def test_a_refusal_for_good_is_not_repeated(llmock: Any, api: ApiName) -> None:
    """Not by form: another one is tried of each request, never the same again."""
    await llmock.post("/_llmock/reset")
    behavior = {"type": "fail", "status": 400, "code": "content_filter", "times": None}
    await llmock.post("/_llmock/scenario", {"behaviors": [behavior]})
    config = judge_of(f"{llmock.url}/v1", api)
    async with OpenAIJudge(config) as own:
        with pytest.raises(Exception, match="400"):
            await validate_agent_response(RESULT, CRITERIA, config, judge=own)
    said = await llmock.get("/_llmock/verdict")
    assert [found for found in said["findings"] if found["code"] == "retried_non_retryable"] == []


async def test_its_own_words_by_the_schema_are_no_pass(llmock: Any, api: ApiName) -> None:
    """It fills the schema with words of its own, which quote nothing."""
    await llmock.post("/_llmock/reset")
    config = judge_of(f"{llmock.url}/v1", api)
    async with OpenAIJudge(config) as own:
        verdict = await validate_agent_response(RESULT, CRITERIA, config, judge=own)
        found = await own.probe()
    assert not verdict.is_valid
    assert verdict.judge_error is None
    assert (found.api, found.output) == (api, "json_schema")
    assert found.usage is not None
    assert found.requests is not None
    assert found.requests.most == 6_000  # a minute, as its headers say
