"""A history of any length: its newest entries first, the others when they are asked for."""

import re

from playwright.async_api import Page, Request, expect
from support.system import Agent, System
from visitor import keep, open_entries

from contracts.resources import JobPatch

EDITS = 620


async def test_a_long_history_is_read_as_far_as_one_looks(page: Page, system: System, agent: Agent):
    job = await system.create(title="Rewrite it again and again", acceptance_criteria='Has a "door"\nHas a "roof"')
    agent.answers[job.id] = lambda asked: {"text": "A house.\n" + ("It has a door.\n" if asked["feedback"] else "")}
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    for number in range(EDITS):
        await system.client.edit_job(job.id, JobPatch(priority=number % 2))
    await system.client.resubmit_job(job.id)
    latest = await system.at_rest(job.id)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if "/logs?" in request.url else None)
    await page.goto(f"/jobs/{job.id}")
    history = await open_entries(page)
    older = history.get_by_role("button", name=re.compile("older"))
    await expect(older).to_have_text(f"Show 500 of {latest.version - 100} older")
    await expect(page.get_by_role("region", name="Criteria and verdict")).to_contain_text("Submission 1: not met")
    await page.get_by_role("tab", name="Diff with submission 1").click()
    diff = page.get_by_role("region", name="This one compared with submission 1")
    await expect(diff).to_contain_text("added: +It has a door.")
    whole = [request.url for request in asked if "view=full" in request.url]
    assert len(whole) == 2, "the bodies of two entries are read"
    await keep(page, "history-long")
    await older.click()
    await expect(older).to_have_text(f"Show {latest.version - 600} older")
    await older.click()
    await expect(older).to_have_count(0)
    await history.get_by_role("button", name="Submission 1").click()
    await expect(history.locator("[data-version='2']")).to_contain_text("requested")
    assert await history.locator("[data-version]").count() < 300, "what is shown is bounded too"
    await system.client.edit_job(job.id, JobPatch(priority=9))
    await expect(history.locator(f"[data-version='{latest.version + 1}']")).to_contain_text("edited: priority")
