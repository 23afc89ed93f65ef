"""Sessions end everywhere, event streams with their tokens, and each viewer has the changes of its tenants alone."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
from streams import stream
from support.fake_jobstore import TOKEN as FAKE_TOKEN
from support.fakes import until
from support.real_console import CONSOLE_TOKEN, TOKEN, console_on, jobstore_on

from console.api.auth import Sessions
from contracts.resources import NewJob
from signoff.status import JobLogStatus


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def browser_at(url):
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        yield browser


async def sign_in(browser, token, status=204):
    """Sign in with a token, and return the cookie."""
    async with browser.post("/login", headers=bearer(token)) as answer:
        assert answer.status == status, await answer.text()
        cookies = [cookie.value for cookie in answer.cookies.values()]
        return cookies[0] if status == 204 else (await answer.json(content_type=None), cookies)


async def sign_out(browser, url):
    async with browser.post("/logout", headers={"Origin": url}) as answer:
        assert answer.status == 204, await answer.text()


async def status_with(url, cookie, path="/api/me"):
    headers = {"Cookie": f"signoff_session_{url.rpartition(':')[2]}={cookie}"}
    async with aiohttp.ClientSession(url) as session, session.get(path, headers=headers) as answer:
        return answer.status


async def make_token(real, name, role="viewer", **fields):
    return (await real.client.create_token(name=name, role=role, **(fields or {"all_tenants": True}))).secret


#: However busy the machine is.
PATIENCE_S = 30.0


async def until_ended(events):
    """Read a stream to its end, which is due within a second of a machine that is idle."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(EOFError):
            await events.take(1_000)


async def test_a_pasted_token_begins_a_session_whose_own_token_the_cookie_has(real):
    pasted = await make_token(real, "paula")
    async with browser_at(real.url) as browser:
        cookie = await sign_in(browser, pasted)
        assert Sessions([bytes(32)], 60.0).open(cookie).token not in {pasted, ""}
        async with browser.get("/api/me") as answer:
            me = await answer.json()
        async with browser.get("/api/sessions") as answer:
            (mine,) = (await answer.json())["items"]
    assert (me["actor"], me["session_id"], mine["client"]) == ("token:paula", mine["id"], "console")


async def test_a_session_by_a_link_lasts_as_long_as_its_cookie(real):
    """That is 60 s here: the jobstore's own choice is half a day."""
    code = await real.client.create_login_code()
    async with browser_at(real.url) as browser:
        async with browser.post("/login", headers={"Authorization": f"Login-Code {code}"}) as answer:
            assert answer.status == 204
        async with browser.get("/api/me") as answer:
            ends_at = datetime.fromisoformat((await answer.json())["ends_at"])
    assert 0 < (ends_at - datetime.now(UTC)).total_seconds() <= 60


async def test_signing_out_ends_the_session_in_each_console(real):
    async with console_on(real.jobstore) as other, browser_at(real.url) as browser:
        cookie = await sign_in(browser, await make_token(real, "otto"))
        assert [await status_with(url, cookie) for url in (real.url, other)] == [200, 200]
        await sign_out(browser, real.url)
        assert [await status_with(url, cookie) for url in (real.url, other)] == [401, 401]
        async with browser.get("/api/me") as answer:
            assert answer.status == 401


async def test_who_signs_out_of_a_session_that_has_ended_is_signed_out(real):
    async with browser_at(real.url) as browser:
        await sign_in(browser, await make_token(real, "anna"))
        await real.client.revoke_token("anna")
        await sign_out(browser, real.url)


async def test_a_session_ends_with_the_token_that_began_it(real):
    async with browser_at(real.url) as browser:
        cookie = await sign_in(browser, await make_token(real, "resi"))
        await real.client.revoke_token("resi")
        assert await status_with(real.url, cookie) == 401


@pytest.mark.parametrize("role", ["executor", "validator", "console", "upstream"])
async def test_the_token_of_a_service_signs_nobody_in(real, role):
    async with browser_at(real.url) as browser:
        problem, cookies = await sign_in(browser, await make_token(real, f"a-{role}", role), status=403)
    assert (problem["code"], cookies) == ("forbidden", [])
    assert "viewer, operator" in problem["detail"] or "viewer or operator" in problem["detail"]


async def test_the_consoles_own_token_signs_nobody_in(real):
    async with browser_at(real.url) as browser:
        problem, cookies = await sign_in(browser, CONSOLE_TOKEN, status=403)
    assert (problem["code"], cookies) == ("forbidden", [])


