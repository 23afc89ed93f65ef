"""Declare what an agent's protocol needs to know: its settings, which are frozen with each request by their hash."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from contracts.fields import StrictModel, Text
from contracts.templates import TextTemplate, split_path
from signoff.fields import optional
from signoff.jsontext import Json, json_text
from signoff.status import Protocol

#: Bytes of an agent's settings, as JSON.
SETTINGS_MAX_BYTES: Final = 64 << 10

Settings = dict[str, Any]
_Name = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


def _check_path(text: str) -> str:
    split_path(text)
    return text


Path = Annotated[Text, StringConstraints(max_length=1_000), AfterValidator(_check_path)]


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
    parameters: dict[str, Json] = Field(default_factory=dict, description="sent as they are, such as temperature")


#: The model of each protocol's settings; the others have none.
MODELS: Final[Mapping[Protocol, type[StrictModel]]] = {
    Protocol.OPENAI: OpenAISettings,
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
    checked = model.model_validate(settings, extra="forbid")
    stored: Settings = checked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    if (size := len(json_text(stored).encode())) > SETTINGS_MAX_BYTES:
        raise ValueError(f"{size} bytes of JSON exceed the limit of {SETTINGS_MAX_BYTES}")
    return stored


def hash_settings(settings: Settings) -> bytes | None:
    """Return the SHA-256 of settings, 32 bytes, by which an execution freezes them; None where there are none."""
    return hashlib.sha256(format_settings(settings).encode()).digest() if settings else None


def format_settings(settings: Settings) -> str:
    """Return settings as JSON text whose objects are in the order of their names."""
    return json_text(_sort(settings))


def _sort(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sort(value[name]) for name in sorted(value)}
    return [_sort(each) for each in value] if isinstance(value, list) else value
