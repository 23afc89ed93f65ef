"""Every page in both themes: axe finds nothing, nothing overflows, and how it looks is kept."""

import asyncio
import re

import pytest
from aiohttp import web
from playwright.async_api import expect
from support.system import Agent, System
from visitor import (
    BOTH,
    DESK,
    PHONE,
    Theme,
    Visitor,
    find_in_menu,
    fitted,
    found_in,
    keep,
    menu_of_head,
    settled,
    shifted,
)

from console.api.pages import PAGES
from contracts.resources import NewAgent

REPORT = """# Harbour inspection

| place | state |
| --- | --- |
| north quay | sound |
| south quay | cracked |

The **south quay** needs repair before winter; the north quay is sound.

- [x] walk both quays
- [ ] ask a builder

| builder | |
| --- | --- |
| Grimsby Docks | asked |
"""
CRITERIA = (
    'Names the "north quay"\nNames the "south quay"\nSays what the "repair" costs in "EUR"\noptional: is not empty'
)


@pytest.fixture(scope="module")
async def pages(system: System, agent: Agent) -> dict[str, str]:
    """The address of every page, by its name; jobs stand where jobs can stand."""
    agents = {
        "met": lambda _: {"text": REPORT + "It costs 12,000 EUR."},
        "not-met": lambda _: {"text": REPORT},
        "failed": lambda _: web.Response(status=500, text="Traceback: the model is out of memory"),
        "running": lambda _: asyncio.Event().wait(),
        "table": lambda _: [{"quay": "north", "metres": 140}, {"quay": "south", "metres": 95}],
    }
    labels = {"harbour": "yes"}
    policies = {"failed": {"max_calls": 1}, "rejected": {"max_submissions": 1}, "not-met": {"max_submissions": 3}}
    for name, answer in (agents | {"rejected": agents["not-met"]}).items():
        job_id = f"look-{name}"
        agent.answers[job_id] = answer
        await system.create(
            id=job_id,
            title=f"Inspect the harbour ({name})",
            description="Walk both quays, note the state of each, and say what a repair costs.",
            acceptance_criteria=CRITERIA if name != "table" else "Is not empty",
            payload={"harbour": "Grimsby", "quays": ["north", "south"], "since": 1_800_000_000_000_000_001},
            labels=labels,
            policy=policies.get(name, {}),
        )
    await system.create(agent_id=None, title="Inspect the harbour (pending)", labels=labels)
    await system.create(title="Inspect the harbour (assigned)", labels=labels)
    batch = await system.client.execute_jobs([f"look-{name}" for name in (*agents, "rejected")])
    await system.client.create_agent(NewAgent(id="resting", name="Resting agent", url=agent.url))
    await system.client.pause("agent:resting")
    for name, needs in {"waiting": {"agent_id": "resting"}, "sought": {"capabilities": ["diving"]}}.items():
        title = f"Inspect the harbour ({name})"
        await system.create(**{"id": f"look-{name}", "title": title, "labels": labels, "agent_id": None} | needs)
    await system.client.execute_job("look-waiting")
    for name in agents.keys() - {"running"} | {"rejected"}:
        await system.at_rest(f"look-{name}")
    await system.client.resubmit_job("look-not-met")
    await system.logged("look-not-met", lambda log: log.submission == 2 and log.status == "RESUBMISSION_REQUIRED")
    found = {path.strip("/").replace("/", "-") or "inbox": path for path in PAGES if "{" not in path}
    found |= {f"job-{name}": f"/jobs/look-{name}" for name in (*agents, "rejected", "waiting", "sought")}
    await system.client.put_criteria_set("harbours", "Names both quays\noptional: is good")
    ids = {"/jobs/{_}": None, "/batches/{_}": batch.id}
    ids |= {"/quality/judges/{_}": "default", "/quality/criteria-sets/{_}": "harbours", "/agents/{_}/try": "agent"}
    found |= {path.split("/")[-2] + "-one": path.format(_=id_) for path, id_ in ids.items() if id_ is not None}
    found["agent"], ids["/agents/{_}"] = "/agents/agent", "agent"
    assert {path for path in PAGES if "{" in path} <= set(ids), "a page that nobody looks at"
    found |= {"new-duplicate": "/new?from=look-not-met", "playground-job": "/quality/try?job=look-not-met"}
    return found | {"jobs-none": "/jobs?text=nothing-is-called-so"}


