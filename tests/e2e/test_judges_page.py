"""Judge policies with their versions, their golden sets, and the playground, as somebody at a browser uses them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect
from support.system import Agent, System, signoff
from visitor import BOTH, Visitor, fitted, found_by_axe, found_in, keep, settled, shifted

from contracts.resources import NewAgent

NORTH, SOUTH = "The north quay is sound.", "The south quay is cracked."


async def test_a_policy_gets_a_version_and_that_is_promoted(visitor: Visitor):
    page = await visitor.arrive("/quality/judges")
    await page.get_by_role("button", name="Make a policy").click()
    dialog = page.get_by_role("dialog", name="Make a judge policy")
    await dialog.get_by_label("Name").fill("careful")
    await dialog.get_by_label("Note").fill("one judge")
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="careful").click()
    await expect(page.get_by_text("Current version 1")).to_be_visible()
    await add_version(page, {"stages": [{"kind": "single"}], "asks": "each"})
    await page.get_by_label("Compared with").select_option("version 1")
    difference = page.get_by_role("region", name="version 2 compared with version 1")
    await expect(difference).to_contain_text('"asks": "each"')
    await page.get_by_role("button", name="Promote version 2").click()
    await page.get_by_role("button", name="Promote", exact=True).click()
    await expect(page.get_by_text("Current version 2")).to_be_visible()


async def add_version(page: Page, policy: dict[str, Any]) -> None:
    await page.get_by_role("button", name="New version").click()
    dialog = page.get_by_role("dialog", name="New version of careful")
    await dialog.get_by_role("textbox", name="Policy").fill(json.dumps(policy))
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Version 2", exact=True)).to_be_visible()


async def test_a_result_is_judged_without_a_job(visitor: Visitor):
    page = await visitor.arrive("/quality/try")
    section = page.get_by_role("navigation", name="Main").get_by_role("link", name="Quality")
    await expect(section).to_have_attribute("aria-current", "page")
    await settled(page)
    await page.get_by_label("Result", exact=True).fill("The north quay is sound.")
    await page.get_by_label("Criteria", exact=True).fill('Names the "north quay"')
    await page.get_by_role("button", name="Judge it").click()
    verdict = page.get_by_role("region", name="Verdict")
    await expect(verdict.get_by_role("heading", name="Accepted")).to_be_visible()
    await verdict.get_by_role("button", name="north quay").click()
    selected = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert await page.get_by_label("Result", exact=True).evaluate(selected) == "north quay"


def labelled() -> list[str]:
    """Cases that are good and name the north quay, and bad ones that do not; the last is bad, and names it."""
    asked = {"title": "Inspect the harbour", "criteria": [{"text": 'Names the "north quay"'}]}
    cases = [
        {**asked, "id": f"{label}-{n}", "result": f"{NORTH if label else SOUTH} Seen by {n} people.", "label": label}
        for label in (True, False)
        for n in range(30)  # as few as show 90 % with certainty
    ]
    odd = {**asked, "id": "odd", "title": "Inspect it by night", "result": f"It was dark. {NORTH}", "label": False}
    return [json.dumps(case) for case in (*cases, odd)]


async def test_what_is_accepted_is_told_by_agent_judge_and_criterion(visitor: Visitor, system: System, agent: Agent):
    """And a column sorts, a row alone is shown, and what served is told."""
    await system.client.create_agent(NewAgent(id="quayside", name="Quayside", url=agent.url))
    for name, answer in {"sound": NORTH, "cracked": SOUTH}.items():
        agent.answers[f"quay-{name}"] = lambda _, answer=answer: {"text": answer}
        await system.create(
            id=f"quay-{name}",
            agent_id="quayside",
            title=f"Inspect the quay ({name})",
            acceptance_criteria='Names the "north quay"\nNames a "quay"',
            policy={"max_submissions": 1},
        )
        await system.client.execute_job(f"quay-{name}")
        await system.at_rest(f"quay-{name}")
    while (await system.client.get_quality(agent_id="quayside")).totals.judged < 2:
        await system.client.get_overview()
    page = await visitor.arrive("/quality?agent=quayside")
    by_agent = page.get_by_role("table", name="By agent")
    await expect(by_agent.get_by_role("row").nth(1)).to_contain_text("50 %")
    criteria = page.get_by_role("table", name="By criterion")
    await expect(criteria.get_by_role("rowheader").first).to_contain_text('Names the "north quay"')
    await keep(page, "quality")
    await criteria.get_by_role("button", name="Criterion").click()
    await expect(page).to_have_url(re.compile("criteria=criterion"))
    await expect(criteria.get_by_role("rowheader").first).to_contain_text('Names a "quay"')
    assert await shifted(page) + await found_at(page, "quality", (1440, 390)) == []
    await criteria.get_by_role("link", name='Only Names the "north quay"').click()
    await expect(page.get_by_text("2 results judged, 50 % passed")).to_be_visible()
    await criteria.get_by_role("link", name='Names the "north quay"', exact=True).click()
    await expect(page.get_by_role("link", name="Inspect the quay (cracked)")).to_be_visible()
    await page.goto("/system/workers")
    await expect(page.get_by_role("region", name="Executors")).to_contain_text("in use, room for")
    await expect(page.get_by_role("region", name="Validators").get_by_role("link")).to_contain_text("default@")
    assert await shifted(page) + await found_at(page, "workers", (1440, 390)) == []


async def make_policy(system: System, name: str, cases: list[str]) -> None:
    """Make a policy with two versions, of which the first is current, and with a golden set."""
    for asks in ("all", "each"):
        await system.client.put_judge_policy({"name": name, "stages": [{"kind": "single"}], "asks": asks})
    await system.client.put_golden_set(name, "\n".join(cases))


async def evaluate(system: System, cases: list[str], folder: Path, *policies: str) -> Path:
    """Evaluate policies on cases by the command line; return the file with the report."""
    file, report = folder / "cases.jsonl", folder / f"{policies[0]}.json"
    file.write_text("\n".join(cases))
    named = [option for policy in policies for option in ("--policy", policy)]
    [found] = await signoff(system, "judge", "evaluate", str(file), *named)
    report.write_text(json.dumps(found))
    return report


async def asked_to_promote(page: Page) -> Locator:
    await page.get_by_role("button", name="Promote version 2").click()
    return page.get_by_role("alertdialog")


async def test_a_golden_set_refuses_a_version_until_somebody_says_why(visitor: Visitor, system: System, tmp_path: Path):
    visitor.tolerate("status of 409")
    await make_policy(system, "gated", labelled())
    page = await visitor.arrive("/quality/judges/gated")
    dialog = await asked_to_promote(page)
    await dialog.get_by_role("button", name="Promote").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("golden_not_evaluated")
    report = await evaluate(system, labelled(), tmp_path, "gated@2")
    await dialog.get_by_label("Report on the golden set").set_input_files(report)
    await expect(dialog.get_by_label("Why anyway")).to_have_count(0)
    await dialog.get_by_role("button", name="Promote").click()
    refusal = dialog.get_by_role("alert")
    await expect(refusal).to_contain_text("golden_failed")
    await expect(refusal).to_contain_text("30 of 31 bad results are refused, which shows 0.856 or more")
    await keep(page, "golden-refused")
    assert await found_by_axe(page) == []
    assert (await system.client.get_judge_policy("gated")).current == 1
    await dialog.get_by_label("Why anyway").fill("the night is labelled wrongly")
    await dialog.get_by_role("button", name="Promote anyway").click()
    await expect(page.get_by_text("Current version 2")).to_be_visible()
    moves = page.get_by_role("region", name="What was current")
    await expect(moves).to_contain_text("the night is labelled wrongly")


async def test_a_report_on_the_golden_set_promotes_a_version(visitor: Visitor, system: System, tmp_path: Path):
    visitor.tolerate("status of 409")
    cases = labelled()[:-1]
    await make_policy(system, "measured", cases)
    page = await visitor.arrive("/quality/judges/measured")
    dialog = await asked_to_promote(page)
    file = dialog.get_by_label("Report on the golden set")
    await file.set_input_files(await evaluate(system, cases, tmp_path, "measured@1"))
    await dialog.get_by_role("button", name="Promote").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("golden_other_version")
    await file.set_input_files(await evaluate(system, cases, tmp_path, "measured@2"))
    await dialog.get_by_role("button", name="Promote", exact=True).click()
    await expect(page.get_by_text("Current version 2")).to_be_visible()


#: A page is opened at the first, and fits the others, too; where it is dark does not depend on its width.
WIDTHS = [(1440, 1100, 768), (390,)]


@pytest.mark.parametrize("widths", WIDTHS)
async def test_pages_of_judges_are_accessible_and_fit(
    visitor: Visitor, system: System, report: Path, widths: tuple[int, ...]
):
    assert report
    await system.client.put_criteria_set("quays", "Names both quays\nHas at most 200 words")
    await system.client.put_criteria_set("quays", "Names both quays\ncheck: max_words 200")
    page = await visitor.arrive("/jobs", size=(widths[0], 900))
    found: dict[str, list[Any]] = {}

    async def look(name: str) -> None:
        found[name] = await shifted(page) + await found_at(page, f"judging-{name}", widths)

    addresses = {
        "all": "/quality/judges",
        "policy": "/quality/judges/seen",
        "set": "/quality/criteria-sets/quays",
        "try": "/quality/try",
    }
    for name, address in addresses.items():
        await page.goto(address)
        await settled(page)
        await look(name)
    dialogs = {
        "promote": ("seen", "Promote version 2"),
        "retire": ("seen", "Retire"),
        "version": ("seen", "New version"),
    }
    for name, (policy, button) in dialogs.items():
        await page.goto(f"/quality/judges/{policy}")
        if button == "Retire":
            await page.get_by_role("button", name=f"More for {policy}").click()
            await page.get_by_role("menuitem", name=button).click()
        else:
            await page.get_by_role("button", name=button, exact=True).click()
        await expect(page.get_by_role("alertdialog").or_(page.get_by_role("dialog"))).to_be_visible()
        await expect(page.locator("[role=dialog] .animate-pulse")).to_have_count(0)
        await look(name)
    await page.goto("/quality/criteria-sets/quays")
    await page.get_by_role("button", name="New version").click()
    await page.get_by_label("Criteria", exact=True).fill("Names both quays\nHas at most 200 words")
    await expect(page.get_by_role("button", name="Use it").first).to_be_visible()
    await look("set-version")
    await page.goto("/new")
    await page.get_by_label("Criterion 1", exact=True).press_sequentially("It does not name the west quay")
    await expect(page.get_by_role("button", name="Use it").first).to_be_visible()
    await look("new-job")
    await page.get_by_role("button", name="Use it").first.click()
    await expect(page.get_by_label("Kind of criterion 1")).to_have_value("never")
    assert {name: problems for name, problems in found.items() if problems} == {}


async def found_at(page: Page, name: str, widths: tuple[int, ...]) -> list[Any]:
    """What axe finds at the first width, at a desk in the dark, too, and what does not fit one of them."""
    found = await found_in(page, f"{name}-{widths[0]}", *(BOTH if len(widths) > 1 else BOTH[1:]))
    return found + [each for width in (*widths[1:], widths[0]) for each in await fitted(page, width)]


@pytest.fixture(scope="module")
async def report(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two policies, one of which lets a bad result pass."""
    for asks in ("all", "each"):
        await system.client.put_judge_policy({"name": "seen", "stages": [{"kind": "single"}], "asks": asks})
    await system.client.put_judge_policy({"name": "looked", "stages": [{"kind": "checks"}, {"kind": "single"}]})
    return await evaluate(system, labelled(), tmp_path_factory.mktemp("report"), "seen", "looked")


@pytest.mark.parametrize("widths", WIDTHS)
async def test_an_evaluation_is_read_on_the_page(visitor: Visitor, report: Path, widths: tuple[int, ...]):
    page = await visitor.arrive("/quality/judges", size=(widths[0], 900))
    await page.get_by_role("link", name="Evaluations").click()
    await page.get_by_label("Report").set_input_files(report)
    own = page.get_by_role("region", name="looked", exact=True)
    await expect(own.get_by_role("row", name="Labelled bad")).to_contain_text("1 false accepts", use_inner_text=True)
    await expect(page.get_by_role("region", name="In all")).to_contain_text("by McNemar's exact test")
    disagreements = page.get_by_role("region", name="Disagreements")
    await disagreements.get_by_text("Inspect it by night").click()
    await disagreements.get_by_role("button", name="north quay").first.click()
    await expect(disagreements.locator("mark[aria-current]")).to_have_text("north quay")
    await page.get_by_role("main").evaluate("(main) => main.scrollTo(0, 0)")
    await keep(page, f"evaluation-{widths[0]}")
    await disagreements.scroll_into_view_if_needed()
    assert await shifted(page) + await found_at(page, "evaluation-end", widths) == []
