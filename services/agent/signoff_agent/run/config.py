"""Read and check `agent.toml`."""

import os
import re
import tomllib
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import httpx2
from genai_prices import Usage, calc_price
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from signoff_agent.run import templates

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_HEADERS_OF_HTTP: Final = frozenset(
    ("accept-encoding", "connection", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding")
)
#: Members of a request to a model that `parameters` may not set, since the run sets them.
_PARAMETERS_OF_RUN: Final = frozenset(("input", "messages", "model", "stream", "tools"))


#: What to do about mistakes that pydantic calls by words of Python.
_WORDS: Final = {
    "dict_type": "must be a table",
    "extra_forbidden": "is no member that an agent has here; remove it, or mend its name",
    "list_type": 'must be a list: ["a", "b"], or tables with two brackets, such as [[tools]]',
    "missing": "is missing",
    "model_type": "must be a table",
    "string_pattern_mismatch": "must be letters, digits, _ and -, 64 at most",
}


class ConfigError(Exception):
    """The file cannot be used; the message has a line for each place in it."""


def _read_network(text: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(text))
    except ValueError as error:
        raise ValueError(f'must be a network, such as "10.1.0.0/16": {error}') from None


def _check_url(url: str) -> str:
    filled = _PLACE.sub("x", url)
    if {"{", "}"} & set(filled):
        raise ValueError("must have } behind each {")
    try:
        parsed = httpx2.URL(filled)
    except httpx2.InvalidURL as error:
        raise ValueError(f"is no URL: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("must be an http: or https: URL")
    if parsed.userinfo or parsed.fragment:
        raise ValueError("must have no user, password or fragment; secrets go into headers")
    return url


def _check_fixed_url(url: str) -> str:
    if "{" in url:
        raise ValueError("must have no parameters")
    return _check_url(url)


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"is no JSON Schema: {error.message[:200]}") from None
    if schema.get("type") != "object":
        raise ValueError('must have type = "object"')
    return schema


def _check_reference(reference: str) -> str:
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", reference):
        raise ValueError("must be env:NAME, the name of a variable that has the value")
    return reference


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or name.lower() in _HEADERS_OF_HTTP:
            raise ValueError(f"{name[:50]} is no header that may be set")
    return headers


Network = Annotated[Any, AfterValidator(_read_network)]
Url = Annotated[str, AfterValidator(_check_fixed_url)]
Schema = Annotated[dict[str, Any], AfterValidator(_check_schema)]
Reference = Annotated[str, AfterValidator(_check_reference)]
Headers = Annotated[dict[str, Reference], AfterValidator(_check_headers)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Table):
    """What a model costs, in USD for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ModelConfig(_Table):
    """A model behind OpenAI's API."""

    name: str = Field(min_length=1)
    base_url: Url = "https://api.openai.com/v1"
    key: Reference | None = None
    api: Literal["chat", "responses"] = "chat"
    parameters: dict[str, Any] = Field(default_factory=dict)
    price: Price | None = None
    timeout_s: float = Field(120.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if taken := _PARAMETERS_OF_RUN & self.parameters.keys():
            raise ValueError(f"parameters must not have {', '.join(sorted(taken))}")
        return self

    def calculate_cost(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what a call costs, in USD, by the name that the file has, whatever its server answers; None: unknown.

        `cached_tokens` are part of `input_tokens`.
        """
        if self.price is not None:
            return Decimal(str(input_tokens * self.price.input + output_tokens * self.price.output)) / 1_000_000
        cached_tokens = min(cached_tokens, input_tokens)
        usage = Usage(input_tokens=input_tokens, cache_read_tokens=cached_tokens, output_tokens=output_tokens)
        try:
            return calc_price(usage, self.name).total_price
        except LookupError:
            return None


class HttpTool(_Table):
    """A tool that is one HTTP request: path parameters by name, the other arguments as query or JSON body."""

    name: ToolName
    description: str = Field(min_length=1)
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Annotated[str, AfterValidator(_check_url)]
    input: Schema = Field(default_factory=lambda: {"type": "object", "properties": {}})
    headers: Headers = Field(default_factory=dict)
    repeatable: bool = False
    timeout_s: float = Field(60.0, gt=0)

    @property
    def path_parameters(self) -> list[str]:
        """The names in the URL's path that arguments replace."""
        return _PLACE.findall(self.url)

    @model_validator(mode="after")
    def _check(self) -> Self:
        before, _, path = self.url.partition("://")[2].partition("/")
        if "{" in before or "{" in path.partition("?")[2]:
            raise ValueError("url may have parameters in its path alone")
        required = self.input.get("required", [])
        if missing := [name for name in self.path_parameters if name not in required]:
            raise ValueError(f"input must require {', '.join(missing)}, which the path of url has")
        return self


class McpServer(_Table):
    """An MCP server (streamable HTTP), and those of its tools that the model may call."""

    url: Url
    tools: list[ToolName] = Field(min_length=1)
    repeatable: list[ToolName] = Field(default_factory=list)
    headers: Headers = Field(default_factory=dict)
    timeout_s: float = Field(60.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if unknown := set(self.repeatable) - set(self.tools):
            raise ValueError(f"repeatable names {', '.join(sorted(unknown))}, which tools does not")
        if re.search(r"/sse(/|\?|$)", self.url):
            raise ValueError("url must be that of streamable HTTP; server-sent events of old are not spoken")
        return self


class Bounds(_Table):
    """What one run may use, over all its attempts; `seconds` bounds each attempt."""

    model_calls: int = Field(20, ge=1, le=1_000)
    tool_calls: int = Field(50, ge=0, le=10_000)
    tokens: int = Field(200_000, ge=1)
    cost_usd: float | None = Field(None, gt=0)
    seconds: float = Field(600.0, gt=0)
    answer_bytes: int = Field(65_536, ge=1, le=4_194_304)


class AgentConfig(_Table):
    """An agent: its model, what it is told, its tools and its bounds."""

    instructions: str | None = None
    template: Annotated[str, AfterValidator(templates.check)] = templates.DEFAULT
    schema_: Schema | None = Field(None, alias="schema")
    networks: list[Network] = Field(default_factory=list)
    max_running: int = Field(100, ge=1, le=10_000)
    model: ModelConfig
    bounds: Bounds = Field(default_factory=Bounds)
    tools: list[HttpTool] = Field(default_factory=list)
    mcp: list[McpServer] = Field(default_factory=list)

    @property
    def repeatable(self) -> frozenset[str]:
        """The tools that may be called again where an answer was lost."""
        own = {tool.name for tool in self.tools if tool.repeatable}
        return frozenset(own.union(*(server.repeatable for server in self.mcp)))

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [tool.name for tool in self.tools] + [name for server in self.mcp for name in server.tools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two tools have the name {', '.join(twice)}")
        if "final_result" in names:
            raise ValueError("final_result is the name by which the model gives its result; give the tool another one")
        if self.bounds.cost_usd is not None and self.model.calculate_cost(1, 0, 1) is None:
            raise ValueError(f"bounds.cost_usd: no price of {self.model.name} is known; give it as model.price")
        return self


def load(path: Path) -> AgentConfig:
    """Read an agent from a file. Raise ConfigError."""
    try:
        return AgentConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, found['loc'])) or 'agent.toml'}: {_say(found)}" for found in error.errors()]
        raise ConfigError("\n".join(lines)) from None


def read_reference(reference: str) -> str:
    """Return the value that an `env:NAME` refers to. Raise ConfigError if there is none."""
    name = reference.removeprefix("env:")
    value = os.environ.get(name, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ConfigError(f"the variable {name} is not set, or is no printable ASCII; agent.toml refers to it")
    return value


def read_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return headers with the values that their references stand for. Raise ConfigError if one is not there."""
    return {name: read_reference(reference) for name, reference in headers.items()}


def _say(error: Any) -> str:
    return _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ").replace("Input should", "must")
