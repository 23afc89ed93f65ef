"""Results are strangers' work: shown for what they are, and harmless."""

import json
import re

from playwright.async_api import Page, expect
from support.system import Agent, System
from visitor import Visitor, found_by_axe, keep, menu_of_head, overflowing, settled

HOSTILE = """# Hello

<script>document.title = "taken over"</script>
<img src=x onerror="document.title = 'taken over'">

![a picture](https://elsewhere.invalid/pixel.png?secret) and [a link](javascript:alert(1)), [another](https://example.invalid/)
"""
HTML = """<!doctype html><html><head><style>p { color: rgb(200, 0, 0) }</style></head>
<body><p id="said">Rendered.</p><script>document.getElementById("said").textContent = "Taken over."</script>
<img src="https://elsewhere.invalid/pixel.png"></body></html>"""


SIDES = ("removed", "added")
#: Elements that scroll down, but for code.
SCROLLING = """() => [...document.querySelectorAll("body *:not(pre)")]
  .filter((element) => element.scrollHeight > element.clientHeight + 1)
  .filter((element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowY))
  .map((element) => element.localName)"""


async def done(system: System, agent: Agent, title: str, result: object, **fields: object) -> str:
    """A job that has this result."""
    job = await system.create(title=title, **fields)
    agent.answers[job.id] = lambda _: result
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    return job.id


async def test_a_hostile_result_does_nothing(page: Page, system: System, agent: Agent):
    job_id = await done(system, agent, "Write a page", {"text": HOSTILE}, acceptance_criteria="Is not empty")
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("heading", name="Hello")).to_be_visible()
    await expect(result).to_contain_text("image left out: a picture")
    await expect(result.get_by_role("link", name="another")).to_have_attribute("rel", re.compile("noopener"))
    await expect(result.get_by_role("link", name="a link")).to_have_count(0)
    assert await result.locator("img, script, iframe").count() == 0
    await result.get_by_role("tab", name="Text").click()
    await expect(result.locator("pre")).to_contain_text("<script>")
    await expect(page).to_have_title(re.compile("Write a page"))


async def test_hostile_results_do_nothing_in_any_view(page: Page, visitor: Visitor, system: System, agent: Agent):
    visitor.tolerate("sandbox|elsewhere.invalid|securitypolicyviolation|Content Security Policy")
    marks = f"# x\n\n{'> ' * 400}deep {HOSTILE} {'*a* ' * 3_000}"
    image = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    fields = {
        "__proto__": {"constructor": HOSTILE},
        "code": "</code></pre><script>1</script>" * 9,
        "language": "html",
        "picture": image,
        "rows": [{"<b>": HOSTILE, "toString": "javascript:alert(1)"}],
        "said": marks,
    }
    for number, result in enumerate((HTML, {"text": marks}, fields, [{"<b>": HOSTILE}], image)):
        job = await system.create(title=f"Harm {number}")
        agent.answers[job.id] = lambda _, result=result: result
        await system.client.execute_job(job.id)
        await system.at_rest(job.id)
        await page.goto(f"/jobs/{job.id}")
        shown = page.get_by_role("region", name="Result", exact=True)
        tabs = shown.get_by_role("tab")
        await expect(tabs.first).to_be_visible()
        for tab in await tabs.all():
            await tab.click()
            await settled(page)
            assert await shown.locator("script, img:not([src^='data:image/png'])").count() == 0
            assert await shown.locator("*").count() < 3_000
        await expect(page).to_have_title(re.compile(f"Harm {number}"))