WIDTHS, WIDE = (1440, 1100, 768), (1600, 900)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", [DESK, PHONE])
async def test_every_page_stands_still_is_accessible_and_fits(
    visitor: Visitor, pages: dict[str, str], size: tuple[int, int]
):
    """At a desk each is so in the dark and fits other widths, too, and is as wide as the others."""
    found, boxes = {}, {}
    for name, path in pages.items():
        page = await visitor.arrive(path, size=size)  # with an empty cache
        await settled(page)
        found[name] = await shifted(page)
        found[name] += await found_in(page, f"{name}-{size[0]}", *(BOTH if size == DESK else BOTH[1:]))
        if size == DESK:
            for width in WIDTHS:
                found[name] += await fitted(page, width)
            await page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
            # The list has the whole window, and the form to sign in stands alone.
            if name != "login" and not await page.get_by_role("search").count():
                box = await page.locator("main > *").first.bounding_box()
                boxes[name] = box and (box["x"], box["width"])
        await page.context.close()
    assert {name: problems for name, problems in found.items() if problems} == {}
    assert {name: box for name, box in boxes.items() if box != (160, 1280)} == {}


async def test_what_opens_over_a_page_is_accessible(visitor: Visitor, pages: dict[str, str]):
    page = await visitor.arrive(pages["job-not-met"])
    await settled(page)
    found = {}
    for name, opened in {
        "dialog": page.get_by_role("button", name="Resubmit", exact=True),
        "settings": page.get_by_role("button", name="Settings"),
        "palette": page.get_by_role("button", name="Command palette"),
        "menu": menu_of_head(page),
    }.items():
        await opened.click()
        await expect(page.locator("[role=dialog], [role=alertdialog], [role=menu]").first).to_be_visible()
        found[name] = await found_in(page, f"over-{name}", *BOTH)
        await page.keyboard.press("Escape")
        await expect(page.locator("[role=dialog], [role=alertdialog], [role=menu]")).to_have_count(0)
    await (await find_in_menu(page, "Edit")).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    found["edit"] = await found_in(page, "over-edit", *BOTH)
    await page.get_by_label("Title").fill("")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog", name="Leave without saving?")).to_be_visible()
    found["unsaved"] = await found_in(page, "over-unsaved", *BOTH)
    await page.get_by_role("button", name="Leave").click()
    await page.get_by_text(re.compile(r"^\d+ met$")).click()
    quote = page.get_by_role("button", name="“north quay”", exact=True)
    await quote.click()
    await quote.click()
    await expect(page.get_by_role("status").get_by_text("place 2 of 2")).to_be_visible()
    found["evidence"] = await found_in(page, "over-evidence", *BOTH)
    await page.get_by_role("tab", name="Text").click()
    await expect(page.locator("mark[aria-current]")).to_be_visible()
    found["text"] = await found_in(page, "over-text", *BOTH)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    found["help"] = await found_in(page, "over-help", *BOTH)
    assert {name: problems for name, problems in found.items() if problems} == {}


async def test_the_list_is_searched_by_one_line_beside_one_button(visitor: Visitor):
    page = await visitor.arrive("/jobs", size=DESK)
    await settled(page)
    add = page.get_by_role("search").get_by_role("button")
    await expect(add).to_have_count(1)
    boxes = [await each.bounding_box() for each in (page.get_by_role("combobox", name="Search jobs"), add)]
    assert len({round(box["y"]) for box in boxes if box}) == 1


