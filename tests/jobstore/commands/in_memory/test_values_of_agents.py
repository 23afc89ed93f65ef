"""Whose values an agent names, as header or to sign, is looked at whenever it is saved."""

from typing import Any

import pytest
from support.jobstore.memory import MemoryJobstore

from contracts.resources import AgentPatch, NewAgent
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.errors import InvalidError
from jobstore.jobs.model import SIGNOFF

OWN, OTHERS, COMMON = "env:SIGNOFF_AGENT_PRESS__KEY", "env:SIGNOFF_AGENT_RADIO__KEY", "env:SIGNOFF_AGENT_KEY"


def new(**fields: Any) -> NewAgent:
    return NewAgent(**{"name": "a", "url": "http://127.0.0.1:1/", "tenant": "press", **fields})


def save(jobstore: MemoryJobstore, change: NewAgent | AgentPatch, agent_id: str = "press:a") -> None:
    command = RegisterAgent if agent_id not in jobstore.agents else UpdateAgent
    jobstore.run(command(agent_id, change, actor=SIGNOFF))


def refuse(jobstore: MemoryJobstore, change: NewAgent | AgentPatch, agent_id: str = "press:a") -> list[str]:
    """Return the field that is refused, and why."""
    with pytest.raises(InvalidError) as refused:
        save(jobstore, change, agent_id)
    assert refused.value.code == "agent_value_forbidden"
    return str(refused.value).split(": ", 1)


@pytest.mark.parametrize("reference", [OTHERS, COMMON, "file:radio/key", "file:key", "file:press/../radio/key"])
def test_an_agent_of_a_tenant_is_saved_with_no_value_of_others(jobstore: MemoryJobstore, reference: str) -> None:
    field, message = refuse(jobstore, new(headers={"X-Own": OWN, "X-Key": reference}))
    assert field == "agent.headers.X-Key"
    assert "env:SIGNOFF_AGENT_PRESS__<NAME>, or file:press/<path>" in message
    assert refuse(jobstore, new(signing=reference))[0] == "agent.signing"
    save(jobstore, new(headers={"X-Own": OWN}, signing="file:press/signing"))
    for change in (AgentPatch(headers={"X-Key": reference}), new(headers={"X-Own": reference})):
        assert refuse(jobstore, change)[0] in {"agent.headers.X-Key", "agent.headers.X-Own"}
    assert refuse(jobstore, AgentPatch(signing=reference))[0] == "agent.signing"
    assert jobstore.agents["press:a"].headers == {"X-Own": OWN}


def test_an_agent_of_default_names_what_is_no_tenants(jobstore: MemoryJobstore) -> None:
    save(jobstore, new(tenant="default", headers={"X-Key": COMMON, "X-File": "file:writer/key"}), "a")
    assert jobstore.agents["a"].headers["X-Key"] == COMMON


def test_an_agent_that_is_shared_has_its_tenants_values(jobstore: MemoryJobstore) -> None:
    refuse(jobstore, new(shared=True, headers={"X-Key": COMMON}))
    save(jobstore, new(shared=True, headers={"X-Key": OWN}))