async def test_the_diff_of_two_hostile_results_does_nothing(page: Page, visitor: Visitor, system: System, agent: Agent):
    visitor.tolerate("sandbox|elsewhere.invalid|securitypolicyviolation|Content Security Policy")
    hostile = "\u202e\u2066" + HOSTILE
    pairs = (
        ({"text": f"{hostile}before"}, {"text": f"{hostile}after [link](javascript:alert(1))"}),
        (
            {"__proto__": hostile, "toString": 1, "rows": [None, {"<b>": 1}]},
            {"__proto__": 2, "x" * 9_000: hostile, "rows": [{"<b>": hostile}, None]},
        ),
        ({"text": "a b " * 60_000}, {"text": "b a " * 60_000}),
    )
    for number, (before, after) in enumerate(pairs):
        job_id = await done(system, agent, f"Harm twice {number}", before)
        agent.answers[job_id] = lambda _, after=after: after
        await system.client.resubmit_job(job_id)
        await system.at_rest(job_id)
        for width in (1280, 800):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(f"/jobs/{job_id}?view=diff")
            diff = page.get_by_role("region", name=re.compile("compared with"))
            added = diff.get_by_text("added: ").first
            await expect(added).to_be_attached()
            sides = [await diff.get_by_text(f"{kind}: ").first.locator("..").bounding_box() for kind in SIDES]
            assert all(sides)
            tops = [side["y"] for side in sides if side]
            assert number != 0 or (tops[0] == tops[1]) == (width == 1280), "side by side where there is room"
            shown = page.get_by_role("region", name="Result", exact=True)
            assert await shown.locator("script, img, iframe, a[href^=javascript]").count() == 0
            assert await shown.locator("*").count() < 3_000
            assert await overflowing(page) == []
        await expect(page).to_have_title(re.compile(f"Harm twice {number}"))


async def test_300_kb_of_markdown_are_read_at_once(page: Page, system: System, agent: Agent):
    part = "## Part {0}\n\n" + "The *pier* is **sound**, says `inspector`. " * 12 + "\n\n- one\n- two {0}\n\n"
    text = "# Report\n\n" + "".join(part.format(number) for number in range(560))
    assert len(text) > 300_000
    job_id = await done(system, agent, "Report on each pier", {"text": text}, acceptance_criteria='Says "two 517"')
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("heading", name="Report")).to_be_visible()
    assert await page.locator("*").count() < 3_000
    await page.get_by_role("region", name="Criteria and verdict").get_by_role("button", name="two 517").click()
    await expect(result.get_by_text("two 517")).to_be_in_viewport()
    await result.get_by_role("searchbox").fill("two 31")
    await expect(result.get_by_text("two 31", exact=True)).to_be_in_viewport()
    await result.get_by_role("combobox", name="Outline").select_option(label="\u2003Part 400")
    await expect(result.get_by_role("heading", name="Part 400")).to_be_in_viewport()
    await keep(page, "300-kb")
    assert await found_by_axe(page) == []


async def test_a_huge_result_is_shown_within_bounds_and_downloaded_whole(page: Page, system: System, agent: Agent):
    text = "".join(f"{number:06} lines of text\n" for number in range(40_000))
    job_id = await done(system, agent, "Write a lot", {"text": text})
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result).to_contain_text(f"of {len(text):,} characters")
    assert len(await result.locator("pre").inner_text()) < 5_000
    async with page.expect_download() as download:
        await result.get_by_role("link", name="Download").click()
    path = await (await download.value).path()
    assert json.loads(path.read_text("utf-8")) == {"text": text}, "what is stored, whole"
    await result.get_by_role("button", name="Show all").click()
    await expect(result).to_contain_text("the rest is in the download")
    await expect(menu_of_head(page)).to_be_enabled()


async def test_a_large_tree_draws_only_what_is_open(page: Page, system: System, agent: Agent):
    result_value = {"rows": [{"id": 9_007_199_254_740_993 + n, "deep": {"er": [n] * 20}} for n in range(2_000)], "n": 1}
    job_id = await done(system, agent, "Count a lot", result_value)
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("tab", name="JSON")).to_be_visible()
    await expect(result).to_contain_text("rows")
    assert await result.locator("*").count() < 3_000


async def test_evidence_is_shown_where_it_stands(page: Page, system: System, agent: Agent):
    text = "".join(f"Paragraph {number}.\n" for number in range(900)) + "Signed by both parties.\n"
    job_id = await done(
        system, agent, "Sign it", {"text": text}, acceptance_criteria='Is "signed by both"\nSays "paragraph 3."'
    )
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.locator("pre")).to_contain_text("Paragraph 3.")
    await expect(result.locator("mark")).to_have_count(0)  # no criterion is in hand
    quote = page.get_by_role("region", name="Criteria and verdict").get_by_role("button", name="Signed by both")
    await quote.click()
    await expect(quote).to_have_attribute("aria-pressed", "true")
    mark = result.locator("mark[aria-current]")
    await expect(mark).to_have_text("Signed by both")
    await expect(mark).to_be_in_viewport()


