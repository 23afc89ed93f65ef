"""How long things are kept is a form that shows what it removes, and a removed job is shown from the archive."""

import pytest
from playwright.async_api import Page, expect
from support.system import System
from visitor import BOTH, PHONE, Visitor, found_in, overflowing, settled


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
    await expect(effects).to_contain_text("Within 30 days, that included: ")
    await expect(effects).to_contain_text("Keep the ledger")
    assert await found_in(page, "retention", *BOTH) == []
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await overflowing(page) == []
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("list", name="Retentions")).to_contain_text("completed 20d")
    assert (await system.client.get_retention("tenant:default")).completed_s == 20 * 86_400
    await page.get_by_role("button", name="Delete tenant:default").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("All is kept for ever")).to_be_visible()