@pytest.mark.parametrize("size", [(1440, 900), (768, 900), PHONE])
async def test_filters_are_accessible_and_fit(visitor: Visitor, pages: dict[str, str], size: tuple[int, int]):
    """Those of a tablet in the dark, too."""
    assert pages
    address = "/jobs?label=harbour:yes&status=FAILED&status=COMPLETED&code=agent_status&costMin=0&period=24h&sort=cost"
    page = await visitor.arrive(address, size=size)
    await settled(page)
    add = page.get_by_role("search").get_by_role("button", name="Filter", exact=True)
    found: dict[str, list[object]] = {}

    async def look(part: str) -> None:
        themes = BOTH if size[0] == 768 else BOTH[1:]
        found[part] = await found_in(page, f"filter-{part.lower()}-{size[0]}", *themes)

    for menu in ("Agent", "Label", "Code", "Criterion", "Cost", "Created"):
        await add.click()
        await page.get_by_role("option", name=menu).click()
        await expect(page.get_by_role("button", name=f"Back to all filters from {menu}")).to_be_visible()
        await expect(page.locator("[role=dialog] .animate-pulse")).to_have_count(0)
        await look(menu)
        await page.keyboard.press("Escape")
        await expect(add).to_be_focused()  # or what is typed next goes there
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("combobox", name="Search jobs").press_sequentially("harbour status:")
    await expect(page.get_by_role("listbox", name="Suggestions")).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await look("suggestions")
    await page.keyboard.press("Escape")
    await page.keyboard.type("broken")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await look("problem")
    assert {part: problems for part, problems in found.items() if problems} == {}


#: Cells of a row that reach into one another, or beyond their table.
CROSSING = """() => [...document.querySelectorAll("main tr:not(.sr-only *)")].flatMap((row) => {
  const drawn = (cell) => {
    const seen = [...cell.querySelectorAll("*")].filter((each) => !each.closest(".sr-only") && each.checkVisibility());
    const boxes = seen.map((each) => each.getBoundingClientRect()).filter(({ width }) => width > 0);
    const edge = (side, pick) => pick(...boxes.map((box) => box[side]));
    return { text: cell.innerText, left: edge("left", Math.min), right: edge("right", Math.max),
      top: edge("top", Math.min), bottom: edge("bottom", Math.max) };
  };
  const cells = [...row.cells].map(drawn);
  const right = row.getBoundingClientRect().right;
  const crosses = (box, next) => next.left < box.right - 1 && next.right > box.left + 1
    && next.top < box.bottom - 1 && next.bottom > box.top + 1;
  return cells.filter((box, at) => box.right > right + 1 || cells.slice(at + 1).some((next) => crosses(box, next)));
})"""


@pytest.mark.parametrize("width", [768, 1024, 1100, 1180, 1440])
async def test_no_column_reaches_into_another(visitor: Visitor, pages: dict[str, str], system: System, width: int):
    capabilities = ["optical-character-recognition", "pdf", "translation", "harbours"]
    await system.client.create_agent(
        NewAgent(name=f"Inspector of harbours {width}", url="http://127.0.0.1:9/", capabilities=capabilities)
    )
    page = await visitor.arrive("/jobs", size=(width, 900))
    for name in ("agents", "batches"):
        await page.goto(pages[name])
        await settled(page)
        await keep(page, f"{name}-{width}")
        assert await page.evaluate(CROSSING) == []


async def test_a_job_that_is_not_there_is_said_so(visitor: Visitor):
    visitor.tolerate(r"status of 404 .*/api/jobs/nobody(/logs\?\S+)?\)$")
    page = await visitor.arrive("/jobs/nobody")
    await settled(page)
    await expect(page.get_by_role("main")).to_contain_text("no job has the id nobody")
    assert await found_in(page, "not-found", *BOTH) + await fitted(page, PHONE[0]) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_form_that_asks_for_a_token_is_accessible(visitor: Visitor, theme: Theme):
    visitor.tolerate("status of 401")
    page = await visitor.arrive("/jobs", theme=theme, signed_in=False)
    await expect(page.get_by_label("Token")).to_be_visible()
    found = {"axe": await found_in(page, "sign-in", theme)}
    for width in (*WIDTHS, PHONE[0]):
        found[str(width)] = await fitted(page, width)
    assert {name: problems for name, problems in found.items() if problems} == {}


async def test_the_description_of_the_api_is_our_own(visitor: Visitor):
    page = await visitor.arrive("/docs", size=DESK)
    await expect(page.get_by_text("/api/jobs/{job_id}/execute").first).to_be_visible()
    await page.get_by_text("/api/health").first.click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute", exact=True).click()
    await expect(page.locator(".live-responses-table").get_by_text('"status": "ok"').first).to_be_visible()
    await keep(page, "docs")
