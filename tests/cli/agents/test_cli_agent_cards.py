"""What an A2A server says of itself is shown when it is registered, with the command that takes its skills."""

import asyncio
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

from support.fakes import until

from contracts.resources import NewAgent
from signoff.types import AgentCard, AgentSkill

URL = "http://127.0.0.1:1/"
SKY = ("agents", "create", "--id", "sky", "--name", "Sky", "--url", URL, "--protocol", "a2a", "--capability", "night")
SKILLS = [AgentSkill(id=each, name=each.title()) for each in ("paint", "two words; reboot", "night", "-x", "")]


def card(**fields: Any) -> AgentCard:
    read_at = datetime.now(UTC) + timedelta(seconds=1)
    whole = {"name": "Sky", "version": "7", "url": URL, "binding": "JSONRPC", "lists_tasks": True, "skills": SKILLS}
    return AgentCard(**{**whole, "read_at": read_at, **fields})


def put_card(jobstore: Any, a_card: AgentCard | None) -> None:
    jobstore.agents["sky"] = jobstore.agents["sky"].model_copy(update={"card": a_card})


async def test_a_new_agent_shows_its_card_once_it_is_read_and_the_command_that_takes_its_skills(signoff, jobstore):
    creating = asyncio.create_task(signoff(*SKY))
    await until(lambda: "sky" in jobstore.agents)
    put_card(jobstore, card())
    shown = (await creating).out
    assert [words in shown for words in ("Sky 7, JSONRPC at", "paint: Paint", "lists tasks")] == [True] * 3
    offer = "Take its skills as capabilities: "
    (command,) = (line.partition(offer)[2] for line in shown.splitlines() if offer in line)
    taken = await signoff(*shlex.split(command)[1:], "--json")
    assert taken.json["capabilities"] == ["night", "paint", "two words; reboot", "-x"]
    put_card(jobstore, card())
    assert offer not in (await signoff("agents", "get", "sky")).out


async def test_an_agent_whose_card_nobody_reads_says_so(signoff, jobstore):
    assert "not read yet: an executor that runs reads it" in (await signoff(*SKY)).out
    assert "not read yet: the agent is disabled" in (await signoff("agents", "disable", "sky")).out
    jobstore.add_agent(NewAgent(id="sky", name="Sky", url=URL, protocol="a2a"))
    put_card(jobstore, card(read_at=jobstore.agents["sky"].updated_at - timedelta(seconds=1)))
    assert "of before the agent was changed" in (await signoff("agents", "get", "sky")).out


async def test_an_agent_says_what_its_server_cannot_do_and_what_was_changed(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="sky", name="Sky", url=URL, protocol="a2a"))
    changed = {"changed_at": datetime(2026, 5, 1, tzinfo=UTC), "changes": ["version: 7, was 6", "skill paint: new"]}
    put_card(jobstore, card(lists_tasks=False, code="agent_unreachable", message="no", **changed))
    shown = (await signoff("agents", "get", "sky")).out
    for words in ("at_most_once a lost call ends agent_work_unknown", "cannot be read (agent_unreachable): no"):
        assert words in shown
    assert [line for line in shown.splitlines() if "card changed" in line and "version: 7, was 6" in line]
    whole = (await signoff("agents", "get", "sky", "--json")).json["card"]
    assert (whole["changes"], whole["changed_at"]) == (changed["changes"], "2026-05-01T00:00:00.000000Z")


async def test_no_more_capabilities_are_offered_than_an_agent_may_have(signoff, jobstore):
    full = [f"c{number}" for number in range(64)]
    jobstore.add_agent(NewAgent(id="sky", name="Sky", url=URL, protocol="a2a", capabilities=full))
    put_card(jobstore, card())
    assert "Take its skills" not in (await signoff("agents", "get", "sky")).out
