"""People sign in at a provider: the browser that began a sign-in ends it, once, and no other site can."""

import asyncio
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from support.oidc import CLIENT, SECRET, Provider
from support.real_console import TOKEN, real_console

from console.api.sign_in import SignIns
from jobstore.access.id_tokens import IdTokens
from jobstore.access.sign_in_rules import SignInRules
from servicekit import oidc

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "operator"\ntenants = "all"')
REFUSAL = "the sign-in is not accepted: sign in again"
START, CALLBACK = "/login/oidc", "/login/oidc/callback"


@pytest.fixture(scope="module")
async def provider():
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture(autouse=True)
def behaving(provider):
    yield
    provider.instead.clear()


@pytest.fixture(scope="module")
async def console(postgres, provider):
    id_tokens = IdTokens(oidc.Provider(provider.issuer), RULES, CLIENT)
    sign_ins = SignIns(oidc.Provider(provider.issuer), CLIENT, SECRET, "Our <provider>", [bytes(32)])
    async with real_console(postgres, id_tokens=id_tokens, sign_ins=sign_ins) as running:
        yield running


def open_browser(console):
    return aiohttp.ClientSession(console.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


@pytest.fixture
async def browser(console):
    async with open_browser(console) as browser:
        yield browser


async def begin(browser, **query: str) -> str:
    """Begin a sign-in, and return the provider's address that the browser is sent to."""
    async with browser.get(f"{START}?{urlencode(query)}", allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.headers["Location"]


async def agree(browser, **query: str) -> dict[str, str]:
    """Sign in at the provider, and return what it sends the browser back with."""
    address = await begin(browser, **query)
    async with aiohttp.ClientSession() as elsewhere, elsewhere.get(address, allow_redirects=False) as answer:
        back = urlsplit(answer.headers["Location"])
    assert back.path == CALLBACK
    return {name: value for name, (value,) in parse_qs(back.query).items()}


async def come_back(browser, answer: dict[str, str]) -> aiohttp.ClientResponse:
    response = await browser.get(f"{CALLBACK}?{urlencode(answer)}", allow_redirects=False)
    await response.read()
    return response


async def has_session(browser) -> bool:
    async with browser.get("/api/jobs") as answer:
        return answer.status == 200


async def test_who_the_provider_names_has_a_session(browser):
    response = await come_back(browser, await agree(browser, to="/jobs/7?tab=log"))
    assert (response.status, response.headers["Location"]) == (303, "/jobs/7?tab=log")
    cookies = {name.rpartition("_")[0]: cookie for name, cookie in response.cookies.items()}
    assert cookies["signoff_session"]["httponly"]
    assert cookies["signoff_session"]["samesite"] == "strict"
    assert cookies["signoff_sign_in"].value == ""
    assert await has_session(browser)


async def test_the_cookie_of_a_sign_in_shows_nothing_and_goes_to_no_other_path(browser):
    async with browser.get(START, allow_redirects=False) as answer:
        (cookie,) = answer.cookies.values()
        asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "lax", START, "600")
    assert asked["state"][0] not in cookie.value
    assert asked["code_challenge_method"] == ["S256"]
    async with browser.get(START, allow_redirects=False, headers={"X-Forwarded-Proto": "https"}) as answer:
        (cookie,) = answer.cookies.values()
        back = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"]
    assert cookie["secure"]
    assert back == [f"https://{browser._base_url.authority}{CALLBACK}"]


async def test_a_code_used_twice_is_refused(console, browser):
    answer = await agree(browser)
    jar = {name.key: name.value for name in browser.cookie_jar}
    assert (await come_back(browser, answer)).status == 303
    async with aiohttp.ClientSession(console.url, cookies=jar) as copy:
        assert await refusal(await come_back(copy, answer)) == (401, "unauthenticated", REFUSAL)
        assert not await has_session(copy)
    await audited(console, "code")


async def audited(console, reason: str) -> None:
    """Wait until the audit has a refused sign-in with this reason."""
    async with asyncio.timeout(10):
        while True:
            entries, _ = await console.client.list_audit(
                filter={"actions": ["create_session"], "outcomes": ["refused"]}
            )
            if reason in {entry.reason for entry in entries}:
                return
            await asyncio.sleep(0.05)


async def refusal(response: aiohttp.ClientResponse) -> tuple[int, str, str]:
    problem = await response.json(content_type=None)
    return response.status, problem["code"], problem["detail"]


async def test_another_browsers_state_is_refused(console, browser):
    """Else somebody could be signed in as another, who began there."""
    answer = await agree(browser)
    async with open_browser(console) as stranger:
        assert await refusal(await come_back(stranger, answer)) == (401, "unauthenticated", REFUSAL)
        await begin(stranger)
        assert await refusal(await come_back(stranger, answer)) == (401, "unauthenticated", REFUSAL)
        assert not await has_session(stranger)
    await audited(console, "state")


@pytest.mark.parametrize(
    "change",
    [
        {"state": ""},
        {"state": "\N{SNOWMAN}"},
        {"code": "unknown"},
        {"iss": "https://evil.example"},
    ],
)
async def test_an_answer_that_was_changed_is_refused(browser, change):
    answer = {**await agree(browser), **change}
    assert await refusal(await come_back(browser, answer)) == (401, "unauthenticated", REFUSAL)
    assert not await has_session(browser)


async def test_who_does_not_agree_is_signed_out(browser):
    state = (await agree(browser))["state"]
    response = await come_back(browser, {"error": "access_denied", "state": state})
    assert await refusal(response) == (401, "unauthenticated", REFUSAL)


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"iss": "https://evil.example"}, {"nonce": "x"}, {"exp": 1}])
async def test_an_id_token_that_is_not_good_is_refused_by_the_jobstore(browser, provider, claims, monkeypatch):
    monkeypatch.setattr(provider, "person", {**provider.person, **claims})
    assert await refusal(await come_back(browser, await agree(browser))) == (401, "unauthenticated", REFUSAL)
    assert not await has_session(browser)


