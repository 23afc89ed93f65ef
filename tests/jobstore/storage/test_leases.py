"""Leases: renewed, lapsed, revived, lost and given back, as RenewLeases tells the workers that hold them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.steps import NO_TIME_S, Steps, swept

from contracts.signing import KeyUse, Secrets, make_secret
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob
from jobstore.executions.leases import renew
from jobstore.executions.sweeper import end_leases
from jobstore.jobs.model import SIGNOFF, ExecutionStage, TransitionKind
from signoff.status import ReportKind
from signoff.worker.v1 import work_service_pb2 as pb

OLDER, NEWER = make_secret("test", SECRETS.signing.value), make_secret("newer", b"n" * 32)
OTHER = Secrets.parse(make_secret("test", b"o" * 32))


def proven(steps: Steps, number: int, owner: UUID, kind: Any, secrets: Secrets = SECRETS) -> pb.Lease:
    use = KeyUse.EXECUTING if kind == pb.WORK_KIND_EXECUTING else KeyUse.JUDGING
    proof = secrets.make_key(use, steps.execution_id, number).sign(str(owner).encode())
    return pb.Lease(execution_id=str(steps.execution_id), lease=number, proof=proof)


def renewal(
    steps: Steps, *, held: int | None = None, outcome: int | None = None, **fields: Any
) -> pb.RenewLeasesRequest:
    owner, kind = fields.pop("owner", steps.executor), fields.pop("kind", pb.WORK_KIND_EXECUTING)

    def lease(number: int) -> pb.Lease:
        return proven(steps, number, owner, kind)

    return pb.RenewLeasesRequest(
        owner=str(owner),
        kind=kind,
        held=[lease(held)] if held is not None else [],
        outcomes=[lease(outcome)] if outcome is not None else [],
        **fields,
    )


async def test_renewing_keeps_a_lease_and_tells_what_is_lost_and_cancelled(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running()
    await steps.due(0.1)
    kept = await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(kept.held) == [pb.LEASE_STATE_KEEP]
    assert (await work.RenewLeases(renewal(steps, held=lease + 1), None)).held == [pb.LEASE_STATE_LOST]  # type: ignore[arg-type]
    await runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    assert (await work.RenewLeases(renewal(steps, held=lease), None)).held == [pb.LEASE_STATE_CANCELLED]  # type: ignore[arg-type]


async def test_a_validator_says_since_when_its_judge_is_away(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work, lease = WorkService(database, runner, SECRETS), await steps.judging()

    async def renew_away_for(seconds: float | None) -> Any:
        request = renewal(steps, held=lease, owner=steps.validator, kind=pb.WORK_KIND_JUDGING)
        if seconds is not None:
            request.held[0].judge_away_s = seconds
        assert (await work.RenewLeases(request, None)).held == [pb.LEASE_STATE_KEEP]  # type: ignore[arg-type]
        async with database.session() as session:
            query = (
                "SELECT signoff_now() - judge_away_at AS ago, judge_away_at AS at FROM executions WHERE job_id = :id"
            )
            return (await session.execute(text(query), {"id": steps.job_id})).one()

    first = await renew_away_for(30.0)
    assert 30.0 <= first.ago.total_seconds() < 60.0
    assert (await renew_away_for(1.0)).at == first.at, "the time at which it was first missed stays"
    assert (await renew_away_for(None)).at is None
    for lie in (float("nan"), float("-inf"), float("inf"), -1.0, 1e300):
        await renew_away_for(None)
        assert 0.0 <= (await renew_away_for(lie)).ago.total_seconds() <= 366 * 86_400, lie


async def test_a_worker_learns_that_an_execution_is_over_whoever_ended_it(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """Its agent may be told to stop: nobody goes on with the work."""
    lease = await steps.running(policy={"deadline_s": 100_000.0})
    await steps.deadline_passed()
    await end_leases(runner.record, TransitionKind.DEADLINE, [(steps.execution_id, 0, False)], actor=SIGNOFF)
    answer = await WorkService(database, runner, SECRETS).RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(answer.held) == [pb.LEASE_STATE_CANCELLED]


async def test_a_late_renewal_revives_a_lapsed_lease(steps: Steps, database: Database, runner: CommandRunner) -> None:
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running()
    await steps.due(-1)
    await end_leases(runner.record, TransitionKind.LAPSED, [(steps.execution_id, lease, False)], actor=SIGNOFF)
    kept = await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(kept.held) == [pb.LEASE_STATE_KEEP]
    assert (await steps.row()).state == "LEASED"
    assert (await steps.claim(owner=uuid4())).outcome == "DUPLICATE"


async def test_an_attempt_is_spent_once_however_often_its_lease_lapses(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running(policy={"max_calls": 2})
    for _ in range(3):
        await steps.due(-1)
        await swept(database, runner)
        await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    await steps.due(-1)
    await swept(database, runner)
    await steps.report(lease, ReportKind.ATTEMPT_FAILED)  # late: the worker was only slow
    row = await steps.row()
    assert (row.state, row.attempt, row.spent) == ("QUEUED", 1, 1)


async def test_an_outcome_that_is_awaited_keeps_its_lease(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """While the broker is away no outcome can be recorded; nobody may call the agent again meanwhile (invariant 4)."""
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running()
    await steps.due(-1)
    await work.RenewLeases(renewal(steps, outcome=lease), None)  # type: ignore[arg-type]
    await swept(database, runner)
    assert (await steps.row()).state == "LEASED"
    await steps.result(lease)
    await work.RenewLeases(renewal(steps, outcome=lease), None)  # type: ignore[arg-type]
    row = await steps.row()
    assert (row.stage, row.state) == ("JUDGING", "OFFERED")


async def test_an_outcome_is_awaited_until_it_is_recorded(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running()

    async def state() -> Any:
        return list((await work.RenewLeases(renewal(steps, outcome=lease), None)).outcomes)  # type: ignore[arg-type]

    assert await state() == [pb.LEASE_STATE_KEEP]
    await steps.result(lease)
    assert await state() == [pb.LEASE_STATE_RECORDED]
    judged = await steps.claim_judging(lease)
    assert judged.execution is not None
    assert await state() == [pb.LEASE_STATE_RECORDED]
    assert (await steps.row()).lease == judged.execution.lease


async def test_a_lease_given_back_is_granted_to_another_at_once(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner, SECRETS)
    lease = await steps.running()
    back = pb.GivenBackLease(lease=proven(steps, lease, steps.executor, pb.WORK_KIND_EXECUTING), begun=True)
    await work.RenewLeases(renewal(steps, given_back=[back]), None)  # type: ignore[arg-type]
    await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type] # a renewal that was under way
    assert (await steps.row()).state == "QUEUED"
    assert isinstance(await steps.report(lease, ReportKind.CALL_BEGUN), object)
    assert (await steps.claim(owner=uuid4())).outcome == "GRANTED"


@pytest.mark.parametrize("judging", [False, True])
async def test_a_lease_is_given_back_by_its_own_kind_of_worker_alone(
    steps: Steps, database: Database, runner: CommandRunner, judging: bool
) -> None:
    """Else an executor's token would end judgings, and a validator's calls of agents."""
    lease = await steps.running()
    if judging:
        claimed = await steps.claim_judging(lease)
        assert claimed.execution is not None
        lease = claimed.execution.lease
    kinds = [pb.WORK_KIND_EXECUTING, pb.WORK_KIND_JUDGING]
    for kind, state in ((kinds[not judging], "LEASED"), (kinds[judging], "QUEUED")):
        back = pb.GivenBackLease(lease=proven(steps, lease, steps.executor, kinds[judging]))
        request = renewal(steps, kind=kind, given_back=[back])
        await WorkService(database, runner, SECRETS).RenewLeases(request, None)  # type: ignore[arg-type]
        assert (await steps.row()).state == state


@pytest.mark.parametrize("proof", ["none", "another owner's", "another lease's", "another secret's", "of another kind"])
async def test_a_number_alone_takes_over_no_lease(
    steps: Steps, database: Database, runner: CommandRunner, proof: str
) -> None:
    """Whoever has an executor's token reads the numbers of leases in the topics, and has no keys."""
    lease, thief = await steps.running(), uuid4()
    shown = {
        "none": pb.Lease(execution_id=str(steps.execution_id), lease=lease),
        "another owner's": proven(steps, lease, steps.executor, pb.WORK_KIND_EXECUTING),
        "another lease's": proven(steps, lease + 1, thief, pb.WORK_KIND_EXECUTING),
        "another secret's": proven(steps, lease, thief, pb.WORK_KIND_EXECUTING, OTHER),
        "of another kind": proven(steps, lease, thief, pb.WORK_KIND_JUDGING),
    }[proof]
    shown.lease = lease
    before = await steps.row()
    request = pb.RenewLeasesRequest(
        owner=str(thief),
        kind=pb.WORK_KIND_EXECUTING,
        held=[shown],
        outcomes=[shown],
        given_back=[pb.GivenBackLease(lease=shown, begun=True)],
    )
    answer = await WorkService(database, runner, SECRETS).RenewLeases(request, None)  # type: ignore[arg-type]
    assert (list(answer.held), list(answer.outcomes)) == ([pb.LEASE_STATE_LOST], [pb.LEASE_STATE_LOST])
    assert await steps.row() == before
    await steps.result(lease)  # nor does it learn of outcomes
    answer = await WorkService(database, runner, SECRETS).RenewLeases(request, None)  # type: ignore[arg-type]
    assert list(answer.outcomes) == [pb.LEASE_STATE_LOST]


