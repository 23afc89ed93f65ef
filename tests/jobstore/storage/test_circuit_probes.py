"""The probe of a half-open circuit: one execution finds out whether the agent answers, also where the probe is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from breakers import Breakers
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.statements import recorded_statements
from support.jobstore.steps import Steps, new_job, swept

from jobstore.engine.database import Database
from jobstore.executions.claims import ClaimAnswer, ClaimExecution
from jobstore.executions.commands import CancelJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.sweeper import end_leases
from jobstore.jobs.model import SIGNOFF, TransitionKind
from servicekit.errors import TransientError
from signoff.status import Circuit, ReportKind
from signoff.values import new_execution_id


async def test_half_open_one_execution_finds_out_and_its_answer_lets_the_rest_go(world: Breakers) -> None:
    await world.half_opened()
    waiting = [await world.queued(priority=priority) for priority in (3, 8, 5)]
    other = await world.queued(agent_id="other", priority=1)
    assert await world.offered() == [waiting[1].execution_id, other.execution_id]
    assert await world.offered() == []
    assert (await waiting[0].claim()).code == "circuit_open"
    answer = await waiting[1].claim()
    assert answer.execution is not None
    assert await world.offered() == []
    await waiting[1].result(answer.execution.lease)
    assert await world.row() is None
    assert await world.offered() == [waiting[2].execution_id, waiting[0].execution_id]


async def test_the_probes_failure_opens_for_longer_and_another_call_that_fails_late_does_not(world: Breakers) -> None:
    late, late_lease = await world.running()
    await world.half_opened()
    probe, lease = await world.running()
    await late.report(late_lease, ReportKind.ATTEMPT_FAILED, retryable=True)
    assert (await world.row()).opened == 1
    await probe.report(lease, ReportKind.ATTEMPT_FAILED, retryable=True)
    assert (await world.row()).opened == 2
    async with world.database.session() as session:
        left = text("SELECT extract(epoch FROM open_until - clock_timestamp()) FROM circuits")
        assert 190 < float(await session.scalar(left) or 0) <= 200


async def test_a_probe_that_is_tried_again_here_keeps_its_place(world: Breakers) -> None:
    await world.half_opened()
    probe, lease = await world.running()
    await probe.report(lease, ReportKind.CALL_FAILED, retryable=True)
    assert await world.circuit() is Circuit.OPEN
    await world.time_over()
    await world.queued()
    assert await world.offered() == []
    await probe.result(lease)
    assert await world.circuit() is Circuit.CLOSED


async def _cancelled(world: Breakers, probe: Steps, lease: int) -> None:
    del lease
    await world.one.submit.run_one(CancelJob(probe.job_id, actor=SIGNOFF))


async def _lapsed(world: Breakers, probe: Steps, lease: int) -> None:
    del lease
    await probe.due(-1)
    await swept(world.database, world.one)
    await probe.due(1_000)


async def _out_of_time(world: Breakers, probe: Steps, lease: int) -> None:
    del lease
    await probe.deadline_passed()
    await swept(world.database, world.one)


async def _given_back(world: Breakers, probe: Steps, lease: int) -> None:
    await end_leases(world.two.record, TransitionKind.GIVEN_BACK, [(probe.execution_id, lease, True)], actor=SIGNOFF)
    await probe.due(1_000)


async def _failed_otherwise(world: Breakers, probe: Steps, lease: int) -> None:
    del world
    await probe.report(lease, ReportKind.FAILED)


async def _forgotten(world: Breakers, probe: Steps, lease: int) -> None:
    del lease
    await world.sql("DELETE FROM executions WHERE execution_id = :id", id=probe.execution_id)


LOSSES = [_cancelled, _lapsed, _out_of_time, _given_back, _failed_otherwise, _forgotten]


@pytest.mark.parametrize("lost", LOSSES)
async def test_another_execution_finds_out_where_the_probe_is_lost(
    world: Breakers, lost: Callable[[Breakers, Steps, int], Awaitable[None]]
) -> None:
    await world.half_opened()
    probe, lease = await world.running(policy={"deadline_s": 1_000.0})
    next_one = await world.queued()
    assert await world.offered() == []
    await lost(world, probe, lease)
    assert await world.circuit() is Circuit.HALF_OPEN
    assert await world.offered() == [next_one.execution_id]
    answer = await next_one.claim()
    assert answer.execution is not None
    await next_one.result(answer.execution.lease)
    assert await world.circuit() is Circuit.CLOSED


async def _cancelled_in_the_queue(world: Breakers, probe: Steps) -> None:
    await world.two.submit.run_one(CancelJob(probe.job_id, actor=SIGNOFF))


async def _never_taken(world: Breakers, probe: Steps) -> None:
    await world.sql("UPDATE executions SET fails_at = now() WHERE execution_id = :id", id=probe.execution_id)
    await swept(world.database, world.one)


async def _without_room(world: Breakers, probe: Steps) -> None:
    del world
    assert (await probe.claim(room=0)).code == "no_room"
    await probe.due(1_000)


@pytest.mark.parametrize("lost", [_cancelled_in_the_queue, _never_taken, _without_room])
async def test_another_one_is_offered_where_the_probe_is_lost_before_it_was_taken(
    world: Breakers, lost: Callable[[Breakers, Steps], Awaitable[None]]
) -> None:
    await world.half_opened()
    probe = await world.queued()
    assert await world.offered() == [probe.execution_id]
    next_one = await world.queued()
    assert await world.offered() == []
    await lost(world, probe)
    assert await world.offered() == [next_one.execution_id]


async def test_a_probe_whose_offer_is_lost_is_offered_again(world: Breakers) -> None:
    await world.half_opened()
    probe = await world.queued()
    assert await world.offered() == [probe.execution_id]
    await probe.due(-1)
    assert await world.offered() == [probe.execution_id]


@pytest.mark.parametrize("repetition", range(5))
async def test_of_two_jobstores_that_race_for_the_probe_one_has_it(world: Breakers, repetition: int) -> None:
    del repetition
    await world.half_opened()
    waiting = [await world.queued() for _ in range(8)]
    claims = [ClaimExecution(steps.execution_id, steps.job_id, uuid4(), 10, actor=SIGNOFF) for steps in waiting]
    halves = await asyncio.gather(world.one.claim.run(claims[::2]), world.two.claim.run(claims[1::2]))
    answers: list[ClaimAnswer] = [answer for half in halves for answer in half]
    codes = sorted((answer.outcome, answer.code) for answer in answers)
    assert codes == [("GRANTED", ""), *[("QUEUED", "circuit_open")] * 7]


@pytest.mark.parametrize("repetition", range(5))
async def test_of_two_dispatchers_and_an_event_that_race_for_the_probe_one_has_it(
    world: Breakers, repetition: int
) -> None:
    del repetition
    await world.half_opened()
    for _ in range(4):
        await world.queued()
    upstream = ClaimExecution(new_execution_id(), f"job-{uuid4().hex}", uuid4(), 10, new_job(), actor=SIGNOFF)
    dispatchers = [Dispatcher(h._database, world.published, h.terms, SECRETS) for h in (world.one, world.two)]  # type: ignore[arg-type]
    answer, *_ = await asyncio.gather(world.two.claim.run_one(upstream), *(d.offer() for d in dispatchers))
    assert len(world.published.events) + (answer.outcome == "GRANTED") == 1


async def count_looks(database: Database) -> tuple[int, int]:
    """Probe once, as it does regularly: how often it looks at the tables, and for sessions to end."""
    with recorded_statements() as statements:
        await database.availability.probe(thoroughly=False)
    looks = ("has_table_privilege", "pg_terminate_backend")
    tables, sessions = (sum(look in statement for statement in statements) for look in looks)
    return tables, sessions


async def test_tables_are_looked_at_first_and_once_an_outage_was_met(database: Database) -> None:
    assert [(await count_looks(database))[0] for _ in range(3)] == [1, 0, 0]
    with pytest.raises(TransientError):
        async with database.session() as session:
            await session.execute(text("SELECT FROM nobody_migrated_this"))
    assert [(await count_looks(database))[0] for _ in range(2)] == [1, 0]


async def test_sessions_are_looked_for_once_an_epoch_begins_or_ends(database: Database) -> None:
    await database.availability.probe()
    assert [(await count_looks(database))[1] for _ in range(2)] == [0, 0]
    async with database.session() as session:
        await session.execute(text("INSERT INTO epochs (until) VALUES (now() - interval '1 second')"))
        assert [(await count_looks(database))[1] for _ in range(2)] == [1, 0]
        await session.execute(text("DELETE FROM epochs"))
    assert [(await count_looks(database))[1] for _ in range(2)] == [1, 0]
