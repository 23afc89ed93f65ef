"""The keys by which verdicts and results are known for reuse."""

from datetime import timedelta
from itertools import combinations

import pytest
from support.jobstore.builders import NOW

from jobstore.domain.reuse import result_key, verdict_key

RESULT = b"\x01" * 32


@pytest.mark.parametrize("criteria", ["a\nb", "  a\nb  ", "a\r\nb\r\n", "\n\na\n \t\nb", "\ta \n\n b"])
def test_space_around_criteria_and_empty_lines_are_nothing(criteria: str) -> None:
    assert verdict_key(RESULT, criteria, "m") == verdict_key(RESULT, "a\nb", "m")


def test_everything_else_is_another_verdict() -> None:
    keys = [
        verdict_key(RESULT, "a\nb", "m"),
        verdict_key(b"\x02" * 32, "a\nb", "m"),
        verdict_key(RESULT, "b\na", "m"),
        verdict_key(RESULT, "a b", "m"),
        verdict_key(RESULT, "A\nb", "m"),
        verdict_key(RESULT, "optional: a\nb", "m"),
        verdict_key(RESULT, "a\nb", "m (prompt 2)"),
        verdict_key(RESULT, "a", "\nbm"),
        verdict_key(RESULT, "a\nbm", ""),
    ]
    assert all(one != other for one, other in combinations(keys, 2))


def test_everything_that_is_asked_makes_another_result() -> None:
    keys = [
        result_key("writer", NOW, '{"title":"a"}'),
        result_key("other", NOW, '{"title":"a"}'),
        result_key("writer", NOW + timedelta(microseconds=1), '{"title":"a"}'),
        result_key("writer", NOW, '{"title":"b"}'),
    ]
    assert all(one != other for one, other in combinations(keys, 2))
    assert result_key("writer", NOW, "{}") == result_key("writer", NOW, "{}")
