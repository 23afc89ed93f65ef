"""Labelled cases: what a line may be, and what is said of one that is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.judging.cases import (
    LINE_MAX_BYTES,
    BadLine,
    Case,
    NumberedCase,
    hash_cases,
    hash_question,
    make_case,
    read_case,
    read_cases,
    read_labels,
)
from contracts.resources import JudgingCase, NewJudgings
from signoff.v1 import judging_service_pb2
from signoff.wire import read_fields, write_message

CRITERIA = [{"text": "It rhymes"}, {"text": "It swears", "kind": "never"}, {"text": "It is short", "required": False}]


def make(**fields):
    return make_case({"id": "a", "result": "words", "criteria": CRITERIA, **fields})


def read(*lines):
    return list(read_cases([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]))


def test_labels_are_a_list_or_named_by_the_criteria():
    listed = make(labels=[True, None, False])
    assert listed.labels == [True, None, False]
    assert make(labels={"It rhymes": True, "optional: It is short": False}) == listed
    assert listed.label is None


@pytest.mark.parametrize(
    ("labels", "label"),
    [([True, True, None], True), ([True, True, False], True), ([False, None, None], False), ([True, None, True], None)],
)
def test_the_whole_follows_from_the_required_criteria(labels, label):
    assert make(labels=labels).label is label


def test_the_whole_may_be_labelled_alone_or_beside_some_criteria():
    assert make(label=False).labels == [None, None, None]
    assert make(label=False, labels=[True, None, None]).label is False


def test_criteria_may_be_given_as_text():
    case = make_case({"id": "a", "result": 1, "acceptance_criteria": "- It rhymes\n- never: It swears", "label": True})
    assert [str(criterion) for criterion in case.criteria] == ["It rhymes", "never: It swears"]


def test_a_result_may_be_any_json_and_even_null():
    assert make(result=None, label=True).result is None
    assert make(result={"a": [1]}, label=True).result == {"a": [1]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "has no label: give label, or labels of some criteria"),
        ({"labels": [None, None, None]}, "has no label: give label, or labels of some criteria"),
        ({"labels": [True]}, "labels has 1 entries for 3 criteria: give one for each, null where unknown"),
        ({"labels": {"It sings": True}}, "labels names 'It sings', which is none of the criteria"),
        (
            {"labels": [True, True, None], "label": False},
            "label is false, and labels say true of the required criteria",
        ),
        (
            {"labels": [False, True, None], "label": True},
            "label is true, and labels say false of the required criteria",
        ),
        ({"label": "yes"}, "label: must be true or false"),
        ({"label": 1}, "label: must be true or false"),
        ({"label": True, "verdict": 1}, "verdict: cannot be given here: leave it out"),
        ({"label": True, "criteria": []}, "criteria: a job needs at least one criterion"),
        ({"label": True, "criteria": [{"text": "a", "required": False}]}, "criteria: all criteria are optional"),
        ({"label": True, "acceptance_criteria": "It sings"}, "acceptance_criteria and criteria say different things"),
        ({"label": True, "criteria": None}, "a job needs at least one criterion"),
        ({"label": True, "id": ""}, "id: must not be empty"),
        ({"label": True, "id": "a\0"}, "id: must not contain the character U+0000"),
        ({"label": True, "vars": {}}, "vars: cannot be given here: leave it out"),
    ],
)
def test_what_is_no_case_is_told(fields, reason):
    assert reason in make(**fields)


def test_two_criteria_of_one_name_are_labelled_by_a_list():
    twice = [{"text": "It rhymes"}, {"text": "It rhymes", "kind": "never"}]
    assert "which two criteria are called" in make(criteria=twice, labels={"It rhymes": True})
    assert make(criteria=twice, labels={"never: It rhymes": True}).labels == [None, True]
    assert make(criteria=twice, labels=[True, False]).label is False


@pytest.mark.parametrize("value", [{"vars": {}}, {"testCase": {}}])
def test_a_case_of_another_kind_is_known_and_told_where_to_go(value):
    assert make_case(value) == "looks like a case of promptfoo: `signoff judge import` makes cases of it"


def test_a_case_without_a_result_is_of_no_other_kind():
    assert "result" in (reason := make_case({"id": "a", "label": True}))
    assert not reason.startswith("looks like")


def test_three_of_the_reasons_are_told():
    assert make(label=True, a=1, b=1, c=1, d=1).count("cannot be given here") == 3


def test_lines_are_told_by_their_number():
    good = {"id": "a", "result": "x", "criteria": CRITERIA, "label": True}
    first, bad, again, other = read(good, b"{", b"\n", good, {**good, "id": "b"})
    assert isinstance(first, NumberedCase)
    assert first.line == 1
    assert bad.line == 2
    assert bad.reason.startswith("is no JSON")
    assert again == BadLine(4, "id 'a' is that of line 1")
    assert other.line == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[]", "is no JSON object"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 500, "is no JSON"),
        (b'{"result": 1e400}', "is no JSON"),
        (b'{"result": NaN}', "is no JSON"),
        (b'"' + b"x" * (LINE_MAX_BYTES - 1) + b'"', "is longer than 8388608 bytes"),
        (b'"' + b"x" * (LINE_MAX_BYTES - 2) + b'"', "is no JSON object"),
    ],
)
def test_hostile_lines_are_told_and_not_raised(line, reason):
    (bad,) = read(line)
    assert reason in bad.reason


def test_an_empty_file_has_no_cases():
    assert read() == []
    assert read(b"\n", b"  \n") == []


def test_lines_are_read_as_they_are_asked_for():
    def endless():
        while True:
            yield b'{"id": "a", "result": 1, "acceptance_criteria": "It rhymes", "label": true}'

    assert next(read_cases(endless())).case.id == "a"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=3, max_size=3),
    st.sampled_from([True, False, None]),
    TEXTS,
    st.none() | st.booleans() | TEXTS | st.lists(TEXTS),
)
def test_a_case_reads_back_as_it_was_written(labels, label, name, result):
    case = make(labels=labels, label=label, id=name, result=result)
    if not isinstance(case, str):
        assert make_case(json.loads(case.write())) == case


def test_a_case_is_written_shortly_with_all_that_is_known_of_it():
    case = make(label=True, title="A poem", payload={"words": 5}, labelled_by="anna")
    assert case.write() == (
        '{"id":"a","result":"words","criteria":[{"text":"It rhymes"},{"text":"It swears","kind":"never"},'
        '{"text":"It is short","required":false}],"labels":[null,null,null],'
        '"title":"A poem","payload":{"words":5},"label":true,"labelled_by":"anna"}'
    )
    assert case.write_labels() == "t---"


def test_the_hash_is_of_what_is_judged_and_of_the_labels_in_any_order():
    one, other = make(label=True), make(label=False)
    assert hash_cases([one, other]) == hash_cases([make(label=True), other]) == hash_cases([other, one])
    assert len({hash_cases(cases) for cases in ([], [one], [other], [one, one], [one, other])}) == 5
    others = [{"title": "A poem"}, {"payload": {"n": 1}}, {"result": "other"}, {"criteria": CRITERIA[:2]}]
    others += [{"description": "Of the sea."}, {"references": {"1": "sea, tree"}}]
    assert len({hash_cases([make(label=True, **each)]) for each in ({}, *others)}) == 7


def test_the_hash_of_a_question_is_the_same_by_its_case_and_by_its_judging():
    task = {"title": "A poem", "description": "Of the sea.", "payload": {"words": 5, "deep": [{"a": None}]}}
    case = make(label=True, result={"b": 1.0, "a": None}, references={"3": "Five words.", "1": "sea, tree"}, **task)
    sent = JudgingCase(**case.ask(2), labels=case.write_labels())
    asked = write_message(judging_service_pb2.CreateJudgingsRequest, NewJudgings(kind="evaluate", cases=[sent]))
    received = NewJudgings(**read_fields(asked)).cases[0]
    assert hash_question(received.model_dump(exclude={"labels"}, exclude_defaults=True)) == hash_question(case.ask(2))
    assert hash_question(dict(reversed(case.ask(2).items()))) == hash_question(case.ask(2))
    assert read_labels(received.labels) == [True, None, None, None]


VALUE = {
    "id": "1",
    "title": "Norway",
    "description": "Its capital?",
    "payload": {"year": 2026},
    "result": "Bergen",
    "acceptance_criteria": "Names it\nIs one word",
    "references": {"2": "Short", "1": "Oslo"},
    "label": False,
}


def test_a_case_is_written_with_its_task_and_references_and_read_again() -> None:
    case = make_case(VALUE)
    assert isinstance(case, Case)
    assert (case.title, case.description, case.payload) == ("Norway", "Its capital?", {"year": 2026})
    assert case.references == {1: "Oslo", 2: "Short"}
    assert read_case(case.write().encode()) == case
    plain = make_case({"id": "1", "result": 1, "acceptance_criteria": "a", "label": True})
    assert isinstance(plain, Case)
    assert not {"description", "references"} & json.loads(plain.write()).keys()


def test_a_reference_of_a_case_is_of_one_of_its_criteria() -> None:
    assert "criterion 3" in str(make_case({**VALUE, "references": {"3": "a"}}))


def test_what_is_asked_of_a_case_is_known_by_one_hash_wherever_it_is_made() -> None:
    case = make_case(VALUE)
    assert isinstance(case, Case)
    new = NewJudgings(cases=[JudgingCase(**case.ask())])
    (sent,) = NewJudgings(**read_fields(write_message(judging_service_pb2.CreateJudgingsRequest, new))).cases
    assert hash_question(sent.model_dump(exclude={"labels"}, exclude_defaults=True)) == hash_question(case.ask())
    other = make_case({**VALUE, "references": {"1": "Oslo"}})
    assert isinstance(other, Case)
    assert hash_question(other.ask()) != hash_question(case.ask())
