"""Sessions: people log in with a link, and other sites cannot use their session."""

import base64

import aiohttp
import pytest
from support.fake_jobstore import TOKEN

from console.api.auth import Sessions
from servicekit.process.runtime import VERSION

NEW = {"title": "a poem", "acceptance_criteria": "It rhymes"}


@pytest.fixture
async def browser(console):
    async with aiohttp.ClientSession(console, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def log_in(browser):
    async with browser.post("/login", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 204
        return answer


async def test_the_code_of_a_login_link_sets_a_session_once(browser, jobstore):
    jobstore.login_codes.append("c" * 43)
    answers = []
    for _ in range(2):
        async with browser.post("/login", headers={"Authorization": "Login-Code " + "c" * 43}) as answer:
            answers.append(answer)
            if answer.status == 401:
                assert (await answer.json(content_type=None))["code"] == "unknown_login_code"
    assert [answer.status for answer in answers] == [204, 401]
    (cookie,) = answers[0].cookies.values()
    assert (cookie["httponly"], cookie["samesite"]) == (True, "strict")
    assert TOKEN not in cookie.value
    async with browser.get("/api/jobs") as jobs:
        assert jobs.status == 200
    async with browser.get("/") as page:
        assert page.content_type == "text/html"


async def test_the_cookie_is_sealed_and_has_an_end(browser):
    (cookie,) = (await log_in(browser)).cookies.values()
    assert TOKEN not in cookie.value
    assert TOKEN.encode() not in base64.urlsafe_b64decode(cookie.value)
    assert cookie["max-age"] == "60"
    assert not cookie["secure"]


@pytest.mark.parametrize("headers", [{"X-Forwarded-Proto": "https"}, {"Origin": "https://signoff.example"}])
async def test_behind_tls_the_cookie_is_sent_back_through_tls_alone(browser, headers):
    async with browser.post("/login", headers={"Authorization": f"Bearer {TOKEN}", **headers}) as answer:
        (cookie,) = answer.cookies.values()
    assert cookie["secure"]


async def status_with(console, cookie):
    name = f"signoff_session_{console.rpartition(':')[2]}"
    headers = {"Cookie": f"{name}={cookie}"}
    async with aiohttp.ClientSession(console) as session, session.get("/api/jobs", headers=headers) as answer:
        return answer.status


async def test_a_cookie_is_good_in_every_console_with_the_secret_and_while_it_is_replaced(console, sessions):
    assert await status_with(console, sessions.begin(TOKEN)) == 200
    old, new = bytes(32), b"1" * 32
    cookie = Sessions([old], 60.0).begin(TOKEN)
    assert Sessions([new, old], 60.0).open(cookie).token == TOKEN
    assert Sessions([new], 60.0).open(cookie) is None


@pytest.mark.parametrize("lasts_s", [0.0, -1.0])
async def test_a_session_that_is_over_opens_nothing(console, lasts_s):
    assert await status_with(console, Sessions([bytes(32)], lasts_s).begin(TOKEN)) == 401


@pytest.mark.parametrize(
    "cookie", [TOKEN, "", "x", "gAAAAA", "\u00e9", Sessions([b"other" + bytes(27)], 60.0).begin(TOKEN)]
)
async def test_a_cookie_that_is_none_of_ours_opens_nothing(console, cookie):
    assert await status_with(console, cookie) == 401


async def test_a_cookie_that_was_changed_opens_nothing(console, sessions):
    cookie = sessions.begin(TOKEN)
    changed = cookie[:40] + ("A" if cookie[40] != "A" else "B") + cookie[41:]
    assert await status_with(console, changed) == 401


async def test_a_session_ends_with_its_token(console, sessions):
    """The jobstore refuses a token that was replaced, in whatever session it is."""
    assert await status_with(console, sessions.begin("a-token-that-was-replaced-by-now")) == 401


async def test_a_copy_of_the_cookie_is_worth_nothing_after_logging_out(browser, console):
    (cookie,) = (await log_in(browser)).cookies.values()
    assert await status_with(console, cookie.value) == 200
    async with browser.post("/logout", headers={"Origin": console}) as answer:
        assert answer.status == 204
    assert await status_with(console, cookie.value) == 401


@pytest.mark.parametrize("header", ["", "Bearer unknown", "Bearer not a token", "Login-Code", "Login-Code unknown"])
async def test_what_nobody_knows_opens_no_session(browser, header):
    async with browser.post("/login", headers={"Authorization": header}) as answer:
        assert answer.status == 401
        assert not answer.cookies


@pytest.mark.parametrize("path", [f"/login?token={TOKEN}", "/login"])
async def test_to_open_an_address_signs_nobody_in(browser, path):
    """Else another site could send somebody there, and a token would stand in the history."""
    async with browser.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert not answer.cookies
        assert TOKEN not in await answer.text()


async def test_the_form_of_the_page_opens_and_ends_a_session(browser, console):
    async with browser.post("/login", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert answer.status == 204
        (cookie,) = answer.cookies.values()
        assert (cookie["httponly"], cookie["samesite"]) == (True, "strict")
    async with browser.post("/logout") as refused:
        assert refused.status == 403  # it may come from another site
    async with browser.post("/logout", headers={"Origin": console}) as answer:
        assert answer.status == 204
    async with browser.get("/api/jobs") as jobs:
        assert jobs.status == 401


async def test_the_form_refuses_an_unknown_token(browser):
    async with browser.post("/login", headers={"Authorization": "Bearer unknown"}) as answer:
        assert answer.status == 401
        assert not answer.cookies


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
async def test_another_site_cannot_use_a_session(browser, headers):
    await log_in(browser)
    async with browser.post("/api/jobs", json=NEW, headers=headers) as answer:
        assert answer.status == 403
        assert (await answer.json(content_type=None))["code"] == "cross_origin"


@pytest.mark.parametrize("by", ["Origin", "Sec-Fetch-Site"])
async def test_the_page_itself_can_use_the_session(browser, console, by):
    await log_in(browser)
    headers = {by: console if by == "Origin" else "same-origin"}
    async with browser.post("/api/jobs", json=NEW, headers=headers) as answer:
        assert answer.status == 201


async def test_health_needs_no_token(browser):
    async with browser.get("/api/health") as answer:
        assert await answer.json() == {
            "status": "ok", "jobstore": True, "live": True, "version": VERSION,
        }  # fmt: skip


async def test_health_says_why_the_database_cannot_be_written_and_what_to_do(browser, jobstore):
    jobstore.outage = "database_read_only"
    async with browser.get("/api/health") as answer:
        told = await answer.json()
        assert (answer.status, told["status"], told["jobstore"]) == (503, "unavailable", True)
        assert told["database"] == "Signoff cannot write to its database: it is read-only"
        assert "default_transaction_read_only" in told["remedy"]


@pytest.mark.parametrize("host", ["x:abc", "[::1", "x:"])
async def test_a_strange_host_is_no_error(http, host):
    async with http.get("/api/jobs", headers={"Host": host}) as answer:
        assert answer.status == 200
