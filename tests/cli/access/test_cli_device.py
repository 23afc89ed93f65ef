"""Where people sign in at a provider, `signoff login` shows where, and goes on once they have agreed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from support.jobstore.tables import database, database_url, template
from support.oidc import Provider
from support.real_console import jobstore_on

from jobstore.access.id_tokens import IdTokens
from jobstore.access.sign_in_rules import SignInRules
from jobstore.engine.database import Database
from servicekit import oidc

__all__ = ["database", "database_url", "template"]

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "operator"\ntenants = ["press"]')


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture
async def address(database: Database, provider: Provider) -> AsyncIterator[str]:
    id_tokens = IdTokens(oidc.Provider(provider.issuer), RULES, "signoff", "signoff-cli")
    async with jobstore_on(database, id_tokens=id_tokens) as (_, address):
        yield address


@pytest.fixture
def env(address: str, env: dict[str, str | None]) -> dict[str, str | None]:
    return env | {"SIGNOFF_JOBSTORE": address, "SIGNOFF_TOKEN": None}


async def agree(provider: Provider) -> None:
    """Agree to the device that asks, once it does."""
    while not provider.asked["/token"]:  # noqa: ASYNC110 - the provider counts
        await asyncio.sleep(0.01)
    provider.approved |= provider.devices.keys()


async def test_one_signs_in_by_a_device_and_later_commands_go_on_as_its_person(signoff, provider, address, file):
    provider.person |= {"aud": "signoff-cli"}
    ran, _ = await asyncio.gather(signoff("login"), agree(provider))
    assert ran.status == 0, ran.err
    assert f"open {provider.issuer}/here in any browser, check or enter the code ABCD-EFGH" in ran.err
    assert "ann, operator of press" in ran.out
    who = (await signoff("whoami", "--json")).json
    assert (who["caller"]["actor"], who["credential"]) == ("user:ann-7", f"the session of the profile {address}")
    assert "eyJ" not in file.read_text(), "what is kept is a session"
    assert (await signoff("logout")).status == 0
    assert (await signoff("whoami")).status == 3


async def test_a_program_reads_where_one_signs_in(signoff, provider):
    provider.person |= {"aud": "signoff-cli"}
    ran, _ = await asyncio.gather(signoff("login", "--json"), agree(provider))
    assert json.loads(ran.err)["sign_in"] == {"address": f"{provider.issuer}/here", "user_code": "ABCD-EFGH"}
    assert ran.json["session"]["actor"] == "user:ann-7"


async def test_a_provider_that_is_away_is_told_within_ten_seconds(signoff, provider):
    provider.instead["/.well-known/openid-configuration"] = None
    began_at = time.monotonic()
    ran = await signoff("login", "--json")
    assert json.loads(ran.err)["code"] == "sign_in_unavailable"
    assert time.monotonic() - began_at < 10


async def test_who_no_rule_names_is_told_so_and_nothing_is_kept(signoff, provider, file):
    provider.person = {"sub": "bob", "aud": "signoff-cli"}
    ran, _ = await asyncio.gather(signoff("login", "--json"), agree(provider))
    assert json.loads(ran.err.splitlines()[-1])["code"] == "forbidden"
    assert not file.exists()


async def test_a_jobstore_that_a_file_of_the_folder_names_gets_nobodys_sign_in(
    signoff, env, address, provider, tmp_path
):
    env["SIGNOFF_JOBSTORE"] = None
    (tmp_path / ".signoff").mkdir()
    (tmp_path / ".signoff/endpoints.json").write_text(json.dumps({"grpc": address}))
    ran = await signoff("login", "--json")
    assert json.loads(ran.err)["code"] == "token_for_another"
    assert not provider.devices
