"""Declare how a judge is reached, with which key, and the limits of one judgement."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from contracts.agents import DEFAULT_TENANT, check_http_url
from contracts.criteria import CRITERIA_MAX, CRITERION_MAX_CHARS
from contracts.judging.policy import A_NAME, DEFAULT_POLICY, JudgeModel, JudgePolicy, LoopStep, Name, Stage
from contracts.topics import LIMIT_MAX_BYTES
from servicekit.folders import read_below
from servicekit.models.forms import ApiName
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from validator.errors import JudgeUnavailableError
from validator.prompt import PROMPT_VERSION

#: By default all that the API accepts is judged in full.
DOCUMENT_MAX_CHARS: Final = LIMIT_MAX_BYTES + CRITERIA_MAX * CRITERION_MAX_CHARS

#: The policy of results without one, made once for all.
_PLAIN: Final = JudgePolicy(name=DEFAULT_POLICY)


#: Tokens for the thoughts of a model that was found to need some.
THINKING_TOKENS: Final = 4_096


class JudgeConfig(BaseModel):
    """How to reach a judge, and the limits of one judgement.

    If `api_key` or `base_url` is None, the openai SDK reads OPENAI_API_KEY or OPENAI_BASE_URL instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: str | None = Field(None, repr=False)
    base_url: str | None = None
    model: str = "gpt-5.4-mini"
    api: ApiName | None = Field("chat", description="None: found out")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="sent with every question, such as temperature"
    )
    timeout_s: float = Field(120.0, gt=0, description="of one whole call; a drip of bytes does not extend it")
    connect_timeout_s: float = Field(5.0, gt=0)
    max_asks: int = Field(4, ge=1, description="calls for one criterion, where the answers are nonsense or doubtful")
    asks_within_s: float = Field(
        30.0, gt=0, description="of answers about one result; what is doubtful then is not asked about again"
    )
    thinking_tokens: int | None = Field(
        None, ge=0, description="of an answer, beyond what the verdict itself needs; None: if the model needs them"
    )
    document_max_chars: int = Field(
        DOCUMENT_MAX_CHARS, ge=1, description="of criteria and result together, as JSON; by default all that doors take"
    )
    section_chars: int = Field(400_000, ge=2_000, description="a longer result is judged by sections of so many")
    refuter: JudgeModel | None = Field(
        None, description="who is to refute the pass of a resubmission, best of another family; None: the judge itself"
    )
    confirmer: JudgeModel | None = Field(
        None, description="who is to confirm that quoted passages show what passed; None: nobody"
    )
    answer_max_bytes: int = Field(1 << 20, ge=1, description="of a response's body; the rest is not read")

    @property
    def judge_name(self) -> str:
        """The name under which verdicts may be reused: model, server, and all settings that may change a verdict.

        Two verdicts under one name on the same question are equivalent. The name has the base URL, if one is set, since
        other servers use OpenAI's names of models, and the models that confirm and refute, if they are set. The name
        leaves out settings that only delay or refuse a verdict.
        """
        settings = [
            self.api or "any API",
            f"prompt {PROMPT_VERSION}",
            f"sections of {self.section_chars}",
            f"{self.max_asks} asks within {self.asks_within_s:g} s",
        ]
        if self.thinking_tokens is not None:
            settings.append(f"{self.thinking_tokens} tokens to think")
        if self.parameters:
            settings.append(json_text(self.parameters))
        for done, other in (("confirmed", self.confirmer), ("refuted", self.refuter)):
            if other is not None:
                settings.append(f"{done} by {other.model}{_name_place(other.base_url)}")
        return f"{self.model}{_name_place(self.base_url)} ({', '.join(settings)})"

    @cached_property
    def rules(self) -> JudgePolicy:
        """The policy for results that name none: checks, one judge, and the models that confirm and refute a pass."""
        if self.confirmer is None and self.refuter is None:
            return _PLAIN
        confirming = [] if self.confirmer is None else [LoopStep(confirm=True, judge=self.confirmer)]
        return _PLAIN.model_copy(update={"loop": [*confirming, LoopStep(judge=self.refuter)]})

    @property
    def policy(self) -> JudgePolicy:
        """These settings as the judge policy `default`, which validators report to the jobstore, without secrets."""
        url = urlsplit(self.base_url or "")
        base_url = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}" if self.base_url else None
        model = JudgeModel(
            model=self.model,
            api=self.api,
            base_url=base_url,
            timeout_s=min(self.timeout_s, 3_600),
            thinking_tokens=None if self.thinking_tokens is None else min(self.thinking_tokens, 1_000_000),
        )
        return JudgePolicy(
            name=DEFAULT_POLICY,
            stages=[Stage(kind="checks"), Stage(kind="single", judges=[model])],
            loop=self.rules.loop,
            section_chars=self.section_chars,
            result_max_chars=self.document_max_chars,
            prompt=PROMPT_VERSION,
        )


