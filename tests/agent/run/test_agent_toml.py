"""`agent.toml` is refused with the place of each mistake."""

import sys
from pathlib import Path

import pytest

from signoff_agent.__main__ import main
from signoff_agent.run import describe
from signoff_agent.run.config import ConfigError, load

MODEL = '[model]\nname = "gpt-4o-mini"\n'
TOOL = MODEL + '[[tools]]\nname = "weather"\ndescription = "d"\nurl = "https://api.example/{city}"\n'
INPUT = 'input = {type = "object", properties = {city = {type = "string"}}, required = ["city"]}\n'


def refuse(folder: Path, text: str) -> str:
    file = folder / "agent.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MODEL + "temperature = 0\n", "model.temperature: is no member"),
        (MODEL + "[bounds]\nmodel_call = 3\n", "bounds.model_call: is no member"),
        (MODEL + "[bounds]\nmodel_calls = 0\n", "bounds.model_calls: must be greater than or equal to 1"),
        (MODEL + 'key = "sk-1234"\n', "model.key: must be env:NAME"),
        (MODEL + 'base_url = "ftp://x"\n', "model.base_url: must be an http: or https: URL"),
        (MODEL + 'base_url = "https://user:secret@x/"\n', "model.base_url: must have no user"),
        (MODEL + "parameters = {messages = []}\n", "model: parameters must not have messages"),
        ('template = "{{payload.city}} {{secret}}"\n' + MODEL, "template: secret is none of"),
        (
            'networks = ["10.0.0.1/8"]\n' + MODEL,
            'networks.0: must be a network, such as "10.1.0.0/16": 10.0.0.1/8 has host',
        ),
        ("networks = [true]\n" + MODEL, 'networks.0: must be a network, such as "10.1.0.0/16": '),
        ('model = "gpt-4o-mini"\n', "model: must be a table"),
        (MODEL + '[tools]\nname = "weather"\n', "tools: must be a list: "),
        (TOOL.replace("weather", "the weather") + INPUT, "tools.0.name: must be letters, digits, _ and -, 64 at most"),
        (TOOL + 'input = "city"\n', "tools.0.input: must be a table"),
        (TOOL.replace("{city}", "{city") + INPUT, "tools.0.url: must have } behind each {"),
        ('schema = {type = "nonsense"}\n' + MODEL, "schema: is no JSON Schema"),
        ('[model]\nname = "my-own"\n[bounds]\ncost_usd = 1\n', "no price of my-own is known"),
        (TOOL, "tools.0: input must require city"),
        (TOOL + INPUT + "retries = 3\n", "tools.0.retries: is no member"),
        (TOOL + INPUT + 'headers = {Host = "env:X"}\n', "tools.0.headers: Host is no header that may be set"),
        (TOOL + INPUT + 'headers = {Key = "literal"}\n', "tools.0.headers.Key: must be env:NAME"),
        (TOOL.replace("api.example/", "{host}/") + INPUT, "tools.0: url may have parameters in its path alone"),
        (MODEL + '[[mcp]]\nurl = "https://x/mcp"\ntools = ["a"]\nrepeatable = ["b"]\n', "mcp.0: repeatable names b"),
        (MODEL + '[[mcp]]\nurl = "https://x/mcp"\ntools = []\n', "mcp.0.tools: "),
        (MODEL + '[[mcp]]\nurl = "https://x/sse"\ntools = ["a"]\n', "mcp.0: url must be that of streamable HTTP"),
        (TOOL + INPUT + '[[mcp]]\nurl = "https://x/mcp"\ntools = ["weather"]\n', "two tools have the name weather"),
        (TOOL.replace('"weather"', '"final_result"') + INPUT, "final_result is the name"),
        ("[model", "agent.toml: "),
        ("", "model: is missing"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    assert message in refuse(tmp_path, text)


def test_every_mistake_has_a_line(tmp_path: Path) -> None:
    assert len(refuse(tmp_path, MODEL + 'a = 1\nb = 2\nkey = "x"\n').splitlines()) == 3


def test_missing_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL_KEY", raising=False)
    (tmp_path / "agent.toml").write_text(MODEL + 'key = "env:MODEL_KEY"\n')
    with pytest.raises(SystemExit, match="MODEL_KEY is not set"):
        describe(tmp_path / "agent.toml")


def test_check_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agent.toml"
    monkeypatch.setattr(sys, "argv", ["signoff-agent", "check", str(file)])
    for text, tools in {MODEL: "none", TOOL + INPUT: "weather"}.items():
        file.write_text(text)
        main()
        assert f"tools: {tools}" in capsys.readouterr().out
    file.write_text(TOOL + INPUT + "tries = 3\n")
    with pytest.raises(SystemExit, match=r"tools.0.tries: is no member"):
        main()


def test_schema_that_the_loop_cannot_use(tmp_path: Path) -> None:
    schema = '{type = "object", properties = {a = {"$ref" = "#/$defs/a"}}, "$defs" = {a = {"$ref" = "#/$defs/a"}}}'
    (tmp_path / "agent.toml").write_text(f"schema = {schema}\n{MODEL}")
    with pytest.raises(SystemExit, match=r"schema: .*recursive"):
        describe(tmp_path / "agent.toml")
