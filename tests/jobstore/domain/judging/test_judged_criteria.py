"""Which criteria a result is judged by, and whether they look beyond it."""

import hashlib
import json

import pytest
from support.jobstore.builders import OWNER, TIMES, done, job, report

from contracts.criteria import Criterion
from contracts.events import hash_task
from jobstore.jobs.model import Decision, Execution, ExecutionStage, Job, Refusal, TransitionKind, bound_chars
from jobstore.jobs.transitions import decide
from jobstore.judging import rules
from jobstore.judging.rules import (
    CUT,
    TASK_MAX_CHARS,
    Task,
    Version,
    format_task,
    join_criteria,
    list_members,
    loop_needs_context,
    needs_context,
    read_task,
)
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


TASK = Task("A title", 'Say "so"', '{"n": 1.0}', '{"reason":"why"}')


def test_a_policy_says_which_members_judges_see() -> None:
    assert format_task(TASK, "") == '{"title":"A title","description":"Say \\"so\\"","payload":{"n": 1.0}}'
    assert format_task(TASK, '{"task":["payload","feedback"]}') == '{"payload":{"n": 1.0},"feedback":{"reason":"why"}}'
    assert format_task(TASK, '{"name":"of before it was named"}') == format_task(TASK, "")
    assert format_task(TASK, '{"task":[]}') == ""
    assert list_members("") == {"title", "description", "payload"}


def test_what_says_nothing_is_left_out() -> None:
    assert format_task(Task("null", "", "null", None), '{"task":["title","description","payload","feedback"]}') == (
        '{"title":"null"}'
    )
    assert format_task(Task("", "", "null"), "") == ""


@pytest.mark.parametrize("excess", [0, 1, 1_000_000])
def test_a_long_task_is_cut_with_a_word_where(excess: int) -> None:
    payload = json.dumps(["\u00e9" * (TASK_MAX_CHARS - len("A titleSo") - 4 + excess)], ensure_ascii=False)
    shown = json.loads(format_task(Task("A title", "So", payload), ""))
    assert (shown["title"], shown["description"]) == ("A title", "So")
    if not excess:
        assert shown["payload"] == json.loads(payload)
        return
    assert shown["payload"].endswith(CUT)
    assert payload.startswith(shown["payload"].removesuffix(CUT))
    assert sum(map(len, shown.values())) == TASK_MAX_CHARS


def test_what_is_short_stands_whole_beside_what_is_long() -> None:
    long = "x" * 3 * TASK_MAX_CHARS
    shown = json.loads(format_task(Task("t", long, json.dumps(long), '{"a":1}'), '{"task":["description","payload"]}'))
    assert [len(text) for text in shown.values()] == [TASK_MAX_CHARS // 2] * 2
    shown = json.loads(format_task(Task("t", "y" * 8_000, json.dumps(long)), ""))
    assert shown["description"] == "y" * 8_000
    assert len(shown["payload"]) == TASK_MAX_CHARS - 8_001


def test_the_hash_is_of_the_whole_as_the_body_has_it() -> None:
    text = '{"title":"A title","description":"Say \\"so\\"","payload":{"n": 1.0}}'
    assert hash_task(*TASK[:3]) == hashlib.sha256(text.encode()).digest()
    body = {"title": '"A title"', "description": '"Say \\"so\\""', "payload": '{"n": 1.0}', "feedback": "null"}
    assert read_task(body) == TASK._replace(feedback="null")
    assert hash_task(*read_task(body)[:3]) == hash_task(*TASK[:3])
    long = "x" * TASK_MAX_CHARS
    assert hash_task("t", long + "a", "null") != hash_task("t", long + "b", "null")
