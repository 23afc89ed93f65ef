"""The list of jobs is left and found again, and its keys take nothing from what has the focus."""

import re

import pytest
from playwright.async_api import Page, expect
from support.system import System
from visitor import PHONE, Visitor, menu_of_head, row, settled

MANY = 120


@pytest.fixture(scope="module")
async def label(system: System) -> str:
    """Of more jobs than a page of them holds."""
    for number in range(MANY):
        await system.create(title=f"Brick {number:03}", labels={"wall": "north"})
    return "wall:north"


async def test_the_list_is_found_again_as_it_was_left(page: Page, label: str):
    await page.goto(f"/jobs?label={label.replace(':', '%3A')}&sort=created&status=ASSIGNED")
    await expect(row(page, "Brick 119")).to_be_visible()
    address = page.url
    await page.keyboard.press("j")
    for _ in range(70):
        await page.keyboard.press("j")
    link = page.get_by_role("link", name="Brick 049", exact=True)
    await expect(link).to_be_focused()
    await expect(link).to_be_in_viewport()
    top = await page.get_by_role("region", name="List of jobs").evaluate("(box) => box.scrollTop")
    assert top > 0
    for leave in ("u", "link", "back"):
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Brick 049")).to_be_visible()
        if leave == "u":
            await page.keyboard.press("u")
        elif leave == "link":
            await page.get_by_role("navigation", name="Around this job").get_by_role("link", name="Jobs").click()
        else:
            await page.go_back()
        await expect(page).to_have_url(address)
        await expect(link).to_be_focused()
        assert await page.get_by_role("region", name="List of jobs").evaluate("(box) => box.scrollTop") == top
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Brick 049")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", name="Brick 048")).to_be_visible()
    await page.keyboard.press("u")
    await expect(page.get_by_role("link", name="Brick 048", exact=True)).to_be_focused()


async def test_what_has_the_focus_keeps_its_keys(page: Page, label: str):
    await page.goto(f"/jobs?label={label}&tenant=nobody")
    await expect(page.get_by_text("No job matches")).to_be_visible()
    clear = page.get_by_role("button", name="Clear the filters").first
    await clear.focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/jobs$"))
    await page.goto(f"/jobs?label={label}")
    await expect(row(page, "Brick 119")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.get_by_role("link", name="Brick 119", exact=True)).to_be_focused()
    await page.get_by_role("link", name="New job").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/new$"))
    await expect(page.get_by_role("heading", name="New job")).to_be_visible()
    assert await page.evaluate("document.getElementById('main').contains(document.activeElement)")


async def test_a_range_is_selected_with_shift(page: Page, label: str):
    await page.goto(f"/jobs?label={label}")
    await page.get_by_role("checkbox", name="Select Brick 119").click()
    await page.get_by_role("checkbox", name="Select Brick 115").click(modifiers=["Shift"])
    await expect(page.get_by_role("region", name="Bulk actions")).to_contain_text("5 jobs selected")
    await page.keyboard.press("j")
    await page.keyboard.press("Shift+X")
    await expect(page.get_by_role("region", name="Bulk actions")).to_contain_text("6 jobs selected")


async def test_jobs_are_sought_between_exact_times(page: Page, system: System, label: str):
    job = await system.create(title="Dated brick", labels={"wall": "north"})
    await page.goto(f"/jobs?label={label}")
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_role("radio", name="UTC").check()
    await page.keyboard.press("Escape")
    await page.get_by_role("search").get_by_role("button", name="Filter", exact=True).click()
    await page.get_by_role("option", name="Created").click()
    since = page.get_by_label("Created from (UTC)")
    await since.fill(f"{job.created_at:%Y-%m-%dT%H:%M}")
    await since.press("Enter")
    await expect(page).to_have_url(re.compile(r"from=\d{4}-"))
    await expect(page.get_by_role("list", name="Filters")).to_contain_text(f"{job.created_at:created from %d}")
    await expect(row(page, "Dated brick")).to_be_visible()
    until = page.get_by_label("Created before (UTC)")
    await until.fill("2001-01-01T00:00")
    await expect(page.get_by_text("It ends before it begins.")).to_be_visible()


async def test_the_palette_finds_a_job(page: Page, system: System):
    job = await system.create(title="A needle of brass")
    await settled(page)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    await page.keyboard.type("needle of b")
    await expect(page.get_by_role("option", name="A needle of brass")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/jobs/{job.id}$"))
    await settled(page)
    await expect(page.get_by_role("main")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    await page.keyboard.type("execute this")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alertdialog", name="Execute this job?")).to_be_visible()


async def test_a_button_that_is_off_says_why_when_it_is_tapped(visitor: Visitor, system: System):
    job = await system.create(title="Nothing to resubmit")
    page = await visitor.arrive(f"/jobs/{job.id}", size=PHONE)
    await menu_of_head(page).tap()
    await page.get_by_role("menuitem", name="Resubmit").tap(force=True)  # it is off, and says so
    notice = page.get_by_role("region", name=re.compile("Notifications")).get_by_role("listitem")
    await expect(notice).to_contain_text("Only a job that requires resubmission can be resubmitted")
