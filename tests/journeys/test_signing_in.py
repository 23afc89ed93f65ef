"""People of an organization sign in with their accounts, at the page and at a terminal; what they do names them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from support.oidc import CLIENT, SECRET, Provider
from support.system import WAIT_S, Judge, System, running

RULES = """
[[rule]]
claims = { groups = "press" }
role = "operator"
tenants = "all"
"""


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture
async def press(judge: Judge, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system that knows the provider."""
    folder = tmp_path_factory.mktemp("press")
    (folder.parent / "rules.toml").write_text(RULES)
    settings = {
        "SIGNOFF_OIDC_ISSUER": provider.issuer,
        "SIGNOFF_OIDC_CLIENT_ID": CLIENT,
        "SIGNOFF_OIDC_CLIENT_SECRET": SECRET,
        "SIGNOFF_OIDC_DEVICE_CLIENT_ID": "signoff-cli",
        "SIGNOFF_OIDC_RULES": str(folder.parent / "rules.toml"),
    }
    async with running(folder, judge, **settings) as system:
        yield system


async def test_somebody_signs_in_at_the_page_and_at_a_terminal_and_stays_while_the_provider_is_away(
    press: System, provider: Provider, tmp_path: Path
) -> None:
    jar, page = aiohttp.CookieJar(unsafe=True), press.endpoints["http"]
    async with aiohttp.ClientSession(page, cookie_jar=jar, headers={"Origin": page}) as browser:
        async with browser.get("/login/oidc?to=/jobs") as shown:  # by way of the provider, which knows ann
            assert (shown.status, shown.url.path) == (200, "/jobs")
        new = {"title": "A poem", "acceptance_criteria": "It rhymes"}
        async with browser.post("/api/jobs", json=new) as created:
            assert created.status == 201, await created.text()
            job_id = (await created.json())["id"]
        (entry,), _ = await press.client.list_job_logs(job_id)
        assert entry.actor == "user:ann-7"

        provider.person["aud"] = "signoff-cli"
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "login", "--jobstore", press.endpoints["grpc"], "--json"),
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert command.stderr is not None
        shown_at_terminal = json.loads(await asyncio.wait_for(command.stderr.readline(), WAIT_S))
        assert shown_at_terminal["sign_in"]["user_code"] == "ABCD-EFGH"
        provider.approved |= provider.devices.keys()
        output, _ = await asyncio.wait_for(command.communicate(), WAIT_S)
        assert json.loads(output)["session"]["actor"] == "user:ann-7"
        sessions, _ = await press.client.list_sessions()
        assert {(each.actor, each.client) for each in sessions} >= {("user:ann-7", "console"), ("user:ann-7", "cli")}

        provider.instead |= dict.fromkeys(
            ("/.well-known/openid-configuration", "/keys", "/token"), provider.refuse("x")
        )
        async with browser.get(f"/api/jobs/{job_id}") as read:
            assert read.status == 200
        async with browser.post("/logout") as left:
            assert left.status == 204
        async with browser.get(f"/api/jobs/{job_id}") as read:
            assert read.status == 401
