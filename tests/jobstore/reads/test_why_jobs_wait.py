"""Why jobs wait, read from the real tables: by stage and state, without an agent, of a batch, and for all who ask."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import disable_agent, pause_limit, put_agent, put_limit
from support.jobstore.steps import Steps, seen

from contracts.resources import JobFilter, NewAgent, NewLimit
from jobstore.engine.database import Database
from jobstore.engine.scoped import ScopedConnection
from jobstore.executions.commands import ExecuteJob
from jobstore.executions.leases import renew
from jobstore.insights.overview import WaitingSums
from jobstore.jobs import lists
from jobstore.jobs.finding import look_up
from jobstore.jobs.model import SIGNOFF, ExecutionStage
from jobstore.jobs.waits import explain_jobs, list_waiting, sum_up_all, sum_up_batch
from jobstore.operations.snapshots import count_matching
from signoff.status import JobOrder, ReportKind

ALIVE_S = 60.0


async def listed(database: Database, order: JobOrder, **chosen: Any) -> list[str]:
    """All that match, page by page."""
    found, after = list[str](), None
    while True:
        async with database.transaction() as connection:
            wanted = await look_up(connection, JobFilter(**chosen), ALIVE_S)
            page = await lists.list_jobs(connection, limit=150, chosen=wanted, order=order, after=after)
            counts = await lists.count_jobs(connection, wanted)
        found += [view["id"] for view in page.views]
        if (after := page.next) is None:
            assert sum(counts.by_status.values()) == len(found)
            return found


async def codes(steps: Steps) -> list[tuple[str, str]]:
    async with steps.database.session() as session:
        (waiting,) = (await explain_jobs(session, [steps.job_id], ALIVE_S)).values()
    return [(reason.code, reason.name) for reason in waiting.reasons]


async def sql(database: Database, query: str, **parameters: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(query), parameters)


async def test_a_life_waits_for_an_executor_and_then_for_a_validator(steps: Steps, database: Database) -> None:
    await steps.created()
    assert await codes(steps) == [], "nobody has executed it"
    await steps.runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    assert await codes(steps) == [("no_worker", "executor")]
    await seen(database, ExecutionStage.EXECUTING, 1)
    assert await codes(steps) == [("queue", "")]
    answer = await steps.claim()
    assert answer.execution is not None
    assert await codes(steps) == [], "it is with an executor"
    await steps.result(answer.execution.lease)
    assert await codes(steps) == [("judge_missing", "validator")]
    await seen(database, ExecutionStage.JUDGING, 0)
    assert await codes(steps) == [("judge_no_room", "validator")]
    await seen(database, ExecutionStage.JUDGING, 3)
    assert await codes(steps) == [("offered", "validator")]
    judging = await steps.claim_judging(answer.execution.lease)
    assert await codes(steps) == []
    assert judging.execution is not None
    lease = steps.execution_id, judging.execution.lease
    async with database.transaction() as connection:
        await renew(connection, steps.validator, ExecutionStage.JUDGING, [lease], 60.0, {lease: 10.0})
    assert await codes(steps) == [("judge_away", "")]
    async with database.session() as session:
        now = await sum_up_all(session, ALIVE_S)
    assert [(each.code, each.count) for each in now.sums] == [("judge_away", 1)]
    assert now.judging == 1, "it is with a validator, and counted once"
    assert await listed(database, JobOrder.CREATED, reasons=["judge_away"]) == [steps.job_id]


async def test_a_call_that_failed_waits_for_its_next_one_with_a_worker_or_in_the_queue(
    steps: Steps, database: Database
) -> None:
    lease = await steps.running(policy={"max_calls": 5})
    await steps.report(lease, ReportKind.CALL_FAILED, code="agent_status", retry_after_s=20.0, call=1)
    assert await codes(steps) == [("retry_backoff", "")]
    await steps.report(lease, ReportKind.ATTEMPT_FAILED, seq=2, code="agent_status", retry_after_s=90.0, call=2)
    await seen(database, ExecutionStage.EXECUTING, 1)
    assert (await steps.row()).state == "QUEUED"
    assert await codes(steps) == [("retry_backoff", "")]
    async with database.session() as session:
        (waiting,) = (await explain_jobs(session, [steps.job_id], ALIVE_S)).values()
        (each,) = (await sum_up_all(session, ALIVE_S)).sums
    assert waiting.starts_at == waiting.reasons[0].until == (await steps.row()).due_at
    assert (each.code, each.count, each.until) == ("retry_backoff", 1, waiting.starts_at)


async def test_a_job_for_which_an_agent_is_looked_for_names_those_that_are_off(
    steps: Steps, database: Database
) -> None:
    skill = f"skill-{uuid4().hex[:8]}"
    await steps.created(agent_id=None, capabilities=[skill])
    assert await codes(steps) == [("no_agent_matches", skill)]
    off, resting = f"{skill}-off", f"{skill}-resting"
    async with database.transaction() as connection:
        for agent_id in (off, resting):
            new = NewAgent(name=agent_id, url="http://127.0.0.1:2/", capabilities=[skill, "other"])
            await put_agent(connection, agent_id, new, create=True)
        await disable_agent(connection, off)
        await pause_limit(connection, f"agent:{resting}", paused=True)
    assert await codes(steps) == [("agent_disabled", off), ("limit_paused", f"agent:{resting}")]
    async with database.session() as session:
        sums = (await sum_up_all(session, ALIVE_S)).sums
    assert await listed(database, JobOrder.CREATED, reasons=[f"agent_disabled:{off}"]) == [steps.job_id]
    assert await listed(database, JobOrder.CREATED, reasons=[f"limit_paused:agent:{resting}"]) == []
    assert ("agent_disabled", off, 1) in [(each.code, each.name, each.count) for each in sums]
    other = await Steps(database, steps.runner).created(agent_id=None)
    assert await codes(other) == [("agent_missing", "")]
    await sql(database, "DELETE FROM limits")
    await sql(database, "UPDATE jobs SET capabilities = '{}' WHERE status = 'PENDING'")


async def test_a_job_that_there_is_not_is_not_explained(database: Database) -> None:
    async with database.session() as session:
        assert await explain_jobs(session, ["nobody"], ALIVE_S) == {}


@pytest.mark.parametrize("shared", [True, False])
async def test_what_others_run_at_a_shared_agent_is_counted_for_who_is_of_all_tenants_alone(
    steps: Steps, database: Database, *, shared: bool
) -> None:
    agent_id = f"press:busy-{shared}".lower()
    async with database.transaction() as connection:
        new = NewAgent(name=agent_id, url="http://127.0.0.1:2/", tenant="press", shared=shared)
        await put_agent(connection, agent_id, new, create=True)
    await Steps(database, steps.runner).running(tenant="games" if shared else "press", agent_id=agent_id)
    async with database.transaction() as connection:
        await put_limit(connection, f"agent:{agent_id}", NewLimit(concurrency=1))
    await steps.requested(tenant="press", agent_id=agent_id)
    await seen(database, ExecutionStage.EXECUTING, 5)
    found = []
    for tenants in (None, frozenset({"press"})):
        async with database.transaction() as connection:
            scoped = ScopedConnection(connection.driver, tenants)
            ((reason,),) = [each.reasons for each in (await explain_jobs(scoped, [steps.job_id], ALIVE_S)).values()]
            found.append((reason.code, reason.used, reason.allowed))
    assert found == [("limit_concurrency", 1, 1), ("limit_concurrency", None if shared else 1, 1)]
    await sql(database, "DELETE FROM limits")


async def test_a_batch_sums_up_its_own(steps: Steps, database: Database) -> None:
    batch_id = uuid4()
    await steps.requested()
    await sql(database, "UPDATE executions SET batch_id = :batch", batch=batch_id)
    await Steps(database, steps.runner).requested()
    async with database.session() as session:
        own = await sum_up_batch(session, batch_id, ALIVE_S)
        everything = await sum_up_all(session, ALIVE_S)
    assert [(each.code, each.count) for each in own] == [("no_worker", 1)]
    assert [(each.code, each.count) for each in everything.sums] == [("no_worker", 2)]


async def test_all_that_wait_are_summed_up_as_each_is_explained(
    steps: Steps, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of flows, of which limits and circuits hold back some."""
    await steps.created()
    await sql(database, "DELETE FROM executions")
    await sql(database, _FLOWS)
    await sql(database, "UPDATE executions SET not_before = due_at WHERE due_at > now() AND hashtext(job_id) % 2 = 0")
    await sql(database, _OF_FLOWS)
    await sql(
        database,
        "INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled) "
        "VALUES ('flows-3', '', 'http', '', '{}', '{}', true)",
    )
    await sql(
        database,
        "INSERT INTO circuits (agent_id, failures, opened, open_until) "
        "VALUES ('flows-3', 5, 1, now() + interval '1 h')",
    )
    await sql(database, _LIMITS)
    await seen(database, ExecutionStage.EXECUTING, 5)
    async with database.session() as session:
        each = await explain_jobs(session, [f"flows-{n}" for n in range(600)], ALIVE_S)
        everything = await sum_up_all(session, ALIVE_S)
        monkeypatch.setattr("jobstore.jobs.waits.PARSED_AT_ONCE", 0)
        assert (await sum_up_all(session, ALIVE_S)).sums == everything.sums, "in a thread"
    firsts = Counter((waiting.reasons[0].code, waiting.reasons[0].name) for waiting in each.values())
    assert {(one.code, one.name): one.count for one in everything.sums} == firsts
    assert everything.queued == sum(firsts.values()) == 600
    times = {"not_before", "retry_backoff"}
    assert {code for code, _ in firsts} == {"queue", *times, "limit_paused", "limit_concurrency", "circuit_open"}
    own = frozenset({"flows-7", "flows-8"})
    for code, name in firsts:
        reason, about = f"{code}:{name}" if name else code, (code, name)
        counted = sorted(id_ for id_, w in each.items() if (w.reasons[0].code, w.reasons[0].name) == about)
        for order in (JobOrder.CREATED_DESC, JobOrder.UPDATED, JobOrder.PRIORITY_DESC):
            assert sorted(await listed(database, order, reasons=[reason])) == counted, (reason, order)
        async with database.transaction() as connection:
            caller = ScopedConnection(connection.driver, own)
            of_own = await list_waiting(caller, [reason], ALIVE_S, 600)
        assert sorted(of_own) == [id_ for id_ in counted if int(id_.removeprefix("flows-")) % 60 in {7, 8}]
    chosen = [f"{code}:{name}" for code, name in firsts]
    assert len(await listed(database, JobOrder.CREATED, reasons=chosen)) == 600
    assert len(await listed(database, JobOrder.CREATED, reasons=chosen, tenant="flows-7")) == 10
    assert await listed(database, JobOrder.CREATED, reasons=["judge_away"]) == []
    await sql(database, "DELETE FROM limits")
    await sql(database, "DELETE FROM circuits")


