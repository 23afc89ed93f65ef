"""The keys by which verdicts and results are known for reuse."""

from datetime import timedelta
from itertools import combinations

import pytest
from support.jobstore.builders import NOW
from support.jobstore.steps import verdict

from jobstore.domain.reuse import Reusable, is_overruled, may_reuse, rejudged_key, result_key, verdict_key

RESULT = b"\x01" * 32


@pytest.mark.parametrize("criteria", ["a\nb", "  a\nb  ", "a\r\nb\r\n", "\n\na\n \t\nb", "\ta \n\n b"])
def test_space_around_criteria_and_empty_lines_are_nothing(criteria: str) -> None:
    assert verdict_key("t", RESULT, criteria, "m") == verdict_key("t", RESULT, "a\nb", "m")


def test_everything_else_is_another_verdict() -> None:
    keys = [
        verdict_key("t", RESULT, "a\nb", "m"),
        verdict_key("another", RESULT, "a\nb", "m"),
        verdict_key("t", b"\x02" * 32, "a\nb", "m"),
        verdict_key("t", RESULT, "b\na", "m"),
        verdict_key("t", RESULT, "a b", "m"),
        verdict_key("t", RESULT, "A\nb", "m"),
        verdict_key("t", RESULT, "optional: a\nb", "m"),
        verdict_key("t", RESULT, "a\nb", "m (prompt 2)"),
        verdict_key("t", RESULT, "a", "\nbm"),
        verdict_key("t", RESULT, "a\nbm", ""),
        verdict_key("t", RESULT, "a\nb", "m", {"criteria_set": "house@1"}),
        rejudged_key("t", RESULT, "a\nb"),
        rejudged_key("t", RESULT, "a\nb", {"criteria_set": "house@1"}),
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
    assert (
        verdict_key("t", RESULT, "a\nb", "m").hex()
        == "1cbeffa958fea51bac77bcb08eb1ced5e2d233f4040f857e3bce77d753868994"
    )
    assert rejudged_key("t", RESULT, "a\nb").hex() == "0d4208f646005e7c145e9728f1e9492a2d0a6d34bb544554064b7496d95d4189"
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
