"""Declare what an agent's protocol needs to know: its settings, which are frozen with each request by their hash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from contracts.agents import hide_userinfo
from contracts.checks.languages import compile_schema
from contracts.fields import StrictModel, Text
from contracts.templates import DEFAULT, JsonTemplate, TextTemplate, split_path
from signoff.errors import ErrorCode
from signoff.fields import optional
from signoff.jsontext import Json, json_text
from signoff.status import Protocol

#: Bytes of an agent's settings, as JSON.
SETTINGS_MAX_BYTES: Final = 64 << 10

Settings = dict[str, Any]
_Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Path = Annotated[Text, StringConstraints(max_length=1_000), AfterValidator(lambda text: ".".join(split_path(text)))]

#: Members of a request to a model that its callers set themselves: parameters may not.
SET_BY_CALLERS: Final = frozenset(
    "model messages input instructions prompt response_format text store n background stream stream_options functions "  # noqa: SIM905
    "function_call previous_response_id conversation".split()
)
#: Parameters that bound the tokens of an answer, in the words of both APIs.
TOKENS_PARAMETERS: Final = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
#: Types of tools that somebody has to run between two requests.
_LOOP_TOOLS: Final = frozenset({"function", "custom", "computer", "computer_use_preview", "local_shell", "apply_patch"})


class ToolsNeedALoopError(ValueError):
    """Tools were given that a model only asks for: somebody has to run them and to ask again."""

    code = ErrorCode.TOOLS_NEED_A_LOOP


class OpenAISettings(StrictModel):
    """What is sent to a model behind OpenAI's API."""

    model: _Name
    instructions: Text | None = optional("sent beside the task, as the system's or developer's words")
    template: TextTemplate | None = optional(
        "of the task, over title, description, acceptance_criteria, payload, feedback"
    )
    schema_: dict[str, Json] | None = Field(None, alias="schema", description="JSON Schema that the answer must have")
    api: Literal["chat", "responses"] | None = optional("found out where it is not given")
    background: bool = Field(False, description="of Responses: the work goes on by itself, and is polled")
    parameters: dict[str, Json] = Field(
        default_factory=dict, description="sent as they are, such as temperature, and tools of Responses' own"
    )

    @field_validator("schema_")
    @classmethod
    def _check_schema(cls, schema: dict[str, Json] | None) -> dict[str, Json] | None:
        if schema is not None:
            compile_schema(schema)
        return schema

    @field_validator("background")
    @classmethod
    def _check_background(cls, background: bool, info: ValidationInfo) -> bool:
        if background and info.data.get("api") == "chat":
            raise ValueError("is of Responses: leave it out, or have `api` be `responses`")
        return background

    @field_validator("parameters")
    @classmethod
    def _check_parameters(cls, parameters: dict[str, Json], info: ValidationInfo) -> dict[str, Json]:
        for name, value in parameters.items():
            if name in SET_BY_CALLERS:
                raise ValueError(f"{name}: is set by the executor, from the other settings: leave it out")
            if name in TOKENS_PARAMETERS and (type(value) is not int or value < 1):
                raise ValueError(f"{name}: must be a whole number of at least 1")
        if len(TOKENS_PARAMETERS & parameters.keys()) > 1:
            raise ValueError(f"must have one of {', '.join(sorted(TOKENS_PARAMETERS))} at most")
        tools, api = parameters.get("tools"), info.data.get("api")
        for number, tool in enumerate(tools if isinstance(tools, list) else []):
            members = tool if isinstance(tool, dict) else {}
            kind = members.get("type")
            for name in ("authorization", "headers", "server_url"):  # of `mcp`
                if (value := members.get(name)) and (name != "server_url" or hide_userinfo(str(value)) != value):
                    raise ValueError(
                        f"tools.{number}.{name}: a secret here is seen by all who may read agents: leave it "
                        "out, or have `signoff-agent run` call the tool, which takes secrets from its environment"
                    )
            if kind in _LOOP_TOOLS or api == "chat":
                raise ToolsNeedALoopError(
                    f"tools.{number}: somebody has to run a tool of this type, and to ask the model again, "
                    "which `signoff-agent run` does: register it as an agent of http_async"
                )
        if tools is not None and api != "responses" and not info.data.get("background"):
            raise ValueError("tools: are run by Responses alone: have `api` be `responses`")
        return parameters


