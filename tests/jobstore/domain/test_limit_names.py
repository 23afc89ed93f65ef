"""Names of limits, what they apply to, and the windows in which starts are counted."""

from datetime import timedelta
from uuid import UUID

import pytest
from support.jobstore.builders import NOW

from jobstore.limits.rules import batch_limit, flow_of, is_held_back, window_start

BATCH = UUID(int=7)


def test_a_flow_names_its_agent_and_what_is_limited() -> None:
    limits = {"label:team=*", f"batch:{BATCH}"}
    flow = flow_of("writer", {"team": "red", "size": "s"}, BATCH, limits)
    assert flow == ["agent:writer", batch_limit(BATCH), "label:team=red"]
    assert flow_of("writer", {"team": "red"}, None, ()) == ["agent:writer"]


@pytest.mark.parametrize("limit", ["label:team=a=b", "label:team=*"])
def test_a_name_is_of_one_label_alone(limit: str) -> None:
    assert flow_of("writer", {"team": "a=b"}, None, {limit}) == ["agent:writer", "label:team=a=b"]
    assert flow_of("writer", {"team=a": "b"}, None, {limit}) == ["agent:writer"]


def test_a_limit_of_its_own_or_of_its_kind_holds_back() -> None:
    assert is_held_back("a", [], {"tenant:*"})
    assert not is_held_back("a", [], {"tenant:b"})
    assert not is_held_back("a", [], ())


def test_starts_of_a_period_are_counted_for_it_and_one_part_more() -> None:
    assert NOW - window_start(NOW, 60.0) == timedelta(seconds=63)
