"""The circuits of agents in the tables: what opens and closes one, what it holds back, and where it shows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from breakers import FAILURES, Breakers
from sqlalchemy import text
from support.jobstore.steps import NO_TIME_S, Steps, new_job, reported, swept, verdict

from contracts.resources import AgentPatch, NewAgent
from jobstore.agents.commands import UpdateAgent
from jobstore.api.agent_service import AgentService
from jobstore.engine.scoped import Callers
from jobstore.executions import offers
from jobstore.executions.commands import RecordReport
from jobstore.executions.offers import FairQueue
from jobstore.insights.overview import get_agent_stats
from jobstore.jobs.model import WORKER
from signoff.status import Circuit, Outcome, Protocol, ReportKind
from signoff.types import read_model
from signoff.v1 import agent_service_pb2 as agent_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.wire import write_message

OFFERS = offers.OfferTerms(5.0, 60.0, 60.0)


async def test_failures_in_a_row_open_a_circuit_and_it_shows(world: Breakers) -> None:
    await world.fail(FAILURES - 1)
    assert (await world.agent()).circuit is Circuit.CLOSED
    await world.fail()
    agent = await world.agent()
    assert agent.circuit is Circuit.OPEN
    assert agent.circuit_open_until is not None
    await world.time_over()
    assert await world.circuit() is Circuit.HALF_OPEN


async def test_it_shows_when_a_circuit_opened_and_closed(world: Breakers) -> None:
    await world.fail(FAILURES)
    await world.one.administer.run_one(UpdateAgent("writer", AgentPatch(enabled=True), actor=WORKER))
    async with world.database.session() as session:
        (stats,) = await get_agent_stats(session, 500, agent_id="writer")
    closed, opened = stats.circuit_changes[:2]
    assert (closed.circuit, closed.open_until) == (Circuit.CLOSED, None)
    assert opened.circuit is Circuit.OPEN
    assert opened.at < opened.open_until
    assert opened.at < closed.at


@pytest.mark.parametrize("kind", [ReportKind.CALL_FAILED, ReportKind.ATTEMPT_FAILED, ReportKind.FAILED])
async def test_every_kind_of_failure_counts_that_may_pass(world: Breakers, kind: ReportKind) -> None:
    await world.fail(FAILURES, kind)
    assert await world.circuit() is Circuit.OPEN


ANSWERS: dict[str, Callable[[Steps, int], Awaitable[Any]]] = {
    "a result": lambda steps, lease: steps.result(lease),
    "a result that a validator claims": lambda steps, lease: steps.claim_judging(lease),
    "a decline": lambda steps, lease: steps.report(lease, ReportKind.DECLINED),
    "a failure for good": lambda steps, lease: steps.report(lease, ReportKind.FAILED, retryable=False),
}


@pytest.mark.parametrize("how", ANSWERS)
async def test_any_answer_of_the_agent_begins_the_count_anew(world: Breakers, how: str) -> None:
    await world.fail(FAILURES - 1)
    steps, lease = await world.running()
    await ANSWERS[how](steps, lease)
    assert await world.row() is None
    await world.fail(FAILURES - 1)
    assert await world.circuit() is Circuit.CLOSED


async def test_what_is_not_the_agents_doing_counts_for_nothing(world: Breakers) -> None:
    await world.fail(FAILURES - 1)
    lapsed, _ = await world.running()
    await lapsed.due(-1)
    await lapsed.lapsed()
    _, lease = told = await world.running()
    await told[0].report(lease, ReportKind.CALL_BEGUN)
    await told[0].report(lease, ReportKind.ATTEMPT_FAILED, seq=2, retry_after_s=1_000.0)  # a worker that says no more
    steps = Steps(world.database, world.one)
    judging = await steps.judging(agent_id="other")
    await steps.report(judging, ReportKind.FAILED, retryable=True, code="judge_invalid")
    assert (await world.row()).failures == FAILURES - 1
    async with world.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM circuits")) == 1


async def test_reports_said_again_or_fenced_count_once(world: Breakers) -> None:
    steps, lease = await world.running()
    for _ in range(FAILURES):
        await steps.report(lease, ReportKind.CALL_FAILED, seq=2, retryable=True)
        await steps.report(lease + 7, ReportKind.ATTEMPT_FAILED, retryable=True)
    assert (await world.row()).failures == 1


async def test_failures_recorded_by_two_jobstores_at_once_all_count(world: Breakers) -> None:
    told = {"kind": ReportKind.ATTEMPT_FAILED, "retryable": True}
    calls = [await world.running() for _ in range(2)]
    one, two = (RecordReport(reported(s.execution_id, s.job_id, lease, **told), actor=WORKER) for s, lease in calls)
    await asyncio.gather(world.one.record.run_one(one), world.two.record.run_one(two))
    assert (await world.row()).failures == 2


async def test_an_open_circuit_holds_back_its_agents_executions_and_no_others(world: Breakers) -> None:
    await world.opened()
    held = await world.queued(priority=9)
    other = await world.queued(priority=1, agent_id="other")
    assert await world.offered() == [other.execution_id]
    assert (await held.row()).state == "QUEUED"


async def test_what_was_offered_before_is_queued_again_when_it_is_claimed(world: Breakers) -> None:
    steps = await world.queued()
    assert await world.offered() == [steps.execution_id]
    await world.opened()
    answer = await steps.claim()
    assert (answer.outcome, answer.code) == ("QUEUED", "circuit_open")
    assert answer.message == "the circuit of agent writer is open"
    assert (await steps.row()).state == "QUEUED"
    assert await world.offered() == []


async def test_a_request_from_upstream_is_kept_and_offered_later(world: Breakers) -> None:
    await world.opened()
    steps = Steps(world.database, world.one)
    answer = await steps.claim(inline=new_job())
    assert (answer.outcome, answer.code) == ("QUEUED", "circuit_open")
    assert (await steps.job()).status == "ASSIGNED"
    assert (await steps.claim(replay=True)).code == "replayed"
    await world.time_over()
    assert await world.offered() == [steps.execution_id]
    assert (await steps.claim()).outcome == "GRANTED"


async def test_who_holds_a_lease_is_granted_the_same_again(world: Breakers) -> None:
    steps, lease = await world.running()
    await world.opened()
    answer = await steps.claim()
    assert answer.outcome == "GRANTED"
    assert answer.execution is not None
    assert answer.execution.lease == lease


async def test_an_answer_to_an_earlier_call_closes_an_open_circuit(world: Breakers) -> None:
    early, lease = await world.running()
    await world.opened()
    await early.result(lease)
    assert await world.circuit() is Circuit.CLOSED


async def test_the_queue_timeout_runs_on_and_says_that_the_circuit_is_open(world: Breakers) -> None:
    await world.opened()
    steps = await world.queued(policy={"queue_timeout_s": NO_TIME_S})
    await swept(world.database, world.one)
    last = (await steps.logs())[-1]
    assert (last.code, last.message) == (
        "queue_timeout",
        "no executor took it within 1e-09 s: the circuit of agent writer is open",
    )


async def test_an_agent_that_an_operator_updates_is_another_one(world: Breakers) -> None:
    await world.opened()
    steps = await world.queued()
    agent = NewAgent(name="writer", protocol=Protocol.HTTP, url="http://127.0.0.1:3/")
    request = agent_pb.UpdateAgentRequest(agent_id="writer", agent=write_message(resources_pb.NewAgent, agent))
    updated = await AgentService(Callers(world.database), world.one).UpdateAgent(request, None)  # type: ignore[arg-type]
    assert read_model(updated.agent).circuit is Circuit.CLOSED
    assert await world.offered() == [steps.execution_id]


async def test_the_doors_show_the_circuit(world: Breakers) -> None:
    await world.opened()
    agents = AgentService(Callers(world.database), world.one)
    one = await agents.GetAgent(agent_pb.GetAgentRequest(agent_id="writer"), None)  # type: ignore[arg-type]
    listed = await agents.ListAgents(agent_pb.ListAgentsRequest(), None)  # type: ignore[arg-type]
    shown = {agent.id: read_model(agent) for agent in listed.agents}
    assert shown["writer"] == read_model(one.agent) == await world.agent()
    assert (shown["other"].circuit, shown["other"].circuit_open_until) == (Circuit.CLOSED, None)


async def test_a_verdict_is_recorded_while_the_circuit_is_open(world: Breakers) -> None:
    steps = Steps(world.database, world.one)
    lease = await steps.judging()
    await world.opened()
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
    assert (await steps.job()).status == "COMPLETED"
    assert await world.circuit() is Circuit.OPEN


async def test_much_that_waits_for_a_broken_agent_is_not_even_looked_at(world: Breakers) -> None:
    await world.opened()
    other = await world.queued(agent_id="other", priority=1)
    await world.sql(
        """
        INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id,
            priority, spent, due_at, flow)
        SELECT gen_random_uuid(), 'none', 'EXECUTING', 'QUEUED', 0, 0, 0, 0, 1, 'writer', 9, 0, now(), '{agent:writer}'
        FROM generate_series(1, 20000)
        """
    )
    await world.sql("ANALYZE executions")
    async with world.database.transaction() as connection:
        read = text("SELECT sum(idx_tup_fetch + seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname = :table")
        offered = await FairQueue().offer(connection, 100, OFFERS)
        # A few hundred are what is left of earlier tests.
        assert int(await connection.scalar(read, {"table": "executions"}) or 0) < 2_000
    assert [row.execution_id for row in offered.rows] == [other.execution_id]
