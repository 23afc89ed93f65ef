"""Whatever is killed while a page is opened: the page is right soon after it is live again, and nobody reloads it."""

import os

import psutil
import pytest
from playwright.async_api import Page, expect
from support.fakes import until
from support.system import Judge, System
from visitor import Visitor, badge

from signoff.status import JobStatus

#: In the order of a walk; each takes as long as a process needs to begin anew. `make page-kills` alone walks them all,
#: and on a quiet machine bounds the seconds from when a page says that it is live until it shows what is right.
ALL = bool(os.environ.get("SIGNOFF_ALL_KILLS"))
RIGHT_WITHIN_S = 3 if ALL else 30
PLACES = ["Inbox", "Jobs", "Batches", "Agents", "Quality", "System", "Limits", "Dead letters"]
WALKED = PLACES if ALL else ["System", "Dead letters"]
#: Since when the page says that it is live, in milliseconds.
SINCE = """const look = () => {
  const isLive = document.querySelector("[data-live=live]") !== null;
  if (!isLive) window.liveSince = undefined;
  else window.liveSince ??= performance.now();
};
new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });"""
RIGHT = """(heading) => [...document.querySelectorAll("h1")].some((each) => each.textContent.match(heading))
  && window.liveSince !== undefined && !document.querySelector("[aria-busy=true], main [role=alert]")"""


async def is_right(page: Page, heading: str) -> None:
    """Wait until the page shows what it is to show, and fail if it was live for longer before."""
    began = await page.evaluate("performance.now()")
    await page.wait_for_function(RIGHT, arg=heading, timeout=60_000)
    late_ms = await page.evaluate("(began) => performance.now() - Math.max(began, window.liveSince)", began)
    assert late_ms < RIGHT_WITHIN_S * 1_000, f"{heading} was right {late_ms:.0f} ms after the page was live"


async def kill(system: System, victim: str) -> None:
    """Kill a process once it runs again."""
    await until(lambda: psutil.pid_exists(system.endpoints["processes"][victim]), 60)
    system.kill(victim)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", ["console", "jobstore"])
async def test_each_page_is_right_after_a_kill(visitor: Visitor, system: System, victim: str):
    visitor.tolerate("ERR_|status of 50[0-9]")
    job = await system.create(id=f"survives-{victim}", title="Outlive what serves it")
    await system.client.execute_jobs([job.id], name=f"kept-{victim}")
    await system.at_rest(job.id)
    page = await visitor.arrive("/jobs?text=outlive")
    await page.add_init_script(SINCE)
    await page.reload()
    await is_right(page, "Jobs")
    main = page.get_by_role("main")
    for name in (*WALKED, "Jobs"):
        await kill(system, victim)
        await page.get_by_role("link", name=name).first.click()
        await is_right(page, name)
    await kill(system, victim)
    await main.get_by_role("link", name=job.title).first.click()
    await is_right(page, job.title)
    await expect(badge(main, "Completed").first).to_be_visible()


async def test_a_job_is_right_though_its_judge_was_killed(page: Page, system: System, judge: Judge):
    job = await system.create(title="Judged by somebody who falls")
    await page.add_init_script(SINCE)
    await page.goto(f"/jobs/{job.id}")
    await judge.stop()
    try:
        await system.client.execute_job(job.id)
        await expect(badge(page, "In progress").first).to_be_visible()
    finally:
        await judge.start()
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    await is_right(page, job.title)
    await expect(badge(page, "Completed").first).to_be_visible()
