"""Declare the validator's settings."""

from typing import Literal

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from servicekit.process.settings import EnvironmentSettings, SecretSetting, WorkerSettings
from validator.judge_config import ApiName, JudgeConfig


class _OpenAI(EnvironmentSettings):
    """Settings that the openai SDK reads too, under its own names."""

    model_config = SettingsConfigDict(env_prefix="OPENAI_")

    api_key: SecretStr | None = None
    base_url: str | None = None


class Settings(WorkerSettings):
    """Settings of the validator, each SIGNOFF_<NAME> in the environment, but OPENAI_API_KEY and OPENAI_BASE_URL."""

    validator_token: SecretSetting
    capacity: int = 200
    judge_model: str = JudgeConfig().model
    judge_api: ApiName | Literal["auto"] = "chat"
    judge_timeout_s: float = 120.0
    judge_max_asks: int = JudgeConfig().max_asks
    judge_asks_within_s: float = JudgeConfig().asks_within_s
    judge_thinking_tokens: int | None = None

    @property
    def judge_config(self) -> JudgeConfig:
        """How to reach the judge, and the limits of one judgement."""
        openai = _OpenAI()
        return JudgeConfig(
            api_key=openai.api_key.get_secret_value() if openai.api_key else None,
            base_url=openai.base_url,
            model=self.judge_model,
            api=None if self.judge_api == "auto" else self.judge_api,
            timeout_s=self.judge_timeout_s,
            max_asks=self.judge_max_asks,
            asks_within_s=self.judge_asks_within_s,
            thinking_tokens=self.judge_thinking_tokens,
        )