async def test_evidence_is_marked_in_what_is_drawn_of_markdown(page: Page, system: System, agent: Agent):
    text = "# The pact\n\n" + "A paragraph.\n\n" * 300 + "It is **signed by** both parties.\n"
    job_id = await done(
        system, agent, "Sign the pact", {"text": text}, acceptance_criteria='Says "signed by"\nSays "both parties"'
    )
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("heading", name="The pact")).to_be_visible()
    place = result.get_by_text("both parties")
    await expect(place).to_have_count(0)  # what is not seen is not drawn
    await page.get_by_role("region", name="Criteria and verdict").get_by_role("button", name="both parties").click()
    await expect(result.get_by_role("tab", name="Markdown")).to_have_attribute("aria-selected", "true")
    await expect(place).to_be_in_viewport()
    assert await page.evaluate("CSS.highlights.get('evidence-current').size") == 1


async def test_the_page_alone_scrolls_and_its_verdict_stays_beside_the_result(page: Page, system: System, agent: Agent):
    text = "# Report\n\n" + "".join(f"The pier {number} is sound.\n\n" for number in range(300))
    job_id = await done(system, agent, "Report at length", {"text": text}, acceptance_criteria='Says "pier"')
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.get_by_role("heading", name="Report")).to_be_visible()
    assert await page.evaluate(SCROLLING) == ["main"]
    half = await result.bounding_box()
    await page.locator("main").evaluate("main => main.scrollTo(0, 3_000)")
    verdict = page.get_by_role("heading", name="Accepted: 1 of 1 criteria met")
    await expect(verdict).to_be_in_viewport()
    await expect(result.get_by_text("The pier 90 ")).to_be_in_viewport()
    await page.get_by_role("link", name="Jobs", exact=True).first.click()
    await expect(page.get_by_role("region", name="List of jobs")).to_be_visible()
    await page.go_back()
    await expect(verdict).to_be_in_viewport()
    await expect(result.get_by_text("The pier 90 ")).to_be_in_viewport()
    await page.keyboard.press("f")
    await expect(result.get_by_role("button", name="Full width", pressed=True)).to_be_visible()
    whole = await result.bounding_box()
    assert half
    assert whole
    assert whole["width"] > half["width"] * 1.2
    await expect(page.get_by_role("region", name="History")).to_be_hidden()
    await keep(page, "wide")
    assert await found_by_axe(page) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("region", name="History")).to_be_visible()


async def test_html_is_rendered_apart_from_the_page(page: Page, visitor: Visitor, system: System, agent: Agent):
    visitor.tolerate("sandbox|elsewhere.invalid|securitypolicyviolation|Content Security Policy")
    job_id = await done(system, agent, "Write HTML", HTML, acceptance_criteria="Is not empty")
    await page.goto(f"/jobs/{job_id}")
    result = page.get_by_role("region", name="Result", exact=True)
    await expect(result.locator("pre")).to_contain_text("<!doctype html>")
    await result.get_by_role("tab", name="Rendered").click()
    said = result.frame_locator("iframe").locator("#said")
    await expect(said).to_have_text("Rendered.")
    await expect(said).to_have_css("color", "rgb(200, 0, 0)")


async def test_with_the_full_width_nothing_lies_over_the_verdict(visitor: Visitor, system: System, agent: Agent):
    criteria = "\n".join(f'Has a "{part}"' for part in ("door", *(f"window {number}" for number in range(20))))
    job_id = await done(system, agent, "Build it twice", {"text": "It has a roof."}, acceptance_criteria=criteria)
    agent.answers[job_id] = lambda _: {"text": "It has a door."}
    again = await system.client.resubmit_job(job_id)
    await system.logged(job_id, lambda log: log.execution_id == again.id and log.kind == "not_met")
    page = await visitor.arrive(f"/jobs/{job_id}", size=(1280, 800))
    await settled(page)
    await page.keyboard.press("f")
    choices = page.get_by_role("combobox", name=re.compile("Submission|Compared with"))
    await expect(choices).to_have_count(2)
    await keep(page, "full-width")
    below = await page.get_by_text("What is not met").first.bounding_box()
    for choice in await choices.all():
        box = await choice.bounding_box()
        assert box
        assert below
        assert box["y"] + box["height"] <= below["y"]
