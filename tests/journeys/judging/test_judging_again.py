"""Results are judged again without any agent's call, and without a job."""

import asyncio
import os
import signal
from contextlib import AbstractAsyncContextManager

import asyncpg
from support.fakes import until
from support.system import WAIT_S, Agent, Judge, System, in_place_of

from contracts.resources import JudgingCase, NewJudgings, NewOperation
from signoff.status import JobStatus, OperationState
from signoff.types import Operation


async def ended(system: System, operation: Operation) -> Operation:
    async with asyncio.timeout(WAIT_S):
        async for last in system.client.watch_operation(operation.id):
            operation = last
    return operation


async def accepted(system: System, count: int, **fields: object) -> list[str]:
    """Jobs whose results were accepted."""
    jobs = [await system.create(**fields) for _ in range(count)]
    await asyncio.gather(*(system.client.execute_job(job.id) for job in jobs))
    for job in jobs:
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    return [job.id for job in jobs]


def strict(judge: Judge) -> AbstractAsyncContextManager[list[str]]:
    """Put another judge in the place of the judge, which passes nothing."""
    return in_place_of(judge, lambda _: (None, "fail"))


async def test_a_shadow_says_what_another_judge_would_have_said_and_changes_nothing(
    system: System, agent: Agent, judge: Judge
) -> None:
    job_ids = await accepted(system, 3)
    before = [await system.logs(job_id) for job_id in job_ids]
    async with strict(judge):
        new = NewOperation(kind="rejudge", job_ids=job_ids, shadow=True)
        operation = await ended(system, await system.client.create_operation(new))
    assert (operation.state, operation.counts) == (OperationState.DONE, {"DONE": 3})
    async with system.http.get(f"/api/operations/{operation.id}/rejudge-report") as answer:
        report = await answer.json()
    assert (report["accepted_before"], report["accepted_after"], report["flipped"]) == (3, 0, 3)
    assert [await system.logs(job_id) for job_id in job_ids] == before
    assert [len(agent.calls[job_id]) for job_id in job_ids] == [1, 1, 1]


async def test_a_real_one_takes_an_acceptance_back_and_calls_no_agent(
    system: System, agent: Agent, judge: Judge
) -> None:
    (job_id,) = await accepted(system, 1, policy={"resubmit": "automatic"})
    async with strict(judge):
        await ended(system, await system.client.create_operation(NewOperation(kind="rejudge", job_ids=[job_id])))
    job = await system.at_rest(job_id)
    assert (job.status, job.code, job.submission) == (JobStatus.RESUBMISSION_REQUIRED, "rejudged", 1)
    assert [entry.code for entry in (await system.logs(job_id))[-2:]] == ["rejudged", "rejudged"]
    assert len(agent.calls[job_id]) == 1, "nothing is submitted again by itself"
    await ended(system, await system.client.create_operation(NewOperation(kind="rejudge", job_ids=[job_id])))
    assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED


async def test_a_shadow_goes_on_where_its_validator_was_killed(system: System, judge: Judge) -> None:
    job_ids = await accepted(system, 30)
    asked = judge.asked
    await judge.stop()
    operation = await system.client.create_operation(NewOperation(kind="rejudge", job_ids=job_ids, shadow=True))
    database = await asyncpg.connect(system.endpoints["postgres"])
    held = "SELECT count(*) FROM judgings WHERE group_id = $1 AND state = 'LEASED'"
    async with asyncio.timeout(WAIT_S):
        while not await database.fetchval(held, operation.id):  # noqa: ASYNC110 - told by no event
            await asyncio.sleep(0.05)
    killed = system.endpoints["processes"]["validator"]
    os.kill(killed, signal.SIGKILL)
    await until(lambda: system.endpoints["processes"]["validator"] != killed, WAIT_S)
    await judge.start()
    assert (await ended(system, operation)).counts == {"DONE": 30}
    verdicts = await database.fetchval("SELECT count(answer) FROM judgings WHERE group_id = $1", operation.id)
    await database.close()
    report = await system.client.get_rejudge_report(operation.id)
    assert (verdicts, report.judged, report.flipped) == (30, 30, 0)
    assert judge.asked - asked <= 2 * len(job_ids)


async def test_a_result_is_judged_without_a_job(system: System) -> None:
    cases = [
        JudgingCase(result={"text": "The sky is blue."}, acceptance_criteria='Says "blue"'),
        JudgingCase(result={"text": "It is red."}, acceptance_criteria='Says "blue"'),
    ]
    group_id = await system.client.create_judgings(NewJudgings(kind="try", cases=cases))
    async with asyncio.timeout(WAIT_S):
        async for progress in system.client.watch_judgings(group_id):
            assert progress.total == 2
    async with system.http.get(f"/api/judgings/{group_id}") as answer:
        judged = (await answer.json())["items"]
    assert [one["verdict"]["is_valid"] for one in judged] == [True, False]
