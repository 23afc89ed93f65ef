"""The list of jobs: its address, its keys, and a phone."""

import re

import pytest
from playwright.async_api import Page, expect
from support.system import System
from visitor import PHONE, Visitor, badge, confirm, open_entries, overflowing, row, settled

from signoff.status import JobStatus


@pytest.fixture(scope="module")
async def label(system: System) -> str:
    """Of two jobs, one that was executed and one that was not."""
    name = "shelf:left"
    done = await system.create(title="Dust the shelf", labels={"shelf": "left"})
    await system.create(title="Paint the shelf", labels={"shelf": "left"}, tenant="painters")
    await system.client.execute_job(done.id)
    await system.at_rest(done.id)
    return name


async def test_the_address_is_the_filter(page: Page, label: str):
    await page.goto(f"/jobs?label={label}")
    dusted, painted = row(page, "Dust the shelf"), row(page, "Paint the shelf")
    await expect(dusted).to_be_visible()
    await expect(painted).to_be_visible()
    completed = page.get_by_role("group", name="Filter by status").get_by_role("button", name="completed")
    await completed.click()
    await expect(painted).to_have_count(0)
    await expect(page).to_have_url(re.compile("status=COMPLETED"))
    await expect(completed).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("combobox", name="Search jobs").fill("tenant:painters")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No job matches")).to_be_visible()
    await expect(page).to_have_url(re.compile("tenant=painters"))
    await page.go_back()
    await expect(dusted).to_be_visible()
    await page.go_back()
    await expect(painted).to_be_visible()
    await expect(dusted).to_be_visible()
    await page.go_forward()
    await expect(painted).to_have_count(0)
    await page.go_forward()
    await expect(page.get_by_text("No job matches")).to_be_visible()
    await expect(page.get_by_role("button", name="Remove the filter tenant painters")).to_be_visible()


async def test_a_row_shows_its_id_to_who_points_at_it_and_copies_it(page: Page, system: System, label: str):
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(f"/jobs?label={label}")
    dusted = row(page, "Dust the shelf")
    copy = dusted.get_by_role("button", name="Copy the id of Dust the shelf")
    await expect(copy).to_have_count(0)
    await dusted.get_by_role("link", name="Dust the shelf").focus()
    await page.keyboard.press("Tab")
    await expect(copy).to_be_focused()
    await row(page, "Paint the shelf").hover()
    await expect(row(page, "Paint the shelf").get_by_role("button", name=re.compile("^Copy the id"))).to_be_visible()
    await copy.click()
    (job,), _ = await system.client.list_jobs(text="Dust the shelf", labels={"shelf": "left"})
    assert await page.evaluate("navigator.clipboard.readText()") == job.id


async def test_an_address_that_was_sent_shows_the_same(visitor: Visitor, label: str):
    page = await visitor.arrive(f"/jobs?label={label}&status=ASSIGNED&sort=updated&ascending=true")
    await expect(row(page, "Paint the shelf")).to_be_visible()
    await expect(row(page, "Dust the shelf")).to_have_count(0)
    await expect(page.get_by_role("columnheader", name="Updated")).to_have_attribute("aria-sort", "ascending")


async def test_all_can_be_done_by_keyboard_alone(page: Page, system: System):
    first = await system.create(title="Second in line", labels={"keys": "yes"})
    await system.create(title="First in line", labels={"keys": "yes"})
    await page.goto("/jobs?label=keys:yes")
    await expect(row(page, "First in line")).to_be_visible()
    press = page.keyboard.press
    await press("j")
    await expect(row(page, "First in line")).to_have_attribute("aria-current", "true")
    await press("j")
    await press("k")
    await expect(row(page, "First in line")).to_have_attribute("aria-current", "true")
    await press("j")
    await press("x")
    await expect(page.get_by_role("region", name="Bulk actions")).to_contain_text("1 job selected")
    await press("Escape")
    await expect(page.get_by_role("region", name="Bulk actions")).to_have_count(0)
    await press("Enter")
    await expect(page.get_by_role("heading", name="Second in line")).to_be_visible()
    await press("e")
    dialog = page.get_by_role("alertdialog", name="Execute this job?")
    await expect(dialog).to_be_visible()
    await press("Tab")
    await expect(dialog.get_by_role("button", name="Execute")).to_be_focused()
    await press("Enter")
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    assert (await system.client.get_job(first.id)).status is JobStatus.COMPLETED
    await press("k")
    await expect(page.get_by_role("heading", name="First in line")).to_be_visible()
    await press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("execute the job")
    await press("Escape")
    await press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    await page.keyboard.type("Jobs: rej")
    await press("Enter")
    await expect(page).to_have_url(re.compile(r"/jobs\?status=REJECTED$"))
    await press("/")
    await page.keyboard.type("xjk?")
    await expect(page.get_by_role("combobox", name="Search jobs")).to_have_value("xjk?")