async def test_a_lease_is_handed_a_new_key_once_the_signing_secret_has_changed(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.running()
    both: Any = WorkService(database, runner, Secrets.parse(f"{NEWER},{OLDER}"))
    answer = await both.RenewLeases(renewal(steps, held=lease), None)
    assert list(answer.held) == [pb.LEASE_STATE_KEEP]
    key = Secrets.parse(NEWER).make_key(KeyUse.EXECUTING, steps.execution_id, lease)
    assert [(k.execution_id, k.lease, k.secret_id, k.key) for k in answer.new_keys] == [
        (str(steps.execution_id), lease, "newer", key.key)
    ]
    request = renewal(steps)
    request.held.append(proven(steps, lease, steps.executor, request.kind, Secrets.parse(NEWER)))
    answer = await both.RenewLeases(request, None)
    assert (list(answer.held), list(answer.new_keys)) == ([pb.LEASE_STATE_KEEP], [])


async def test_a_lease_revived_by_a_late_renewal_waits_in_no_queue(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.running(policy={"queue_timeout_s": NO_TIME_S})
    await steps.due(-1)
    await end_leases(runner.record, TransitionKind.LAPSED, [(steps.execution_id, lease, False)], actor=SIGNOFF)
    assert (await steps.row()).fails_at is not None
    await WorkService(database, runner, SECRETS).RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    await swept(database, runner)
    assert (await steps.row()).state == "LEASED"


async def test_a_worker_that_holds_nothing_tells_its_room_and_that_it_is_alive(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work, seen = WorkService(database, runner, SECRETS), []
    for room in (3, 0):
        answer = await work.RenewLeases(renewal(steps, room=room), None)  # type: ignore[arg-type]
        assert answer.lease_s == runner.terms.lease_s
        async with database.session() as session:
            row = (await session.execute(text("SELECT owner, room, stage, seen_at FROM workers"))).one()
        assert (row.owner, row.room, row.stage) == (steps.executor, room, "EXECUTING")
        seen.append(row.seen_at)
    assert seen[0] < seen[1]


async def test_leases_are_renewed_in_the_order_of_their_ids_whatever_the_plan(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """Commands lock them in this order: in another, a renewal and a command can each wait for the other."""
    low, high = sorted((steps, Steps(database, runner)), key=lambda one: one.execution_id)
    leases = [(one.execution_id, await one.running()) for one in (high, low)]
    waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%executions%'")
    lock = text("SELECT count(*) FROM (SELECT FROM executions WHERE execution_id = :id FOR UPDATE SKIP LOCKED) AS free")

    async def renewed() -> set[tuple[UUID, int]]:
        async with database.transaction() as connection:
            await connection.execute(text("SET LOCAL enable_nestloop = off"))
            await connection.execute(text("SET LOCAL enable_mergejoin = off"))
            return await renew(connection, steps.executor, ExecutionStage.EXECUTING, leases, 60.0)

    async def is_waiting() -> bool:
        async with database.transaction() as connection:
            return bool(await connection.scalar(waits))

    async with database.transaction() as connection:
        assert await connection.scalar(lock, {"id": low.execution_id}) == 1
        renewing = asyncio.create_task(renewed())
        async with asyncio.timeout(10):
            while not await is_waiting():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert await connection.scalar(lock, {"id": high.execution_id}) == 1
    assert await renewing == set(leases)
