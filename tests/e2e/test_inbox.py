"""The first page says what needs somebody, and does it by few clicks; where there is no job, it has first steps."""

import re

import pytest
from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from test_counted_clicks import COUNT, clicks
from visitor import BOTH, PHONE, Visitor, found_in, keep, overflowing, row, settled, shifted

from contracts.resources import NewAgent
from signoff.status import JobStatus


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    """A page where clicks are counted from the next one on that is opened by its address."""
    page = await visitor.arrive("/system")
    await page.add_init_script(COUNT)
    return page


def group(page: Page, words: str):
    return page.get_by_role("region", name="What needs you").get_by_role("listitem", name=words)


async def test_what_failed_is_seen_without_a_click_listed_by_one_and_runs_again_by_two(
    page: Page, system: System, agent: Agent
):
    await system.client.create_agent(NewAgent(id="cooper", name="Cooper", url=agent.url))
    ids = [f"cask-{number}" for number in range(3)]
    for job_id in ids:
        agent.answers[job_id] = lambda _: web.Response(status=500, text="the cask is stuck")
        await system.create(id=job_id, title=f"Open {job_id}", agent_id="cooper", policy={"max_calls": 1})
    await system.client.execute_jobs(ids)
    for job_id in ids:
        await system.at_rest(job_id)
    await page.goto("/")
    failed = group(page, "3 failed with Cooper: agent status")
    await expect(failed).to_contain_text("the cask is stuck")
    await expect(failed.get_by_role("link", name=re.compile(r"Open cask-\d"))).to_be_in_viewport()
    await expect(page).to_have_title(re.compile(r"^\([1-9]\d*\) Inbox"))
    assert await clicks(page) == 0
    await failed.get_by_role("link", name=re.compile("^Open as list")).click()
    for job_id in ids:
        await expect(row(page, f"Open {job_id}")).to_be_visible()
    await expect(page.get_by_text("3 jobs loaded")).to_be_visible()
    await page.goto("/")
    for job_id in ids:
        agent.answers.pop(job_id)
    await group(page, "3 failed with Cooper: agent status").get_by_role("button", name="Execute 3 again").click()
    dialog = page.get_by_role("alertdialog", name="Execute 3 jobs?")
    await dialog.get_by_role("button", name="Execute").click()
    await expect(page.get_by_role("heading", name="Batch of 3 jobs")).to_be_visible()
    assert await clicks(page) == 2
    for job_id in ids:
        assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED
    await page.goto("/")
    await settled(page)
    await expect(group(page, "3 failed with Cooper: agent status")).to_have_count(0)


async def test_the_agent_that_a_job_waits_for_is_resumed_by_one(page: Page, system: System, agent: Agent):
    await system.client.create_agent(NewAgent(id="dozer", name="Dozer", url=agent.url))
    await system.client.pause("agent:dozer")
    await system.create(id="nap", title="Wake up", agent_id="dozer")
    await system.client.execute_job("nap")
    await page.goto("/")
    waits = group(page, "1 waits: Dozer is paused")
    await expect(waits.get_by_role("link", name="Wake up")).to_be_visible()
    await waits.get_by_role("button", name="Resume agent").click()
    await expect(waits).to_have_count(0)
    assert await clicks(page) == 1
    assert (await system.at_rest("nap")).status is JobStatus.COMPLETED


async def test_the_first_job_is_judged_by_two_and_accepted_by_three(page: Page, system: System):
    await system.client.create_tenant(name="beginners")
    url = system.endpoints["agents"]["drafter"]
    await system.client.create_agent(NewAgent(id="drafter", name="Drafter", url=url))
    await page.add_init_script("sessionStorage.setItem('signoff.tenant', 'beginners')")
    await page.goto("/")
    steps = page.get_by_role("region", name="First steps")
    await expect(steps).to_be_visible()
    assert await shifted(page) == []
    assert await found_in(page, "first-steps", *BOTH) == []
    await steps.get_by_role("button", name="Make it").click()
    await expect(steps.get_by_role("link", name="See why")).to_be_visible()
    assert await found_in(page, "first-steps-refused", *BOTH) == []
    await steps.get_by_role("link", name="See why").click()
    await expect(page.get_by_role("main")).to_contain_text("does not contain")
    assert await clicks(page) == 2
    await page.go_back()
    await steps.get_by_role("button", name="Resubmit").click()
    await expect(steps.get_by_role("heading", name="Accepted at the second submission")).to_be_visible()
    assert await clicks(page) == 3
    await keep(page, "first-steps-done")
    await steps.get_by_role("button", name="Done").click()
    await expect(steps).to_have_count(0)
    await page.reload()
    await expect(page.get_by_text("Nothing needs you")).to_be_visible()
    await expect(steps).to_have_count(0)


async def test_a_group_is_put_off_by_one_and_the_page_fits_a_phone(visitor: Visitor, system: System, agent: Agent):
    await system.client.create_agent(NewAgent(id="idler", name="Idler", url=agent.url))
    await system.client.pause("agent:idler")
    await system.create(id="idle", title="An unusually long title " * 8, agent_id="idler")
    await system.client.execute_job("idle")
    page = await visitor.arrive("/", size=PHONE)
    idle = group(page, "1 waits: Idler is paused")
    await expect(idle).to_be_visible()
    assert await overflowing(page) == []
    assert await found_in(page, "inbox-phone", *BOTH) == []
    await idle.get_by_role("button", name="Not now").click()
    await expect(idle).to_have_count(0)
    await page.reload()
    await page.get_by_text(re.compile("^Not now: ")).click()
    await page.get_by_role("listitem").filter(has_text="Idler is paused").get_by_role("button").click()
    await expect(idle).to_be_visible()
    await system.client.resume("agent:idler")
