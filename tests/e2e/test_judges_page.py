"""Judge policies with their versions, and the playground, as somebody at a browser uses them."""

import json
from typing import Any

from playwright.async_api import Page, expect
from visitor import Visitor, settled


async def test_a_policy_gets_a_version_and_that_is_promoted(visitor: Visitor):
    page = await visitor.arrive("/judges")
    await page.get_by_role("button", name="Make a policy").click()
    dialog = page.get_by_role("dialog", name="Make a judge policy")
    await dialog.get_by_label("Name").fill("careful")
    await dialog.get_by_label("Note").fill("one judge")
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="careful").click()
    await expect(page.get_by_text("Judge policy, version 1 is current")).to_be_visible()
    await add_version(page, {"stages": [{"kind": "single"}], "asks": "each"})
    await page.get_by_label("Compared with").select_option("version 1")
    difference = page.get_by_role("region", name="version 2 compared with version 1")
    await expect(difference).to_contain_text('"asks": "each"')
    await page.get_by_role("button", name="Promote version 2").click()
    await page.get_by_role("button", name="Promote", exact=True).click()
    await expect(page.get_by_text("Judge policy, version 2 is current")).to_be_visible()


async def add_version(page: Page, policy: dict[str, Any]) -> None:
    await page.get_by_role("button", name="New version").click()
    dialog = page.get_by_role("dialog", name="New version of careful")
    await dialog.get_by_role("textbox", name="Policy").fill(json.dumps(policy))
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Version 2", exact=True)).to_be_visible()


async def test_a_result_is_judged_without_a_job(visitor: Visitor):
    page = await visitor.arrive("/playground")
    await settled(page)
    await page.get_by_label("Result", exact=True).fill("The north quay is sound.")
    await page.get_by_label("Criteria", exact=True).fill('Names the "north quay"')
    await page.get_by_role("button", name="Judge it").click()
    verdict = page.get_by_role("region", name="Verdict")
    await expect(verdict.get_by_text("Accepted", exact=True)).to_be_visible()
    await verdict.get_by_role("button", name="north quay").click()
    selected = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert await page.get_by_label("Result", exact=True).evaluate(selected) == "north quay"
