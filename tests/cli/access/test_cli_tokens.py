"""Tokens and sessions at the command line: made, listed, rotated, revoked and ended."""

import json

import pytest

from contracts.tokens import is_token
from signoff import AsyncClient, SignoffError
from signoff.status import Role

EVE = ("tokens", "create", "--name", "eve", "--role", "viewer")


async def test_a_new_token_stands_alone_on_standard_output(signoff, client: AsyncClient):
    ran = await signoff(*EVE, "--tenant", "press", "--lasts", "30d")
    assert (ran.status, ran.out.count("\n"), is_token(ran.out.strip())) == (0, 1, True)
    assert "eve, viewer of press" in ran.err
    assert ran.out.strip() not in ran.err
    eve = await client.with_token(ran.out.strip()).get_caller()
    assert (eve.actor, eve.role, eve.tenants, eve.ends_at is None) == ("token:eve", Role.VIEWER, ["press"], False)


async def test_a_new_token_as_json_has_its_holder_too(signoff):
    made = (await signoff(*EVE, "--all-tenants", "--json")).json
    assert is_token(made["secret"])
    assert (made["token"]["name"], made["token"]["role"], made["token"]["all_tenants"]) == ("eve", "viewer", True)
    assert made["secret"].startswith(made["token"]["hint"])


@pytest.mark.parametrize("tenants", [[], ["--tenant", "press", "--all-tenants"]], ids=["none", "both"])
async def test_a_token_is_of_some_tenants_or_of_all(signoff, tenants):
    ran = await signoff(*EVE, *tenants)
    assert (ran.status, ran.out, "--all-tenants" in ran.err) == (2, "", True)


async def test_a_token_is_of_the_tenant_of_the_environment_unless_others_are_named(signoff, env, client: AsyncClient):
    env["SIGNOFF_TENANT"] = "press"
    for tenant in ("press", "web"):
        await client.create_tenant(name=tenant)
    for name, words in {"eve": [], "bob": ["--tenant", "web"], "all": ["--all-tenants"]}.items():
        assert (await signoff("tokens", "create", "--name", name, "--role", "viewer", *words)).status == 0
    tokens, _ = await client.list_tokens()
    assert {each.name: each.tenants for each in tokens} == {"eve": ["press"], "bob": ["web"], "all": []}


async def test_tokens_are_listed_without_their_texts_and_those_that_ended_where_asked_for(signoff):
    made = (await signoff(*EVE, "--tenant", "press", "--json")).json
    ran = await signoff("tokens", "list")
    assert all(words in ran.out for words in ("eve", "viewer", "press", made["token"]["hint"], "token:bootstrap"))
    assert made["secret"] not in ran.out
    assert (await signoff("tokens", "revoke", "eve")).status == 0
    assert (await signoff("tokens", "list", "--json")).json["items"] == []
    assert "revoked" in (await signoff("tokens", "list", "--include-ended")).out


async def test_a_token_is_rotated_with_an_overlap_and_revoked(signoff, client: AsyncClient):
    before = (await signoff(*EVE, "--tenant", "press")).out.strip()
    now = (await signoff("tokens", "rotate", "eve", "--overlap", "1h")).out.strip()
    assert [(await client.with_token(each).get_caller()).name for each in (before, now)] == ["eve", "eve"]
    last = (await signoff("tokens", "rotate", "eve", "--overlap", "0s")).out.strip()
    with pytest.raises(SignoffError):
        await client.with_token(now).get_caller()
    assert (await signoff("tokens", "revoke", "eve", "--json")).json == {"revoked": "eve"}
    with pytest.raises(SignoffError):
        await client.with_token(last).get_caller()


async def test_an_unknown_token_is_3_and_says_where_all_are(signoff):
    ran = await signoff("tokens", "revoke", "nobody", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (3, "unknown_token")


async def test_a_refusal_names_the_role_that_is_needed_and_what_to_do(signoff, env):
    env["SIGNOFF_TOKEN"] = (await signoff(*EVE, "--tenant", "press")).out.strip()
    ran = await signoff("jobs", "create", "--title", "t", "--criteria", "c")
    assert ran.status == 3
    assert all(words in ran.err for words in ("role viewer", "operator or administrator", "signoff whoami"))


async def test_sessions_are_listed_and_ended_by_a_part_of_their_id(signoff, client: AsyncClient):
    begun = await client.create_session("console")
    assert begun.session.id in (await signoff("sessions", "list")).out
    ran = await signoff("sessions", "end", str(begun.session.id)[-8:])
    assert (ran.status, str(begun.session.id) in ran.out) == (0, True)
    with pytest.raises(SignoffError):
        await client.with_token(begun.secret).get_caller()
    assert (await signoff("sessions", "list", "--json")).json["items"] == []