def _name_place(base_url: str | None) -> str:
    url = urlsplit(base_url or "")
    return f" at {url.netloc.rpartition('@')[2]}{url.path}" if base_url else ""


#: The key for a URL that a policy names without one: servers without keys take any.
NO_KEY: Final = "none"
_OPENAI_URL: Final = "https://api.openai.com/v1"
_PORTS: Final = {"http": 80, "https": 443}


_BaseUrls = Annotated[list[Annotated[str, AfterValidator(check_http_url)]], Field(min_length=1, max_length=64)]


class JudgeKey(BaseModel):
    """A reference to an API key, `env:NAME` or `file:PATH`, and the base URLs to which the key may be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, StringConstraints(pattern="^(env|file):.+$")]
    base_urls: _BaseUrls


class _KeyFile(BaseModel):
    """A file of the folder of keys: an API key, and the base URLs to which the key may be sent."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    value: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = Field(repr=False)
    base_urls: _BaseUrls


#: Bytes of a file of the folder of keys.
_FILE_MAX_BYTES: Final = 64 << 10
_SUFFIX: Final = ".json"
_NAME: Final = re.compile(A_NAME)
_KEYS: Final = TypeAdapter(dict[Name, JudgeKey])


def parse_keys(text: str) -> dict[str, JudgeKey]:
    """Return the judge keys in a JSON text, by name. Raise ValueError if the text is malformed."""
    return _KEYS.validate_json(text)


class JudgeKeys:
    """The API keys that judge policies may name, by an operator's settings, and that of the validator's own judge.

    A policy of a tenant names files of the tenant's folder in `folder`; one of `default` those in `folder` itself, and
    `keys` of the settings.
    """

    def __init__(
        self, own: JudgeConfig, keys: Mapping[str, JudgeKey], environ: Mapping[str, str], folder: Path | None = None
    ) -> None:
        self._own = own
        self._keys = keys
        self._environ = environ
        self._folder = folder

    def list_base_urls(self) -> dict[str, list[str]]:
        """Return, by the names of the keys of `default`, the base URLs to which these may be sent."""
        files = sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder is not None else []
        names = [file.stem for file in files if _NAME.fullmatch(file.stem)]
        found = {name: self._read_file(f"{name}{_SUFFIX}", DEFAULT_TENANT) for name in names}
        named = {name: key.base_urls for name, key in self._keys.items()}
        return {name: file.base_urls for name, file in found.items() if file is not None} | named

    def is_own(self, base_url: str | None) -> bool:
        """Return whether a base URL is that of the validator's own judge, for which None stands, too."""
        return base_url is None or _normalize(base_url) == _normalize(self._own.base_url or _OPENAI_URL)

    def resolve(self, model: JudgeModel, tenant: str = DEFAULT_TENANT) -> JudgeConfig:
        """Return how to reach a model of a tenant's policy.

        Raise JudgeUnavailableError if its key is unknown, another tenant's, or not allowed there.
        """
        base_url, api_key = model.base_url, NO_KEY
        if model.key is not None:
            named = self._find(model.key, tenant)
            base_url = base_url or named.base_urls[0]
            if _normalize(base_url) not in map(_normalize, named.base_urls):
                message = f"the key {model.key!r} may not be sent to {base_url}: where it is set are its base_urls"
                raise JudgeUnavailableError(message, code=ErrorCode.JUDGE_KEY_NOT_ALLOWED)
            api_key = named.value if isinstance(named, _KeyFile) else self._read(model.key, named.key)
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

    def _find(self, name: str, tenant: str) -> JudgeKey | _KeyFile:
        is_own = tenant == DEFAULT_TENANT
        if is_own and name in self._keys:
            return self._keys[name]
        place = f"{name}{_SUFFIX}" if is_own else f"{tenant}/{name}{_SUFFIX}"
        if (file := self._read_file(place, tenant)) is None:
            where = f"{' in SIGNOFF_JUDGE_KEYS, nor' * is_own} as a file {place} below SIGNOFF_JUDGE_KEY_DIR"
            message = f"this validator has no key {name!r}{where}, with its value and base_urls as JSON"
            raise JudgeUnavailableError(message, code=ErrorCode.JUDGE_KEY_UNKNOWN)
        return file

    def _read_file(self, place: str, tenant: str) -> _KeyFile | None:
        if self._folder is None:
            return None
        of_tenant = "" if tenant == DEFAULT_TENANT else tenant
        text = read_below(self._folder, place, _FILE_MAX_BYTES, of_tenant=of_tenant)
        try:
            return _KeyFile.model_validate_json(text or b"")
        except ValidationError:
            return None

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
