"""What Signoff does with a job whose result was not accepted, and with one that names no agent, one story a test."""

from typing import Any

import pytest
from support.system import Agent, System

from contracts.client import JobStoreError
from contracts.events import ExecuteRequested
from contracts.identity import new_execution_id
from contracts.resources import NewAgent, NewJob
from contracts.status import JobLogStatus, JobStatus

L = JobLogStatus


async def registered(system: System, agent_id: str, url: str, *capabilities: str) -> str:
    await system.client.create_agent(NewAgent(id=agent_id, name=agent_id, url=url, capabilities=list(capabilities)))
    return agent_id


async def told(system: System, job_id: str) -> list[JobLogStatus]:
    """What the job's log says, but for what its agent and judge did in between."""
    return [entry.status for entry in await system.logs(job_id) if entry.status is not L.IN_PROGRESS]


async def test_a_rejected_job_is_submitted_again_with_the_feedback_until_it_is_accepted(system: System) -> None:
    """The local agent `drafter` fails its first submission, always."""
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
    assert again.request_payload["feedback"]["criteria"][0]["text"] == 'Says "blue"'
    assert "Submission 2, after feedback." in logs[-1].response_payload["result"]["text"]


async def test_a_job_rests_once_its_agent_makes_no_progress(system: System, agent: Agent) -> None:
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
        assert answer.status == 200, await answer.text()
    await system.logged(job.id, lambda entry: entry.status is L.COMPLETED)
    assert (await system.client.get_job(job.id)).submission == 4


async def test_after_so_many_rejections_another_agent_gets_the_job(system: System, agent: Agent) -> None:
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


async def test_a_job_is_matched_once_a_fitting_agent_appears(system: System, agent: Agent) -> None:
    needs: dict[str, Any] = {"capabilities": ["speaks Breton", "knows the sea"]}
    job = await system.create(None, **needs)
    assert job.status is JobStatus.PENDING
    failed = (await system.logs(job.id))[-1]
    assert (failed.status, failed.code) == (L.MATCHING_FAILED, "matching_failed")
    assert failed.message == 'no enabled agent has "knows the sea", "speaks Breton"'
    with pytest.raises(JobStoreError) as refused:
        await system.client.execute_job(job.id)
    assert refused.value.code == "no_agent_matches"

    fisher = await registered(system, "journey-fisher", agent.url, *needs["capabilities"], "mends nets")
    matched = await system.logged(job.id, lambda entry: entry.code == "matched")
    assert (matched.status, matched.agent_id, matched.message) == (L.ASSIGNED, fisher, f"matched to {fisher}")
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    inline = NewJob(title="Describe the sky", acceptance_criteria='Says "blue"', **needs)
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=f"{job.id}-inline", job=inline)
    await system.producer.send_and_wait(
        "execute-requested", event.model_dump_json().encode(), key=event.job_id.encode()
    )
    await system.known(event.job_id)
    done = await system.at_rest(event.job_id)
    assert (done.status, done.agent_id) == (JobStatus.COMPLETED, fisher)
