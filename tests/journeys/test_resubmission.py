"""A job whose result was not accepted is submitted again by its policy, handed on, or left to people."""

from support.system import Agent, System

from contracts.resources import NewAgent
from signoff.status import JobLogStatus, JobStatus

L = JobLogStatus


async def registered(system: System, agent_id: str, url: str, *capabilities: str) -> str:
    await system.client.create_agent(NewAgent(id=agent_id, name=agent_id, url=url, capabilities=list(capabilities)))
    return agent_id


async def told(system: System, job_id: str) -> list[JobLogStatus]:
    """What the job's log says, but for what its agent and judge did in between."""
    return [entry.status for entry in await system.logs(job_id) if entry.status is not L.IN_PROGRESS]


async def test_a_rejected_job_is_submitted_again_with_the_feedback_until_it_is_accepted(system: System) -> None:
    """By an automatic policy the local `drafter`, whose first submission always fails, gets the feedback and passes."""
    drafter = await registered(system, "journey-drafter", system.endpoints["agents"]["drafter"])
    job = await system.create(drafter, policy={"resubmit": "automatic"})
    await system.client.execute_job(job.id)
    done = await system.at_rest(job.id)
    assert (done.status, done.submission) == (JobStatus.COMPLETED, 2)
    assert await told(system, job.id) == [
        *(L.ASSIGNED, L.ASSIGNED),
        *(L.RESUBMISSION_REQUIRED, L.ASSIGNED),
        L.COMPLETED,
    ]
    logs = await system.logs(job.id)
    again = next(entry for entry in logs if entry.submission == 2)
    assert again.message == "submission 2 was requested by policy"
    assert again.request["feedback"]["criteria"][0]["text"] == 'Says "blue"'
    assert "Submission 2, after feedback." in logs[-1].result["text"]


async def test_a_job_rests_once_its_agent_makes_no_progress(system: System, agent: Agent) -> None:
    """An agent that repeats its answer is not asked a third time by policy; a person may still resubmit the job."""
    job = await system.create(policy={"resubmit": "automatic", "max_submissions": 10})
    answers = iter(["It is red.", "It is pink.", "It is pink."])
    agent.answers[job.id] = lambda _: {"text": next(answers)}
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.RESUBMISSION_REQUIRED
    last = (await system.logs(job.id))[-1]
    assert last.code == "no_progress"
    assert "the answer is the one before, and the same criteria fail" in (last.message or "")
    assert len(agent.calls[job.id]) == 3

    agent.answers[job.id] = lambda _: {"text": "It is blue."}
    async with system.http.post(f"/api/jobs/{job.id}/resubmit") as answer:
        assert answer.status == 201, await answer.text()
    await system.logged(job.id, lambda entry: entry.status is L.COMPLETED)
    assert (await system.client.get_job(job.id)).submission == 4


async def test_after_so_many_rejections_another_agent_gets_the_job(system: System, agent: Agent) -> None:
    """After two rejections the job is handed on to another agent that can do it, and that one succeeds."""
    skill = "describes skies"
    stubborn = await registered(system, "journey-stubborn", agent.url, skill)
    writer = await registered(system, "journey-writer", system.endpoints["agents"]["writer"], skill)
    policy = {"resubmit": "automatic", "max_submissions": 5, "hand_over_after": 2}
    job = await system.create(stubborn, capabilities=[skill], policy=policy)
    agent.answers[job.id] = lambda body: {"text": f"It is red, for time {body['submission']}."}
    await system.client.execute_job(job.id)
    done = await system.at_rest(job.id)
    assert (done.status, done.agent_id, done.submission) == (JobStatus.COMPLETED, writer, 3)
    (handed,) = [entry for entry in await system.logs(job.id) if entry.code == "handed_on"]
    assert handed.status is L.ASSIGNED
    assert handed.message == f"handed on from {stubborn} to {writer} after 2 not-met verdicts"
    assert len(agent.calls[job.id]) == 2