async def test_who_no_rule_names_is_told_so(browser, provider, monkeypatch):
    monkeypatch.setattr(provider, "person", {"sub": "bob", "preferred_username": "bob"})
    status, code, detail = await refusal(await come_back(browser, await agree(browser)))
    assert (status, code, "gives bob a role" in detail) == (403, "forbidden", True)


async def test_a_browser_is_shown_the_page_with_what_went_wrong(browser, provider, monkeypatch):
    monkeypatch.setattr(provider, "person", {"sub": "eve", "preferred_username": '"><script>alert(1)</script>'})
    answer = await agree(browser)
    people = {"Accept": "text/html"}
    async with browser.get(f"{CALLBACK}?{urlencode(answer)}", headers=people, allow_redirects=False) as shown:
        text = await shown.text()
    assert (shown.status, shown.content_type) == (403, "text/html")
    assert '<meta name="sign-in-problem" content="no rule of SIGNOFF_OIDC_RULES gives &quot;&gt;&lt;script&gt;' in text


async def test_the_page_says_where_people_sign_in(browser):
    async with browser.get("/login") as page:
        text = await page.text()
    assert '<meta name="sign-in-provider" content="Our &lt;provider&gt;">' in text
    assert "sign-in-problem" not in text


@pytest.mark.parametrize("way", ["away", "slow", "nonsense"])
async def test_while_the_provider_is_away_people_are_told_and_sessions_go_on(console, browser, provider, way):
    async with open_browser(console) as signed_in:
        assert (await come_back(signed_in, await agree(signed_in))).status == 303
        answer = await agree(browser)
        broken = {"away": provider.refuse("x", status=503), "slow": None, "nonsense": provider.refuse("<html>")}
        provider.instead |= dict.fromkeys(("/token", "/keys", "/.well-known/openid-configuration"), broken[way])
        began_at = time.monotonic()
        status, code, _ = await refusal(await come_back(browser, answer))
        assert (status, code) == (503, "sign_in_unavailable")
        assert time.monotonic() - began_at < 10
        assert await has_session(signed_in)


async def test_those_who_wait_for_a_slow_provider_leave_others_their_turn(browser, provider):
    answer = await agree(browser)
    provider.instead["/token"] = None
    waiting = [asyncio.create_task(come_back(browser, answer)) for _ in range(150)]
    while provider.asked["/token"] < 20:  # noqa: ASYNC110 - the provider counts
        await asyncio.sleep(0.01)
    began_at = time.monotonic()
    async with browser.get("/api/jobs", headers={"Authorization": f"Bearer {TOKEN}"}) as others:
        assert others.status == 200
    assert time.monotonic() - began_at < 2
    statuses = [(await each).status for each in waiting]
    assert sorted(set(statuses)) == [429, 503]
    assert statuses.count(503) == 20


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\r\nx: y", "x", "/login"]
)
async def test_a_sign_in_leads_to_no_other_site(browser, to):
    assert (await come_back(browser, await agree(browser, to=to))).headers["Location"] == "/"


async def test_another_site_can_post_nothing(browser):
    assert (await come_back(browser, await agree(browser))).status == 303
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    async with browser.post("/logout", headers=foreign) as answer:
        assert answer.status == 403
    async with browser.post(CALLBACK, headers=foreign) as answer:
        assert answer.status == 405
    assert await has_session(browser)


async def test_a_sign_in_that_took_too_long_is_refused(browser, monkeypatch):
    answer = await agree(browser)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    response = await come_back(browser, answer)
    monkeypatch.undo()
    assert response.status == 401


async def test_without_a_provider_people_sign_in_with_tokens(postgres):
    async with real_console(postgres) as console, open_browser(console) as browser:
        async with browser.get(START, allow_redirects=False) as answer:
            assert answer.status == 404
        async with browser.get("/login") as page:
            assert "sign-in-provider" not in await page.text()
