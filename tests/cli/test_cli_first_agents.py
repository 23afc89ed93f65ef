"""`signoff up` registers the agents of the demo once, for the page's first steps; if that fails, all else goes on."""

import pytest
from support.fake_jobstore import TOKEN, FakeJobStore, Refusal, Server, Status

from cli.commands.demo_agents import register_first_agents
from cli.commands.up import register_demo
from cli.output import Output
from cli.session import Session, Target, connect
from contracts.resources import NewAgent

NAMES = {"writer", "drafter", "builder"}


@pytest.fixture
def target(jobstore_server: Server) -> Target:
    agents = {name: f"http://127.0.0.1:9000/{name}" for name in NAMES}
    return Target(jobstore=jobstore_server.address, token=TOKEN, agents=agents)


async def test_the_agents_of_the_demo_are_registered_where_there_is_none(target: Target, jobstore: FakeJobStore):
    async with connect(target) as client:
        made = await register_first_agents(target, client)
        assert {agent.id for agent in made} == NAMES | {"model"} == set(jobstore.agents)
        assert all(not agent.capabilities for agent in jobstore.agents.values()), "no job is given to them unasked"
        await client.disable_agent("drafter")
        assert await register_first_agents(target, client) == []
    assert not jobstore.agents["drafter"].enabled, "what somebody disabled stays so"


async def test_the_agents_of_the_demo_are_not_registered_beside_others(target: Target, jobstore: FakeJobStore):
    jobstore.add_agent(NewAgent(id="own", name="own", url="http://own"))
    async with connect(target) as client:
        assert await register_first_agents(target, client) == []
    assert set(jobstore.agents) == {"own"}


async def test_a_stack_goes_on_where_they_cannot_be_registered(target: Target, jobstore: FakeJobStore, capsys):
    jobstore.refusals["ListAgents"] = Refusal(Status.UNAVAILABLE, "database_unavailable", "away")
    await register_demo(Session(target, Output(as_json=False, plain=True)), target)
    assert "the agents of the demo are not registered" in capsys.readouterr().out
    jobstore.refusals.clear()
    await register_demo(Session(target, Output(as_json=False, plain=True)), target)
    assert "registered writer, drafter, builder, model" in capsys.readouterr().out
