"""What happens elsewhere is seen here, without a reload; and when it cannot be, the page says so."""

import asyncio
import re

from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import Visitor, badge, confirm, row, settled, shifted


async def test_a_second_window_shows_a_change_without_a_reload(
    page: Page, visitor: Visitor, system: System, agent: Agent
):
    job = await system.create(title="Translate the contract")
    answer: asyncio.Future[dict[str, str]] = asyncio.Future()

    async def work() -> web.Response:
        return web.json_response(await answer)

    agent.answers[job.id] = lambda _: work()
    await page.reload()
    job_row = row(page, "Translate the contract")
    await expect(badge(job_row, "Assigned")).to_be_visible()
    await page.evaluate("window.isTheSame = true")
    other = await visitor.open_window(page.context, f"/jobs/{job.id}")
    await confirm(other, "Execute")
    await expect(badge(job_row, "In progress")).to_be_visible()
    answer.set_result({"text": "The sky is blue, so they agree."})
    await expect(badge(job_row, "Completed")).to_be_visible()
    await expect(badge(other.get_by_role("main"), "Completed").first).to_be_visible()
    assert await page.evaluate("window.isTheSame")


async def test_new_jobs_wait_until_they_are_asked_for(page: Page, system: System):
    await system.create(title="Known already")
    await page.reload()
    await expect(row(page, "Known already")).to_be_visible()
    await expect(page.locator("[data-live=live]")).to_be_visible()
    await system.create(title="Brand new")
    await expect(page.get_by_role("button", name="1 new job")).to_be_visible()
    await expect(row(page, "Brand new")).to_have_count(0)
    await page.keyboard.press("n")
    await expect(row(page, "Brand new")).to_be_visible()
    await expect(page.get_by_role("button", name="new job", exact=False)).to_have_count(0)


async def test_a_row_that_no_longer_matches_stays_where_it_is(page: Page, system: System):
    job = await system.create(title="About to run", labels={"test": "leaving"})
    await page.goto("/jobs?status=ASSIGNED&label=test:leaving")
    await expect(row(page, "About to run")).to_be_visible()
    await expect(page.locator("[data-live=live]")).to_be_visible()
    await system.client.execute_job(job.id)
    await expect(badge(row(page, "About to run"), "Completed")).to_be_visible()
    await expect(row(page, "About to run")).to_contain_text("no longer matches: its status has changed")
    await page.reload()
    await expect(page.get_by_text("No job matches")).to_be_visible()


async def test_the_page_says_that_the_console_is_away_and_catches_up(page: Page, visitor: Visitor, system: System):
    visitor.tolerate(
        r"ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 503"
    )
    job = await system.create(title="While nobody listens")
    await page.reload()
    await settled(page)
    await expect(page.locator("[data-live=live]")).to_contain_text("Live")
    system.kill("console")
    await expect(page.locator("[data-live=reconnecting]")).to_contain_text("Reconnecting")
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await expect(page.locator("[data-live=live]")).to_be_visible()
    await expect(badge(row(page, "While nobody listens"), "Completed")).to_be_visible()


async def test_nothing_moves_while_a_run_is_watched(visitor: Visitor, system: System, agent: Agent):
    fields = {"acceptance_criteria": 'Has a "chimney"\nHas a "door"\nHas a "roof"'}
    policy = {"resubmit": "automatic", "max_submissions": 3, "max_calls": 3, "backoff_first_s": 2.0}
    job = await system.create(title="Plan a house, and again", policy=policy, **fields)
    told = [
        web.json_response({"text": "# A house\n\n" + "It has a chimney.\n\n" * 40}),
        web.Response(status=503, text="the planner sleeps"),
        web.json_response({"text": "# A house\n\nIt has a chimney and a door."}),
        web.Response(status=422, text="the planner is out of paper"),
    ]
    asked = [asyncio.Event() for _ in told]
    answer = [asyncio.Event() for _ in told]

    async def work(call: int) -> web.Response:
        asked[call].set()
        await answer[call].wait()
        return told[call]

    calls = iter(range(len(told)))
    agent.answers[job.id] = lambda _: work(next(calls))
    page = await visitor.arrive(f"/jobs/{job.id}")
    await settled(page)
    await expect(page.locator("[data-live=live]")).to_be_visible()
    history = page.get_by_role("region", name="History")
    await system.client.execute_job(job.id)
    seen = [f"Submission {submission}, call {call}" for submission, call in [(1, 1), (2, 1), (2, 2), (3, 1)]]
    for call, text in enumerate(seen):
        await asyncio.wait_for(asked[call].wait(), 30)
        await expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
        await expect(history).to_contain_text(text)
        answer[call].set()
        if told[call].status == 503:
            await expect(page.get_by_text("waits for its next call")).to_be_visible()
    await expect(page.get_by_role("region", name="Error")).to_contain_text("the planner is out of paper")
    await expect(badge(page.get_by_role("main"), "Failed").first).to_be_visible()
    # An error makes room for itself, and a submission without a verdict needs less than one with it.
    assert await shifted(page, 0.06) == []
    await history.get_by_role("button", name=re.compile("before the next call")).focus()
    await page.keyboard.press("Enter")
    await expect(history.locator("[data-version]:focus")).to_contain_text("the planner sleeps")


