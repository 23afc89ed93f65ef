"""Somebody at a browser, who notes all that it complains of."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect
from support.system import System

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).with_name("screenshots")
AXE = ROOT / "services/console/web/node_modules/axe-core/axe.min.js"
#: WCAG 2.2 AA, and what axe itself calls good practice; of these what a theme may change.
AXE_RUN = """axe.run({resultTypes: ["violations"], runOnly: RULES}).then((results) => JSON.stringify(
  results.violations.map(({id, nodes}) => [
    id, nodes.slice(0, 3).map(({html, failureSummary}) => `${html.slice(0, 200)}: ${failureSummary}`)
  ])
))"""
ALL_RULES, RULES_OF_COLOURS = "undefined", '["color-contrast", "link-in-text-block"]'
OVERFLOW = """() => {
  const isCut = (element) => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
      const { overflowX, position } = getComputedStyle(box);
      if (overflowX !== "visible") return true;
      if (position === "fixed") return false;
    }
    return false;
  };
  const wide = [document.scrollingElement, document.querySelector("main")]
    .filter((box) => box && box.scrollWidth > box.clientWidth)
    .map((box) => `${box.localName} scrolls sideways`);
  const beyond = [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !isCut(element))
    .map((element) => element.outerHTML.slice(0, 120));
  return [...wide, ...beyond];
}"""
# The page's policy answers for itself: no violation may pass unseen, whatever the console says of it.
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`securitypolicyviolation: ${event.violatedDirective} ${event.blockedURI}`));"""
# What moved by itself: shifts soon after an input are the input's, and do not count.
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries()) {
    if (hadRecentInput) continue;
    const moved = sources.map(({ node, previousRect: a, currentRect: b }) => [
      (node?.outerHTML ?? node?.textContent ?? "removed").slice(0, 100),
      [a.x, a.y, a.width, a.height].map(Math.round), [b.x, b.y, b.width, b.height].map(Math.round)]);
    window.shifts.push({ value, moved });
  }
}).observe({ type: "layout-shift", buffered: true });"""

Theme = Literal["light", "dark"]
BOTH: tuple[Theme, Theme] = ("dark", "light")
DESK, PHONE = (1280, 800), (390, 844)


@dataclass
class Visitor:
    """Signed in, unless told otherwise. What the browser complains of fails the test, but for what is `tolerated`."""

    browser: Browser
    system: System
    complaints: list[str] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def arrive(
        self, path: str = "/", *, size: tuple[int, int] = DESK, theme: Theme = "light", signed_in: bool = True
    ) -> Page:
        """Open a browser of one's own at a page."""
        context = await self.browser.new_context(
            base_url=self.system.endpoints["http"],
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            reduced_motion="reduce",
            has_touch=size == PHONE,
            is_mobile=size == PHONE,
        )
        self.contexts.append(context)
        await context.add_init_script(VIOLATIONS)
        await context.add_init_script(SHIFTS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_request_failed)
        if signed_in:
            code = await self.system.client.create_login_code()
            answer = await context.request.post("/login", headers={"Authorization": f"Login-Code {code}"})
            assert answer.ok
        return await self.open_window(context, path)

    async def open_window(self, context: BrowserContext, path: str = "/") -> Page:
        """Another window of the same browser."""
        page = await context.new_page()
        await page.goto(path)
        return page

    def tolerate(self, pattern: str) -> None:
        """Let the browser complain of what the test brings about itself."""
        self.tolerated.append(pattern)

    def intolerable(self) -> list[str]:
        return [text for text in self.complaints if not any(re.search(each, text) for each in self.tolerated)]

    async def leave(self) -> None:
        for context in self.contexts:
            await context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _on_request_failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # given up by the page itself, as whenever it is left
            self.complaints.append(f"a request failed: {request.failure} ({request.url})")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.netloc != urlsplit(self.system.endpoints["http"]).netloc:
            self.complaints.append(f"a request to another host: {request.url}")


async def settled(page: Page) -> None:
    """Wait until the page has read what it shows."""
    await expect(page.locator("main > *").first).to_be_attached()
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def confirm(page: Page, verb: str) -> None:
    """Press the button of an action, and then the same verb in the dialog that asks."""
    await page.get_by_role("button", name=verb, exact=True).click()
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name=verb, exact=True).click()
    await expect(dialog).to_have_count(0)


def menu_of_head(page: Page) -> Locator:
    """The button of the menu that the head of a page has."""
    return page.get_by_role("group", name="Actions").get_by_role("button", name=re.compile("^More for "))


async def find_in_menu(page: Page, name: str) -> Locator:
    """Open the menu of a page's head and return what it has of this name."""
    await menu_of_head(page).click()
    return page.get_by_role("menuitem", name=name, exact=True)


async def open_entries(page: Page) -> Locator:
    """Turn from where a job's time went to the entries of its log; return the history."""
    history = page.get_by_role("region", name="History")
    await history.get_by_role("tab", name="Entries").click()
    return history


def badge(page: Page | Locator, status: str) -> Locator:
    """The badge of a status, by its words."""
    return page.locator("[data-status]").get_by_text(status, exact=True)


def row(page: Page, title: str) -> Locator:
    """The row of a job in the list."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=title, exact=True))


async def found_by_axe(page: Page, rules: str = ALL_RULES) -> list[Any]:
    """What axe finds by these rules; it is brought in from outside, past the page's policy."""
    session = await page.context.new_cdp_session(page)
    known = await session.send("Runtime.evaluate", {"expression": "typeof axe"})
    if known["result"]["value"] == "undefined":
        await session.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
    answer = await session.send(
        "Runtime.evaluate",
        {"expression": AXE_RUN.replace("RULES", rules), "awaitPromise": True, "returnByValue": True},
    )
    await session.detach()
    found: list[Any] = json.loads(answer["result"]["value"])
    return found


async def found_in(page: Page, name: str, *themes: Theme) -> list[Any]:
    """What axe finds, in each theme of what its colours may change, and what overflows; how the page looks is kept."""
    found, rules = [], ALL_RULES
    for theme in themes:
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # colours change at once
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        await keep(page, f"{name}-{theme}")
        found += await found_by_axe(page, rules)
        rules = RULES_OF_COLOURS
    return found + await overflowing(page)


async def fitted(page: Page, width: int) -> list[str]:
    """What reaches beyond a window of this width."""
    await page.set_viewport_size({"width": width, "height": 900})
    await settled(page)
    return await overflowing(page)


async def overflowing(page: Page) -> list[str]:
    """What reaches beyond the right edge of the window, where nothing scrolls it."""
    found: list[str] = await page.evaluate(OVERFLOW)
    return found


async def shifted(page: Page, most: float = 0.02) -> list[Any]:
    """What moved by itself since the page was opened, where that is more than `most` in all (Layout Instability)."""
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    shifts: list[Any] = await page.evaluate("window.shifts")
    total = sum(shift["value"] for shift in shifts)
    return [round(total, 3), shifts] if total > most else []


async def keep(page: Page, name: str) -> None:
    """Keep a screenshot as output of the test, but in CI, where nobody looks at those of tests that pass."""
    if os.environ.get("CI"):
        return
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")
