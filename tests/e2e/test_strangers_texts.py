"""What strangers write stays within the page: no word makes it wider, and no character turns its own words round."""

import re

import pytest
from aiohttp import web
from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import Visitor, find_in_menu, keep, overflowing, settled

from signoff.types import Job

WORD = "Donaudampfschifffahrt" * 15
#: Right-to-left override: what stands behind it in the same line is shown backwards, unless it is isolated.
OVERRIDE = "\N{RIGHT-TO-LEFT OVERRIDE}"
SIZES = [(1280, 800), (375, 812)]


async def made(system: System, agent: Agent, **fields: object) -> Job:
    long = {
        "title": WORD[:300],
        "description": WORD,
        "acceptance_criteria": f'Says "{WORD[:200]}!"\nIs not empty',
        "labels": {WORD[:150]: WORD[:200]},
        "tenant": WORD[:40].lower(),
        "payload": {WORD[:200]: WORD},
    }
    job = await system.create(**{**long, **fields})
    agent.answers[job.id] = lambda _: {WORD: WORD}
    return job


@pytest.fixture(scope="module")
async def paths(system: System, agent: Agent) -> dict[str, str]:
    judged = await made(system, agent)
    failed = await made(system, agent, policy={"max_calls": 1})
    table = await made(system, agent)
    agent.answers[failed.id] = lambda _: web.Response(status=500, text=WORD)
    agent.answers[table.id] = lambda _: [{"quay": WORD, WORD[:50]: 1}]
    batch = await system.client.execute_jobs([judged.id, failed.id, table.id])
    for job in (judged, failed, table):
        await system.at_rest(job.id)
    await system.client.resubmit_job(judged.id)
    await system.logged(judged.id, lambda log: log.submission == 2 and log.status == "RESUBMISSION_REQUIRED")
    jobs = {name: f"/jobs/{job.id}" for name, job in {"judged": judged, "failed": failed, "table": table}.items()}
    return jobs | {
        "jobs": f"/jobs?tenant={WORD[:40].lower()}",
        "batch": f"/batches/{batch.id}",
        "new": f"/new?from={judged.id}",
    }


@pytest.mark.parametrize("size", SIZES)
async def test_no_word_makes_a_page_wider(
    visitor: Visitor, paths: dict[str, str], size: tuple[int, int], subtests: pytest.Subtests
):
    page = await visitor.arrive("/jobs", size=size)
    for name, path in paths.items():
        with subtests.test(name):
            await page.goto(path)
            await settled(page)
            assert await overflowing(page) == []
            await keep(page, f"long-{name}-{size[0]}")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "verb"), [("judged", "Resubmit"), ("failed", "Assign"), ("failed", "Edit")])
async def test_no_word_makes_a_dialog_wider(
    visitor: Visitor, paths: dict[str, str], size: tuple[int, int], name: str, verb: str
):
    page = await visitor.arrive(paths[name], size=size)
    await (await find_in_menu(page, verb)).click()
    dialog = page.locator("[role=dialog], [role=alertdialog]")
    await expect(dialog).to_be_visible()
    assert await overflowing(page) == []
    assert await dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    await keep(page, f"long-{verb.lower()}-{size[0]}")


@pytest.mark.parametrize("size", SIZES)
async def test_every_view_of_a_long_result_stays_within_the_page(
    visitor: Visitor, paths: dict[str, str], size: tuple[int, int]
):
    page = await visitor.arrive(paths["judged"], size=size)
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("tab", name="Diff")).to_be_visible()
    for name in ("JSON", "Text", "As stored", "Diff"):
        tab = result.get_by_role("tab", name=re.compile(name))
        await tab.click()
        await expect(tab).to_have_attribute("aria-selected", "true")
        assert await overflowing(page) == []


async def test_no_character_of_strangers_turns_our_words_round(page: Page, system: System, agent: Agent):
    title = f"{OVERRIDE}abc"
    job = await system.create(
        title=title, labels={f"a{OVERRIDE}b": "c"}, acceptance_criteria=f'{OVERRIDE}Says "it"\noptional: {OVERRIDE}odd'
    )
    agent.answers[job.id] = lambda _: {"text": f"{OVERRIDE}it"}
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await page.goto("/jobs?text=abc")
    await expect(page.get_by_role("link", name=title)).to_be_visible()
    await page.goto(f"/jobs/{job.id}")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("abc")
    await expect(page.get_by_role("region", name="Criteria and verdict")).to_contain_text("optional")
    optional = page.get_by_text("optional", exact=True)
    text = page.get_by_text(re.compile("odd$"))
    before, behind = await text.bounding_box(), await optional.bounding_box()
    assert before
    assert behind
    assert behind["x"] >= before["x"] + before["width"] - 1, "what stands behind a text is shown behind it"
    unsafe = await page.evaluate(REACHED, OVERRIDE)
    assert unsafe == [], "a text with an override stands beside our words without being isolated"
    await keep(page, "bidi-job")


#: Lines that hold an override and words of ours in one run of text.
REACHED = """(override) => [...document.querySelectorAll("main *")]
  .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.includes(override)))
  .filter((element) => {
    if (element.closest("pre")) return false; // nothing of ours stands in it
    const { unicodeBidi, display } = getComputedStyle(element);
    return !unicodeBidi.match(/isolate|plaintext/) && !(display === "block" && element.childNodes.length === 1);
  })
  .map((element) => element.outerHTML.slice(0, 160))"""
