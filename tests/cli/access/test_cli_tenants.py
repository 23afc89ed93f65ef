"""Tenants are registered, and chosen among; the choice stands in the profile."""

import json

import pytest

from signoff import AsyncClient


async def test_a_tenant_is_registered_and_listed(signoff):
    made = await signoff("tenants", "create", "gazette", "--title", "Gazette", "--json")
    assert made.status == 0, made.err
    assert (made.json["name"], made.json["title"], made.json["created_by"]) == ("gazette", "Gazette", "token:bootstrap")
    ran = await signoff("tenants", "list")
    assert all(words in ran.out for words in ("default", "gazette", "Gazette", "token:bootstrap"))


async def test_one_is_of_a_tenant_until_one_chooses_another_or_none(signoff, env):
    ran = await signoff("tenants", "use", "press")
    assert (ran.status, "press" in ran.out) == (0, True), ran.err
    assert (await signoff("whoami", "--json")).json["tenant"] == "press"
    assert (await signoff("whoami", "--json")).json["credential"] == "SIGNOFF_TOKEN"
    assert "press" in (await signoff("profiles")).out
    env["SIGNOFF_TENANT"] = "law"
    assert (await signoff("whoami", "--json")).json["tenant"] == "law"
    assert "SIGNOFF_TENANT" in (await signoff("tenants", "use", "press")).err
    env["SIGNOFF_TENANT"] = None
    assert (await signoff("tenants", "use", "--none")).status == 0
    assert "tenant" not in (await signoff("whoami", "--json")).json


async def test_what_is_made_is_of_the_tenant(signoff):
    await signoff("tenants", "use", "press")
    made = (await signoff("jobs", "create", "--title", "t", "--criteria", "c", "--json")).json
    assert made["tenant"] == "press"
    assert [each["id"] for each in (await signoff("jobs", "list", "--json")).json["items"]] == [made["id"]]
    await signoff("tenants", "use", "law")
    assert (await signoff("jobs", "list", "--json")).json["items"] == []


async def test_another_tenants_name_and_an_unknown_one_are_refused_alike(signoff, env, client: AsyncClient):
    env["SIGNOFF_TOKEN"] = (await client.create_token(name="eve", role="viewer", tenants=["press"])).secret
    refused = [await signoff("tenants", "use", name, "--json") for name in ("law", "nowhere")]
    codes = [(ran.status, json.loads(ran.err)["code"]) for ran in refused]
    assert codes == [(3, "unknown_tenant")] * 2
    assert [each["name"] for each in (await signoff("tenants", "list", "--json")).json["items"]] == ["press"]


@pytest.mark.parametrize("words", [[], ["press", "--none"]])
async def test_a_tenant_or_none_is_named(signoff, words):
    assert (await signoff("tenants", "use", *words)).status == 2
