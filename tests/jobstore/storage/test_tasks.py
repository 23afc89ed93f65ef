"""Tasks of executors that are no executions: work that is stopped afterwards, tries and cards, and their leases."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.administered import put_agent
from support.jobstore.steps import Steps, swept
from support.jobstore.terms import IDS, LEASE_S, TERMS

from contracts.resources import AgentPatch, NewAgent, NewAgentTry
from contracts.signing import SigningKey
from jobstore.agents.commands import DisableAgent, RegisterAgent, UpdateAgent
from jobstore.agents.store import get_agent
from jobstore.api.task_claims import ANSWER_MAX_BYTES
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock, hold
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.schema.tables import metadata
from jobstore.subjects import STORES
from jobstore.tasks import rules, store
from jobstore.tasks.commands import TryAgent
from jobstore.tasks.queue import GIVEN_UP, TaskQueue
from servicekit.errors import PermanentError
from signoff.status import CALLABLE_PROTOCOLS
from signoff.types import AgentCard
from signoff.v1 import resources_pb2 as resources_pb
from signoff.worker.v1 import work_service_pb2 as pb

AGENT, PLACE = "slow-writer", "http://127.0.0.1:9/work/1"
HTTP_ASYNC = [resources_pb.PROTOCOL_HTTP_ASYNC]
HELD_S = TERMS.alive_s


class Now(TaskQueue):
    """Gives what is due now, and does not wait for more."""

    async def watch(self, owner: UUID, protocols: Collection[str], room: int) -> AsyncIterator[Sequence[Any]]:
        async with self._database.session() as session:
            while rows := await store.grant(session, owner, protocols, room, HELD_S):
                yield rows


def prove(task: pb.AgentTask, owner: UUID) -> str:
    key = SigningKey(UUID(task.lease.execution_id), task.lease.lease, task.lease.secret_id, task.lease.key)
    return key.sign(str(owner).encode())


class Executor:
    """An executor that takes tasks."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database = database
        self.runner = runner
        self.owner = uuid4()
        self.queue = Now(database, runner)
        self.service = WorkService(database, runner, SECRETS, tasks=self.queue)

    async def take(self, room: int = 100, protocols: Any = HTTP_ASYNC) -> list[pb.AgentTask]:
        """All tasks that it is given now."""
        request = pb.WatchTasksRequest(owner=str(self.owner), protocols=protocols, room=room)
        return [response.task async for response in self.service.WatchTasks(request, None)]  # type: ignore[arg-type]

    async def finish(self, task: pb.AgentTask, owner: UUID | None = None, **fields: Any) -> int:
        proof = prove(task, owner or self.owner)
        lease = pb.Lease(execution_id=task.lease.execution_id, lease=task.lease.lease, proof=proof)
        request = pb.FinishTaskRequest(owner=str(self.owner), lease=lease, **fields)
        return (await self.service.FinishTask(request, None)).state  # type: ignore[arg-type]

    async def renew(self, task: pb.AgentTask, owner: UUID | None = None) -> None:
        lease = pb.Lease(execution_id=task.lease.execution_id, lease=task.lease.lease, proof=prove(task, self.owner))
        request = pb.RenewLeasesRequest(owner=str(owner or self.owner), kind=pb.WORK_KIND_EXECUTING, tasks=[lease])
        await self.service.RenewLeases(request, None)  # type: ignore[arg-type]

    async def sql(self, query: str, **about: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            return list(await connection.execute(text(query), about))


@pytest.fixture
async def executor(database: Database, runner: CommandRunner, steps: Steps) -> Executor:
    del steps  # nothing of earlier tests is due
    made = Executor(database, runner)
    await made.sql("DELETE FROM agent_tasks")
    await made.sql("DELETE FROM agent_cards")
    async with database.transaction() as connection:
        new = NewAgent(name="slow", url="http://127.0.0.1:9/", protocol="http_async", headers={"X-Key": "file:key"})
        known = await connection.execute(text("SELECT 1 FROM agents WHERE id = :id"), {"id": AGENT})
        if not known:
            await put_agent(connection, AGENT, new, create=True)
    return made


async def running(executor: Executor, steps: Steps, handle: str | None = PLACE) -> int:
    lease = await steps.running(agent_id=AGENT)
    await executor.sql(
        "UPDATE executions SET handle = :handle WHERE execution_id = :id", handle=handle, id=steps.execution_id
    )
    return lease


def try_of(agent_id: str, **fields: Any) -> TryAgent:
    return TryAgent(uuid4(), agent_id, NewAgentTry(**fields), actor=BOOTSTRAP)


async def tried(executor: Executor, **fields: Any) -> UUID:
    command = try_of(AGENT, **fields)
    await executor.runner.administer.run_one(command)
    return command.try_id


async def test_work_that_an_executor_has_is_stopped_afterwards_once_its_lease_has_ended(
    executor: Executor, steps: Steps
) -> None:
    await running(executor, steps)
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    assert await executor.take() == []
    ((in_s,),) = await executor.sql("SELECT extract(epoch FROM due_at - signoff_now())::float8 FROM agent_tasks")
    assert 0 < in_s <= LEASE_S
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    (task,) = await executor.take()
    assert (task.kind, task.job_id) == (pb.TASK_KIND_CANCEL, steps.job_id)
    grant = task.grant
    assert (grant.lease.execution_id, grant.lease.key) == (str(steps.execution_id), b"")
    assert (grant.handle, grant.url, dict(grant.headers)) == (PLACE, "http://127.0.0.1:9/", {"X-Key": "file:key"})
    assert grant.message_id == str(IDS.derive("message", str(steps.execution_id)))
    assert await executor.finish(task) == pb.LEASE_STATE_RECORDED
    assert await executor.sql("SELECT * FROM agent_tasks") == []


async def test_a_task_says_whose_its_agent_is(executor: Executor, database: Database) -> None:
    agent_id = f"press:{uuid4().hex[:8]}"
    new = NewAgent(name="press", url="http://127.0.0.1:9/", protocol="http_async", tenant="press")
    async with database.transaction() as connection:
        await put_agent(connection, agent_id, new, create=True)
    await executor.runner.administer.run_one(try_of(agent_id))
    assert [(task.grant.agent_tenant, task.grant.tenant) for task in await executor.take()] == [("press", "")]


async def test_work_that_nobody_has_is_stopped_at_once(executor: Executor, steps: Steps) -> None:
    """The deadline passes while no executor holds the execution."""
    await running(executor, steps)
    await executor.sql(
        "UPDATE executions SET state = 'QUEUED', owner = NULL, due_at = signoff_now() + interval '1 hour', "
        "deadline_at = signoff_now(), fails_at = signoff_now() WHERE execution_id = :id",
        id=steps.execution_id,
    )
    await swept(executor.database, executor.runner)
    (task,) = await executor.take()
    assert (task.kind, task.grant.handle) == (pb.TASK_KIND_CANCEL, PLACE)


@pytest.mark.parametrize("handle", [None, ""])
async def test_work_without_a_name_is_not_looked_for(executor: Executor, steps: Steps, handle: str | None) -> None:
    await running(executor, steps, handle)
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    assert await executor.sql("SELECT * FROM agent_tasks") == []


async def test_a_stop_that_fails_is_tried_again_later_and_given_up_after_an_hour(
    executor: Executor, steps: Steps
) -> None:
    await running(executor, steps)
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    waits = []
    for _ in range(3):
        await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
        (task,) = await executor.take()
        assert await executor.finish(task, code="agent_unreachable", message="no\0") == pb.LEASE_STATE_RECORDED
        ((in_s, code, message),) = await executor.sql(
            "SELECT extract(epoch FROM due_at - signoff_now())::float8 AS in_s, code, message FROM agent_tasks"
        )
        assert (code, message) == ("agent_unreachable", "no")
        waits.append(round(in_s))
    assert waits == [2, 4, 8]
    before = GIVEN_UP.labels("cancel")._value.get()
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now(), ends_at = signoff_now()")
    assert await executor.take() == []
    await executor.queue.look()
    assert await executor.sql("SELECT * FROM agent_tasks") == []
    assert GIVEN_UP.labels("cancel")._value.get() == before + 1


async def test_a_task_whose_lease_has_ended_is_given_again_and_its_lease_no_longer_counts(
    executor: Executor, steps: Steps
) -> None:
    await running(executor, steps)
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    (first,) = await executor.take()
    assert await executor.take() == []
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    (second,) = await executor.take()
    assert second.lease.lease == first.lease.lease + 1
    assert await executor.finish(first) == pb.LEASE_STATE_LOST
    assert await executor.finish(second, owner=uuid4()) == pb.LEASE_STATE_LOST
    assert await executor.finish(second) == pb.LEASE_STATE_RECORDED
    assert await executor.finish(second) == pb.LEASE_STATE_LOST


async def test_an_executor_is_given_tasks_of_its_protocols_while_it_has_room(executor: Executor) -> None:
    for _ in range(3):
        await tried(executor)
    assert await executor.take(protocols=[resources_pb.PROTOCOL_OPENAI]) == []
    taken = await executor.take(room=2)
    assert len(taken) == 2
    assert await executor.take(room=2) == []
    await executor.finish(taken[0], answer_json='{"result": 1}')
    assert len(await executor.take(room=2)) == 1


async def test_a_try_calls_the_agent_as_it_is_now_within_its_policy_and_keeps_what_came_of_it(
    executor: Executor,
) -> None:
    await executor.sql("DELETE FROM spending")
    try_id = await tried(executor, payload={"topic": "rain"}, title="Rain")
    (task,) = await executor.take()
    assert (task.kind, task.lease.execution_id, task.lease_s) == (pb.TASK_KIND_TRY, str(try_id), 60.0 + rules.MARGIN_S)
    body = json.loads(task.grant.request_json)
    assert (body["title"], body["payload"], body["execution_id"]) == ("Rain", {"topic": "rain"}, str(try_id))
    assert (task.grant.attempt, task.grant.policy.attempt_timeout_s, task.grant.policy.max_calls) == (1, 60.0, 1)
    assert not task.grant.HasField("budget_left_usd")
    answer = json.dumps({"result": "drops", "exchanges": []})
    assert await executor.finish(task, answer_json=answer, cost_usd="0.5", tokens=7) == pb.LEASE_STATE_RECORDED
    async with executor.database.session() as session:
        row = await store.get_try(session, AGENT, try_id)
    assert row is not None
    assert (row.state, json.loads(row.answer)["result"], row.cost_nanos, row.tokens) == ("DONE", "drops", 5 * 10**8, 7)
    (spent,) = await executor.sql("SELECT tenant, agents_nanos, judges_nanos FROM spending")
    assert tuple(spent) == ("default", 5 * 10**8, 0)


async def test_a_try_leaves_no_job_fact_statistic_or_failure_of_a_circuit(executor: Executor) -> None:
    """Nor any row of another table but of what it cost, also if its executor is lost, or its agent fails too often."""
    tables = metadata.tables.keys() - {"agent_tasks", "spending"}
    rows = " UNION ALL ".join(f"SELECT '{name}', t::text FROM {name} t" for name in sorted(tables))
    before = {tuple(row.values()) for row in await executor.sql(rows)}
    for number in range(rules.TRIES_MAX):
        await tried(executor, check=number % 2 == 0)
        (task,) = await executor.take()
        await executor.finish(task, code="agent_status", message="500", cost_usd="1")
    await tried(executor)
    await executor.take()
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now() WHERE state = 'LEASED'")
    await executor.queue.look()
    assert {tuple(row.values()) for row in await executor.sql(rows)} == before
    assert {row.code for row in await executor.sql(LEFT)} == {"agent_status", "try_lost"}


WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def test_ten_tries_are_under_way_at_once_however_many_are_asked_for(
    executor: Executor, runner: CommandRunner, database_url: str
) -> None:
    other = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    runners = [runner, CommandRunner(other, STORES, runner.terms)]
    async with executor.database.transaction() as connection:
        await hold(connection, Lock.TRIES)
        asked = [asyncio.ensure_future(runners[number % 2].administer.run_one(try_of(AGENT))) for number in range(40)]
        async with asyncio.timeout(20):
            while len(await executor.sql(WAITING)) < len(runners):  # noqa: ASYNC110 - for the lock, both at once
                await asyncio.sleep(0.01)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await other.close()
    refused = [each.code for each in answers if isinstance(each, PermanentError)]
    assert (len(refused), set(refused)) == (30, {"too_many_tries"})
    (task, *_) = await executor.take()
    await executor.finish(task, answer_json="{}")
    await tried(executor)


async def test_a_try_that_nobody_takes_and_one_whose_executor_is_lost_end_and_are_not_made_again(
    executor: Executor,
) -> None:
    not_taken, lost = await tried(executor), await tried(executor)
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now() + interval '1 h' WHERE id = :id", id=not_taken)
    (task,) = await executor.take()
    assert task.lease.execution_id == str(lost)
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now(), ends_at = signoff_now()")
    assert await executor.take() == []
    await executor.queue.look()
    ended = {row.id: row.code for row in await executor.sql("SELECT id, code FROM agent_tasks WHERE state = 'DONE'")}
    assert ended == {not_taken: "try_not_taken", lost: "try_lost"}
    assert await executor.finish(task, answer_json="{}") == pb.LEASE_STATE_LOST


async def test_a_try_has_the_budget_of_its_agent(executor: Executor) -> None:
    agent_id = f"poor-{uuid4()}"
    policy = {"budget_usd": "0.5", "budget_tokens": 100}
    new = NewAgent(name="poor", url="http://127.0.0.1:9/", protocol="http_async", policy=policy)
    await executor.runner.administer.run_one(RegisterAgent(agent_id, new, actor=BOOTSTRAP))
    await executor.runner.administer.run_one(try_of(agent_id))
    (task,) = await executor.take()
    assert (task.grant.budget_left_usd, task.grant.budget_left_tokens) == ("0.5", 100)


LEFT = "SELECT extract(epoch FROM due_at - signoff_now())::float8 AS due, state, code FROM agent_tasks"


async def test_a_try_whose_executor_renews_its_lease_no_more_is_lost_soon(executor: Executor) -> None:
    """The time for which it may go on is longer than that: a person waits for what came of it."""
    await tried(executor)
    (task,) = await executor.take()
    assert task.lease_s > 2 * HELD_S
    for renewed in (False, True):
        if renewed:
            await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
            await executor.renew(task)
        await executor.queue.look()
        ((due, state, _),) = await executor.sql(LEFT)
        assert (HELD_S - 5 < due <= HELD_S, state) == (True, "LEASED")
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    await executor.renew(task, owner=uuid4())  # who has not proved to hold it
    await TaskQueue(executor.database, executor.runner, lambda: False).look()  # which may have been away
    assert (await executor.sql(LEFT))[0].state == "LEASED"
    await executor.queue.look()
    ((_, state, code),) = await executor.sql(LEFT)
    assert (state, code) == ("DONE", "try_lost")
    assert await executor.finish(task, answer_json="{}") == pb.LEASE_STATE_LOST


async def test_renewals_keep_a_try_no_longer_than_its_call_may_take(executor: Executor) -> None:
    await tried(executor)
    (task,) = await executor.take()
    await executor.sql("UPDATE agent_tasks SET ends_at = signoff_now() + interval '1 s'")
    await executor.renew(task)
    assert 0 < (await executor.sql(LEFT))[0].due <= 1
    await executor.sql("UPDATE agent_tasks SET ends_at = signoff_now()")
    await executor.queue.look()
    assert (await executor.sql(LEFT))[0].code == "try_lost"


async def queue_stops(executor: Executor, number: int) -> None:
    await executor.sql(
        "INSERT INTO agent_tasks (id, kind, agent_id, protocol, lease_s, due_at, ends_at) SELECT gen_random_uuid(), "
        "'cancel', :agent, 'http_async', 60, signoff_now() - interval '1 s', signoff_now() + interval '1 h' "
        "FROM generate_series(1, :number)",
        agent=AGENT,
        number=number,
    )


async def test_tries_do_not_wait_for_agents_that_are_slow_to_stop(executor: Executor) -> None:
    await queue_stops(executor, 100)
    assert [task.kind for task in await executor.take(room=20)] == [pb.TASK_KIND_CANCEL] * 10
    await asyncio.gather(*(tried(executor) for _ in range(rules.TRIES_MAX)))
    assert [task.kind for task in await executor.take(room=20)] == [pb.TASK_KIND_TRY] * 10
    assert await executor.take(room=20) == []


async def test_each_task_is_given_to_one_of_many_executors_at_two_jobstores(
    executor: Executor, runner: CommandRunner, database_url: str
) -> None:
    await queue_stops(executor, 300)
    await asyncio.gather(*(tried(executor) for _ in range(rules.TRIES_MAX)))
    other = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    runners = [runner, CommandRunner(other, STORES, runner.terms)]
    executors = [Executor((executor.database, other)[number % 2], runners[number % 2]) for number in range(10)]
    async with executor.database.transaction() as connection:  # in which they are granted to somebody else
        await connection.execute(text("SELECT FROM agent_tasks FOR UPDATE"))
        async with asyncio.timeout(20):
            assert await executor.take() == []
    taken = [task for tasks in await asyncio.gather(*(each.take() for each in executors)) for task in tasks]
    assert len({task.lease.execution_id for task in taken}) == len(taken) == 310
    assert {task.lease.lease for task in taken} == {1}
    await other.close()


async def test_a_try_is_kept_for_a_day(executor: Executor) -> None:
    await tried(executor)
    (task,) = await executor.take()
    await executor.finish(task, answer_json="{}")
    async with executor.database.session() as session:
        assert await store.forget(session) == 0
    await executor.sql("UPDATE agent_tasks SET created_at = created_at - interval '25 h'")
    async with executor.database.session() as session:
        assert await store.forget(session) == 1


async def test_a_card_is_read_by_an_executor_and_one_that_fails_keeps_the_last(executor: Executor) -> None:
    await executor.sql(
        "INSERT INTO agent_tasks (id, kind, agent_id, protocol, lease_s, due_at, ends_at) "
        "VALUES (:id, 'card', :agent, 'http_async', 60, signoff_now(), signoff_now() + interval '1 h')",
        id=uuid4(),
        agent=AGENT,
    )
    (task,) = await executor.take()
    assert task.kind == pb.TASK_KIND_CARD
    with pytest.raises(ValueError, match="skills"):
        await executor.finish(task, answer_json='{"name": "Writer", "skills": [1]}')
    await executor.finish(task, code="agent_unreachable", message="no")
    ((card, code),) = await executor.sql("SELECT card::text AS card, code FROM agent_cards")
    assert (card, code) == (None, "agent_unreachable")
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    (task,) = await executor.take()
    await executor.finish(task, answer_json='{"name": "Writer"}')
    ((card, code),) = await executor.sql("SELECT card::text AS card, code FROM agent_cards")
    assert (json.loads(card), code) == ({"name": "Writer"}, None)
    assert await executor.sql("SELECT * FROM agent_tasks") == []


A2A = [resources_pb.PROTOCOL_A2A]
PAINT = {"id": "paint", "name": "Paint"}


async def card_of(executor: Executor, agent_id: str) -> AgentCard | None:
    async with executor.database.session() as session:
        agent = await get_agent(session, agent_id)
    assert agent is not None
    return agent.card


@pytest.fixture
async def sky(executor: Executor) -> str:
    """The id of an agent of protocol a2a that was just registered, and is alone."""
    await executor.sql("UPDATE agents SET enabled = false WHERE protocol = 'a2a'")
    sky, new = f"sky-{uuid4()}", NewAgent(name="sky", url="http://127.0.0.1:9/", protocol="a2a")
    await executor.runner.administer.run_one(RegisterAgent(sky, new, actor=BOOTSTRAP))
    return sky


async def read(executor: Executor, **card: Any) -> None:
    """Have the executor read the card that is due."""
    (task,) = await executor.take(protocols=A2A)
    assert task.kind == pb.TASK_KIND_CARD
    assert await executor.finish(task, answer_json=json.dumps(card)) == pb.LEASE_STATE_RECORDED


async def make_old(executor: Executor) -> None:
    await executor.sql("UPDATE agent_cards SET read_at = read_at - interval '61 min'")


async def test_a_card_is_read_each_hour_by_one_task_and_a_change_is_told(
    executor: Executor, sky: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = {"name": "Sky", "version": "1", "url": "http://127.0.0.1:9/", "lists_tasks": True, "skills": [PAINT]}
    await read(executor, **first)
    assert await executor.queue.queue_cards() is False
    assert await executor.take(protocols=A2A) == []  # it is not an hour old
    card = await card_of(executor, sky)
    assert card is not None
    assert (card.changed_at, card.changes) == (None, [])

    await make_old(executor)
    await asyncio.gather(*(executor.queue.queue_cards() for _ in range(5)))
    assert len(await executor.sql("SELECT * FROM agent_tasks")) == 1
    await read(executor, **first)
    card = await card_of(executor, sky)
    assert (card and card.changed_at, "has changed" in caplog.text) == (None, False)

    await make_old(executor)
    await executor.queue.queue_cards()
    skills = [{**PAINT, "description": "in oil"}, {"id": "write"}]
    await read(executor, **first | {"version": "2", "url": "", "lists_tasks": False, "skills": skills})
    card = await card_of(executor, sky)
    assert card is not None
    assert card.changed_at == card.read_at
    assert card.changes == [
        "version: 2, was 1",
        "url: none, was http://127.0.0.1:9/",
        "lists tasks: no, was yes",
        "skill paint: described otherwise",
        "skill write: new",
    ]
    assert "the card of an agent has changed" in caplog.text

    await make_old(executor)
    await executor.queue.queue_cards()
    (task,) = await executor.take(protocols=A2A)
    await executor.finish(task, code="agent_unreachable", message="no")
    failed = await card_of(executor, sky)
    assert failed is not None
    assert (failed.version, failed.code, failed.changes) == ("2", "agent_unreachable", card.changes)


async def test_work_without_a_name_that_is_found_by_our_ids_is_stopped_afterwards(
    executor: Executor, steps: Steps, sky: str
) -> None:
    """The executor was lost before the answer that named the work."""
    await steps.requested(agent_id=sky)
    assert (await steps.claim(protocols=CALLABLE_PROTOCOLS)).execution is not None
    await executor.sql("DELETE FROM agent_tasks")
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    (task,) = await executor.take(protocols=A2A)
    assert (task.kind, task.grant.handle) == (pb.TASK_KIND_CANCEL, "")
    ids = str(IDS.derive("context", steps.job_id)), str(IDS.derive("message", str(steps.execution_id)))
    assert (task.grant.context_id, task.grant.message_id) == ids


async def test_a_card_that_is_read_while_its_agent_is_changed_is_read_anew(executor: Executor, sky: str) -> None:
    """What an executor says then is of the address before."""
    (before,) = await executor.take(protocols=A2A)
    patch = AgentPatch(url="http://127.0.0.1:9/new")
    await executor.runner.administer.run_one(UpdateAgent(sky, patch, actor=BOOTSTRAP))
    (after,) = await executor.take(protocols=A2A)
    assert after.grant.url == "http://127.0.0.1:9/new"
    assert await executor.finish(after, answer_json='{"name": "new"}') == pb.LEASE_STATE_RECORDED
    assert await executor.finish(before, answer_json='{"name": "old"}') == pb.LEASE_STATE_LOST
    card = await card_of(executor, sky)
    assert card is not None
    assert card.name == "new"


async def test_a_card_that_was_never_read_is_and_that_of_a_disabled_agent_is_not(executor: Executor, sky: str) -> None:
    """A rebuild leaves no tasks and no cards behind."""
    await executor.sql("DELETE FROM agent_tasks")
    await executor.runner.administer.run_one(DisableAgent(sky, actor=BOOTSTRAP))
    await executor.queue.queue_cards()
    assert await executor.take(protocols=A2A) == []
    await executor.sql("UPDATE agents SET enabled = true WHERE id = :id", id=sky)
    await executor.queue.queue_cards()
    await read(executor, name="Sky")


async def test_an_answer_that_is_no_json_or_too_large_is_not_stored(executor: Executor) -> None:
    await tried(executor)
    (task,) = await executor.take()
    with pytest.raises(ValueError, match="EOF"):
        await executor.finish(task, answer_json="{")
    with pytest.raises(InvalidError, match="bytes"):
        await executor.finish(task, answer_json=f'"{"x" * ANSWER_MAX_BYTES}"')
    assert await executor.finish(task, answer_json="{}") == pb.LEASE_STATE_RECORDED


EXCHANGE = {"method": "POST", "url": "http://127.0.0.1:9/"}


@pytest.mark.parametrize(
    "answer",
    [
        *("[]", '"blue"', '{"result": NaN}', '{"result": 1e999}', f'{{"result": {"[" * 200}{"]" * 200}}}'),
        *('{"exchanges": [1]}', '{"exchanges": null}', '{"exchanges": [{}]}', '{"exchanges_left_out": 4294967296}'),
        json.dumps({"exchanges": [{**EXCHANGE, "status": 2**40}]}),
        json.dumps({"checks": [{"check": "size", "outcome": "splendid", "message": ""}]}),
    ],
)
async def test_an_answer_that_cannot_be_shown_is_not_stored(executor: Executor, answer: str) -> None:
    await tried(executor)
    (task,) = await executor.take()
    with pytest.raises(ValueError):  # noqa: PT011 - each says something else
        await executor.finish(task, answer_json=answer)
    assert await executor.finish(task, code="executor_error") == pb.LEASE_STATE_RECORDED


async def test_an_executor_says_of_a_try_what_came_of_it_and_nothing_else(executor: Executor) -> None:
    try_id = await tried(executor)
    (task,) = await executor.take()
    shown = {"result": "\0", "exchanges": [EXCHANGE]}
    others = {"id": str(uuid4()), "agent_id": "other", "state": "QUEUED", "actor": "somebody", "new": 1}
    answer = json.dumps(shown | others)
    assert await executor.finish(task, answer_json=answer, duration_s=float("nan")) == pb.LEASE_STATE_RECORDED
    async with executor.database.session() as session:
        row = await store.get_try(session, AGENT, try_id)
    assert row is not None
    assert (json.loads(row.answer), row.duration_s) == (shown, None)


async def test_watching_wakes_for_a_task_that_is_queued(executor: Executor) -> None:
    queue = TaskQueue(executor.database, executor.runner)
    service = WorkService(executor.database, executor.runner, SECRETS, tasks=queue)
    request = pb.WatchTasksRequest(owner=str(executor.owner), protocols=HTTP_ASYNC, room=5)
    watch = service.WatchTasks(request, None)  # type: ignore[arg-type]
    following, looking = asyncio.ensure_future(anext(watch)), asyncio.ensure_future(queue.run())
    try:
        try_id = await tried(executor)
        queue.wake.set()
        async with asyncio.timeout(20):
            assert (await following).task.lease.execution_id == str(try_id)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await watch.aclose()  # type: ignore[attr-defined]


async def test_an_executor_of_a_later_release_names_protocols_that_are_not_known(
    executor: Executor, steps: Steps
) -> None:
    await running(executor, steps)
    await executor.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await executor.sql("UPDATE agent_tasks SET due_at = signoff_now()")
    assert len(await executor.take(protocols=[*HTTP_ASYNC, 9_000])) == 1
