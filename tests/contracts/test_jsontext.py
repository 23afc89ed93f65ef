"""JSON as text: every value comes back exact, and what cannot be kept is refused."""

import pytest
from hypothesis import given
from pydantic import ValidationError
from strategies import json_values

from contracts.resources import NewJob
from signoff.jsontext import check_json_value, json_text, parse_json


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
    [
        "",
        "\ud800",
        "NaN",
        "-Infinity",
        "1e400",
        "[-1e400]",
        '"\\ud800"',
        b'"\xff"',
        "[1,]",
        "01",
        "{'a':1}",
        "\ufeff1",
        "1 2",
    ],
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"column|JSON|surrogates"):
        parse_json(text)


@pytest.mark.parametrize("levels", [151, 200, 201, 10_000])
def test_json_may_have_150_levels_so_that_an_event_that_holds_it_can_be_read(levels):
    assert parse_json(nested(150))
    with pytest.raises(ValueError, match=r"150 levels|recursion limit"):
        parse_json(nested(levels))
    wide = [[] for _ in range(levels)]
    assert check_json_value(wide) is wide


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": float("-inf")}]])
def test_a_payload_is_finite(value):
    with pytest.raises(ValidationError, match="JSON"):
        NewJob(title="a", acceptance_criteria="b", payload=value)
