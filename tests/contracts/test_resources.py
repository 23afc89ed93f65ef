"""Resources refuse what is out of bounds, and ignore what a newer writer adds."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.events import ExecuteRequested, JobStatusReported
from contracts.judging.policy import Verdict
from contracts.resources import Job, NewAgent, NewJob, Policy
from contracts.waiting import Owner, WaitCode
from signoff import status, types
from signoff.errors import ErrorCode
from signoff.judging import CriterionVerdict
from signoff.status import Delivery, Outcome, ReportKind
from signoff.values import new_execution_id

criteria = st.lists(
    st.builds(CriterionVerdict, text=st.just("a"), outcome=st.sampled_from(Outcome), required=st.booleans()), max_size=5
)


@given(criteria)
def test_verdict_is_valid_when_every_required_criterion_passed(judged):
    verdict = Verdict.of(judged, "because")
    assert verdict.is_valid == all(c.outcome is Outcome.PASS for c in judged if c.required)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@given(criteria)
def test_verdict_cannot_claim_more_than_its_criteria(judged):
    claim = {"is_valid": True, "reason": "trust me", "criteria": [c.model_dump() for c in judged]}
    if Verdict.of(judged, "because").is_valid:
        assert Verdict.model_validate(claim).is_valid
    else:
        with pytest.raises(ValidationError, match="a required criterion did not pass"):
            Verdict.model_validate(claim)


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.CANNOT_ASSESS])
def test_optional_criterion_is_judged_and_does_not_decide(outcome):
    optional = CriterionVerdict(text="b", outcome=outcome, required=False)
    assert Verdict.of([CriterionVerdict(text="a", outcome=Outcome.PASS), optional], "because").is_valid


P, F, C = Outcome


@pytest.mark.parametrize(
    ("outcomes", "unproven", "is_unproven"),
    [
        ((C, P), "u-", True),
        ((C, C), "uu", True),
        ((C, C), "u-", False),  # the judge's own word stays the agent's matter
        ((C, F), "u-", False),
        ((F, P), "--", False),
        ((P, P), "--", False),
    ],
)
def test_a_verdict_is_unproven_where_all_that_is_open_is(outcomes, unproven, is_unproven):
    judged = [
        CriterionVerdict(text="a", outcome=outcome, unproven=letter == "u")
        for outcome, letter in zip(outcomes, unproven, strict=True)
    ]
    verdict = Verdict.of(judged, "because")
    assert verdict.is_unproven == is_unproven
    assert Verdict.of(judged, "because", judge_error="judge_refused").is_unproven is False
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_what_is_optional_makes_no_verdict_unproven():
    optional = CriterionVerdict(text="b", outcome=C, required=False, unproven=True)
    assert not Verdict.of([CriterionVerdict(text="a", outcome=P), optional], "because").is_unproven
    assert not Verdict.of([CriterionVerdict(text="a", outcome=F), optional], "because").is_unproven
    failed = CriterionVerdict(text="b", outcome=F, required=False)
    assert Verdict.of([CriterionVerdict(text="a", outcome=C, unproven=True), failed], "because").is_unproven


def test_only_what_is_unproven_says_so():
    assert "unproven" not in CriterionVerdict(text="a", outcome=C).model_dump()
    assert CriterionVerdict(text="a", outcome=C, unproven=True).model_dump()["unproven"] is True


def test_verdict_goes_with_its_kind_and_only_with_it():
    fields = {"execution_id": new_execution_id(), "job_id": "a", "attempt": 1, "lease": 1, "seq": 1}
    fields["reported_at"] = "2026-11-24T09:30:00Z"
    verdict = Verdict.of([], "because")
    assert JobStatusReported(**fields, kind=ReportKind.VERDICT, verdict=verdict).verdict == verdict
    for wrong in [{"kind": ReportKind.VERDICT}, {"kind": ReportKind.PROGRESS, "verdict": verdict}]:
        with pytest.raises(ValidationError, match="a verdict goes with kind"):
            JobStatusReported(**fields, **wrong)


def test_inline_job_has_no_other_id_than_its_event():
    job = {"id": "b", "title": "c", "acceptance_criteria": "d"}
    with pytest.raises(ValidationError, match=r"job\.id differs"):
        ExecuteRequested(execution_id=new_execution_id(), job_id="a", job=job)
    assert ExecuteRequested(execution_id=new_execution_id(), job_id="b", job=job).job.id == "b"


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "a" * 501},
        {"title": "a\0b"},
        {"acceptance_criteria": " \n"},
        {"id": "../a"},
        {"id": "a" * 129},
        {"id": "a\n"},
        {"priority": 10},
        {"labels": {"a": "b" * 201}},
        {"labels": {str(n): "" for n in range(65)}},
        {"policy": {"deadline_s": float("inf")}},
        {"policy": {"max_calls": 0}},
    ],
)
def test_new_job_out_of_bounds_is_refused(change):
    fields = {"title": "a", "acceptance_criteria": "b"}
    assert NewJob(**fields)
    with pytest.raises(ValidationError):
        NewJob(**fields | change)


@pytest.mark.parametrize("url", ["", "agent", "file:///etc/passwd", "http://", "http://a\0b/"])
def test_agent_is_reached_by_http_only(url):
    with pytest.raises(ValidationError):
        NewAgent(name="a", url=url)


def test_unknown_fields_are_ignored():
    times = {"created_at": "2026-11-24T09:30:00Z", "updated_at": "2026-11-24T09:30:00Z"}
    job = Job(id="a", title="b", status="PENDING", version=1, **times, watchers=["ann"])
    assert "watchers" not in job.model_dump()


def test_policy_leaves_open_what_nobody_set():
    assert Policy.model_validate({"max_attempts": 2}) == Policy(max_calls=2), "its earlier name is taken still"
    job, agent = Policy(max_calls=2), Policy(max_calls=5, delivery=Delivery.AT_MOST_ONCE)
    assert job.over(agent) == Policy(max_calls=2, delivery=Delivery.AT_MOST_ONCE)


def test_a_policy_that_is_asked_for_has_the_fields_of_one_that_is_answered_with_checks_of_its_own():
    for name, answered in types.Policy.model_fields.items():
        asked = Policy.model_fields[name]
        assert (asked.description, asked.default) == (answered.description, answered.default)
    assert types.Policy(max_calls=1_000).max_calls == 1_000  # of a newer server, which allows more
    with pytest.raises(ValidationError):
        Policy(max_calls=1_000)


#: Where something stands, or what has become of it.
STANDING = {
    "Circuit",
    "ExecutionState",
    "ItemOutcome",
    "JobLogStatus",
    "JobStatus",
    "JudgingState",
    "LetterOutcome",
    "OperationState",
    "TryState",
}
#: Words that are no names: a sign stands before a field.
OTHERS = {"JobOrder"}


def test_words_of_where_something_stands_are_in_capitals_and_others_are_not() -> None:
    found = [each for each in vars(status).values() if isinstance(each, type) and issubclass(each, StrEnum)]
    kinds = {each.__name__: each for each in [*found, ErrorCode, WaitCode, Owner] if each is not StrEnum}
    assert kinds.keys() >= STANDING | OTHERS
    for name, kind in kinds.items():
        words = {word.value for word in kind}
        if name not in OTHERS:
            assert words == {word.name if name in STANDING else word.name.lower() for word in kind}, name
