"""A provider of identities is asked within bounds, and may lead nobody elsewhere."""

import asyncio
import time
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import ClientSession, web
from support.oidc import CLIENT, SECRET, Provider

from servicekit import oidc
from servicekit.oidc import ProviderError, SignInRefusedError, check_address, digest

BACK = "http://127.0.0.1:8080/login/oidc/callback"
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
async def provider():
    async with Provider().serving() as provider:
        yield provider


async def sign_in(asked: oidc.Provider) -> str:
    """Sign in at the provider's page, and return the code that the browser brings back."""
    url = await asked.make_address(CLIENT, BACK, state="of this browser", verifier="v" * 43, secret="s" * 43)
    async with ClientSession() as http, http.get(url, allow_redirects=False) as answer:
        back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == ["of this browser"]
    return back["code"][0]


def exchange(asked: oidc.Provider, code: str, **other: str):
    return asked.exchange_code(
        CLIENT, **{"back": BACK, "verifier": "v" * 43, "client_secret": SECRET, "code": code} | other
    )


async def test_a_code_is_exchanged_for_an_id_token_bound_to_the_secret(provider):
    asked = oidc.Provider(provider.issuer)
    token = await exchange(asked, await sign_in(asked))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["nonce"]) == ("ann-7", digest("s" * 43))


@pytest.mark.parametrize("other", [{"verifier": "w" * 43}, {"client_secret": "wrong"}, {"back": "http://127.0.0.1:1/"}])
async def test_a_code_opens_nothing_with_another_verifier_secret_or_way_back(provider, other):
    asked = oidc.Provider(provider.issuer)
    with pytest.raises(SignInRefusedError, match="refuses: 'invalid_"):
        await exchange(asked, await sign_in(asked), **other)


async def test_a_code_used_twice_is_refused(provider):
    asked = oidc.Provider(provider.issuer)
    code = await sign_in(asked)
    await exchange(asked, code)
    with pytest.raises(SignInRefusedError, match="invalid_grant"):
        await exchange(asked, code)


async def test_a_device_is_signed_in_once_its_person_agrees(provider):
    asked = oidc.Provider(provider.issuer)
    device = await asked.begin_device(CLIENT, "s" * 43)
    assert (device.user_code, device.verification_uri) == ("ABCD-EFGH", f"{provider.issuer}/here")
    waiting = asyncio.create_task(asked.wait_for_device(CLIENT, device))
    while not provider.asked["/token"]:  # noqa: ASYNC110 - the provider counts
        await asyncio.sleep(0.01)
    provider.approved.add(device.device_code)
    claims = jwt.decode(await waiting, options={"verify_signature": False})
    assert claims["nonce"] == digest("s" * 43)


async def test_a_device_that_nobody_agrees_to_is_refused_at_its_end(provider):
    asked = oidc.Provider(provider.issuer)
    device = (await asked.begin_device(CLIENT, "s" * 43)).model_copy(update={"expires_in": 0.5})
    with pytest.raises(SignInRefusedError, match="nobody agreed in time"):
        await asked.wait_for_device(CLIENT, device)


@pytest.mark.parametrize("address", ["http://provider.example/here", "https://x.example/\x1b[2J", "javascript:x"])
async def test_what_a_device_shows_is_an_address_and_no_sequence_of_a_terminal(provider, address):
    device = {"device_code": "d", "user_code": "U", "verification_uri": address, "expires_in": 60}
    provider.instead["/device"] = web.json_response(device)
    with pytest.raises(ProviderError, match="without a usable verification_uri"):
        await oidc.Provider(provider.issuer).begin_device(CLIENT, "s" * 43)