async def test_a_cookie_of_0_2_0_goes_on_until_its_end_or_until_its_owner_signs_out(real):
    """It has the administrator's token."""
    cookie = Sessions([bytes(32)], 60.0).begin(TOKEN)
    assert await status_with(real.url, cookie) == 200
    async with browser_at(real.url) as browser:
        browser.cookie_jar.update_cookies({f"signoff_session_{real.url.rpartition(':')[2]}": cookie})
        await sign_out(browser, real.url)
    assert await status_with(real.url, cookie) == 401
    async with aiohttp.ClientSession(real.url, headers=bearer(TOKEN)) as http, http.get("/api/me") as answer:
        assert answer.status == 200


async def test_another_site_neither_signs_out_nor_ends_a_session_nor_makes_a_token(real):
    new = {"name": "evil", "role": "viewer", "all_tenants": True}
    async with browser_at(real.url) as browser:
        await sign_in(browser, TOKEN)
        async with browser.get("/api/me") as answer:
            session_id = (await answer.json())["session_id"]
        for method, path, body in (
            ("POST", "/logout", None),
            ("POST", "/api/tokens", new),
            ("DELETE", "/api/tokens/eve", None),
            ("DELETE", f"/api/sessions/{session_id}", None),
        ):
            headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            async with browser.request(method, path, json=body, headers=headers) as answer:
                assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "cross_origin")
        async with browser.get("/api/me") as answer:
            assert answer.status == 200


async def refusal_of(real, headers):
    async with aiohttp.ClientSession(real.url) as http, http.get("/api/jobs", headers=headers) as answer:
        problem = await answer.json(content_type=None)
    return answer.status, problem["code"], problem["detail"]


async def test_a_credential_that_opens_nothing_has_one_answer(real):
    revoked = await make_token(real, "rudi")
    await real.client.revoke_token("rudi")
    ended = await make_token(real, "edda", all_tenants=True, lasts_s=0.01)
    await asyncio.sleep(0.02)
    tokens = ["sgn_" + "0" * 49, "unknown", "not a token", revoked, ended]
    answers = {await refusal_of(real, headers) for headers in ({}, *map(bearer, tokens))}
    assert len(answers) == 1
    assert answers.pop()[:2] == (401, "unauthenticated")


@pytest.mark.parametrize("path", ["/api/events", "/api/jobs/poem/events"])
async def test_an_event_stream_ends_within_a_second_after_its_token(real, path):
    if "poem" in path:
        await real.client.create_job(id="poem", title="a poem", acceptance_criteria="It rhymes")
    name = f"streaming-{path.count('/')}"
    secret = await make_token(real, name)
    async with (
        aiohttp.ClientSession(real.url, headers=bearer(secret)) as http,
        aiohttp.ClientSession(real.url, headers=real.headers) as another,
        stream(http, path) as events,
        stream(another, path) as others,
    ):
        assert [(await each.next()).name for each in (events, others)] == ["hello", "hello"]
        await real.client.revoke_token(name)
        await until_ended(events)
        async with http.get(path) as again:
            assert again.status == 401
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await others.next()


async def test_an_event_stream_ends_when_its_token_does(real):
    secret = await make_token(real, "brief", all_tenants=True, lasts_s=0.5)
    async with (
        aiohttp.ClientSession(real.url, headers=bearer(secret)) as http,
        stream(http) as events,
    ):
        assert (await events.next()).name == "hello"
        await asyncio.sleep(0.3)
        await until_ended(events)


async def test_the_streams_of_a_session_end_when_its_owner_signs_out_elsewhere(real):
    """At another console, before another jobstore."""
    async with (
        jobstore_on(real.database) as (_, address),
        console_on(address) as other,
        browser_at(real.url) as browser,
    ):
        cookie = await sign_in(browser, await make_token(real, "sina"))
        headers = {"Cookie": f"signoff_session_{other.rpartition(':')[2]}={cookie}"}
        async with asyncio.timeout(PATIENCE_S):  # until the other jobstore knows the session, too
            while await status_with(other, cookie) != 200:  # noqa: ASYNC110 - told by nothing
                await asyncio.sleep(0.01)
        async with aiohttp.ClientSession(other, headers=headers) as http, stream(http) as events:
            assert (await events.next()).name == "hello"
            await sign_out(browser, real.url)
            await until_ended(events)


async def test_a_role_that_may_not_watch_opens_no_stream(real):
    secret = await make_token(real, "worker", "executor")
    async with aiohttp.ClientSession(real.url, headers=bearer(secret)) as http, http.get("/api/events") as answer:
        problem = await answer.json(content_type=None)
    assert (answer.status, problem["code"]) == (403, "forbidden")
    assert "WatchJobs needs viewer" in problem["detail"]


