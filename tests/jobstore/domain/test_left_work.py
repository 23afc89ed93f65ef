"""Work of agents that nobody stops once its execution has ended: which it is, by protocol, stage and end."""

from dataclasses import replace

import pytest
from support.jobstore.builders import awaiting_judge, queued, running

from jobstore.jobs.model import Execution, ExecutionState, TransitionKind
from jobstore.tasks.rules import is_left

K = TransitionKind
ENDS = {K.CANCELLED, K.DEADLINE, K.OVER_BUDGET, K.LAPSED, K.GIVEN_BACK, K.REBUILT}
#: Of these an executor says that it has ended, and has stopped what it began.
OTHERS = {K.FAILED, K.DECLINED, K.ATTEMPT_FAILED, K.RESULT, K.MET}


def ended(execution: Execution) -> Execution:
    return replace(execution, state=ExecutionState.DONE)


@pytest.mark.parametrize("kind", sorted(ENDS | OTHERS))
def test_work_is_left_by_ends_that_no_executor_brings_about(kind: TransitionKind) -> None:
    named = replace(running(), protocol="http_async", handle="/runs/1")
    assert is_left(named, ended(named), kind) is (kind in ENDS)
    assert not is_left(named, named, kind)
    assert not is_left(named, None, kind)


@pytest.mark.parametrize("protocol", [None, "http", "http_async", "openai", "langgraph", "a2a"])
def test_work_without_a_name_is_left_where_our_ids_find_it(protocol: str | None) -> None:
    begun = replace(running(), protocol=protocol)
    assert is_left(begun, ended(begun), K.DEADLINE) is (protocol in {"langgraph", "a2a"})
    unbegun = replace(queued(), protocol=protocol, attempt=0)
    assert not is_left(unbegun, ended(unbegun), K.DEADLINE)


@pytest.mark.parametrize(
    ("code", "is_unknown"),
    [("agent_timeout", True), ("agent_connection_lost", True), ("agent_failed", False), (None, False)],
)
def test_work_of_a_call_without_an_answer_is_left_where_it_can_be_found(code: str | None, is_unknown: bool) -> None:
    for execution in (replace(running(), protocol="a2a"), replace(running(), protocol="openai", handle="resp_1")):
        assert is_left(execution, ended(execution), K.FAILED, code) is is_unknown
        assert not is_left(execution, ended(execution), K.DECLINED, code)
    stopped = replace(running(), protocol="openai", handle="resp_1")
    assert not is_left(stopped, replace(ended(stopped), handle=""), K.FAILED, code)


def test_no_work_is_left_once_there_is_a_result() -> None:
    answered = replace(awaiting_judge(), protocol="a2a", handle="task-1")
    assert not is_left(answered, ended(answered), K.CANCELLED)
