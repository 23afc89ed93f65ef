"""How long things are kept is a form that shows what it removes, and a removed job is shown from the archive."""

import asyncio
import re

import asyncpg
import pytest
from playwright.async_api import Page, expect
from support.system import WAIT_S, System
from visitor import BOTH, PHONE, Visitor, find_in_menu, fitted, found_in, overflowing, row, settled


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    page = await visitor.arrive("/system/kept")
    await settled(page)
    return page


async def test_a_retention_is_saved_once_it_has_shown_what_it_removes(page: Page, system: System):
    await system.create(id="kept-one", title="Keep the ledger")
    await system.client.execute_job("kept-one")
    await system.at_rest("kept-one")
    await page.get_by_role("button", name="Set a retention").click()
    await page.get_by_label("Name").fill("tenant:default")
    await page.get_by_label("Completed").fill("20d")
    await page.keyboard.press("Enter")
    effects = page.get_by_role("region", name="What it removes")
    await expect(effects).to_contain_text("At once: nothing.")
    await expect(effects).to_contain_text(re.compile(r"Within 30 days, that included: \d+ jobs? "))
    assert await found_in(page, "retention", *BOTH) == []
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await overflowing(page) == []
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("list", name="Retentions")).to_contain_text("completed 20d")
    assert (await system.client.get_retention("tenant:default")).completed_s == 20 * 86_400
    await page.get_by_role("button", name="Delete tenant:default").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("All is kept for ever")).to_be_visible()


async def until_kept(system: System) -> None:
    """Wait until all that is recorded by now is archived, counted and indexed: only then may it be removed."""
    connection = await asyncpg.connect(system.endpoints["postgres"])
    last = await connection.fetchval("SELECT max(seq) FROM job_logs")
    kept = "SELECT least(archived_seq, (SELECT seq FROM text_index), (SELECT seq FROM rollup)) >= $1 FROM keeping"
    async with asyncio.timeout(WAIT_S):
        while not await connection.fetchval(kept, last):  # noqa: ASYNC110 - another process tells it
            await asyncio.sleep(0.05)
    await connection.close()


async def test_a_held_job_stays_and_a_removed_one_leaves_lists_and_is_shown_from_the_archive(
    visitor: Visitor, system: System
):
    await system.create(id="gone-one", title="Throw away the ledger")
    await system.client.execute_job("gone-one")
    await system.at_rest("gone-one")
    jobs = await visitor.arrive("/jobs")
    await expect(row(jobs, "Throw away the ledger")).to_be_visible()
    page = await visitor.open_window(jobs.context, "/jobs/gone-one")
    await settled(page)
    await (await find_in_menu(page, "Hold")).click()
    await page.get_by_label("Reason").fill("an audit")
    await page.get_by_role("alertdialog").get_by_role("button", name="Hold").click()
    await expect(page.get_by_text("an audit")).to_be_visible()
    await expect(await find_in_menu(page, "Remove")).to_have_attribute("aria-disabled", "true")
    await page.get_by_role("menuitem", name="Release").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Release").click()
    await expect(page.get_by_text("an audit")).to_have_count(0)
    await until_kept(system)
    visitor.tolerate("status of 410")
    await (await find_in_menu(page, "Remove")).click()
    dialog = page.get_by_role("alertdialog", name="Remove 1 job?")
    await dialog.get_by_label("Reason").fill("of a trial")
    await dialog.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="Removed 1 of 1 job")).to_be_visible()
    await expect(row(jobs, "Throw away the ledger")).to_have_count(0)
    await page.goto("/jobs/gone-one")
    await expect(page.get_by_role("main")).to_contain_text(
        re.compile(r"removed at .* \(of a trial\); it stood at COMPLETED")
    )
    assert await found_in(page, "removed", *BOTH) == []
    await page.get_by_role("button", name="Show from the archive").click()
    await expect(page.get_by_role("heading", name="Throw away the ledger")).to_be_visible()
    await settled(page)
    await expect(page.get_by_role("main")).to_contain_text("From the archive")
    await expect(page.get_by_role("region", name="Result")).to_contain_text("The sky is blue.")
    assert await found_in(page, "archived", *BOTH) + await fitted(page, PHONE[0]) == []
