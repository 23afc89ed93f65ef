"""A sign-in at a provider makes one session, at one of the jobstores, and a session goes on without the provider."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from support.oidc import CLIENT, Provider
from support.real_console import TOKEN, jobstore_on

from jobstore.access.id_tokens import IdTokens
from jobstore.access.sign_in_rules import SignInRules
from jobstore.engine.database import Database
from servicekit import oidc
from servicekit.oidc import digest
from signoff import AsyncClient, SignoffError

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "operator"\ntenants = ["press"]')
SECRET = "s" * 43
REFUSAL = "the sign-in is not accepted: sign in again"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture
async def clients(database: Database, provider: Provider) -> AsyncIterator[list[AsyncClient]]:
    """Of two jobstores on one database, without any credential."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            id_tokens = IdTokens(oidc.Provider(provider.issuer), RULES, CLIENT, "signoff-cli")
            _, address = await stack.enter_async_context(jobstore_on(database, id_tokens=id_tokens))
            made.append(await stack.enter_async_context(AsyncClient(address, None, timeout_s=8)))
        yield made


@pytest.fixture
def client(clients: list[AsyncClient]) -> AsyncClient:
    return clients[0]


async def refused(call) -> SignoffError:
    with pytest.raises(SignoffError) as error:
        await call
    return error.value


async def test_an_id_token_makes_a_session_of_its_subject(client, provider):
    secret = "of the first sign-in"
    begun = await client.with_id_token(provider.make_token(digest(secret)), secret).create_session("console")
    assert (begun.session.name, begun.session.actor, begun.session.client) == ("ann", "user:ann-7", "console")
    caller = await client.with_token(begun.secret).get_caller()
    assert (caller.actor, caller.role, caller.tenants, caller.all_tenants) == (
        "user:ann-7",
        "operator",
        ["press"],
        False,
    )
    assert caller.session_id == begun.session.id
    sessions, _ = await client.with_token(begun.secret).list_sessions()
    assert [each.id for each in sessions] == [begun.session.id]


async def test_the_audit_has_who_signs_in_and_why_others_do_not(client, provider):
    secret = "of somebody whose sign-ins are kept"
    signed_in = client.with_id_token(provider.make_token(digest(secret)), secret)
    await signed_in.create_session("console")
    await refused(signed_in.create_session("console"))
    bootstrap = client.with_token(TOKEN)
    async with asyncio.timeout(5):
        while True:
            kept, _ = await bootstrap.list_audit(filter={"actions": ["create_session"]})
            if kept[0].outcome == "refused":
                break
    assert [(entry.actor, entry.outcome, entry.tenants) for entry in kept[:2]] == [
        ("user:ann-7", "refused", ["press"]),
        ("user:ann-7", "done", ["press"]),
    ]
    assert kept[0].reason not in {"", REFUSAL}


async def test_it_makes_one_at_whatever_jobstore_however_many_ask_at_once(clients, provider):
    secret = "of a sign-in that many repeat"
    token = provider.make_token(digest(secret))
    asked = [each.with_id_token(token, secret).create_session("cli") for each in clients * 5]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refusals = [each for each in answers if isinstance(each, SignoffError)]
    assert len(refusals) == 9
    assert {(each.code, each.message) for each in refusals} == {("unauthenticated", REFUSAL)}
    again = provider.make_token(digest(secret), jti="another token of the same sign-in")
    assert (await refused(clients[1].with_id_token(again, secret).create_session("cli"))).code == "unauthenticated"


async def test_one_of_a_device_without_a_nonce_makes_one_too(clients, provider):
    token = provider.make_token("", nonce=None, aud="signoff-cli")
    assert (await clients[0].with_id_token(token, "").create_session("cli")).session.actor == "user:ann-7"
    assert (await refused(clients[1].with_id_token(token, "").create_session("cli"))).code == "unauthenticated"


async def test_it_opens_nothing_but_a_session(client, provider):
    signed_in = client.with_id_token(provider.make_token(digest(SECRET)), SECRET)
    for call in (signed_in.get_caller(), signed_in.list_jobs(), signed_in.list_sessions()):
        assert (await refused(call)).code == "unauthenticated"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"nonce": "x"}, "nonce"),
        ({"exp": 1}, "time"),
    ],
)
async def test_one_that_is_not_good_is_refused_like_any_with_the_reason_in_log_and_audit(
    client, provider, claims, reason, caplog
):
    caplog.set_level("INFO")
    error = await refused(
        client.with_id_token(provider.make_token(digest(SECRET), **claims), SECRET).create_session("x")
    )
    assert (error.code, error.message) == ("unauthenticated", REFUSAL)
    (logged,) = [record for record in caplog.records if record.getMessage() == "a call failed"]
    assert logged.reason == reason
    async with asyncio.timeout(10):
        while reason not in {each.reason for each in (await client.with_token(TOKEN).list_audit())[0]}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_stolen_id_token_makes_nothing_without_its_secret(client, provider):
    token = provider.make_token(digest(SECRET))
    for secret in ("", digest(SECRET), "t" * 43):
        assert (await refused(client.with_id_token(token, secret).create_session("x"))).code == "unauthenticated"
    stolen = client.with_token(token)
    assert (await refused(stolen.create_session("x"))).code == "unauthenticated"


async def test_who_no_rule_names_is_told_so(client, provider):
    token = provider.make_token(digest(SECRET), groups=["others"])
    error = await refused(client.with_id_token(token, SECRET).create_session("x"))
    assert (error.code, "ask an administrator" in error.message) == ("forbidden", True)


@pytest.mark.parametrize("way", ["slow", "nonsense"])
async def test_while_the_provider_is_away_sessions_go_on_and_others_are_told(client, provider, way):
    begun = await client.with_id_token(provider.make_token(digest(way)), way).create_session("console")
    provider.rotate()
    provider.instead["/keys"] = None if way == "slow" else provider.refuse("nonsense")
    asked_at = time.monotonic()
    error = await refused(client.with_id_token(provider.make_token(digest(SECRET)), SECRET).create_session("x"))
    assert error.code == "sign_in_unavailable"
    assert time.monotonic() - asked_at < 10
    assert (await client.with_token(begun.secret).get_caller()).actor == "user:ann-7"


async def test_two_hundred_groups_are_taken(client, provider):
    """As some providers name them: by UUIDs."""
    groups = ["press", *(f"{each:08}-1111-4111-8111-111111111111" for each in range(200))]
    secret = "of somebody in many groups"
    token = provider.make_token(digest(secret), groups=groups)
    assert (await client.with_id_token(token, secret).create_session("console")).secret


async def test_anybody_is_told_where_people_sign_in(client, provider):
    assert await client.get_sign_in() == (provider.issuer, "signoff-cli")


async def test_without_a_provider_people_sign_in_with_tokens(database, provider):
    async with jobstore_on(database) as (_, address), AsyncClient(address, None) as client:
        assert await client.get_sign_in() == ("", "")
        error = await refused(client.with_id_token(provider.make_token(digest(SECRET)), SECRET).create_session("x"))
        assert (error.code, error.message) == ("unauthenticated", REFUSAL)
        assert (await client.with_token(TOKEN).create_session("console")).session.actor == "token:bootstrap"
