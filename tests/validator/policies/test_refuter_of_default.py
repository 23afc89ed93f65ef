"""The pass of a resubmission goes to another family by a setting, without a policy: `default` names it then."""

import json

import pytest
from pydantic import ValidationError
from stand_ins import FAIL, MEETS, PASS, RESULT, StandIn

from contracts.judging.policy import DEFAULT_POLICY, JudgeModel
from validator.config import Settings
from validator.judge_config import JudgeConfig
from validator.judging import validate_agent_response

OTHER = JudgeModel(model="other", key="second", base_url="https://two.example/v1")
KEYS = json.dumps({"second": {"key": "env:SECOND", "base_urls": [OTHER.base_url, "https://three.example/v1"]}})


def settings(**given: str) -> Settings:
    tokens = {"validator_token": "0123456789abcdef" * 3, "kafka": "localhost:1", "jobstore": "localhost:1"}
    return Settings.model_validate(tokens | given)


async def judged(config: JudgeConfig, said, submission: int = 2):
    own, other = StandIn(PASS, "own"), StandIn(said, "other")

    def judge_of(model: JudgeModel | None) -> StandIn:
        return own if model is None else other

    verdict = await validate_agent_response(RESULT, MEETS, config, judge_of=judge_of, submission=submission)
    return verdict, own, other


async def test_the_other_model_is_asked_to_refute_and_decides() -> None:
    verdict, own, other = await judged(JudgeConfig(refuter=OTHER), FAIL)
    assert (verdict.is_valid, len(own.asked), len(own.refuted), len(other.refuted)) == (False, 1, 0, 1)
    (ask,) = verdict.stages[-1].asks
    assert (verdict.stages[-1].kind, ask.model) == ("refute", "other")


async def test_a_first_submission_and_a_validator_without_one_ask_nobody_else() -> None:
    _, own, other = await judged(JudgeConfig(refuter=OTHER), FAIL, submission=1)
    assert (len(own.asked), other.asked) == (1, [])
    _, own, other = await judged(JudgeConfig(), FAIL)
    assert (len(own.refuted), other.asked) == (1, [])


def test_it_is_part_of_what_default_reports_and_of_what_is_reused() -> None:
    plain, refuted = JudgeConfig(), JudgeConfig(refuter=OTHER)
    assert [step.judge for step in refuted.policy.loop] == [OTHER]
    assert (refuted.policy.name, plain.policy == refuted.policy) == (DEFAULT_POLICY, False)
    assert refuted.judge_name != plain.judge_name
    assert "refuted by other at two.example" in refuted.judge_name


def test_so_is_the_model_that_confirms() -> None:
    confirmed = JudgeConfig(confirmer=OTHER)
    assert [(step.confirm, step.judge, step.from_submission) for step in confirmed.policy.loop] == [
        (True, OTHER, 1),
        (False, None, 2),
    ]
    assert "confirmed by other at two.example" in confirmed.judge_name
    given = {"judge_confirm_model": "other", "judge_confirm_key_name": "second", "judge_keys": KEYS}
    assert settings(**given).judge_config == settings().judge_config.model_copy(update={"confirmer": OTHER})


def test_the_settings_name_a_model_and_a_key() -> None:
    assert settings().judge_config.refuter is None
    alone = settings(judge_refuter_model="other").judge_config.refuter
    assert alone == JudgeModel(model="other"), "where the judge is, with its key"
    both = settings(judge_refuter_model="other", judge_refuter_key_name="second", judge_keys=KEYS)
    assert both.judge_config.refuter == OTHER


@pytest.mark.parametrize(
    "given",
    [
        {"judge_refuter_key_name": "second", "judge_keys": KEYS},
        {"judge_refuter_model": "other", "judge_refuter_key_name": "third", "judge_keys": KEYS},
        {"judge_refuter_model": "other", "judge_refuter_key_name": "second"},
        {"judge_confirm_key_name": "second", "judge_keys": KEYS},
        {"judge_confirm_model": "other", "judge_confirm_key_name": "third", "judge_keys": KEYS},
    ],
)
def test_a_key_that_is_not_there_or_has_no_model_stops_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="SIGNOFF_JUDGE_"):
        settings(**given)
