"""What requests under idempotency keys decide, without a database: each is carried out once, and answered the same."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from support.jobstore.memory import Life

from contracts.resources import NewAgent
from jobstore.agents.commands import RegisterAgent
from jobstore.errors import ConflictError, InvalidError, RefusedError
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.commands import Once
from jobstore.jobs.model import BOOTSTRAP, RequestKey
from jobstore.judging.judgings import QueueJudgings
from jobstore.judging.rules import NewJudging
from jobstore.operations.commands import CreateOperation, Item, OperationSpec
from servicekit.errors import PermanentError
from signoff.status import ExecutionState, JudgingKind


def once(command: Any, key: str | None, body: object = "a body", **scope: Any) -> Once[Any]:
    named = RequestKey.of(type(command).__name__, key, body, **({"tenant": "ours"} | scope)) if key else None
    return Once(command, named, actor=BOOTSTRAP)


def execute(life: Life, key: str, body: object = "a body") -> Once[Any]:
    command = ExecuteJob(life.job_id, life.execution_id, actor=BOOTSTRAP)
    return once(command, key, body, tenant=None, job_id=life.job_id)


def code_of(life: Life, command: Once[Any]) -> str:
    with pytest.raises(PermanentError) as refused:
        life.jobstore.run(command)
    return refused.value.code


def test_a_key_is_one_request(life: Life) -> None:
    life.created()
    first = life.jobstore.run(execute(life, "k"))
    assert not first.is_replay
    assert first.value["state"] is ExecutionState.WAITING
    life.jobstore.run(CancelJob(life.job_id, actor=BOOTSTRAP))
    life.jobstore.run(ExecuteJob(life.job_id, uuid4(), actor=BOOTSTRAP))
    again = life.jobstore.run(execute(life, "k"))
    assert again.is_replay
    assert again.value["id"] == life.execution_id
    assert again.value["state"] is ExecutionState.CANCELLED, "it is answered as what it made stands, whatever runs now"
    assert code_of(life, execute(life, "k", "another body")) == "idempotency_key_reused"


def test_two_requests_of_one_transaction_are_one(life: Life) -> None:
    life.created()
    one, again, other = life.jobstore.carry_out(
        execute(life, "k"), execute(life, "k"), execute(life, "k", "another body")
    )
    assert [one.is_replay, again.is_replay] == [False, True]
    assert one.value["id"] == again.value["id"]
    assert isinstance(other, InvalidError)


def test_a_refused_request_may_be_tried_again_under_its_key(life: Life) -> None:
    life.created().execute()
    refused = replace(execute(life, "k").request, execution_id=uuid4())
    again = once(refused, "k", tenant=None, job_id=life.job_id)
    assert code_of(life, again) == "execution_live"
    assert not life.jobstore.request_keys
    life.jobstore.run(CancelJob(life.job_id, actor=BOOTSTRAP))
    other = once(refused, "k", "another body", tenant=None, job_id=life.job_id)
    assert not life.jobstore.run(other).is_replay, "of what was refused nothing is kept"


def test_a_key_is_of_its_method_and_its_tenant(life: Life) -> None:
    life.created()
    new = NewAgent(name="a", url="http://127.0.0.1:1/")
    assert not life.jobstore.run(once(RegisterAgent("one", new, actor=BOOTSTRAP), "k")).is_replay
    other = once(RegisterAgent("two", new, actor=BOOTSTRAP), "k", "another body", tenant="theirs")
    assert not life.jobstore.run(other).is_replay
    assert not life.jobstore.run(execute(life, "k")).is_replay


def test_of_a_job_that_is_not_known_no_key_is_kept(life: Life) -> None:
    assert code_of(life, execute(life, "k")) == "unknown_job"
    assert not life.jobstore.request_keys


def test_without_a_key_the_id_of_what_is_made_tells_a_repeat(life: Life) -> None:
    agent = NewAgent(name="a", url="http://127.0.0.1:1/")
    command = once(RegisterAgent("one", agent, actor=BOOTSTRAP), None)
    assert [life.jobstore.run(command).is_replay for _ in range(2)] == [False, True]
    changed = once(RegisterAgent("one", agent.model_copy(update={"name": "b"}), actor=BOOTSTRAP), None)
    with pytest.raises(ConflictError):
        life.jobstore.run(changed)


def test_a_repeat_is_no_conflict_with_what_was_changed_since(life: Life) -> None:
    """An agent is updated; who asks again to register it as it was gets the agent, and not that another has its id."""
    agent = NewAgent(name="a", url="http://127.0.0.1:1/")
    command = once(RegisterAgent("one", agent, actor=BOOTSTRAP), "k")
    life.jobstore.run(command)
    stored = life.jobstore.agents["one"]
    life.jobstore.agents["one"] = stored.model_copy(update={"name": "b"})
    assert life.jobstore.run(command).is_replay


def test_a_repeat_does_not_ask_what_stands_in_its_way_by_now(life: Life) -> None:
    obstacle = RefusedError("no job matches the filter", code="nothing_matches")
    operation_id, judging = uuid4(), NewJudging(uuid4(), JudgingKind.TRY, uuid4(), 0)
    makers: list[Any] = [
        lambda why: CreateOperation(operation_id, OperationSpec(items=[Item(0, "a")]), why, actor=BOOTSTRAP),
        lambda why: QueueJudgings([judging], why, actor=BOOTSTRAP),
    ]
    for make in makers:
        assert code_of(life, once(make(obstacle), "k")) == "nothing_matches"
        assert not life.jobstore.run(once(make(None), "k")).is_replay
        assert life.jobstore.run(once(make(obstacle), "k")).is_replay


def test_a_request_is_as_large_with_a_key_as_without() -> None:
    command = RegisterAgent("a", NewAgent(name="a", url="http://127.0.0.1:1/"), actor=BOOTSTRAP)
    assert once(command, "k").size == command.size
