"""Against OpenAI itself, where there is a key: it costs less than a cent."""

import os

import pytest

from servicekit.models.forms import ApiName
from signoff.status import Outcome
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.judging import validate_agent_response

pytestmark = [pytest.mark.real, pytest.mark.api]

KEY = "OPENAI_API_KEY"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_the_real_one_judges(api: ApiName) -> None:
    if not os.environ.get(KEY):
        pytest.skip(f"this machine has no {KEY}")
    model = os.environ.get("SIGNOFF_JUDGE_MODEL", JudgeConfig().model)
    config = JudgeConfig(model=model, api=api, base_url=os.environ.get("OPENAI_BASE_URL"))
    async with OpenAIJudge(config) as own:
        found = await own.probe()
        assert (found.api, found.output, found.sample.fault) == (api, "json_schema", None)
        assert found.usage is not None
        assert found.request_id
        criteria = "It names the sky's colour\nnever: It is rude\nIt names a bird"
        verdict = await validate_agent_response({"text": "The sky is blue today."}, criteria, config, judge=own)
    assert [one.outcome for one in verdict.criteria] == [Outcome.PASS, Outcome.PASS, Outcome.FAIL]
