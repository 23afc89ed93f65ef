"""Agents have names where people read, and ids in JSON; a command takes both."""

import pytest

from contracts.resources import NewAgent, NewJob
from signoff.types import Reason, Waiting, WaitingSum
from signoff.v1 import agent_service_pb2 as agents_pb

WRITER, DRAFTER = "01a21833-1379-7029-8282-0777d811bdfa", "01a21833-3bbe-79d2-b676-a32cec441922"
REMEDY = "mend the agent"


@pytest.fixture(autouse=True)
async def agents(jobstore):
    for agent_id, name in ((WRITER, "Writer"), (DRAFTER, "Second drafter")):
        jobstore.add_agent(NewAgent(id=agent_id, name=name, url="http://127.0.0.1:1/"))
        await jobstore.add(NewJob(id=f"of-{name[0]}", title="a poem", acceptance_criteria="c", agent_id=agent_id))


async def test_a_list_of_jobs_names_their_agents_by_one_look(signoff, jobstore):
    lines = (await signoff("jobs", "list")).out.splitlines()
    named = {line.split()[0]: line for line in lines[1:]}
    assert " Writer " in named["of-W"]
    assert " Second drafter " in named["of-S"]
    assert WRITER not in "".join(lines)
    asked = [*jobstore.asked(agents_pb.ListAgentsRequest), *jobstore.asked(agents_pb.GetAgentRequest)]
    assert len(asked) == 1


async def test_json_has_the_ids_and_asks_for_no_names(signoff, jobstore):
    items = (await signoff("jobs", "list", "--json")).json["items"]
    assert {item["agent_id"] for item in items} == {WRITER, DRAFTER}
    assert (await signoff("jobs", "get", "of-W", "--json")).json["agent_id"] == WRITER
    assert jobstore.asked(agents_pb.ListAgentsRequest) + jobstore.asked(agents_pb.GetAgentRequest) == []


@pytest.mark.parametrize("command", ["get", "show", "execute", "cancel"])
async def test_a_job_shows_the_name_of_its_agent_with_the_id_at_hand(signoff, command):
    if command == "cancel":
        await signoff("jobs", "execute", "of-W")
    assert f"Writer ({WRITER})" in (await signoff("jobs", command, "of-W")).out


async def test_reasons_for_waiting_name_agents(signoff, jobstore):
    about = {"owner": "agent", "remedy": REMEDY}
    open_, full = ("circuit_open", WRITER), ("limit_concurrency", f"agent:{DRAFTER}")
    jobstore.waiting["of-W"] = Waiting(reasons=[Reason(code=code, name=name, **about) for code, name in (open_, full)])
    jobstore.waiting_sums = [WaitingSum(code=code, name=name, count=7, **about) for code, name in (open_, full)]
    told = [f"circuit_open Writer ({WRITER})", f"limit_concurrency agent:{DRAFTER} (Second drafter)"]
    for command in (["jobs", "explain", "of-W"], ["jobs", "show", "of-W"], ["explain"]):
        out = (await signoff(*command)).out
        assert [words for words in told if words not in out] == [], command
    assert "7 for circuit_open Writer, 7 for limit_concurrency agent:Second drafter:" in (await signoff("overview")).out


async def test_limits_say_whose_they_are(signoff):
    await signoff("limits", "set", f"agent:{WRITER}", "--concurrency", "2")
    assert f"agent:{WRITER} (Writer)" in (await signoff("limits", "list")).out


async def test_an_agent_whose_name_is_its_id_is_named_once(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="poet", name="poet", url="http://127.0.0.1:1/"))
    await jobstore.add(NewJob(id="ode", title="an ode", acceptance_criteria="c", agent_id="poet"))
    assert "(poet)" not in (await signoff("jobs", "get", "ode")).out


async def test_an_agent_is_meant_by_its_name_wherever_one_is_named(signoff, jobstore):
    assert (await signoff("agents", "get", "Second drafter", "--json")).json["id"] == DRAFTER
    listed = (await signoff("jobs", "list", "--agent", "Writer", "--json")).json["items"]
    assert [item["id"] for item in listed] == ["of-W"]
    assigned = await signoff("jobs", "assign", "of-W", "Second drafter", "--json")
    assert assigned.json["agent_id"] == DRAFTER
    jobstore.add_agent(NewAgent(id="another", name="Writer", url="http://127.0.0.1:1/"))
    ran = await signoff("agents", "get", "Writer", "--json")
    assert (ran.status, "ambiguous_id" in ran.err) == (2, True)


async def test_an_agent_shows_how_it_does(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="Scribe", url="http://127.0.0.1:1/"))
    await jobstore.add(NewJob(id="sonnet", title="a sonnet", acceptance_criteria="c", agent_id="writer"))
    shown = (await signoff("agents", "show", "Scribe")).out
    for words in ("9 of 10 accepted, 1 not accepted, 0 failed", "0.02 USD", "not met: It rhymes", "a sonnet"):
        assert words in shown
    assert (await signoff("agents", "show", "Scribe", "--json")).json["stats"]["refused"] == 1
    assert "nothing to do" in (await signoff("agents", "show", "Second drafter")).out


async def test_an_id_wins_over_a_name(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="Writer", name="another", url="http://127.0.0.1:1/"))
    assert (await signoff("agents", "get", "Writer", "--json")).json["id"] == "Writer"
