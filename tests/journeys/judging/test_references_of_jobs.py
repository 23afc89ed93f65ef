"""Whoever knows the right answer gives it to the judge, and no agent is told of it."""

from support.system import Agent, System

from signoff.status import JobStatus


async def test_a_reference_is_for_the_judge_alone(system: System, agent: Agent) -> None:
    """A job with a reference is judged; its agent gets it neither with its call nor with the feedback."""
    job = await system.create(
        references={1: "A zephyrean blue"}, policy={"resubmit": "automatic", "max_submissions": 2}
    )
    agent.answers[job.id] = lambda _: {"text": "It is red."}

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.REJECTED
    assert (await system.client.get_job(job.id)).references == {1: "A zephyrean blue"}

    bodies = [body for _, body in agent.calls[job.id]]
    assert len(bodies) == 2
    assert "zephyrean" not in str(bodies)
    verdict = (await system.logs(job.id))[-1].verdict
    assert len(verdict.references_sha256) == 64
