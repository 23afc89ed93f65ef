"""What is asked for most often takes few clicks, which the browser counts; a wait for what must be seen is no click."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import Visitor, found_by_axe, keep, row, settled

from contracts.resources import NewAgent, NewLimit
from signoff.status import JobStatus

#: Each press of a pointer, wherever it is; keys are no clicks.
COUNT = 'window.clicks = 0; addEventListener("pointerdown", () => { window.clicks += 1; }, { capture: true });'
FEW, MANY = 6, 400
LINES = 120


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    """The list of jobs, where clicks are counted from the next page on that is opened by its address."""
    page = await visitor.arrive("/jobs")
    await page.add_init_script(COUNT)
    return page


async def clicks(page: Page) -> int:
    number: int = await page.evaluate("window.clicks")
    return number


async def test_what_failed_of_a_batch_runs_again_by_three(page: Page, system: System, agent: Agent):
    ids = [f"barrel-{number}" for number in range(4)]
    for job_id in ids:
        await system.create(id=job_id, title=f"Open {job_id}", policy={"max_calls": 1})
    for job_id in ids[:2]:
        agent.answers[job_id] = lambda _: web.Response(status=500, text="the barrel is stuck")
    await system.client.execute_jobs(ids, name="barrels")
    for job_id in ids:
        await system.at_rest(job_id)
    for job_id in ids[:2]:
        agent.answers.pop(job_id)
    await page.goto("/batches")
    await page.get_by_role("link", name="barrels").click()
    failures = page.get_by_role("region", name="Failures")
    for job_id in ids[:2]:
        await expect(failures.get_by_role("link", name=f"Open {job_id}")).to_be_in_viewport()
    await page.get_by_role("button", name="Execute again what failed (2)").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Execute again what failed").click()
    await expect(page.get_by_role("heading", name="Batch of 2 jobs")).to_be_visible()
    assert await clicks(page) == 3
    for job_id in ids[:2]:
        assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED


async def test_what_a_batch_has_cost_is_seen_by_two(page: Page, system: System, agent: Agent):
    job = await system.create(id="ferry", title="Weigh the ferry")
    answer = {"headers": {"Signoff-Usage": '{"cost_usd": 0.25}'}}
    agent.answers[job.id] = lambda _: web.json_response({"text": "The sky is blue."}, **answer)
    await system.client.execute_jobs([job.id], name="ferries")
    await system.at_rest(job.id)
    await page.goto("/")
    await page.get_by_role("link", name="Batches").click()
    await page.get_by_role("link", name="ferries").click()
    figures = page.get_by_role("region", name="How it goes")
    await expect(figures.get_by_text("$0.25")).to_be_in_viewport()
    assert await clicks(page) == 2


async def test_a_group_of_a_batch_is_retried_by_two(page: Page, system: System, agent: Agent):
    job = await system.create(id="rope", title="Splice the rope", policy={"max_calls": 1})
    agent.answers[job.id] = lambda _: web.Response(status=500, text="the rope is wet")
    batch = await system.client.execute_jobs([job.id])
    await system.at_rest(job.id)
    agent.answers.pop(job.id)
    await page.goto(f"/batches/{batch.id}")
    await page.get_by_role("list", name="By what they need").get_by_role("button", name="Execute 1 again").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Execute").click()
    await expect(page).not_to_have_url(re.compile(str(batch.id)))
    assert await clicks(page) == 2
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED


async def test_four_hundred_are_cancelled_by_filter_and_taken_back_by_four(page: Page, system: System):
    await system.client.create_tenant(name="attic")
    await system.client.set_limit("tenant:attic", NewLimit(paused=True))
    try:
        ids = [f"attic:{number}" for number in range(MANY)]
        for start in range(0, MANY, 20):
            own = ids[start : start + 20]
            await asyncio.gather(*(system.create(id=each, title=f"Clear {each}", tenant="attic") for each in own))
        await system.client.execute_jobs(ids)
        await system.create(title="Leave the yard alone")
        await page.goto("/")
        await settled(page)
        await page.keyboard.press("g")
        await page.keyboard.press("l")
        others = row(page, "Leave the yard alone")
        await expect(others).to_be_visible()
        await page.keyboard.press("/")
        await page.keyboard.type("tenant:attic")
        await page.keyboard.press("Enter")
        await expect(others).to_have_count(0)
        await page.get_by_role("checkbox", name="Select all that are shown").click()
        bulk = page.get_by_role("region", name="Bulk actions")
        await expect(bulk).to_contain_text(f"{MANY} match")
        await bulk.get_by_role("button", name="Cancel", exact=True).click()
        await page.get_by_role("alertdialog", name=f"Cancel {MANY} jobs?").get_by_role("button", name="Cancel").click()
        bar = page.get_by_role("main").get_by_role("progressbar").first
        await expect(bar).to_have_attribute("aria-valuenow", str(MANY))
        assert (await system.client.get_job(ids[-1])).cancelled
        await page.get_by_role("button", name=f"Execute these {MANY} again").click()
        await expect(page.get_by_role("heading", name=f"Batch of {MANY} jobs")).to_be_visible()
        assert await clicks(page) == 4
    finally:
        await system.client.set_limit("tenant:attic", NewLimit(paused=False))


async def test_all_that_match_are_executed_by_three(page: Page, system: System):
    for number in range(FEW):
        await system.create(title=f"Sweep floor {number}", labels={"floor": "yes"})
    await page.goto("/jobs?label=floor:yes")
    await page.get_by_role("checkbox", name="Select all that are shown").click()
    await page.get_by_role("region", name="Bulk actions").get_by_role("button", name="Execute", exact=True).click()
    dialog = page.get_by_role("alertdialog", name=f"Execute {FEW} jobs?")
    await expect(dialog).to_contain_text("Sweep floor")
    await expect(dialog).to_contain_text("and 1 more")
    assert await found_by_axe(page) == []
    await keep(page, "operation")
    await dialog.get_by_role("button", name="Execute").click()
    await expect(page.get_by_role("heading", name=f"Batch of {FEW} jobs")).to_be_visible()
    bar = page.get_by_role("main").get_by_role("progressbar").first
    await expect(bar).to_have_attribute("aria-valuenow", str(FEW))
    assert await clicks(page) == 3


async def test_the_jobs_behind_a_limit_are_listed_by_two(page: Page, system: System):
    """By the search line of the list, or by the sum that counts them, which is on the page of the system."""
    await system.client.create_tenant(name="loft")
    await system.client.set_limit("tenant:loft", NewLimit(paused=True))
    try:
        jobs = [await system.create(title=f"Insulate roof {number}", tenant="loft") for number in range(FEW)]
        await system.client.execute_jobs([job.id for job in jobs])
        await page.goto("/")
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="System").click()
        await page.get_by_role("link", name=f"{FEW} jobs that wait: tenant loft is paused").click()
        await expect(page.get_by_role("list", name="Filters")).to_contain_text("waiting: tenant loft is paused")
        await expect(page.get_by_role("link", name="Insulate roof")).to_have_count(FEW)
        await expect(row(page, "Insulate roof 1")).to_contain_text("tenant loft is paused")
        assert await clicks(page) == 2
    finally:
        await system.client.set_limit("tenant:loft", NewLimit(paused=False))
    await asyncio.gather(*(system.at_rest(job.id) for job in jobs))


async def test_the_slowest_agent_is_seen_by_two(page: Page, system: System):
    job = await system.create(title="Give the agents something to do")
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    async with system.http.get("/api/agent-stats") as answer:
        stats = (await answer.json())["items"]
    slowest = max(stats, key=lambda each: each.get("mean_agent_s", 0.0))["agent_id"]
    async with system.http.get(f"/api/agents/{slowest}") as answer:
        name = (await answer.json())["name"]
    await page.goto("/")
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Agents").click()
    await page.get_by_role("button", name="Answers in").click()
    await expect(page.get_by_role("main").get_by_role("row").nth(1)).to_contain_text(name)
    assert await clicks(page) == 2


async def test_why_a_job_waits_is_seen_by_one(page: Page, system: System):
    await system.client.create_tenant(name="cellar")
    await system.client.set_limit("tenant:cellar", NewLimit(paused=True))
    try:
        job = await system.create(title="Count the bottles", tenant="cellar", labels={"why": "yes"})
        await system.client.execute_job(job.id)
        await page.goto("/jobs?label=why:yes")
        why = "tenant cellar is paused"
        await expect(row(page, "Count the bottles")).to_contain_text(why)
        await page.get_by_role("link", name="Count the bottles").click()
        await expect(page.get_by_role("heading", name="Count the bottles")).to_be_visible()
        await expect(page.get_by_role("main").get_by_text(why)).to_be_in_viewport()
        assert await clicks(page) == 1
    finally:
        await system.client.set_limit("tenant:cellar", NewLimit(paused=False))
    await system.at_rest(job.id)


async def test_where_the_time_of_a_job_went_is_seen_by_one(page: Page, system: System, agent: Agent):
    calls = iter([web.Response(status=503, text="later")])

    async def work() -> web.Response:
        await asyncio.sleep(0.2)
        return next(calls, web.json_response({"text": "The sky is blue."}))

    job = await system.create(
        id="slow", title="Wind the clock", labels={"time": "yes"}, policy={"backoff_first_s": 0.1, "max_calls": 2}
    )
    agent.answers[job.id] = lambda _: work()
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await page.goto("/jobs?label=time:yes")
    await page.get_by_role("link", name="Wind the clock").click()
    times = page.get_by_role("link", name=re.compile("^waited"))
    await expect(times).to_be_in_viewport()
    assert await clicks(page) == 1
    await page.goto(f"/jobs/{job.id}")
    await times.click()
    spans = page.get_by_role("list", name="Calls")
    await expect(spans.get_by_role("listitem")).to_have_count(2)
    await expect(spans).to_be_in_viewport(ratio=1)
    assert await clicks(page) == 1


async def test_two_submissions_are_compared_by_two(page: Page, system: System, agent: Agent):
    lines = [f"Quay {number} is sound." for number in range(LINES)]

    def answer(asked: dict[str, object]) -> dict[str, str]:
        changed = [*lines[:-10], "The south quay is cracked." if asked["feedback"] else "It was dark.", *lines[-10:]]
        return {"text": "\n".join(changed)}

    job = await system.create(
        id="two",
        title="Look at all quays",
        labels={"compare": "yes"},
        acceptance_criteria='Says which one is "cracked"',
        policy={"resubmit": "automatic", "max_submissions": 2},
    )
    agent.answers[job.id] = answer
    await system.client.execute_job(job.id)
    await system.logged(job.id, lambda log: log.status == "COMPLETED")
    await page.goto("/jobs?label=compare:yes")
    await page.get_by_role("link", name="Look at all quays").click()
    await page.get_by_role("tab", name="Diff with submission 1").click()
    diff = page.get_by_role("region", name="This one compared with submission 1")
    for words in ("The south quay is cracked.", "It was dark."):
        await expect(diff.get_by_text(words)).to_be_in_viewport()
    assert await clicks(page) == 2


async def test_what_the_list_shows_is_copied_as_curl_by_three(page: Page, system: System):
    job = await system.create(id="it:is.brass", title="Polish the brass")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await expect(page.get_by_role("combobox", name="Search jobs")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("polish the brass")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("polish"))
    await expect(row(page, job.title)).to_be_visible()
    assert [each["id"] for each in await read_in_shell(page, system, "curl")] == [job.id]
    assert await clicks(page) == 3
    assert [each["id"] for each in await read_in_shell(page, system, "CLI", "--json")] == [job.id]


async def test_a_job_is_copied_as_curl_from_the_inbox_by_three(page: Page, system: System):
    job = await system.create(id="it:is.copper", title="Polish the copper")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/")
    await page.get_by_role("link", name=job.title).click()
    await page.get_by_role("button", name=f"More for {job.title}").click()
    await page.get_by_role("menuitem", name="Copy as curl").click()
    await expect(page.get_by_text("Copied as curl").first).to_be_visible()
    assert await clicks(page) == 3
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith("/api/jobs/it%3Ais.copper")


async def read_in_shell(page: Page, system: System, words: str, *more: str) -> list[dict[str, str]]:
    """Copy what is shown, run it in a shell that knows a token, and return the items that it prints."""
    await page.get_by_role("button", name="Copy as").click()
    await page.get_by_role("dialog").get_by_role("button", name=f"Copy as {words}").click()
    await expect(page.get_by_text(f"Copied as {words}").first).to_be_visible()
    command = " ".join((await page.evaluate("navigator.clipboard.readText()"), *more))
    known = {"SIGNOFF_TOKEN": system.endpoints["token"], "SIGNOFF_JOBSTORE": system.endpoints["grpc"]}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", command, env={**known, "PATH": path}, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await shell.communicate()
    items: list[dict[str, str]] = json.loads(printed)["items"]
    return items


async def test_evidence_in_300_kb_is_seen_by_two(page: Page, system: System, agent: Agent):
    part = "## Part {0}\n\n" + "The *pier* is **sound**, says `inspector`. " * 12 + "\n\n- one\n- two {0}\n\n"
    text = "# Report\n\n" + "".join(part.format(number) for number in range(560))
    job = await system.create(id="piers", title="Report on all piers", acceptance_criteria='Says "two 503"')
    agent.answers[job.id] = lambda _: {"text": text}
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await page.goto("/")
    await page.get_by_role("link", name="Report on all piers").click()
    await page.get_by_role("button", name="“two 503”").click()
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_text("two 503", exact=True)).to_be_in_viewport()
    assert await clicks(page) == 2


async def test_the_agent_that_a_job_waits_for_is_resumed_by_two(page: Page, system: System, agent: Agent):
    await system.client.create_agent(NewAgent(id="asleep", name="Sleeper", url=agent.url))
    await system.client.pause("agent:asleep")
    job = await system.create(title="Wake the sleeper", agent_id="asleep", labels={"asleep": "yes"})
    await system.client.execute_job(job.id)
    await page.goto("/jobs?label=asleep:yes")
    await page.get_by_role("link", name="Wake the sleeper").click()
    await page.get_by_role("button", name="Resume agent").click()
    await system.at_rest(job.id)
    assert await clicks(page) == 2
