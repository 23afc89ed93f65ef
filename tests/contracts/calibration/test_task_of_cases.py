"""Labelled cases carry what the agent was asked, and references for judges, in whatever order these were given."""

import json

from contracts.judging.cases import Case, hash_question, make_case, read_case
from contracts.resources import JudgingCase, NewJudgings
from signoff.v1 import judging_service_pb2
from signoff.wire import read_fields, write_message

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
