"""Against `@copilotkit/aimock`, with its own headers, ids, errors and chaos."""

import asyncio
from pathlib import Path

import pytest
from peers_judging import CRITERIA, GOOD, RESULT, judge_of
from peers_servers import aimock

from servicekit.models.forms import ApiName
from validator.errors import JudgmentError
from validator.judges.openai import OpenAIJudge
from validator.judging import RetryingJudge, validate_agent_response

pytestmark = pytest.mark.real

ANSWERS = [{"match": {}, "response": {"content": GOOD}}]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_verdict_and_its_id(tmp_path: Path, api: ApiName) -> None:
    async with aimock(tmp_path, ANSWERS) as url:
        config = judge_of(f"{url}/v1", api)
        async with OpenAIJudge(config) as own:
            verdict = await validate_agent_response(RESULT, CRITERIA, config, judge=own)
            found = await own.probe()
    assert verdict.is_valid
    assert found.request_id
    assert found.sample.fault == "judge_criteria_mismatch"  # it says the same of everything


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_what_it_does_not_know_is_no_verdict(tmp_path: Path, api: ApiName) -> None:
    async with aimock(tmp_path, [{"match": {}, "response": {"content": "I am a mock."}}]) as url:
        config = judge_of(f"{url}/v1", api)
        async with OpenAIJudge(config) as own:
            with pytest.raises(JudgmentError) as error:
                await validate_agent_response(RESULT, CRITERIA, config, judge=own)
    assert error.value.code == "judge_invalid_json"


@pytest.mark.parametrize("chaos", ["--chaos-drop", "--chaos-disconnect", "--chaos-ratelimit"])
async def test_chaos_is_waited_out(tmp_path: Path, chaos: str) -> None:
    async with aimock(tmp_path, ANSWERS, chaos, "0.3") as url:
        config = judge_of(f"{url}/v1", "chat")
        async with OpenAIJudge(config) as own:
            patient = RetryingJudge(own, [])
            judgements = (validate_agent_response(RESULT, CRITERIA, config, judge=patient) for _ in range(20))
            verdicts = await asyncio.gather(*judgements)
    assert all(verdict.is_valid for verdict in verdicts)


async def test_malformed_answers_are_doubts(tmp_path: Path) -> None:
    async with aimock(tmp_path, ANSWERS, "--chaos-malformed", "1") as url:
        config = judge_of(f"{url}/v1", "chat")
        async with OpenAIJudge(config) as own:
            with pytest.raises(JudgmentError):
                await validate_agent_response(RESULT, CRITERIA, config, judge=own)
