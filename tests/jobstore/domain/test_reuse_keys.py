"""The keys by which verdicts and results are known for reuse."""

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from support.jobstore.builders import NOW
from support.jobstore.steps import verdict

from jobstore.jobs.model import Reusable
from jobstore.judging.rules import Asked, is_overruled, may_reuse, rejudged_key, result_key, verdict_key

RESULT = b"\x01" * 32


ASKED = Asked(RESULT, b"\x03" * 32, "a\nb", "t", None)


def key(judge: str = "m", policy: dict[str, object] | None = None, **fields: Any) -> bytes:
    return verdict_key(ASKED._replace(**fields), judge, policy)


@pytest.mark.parametrize("criteria", ["a\nb", "  a\nb  ", "a\r\nb\r\n", "\n\na\n \t\nb", "\ta \n\n b"])
def test_space_around_criteria_and_empty_lines_are_nothing(criteria: str) -> None:
    assert key(acceptance_criteria=criteria) == key()


def test_everything_else_is_another_verdict() -> None:
    keys = [
        key(),
        key(tenant="another"),
        key(result_hash=b"\x02" * 32),
        key(task_hash=b"\x02" * 32),
        key(task_hash=None),
        key(references='{"1":"a"}'),
        key(references='{"2":"a"}'),
        key(acceptance_criteria="b\na"),
        key(acceptance_criteria="a b"),
        key(acceptance_criteria="A\nb"),
        key(acceptance_criteria="optional: a\nb"),
        key("m (prompt 2)"),
        key("\nbm", acceptance_criteria="a"),
        key("", acceptance_criteria="a\nbm"),
        key(policy={"criteria_set": "house@1"}),
        rejudged_key(ASKED),
        rejudged_key(ASKED, {"criteria_set": "house@1"}),
    ]
    assert all(one != other for one, other in combinations(keys, 2))


def test_everything_that_is_asked_makes_another_result() -> None:
    keys = [
        result_key("t", "writer", NOW, '{"title":"a"}'),
        result_key("another", "writer", NOW, '{"title":"a"}'),
        result_key("t", "other", NOW, '{"title":"a"}'),
        result_key("t", "writer", NOW + timedelta(microseconds=1), '{"title":"a"}'),
        result_key("t", "writer", NOW, '{"title":"b"}'),
    ]
    assert all(one != other for one, other in combinations(keys, 2))
    assert result_key("t", "writer", NOW, "{}") == result_key("t", "writer", NOW, "{}")


def test_keys_never_change() -> None:
    """What is kept is found again after an upgrade."""
    assert key().hex() == "4cbdec4436cd77cc8c5a72f166ee43c6b9a10c6b32050bb7717d09f4d254b318"
    assert rejudged_key(ASKED).hex() == "0e1df1393293b57993c5d97e2b99d9c0035f91feb4173d7a4edb17f65099d314"
    assert (
        result_key("t", "writer", NOW, "{}").hex() == "ffe8be74b70d92580fd6a59391a20b062ba296ad4b91edda3cf69f16003d7e93"
    )


@pytest.mark.parametrize(("judged_again_s", "is_outdated"), [(-1, False), (0, True), (1, True)])
def test_a_verdict_is_overruled_unless_it_is_newer(judged_again_s: int, is_outdated: bool) -> None:
    kept = Reusable("job", 1, kept_at=NOW)
    again = Reusable("job", 1, kept_at=NOW + timedelta(seconds=judged_again_s))
    assert (is_overruled(kept, again), is_overruled(kept, None)) == (is_outdated, False)


def test_a_verdict_that_names_no_submission_is_of_the_first() -> None:
    passed = verdict().model_copy(update={"submission": None})
    assert (may_reuse(passed, 1), may_reuse(passed, 2)) == (True, False)
