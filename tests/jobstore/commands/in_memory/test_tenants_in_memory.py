"""What is a tenant's is used by the tenant, unless it is shared: to others it is as if it were not there."""

from typing import Any

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.resources import AgentPatch, NewAgent
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.errors import InvalidError
from jobstore.jobs.commands import AssignAgent, CreateJob
from jobstore.jobs.model import SIGNOFF

URL = "http://127.0.0.1:1/"


def register(jobstore: MemoryJobstore, agent_id: str, **fields: Any) -> Any:
    jobstore.run(RegisterAgent(agent_id, NewAgent(name=agent_id, url=URL, **fields), actor=SIGNOFF))
    return jobstore.agents[agent_id]


def refuse(jobstore: MemoryJobstore, command: Any, code: str) -> str:
    with pytest.raises(InvalidError) as caught:
        jobstore.run(command)
    assert caught.value.code == code
    return str(caught.value)


def test_an_agent_of_default_is_shared_and_one_of_a_tenant_is_not_unless_it_says_so(jobstore: MemoryJobstore) -> None:
    assert (register(jobstore, "old").tenant, jobstore.agents["old"].shared) == ("default", True)
    assert not register(jobstore, "press:own", tenant="press").shared
    assert register(jobstore, "press:all", tenant="press", shared=True).shared
    assert not register(jobstore, "mine", shared=False).shared


def test_an_update_that_knows_no_tenants_leaves_the_agent_to_its_own(jobstore: MemoryJobstore) -> None:
    register(jobstore, "press:own", tenant="press")
    jobstore.run(UpdateAgent("press:own", NewAgent(name="other", url=URL), actor=SIGNOFF))
    own = jobstore.agents["press:own"]
    assert (own.name, own.tenant, own.shared) == ("other", "press", False)
    jobstore.run(UpdateAgent("press:own", AgentPatch(shared=True), actor=SIGNOFF))
    assert jobstore.agents["press:own"].shared
    moved = NewAgent(name="other", url=URL, tenant="law")
    assert "press" in refuse(jobstore, UpdateAgent("press:own", moved, actor=SIGNOFF), "invalid_request")


def test_a_foreign_agent_is_none_to_a_job_that_names_or_is_assigned_it(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press")
    absent = CreateJob(new_job(agent_id="law:none"), "a", actor=SIGNOFF)
    foreign = CreateJob(new_job(agent_id="press:own"), "a", actor=SIGNOFF)
    texts = [refuse(jobstore, command, "unknown_agent") for command in (absent, foreign)]
    assert texts[0].replace("law:none", "press:own") == texts[1]
    life.created()
    refuse(jobstore, AssignAgent(life.job_id, "press:own", actor=SIGNOFF), "unknown_agent")
    Life(jobstore, "press:job").created(agent_id="press:own", tenant="press")
    assert jobstore.jobs["press:job"].agent_id == "press:own"


def test_a_record_that_names_a_foreign_agent_is_wrong_for_good(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press")
    answers = [life.claim(inline=new_job(agent_id="press:own")) for _ in range(2)]
    assert [(each.outcome, each.code) for each in answers] == [("INVALID", "unknown_agent")] * 2


def test_jobs_are_matched_to_agents_of_their_own_tenant_and_to_shared_ones(
    jobstore: MemoryJobstore, life: Life
) -> None:
    register(jobstore, "press:own", tenant="press", capabilities=["sing"])
    life.created(agent_id=None, capabilities=["sing"])
    assert (life.job.agent_id, life.told) == (None, ["created", "matching_failed"])
    own = Life(jobstore, "press:job").created(agent_id=None, capabilities=["sing"], tenant="press")
    assert own.job.agent_id == "press:own"
    register(jobstore, "all", capabilities=["sing"])
    assert Life(jobstore).created(agent_id=None, capabilities=["sing"]).job.agent_id == "all"


def test_an_agent_that_is_shared_no_more_gets_no_more_of_others(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press", shared=True)
    life.created(agent_id="press:own")
    jobstore.run(UpdateAgent("press:own", AgentPatch(shared=False), actor=SIGNOFF))
    with pytest.raises(Exception, match="no agent has the id press:own"):
        life.execute()
