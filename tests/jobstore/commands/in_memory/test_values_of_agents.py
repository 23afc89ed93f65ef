"""Whose values an agent names, as header or to sign, is looked at whenever it is saved."""

from typing import Any

import pytest
from support.jobstore.memory import MemoryJobstore

from contracts.resources import AgentPatch, NewAgent, NewTenant
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.errors import ConflictError, InvalidError
from jobstore.jobs.model import SIGNOFF
from jobstore.tenants.commands import CreateTenant

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


@pytest.mark.parametrize("reference", [OTHERS, "file:radio/key", "file:x/../radio/key", "file:/run/radio/key"])
def test_an_agent_of_default_is_saved_with_no_value_of_a_registered_tenant(
    jobstore: MemoryJobstore, reference: str
) -> None:
    default = new(tenant="default", headers={"X-Key": reference})
    field, message = refuse(jobstore, default, "a")
    assert (field, "of another tenant" in message) == ("agent.headers.X-Key", True)
    save(jobstore, new(tenant="default"), "a")
    assert refuse(jobstore, AgentPatch(headers={"X-Key": reference, "X-Gone": None}), "a")[0] == "agent.headers.X-Key"
    assert refuse(jobstore, AgentPatch(signing=reference), "a")[0] == "agent.signing"
    assert refuse(jobstore, default, "a")[0] == "agent.headers.X-Key"
    del jobstore.tenants["radio"]
    save(jobstore, default, "a")


def test_an_agent_that_names_a_value_from_before_is_changed_otherwise(jobstore: MemoryJobstore) -> None:
    del jobstore.tenants["radio"]
    save(jobstore, new(tenant="default", headers={"X-Key": OTHERS}), "a")
    jobstore.tenants["radio"] = "radio"
    save(jobstore, AgentPatch(name="b", headers={"X-Other": COMMON}), "a")
    assert jobstore.agents["a"].headers == {"X-Key": OTHERS, "X-Other": COMMON}
    refuse(jobstore, AgentPatch(signing="env:SIGNOFF_AGENT_RADIO__SIGNING"), "a")


@pytest.mark.parametrize("reference", [OTHERS, "file:radio/key", "file:x/radio/key"])
@pytest.mark.parametrize("signs", [False, True])
def test_a_tenant_whose_values_are_named_already_gets_another_name(
    jobstore: MemoryJobstore, reference: str, signs: bool
) -> None:
    del jobstore.tenants["radio"]
    named = {"signing": reference} if signs else {"headers": {"X-Key": reference}}
    save(jobstore, new(tenant="default", **named), "a")
    register = CreateTenant(NewTenant(name="radio"), actor=SIGNOFF)
    with pytest.raises(ConflictError, match="agents of default name values of radio") as refused:
        jobstore.run(register)
    assert refused.value.code == "tenant_conflict"
    jobstore.run(CreateTenant(NewTenant(name="radio-2"), actor=SIGNOFF))
    save(jobstore, AgentPatch(headers={"X-Key": None}, signing=None), "a")
    jobstore.run(register)
    assert jobstore.tenants["radio"] == "radio"


def test_a_former_name_of_a_tenant_names_its_values_by_the_present_one(jobstore: MemoryJobstore) -> None:
    jobstore.tenants["The Press"] = "press"
    save(jobstore, new(tenant="The Press", headers={"X-Key": OWN}))
    assert jobstore.agents["press:a"].tenant == "press"


def test_an_agent_that_is_shared_has_its_tenants_values(jobstore: MemoryJobstore) -> None:
    refuse(jobstore, new(shared=True, headers={"X-Key": COMMON}))
    save(jobstore, new(shared=True, headers={"X-Key": OWN}))
