"""Which criteria a result is judged by, and whether they look beyond it."""

import json

import pytest
from support.jobstore.builders import OWNER, TIMES, done, job, report

from contracts.criteria import Criterion
from jobstore.jobs.model import Decision, Execution, ExecutionStage, Job, Refusal, TransitionKind, bound_chars
from jobstore.jobs.transitions import decide
from jobstore.judging import rules
from jobstore.judging.rules import Version, join_criteria, loop_needs_context, needs_context
from signoff.status import JobStatus


def test_a_set_adds_what_a_job_does_not_ask_for_already() -> None:
    assert join_criteria("- Says red", "optional: Says red\nSays red\nnever: Is rude") == (
        "- Says red\noptional: Says red\nnever: Is rude"
    )
    assert join_criteria("", "Says red") == "Says red"


@pytest.mark.parametrize(
    ("check", "looks_beyond"),
    [
        ("max_words 200", False),
        ("differs", True),
        ("cel result.n > 3", False),
        ("cel result.n > payload.n", True),
        ("cel submission > 1", True),
    ],
)
def test_some_checks_look_beyond_the_result(monkeypatch: pytest.MonkeyPatch, check: str, looks_beyond: bool) -> None:
    listed = [Criterion(text="Says red"), Criterion(text=check, kind="check")]
    monkeypatch.setattr(rules, "parse_stored_criteria", lambda _: listed)
    assert needs_context(f"Says red\ncheck: {check}") is looks_beyond
    assert not needs_context("Says red")


def test_so_do_some_that_a_policy_asks_for_besides_from_some_submission_on() -> None:
    steps = [
        {"check": "max_words 9"},
        {"check": "differs", "from_submission": 3},
        {"asks": 2},
        {"check": "of a newer kind"},
    ]
    looks = [[loop_needs_context(json.dumps({"loop": steps[:n]}), k) for k in (1, 2, 3)] for n in range(5)]
    assert looks == [[False] * 3, [False] * 3, [False, False, True], [False, False, True], [False, True, True]]
    assert not loop_needs_context("", 9)
    assert not loop_needs_context('{"loop": null, "x": "\\"check\\""}', 9)


S = JobStatus


def test_a_late_result_is_judged_again_as_one_that_was_judged() -> None:
    late = done("cancelled", stage=ExecutionStage.EXECUTING)
    decision = decide(job(S.COMPLETED), late, report(TransitionKind.REJUDGED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert decision.execution.stage is ExecutionStage.JUDGING


@pytest.mark.parametrize(
    ("standing", "execution", "code"),
    [
        (job(S.COMPLETED, live=True), done(), "execution_live"),
        (job(S.COMPLETED), None, "nothing_to_judge"),
        (job(S.COMPLETED, execution_id=OWNER), done(), "nothing_to_judge"),
        (job(S.COMPLETED), done(result_version=None), "nothing_to_judge"),
    ],
)
def test_a_result_is_judged_again_only_of_the_last_execution_that_has_ended(
    standing: Job, execution: Execution | None, code: str
) -> None:
    refused = decide(standing, execution, report(TransitionKind.REJUDGED), TIMES)
    assert isinstance(refused, Refusal)
    assert refused.code == code


@pytest.mark.parametrize(("most", "told"), [(None, None), (7, 7), ("7", 7), (2**53, 2**53), (2**53 + 1, 2**53)])
def test_a_grant_says_as_many_characters_as_a_number_of_json_holds(most: int | str | None, told: int | None) -> None:
    assert bound_chars(most) == told
    body = "{}" if most is None else f'{{"result_max_chars":{most}}}'
    assert Version("strict", 3, body, is_retired=False).result_max_chars == told
