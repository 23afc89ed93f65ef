"""How an execution changes where its job does not: offers, leases, and answers without a request."""

from datetime import timedelta

from support.jobstore.builders import NOW, OWNER, TIMES, awaiting_judge, judging, offered, queued, running

from jobstore.executions import states
from jobstore.jobs.model import ExecutionState

SOON = NOW + timedelta(seconds=3)


def test_the_wait_between_two_offers_doubles_up_to_a_bound_and_the_deadline() -> None:
    waits = []
    execution = queued()
    for _ in range(5):
        execution = states.offer(execution, NOW, again_s=5.0, again_max_s=60.0)
        assert execution.due_at is not None
        waits.append((execution.due_at - NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 60]
    assert states.offer(queued(deadline_at=SOON), NOW, again_s=5.0, again_max_s=60.0).due_at == SOON


def test_an_offer_that_was_not_published_is_the_first_again() -> None:
    again = states.offer_at_once(offered(offers=4), NOW)
    assert (again.offers, again.due_at) == (0, NOW)


def test_what_is_taken_back_waits_as_if_it_was_never_offered() -> None:
    back = states.take_back(offered(offers=4), NOW)
    assert (back.state, back.offers, back.due_at) == (ExecutionState.QUEUED, 0, NOW)
    assert states.decline_offer(offered(offers=4), NOW).offers == 4


def test_a_lapsed_lease_that_is_renewed_was_no_call_that_is_spent() -> None:
    assert states.renew(running(spent=1), OWNER, TIMES).spent == 1
    assert states.renew(queued(spent=1, lease=1, attempt=1), OWNER, TIMES).spent == 0
    assert states.renew(awaiting_judge(spent=1), OWNER, TIMES).spent == 1


def test_a_lapsed_judging_lease_that_is_renewed_has_lost_no_validator() -> None:
    assert states.renew(awaiting_judge(validators_lost=2), OWNER, TIMES).validators_lost == 1
    assert states.renew(judging(validators_lost=2), OWNER, TIMES).validators_lost == 2
    assert states.renew(queued(validators_lost=2, lease=1, attempt=1), OWNER, TIMES).validators_lost == 2


def test_callers_are_shown_where_an_execution_stands() -> None:
    stages = (queued(), offered(), running(), awaiting_judge(), judging())
    shown = [states.show(each, NOW)["state"] for each in stages]
    assert shown == ["WAITING", "WAITING", "RUNNING", "JUDGING", "JUDGING"]
