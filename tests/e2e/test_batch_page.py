"""A batch, from its page."""

import asyncio
import re

from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import badge, found_by_axe, keep

NUMBER = 6


async def test_a_batch_shows_how_far_it_is_and_what_failed(page: Page, system: System, agent: Agent):
    go_on = asyncio.Event()

    async def wait() -> web.Response:
        await go_on.wait()
        return web.json_response({"text": "The sky is blue."})

    ids = [f"crate-{number}" for number in range(NUMBER)]
    for job_id in ids:
        await system.create(id=job_id, title=f"Unpack {job_id}", policy={"max_attempts": 1})
    for job_id in ids[NUMBER // 2 :]:
        agent.answers[job_id] = lambda _: wait()
    agent.answers[ids[0]] = lambda _: web.Response(status=500, text="the crate is locked")
    async with system.http.post("/api/batches", json={"job_ids": ids}) as answer:
        batch = await answer.json()
    await page.goto(f"/batches/{batch['id']}")
    main = page.get_by_role("main")
    bar = main.get_by_role("progressbar").first
    await expect(bar).to_have_attribute("aria-valuenow", str(NUMBER // 2))
    await expect(bar).to_have_attribute("aria-valuemax", str(NUMBER))
    await expect(main).to_contain_text(re.compile(r"2\s*completed", re.IGNORECASE))
    failures = page.get_by_role("region", name="Failures")
    await expect(failures.get_by_role("link", name=f"Unpack {ids[0]}")).to_be_visible()
    await expect(badge(failures, "Failed")).to_be_visible()
    await expect(failures).to_contain_text("agent_status 500")
    await page.evaluate("window.isTheSame = true")
    go_on.set()
    await expect(bar).to_have_attribute("aria-valuenow", str(NUMBER))
    await expect(main).to_contain_text(re.compile(r"5\s*completed", re.IGNORECASE))
    assert await page.evaluate("window.isTheSame")


async def test_all_that_match_are_asked_for_in_three_clicks(page: Page, system: System):
    for number in range(NUMBER):
        await system.create(title=f"Sweep floor {number}", labels={"floor": "yes"})
    await page.goto("/?label=floor:yes")
    clicks = [
        page.get_by_role("checkbox", name="Select all that are shown"),
        page.get_by_role("button", name=f"Execute all {NUMBER} jobs that match"),
    ]
    for each in clicks:
        await each.click()
    dialog = page.get_by_role("alertdialog", name=f"Execute {NUMBER} jobs?")
    await expect(dialog).to_contain_text("Sweep floor")
    await expect(dialog).to_contain_text("and 1 more")
    assert await found_by_axe(page) == []
    await keep(page, "operation")
    await dialog.get_by_role("button", name="Execute").click()
    await expect(page.get_by_role("heading", name=f"Batch of {NUMBER} jobs")).to_be_visible()
    bar = page.get_by_role("main").get_by_role("progressbar").first
    await expect(bar).to_have_attribute("aria-valuenow", str(NUMBER))
