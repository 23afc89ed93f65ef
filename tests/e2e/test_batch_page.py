"""A batch's page: how far, how good, how dear, what failed by what it needs, and the opposite of what was done."""

import asyncio
import json
import re

import pytest
from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import BOTH, DESK, PHONE, Visitor, found_in, row, settled, shifted

from signoff.status import JobStatus

LONG = "The inspection of the north quay, its bollards and all the ladders that lead down to the water " * 2
RIGHT_TO_LEFT = "בדיקת הרציף הצפוני"


def spending(text: str, cost_usd: float) -> web.Response:
    return web.json_response({"text": text}, headers={"Signoff-Usage": json.dumps({"cost_usd": cost_usd})})


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    return await visitor.arrive("/batches")


async def looked_at(page: Page, name: str) -> None:
    """Nothing moved by itself, axe is content in both themes, and nothing runs over, also on a phone."""
    await settled(page)
    assert await shifted(page) == []
    assert await found_in(page, f"batch-{name}", *BOTH) == []
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await found_in(page, f"batch-{name}-phone", "light") == []
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})


async def test_a_batch_says_how_far_how_good_and_how_dear_it_is(page: Page, system: System, agent: Agent):
    go_on = asyncio.Event()

    async def wait() -> web.Response:
        await go_on.wait()
        return spending("The sky is blue.", 0.25)

    ids = [f"dear-{number}" for number in range(4)]
    for job_id in ids:
        await system.create(id=job_id, title=f"{LONG} {job_id}", labels={"dear": "yes"}, policy={"max_submissions": 2})
        agent.answers[job_id] = lambda _: wait()
    agent.answers[ids[0]] = lambda _: spending("The sky is blue.", 0.25)
    agent.answers[ids[1]] = lambda _: spending("It rains.", 0.75)
    async with system.http.post(
        "/api/operations", json={"kind": "execute", "filter": {"labels": {"dear": "yes"}}}
    ) as made:
        batch = await made.json()
    for job_id in ids[:2]:
        await system.at_rest(job_id)
    await page.goto(f"/batches/{batch['id']}")
    figures = page.get_by_role("region", name="How it goes")
    await expect(figures).to_contain_text("2 of 4 at rest")
    await expect(figures).to_contain_text("50 % accepted")
    await expect(figures).to_contain_text("1 of 2 that were judged")
    await expect(figures).to_contain_text("$1.00")
    await expect(figures).to_contain_text("About $2.00 in all")
    await expect(page.get_by_role("button", name="Cancel what is left")).to_be_visible()
    await looked_at(page, "running")
    go_on.set()
    await expect(figures).to_contain_text("4 of 4 at rest")
    await expect(figures).to_contain_text("$1.50in all")
    await page.get_by_role("link", name="label dear:yes").click()
    await expect(page).to_have_url(re.compile(r"/jobs\?label=dear%3Ayes$"))
    await expect(page.get_by_role("row").filter(has_text="dear-")).to_have_count(4)


async def test_what_failed_is_in_groups_each_opened_and_retried(page: Page, system: System, agent: Agent):
    failed, unmet, met = ([f"{word}-{number}" for number in range(3)] for word in ("stuck", "unmet", "met"))
    for job_id in (*failed, *unmet, *met):
        title = f"{RIGHT_TO_LEFT} {job_id}" if job_id in unmet else f"Lift {job_id}"
        await system.create(id=job_id, title=title, policy={"max_calls": 1, "max_submissions": 3})
    for job_id in failed:
        agent.answers[job_id] = lambda _: web.Response(status=500, text="the crane is stuck " * 20)
    for job_id in unmet:
        agent.answers[job_id] = lambda _: {"text": "It rains."}
    batch = await system.client.execute_jobs([*failed, *unmet, *met], name="Cranes")
    for job_id in (*failed, *unmet, *met):
        await system.at_rest(job_id)
        agent.answers.pop(job_id, None)
    await page.goto(f"/batches/{batch.id}")
    groups = page.get_by_role("list", name="By what they need").get_by_role("listitem")
    await expect(groups).to_have_count(2)
    await expect(groups.first).to_contain_text(re.compile("^3 failed with .*: agent status"))
    await expect(groups.last).to_contain_text("3 not accepted: ")
    await looked_at(page, "half-failed")
    await groups.first.get_by_role("link", name=re.compile("^Open as list: 3 failed")).click()
    await expect(row(page, "Lift stuck-0")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="Lift ")).to_have_count(3)
    await page.go_back()
    await groups.first.get_by_role("button", name="Execute 3 again").click()
    await page.get_by_role("alertdialog", name="Execute 3 jobs?").get_by_role("button", name="Execute").click()
    await expect(page.get_by_role("heading", name="Batch of 3 jobs")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text(re.compile(r"3\s*completed", re.IGNORECASE))
    for job_id in failed:
        assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED
    await page.go_back()
    await expect(groups).to_have_count(1)


async def test_a_cancellation_says_what_it_did_and_is_taken_back_by_one(page: Page, system: System, agent: Agent):
    go_on = asyncio.Event()

    async def wait() -> web.Response:
        await go_on.wait()
        return web.json_response({"text": "The sky is blue."})

    ids = [f"undo-{number}" for number in range(3)]
    for job_id in ids:
        await system.create(id=job_id, title=f"Paint {job_id}")
        agent.answers[job_id] = lambda _: wait()
    await system.client.execute_jobs(ids)
    made = await system.client.create_operation(kind="cancel", job_ids=ids)
    await page.goto(f"/batches/{made.id}")
    await expect(page.get_by_role("heading", name="Cancelled 3 of 3 jobs")).to_be_visible()
    await looked_at(page, "cancelled")
    go_on.set()
    await page.get_by_role("button", name="Execute these 3 again").click()
    await expect(page.get_by_role("heading", name="Batch of 3 jobs")).to_be_visible()
    for job_id in ids:
        assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED
    await expect(page.get_by_role("region", name="How it goes")).to_contain_text("100 % accepted")
    await looked_at(page, "done")
    await page.goto("/batches")
    await expect(page.get_by_role("row").filter(has_text="Cancelled 3 of 3 jobs")).to_be_visible()
    await looked_at(page, "list")
