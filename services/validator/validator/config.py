"""Declare the validator's settings."""

from pathlib import Path
from typing import ClassVar, Final, Literal, Self

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from contracts.judging.policy import JudgeModel
from servicekit.addresses import parse_allowed
from servicekit.leasing.worker import WAITING_MAX_BYTES
from servicekit.models.forms import ApiName
from servicekit.process.settings import EnvironmentSettings, SecretSetting, WorkerSettings
from validator.judge_config import JudgeConfig, JudgeKey, parse_keys

#: The model's name while fixed rules judge, which has no price.
RULES: Final = "local-rules"


class _OpenAI(EnvironmentSettings):
    """Settings that the openai SDK reads, too, so that they have its names: OPENAI_API_KEY and OPENAI_BASE_URL."""

    model_config = SettingsConfigDict(env_prefix="OPENAI_")

    api_key: SecretStr | None = None
    base_url: str | None = None


class Settings(WorkerSettings):
    """Settings of the validator, each SIGNOFF_<NAME> in the environment, but OPENAI_API_KEY and OPENAI_BASE_URL.

    `judge_keys` are the keys that judge policies may name, as JSON: {name: {"key": "env:NAME" or "file:PATH",
    "base_urls": [..]}}. `judge_key_dir` is a folder of more such keys, and of those of tenants. `judge_networks`
    lists networks (CIDR) and servers (`host:port`), comma-separated, where judges of policies may be besides the
    public internet. `judge_refuter_model` is asked to refute the pass of a resubmission of a job without a policy:
    with the key `judge_refuter_key_name` at that key's first base URL or, without it, where the own judge is.
    `judge_confirm_model`, with a key in the same way, confirms passes from the first submission on.
    `judge_without_key` is the base URL of the judge by fixed rules that is asked while there is no OPENAI_API_KEY.
    """

    #: What judges' servers take is found out, so that more asks of them harm none.
    grows: ClassVar = True

    validator_token: SecretSetting
    capacity: int = 200
    #: Bytes of results that wait for their judge or for a slot; beyond it leases are given back.
    waiting_max_bytes: int = WAITING_MAX_BYTES
    judge_model: str = JudgeConfig().model
    judge_api: ApiName | Literal["auto"] = "chat"
    judge_timeout_s: float = 120.0
    judge_max_asks: int = JudgeConfig().max_asks
    judge_asks_within_s: float = JudgeConfig().asks_within_s
    judge_thinking_tokens: int | None = None
    judge_result_max_chars: int = JudgeConfig().document_max_chars
    judge_section_chars: int = JudgeConfig().section_chars
    judge_refuter_model: str | None = None
    judge_refuter_key_name: str | None = None
    judge_confirm_model: str | None = None
    judge_confirm_key_name: str | None = None
    judge_keys: str | None = None
    judge_key_dir: Path | None = None
    judge_networks: str = ""
    judge_without_key: str | None = None

    @field_validator("judge_keys")
    @classmethod
    def _check_keys(cls, keys: str | None) -> str | None:
        if keys is not None:
            parse_keys(keys)
        return keys

    @model_validator(mode="after")
    def _check_key_names(self) -> Self:
        for role in ("refuter", "confirm"):
            model, key = getattr(self, f"judge_{role}_model"), getattr(self, f"judge_{role}_key_name")
            setting = f"SIGNOFF_JUDGE_{role.upper()}"
            if key is not None and model is None:
                raise ValueError(f"{setting}_KEY_NAME needs {setting}_MODEL: the model that is asked with it")
            if key is not None and key not in self.keys:
                raise ValueError(f"SIGNOFF_JUDGE_KEYS has no {key!r}, as {setting}_KEY_NAME says")
        return self

    @field_validator("judge_networks")
    @classmethod
    def _check_networks(cls, networks: str) -> str:
        parse_allowed(networks)
        return networks

    @property
    def keys(self) -> dict[str, JudgeKey]:
        """The keys that judge policies may name, by name."""
        return parse_keys(self.judge_keys) if self.judge_keys is not None else {}

    def _name_model(self, model: str | None, key: str | None) -> JudgeModel | None:
        """Return the model that refutes or confirms, with the named key, if any; None if `model` is None."""
        if model is None:
            return None
        return JudgeModel(model=model, key=key, base_url=None if key is None else self.keys[key].base_urls[0])

    @property
    def judge_config(self) -> JudgeConfig:
        """The configuration of the validator's own judge, with the limits of one judgement."""
        openai = _OpenAI()
        key, base_url, model = openai.api_key and openai.api_key.get_secret_value(), openai.base_url, self.judge_model
        if not key and not base_url and self.judge_without_key:
            key, base_url, model = "none", self.judge_without_key, RULES
        return JudgeConfig(
            api_key=key,
            base_url=base_url,
            model=model,
            api=None if self.judge_api == "auto" else self.judge_api,
            timeout_s=self.judge_timeout_s,
            max_asks=self.judge_max_asks,
            asks_within_s=self.judge_asks_within_s,
            thinking_tokens=self.judge_thinking_tokens,
            document_max_chars=self.judge_result_max_chars,
            section_chars=self.judge_section_chars,
            refuter=self._name_model(self.judge_refuter_model, self.judge_refuter_key_name),
            confirmer=self._name_model(self.judge_confirm_model, self.judge_confirm_key_name),
        )
