"""Decide with which key a policy's model is asked, and where: a key goes only to the URLs that an operator named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from contracts.agents import check_http_url
from contracts.judging.policy import JudgeModel, Name
from signoff.errors import ErrorCode
from validator.errors import JudgeUnavailableError
from validator.judge_config import JudgeConfig

#: What is sent where a policy names a URL and no key: servers without keys take any.
NO_KEY: Final = "none"
_OPENAI_URL: Final = "https://api.openai.com/v1"
_PORTS: Final = {"http": 80, "https": 443}


class JudgeKey(BaseModel):
    """A key by reference, `env:NAME` or `file:PATH`, and the base URLs that it may be sent to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, StringConstraints(pattern="^(env|file):.+$")]
    base_urls: Annotated[list[Annotated[str, AfterValidator(check_http_url)]], Field(min_length=1, max_length=64)]


_KEYS: Final = TypeAdapter(dict[Name, JudgeKey])


def parse_keys(text: str) -> dict[str, JudgeKey]:
    """Return the keys in a JSON text, by name. Raise ValueError if it is none."""
    return _KEYS.validate_json(text)


class JudgeKeys:
    """The keys of an operator's settings, beside the one of the validator's own judge."""

    def __init__(self, own: JudgeConfig, keys: Mapping[str, JudgeKey], environ: Mapping[str, str]) -> None:
        self._own = own
        self._keys = keys
        self._environ = environ

    def is_own(self, base_url: str | None) -> bool:
        """Return whether a base URL is the one that the operator named for the validator's own judge."""
        return base_url is None or _normalize(base_url) == _normalize(self._own.base_url or _OPENAI_URL)

    def resolve(self, model: JudgeModel) -> JudgeConfig:
        """Return how a model is reached. Raise JudgeUnavailableError if it may not be: an operator can mend that."""
        base_url, api_key = model.base_url, NO_KEY
        if model.key is not None:
            named = self._find(model.key)
            base_url = base_url or named.base_urls[0]
            if _normalize(base_url) not in map(_normalize, named.base_urls):
                message = f"the key {model.key!r} may not be sent to {base_url}: SIGNOFF_JUDGE_KEYS names its base_urls"
                raise JudgeUnavailableError(message, code=ErrorCode.JUDGE_KEY_NOT_ALLOWED)
            api_key = self._read(model.key, named.key)
        elif self.is_own(base_url):
            base_url, api_key = self._own.base_url, self._own.api_key or ""
        given = {"timeout_s": model.timeout_s, "thinking_tokens": model.thinking_tokens}
        changes = {
            "model": model.model,
            "base_url": base_url,
            "api_key": api_key or None,
            "api": model.api,
            "parameters": model.parameters,
        }
        return self._own.model_copy(
            update=changes | {name: value for name, value in given.items() if value is not None}
        )

    def _find(self, name: str) -> JudgeKey:
        if name not in self._keys:
            message = f"this validator has no key {name!r} in SIGNOFF_JUDGE_KEYS"
            raise JudgeUnavailableError(message, code=ErrorCode.JUDGE_KEY_UNKNOWN)
        return self._keys[name]

    def _read(self, name: str, reference: str) -> str:
        source, _, place = reference.partition(":")
        try:
            value = self._environ.get(place, "") if source == "env" else Path(place).read_text()
        except (OSError, UnicodeDecodeError):
            value = ""
        if not value.strip():
            message = f"the key {name!r} of SIGNOFF_JUDGE_KEYS cannot be read: {source} {place} has no value"
            raise JudgeUnavailableError(message, code=ErrorCode.JUDGE_KEY_UNKNOWN)
        return value.strip()


def _normalize(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme.lower())
    return parts.scheme.lower(), (parts.hostname or "").lower(), port, parts.path.rstrip("/")
