"""Which criteria a result is judged by, and whether they look beyond it."""

import json

import pytest

from contracts.criteria import Criterion
from jobstore.judging import rules
from jobstore.judging.rules import join_criteria, loop_needs_context, needs_context


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