#: The input of a graph whose settings have none: a message with the task.
MESSAGES: Final = {"messages": [{"role": "user", "content": DEFAULT}]}
#: What a run's configuration must not name: each run is one of the job's own thread, from its last state on.
_OWN_IDS: Final = frozenset({"thread_id", "run_id", "checkpoint_id", "checkpoint_ns"})


def _check_config(config: dict[str, Any]) -> dict[str, Any]:
    configurable = config.get("configurable")
    if isinstance(configurable, dict) and (own := sorted(_OWN_IDS & configurable.keys())):
        raise ValueError(f"configurable has {', '.join(own)}, which are set for each run: leave them out")
    return config


class LangGraphSettings(StrictModel):
    """What is run on a LangGraph server, and which part of its state is the result."""

    assistant: _Name = Field(description="an assistant's id, or the name of a graph")
    input: JsonTemplate = Field(
        MESSAGES, description="the run's input, as JSON whose texts are templates; else a message with the task"
    )
    output: Path = Field("messages.-1.content", description="the path of the result in the state at the run's end")
    config: Annotated[dict[str, Json], AfterValidator(_check_config)] = Field(
        default_factory=dict, description="of the run, such as recursion_limit or configurable"
    )
    context: dict[str, Json] = Field(default_factory=dict, description="of the run, in place of config.configurable")

    @field_validator("context")
    @classmethod
    def _check_context(cls, context: dict[str, Json], info: ValidationInfo) -> dict[str, Json]:
        if context and info.data.get("config", {}).get("configurable"):
            raise ValueError("config.configurable is another form of the same: leave one of them out")
        return context


class A2ASettings(StrictModel):
    """What an A2A server is sent, and which parts of its artifacts are the result."""

    template: TextTemplate | None = optional(
        "of the message's text, over title, description, acceptance_criteria, payload, feedback"
    )
    data: JsonTemplate | None = optional("sent as a data part behind the text; its texts are templates")
    artifact: _Name | None = optional("the name or id of the artifact that is the result; otherwise all are")
    output: Literal["text", "data", "parts"] | None = optional(
        "the result: all texts, joined; the one data part; a list of all parts. Otherwise the part, or a list"
    )


#: The model of each protocol's settings; the others have none.
MODELS: Final[Mapping[Protocol, type[StrictModel]]] = {
    Protocol.OPENAI: OpenAISettings,
    Protocol.LANGGRAPH: LangGraphSettings,
    Protocol.A2A: A2ASettings,
}


def check_settings(protocol: Protocol, settings: Settings) -> Settings:
    """Return the settings of an agent as they are stored, without what is as usual.

    Raise ValueError, or ValidationError with the place in the settings, if the protocol does not have such settings.
    """
    model = MODELS.get(protocol)
    if model is None:
        if settings:
            raise ValueError(f"an agent of protocol {protocol} has none: leave them out")
        return {}
    text = json_text(settings)
    if (size := len(text.encode())) > SETTINGS_MAX_BYTES:
        raise ValueError(f"{size} bytes of JSON exceed the limit of {SETTINGS_MAX_BYTES}")
    if "\\u0000" in text.replace("\\\\", ""):  # in a name or a text: PostgreSQL could not read the fact any more
        raise ValueError("must not contain the character U+0000")
    checked = model.model_validate(settings, extra="forbid")
    stored: Settings = checked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return stored


def hash_settings(settings: Settings) -> bytes | None:
    """Return the SHA-256 of settings, 32 bytes, by which an execution freezes them; None where there are none."""
    return hashlib.sha256(format_settings(settings).encode()).digest() if settings else None


def format_settings(settings: Settings) -> str:
    """Return settings as JSON text whose objects are in the order of their names."""
    return json.dumps(settings, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
