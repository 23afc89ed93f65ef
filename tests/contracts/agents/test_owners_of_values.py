"""Whose the value is that a reference names: an agent of a tenant names its tenant's, which no other agent names."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.agents import list_owners, may_name, tell_owners

TENANTS = ["press", "press-x", "press--x", "press-", "-press", "a", "a-b", "a--b", "-", "--", "x1", "default"]
OTHERS = frozenset(TENANTS) - {"default"}


@pytest.mark.parametrize(
    ("reference", "owner"),
    [
        ("env:SIGNOFF_AGENT_PRESS__KEY", "press"),
        ("env:SIGNOFF_AGENT_PRESS__OPENAI_KEY", "press"),
        ("env:SIGNOFF_AGENT_PRESS_X__KEY", "press-x"),
        ("env:SIGNOFF_AGENT_PRESS__X__KEY", "press--x"),
        ("env:SIGNOFF_AGENT_PRESS___KEY", "press-"),
        ("env:SIGNOFF_AGENT__PRESS__KEY", "-press"),
        ("file:press/key", "press"),
        ("file:./press//deep/key", "press"),
    ],
)
def test_an_agent_names_its_own_tenants_values(reference: str, owner: str) -> None:
    assert owner in list_owners(reference)
    assert may_name(reference, owner, OTHERS)
    assert [each for each in TENANTS if may_name(reference, each, OTHERS)] == [owner]


@pytest.mark.parametrize(
    "reference",
    [
        *("env:SIGNOFF_AGENT_WRITER", "env:SIGNOFF_AGENT_PRESS_KEY", "env:SIGNOFF_AGENT_PRESS__"),
        *("env:SIGNOFF_AGENT_press__KEY", "env:SIGNOFF_AGENT___KEY", "env:SIGNOFF_AGENT_X9__KEY"),
        *("file:key", "file:press", "file:writer/key", "file:/run/key", "file:writer/press"),
    ],
)
def test_what_is_no_tenants_is_for_agents_of_default_alone(reference: str) -> None:
    assert [each for each in TENANTS if may_name(reference, each, OTHERS)] == ["default"]


@pytest.mark.parametrize(
    "reference",
    [
        *("file:press/../radio/key", "file:../press/key", "file:radio/../press/key", "file:/run/headers/press/key"),
        *(
            "file:writer/../press/key",
            "file:PRESS/key",
            "file:/press/key",
            "file:a:b/press/key",
            "file:press/x/../../a",
        ),
    ],
)
def test_no_path_leads_to_anothers_folder(reference: str) -> None:
    assert not [each for each in TENANTS if may_name(reference, each, OTHERS)]


def test_what_an_agent_may_name_is_told() -> None:
    assert "env:SIGNOFF_AGENT_PRESS_X__<NAME>, or file:press-x/<path>" in tell_owners("press-x")
    assert "another tenant" in tell_owners("default")
    assert may_name("env:SIGNOFF_AGENT_PRESS_X__NAME", "press-x", OTHERS)


def test_a_variable_of_default_itself_is_for_default() -> None:
    assert may_name("env:SIGNOFF_AGENT_DEFAULT__KEY", "default", OTHERS)
    assert not may_name("env:SIGNOFF_AGENT_DEFAULT__KEY", "press", OTHERS)


@given(st.text("AB_1", min_size=1, max_size=12))
def test_a_variable_is_of_one_tenant_at_most(name: str) -> None:
    every = ["".join(letters) for size in range(1, 4) for letters in itertools.product("ab-1", repeat=size)]
    assert len([each for each in every if may_name(f"env:SIGNOFF_AGENT_{name}", each, frozenset())]) <= 1


@given(st.text("ab-1", min_size=1, max_size=6), st.from_regex(r"[AB1](_?[AB1])*", fullmatch=True))
def test_each_tenant_has_variables_of_its_own(tenant: str, name: str) -> None:
    variable = f"env:SIGNOFF_AGENT_{tenant.upper().replace('-', '_')}__{name}"
    assert list_owners(variable) == {tenant}
