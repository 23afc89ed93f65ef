"""What a judge does not prove is its own failure: no agent is called for it, and judging again goes on from there."""

import asyncio

from support.system import WAIT_S, Agent, Judge, System, in_place_of

from contracts.resources import JobFilter, NewOperation
from signoff.status import JobStatus

UNPROVEN = "verdict_unproven"


async def judged_again(system: System, job_id: str) -> dict[str, int]:
    """Judge the result of a job again for real, and return what became of it."""
    operation = await system.client.create_operation(NewOperation(kind="rejudge", job_ids=[job_id]))
    async with asyncio.timeout(WAIT_S):
        async for last in system.client.watch_operation(operation.id):
            operation = last
    return operation.counts


async def test_an_unproven_verdict_costs_no_call_of_an_agent_and_no_submission(
    system: System, agent: Agent, judge: Judge
) -> None:
    job = await system.create(acceptance_criteria="Describes the sky", policy={"resubmit": "automatic"})
    agent.answers[job.id] = lambda _: f"The sky is blue, for all that {job.id} knows."
    async with in_place_of(judge, lambda _: (None, "pass")):  # it lets everything pass, and quotes nothing
        await system.client.execute_job(job.id)
        left = await system.at_rest(job.id)
        assert await judged_again(system, job.id) == {"REFUSED": 1}
    assert (left.status, left.code, left.submission) == (JobStatus.FAILED, UNPROVEN, 1)
    last = (await system.logs(job.id))[-1]
    assert (last.kind, last.verdict.criteria[0].unproven) == ("failed", True)
    async with system.http.get(f"/api/jobs/{job.id}/receipt") as answer:
        assert (await answer.json())["code"] == "unjudged"
    chosen = JobFilter(codes=[UNPROVEN], agent_id="agent")
    assert job.id in {one.id for one in (await system.client.list_matching(chosen, page_size=50)).jobs}
    assert (await system.client.get_job(job.id)).version == left.version, "judging it again proved nothing, either"
    assert len(agent.calls[job.id]) == 1

    agent.answers[job.id] = lambda _: f"The sky is grey, for all that {job.id} knows."
    async with in_place_of(judge, lambda _: (None, "fail")):
        assert await judged_again(system, job.id) == {"DONE": 1}
        await system.logged(job.id, lambda entry: entry.kind == "requested" and entry.submission == 2)
        await system.logged(job.id, lambda entry: entry.submission == 2 and entry.kind == "not_met")
    assert len(agent.calls[job.id]) >= 2, "the judge says what is wrong, and the agent tries again"


async def test_another_judge_completes_what_was_left_unproven(system: System, agent: Agent, judge: Judge) -> None:
    job = await system.create(acceptance_criteria="Describes the sky")
    agent.answers[job.id] = lambda _: f"The sky is blue, for all that {job.id} knows."
    async with in_place_of(judge, lambda _: (None, "pass")):
        await system.client.execute_job(job.id)
        assert (await system.at_rest(job.id)).code == UNPROVEN
    async with in_place_of(judge, lambda _: ("The sky is blue", "pass")):
        assert await judged_again(system, job.id) == {"DONE": 1}
    done = await system.at_rest(job.id)
    assert (done.status, done.code, len(agent.calls[job.id])) == (JobStatus.COMPLETED, None, 1)