#: Each sixth is due in an hour, some of these as was asked for.
_FLOWS = """
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, due_at, offers, submission, priority,
    spent, request_version, agent_id, tenant, flow)
SELECT md5(n::text)::uuid, 'flows-' || n, 'EXECUTING', 'QUEUED', 0, 0, 0, now() + (n % 6 / 5 * 2 - 1) * interval '1 h',
    0, 1, n % 3, 0, 2, 'flows-' || n % 7, 'flows-' || n % 60, ARRAY['agent:flows-' || n % 7, 'label:team=' || n % 5]
FROM generate_series(0, 599) n
"""
_OF_FLOWS = """
INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, execution_id, live, not_met,
    priority, tenant, labels, policy, spec_hash, created_at, updated_at)
SELECT job_id, '', '', 'x', '{}', 'ASSIGNED', 2, execution_id, true, 0, priority, tenant, '{}', '{}', '', now(), now()
FROM executions WHERE job_id LIKE 'flows-%'
"""
_LIMITS = """
INSERT INTO limits (name, concurrency, rate_period_s, paused) VALUES ('tenant:*', 4, 1, false),
    ('tenant:flows-7', NULL, 1, true), ('label:team=2', 0, 1, false), ('agent:flows-5', 2, 1, false)
"""


async def test_of_more_jobs_than_are_looked_up_those_that_became_due_last_are_found_and_that_is_said(
    steps: Steps, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation on such a filter is refused: it would leave some out."""
    await steps.created()
    await sql(database, "DELETE FROM executions")
    await sql(database, "DELETE FROM jobs WHERE id LIKE 'flows-%'")
    await sql(database, _FLOWS)
    await sql(database, _OF_FLOWS)
    await sql(database, "UPDATE executions SET due_at = now() - interval '1 d' WHERE tenant <> 'flows-7'")
    monkeypatch.setattr("jobstore.jobs.finding.COUNTED_MAX", 10)
    async with database.transaction() as connection:
        for limit, has_more in ((10, True), (600, False)):
            chosen = await look_up(connection, JobFilter(reasons=["no_worker"]), ALIVE_S, limit)
            page = await lists.list_jobs(connection, limit=500, chosen=chosen)
            counts = await lists.count_jobs(connection, chosen)
            facets = await lists.list_job_facets(connection, "tenant", chosen, 5)
            assert [each.searched is not None for each in (page, counts, facets)] == [has_more, True, True]
            assert (await count_matching(connection, chosen, 600) > 600) is has_more
            if has_more:
                assert {view["tenant"] for view in page.views} == {"flows-7"}
                assert sum(counts.by_status.values()) == 10


async def test_a_dear_sum_is_read_once_for_all_and_ahead_of_who_asks_next(
    steps: Steps, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    async def read_slowly(*arguments: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        reads.append(task.get_name())
        sums = await sum_up_all(*arguments)
        await asyncio.sleep(0.05)
        return sums

    monkeypatch.setattr("jobstore.insights.overview.sum_up_all", read_slowly)
    waiting = WaitingSums(database, ALIVE_S)
    first, *others = await asyncio.gather(*(waiting.get() for _ in range(10)))
    assert all(other is first for other in others)
    assert len(reads) == 1
    await steps.requested()
    async with asyncio.timeout(10):
        while (await waiting.get()).queued != 1:  # noqa: ASYNC110 - what is read ahead tells by no event
            await asyncio.sleep(0.05)
    assert reads[1:] == ["waiting sums"], "nobody waited for a read but the first"
    await waiting.close()


async def test_a_cheap_sum_is_counted_anew(steps: Steps, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobstore.insights.overview.USED_AGAIN", 0.0)
    waiting = WaitingSums(database, ALIVE_S)
    assert (await waiting.get()).queued == 0
    await steps.requested()
    assert (await waiting.get()).queued == 1
    await waiting.close()


async def test_what_is_cheap_again_is_read_ahead_no_more(database: Database) -> None:
    waiting = WaitingSums(database, ALIVE_S)
    await waiting.get()
    waiting._took_s, waiting._asked_at = 1.0, asyncio.get_running_loop().time()
    await waiting._keep()
    assert waiting._took_s < 1.0, "it is cheap again"
