"""Fair shares: nobody starves, no limit is passed, and shares are as the weights say."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from jobstore.executions.fair_share import Flow, Head, Shares, pick, rank
from jobstore.jobs.waiting import AGEING
from jobstore.limits.rules import SharedRoom

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def heads(first: int, count: int, waited_s: float = 0.0) -> list[Head]:
    return [Head(NOW - timedelta(seconds=waited_s) + timedelta(seconds=n), UUID(int=first + n)) for n in range(count)]


def plenty() -> SharedRoom:
    """Room of which nobody can have too much."""
    return SharedRoom(1_000_000, 1_000_000)


@settings(max_examples=10)
@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0.1, 10), min_size=2), st.integers(1, 97))
def test_shares_are_as_the_weights_say(weights, most):
    """However many are picked at once, over 10,000 picks."""
    shares, counts = Shares(weights), Counter()
    while counts.total() < 10_000:
        flows = [Flow(tenant, [], heads(1000 * n, most)) for n, tenant in enumerate(weights)]
        counts.update(list(weights)[i.int // 1000] for i in pick(flows, {}, shares, most, plenty())[0])
    for tenant, weight in weights.items():
        expected = weight / sum(weights.values())
        assert abs(counts[tenant] / counts.total() - expected) < 0.02 * max(expected, 0.05)


FLOWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from(["agent", "label", "tenant"])), st.integers(0, 12)),
    max_size=8,
)


@given(FLOWS, st.dictionaries(st.sampled_from(["agent", "label", "tenant"]), st.integers(0, 6)), st.integers(0, 60))
def test_no_limit_is_passed_and_no_room_is_left_unused(parts, free, most):
    flows = [Flow(t, sorted(limits), heads(100 * n, count)) for n, (t, limits, count) in enumerate(parts)]
    left = dict(free)
    picked, _ = pick(flows, left, Shares(), most, plenty())
    assert len(set(picked)) == len(picked) <= most
    used = Counter(limit for i in picked for limit in flows[i.int // 100].limits)
    assert all(used[limit] <= count and left[limit] == count - used[limit] for limit, count in free.items())
    for number, flow in enumerate(flows):
        taken = [i.int % 100 for i in picked if i.int // 100 == number]
        assert taken == list(range(len(taken))), "within a flow by rank"
        waits = len(taken) < len(flow.heads)
        assert not waits or len(picked) == most or any(left.get(limit, 1) <= 0 for limit in flow.limits)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3600)), min_size=1, max_size=50))
def test_within_a_tenant_the_rank_decides_across_flows(jobs):
    ranked = [Head(rank(NOW + timedelta(seconds=s), priority), UUID(int=n)) for n, (priority, s) in enumerate(jobs)]
    flows = [Flow("a", [limit], sorted(ranked[n::2])) for n, limit in enumerate(["x", "y"])]
    assert pick(flows, {}, Shares(), 100, plenty()) == ([head.execution_id for head in sorted(ranked)], False)


def test_what_waits_long_enough_comes_before_any_priority():
    assert rank(NOW, 0) < rank(NOW + 9 * AGEING + timedelta(seconds=1), 9)
    assert rank(NOW + timedelta(seconds=1), 9) < rank(NOW, 0)


@given(st.integers(1, 5), st.integers(2, 40))
def test_a_flood_of_one_tenant_delays_another_by_one_pick(most, others):
    shares = Shares()
    flood = Flow("flood", [], heads(0, 50), more=True)
    for _ in range(others):
        pick([flood], {}, shares, most, plenty())
    small = Flow("small", [], heads(1000, 1))
    picked, _ = pick([flood, small], {}, shares, 2, plenty())
    assert UUID(int=1000) in picked


def test_who_was_idle_saves_nothing_up():
    shares = Shares()
    for _ in range(100):
        pick([Flow("busy", [], heads(0, 1))], {}, shares, 1, plenty())
    flows = [Flow("busy", [], heads(0, 20)), Flow("idle", [], heads(100, 20))]
    picked, _ = pick(flows, {}, shares, 20, plenty())
    assert 9 <= sum(i.int >= 100 for i in picked) <= 11


def test_it_ends_where_what_follows_was_not_read():
    flows = [Flow("a", [], heads(0, 2), more=True), Flow("a", ["x"], heads(100, 5, waited_s=-3600))]
    assert pick(flows, {}, Shares(), 10, plenty()) == ([UUID(int=0), UUID(int=1)], True)


@given(st.integers(1, 300), st.integers(1, 3), st.lists(st.integers(1, 80), min_size=1, max_size=20))
def test_alone_a_tenant_gets_four_fifths_and_of_two_each_four_ninths(capacity, tenants, passes):
    """However the passes come, and whatever waits; a small capacity is used whole."""
    room, shares = SharedRoom(capacity, capacity), Shares()
    for most in [*passes, capacity]:
        flows = [Flow(f"t{n}", [f"tenant:t{n}"], heads(1000 * n, most)) for n in range(tenants)]
        pick(flows, {}, shares, min(most, room.free), room)
    taken = capacity - room.free
    assert taken == sum(room.held.values())
    assert 4 * tenants * capacity / (4 * tenants + 1) <= taken < 4 * tenants * capacity / (4 * tenants + 1) + tenants
    assert tenants > capacity or max(room.held.values()) - min(room.held.values()) <= 1


@given(st.integers(5, 1_000), st.integers(1, 60))
def test_strangers_of_many_tenants_take_no_more_of_it_for_one_agent_and_another_is_called(capacity, tenants):
    room, shares = SharedRoom(capacity, capacity), Shares()
    flood = [Flow(f"t{n}", [f"tenant:t{n}", "agent:slow"], heads(1000 * n, 97)) for n in range(tenants)]
    while pick(flood, {}, shares, min(97, room.free), room)[0]:
        pass
    assert 5 * room.held["agent:slow"] < 4 * capacity + 5
    honest = Flow("honest", ["tenant:honest", "agent:quick"], heads(0, 1))
    picked, _ = pick([*flood, honest], {}, shares, room.free, room)
    assert picked == [honest.heads[0].execution_id]


def test_who_held_too_much_before_gets_nothing_until_enough_is_free():
    flow = Flow("a", ["tenant:a"], heads(0, 9))
    assert pick([flow], {}, Shares(), 20, SharedRoom(20, 100, {"tenant:a": 80})) == ([], False)
    assert len(pick([flow], {}, Shares(), 20, SharedRoom(20, 100, {"tenant:a": 79}))[0]) == 1
    room = SharedRoom(21, 100, {"tenant:a": 300})
    assert len(pick([flow], {}, Shares(), 20, room)[0]) == 1, "more than a fifth is free"
