"""Providers of identities of others, which sign in whoever gives a name."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientResponse, ClientSession, CookieJar

from support.oidc import SECRET
from support.programs import BIN, install_package, process, until_it_answers

OIDC = Path(__file__).parents[1] / "peers/oidc"


@asynccontextmanager
async def oidc_provider(port: int, back: str) -> AsyncIterator[str]:
    """A certified provider that leads back to an address; its issuer."""
    install_package(OIDC)
    async with process(BIN / "node", OIDC / "oidc_provider.mjs", str(port), SECRET, back):
        await until_it_answers(f"http://127.0.0.1:{port}/jwks")
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def mock_server(port: int, rotating_port: int) -> AsyncIterator[str]:
    """A mock that knows any client, and gets another key at `rotating_port`; its issuer."""
    install_package(OIDC)
    async with process(BIN / "node", OIDC / "mock_server.mjs", str(port), str(rotating_port)):
        await until_it_answers(f"http://localhost:{port}/jwks")
        yield f"http://localhost:{port}"


async def agree_to_device(address: str, name: str) -> None:
    """Do what a person does at the pages of `oidc_provider` for a device: confirm, sign in by a name, and agree."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
        answer = await browser.get(address)
        while (form := re.search(r'<form[^>]* action="([^"]+)"', text := await answer.text())) is not None:
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
            typed = {"login": name, "password": "any"} if 'name="login"' in text else {}
            answer = await _send(browser, form[1], hidden | typed)
        assert "Sign-in Success" in text


async def _send(browser: ClientSession, url: str, fields: dict[str, str]) -> ClientResponse:
    answer = await browser.post(url, data=fields)
    assert answer.ok, await answer.text()
    return answer