async def test_keys_can_be_switched_off(page: Page, system: System):
    await system.create(title="Left in peace", labels={"keys": "off"})
    await page.goto("/jobs?label=keys:off")
    await expect(row(page, "Left in peace")).to_be_visible()
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_label("Single keys are shortcuts").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("tr[aria-current]")).to_have_count(0)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()


async def test_times_are_shown_in_the_zone_that_was_chosen(page: Page, system: System):
    job = await system.create(title="On time")
    await page.goto(f"/jobs/{job.id}")
    await page.get_by_role("button", name="Settings").click()
    await page.get_by_role("radio", name="UTC").check()
    await page.reload()
    entry = (await open_entries(page)).locator("[data-version] time").first
    await expect(entry).to_contain_text(f"{job.created_at:%H:%M:%S}")
    await expect(page.locator("header time").first).to_have_attribute("title", re.compile(r"\bUTC$"))


async def test_several_jobs_are_executed_at_once(page: Page, system: System):
    for number in (1, 2):
        await system.create(title=f"Tile {number}", labels={"bulk": "yes"})
    await page.goto("/jobs?label=bulk:yes")
    await page.get_by_role("checkbox", name="Select all that are shown").check()
    await page.get_by_role("region", name="Bulk actions").get_by_role("button", name="Execute", exact=True).click()
    dialog = page.get_by_role("alertdialog", name="Execute 2 jobs?")
    await expect(dialog).to_contain_text("label bulk:yes")
    await dialog.get_by_role("button", name="Execute").click()
    await expect(page).to_have_url(re.compile(r"/batches/[0-9a-f-]{36}$"))
    await page.goto("/jobs?label=bulk:yes")
    for number in (1, 2):
        await expect(badge(row(page, f"Tile {number}"), "Completed")).to_be_visible()


async def test_jobs_are_filtered_by_menus_and_by_a_query_and_a_reload_keeps_the_view(
    page: Page, system: System, label: str
):
    assert label == "shelf:left"
    dusted, painted = row(page, "Dust the shelf"), row(page, "Paint the shelf")
    add = page.get_by_role("search").get_by_role("button", name="Filter", exact=True)
    await add.click()
    await page.get_by_role("option", name="Label").click()
    await page.get_by_role("option", name="shelf").click()
    await expect(page.get_by_role("option", name="left")).to_contain_text("2")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("label=shelf%3Aleft"))
    await add.click()
    await page.get_by_placeholder("Filter by").fill("ten")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").get_by_role("option", name="painters")).to_contain_text("1")
    await page.keyboard.type("paint")
    await page.keyboard.press("Enter")
    await expect(dusted).to_have_count(0)
    await expect(painted).to_be_visible()
    await page.get_by_role("button", name="Edit the filter tenant painters").press("Delete")
    query = page.get_by_role("combobox", name="Search jobs")
    await expect(query).to_be_focused()
    await page.keyboard.type("dust stat")
    await page.get_by_role("option", name="status:").wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await page.keyboard.type("comp")
    await expect(page.get_by_role("option", name="status:completed")).to_contain_text("1")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.type(" duration<much")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("a duration is such as 60s")
    await page.keyboard.type("duration<1h")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.get_by_label("Sort").select_option("Slowest")
    await expect(page).to_have_url(re.compile("sort=duration"))
    address = page.url
    for part in ("label=shelf%3Aleft", "status=COMPLETED", "durationMax=3600", "text=dust"):
        assert part in address
    await page.reload()
    await expect(dusted).to_be_visible()
    await expect(painted).to_have_count(0)
    await expect(query).to_have_value("dust")
    await expect(page.get_by_label("Sort")).to_have_value("duration")
    await expect(page.get_by_role("button", name="Remove the filter duration at most 3600 s")).to_be_visible()
    assert page.url == address
    assert (await system.client.list_job_facets("label:shelf", {})).facets[0].count == 2


async def test_a_phone_shows_a_card_a_job_and_nothing_overflows(visitor: Visitor, system: System):
    long = "Summarise-every-word-of-" * 6
    job = await system.create(title=long, labels={"phone": "yes"}, payload={"numbers": list(range(50))})
    page = await visitor.arrive("/jobs?label=phone:yes", size=PHONE)
    card = row(page, long)
    await expect(card).to_be_visible()
    await expect(badge(card, "Assigned")).to_be_visible()
    await expect(card).to_contain_text("agent")
    assert await overflowing(page) == []
    await card.get_by_role("link").tap()
    await settled(page)
    assert await overflowing(page) == []
    await confirm(page, "Execute")
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    assert await overflowing(page) == []
    assert (await system.client.get_job(job.id)).status is JobStatus.COMPLETED