ANSWERS = {
    "no JSON": web.Response(body=b"<html>"),
    "no object": web.json_response([]),
    "deep": web.Response(body=b"[" * 100_000),
    "large": web.Response(body=b'{"issuer": "' + b"x" * oidc.ANSWER_MAX_BYTES + b'"}'),
    "broken": web.json_response({"error": "x"}, status=503),
    "missing": web.json_response({"error": "x"}, status=404),
    "elsewhere": web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "another issuer": web.json_response(
        {"issuer": "https://evil.example"}
        | dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "https://evil.example/")
    ),
    "in the clear": web.json_response(
        {"issuer": "https://a.example"}
        | dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "http://a.example/")
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_nonsense_is_an_error_of_the_provider(provider, answer):
    provider.instead[CONFIGURATION] = answer
    with pytest.raises(ProviderError):
        await oidc.Provider(provider.issuer).read_keys("k")


@pytest.mark.parametrize("path", [CONFIGURATION, "/keys", "/token"])
async def test_a_provider_that_does_not_answer_is_given_up_in_time(provider, path, monkeypatch):
    monkeypatch.setattr(oidc, "TIMEOUT_S", 0.2)
    asked, began_at = oidc.Provider(provider.issuer), time.monotonic()
    provider.instead[path] = None
    with pytest.raises(ProviderError, match=r"did not answer within 0\.2 s"):
        await (exchange(asked, "code") if path == "/token" else asked.read_keys("k"))
    assert time.monotonic() - began_at < 2.0


async def test_a_provider_that_is_away_is_told_at_once():
    async with Provider().serving() as provider:
        asked = oidc.Provider(provider.issuer)
    with pytest.raises(ProviderError, match="cannot be asked at"):
        await asked.read_keys("k")


async def test_keys_are_read_anew_for_an_unknown_id_and_once_a_second_at_most(provider):
    asked, (first,) = oidc.Provider(provider.issuer), provider.keys
    assert [key["kid"] for key in await asked.read_keys(first)] == [first]
    await asked.read_keys(first)
    assert provider.asked["/keys"] == 1
    provider.rotate()
    began_at = time.monotonic()
    found = await asyncio.gather(*(asked.read_keys(f"unknown-{each}") for each in range(1_000)), asked.read_keys("new"))
    assert {key["kid"] for key in found[-1]} == {*provider.keys}
    assert time.monotonic() - began_at > 0.5
    assert provider.asked["/keys"] == 2


async def test_what_was_read_is_used_while_it_cannot_be_read_anew_and_until_it_is_old(provider, monkeypatch):
    asked, (known,) = oidc.Provider(provider.issuer), provider.keys
    await asked.read_keys(known)
    provider.instead["/keys"] = provider.refuse("nonsense")
    for _ in range(2):
        with pytest.raises(ProviderError):
            await asked.read_keys("unknown")
        assert await asked.read_keys(known)
    monkeypatch.setattr(oidc, "KEPT_S", 0.0)
    with pytest.raises(ProviderError):
        await asked.read_keys(known)


async def test_who_waits_for_a_reading_that_is_given_up_reads_for_himself(provider):
    provider.instead["/keys"] = None
    asked = oidc.Provider(provider.issuer)
    first = asyncio.create_task(asked.read_keys("k"))
    while not provider.asked["/keys"]:  # noqa: ASYNC110 - the provider counts
        await asyncio.sleep(0.01)
    second = asyncio.create_task(asked.read_keys("k"))
    del provider.instead["/keys"]
    first.cancel()
    assert await second
    assert provider.asked["/keys"] == 2


@pytest.mark.parametrize(
    "url", ["https://id.example/realms/a", "http://127.0.0.1:80", "http://[::1]:1/", "http://localhost"]
)
def test_an_address_is_safe_by_tls_or_on_this_machine(url):
    assert check_address(url) == url


@pytest.mark.parametrize("url", ["http://id.example", "ftp://localhost/", "https://", "", "http://127.0.0.1.example/"])
def test_an_address_in_the_clear_is_none(url):
    with pytest.raises(ValueError, match="must begin with https://"):
        check_address(url)
