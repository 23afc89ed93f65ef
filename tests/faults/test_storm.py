"""What a storm is drawn from: its schedule, its clients, its agents. `make faults` runs one over the real stack."""

from uuid import uuid4

import pytest
from support.factories import SECRETS, execute_requested

from contracts.signing import SIGNATURE_HEADER, KeyUse
from faults.checking.observed import MODELS, Terms
from faults.outcome import Storm
from faults.schedule import deck, planned
from faults.stack import newer
from faults.stack.strangers import DRIPPING, HABITS, LUNAR
from faults.stack.strangers import registered as make_registered
from faults.stack.wishes import CANCEL_DOORS, DOORS, FURTHER, JUDGES, wish
from faults.stack.world import numbered
from signoff.status import CALLABLE_PROTOCOLS, Delivery


def test_newer_workers_sign_what_they_say() -> None:
    key = SECRETS.make_key(KeyUse.EXECUTING, uuid4(), 1)
    record = newer.to_record(execute_requested(), "executor", signed_by=key)
    (signature,) = (value for name, value in record.headers if name == SIGNATURE_HEADER)
    assert b"yet_unknown" in record.value
    assert signature.decode() == key.sign(record.value)


def test_a_seed_is_a_schedule() -> None:
    assert planned(7, 50, 3.0, Terms(), 2) == planned(7, 50, 3.0, Terms(), 2)
    assert planned(7, 50, 3.0, Terms(), 2) != planned(8, 50, 3.0, Terms(), 2)


def test_a_storm_of_the_usual_length_is_long() -> None:
    """Else nobody would ask whether each fault was seen to act."""
    storm = Storm(7, 10_000, 200)
    assert (storm.is_long, storm.calm_s) == (True, 60.0)
    assert storm.lasts_s < 1_500


@pytest.mark.parametrize("jobstores", [1, 2])
def test_a_long_storm_has_every_fault(jobstores: int) -> None:
    drawn = {(fault.kind, fault.target) for fault in planned(7, 200, 3.0, Terms(), jobstores)}
    assert drawn == set(deck(jobstores))
    assert {target for kind, target in drawn if kind == "kill" and "jobstore" in target} == set(
        numbered("jobstore", jobstores)
    )


def test_every_process_stands_still_for_a_minute_in_a_storm_that_is_long_enough() -> None:
    long = {f.target for f in planned(7, 2_000, 4.5, Terms(), 2) if f.kind == "freeze" and f.lasts_s >= 60}
    assert {"postgres", "kafka", "jobstore", "executor", "validator", "console"} <= long
    assert all(fault.lasts_s < 60 for fault in planned(7, 20, 4.5, Terms(), 2))


def test_a_thief_of_each_group_is_alone_in_a_storm_that_is_long_enough() -> None:
    plan, settle_s = planned(7, 200, 4.5, Terms(), 2), Terms().settle_s
    alone = [fault for fault in plan if fault.alone]
    assert sorted(fault.target for fault in alone) == ["executor", "jobstore", "validator"]
    assert all(fault.kind == "thief" and fault.lasts_s >= 60 for fault in alone)
    for fault in alone:
        others = [other.after_s for other in plan if other is not fault]
        ends_s = fault.after_s + fault.lasts_s + settle_s
        assert not any(fault.after_s - settle_s < after_s < ends_s for after_s in others)
    assert not any(fault.alone for fault in planned(7, 20, 4.5, Terms(), 2))


@pytest.mark.parametrize("number", range(0, 400, 40))
def test_a_wish_is_drawn_from_its_seed(number: int) -> None:
    assert wish(7, number) == wish(7, number) != wish(8, number)


def test_clients_want_all_there_is() -> None:
    wishes = [wish(7, number) for number in range(2_000)]
    assert {one.door for one in wishes} == set(DOORS)
    assert {one.cancel_door for one in wishes} == {None, *CANCEL_DOORS}
    assert {one.control for one in wishes} == {None, "pause", "cancel", "retry"}
    assert frozenset().union(*(one.edits for one in wishes)) == {"before", "live", "after"}
    assert {one.agent for one in wishes} == {None, *HABITS} - {LUNAR, DRIPPING}
    assert max(len(one.padding) for one in wishes) > 500_000
    assert any(one.policy.budget_tokens for one in wishes)
    assert any(one.policy.hand_over_after for one in wishes)
    assert {one.is_repeated for one in wishes} == {one.has_strays for one in wishes} == {False, True}
    assert {one.policy.judge for one in wishes} == {None, *JUDGES}
    assert {one.agent for one in wishes if one.policy.delivery is Delivery.AT_MOST_ONCE} == set(FURTHER)


def test_the_shortest_storm_has_jobs_of_each_protocol() -> None:
    storm = Storm(27, 80, 6)
    agents = [one.agent for one in (wish(storm.seed, number) for number in range(storm.wishes))]
    assert all(agents.count(agent) >= 2 for agent in FURTHER)
    registered = make_registered("http://agents", "http://function", 6.0)
    assert {agent.protocol for agent in registered} == set(CALLABLE_PROTOCOLS)


def test_models_are_asked_once_for_a_job() -> None:
    """They name no execution, so that the checker knows it by its job alone."""
    asked = [one for one in (wish(7, number) for number in range(2_000)) if one.agent in MODELS]
    assert not any(one.edits or one.lacking or one.control == "retry" for one in asked)
