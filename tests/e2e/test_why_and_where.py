"""Why jobs wait and where their time went, seen by somebody who looks; the README's pictures are made of this."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from aiohttp import web
from playwright.async_api import expect
from support.system import Agent, System
from visitor import Visitor, found_by_axe, keep, row, settled, shifted

from contracts.resources import NewLimit

LABELS = {"desk": "night"}


async def test_the_list_says_why_each_job_waits(visitor: Visitor, system: System, agent: Agent):
    go_on = asyncio.Event()

    async def wait() -> web.Response:
        await go_on.wait()
        return web.json_response({"text": "The sky is blue."})

    press = [f"press:{number}" for number in range(3)]
    await system.client.create_tenant(name="press")
    await system.client.set_limit("tenant:press", NewLimit(concurrency=1))
    await system.client.create_tenant(name="archive")
    await system.client.set_limit("tenant:archive", NewLimit(paused=True))
    try:
        for job_id in press:
            agent.answers[job_id] = lambda _: wait()
            await system.create(id=job_id, title=f"Proofread edition {job_id[-1]}", tenant="press", labels=LABELS)
            await system.client.execute_job(job_id)
            if job_id == press[0]:
                await system.logged(job_id, lambda log: log.kind == "call_begun")
        await system.create(id="archive:old-letters", title="Index the old letters", tenant="archive", labels=LABELS)
        await system.client.execute_job("archive:old-letters")
        await system.create(id="morning", title="Summarise the morning papers", labels=LABELS)
        await system.client.execute_job("morning", not_before=datetime.now(UTC) + timedelta(hours=6))
        agent.answers["locked"] = lambda _: web.Response(status=500, text="the desk is locked")
        for job_id, title in {"done": "Describe the front page", "locked": "Read what is in the desk"}.items():
            criteria = 'Names the "sky"\nIs not empty'  # of no other job, whose verdict would be reused
            await system.create(
                id=job_id, title=title, acceptance_criteria=criteria, labels=LABELS, policy={"max_calls": 1}
            )
            await system.client.execute_job(job_id)
            await system.at_rest(job_id)
        page = await visitor.arrive("/jobs?label=desk:night")
        full = "limit tenant:press is reached: 1 of 1 running"
        for number in (1, 2):
            await expect(row(page, f"Proofread edition {number}")).to_contain_text(full)
        await expect(row(page, "Index the old letters")).to_contain_text("tenant archive is paused")
        await expect(row(page, "Summarise the morning papers")).to_contain_text("waits for its time in 5h")
        await settled(page)
        assert await shifted(page) == []
        assert await found_by_axe(page) == []
        await keep(page, "readme-jobs")
        await page.get_by_role("link", name="Proofread edition 1").click()
        await expect(page.get_by_text(full)).to_be_visible()
        await expect(page.get_by_role("region", name="Why it waits")).to_contain_text("An operator can lift it.")
        await expect(page.get_by_role("button", name="Raise the limit")).to_be_visible()
        await keep(page, "why")
        assert await found_by_axe(page) == []
        await page.goto("/system")
        sums = page.get_by_role("region", name="Why executions wait")
        await expect(sums).to_contain_text("limit tenant:press is reached")
        go_on.set()
        for job_id in press:
            await system.at_rest(job_id)
    finally:
        go_on.set()
        for name in ("tenant:press", "tenant:archive"):
            await system.client.set_limit(name, NewLimit(paused=False))
    await system.at_rest("archive:old-letters")
    await system.client.cancel_job("morning")


async def test_a_job_says_where_its_time_went(visitor: Visitor, system: System, agent: Agent):
    told = iter(
        [
            web.Response(status=503, text="the archive is being aired"),
            web.json_response({"text": "# The north quay\n\nThe north quay is sound."}),
            web.json_response({"text": "# Both quays\n\nThe north quay is sound. The south quay is cracked."}),
        ]
    )

    async def work() -> web.Response:
        await asyncio.sleep(1)
        return next(told)

    agent.answers["quays"] = lambda _: work()
    await system.create(
        id="quays",
        title="Inspect the harbour",
        description="Walk both quays, note the state of each.",
        acceptance_criteria='Names the "north quay"\nNames the "south quay"\nSays which one is "cracked"',
        labels={"harbour": "Grimsby"},
        policy={"resubmit": "automatic", "max_submissions": 3, "backoff_first_s": 2.0},
    )
    await system.client.execute_job("quays")
    await system.logged("quays", lambda log: log.status == "COMPLETED")
    page = await visitor.arrive("/jobs/quays")
    calls = page.get_by_role("list", name="Calls")
    await expect(calls.get_by_role("listitem")).to_have_count(3)
    await settled(page)
    assert await shifted(page) == []
    assert await found_by_axe(page) == []
    await page.get_by_role("link", name=re.compile("^waited")).click()
    await expect(calls).to_be_in_viewport(ratio=1)
    await page.set_viewport_size({"width": 1280, "height": 1160})  # the verdict beside the result, and the history
    await page.evaluate("scrollTo(0, 0)")
    await settled(page)
    await keep(page, "readme-job")
    await calls.get_by_role("button", name="before the next call").click()
    await expect(page.locator("[data-version]:focus")).to_contain_text("the archive is being aired")
