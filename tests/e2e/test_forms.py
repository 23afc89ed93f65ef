"""What people fill in: a new job by keyboard alone, a duplicate, an edit; and what happens to what is unfinished."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Dialog, Locator, Page, expect
from support.system import System
from visitor import (
    BOTH,
    PHONE,
    Visitor,
    badge,
    find_in_menu,
    fitted,
    found_in,
    keep,
    menu_of_head,
    open_entries,
    settled,
)

from contracts.resources import JobPatch, NewAgent
from signoff.status import JobStatus, Protocol

TABS_MAX = 60


async def tab_to(page: Page, wanted: Locator) -> None:
    """Go to something as whoever has no mouse does."""
    for _ in range(TABS_MAX):
        if await wanted.evaluate("(element) => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    await expect(wanted).to_be_focused()


def made(page: Page) -> str:
    """The id of the job at whose page one is."""
    return page.url.rsplit("/", 1)[1]


async def test_a_job_is_created_at_the_form_by_keyboard_alone(page: Page, system: System):
    press, write = page.keyboard.press, page.keyboard.type
    await settled(page)
    await press("c")
    await expect(page.get_by_role("heading", name="New job")).to_be_visible()
    await tab_to(page, page.get_by_label("Title"))
    await write("Describe the sea")
    await tab_to(page, page.get_by_label("Criterion 1", exact=True))
    await write("Is not empty")
    await press("Enter")
    await write('Says "blue"')
    await press("Enter")
    await write("optional: is long")
    await press("Alt+ArrowUp")
    await press("Alt+ArrowUp")
    await expect(page.get_by_label("Criterion 1", exact=True)).to_have_value("is long")
    await expect(page.get_by_label("Criterion 1", exact=True)).to_be_focused()
    await expect(page.get_by_label("Criterion 1 is optional")).to_be_checked()
    await tab_to(page, page.get_by_label("Agent", exact=True))
    await write("agent")
    payload = page.get_by_role("textbox", name="Payload")
    await expect(payload).to_be_visible()
    await tab_to(page, payload)
    await write('{"depth_m": 12345678901234567890')
    says = page.get_by_text("This is not JSON")
    await expect(says).to_be_visible()
    create = page.get_by_role("button", name="Create", exact=True)
    await tab_to(page, create)
    await press("Enter")
    await expect(payload).to_be_focused()
    await expect(page).to_have_url(re.compile("/new$"))
    await press("Control+End")
    await write("}")
    await expect(says).to_have_count(0)
    await tab_to(page, create)
    await press("Enter")
    await expect(page.get_by_role("heading", name="Describe the sea")).to_be_visible()
    await expect(badge(page.get_by_role("main"), "Assigned").first).to_be_visible()
    job = await system.client.get_job(made(page))
    assert job.acceptance_criteria == 'optional: is long\nIs not empty\nSays "blue"'
    assert (job.agent_id, job.payload, job.status) == (
        "agent", {"depth_m": 12345678901234567890}, JobStatus.ASSIGNED
    )  # fmt: skip


async def test_a_job_is_duplicated_with_edits(page: Page, system: System):
    job = await system.create(title="Describe the sky", payload={"at": "noon"}, labels={"sky": "yes"})
    await page.goto(f"/jobs/{job.id}")
    await (await find_in_menu(page, "Duplicate with edits")).click()
    title = page.get_by_label("Title")
    await expect(title).to_have_value("Describe the sky")
    await title.fill("Describe the sky at night")
    payload = page.get_by_role("textbox", name="Payload")
    await expect(payload).to_contain_text("noon")
    await payload.fill('{"at": "night"}')
    await page.get_by_role("button", name="Create and execute").click()
    await expect(page.get_by_role("heading", name="Describe the sky at night")).to_be_visible()
    await expect(badge(page.get_by_role("main"), "Completed").first).to_be_visible()
    copy = await system.client.get_job(made(page))
    assert (copy.payload, copy.labels) == ({"at": "night"}, {"sky": "yes"})
    assert copy.acceptance_criteria == job.acceptance_criteria
    assert (await system.client.get_job(job.id)).version == 1


async def test_a_model_is_registered_as_an_agent(page: Page, visitor: Visitor, system: System):
    visitor.tolerate("status of 422")
    await page.goto("/agents")
    await page.get_by_role("button", name="Register an agent").click()
    dialog = page.get_by_role("dialog", name="Register an agent")
    await dialog.get_by_label("Name").fill("Translator")
    await dialog.get_by_label("Id", exact=True).fill("translator")
    await dialog.get_by_label("Protocol").select_option("openai")
    await dialog.get_by_label("Address").fill("https://model.example/v1")
    await dialog.get_by_label("Model").fill("a-model")
    await dialog.get_by_label("Template").fill("Say {{payload.text}} in {{language}}.")
    await dialog.get_by_label("Parameters").fill('{"temperature": 0}')
    await dialog.get_by_label("Headers").fill("Authorization=env:SIGNOFF_AGENT_TRANSLATOR")
    found = []
    for width, height in ((1280, 1000), (768, 1000), PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        found += await found_in(page, f"agent-dialog-{width}", *BOTH)
        found += await fitted(page, width)
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog.get_by_text("language is none of title")).to_be_visible()
    template = dialog.get_by_label("Template")
    await expect(template).to_be_focused()
    found += await found_in(page, "agent-dialog-wrong", *BOTH)
    await template.fill("Say {{payload.text}} in {{payload.language}}.")
    parameters = dialog.get_by_label("Parameters")
    await parameters.fill('{"tools": [{"type": "function", "name": "f"}]}')
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog.get_by_text("tools.0: somebody has to run a tool")).to_be_visible()
    await expect(parameters).to_be_focused()
    await parameters.fill('{"temperature": 0}')
    await dialog.get_by_role("button", name="Register").click()
    await expect(dialog).to_have_count(0)
    await page.set_viewport_size({"width": 1280, "height": 1000})
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Translator"))
    await expect(row).to_contain_text("OpenAI's API · a-model")
    found += await found_in(page, "agents-model", *BOTH)
    agent = await system.client.get_agent("translator")
    assert (agent.protocol, agent.settings) == (
        "openai",
        {
            "model": "a-model",
            "template": "Say {{payload.text}} in {{payload.language}}.",
            "parameters": {"temperature": 0},
        },
    )
    assert found == []


@asynccontextmanager
async def a2a_server() -> AsyncIterator[str]:
    """The URL of a server of A2A that has a card, and lists no tasks."""
    skills = [{"id": each, "name": f"To {each}", "description": f"It can {each}"} for each in ("paint", "write")]
    card = {"name": "Sky", "description": "Knows the sky", "version": "7", "skills": skills}

    async def show_card(_: web.Request) -> web.Response:
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response(card | {"supportedInterfaces": [interface]})

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no such method"}})

    app = web.Application()
    app.add_routes([web.get("/.well-known/agent-card.json", show_card), web.post("/", refuse)])
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        yield url


async def test_the_card_of_a_server_is_shown_and_its_skills_become_capabilities(page: Page, system: System):
    async with a2a_server() as url:
        new = NewAgent(id="sky", name="Sky", url=url, protocol=Protocol.A2A, settings={"output": "text"})
        await system.client.create_agent(new)
        await page.goto("/agents")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Sky"))
        await row.get_by_role("button", name="lists no tasks · 2 skills offered").click()
        dialog = page.get_by_role("dialog", name="Edit Sky")
        card = dialog.get_by_role("region", name="Card")
        await expect(card).to_contain_text(f"Sky 7, JSONRPC at {url}")
        await card.scroll_into_view_if_needed()
        found = []
        for width, height in ((1280, 1000), (768, 1000), PHONE):
            found += await fitted(page, width)
            await page.set_viewport_size({"width": width, "height": height})
            await card.scroll_into_view_if_needed()
            found += await found_in(page, f"agent-card-{width}", *BOTH)
        await card.get_by_role("button", name="Take its skills as capabilities").click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_have_count(0)
        assert (await system.client.get_agent("sky")).capabilities == ["paint", "write"]
        await expect(row.get_by_role("list", name="Capabilities")).to_have_text("paintwrite")
        for width in (1280, 768, PHONE[0]):
            found += await fitted(page, width)
            found += await found_in(page, f"agents-card-{width}", *BOTH)
        assert found == []


async def test_an_agent_is_tried_without_a_job(page: Page, visitor: Visitor, system: System):
    await page.goto("/agents")
    await page.get_by_role("button", name="More for agent", exact=True).click()
    await page.get_by_role("menuitem", name="Try").click()
    await expect(page.get_by_role("heading", name="Try agent")).to_be_visible()
    other = await visitor.open_window(page.context, "/agents/agent/try")
    await page.get_by_label("Title").fill("A try of the sea")
    await page.get_by_label("Payload").fill('{"depth_m": 12345678901234567890}')
    await page.get_by_role("button", name="Call it").click()
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result).to_contain_text("The sky is blue.")
    exchanges = page.get_by_role("region", name="Requests and answers")
    await exchanges.locator("summary").first.click()
    request = exchanges.get_by_role("region", name="Body of request 1")
    await expect(request).to_contain_text("12345678901234567890")
    found = []
    for width in (1280, 768, PHONE[0]):
        found += await fitted(page, width)
        found += await found_in(page, f"try-{width}", *BOTH)
    assert found == []
    await page.reload()
    await expect(result).to_contain_text("The sky is blue.")
    listed = page.get_by_role("region", name="Tries of the last day").get_by_role("link")
    await expect(listed).to_have_count(1)
    await other.get_by_role("link", name="a result").click()
    await expect(other.get_by_role("region", name="Result", exact=True)).to_contain_text("The sky is blue.")
    assert [job.title async for job in system.client.iter_jobs() if job.title == "A try of the sea"] == []


async def test_what_is_unfinished_is_not_left_unasked(page: Page):
    await page.get_by_role("link", name="New job").click()
    await page.get_by_label("Title").fill("Half a job")
    warning = page.get_by_role("alertdialog", name="Leave without saving?")
    await page.get_by_role("link", name="Batches").click()
    await warning.get_by_role("button", name="Back").click()
    await expect(page.get_by_label("Title")).to_have_value("Half a job")
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.evaluate("location.reload()")
    await expect(page.get_by_label("Title")).to_have_value("Half a job")
    await page.evaluate("history.back()")
    await warning.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("region", name="List of jobs")).to_be_visible()
    assert asked == ["beforeunload"]
    await page.reload()
    assert asked == ["beforeunload"], "nothing is asked where nothing was begun"


async def test_an_edit_is_saved_beside_anothers(page: Page, visitor: Visitor, system: System):
    visitor.tolerate("status of 412")
    job = await system.create(title="Paint the fnce", payload={"colour": "white"})
    await page.goto(f"/jobs/{job.id}")
    await (await find_in_menu(page, "Edit")).click()
    dialog = page.get_by_role("dialog", name="Edit the job")
    await dialog.get_by_label("Title").fill("Paint the fence")
    await dialog.get_by_role("textbox", name="Payload").fill('{"colour": "green"}')
    await system.client.edit_job(job.id, JobPatch(description="Both sides."))
    await dialog.get_by_role("button", name="Save").click()
    alert = dialog.get_by_role("alert")
    await expect(alert).to_contain_text("Changed elsewhere: description.")
    await keep(page, "edit-outdated")
    await alert.get_by_role("button", name="Go on").click()
    await expect(dialog.get_by_label("Description")).to_have_value("Both sides.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("heading", name="Paint the fence")).to_be_visible()
    edited = await system.client.get_job(job.id)
    assert (edited.version, edited.description, edited.payload) == (3, "Both sides.", {"colour": "green"})
    await expect(await open_entries(page)).to_contain_text("edited: payload, title")


async def test_the_criteria_are_edited_by_keyboard(page: Page, system: System):
    job = await system.create(title="Mow the lawn", acceptance_criteria="Is short")
    await page.goto(f"/jobs/{job.id}")
    await tab_to(page, menu_of_head(page))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await page.keyboard.type("edit c")
    await expect(page.get_by_role("menuitem", name="Edit criteria")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Criterion 1", exact=True)).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.type(" everywhere")
    await tab_to(page, page.get_by_role("button", name="Save"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("region", name="Criteria and verdict")).to_contain_text("Is short everywhere")
