"""Which criteria a result is judged by, and whether they look beyond it."""

import pytest

from contracts.criteria import Criterion
from jobstore.domain.judging import criteria
from jobstore.domain.judging.criteria import join_criteria, needs_context


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
    monkeypatch.setattr(criteria, "parse_stored_criteria", lambda _: listed)
    assert needs_context(f"Says red\ncheck: {check}") is looks_beyond
    assert not needs_context("Says red")
