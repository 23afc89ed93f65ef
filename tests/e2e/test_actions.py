"""Actions: what people do with a job on its page."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from playwright.async_api import Page, Route, expect
from support.system import Agent, System
from visitor import Visitor, badge, confirm, open_entries

from signoff.status import JobStatus


async def test_a_visitor_without_a_session_signs_in_and_sees_what_was_asked_for(visitor: Visitor, system: System):
    visitor.tolerate("status of 401")
    job = await system.create(title="Paint the fence")
    page = await visitor.arrive(f"/jobs/{job.id}", signed_in=False)
    await page.get_by_label("Token").fill("of a stranger")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("does not know this token")).to_be_visible()
    await page.get_by_label("Token").fill(system.endpoints["token"])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Paint the fence")).to_be_visible()
    assert page.url.endswith(f"/jobs/{job.id}")


async def test_a_login_link_signs_in_once_and_leaves_nothing_in_the_address(visitor: Visitor, system: System):
    visitor.tolerate("status of 401")
    code = await system.client.create_login_code()
    page = await visitor.arrive(f"/login#{code}", signed_in=False)
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert page.url == f"{system.endpoints['http']}/"
    await page.go_back()
    assert code not in page.url
    page = await visitor.arrive(f"/login#{code}", signed_in=False)
    await expect(page.get_by_role("alert")).to_contain_text("This link does not sign in any more")
    assert code not in page.url
    await page.get_by_label("Token").fill(system.endpoints["token"])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert page.url == f"{system.endpoints['http']}/"


async def test_a_job_is_executed_once_it_is_confirmed(page: Page, system: System):
    job = await system.create(title="Describe the sky at noon")
    await page.goto(f"/jobs/{job.id}")
    await page.get_by_role("button", name="Execute", exact=True).click()
    dialog = page.get_by_role("alertdialog", name="Execute this job?")
    await expect(dialog).to_contain_text("goes to agent")
    await dialog.get_by_role("button", name="Back").click()
    await expect(dialog).to_have_count(0)
    assert (await system.client.get_job(job.id)).status is JobStatus.ASSIGNED
    await confirm(page, "Execute")
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    verdict = page.get_by_role("region", name="Criteria and verdict")
    await expect(verdict).to_contain_text("Accepted")
    await expect(verdict).to_contain_text("2 of 2 criteria met")
    await expect(page.get_by_role("region", name="Result")).to_contain_text("The sky is blue.")


async def test_what_was_not_met_is_submitted_again_and_compared(page: Page, system: System, agent: Agent):
    job = await system.create(id="house", title="Plan a house", acceptance_criteria='Has a "chimney"\nHas a "door"')
    agent.answers[job.id] = lambda asked: {
        "text": "A house.\nIt has a chimney." + ("\nIt has a door." if asked["feedback"] else "")
    }
    await page.goto(f"/jobs/{job.id}")
    await confirm(page, "Execute")
    await expect(badge(page.get_by_role("main"), "Resubmission required").first).to_be_visible()
    verdict = page.get_by_role("region", name="Criteria and verdict")
    await expect(verdict.get_by_role("row", name="Not met")).to_contain_text('does not contain "door"')
    await page.get_by_role("button", name="Resubmit", exact=True).click()
    dialog = page.get_by_role("alertdialog", name="Resubmit this job?")
    await expect(dialog).to_contain_text("submission 2")
    await dialog.get_by_label("Comment for the agent").fill("A door, please.")
    await dialog.get_by_role("button", name="Resubmit", exact=True).click()
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    assert "A door, please." in str(agent.calls[job.id][-1][1]["feedback"])
    await page.get_by_role("tab", name="Diff with submission 1").click()
    diff = page.get_by_role("region", name="This one compared with submission 1")
    await expect(diff).to_contain_text("added: +It has a door.")
    await expect(diff).not_to_contain_text("+A house.")
    await expect(verdict).to_contain_text("Submission 1: not met")


async def test_a_running_job_is_cancelled_with_a_reason(page: Page, system: System, agent: Agent):
    job = await system.create(title="Count the stars")
    never = asyncio.Event()

    async def work() -> web.Response:
        await never.wait()
        raise AssertionError

    agent.answers[job.id] = lambda _: work()
    await page.goto(f"/jobs/{job.id}")
    await confirm(page, "Execute")
    await expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    await page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("alertdialog", name="Cancel this job?")
    await dialog.get_by_label("Reason").fill("it is cloudy")
    await dialog.get_by_role("button", name="Cancel", exact=True).click()
    await expect(page.get_by_role("progressbar", name="Progress")).to_have_count(0)
    history = await open_entries(page)
    await expect(history).to_contain_text("it is cloudy")
    await expect(page.get_by_role("button", name="Execute", exact=True)).not_to_have_attribute("aria-disabled", "true")


async def test_a_failure_says_what_was_tried_and_what_to_do(page: Page, system: System, agent: Agent):
    job = await system.create(title="Ask the oracle", policy={"max_calls": 2, "backoff_first_s": 0.1})
    agent.answers[job.id] = lambda _: web.Response(status=503, text="the oracle sleeps")
    await page.goto(f"/jobs/{job.id}")
    await confirm(page, "Execute")
    await expect(badge(page.get_by_role("main"), "Failed").first).to_be_visible()
    error = page.get_by_role("region", name="Error")
    await expect(error.locator("code")).to_have_text("agent_status 503")
    await expect(error).to_contain_text("call 2 of 2")
    await expect(error).to_contain_text("with agent")
    await expect(error).to_contain_text("none: it ended here")
    await expect(error).to_contain_text("What to do")
    await expect(error).to_contain_text("the oracle sleeps")
    agent.answers.pop(job.id)
    await confirm(page, "Execute")
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    await expect(error).to_have_count(0)


async def test_a_dialog_says_so_when_its_job_has_moved_on(page: Page, system: System):
    job = await system.create(title="Do it twice", policy={"max_submissions": 1}, acceptance_criteria='Says "no"')
    await page.goto(f"/jobs/{job.id}")
    await page.get_by_role("button", name="Execute", exact=True).click()
    dialog = page.get_by_role("alertdialog")
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await expect(dialog).to_contain_text("It has moved on meanwhile: Rejected")
    await expect(dialog.get_by_role("button", name="Execute", exact=True)).to_be_disabled()
    await dialog.get_by_role("button", name="Back").click()
    await expect(badge(page.get_by_role("main"), "Rejected").first).to_be_visible()
    await expect(page.get_by_role("button", name="Assign", exact=True)).to_be_focused()  # the likely step by now


async def test_an_action_that_is_refused_says_why(page: Page, visitor: Visitor, system: System):
    visitor.tolerate("status of 409")
    job = await system.create(title="Do it once")
    await page.goto(f"/jobs/{job.id}")
    await page.get_by_role("button", name="Execute", exact=True).click()
    await page.route("**/execute", answered_elsewhere(system, job.id))
    dialog = page.get_by_role("alertdialog")
    await dialog.get_by_role("button", name="Execute", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("COMPLETED")
    await expect(dialog).to_contain_text("It has moved on meanwhile: Completed")


def answered_elsewhere(system: System, job_id: str) -> Callable[[Route], Awaitable[None]]:
    async def answered(route: Route) -> None:
        """Somebody else is quicker."""
        await system.client.execute_job(job_id)
        await system.at_rest(job_id)
        await route.continue_()

    return answered


async def test_a_job_without_an_agent_is_assigned_one(page: Page, system: System):
    job = await system.create(agent_id=None, title="Whoever can")
    await page.goto(f"/jobs/{job.id}")
    await page.get_by_role("button", name="Assign", exact=True).click()
    dialog = page.get_by_role("alertdialog", name="Assign an agent")
    await dialog.get_by_label("Agent").select_option("agent")
    await dialog.get_by_role("button", name="Assign", exact=True).click()
    await expect(badge(page.get_by_role("main"), "Assigned").first).to_be_visible()
