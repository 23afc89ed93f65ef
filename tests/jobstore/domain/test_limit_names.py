"""Names of limits are read, and room is shared by the names of tenants and agents, and nothing else is counted."""

from datetime import timedelta
from uuid import UUID

import pytest
from support.jobstore.builders import NOW

from jobstore.limits.rules import SharedRoom, batch_limit, flow_of, is_held_back, window_start

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


def test_what_is_offered_takes_room_and_counts_for_its_tenant_and_its_agent() -> None:
    room = SharedRoom(20, 100)
    room.take(("tenant:press", "agent:writer", "batch:1", "label:team=red"))
    room.take(("tenant:press", "agent:other"))
    assert (room.free, room.held) == (18, {"tenant:press": 2, "agent:writer": 1, "agent:other": 1})


def test_who_holds_four_times_what_is_free_is_full_once_no_more_than_a_fifth_is_free() -> None:
    held = {"tenant:press": 79, "agent:writer": 80}
    assert SharedRoom(20, 100, dict(held)).find_full(("tenant:press", "agent:writer")) == "agent:writer"
    assert SharedRoom(20, 100, dict(held)).find_full(("tenant:press", "agent:other")) is None
    assert SharedRoom(21, 100, dict(held)).find_full(("agent:writer",)) is None, "nobody need be counted"
    assert SharedRoom(0, 100, dict(held)).find_full(("agent:writer",)) is None, "there is no room for anybody"
    assert SharedRoom(1, 100, dict(held)).find_full(("agent:writer",)) == "agent:writer"
