"""The settings of a model: what it is sent, and what is refused when they are saved, with its place."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.agent_settings import check_settings, hash_settings
from contracts.fields import explain
from contracts.resources import NewAgent
from signoff.status import Protocol

WHOLE = {
    "model": "gpt-5.4-mini",
    "instructions": "Answer in one word.",
    "template": "{{title}} of {{payload.city}}",
    "schema": {"type": "object", "properties": {"word": {"const": None}}},
    "api": "responses",
    "background": True,
    "parameters": {"temperature": 0, "max_output_tokens": 100, "tools": [{"type": "web_search"}, {"type": "mcp"}]},
}
LOOPS = [
    {"api": "responses", "parameters": {"tools": [{"type": "web_search"}, {"type": "function", "name": "f"}]}},
    {"api": "responses", "parameters": {"tools": [{"type": "custom", "name": "f"}]}},
    {"api": "chat", "parameters": {"tools": [{"type": "function", "function": {"name": "f"}}]}},
    {"parameters": {"tools": [{"type": "function", "function": {"name": "f"}}]}},
]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "settings.model: "),
    "an empty model": ({"model": ""}, "settings.model: must not be empty"),
    "an unknown member": ({"modle": "m"}, "settings.modle: "),
    "an unknown name": ({"template": "{{secret}}"}, "settings.template: secret is none of"),
    "a template without an end": ({"template": "{{title"}, "settings.template: "),
    "code in a template": ({"template": "{{payload['city']}}"}, "settings.template: "),
    "no schema": ({"schema": {"type": "objekt"}}, "settings.schema: "),
    "a schema of elsewhere": ({"schema": {"$ref": "http://169.254.169.254/"}}, "settings.schema: "),
    "another API": ({"api": "completions"}, "settings.api: "),
    "chat in the background": ({"api": "chat", "background": True}, "settings.background: is of Responses"),
    "tools without their API": ({"parameters": {"tools": [{"type": "web_search"}]}}, "settings.parameters: tools: "),
    **{
        f"{name} among parameters": ({"parameters": {name: 1}}, f"settings.parameters: {name}: is set by the executor")
        for name in ("model", "messages", "input", "instructions", "store", "background", "stream", "n", "text")
    },
    **{
        f"{name} of a tool": (
            {"api": "responses", "parameters": {"tools": [{"type": "web_search"}, {"type": "mcp", name: given}]}},
            f"settings.parameters: tools.1.{name}: a secret here is seen",
        )
        for name, given in {
            "authorization": "s3cret",
            "headers": {"X-Key": "s3cret"},
            "server_url": "https://me:s3cret@tools.example/mcp",
        }.items()
    },
    "no bound of tokens": ({"parameters": {"max_tokens": 0}}, "settings.parameters: max_tokens: must be"),
    "true as a bound of tokens": ({"parameters": {"max_tokens": True}}, "settings.parameters: max_tokens: must be"),
    "two bounds": ({"parameters": {"max_tokens": 1, "max_output_tokens": 1}}, "settings.parameters: must have one"),
    "U+0000 in a text": ({"parameters": {"stop": ["\\\0"]}}, "settings: must not contain the character U+0000"),
    "U+0000 in a name": ({"schema": {"title\0": ""}}, "settings: must not contain the character U+0000"),
    "too much": ({"instructions": "x" * (64 << 10)}, "settings: "),
}


def register(settings: dict[str, Any]) -> NewAgent:
    given = {
        "name": "a",
        "protocol": "openai",
        "url": "https://api.openai.com/v1",
        "settings": {"model": "m", **settings},
    }
    return NewAgent.model_validate(given)


def test_settings_are_kept_as_they_were_given() -> None:
    assert register(WHOLE).settings == WHOLE
    assert check_settings(Protocol.OPENAI, WHOLE) == WHOLE
    assert hash_settings(WHOLE) == hash_settings(dict(reversed(WHOLE.items())))


@pytest.mark.parametrize("settings", LOOPS)
def test_a_tool_that_needs_a_loop_is_refused_with_who_runs_one(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        register(settings)
    code, message = explain(refused.value)
    assert code == "tools_need_a_loop"
    assert message.startswith("settings.parameters: tools.")
    assert "signoff-agent run" in message


@pytest.mark.parametrize("size", [60 << 10, 8 << 20])
def test_a_template_of_nothing_but_braces_is_refused_at_once(size: int) -> None:
    began = time.process_time()
    with pytest.raises(ValidationError):
        register({"template": "{" * size})
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(name: str) -> None:
    settings, place = REFUSED[name]
    with pytest.raises(ValidationError) as refused:
        register(settings)
    message = explain(refused.value)[1]
    assert message.startswith(place)
    assert "s3cret" not in message
