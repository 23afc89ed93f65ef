"""Objects of JSON are taken apart into the texts that they were written with."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobstore.jobs.model import TransitionKind, members, read_removal, split_bodies, write_removal

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


TOLD = {
    "tenant": "press",
    "created_at": "2026-11-30T09:15:02.000001Z",
    "ended_at": "2026-11-30T09:16:03.500000Z",
}
EXECUTIONS = {"executions": [{"id": "0", "submission": 1, "answer": "completed", "cost_usd": "0.25"}]}
VERDICT = {"verdict": {"version": 5, "sha256": "0f" * 32}}


@pytest.mark.parametrize("said", [{}, VERDICT, EXECUTIONS, EXECUTIONS | VERDICT])
def test_what_an_entry_says_of_a_removed_job_is_told_as_it_was_written(said):
    told = json.dumps(TOLD | said | {"parts": [1, 2]}, separators=(",", ":"))
    row = write_removal(told)
    assert read_removal(row) == told
    assert split_bodies(TransitionKind.REMOVED, None, row) == {"removed": told}
    assert split_bodies(TransitionKind.REMOVED, None, None) == {}
    assert len(row) < len(told) * 0.75


def test_the_row_of_a_usual_life_is_short():
    row = write_removal(json.dumps(TOLD | VERDICT | {"executions": [], "parts": [41, 42]}))
    assert len(row) < 100
    assert '"executions"' not in read_removal(row)
