import pytest
from hypothesis import given
from pydantic import ValidationError
from strategies import json_values

from contracts.jsontext import json_text, parse_json
from contracts.resources import NewJob


def nested(levels):
    return "[" * levels + "1" + "]" * levels


@given(json_values())
def test_every_value_comes_back_exact(value):
    assert json_text(parse_json(json_text(value))) == json_text(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1,"a":2}', {"a": 2}),
        ('"\\u0000"', "\0"),
        ('"\\ud83e\\uddea"', "🧪"),
        ("-1180591620717411303425", -(2**70) - 1),
        (b'"\xc3\xa9"', "é"),
        ('"Infinity, NaN"', "Infinity, NaN"),
        (" [ ] ", []),
    ],
)
def test_odd_json_is_read(text, value):
    assert parse_json(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "NaN", "-Infinity", "1e400", "[-1e400]", '"\\ud800"', b'"\xff"', "[1,]", "01", "{'a':1}", "\ufeff1", "1 2"],
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"column|JSON"):
        parse_json(text)


def test_json_may_have_200_levels():
    assert parse_json(nested(200))
    with pytest.raises(ValueError, match="recursion limit"):
        parse_json(nested(201))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": float("-inf")}]])
def test_a_payload_is_finite(value):
    with pytest.raises(ValidationError, match="JSON"):
        NewJob(title="a", acceptance_criteria="b", payload=value)
