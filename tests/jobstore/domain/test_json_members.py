"""Objects of JSON are taken apart into the texts that they were written with."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobstore.jobs.model import TransitionKind, members, split_bodies

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 0, 2]))
def test_members_are_the_texts_that_they_were(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=bool(indent))
    found = members(text)
    assert {name: json.loads(part) for name, part in found.items()} == value
    assert all(part in text for part in found.values())


@pytest.mark.parametrize("part", ["1.50", "1e2", "-0", "9" * 5000, '{ "b" :1, "a":"\\u0000" }', "[ ]", '"\\u00e9"'])
def test_a_member_keeps_what_a_value_would_lose(part):
    assert members(f' {{ "x" : {part} , "y":null}}') == {"x": part, "y": "null"}


def test_what_is_no_object_has_no_members():
    with pytest.raises(ValueError, match="object"):
        members("[]")


@pytest.mark.parametrize(
    ("kind", "request_body", "response", "shown"),
    [
        (TransitionKind.RESULT, None, '{"result": 1 }', {"result": "1"}),
        (TransitionKind.REQUESTED, '{"a": 1}', None, {"request": '{"a": 1}'}),
        (TransitionKind.EDITED, '{"before": 1, "changed": [ ]}', None, {"before": "1", "after": "[ ]"}),
        (TransitionKind.CREATED, '{"payload": 1.0}', None, {"payload": "1.0"}),
    ],
)
def test_bodies_of_an_entry_are_shown_by_their_kind(kind, request_body, response, shown):
    assert split_bodies(kind, request_body, response) == shown