async def test_a_batch_shows_how_far_it_is_and_what_failed(page: Page, system: System, agent: Agent):
    go_on = asyncio.Event()

    async def wait() -> web.Response:
        await go_on.wait()
        return web.json_response({"text": "The sky is blue."})

    ids = [f"crate-{number}" for number in range(6)]
    for job_id in ids:
        await system.create(id=job_id, title=f"Unpack {job_id}", policy={"max_calls": 1})
    for job_id in ids[len(ids) // 2 :]:
        agent.answers[job_id] = lambda _: wait()
    agent.answers[ids[0]] = lambda _: web.Response(status=500, text="the crate is locked")
    async with system.http.post("/api/batches", json={"job_ids": ids}) as answer:
        batch = await answer.json()
    await page.goto(f"/batches/{batch['id']}")
    main = page.get_by_role("main")
    bar = main.get_by_role("progressbar").first
    await expect(bar).to_have_attribute("aria-valuenow", str(len(ids) // 2))
    await expect(bar).to_have_attribute("aria-valuemax", str(len(ids)))
    await expect(main).to_contain_text(re.compile(r"2\s*completed", re.IGNORECASE))
    failures = page.get_by_role("region", name="Failures")
    await expect(failures.get_by_role("link", name=f"Unpack {ids[0]}")).to_be_visible()
    await expect(badge(failures, "Failed")).to_be_visible()
    await expect(failures).to_contain_text("agent_status 500")
    await page.evaluate("window.isTheSame = true")
    go_on.set()
    await expect(bar).to_have_attribute("aria-valuenow", str(len(ids)))
    await expect(main).to_contain_text(re.compile(r"5\s*completed", re.IGNORECASE))
    assert await page.evaluate("window.isTheSame")


async def test_a_page_that_was_opened_in_an_outage_comes_after_it(page: Page, visitor: Visitor, system: System):
    visitor.tolerate("ERR_FAILED|ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|status of 503")
    job = await system.create(title="Opened in an outage")
    await page.reload()
    await expect(row(page, job.title)).to_be_visible()
    await expect(page.locator("[data-live=live]")).to_be_visible()
    await page.evaluate("window.isTheSame = true")
    system.kill("console")
    await expect(page.locator("[data-live=reconnecting]")).to_be_visible()
    await page.route("**/*", lambda route: route.abort())  # it is back within a second
    await row(page, job.title).get_by_role("link").click()
    await expect(page.get_by_text("Loading the page")).to_be_attached()
    await page.unroute("**/*")
    await expect(page.get_by_role("heading", name=job.title)).to_be_visible()
    assert await page.evaluate("window.isTheSame"), "the page was not loaded anew"


async def test_a_part_that_failed_is_loaded_with_the_page_which_keeps_the_selection(
    page: Page, visitor: Visitor, system: System
):
    visitor.tolerate("ERR_FAILED")
    job = await system.create(title="Failed to fetch", labels={"test": "parts"})
    await page.goto("/jobs?label=test:parts")
    await expect(page.locator("[data-live=live]")).to_be_visible()
    await row(page, job.title).get_by_role("checkbox").check()
    await page.route("**/assets/OperationDialog-*.js", lambda route: route.abort(), times=1)
    await page.get_by_role("button", name="Execute", exact=True).click()
    dialog = page.get_by_role("alertdialog").or_(page.get_by_role("dialog"))
    await expect(dialog).to_contain_text(job.title)
    await page.keyboard.press("Escape")
    await expect(row(page, job.title).get_by_role("checkbox")).to_be_checked()


async def test_after_an_upgrade_the_page_is_loaded_anew_once_with_what_was_filled_in(page: Page, visitor: Visitor):
    visitor.tolerate("status of 404")
    loads: list[str] = []
    page.on("domcontentloaded", lambda shown: loads.append(shown.url))
    await page.goto("/new")
    await page.get_by_label("Title").fill("Half a job")
    await page.get_by_role("textbox", name="Payload").fill('{"id": 9007199254740993}')
    await page.route("**/assets/CommandPalette-*.js", lambda route: route.fulfill(status=404), times=1)
    async with page.expect_event("domcontentloaded"):
        await page.keyboard.press("Control+k")
    await expect(page.get_by_label("Title")).to_have_value("Half a job")
    await expect(page.get_by_role("textbox", name="Payload")).to_contain_text("9007199254740993")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    assert len(loads) == 2
