"""Tries of agents, and work that is stopped and cards that are read afterwards, are queued without a database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore

from contracts.resources import AgentPatch, NewAgent, NewAgentTry
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.engine.parts import UnitOfWork
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.tasks.commands import TryAgent
from jobstore.tasks.rules import LEASE_S, MARGIN_S, TAKEN_WITHIN_S, TRIED_FOR_S, TRIES_MAX, TRY_MAX_S, NewTask, Tasks
from servicekit.errors import PermanentError
from signoff.jsontext import parse_json
from signoff.status import TaskKind

URL = "http://127.0.0.1:1/"


def try_of(agent_id: str = "writer", **fields: Any) -> TryAgent:
    return TryAgent(uuid4(), agent_id, NewAgentTry(**fields), actor=BOOTSTRAP)


def only(tasks: dict[UUID, NewTask]) -> NewTask:
    (task,) = tasks.values()
    return task


def test_a_try_asks_as_a_job_would_and_waits_for_an_executor(jobstore: MemoryJobstore) -> None:
    command = try_of(title="Rain", description="by the sea", acceptance_criteria="says rain", payload={"a": [1]})
    jobstore.run(command)
    task = only(jobstore.tasks)
    assert (task.id, task.kind, task.agent_id, task.protocol) == (command.try_id, TaskKind.TRY, "writer", "http")
    assert (task.due_at, task.ends_at) == (jobstore.now, jobstore.now + timedelta(seconds=TAKEN_WITHIN_S))
    assert (task.execution_id, task.actor) == (None, BOOTSTRAP)
    assert parse_json(task.asked or "") == {
        **dict.fromkeys(("execution_id", "job_id"), str(command.try_id)),
        "submission": 1,
        "title": "Rain",
        "description": "by the sea",
        "acceptance_criteria": "says rain",
        "payload": {"a": [1]},
        "feedback": None,
    }
    assert command.locks() == ()


@pytest.mark.parametrize(
    ("check", "of_agent", "of_service", "takes_s"),
    [
        (False, 7.0, 60.0, 7.0),
        (False, None, 60.0, 60.0),
        (False, None, None, TRY_MAX_S),
        (False, 3_600.0, 60.0, TRY_MAX_S),
        (True, 7.0, 60.0, TRY_MAX_S),
    ],
)
def test_a_try_has_as_long_as_one_call_and_a_check_as_all_may_take(
    jobstore: MemoryJobstore, check: bool, of_agent: float | None, of_service: float | None, takes_s: float
) -> None:
    policy = jobstore.terms.policy.model_copy(update={"attempt_timeout_s": of_service})
    jobstore.terms = replace(jobstore.terms, policy=policy)
    jobstore.register("slow", policy={"attempt_timeout_s": of_agent})
    jobstore.run(try_of("slow", check=check))
    task = only(jobstore.tasks)
    assert (task.kind, task.lease_s) == (TaskKind.CHECK if check else TaskKind.TRY, takes_s + MARGIN_S)


def test_a_try_that_exists_is_not_made_again(jobstore: MemoryJobstore) -> None:
    command = try_of()
    assert jobstore.carry_out(command, command) == [None, None]
    assert list(jobstore.tasks) == [command.try_id]
    jobstore.tries_under_way = TRIES_MAX
    jobstore.run(command)
    assert list(jobstore.tasks) == [command.try_id]
    assert (command.is_made(jobstore.uow), try_of().is_made(jobstore.uow)) == (True, False)
    assert command.show(jobstore.uow) is None


def test_so_many_tries_and_no_more_are_under_way(jobstore: MemoryJobstore) -> None:
    jobstore.tries_under_way = TRIES_MAX - 2
    answers = jobstore.carry_out(*(try_of() for _ in range(4)))
    assert [getattr(answer, "code", None) for answer in answers] == [None, None, *["too_many_tries"] * 2]
    assert isinstance(answers[2], RefusedError)
    assert str(TRIES_MAX) in str(answers[2])
    assert len(jobstore.tasks) == 2
    assert UnitOfWork(jobstore.terms)[Tasks].room == 0, "as long as they are not counted"


@pytest.mark.parametrize(
    ("command", "error", "code"),
    [
        (try_of("nobody"), NotFoundError, "unknown_agent"),
        (try_of(payload="é" * 600), InvalidError, "payload_too_large"),
    ],
)
def test_a_try_that_cannot_be_made_says_why(command: TryAgent, error: type[PermanentError], code: str) -> None:
    jobstore = MemoryJobstore(job_max_bytes=1_000)
    with pytest.raises(error) as caught:
        jobstore.run(command)
    assert (caught.value.code, jobstore.tasks) == (code, {})


def test_work_that_nobody_holds_is_stopped_at_once_and_of_another_once_its_lease_has_ended(
    jobstore: MemoryJobstore,
) -> None:
    jobstore.register("slow", protocol="http_async")
    held, queued = (Life(jobstore).running(agent_id="slow") for _ in range(2))
    for life in (held, queued):
        jobstore.executions[life.execution_id] = replace(life.execution, handle="/runs/1")
    lease_ends_at = held.execution.due_at
    assert lease_ends_at is not None
    assert lease_ends_at > jobstore.now
    jobstore.executions[queued.execution_id] = replace(queued.execution, state="QUEUED", due_at=lease_ends_at)
    for life, due_at in ((held, lease_ends_at), (queued, jobstore.now)):
        jobstore.tasks.clear()
        jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))
        task = only(jobstore.tasks)
        assert task.id == jobstore.terms.ids.derive("cancel", str(life.execution_id))
        assert (task.kind, task.agent_id, task.protocol) == (TaskKind.CANCEL, "slow", "http_async")
        assert (task.execution_id, task.lease_s, task.asked) == (life.execution_id, LEASE_S, None)
        assert (task.due_at, task.ends_at) == (due_at, due_at + timedelta(seconds=TRIED_FOR_S))


def test_work_whose_lease_has_ended_is_stopped_at_once(jobstore: MemoryJobstore) -> None:
    jobstore.register("peer", protocol="a2a")
    life = Life(jobstore).requested(agent_id="peer")
    assert life.claim(protocols=("a2a",)).execution is not None
    jobstore.now += timedelta(seconds=2 * jobstore.terms.lease_s)
    jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))
    task = only(jobstore.tasks)
    assert (task.protocol, task.due_at) == ("a2a", jobstore.now)


def test_the_card_of_a_server_is_read_when_it_is_registered_and_at_each_change(jobstore: MemoryJobstore) -> None:
    jobstore.run(RegisterAgent("peer", NewAgent(name="peer", url=URL, protocol="a2a"), actor=SIGNOFF))
    jobstore.run(RegisterAgent("model", NewAgent(name="model", url=URL), actor=SIGNOFF))
    first, card_id = only(jobstore.tasks), jobstore.terms.ids.derive("card", "peer", jobstore.now.isoformat())
    ends_at = jobstore.now + timedelta(seconds=TRIED_FOR_S)
    assert first == NewTask(card_id, TaskKind.CARD, "peer", "a2a", jobstore.now, ends_at)
    jobstore.now += timedelta(seconds=1)
    jobstore.run(UpdateAgent("peer", AgentPatch(name="other"), actor=SIGNOFF))
    assert len(jobstore.tasks) == 2