async def test_viewers_with_one_token_share_its_watch(http, jobstore):
    async with stream(http) as a, stream(http) as b:
        await a.next()
        await b.next()
        await until(lambda: jobstore.watched_callers)
        assert jobstore.watched_callers == [FAKE_TOKEN]
    await until(lambda: not jobstore.watched_callers)


async def test_what_a_viewer_has_not_read_when_its_token_ends_it_never_reads(live, jobstore):
    caller = jobstore.add_caller("eve")
    live._start_at(0)
    viewer = await live.enter("eve", caller, None, None)
    await until(lambda: jobstore.watched_callers == ["eve"])
    await jobstore.end_token("eve")
    async with asyncio.timeout(PATIENCE_S):
        await viewer.ended.wait()
    assert [data async for data in viewer.frames()] == []


def new_job(job_id, tenant):
    return NewJob(id=job_id, title=f"of {tenant}", acceptance_criteria="It rhymes", tenant=tenant)


@pytest.fixture
async def press(console, jobstore):
    """One who sees the tenant press alone."""
    jobstore.add_caller("press", tenants=["press"])
    async with aiohttp.ClientSession(console, headers=bearer("press")) as session:
        yield session


async def test_a_viewer_is_sent_the_changes_of_its_tenants_alone(press, http, jobstore):
    async with stream(press) as mine, stream(http) as all_:
        await mine.next()
        await all_.next()
        for job_id, tenant in (("film-1", "film"), ("press-1", "press"), ("film-2", "film"), ("press-2", "press")):
            await jobstore.add(new_job(job_id, tenant))
        seen = await mine.take(2)
        assert [event.data["job_id"] for event in seen] == ["press-1", "press-2"]
        assert {event.data["tenant"] for event in seen} == {"press"}
        assert len(await all_.take(4)) == 4


@pytest.mark.parametrize("live", [{"ping_s": 0.01}], indirect=True)
async def test_a_viewer_of_some_tenants_is_told_no_cursor_of_others(press, live, jobstore):
    await jobstore.add(new_job("film-1", "film"))
    await until(lambda: live.cursor == 1)
    async with stream(press) as events:
        assert (hello := await events.next()).id == hello.data["cursor"] == 0
        await jobstore.add(new_job("press-1", "press"))
        while (event := await events.next()).name == "ping":
            assert event.id in {0, None}
        assert event.id == 2
        for _ in range(3):
            await jobstore.record("film-1", JobLogStatus.IN_PROGRESS)
        await until(lambda: live.cursor == 5)
        assert {(event.name, event.id, event.data["cursor"]) for event in await events.take(5)} == {("ping", 2, 2)}
    async with stream(press) as again:
        assert (await again.next()).id == 2


async def test_a_viewer_of_some_tenants_resumes_after_a_change_of_its_own(press, live, jobstore):
    for number in range(2):
        await jobstore.add(new_job(f"press-{number}", "press"))
        await jobstore.add(new_job(f"film-{number}", "film"))
    await until(lambda: live.cursor == 4)
    async with stream(press, Last_Event_ID="1") as events:
        assert (await events.next()).data["job_id"] == "press-1"
        await jobstore.record("film-0", JobLogStatus.IN_PROGRESS)
        await jobstore.record("press-0", JobLogStatus.IN_PROGRESS)
        assert (await events.next()).id == 6


@pytest.mark.parametrize("cursor", [0, 2, 4, 5, 99])
async def test_a_cursor_of_others_tells_a_viewer_of_some_tenants_nothing(press, live, jobstore, cursor):
    """Whether it is of another's change, was forgotten or was never given, the answer is one."""
    for number in range(2):
        await jobstore.add(new_job(f"press-{number}", "press"))
        await jobstore.add(new_job(f"film-{number}", "film"))
    await until(lambda: live.cursor == 4)
    async with stream(press, f"/api/events?after={cursor}") as events:
        assert ((reset := await events.next()).name, reset.id, reset.data) == ("reset", 3, {"cursor": 3})


@pytest.mark.parametrize("cursor", [0, 1, 4, 99])
async def test_a_stream_of_one_job_goes_on_by_the_jobs_own_log(press, live, jobstore, cursor):
    await jobstore.add(new_job("press-1", "press"))
    for number in range(5):
        await jobstore.add(new_job(f"film-{number}", "film"))
    await until(lambda: live.cursor == 6)
    live._start_at(6)
    async with stream(press, f"/api/jobs/press-1/events?after={cursor}") as events:
        if cursor == 0:
            assert (await events.next()).id == 1
        await jobstore.record("film-1", JobLogStatus.IN_PROGRESS)
        await jobstore.record("press-1", JobLogStatus.IN_PROGRESS)
        assert (await events.next()).id == 8
