"""The keys by which verdicts and results are known for reuse."""

from datetime import timedelta
from itertools import combinations

import pytest
from support.jobstore.builders import NOW

from jobstore.domain.reuse import rejudged_key, result_key, verdict_key

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
