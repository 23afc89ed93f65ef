"""How a job's last execution ended stands on the job, until another begins."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.jobstore.builders import NOW, TIMES, done, job, judging, queued, report, running
from support.jobstore.steps import verdict

from contracts.judging.policy import Verdict
from jobstore.jobs.model import Decision, Execution, Job, TransitionKind
from jobstore.jobs.transitions import (
    CODE_MAX_CHARS,
    CRITERION_MAX_CHARS,
    NO_ENDING,
    cut_criterion,
    decide,
    list_not_met,
)
from signoff.judging import CriterionVerdict
from signoff.status import JobStatus, Outcome

ENDED: dict[str, Any] = {"cancelled": True, "code": "agent_status", "duration_s": 3.0, "not_met_criteria": ["Is blue"]}
REQUESTED_AT = NOW - timedelta(seconds=90.5)


def ending_of(decided: Job) -> dict[str, Any]:
    return {name: getattr(decided, name) for name in NO_ENDING}


def decided(before: Job, execution: Execution | None, kind: TransitionKind, **fields: Any) -> dict[str, Any]:
    decision = decide(before, execution, report(kind, execution.lease if execution else 1, **fields), TIMES)
    assert isinstance(decision, Decision)
    assert decision.entry is not None
    assert decision.entry.job == decision.job
    return ending_of(decision.job)


@pytest.mark.parametrize(
    ("execution", "kind", "fields", "expected"),
    [
        (judging(), TransitionKind.MET, {}, {"duration_s": 90.5}),
        (judging(), TransitionKind.MET, {"code": "verdict_reused"}, {"duration_s": 90.5}),
        (running(), TransitionKind.DECLINED, {"code": "declined"}, {"code": "declined", "duration_s": 90.5}),
        (running(), TransitionKind.CANCELLED, {}, {"cancelled": True, "duration_s": 90.5}),
        (running(), TransitionKind.FAILED, {"code": "c" * 100}, {"code": "c" * CODE_MAX_CHARS, "duration_s": 90.5}),
        (
            judging(),
            TransitionKind.NOT_MET,
            {"not_met_criteria": ["Is blue"], "code": "no_progress"},
            {"not_met_criteria": ["Is blue"], "code": "no_progress", "duration_s": 90.5},
        ),
    ],
)
def test_an_end_says_how_it_ended(
    execution: Execution, kind: TransitionKind, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    execution = replace(execution, created_at=REQUESTED_AT)
    assert decided(job(**ENDED), execution, kind, **fields) == {**NO_ENDING, **expected}


@pytest.mark.parametrize("created_at", [None, NOW + timedelta(microseconds=1)])
def test_what_ends_as_it_is_requested_took_no_time(created_at: Any) -> None:
    ending = decided(job(), queued(created_at=created_at), TransitionKind.OVER_BUDGET, code="budget_exhausted")
    assert ending == {**NO_ENDING, "code": "budget_exhausted", "duration_s": 0.0}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (JobStatus.FAILED, TransitionKind.ASSIGNED),
        (JobStatus.PENDING, TransitionKind.MATCHED),
        (JobStatus.RESUBMISSION_REQUIRED, TransitionKind.HANDED_ON),
        (JobStatus.ASSIGNED, TransitionKind.REQUESTED),
    ],
)
def test_what_begins_anew_forgets_how_it_ended(status: JobStatus, kind: TransitionKind) -> None:
    execution = queued() if kind is TransitionKind.REQUESTED else None
    assert decided(job(status, live=False, **ENDED), execution, kind) == NO_ENDING


@pytest.mark.parametrize(
    ("status", "execution", "kind"),
    [
        (JobStatus.FAILED, None, TransitionKind.EDITED),
        (JobStatus.ASSIGNED, None, TransitionKind.CANCELLED),
        (JobStatus.ASSIGNED, done("cancelled", lease=1, result_lease=None), TransitionKind.RESULT),
    ],
)
def test_what_ends_nothing_changes_nothing(
    status: JobStatus, execution: Execution | None, kind: TransitionKind
) -> None:
    assert decided(job(status, live=False, **ENDED), execution, kind, code="another") == ENDED


def test_a_job_that_no_agent_matches_says_so_until_one_does() -> None:
    pending = job(JobStatus.PENDING, live=False)
    assert decided(pending, None, TransitionKind.MATCHING_FAILED, code="matching_failed")["code"] == "matching_failed"


def test_only_required_criteria_that_were_not_passed_are_named_each_once() -> None:
    criteria = [
        CriterionVerdict(text=text, outcome=outcome, required=required)
        for text, outcome, required in (
            ("passed", Outcome.PASS, True),
            ("failed", Outcome.FAIL, True),
            ("optional", Outcome.FAIL, False),
            ("unknown", Outcome.CANNOT_ASSESS, True),
            ("failed", Outcome.FAIL, True),
        )
    ]
    assert list_not_met(Verdict.of(criteria, "a reason")) == ["failed", "unknown"]
    assert list_not_met(verdict()) == []


def test_a_criterion_is_kept_as_far_as_an_index_holds_it() -> None:
    assert cut_criterion("\N{GRINNING FACE}" * 2_000) == "\N{GRINNING FACE}" * CRITERION_MAX_CHARS
    assert cut_criterion("a\0b") == "ab"
    assert 4 * (CRITERION_MAX_CHARS + CODE_MAX_CHARS) < 2_700, "an entry of an index"
    assert (CRITERION_MAX_CHARS, CODE_MAX_CHARS) == (500, 64), "what is stored is looked for as it was cut"
