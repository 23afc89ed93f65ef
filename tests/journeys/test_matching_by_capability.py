"""A job that names no agent, but what one must be able to do, gets one that can."""

from typing import Any

import pytest
from support.system import Agent, System

from contracts.events import ExecuteRequested
from contracts.resources import NewAgent, NewJob
from signoff import SignoffError
from signoff.status import JobLogStatus, JobStatus
from signoff.values import new_execution_id

L = JobLogStatus


async def registered(system: System, agent_id: str, url: str, *capabilities: str) -> str:
    await system.client.create_agent(NewAgent(id=agent_id, name=agent_id, url=url, capabilities=list(capabilities)))
    return agent_id


async def test_a_job_is_matched_once_a_fitting_agent_appears(system: System, agent: Agent) -> None:
    """A job waits, and says which capabilities are missing, until an agent with all of them is registered."""
    needs: dict[str, Any] = {"capabilities": ["speaks Breton", "knows the sea"]}
    job = await system.create(None, **needs)
    assert job.status is JobStatus.PENDING
    failed = (await system.logs(job.id))[-1]
    assert (failed.status, failed.code) == (L.MATCHING_FAILED, "matching_failed")
    assert failed.message == 'no enabled agent has "knows the sea", "speaks Breton"'
    with pytest.raises(SignoffError) as refused:
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
