"""One running system and one browser for all tests of the page.

Where there is no browser, these tests are skipped, and the closing line says so.
"""

import os
from collections.abc import AsyncIterator

import pytest
from chromium import NO_BROWSER, find
from playwright.async_api import Browser, Page, async_playwright, expect
from support.system import Agent, Judge, System, running
from visitor import SCREENSHOTS, Visitor

from contracts.resources import NewAgent

#: However busy the machine is.
WAIT_MS = 60_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium = find()
    if chromium is None:
        pytest.skip(NO_BROWSER)
    args = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path, args=args, env={**os.environ, **chromium.env}
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def agent() -> AsyncIterator[Agent]:
    scripted = Agent()
    async with scripted.serving():
        yield scripted


@pytest.fixture(scope="session")
async def judge() -> AsyncIterator[Judge]:
    judge = Judge()
    await judge.start()
    yield judge
    await judge.stop()


@pytest.fixture(scope="session")
async def system(
    browser: Browser, agent: Agent, judge: Judge, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    del browser  # without one, nothing is started
    archive = str(tmp_path_factory.mktemp("archive"))
    async with running(
        tmp_path_factory.mktemp("signoff"), judge, SIGNOFF_ARCHIVE=archive, SIGNOFF_ARCHIVE_EVERY_S="1"
    ) as system:
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        yield system


@pytest.fixture
async def visitor(browser: Browser, system: System, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    visitor = Visitor(browser, system)
    yield visitor
    failed = getattr(request.node, "has_failed", False)
    if failed:
        await keep_all(visitor, f"failed-{request.node.name}")
    await visitor.leave()
    assert failed or visitor.intolerable() == []


async def keep_all(visitor: Visitor, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    for number, page in enumerate(page for context in visitor.contexts for page in context.pages):
        await page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png")


@pytest.fixture
async def page(visitor: Visitor) -> Page:
    """The list of jobs, in a window of whoever is signed in."""
    return await visitor.arrive("/jobs")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    if call.when == "call" and report.failed:
        item.has_failed = True
    return report
