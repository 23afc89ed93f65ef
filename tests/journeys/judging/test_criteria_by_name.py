"""Criteria that jobs choose by name, and what a verdict says of who made it."""

import asyncio

from support.system import Agent, System

from signoff.status import JobStatus


async def test_a_job_is_judged_by_the_criteria_that_were_current_when_it_was_asked_for(
    system: System, agent: Agent
) -> None:
    """A set is edited while a job that chose it is with its agent: the job is judged by the version before."""
    await system.client.put_criteria_set("house", 'Says "sky"')
    job = await system.create(policy={"criteria_set": "house"})
    called, edited = asyncio.Event(), asyncio.Event()

    async def answer_later(_: object) -> dict[str, str]:
        called.set()
        await edited.wait()
        return {"text": "The sky is blue."}

    agent.answers[job.id] = answer_later
    await system.client.execute_job(job.id)
    await called.wait()
    await system.client.put_criteria_set("house", 'Says "sea"')
    edited.set()
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    verdict = (await system.logs(job.id))[-1].verdict
    assert [c.text for c in verdict.criteria] == ['Says "blue"', "Is not empty", 'Says "sky"']
    assert verdict.judge.startswith("default@"), "it was made by what the validators are set to"
    ((_, body),) = agent.calls[job.id]
    assert body["acceptance_criteria"] == 'Says "blue"\nIs not empty\nSays "sky"'

    newer, older = (await system.client.get_criteria_set("house")).versions
    assert (older.version, older.judged.met, newer.judged.met) == (1, 1, 0)

    await system.client.execute_job((again := await system.create(policy={"criteria_set": "house"})).id)
    assert (await system.at_rest(again.id)).status is JobStatus.RESUBMISSION_REQUIRED


async def test_what_validators_are_set_to_is_known(system: System) -> None:
    """Each validator says by what it judges; one that was killed a moment ago may have said nothing."""
    async with asyncio.timeout(60):
        while True:
            page = await system.client.list_judge_policies()
            if {validator.judge.partition("@")[0] for validator in page.validators} == {"default"}:
                break
            await asyncio.sleep(0.2)
    assert [policy.name for policy in page.policies if policy.name == "default"] == ["default"]
