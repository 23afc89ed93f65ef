"""Others' providers of identities sign people in: by a device, with the command line's client, and after a rotation."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import ClientSession
from support.free_ports import free_port
from support.identity_providers import agree_to_device, mock_server, oidc_provider
from support.oidc import CLIENT
from support.real_console import fresh_database, jobstore_on

from cli.device import sign_in_by_device
from jobstore.access.id_tokens import IdTokens
from jobstore.access.sign_in_rules import SignInRules
from servicekit.oidc import Device, Provider
from signoff import AsyncClient
from signoff.identity_client import SignIn

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "reviewer"\ntenants = ["press"]')
BACK = "http://127.0.0.1:1/login/oidc/callback"


@pytest.fixture(scope="module")
async def certified() -> AsyncIterator[str]:
    async with oidc_provider(free_port(), BACK) as issuer:
        yield issuer


@pytest.mark.real
async def test_a_device_signs_in_whoever_agrees_in_a_browser(certified: str, postgres: str) -> None:
    id_tokens = IdTokens(Provider(certified), RULES, CLIENT, "signoff-cli")
    async with (
        fresh_database(postgres) as database,
        jobstore_on(database, id_tokens=id_tokens) as (_, address),
        AsyncClient(address, None) as jobstore,
    ):
        sign_in = await jobstore.get_sign_in()
        assert sign_in == SignIn(certified, "signoff-cli")
        agreeing = []

        def show(device: Device) -> None:
            assert device.user_code.replace("-", "").isalnum()
            address = device.verification_uri_complete or device.verification_uri
            agreeing.append(asyncio.create_task(agree_to_device(address, "alice")))

        begun = await sign_in_by_device(jobstore, sign_in, show)
        await agreeing[0]
        caller = await jobstore.with_token(begun.secret).get_caller()
        assert (caller.name, caller.actor, caller.role, caller.tenants) == (
            "alice",
            "user:alice",
            "reviewer",
            ["press"],
        )


async def sign_in(issuer: str, provider: Provider, secret: str) -> str:
    """Sign in at the mock, which asks nobody, and return the ID token."""
    parts = {"state": "s", "verifier": "v" * 43, "secret": secret}
    address = await provider.make_address(CLIENT, BACK, **parts)
    assert address.startswith(issuer)
    async with ClientSession() as http, http.get(address, allow_redirects=False) as answer:
        (code,) = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
    return await provider.exchange_code(CLIENT, BACK, code=code, verifier="v" * 43, client_secret=None)


@pytest.mark.real
async def test_a_mock_that_rotates_its_keys_goes_on_signing_in() -> None:
    port, rotating_port = free_port(), free_port()
    async with mock_server(port, rotating_port) as issuer, ClientSession() as http:
        provider = Provider(issuer)
        id_tokens, kids = IdTokens(provider, RULES, CLIENT), set()
        for number in range(4):
            token = await sign_in(issuer, provider, f"secret {number}")
            caller = await id_tokens.find(token, f"secret {number}")
            assert (caller.actor, caller.role) == ("user:johndoe", "reviewer")
            kids.add(jwt.get_unverified_header(token)["kid"])
            async with http.get(f"http://127.0.0.1:{rotating_port}/") as rotated:
                assert rotated.ok
        assert len(kids) > 1
