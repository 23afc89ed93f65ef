"""How pages look: a picture of each is kept, taken with the clock and all that they read fixed.

With `SIGNOFF_WRITE_EXPECTED=1` the pictures are written anew, for somebody to look at before they are committed.
"""

import json
import os
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import format_datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from picture_data import NOW, find_answer
from PIL import Image, ImageChops
from playwright.async_api import Browser, Page, Route
from support.system import System
from visitor import DESK, PHONE, SCREENSHOTS, Theme, settled

PICTURES = Path(__file__).with_name("pictures")
#: What may differ between two machines: of all pixels one in a thousand, and each by a shade.
DIFFERENT_MAX, SHADE_MAX = 0.001, 16
WIDE = (1440, 900)
PAGES: dict[str, tuple[str, tuple[int, int], Theme]] = {
    "inbox": ("/", DESK, "light"),
    "inbox-dark": ("/", WIDE, "dark"),
    "inbox-phone": ("/", PHONE, "light"),
    "jobs": ("/jobs", WIDE, "light"),
    "jobs-dark": ("/jobs", DESK, "dark"),
    "jobs-phone": ("/jobs", PHONE, "dark"),
    "job": ("/jobs/inspection", DESK, "light"),
    "job-dark": ("/jobs/inspection", WIDE, "dark"),
    "job-phone": ("/jobs/inspection", PHONE, "light"),
    "job-failed": ("/jobs/failed", DESK, "light"),
    "batches": ("/batches", DESK, "light"),
    "batch": ("/batches/1b6d3c1e-2f0a-4b7e-8a53-6a4f0f1f9c22", DESK, "light"),
    "agents": ("/agents", DESK, "light"),
    "agent": ("/agents/writer", DESK, "dark"),
    "quality": ("/quality", DESK, "light"),
    "judge": ("/quality/judges/strict", DESK, "dark"),
    "system": ("/system", DESK, "light"),
    "workers": ("/system/workers", DESK, "light"),
    "kept": ("/system/kept", DESK, "light"),
    "dead-letters": ("/system/dead-letters", DESK, "dark"),
    "new": ("/new", DESK, "light"),
}
#: A stream that has begun, and of which nothing comes.
SILENT = """window.EventSource = class {
  constructor() {
    this.heard = {};
    setTimeout(() => { this.onopen?.(); this.heard.hello?.({ data: '{"cursor": 1}' }); });
  }
  addEventListener(name, hear) { this.heard[name] = hear; }
  close() {}
};"""


async def answer(route: Route) -> None:
    found = find_answer(urlsplit(route.request.url).path)
    assert found is not None, f"{route.request.url} has no example"
    date = format_datetime(datetime.fromisoformat(NOW), usegmt=True)
    await route.fulfill(status=200, body=json.dumps(found), headers={"Date": date, "Content-Type": "application/json"})


@pytest.fixture
async def still(browser: Browser, system: System, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page at which nothing happens, whenever and wherever it is opened."""
    _, size, theme = request.param
    context = await browser.new_context(
        base_url=system.endpoints["http"],
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
        has_touch=size == PHONE,
        is_mobile=size == PHONE,
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(NOW)
    await page.add_init_script(SILENT)
    await page.route("**/api/**", answer)
    yield page
    await context.close()


@pytest.mark.parametrize(("name", "still"), list(PAGES.items()), ids=list(PAGES), indirect=["still"])
async def test_a_page_looks_as_it_did(still: Page, name: str):
    await still.goto(PAGES[name][0])
    await settled(still)
    await still.wait_for_load_state("networkidle")  # parts that are drawn once they are loaded, and fonts
    await still.evaluate("document.fonts.ready")
    taken = await still.screenshot(animations="disabled", caret="hide")
    kept = PICTURES / f"{name}.png"
    if os.environ.get("SIGNOFF_WRITE_EXPECTED"):
        PICTURES.mkdir(exist_ok=True)
        Image.open(BytesIO(taken)).convert("RGB").save(kept, optimize=True)
    different = compare(taken, kept)
    if different > DIFFERENT_MAX:
        SCREENSHOTS.mkdir(exist_ok=True)
        (SCREENSHOTS / f"picture-{name}.png").write_bytes(taken)
    assert different <= DIFFERENT_MAX, f"{different:.2%} of {name} differ: see {SCREENSHOTS.name}/picture-{name}.png"


def compare(taken: bytes, kept: Path) -> float:
    """Return the share of pixels that differ by more than a shade."""
    new, old = Image.open(BytesIO(taken)).convert("RGB"), Image.open(kept).convert("RGB")
    if new.size != old.size:
        return 1.0
    shades = ImageChops.difference(new, old).convert("L").histogram()
    return sum(shades[SHADE_MAX + 1 :]) / (new.width * new.height)
