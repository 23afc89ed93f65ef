"""JSON as text: every value comes back exact, and what cannot be kept is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import json_values, texts

from contracts.jsontext import check_json_value, json_text, members, parse_json
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


@given(st.dictionaries(texts(), json_values()), st.sampled_from([None, 0, 2]))
def test_members_are_the_texts_that_they_were(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=bool(indent))
    found = members(text)
    assert {name: json.loads(part) for name, part in found.items()} == value
    assert all(part in text for part in found.values())


@pytest.mark.parametrize("part", ["1.50", "1e2", "-0", "9" * 5000, '{ "b" :1, "a":"\\u0000" }', "[ ]", '"\\u00e9"'])
def test_a_member_keeps_what_a_value_would_lose(part):
    assert members(f' {{ "x" : {part} , "y":null}}') == {"x": part, "y": "null"}
