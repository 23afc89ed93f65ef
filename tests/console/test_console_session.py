"""Sessions: people log in with a link, and other sites cannot use their session."""

import aiohttp
import pytest
from support.fake_jobstore import TOKEN

NEW = {"title": "a poem", "acceptance_criteria": "It rhymes"}


@pytest.fixture
async def browser(console):
    async with aiohttp.ClientSession(console, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def log_in(browser):
    async with browser.get("/login", params={"token": TOKEN}, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer


async def test_a_login_link_sets_a_session_and_leads_to_the_page(browser):
    answer = await log_in(browser)
    assert answer.headers["Location"] == "/"
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["samesite"]) == (True, "strict")
    async with browser.get("/api/jobs") as jobs:
        assert jobs.status == 200
    async with browser.get("/") as page:
        assert page.content_type == "text/html"


@pytest.mark.parametrize("token", ["", "unknown", "not a token"])
async def test_an_unknown_token_opens_no_session(browser, token):
    async with browser.get("/login", params={"token": token}, allow_redirects=False) as answer:
        assert answer.status == 401
        assert not answer.cookies


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
            "status": "ok", "jobstore": True, "live": True, "database": None, "remedy": None,
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
