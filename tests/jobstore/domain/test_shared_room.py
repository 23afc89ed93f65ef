"""Room is shared by the names of tenants and agents, and nothing else is counted."""

from jobstore.limits.rules import SharedRoom


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
