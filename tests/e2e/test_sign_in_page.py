"""People sign in at the provider of their organization, in a browser, and are back at the page that they asked for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from support.free_ports import free_port
from support.identity_providers import mock_server, oidc_provider
from support.oidc import CLIENT, SECRET, Provider
from support.real_console import RealConsole, real_console
from visitor import BOTH, DESK, PHONE, VIOLATIONS, fitted, found_in

from console.api.sign_in import PATH, SignIns
from jobstore.access.id_tokens import IdTokens
from jobstore.access.sign_in_rules import SignInRules
from servicekit import oidc

RULES = SignInRules.parse('[[rule]]\nclaims = { groups = "press" }\nrole = "operator"\ntenants = "all"')


@dataclass
class Place:
    """A console whose people sign in at a provider. `fill_in` is what a person does there."""

    console: RealConsole
    provider: Provider | None

    async def fill_in(self, page: Page) -> None:
        if await page.get_by_placeholder("Enter any login").count():
            await page.get_by_placeholder("Enter any login").fill("alice")
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("button", name="Continue").click()


@asynccontextmanager
async def console_at(postgres: str, issuer: str) -> AsyncIterator[RealConsole]:
    sign_ins = SignIns(oidc.Provider(issuer), CLIENT, SECRET, "Example", [bytes(32)])
    id_tokens = IdTokens(oidc.Provider(issuer), RULES, CLIENT)
    async with real_console(postgres, id_tokens=id_tokens, sign_ins=sign_ins) as console:
        yield console


@pytest.fixture(params=["our own", "oidc-provider", "oauth2-mock-server"])
async def place(request: pytest.FixtureRequest, postgres: str) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        port = free_port()
        match request.param:
            case "our own":
                own = await stack.enter_async_context(Provider().serving())
                yield Place(await stack.enter_async_context(console_at(postgres, own.issuer)), own)
            case "oidc-provider":
                console = await stack.enter_async_context(console_at(postgres, f"http://127.0.0.1:{port}"))
                await stack.enter_async_context(oidc_provider(port, f"{console.url}{PATH}/callback"))
                yield Place(console, None)
            case _:
                issuer = await stack.enter_async_context(mock_server(port, free_port()))
                yield Place(await stack.enter_async_context(console_at(postgres, issuer)), None)


@asynccontextmanager
async def open_page(browser: Browser, place: Place) -> AsyncIterator[tuple[Page, list[str]]]:
    """A window of a new browser, and what that complains of at the console's own pages."""
    complaints: list[str] = []
    context = await browser.new_context(base_url=place.console.url, reduced_motion="reduce")
    await context.add_init_script(VIOLATIONS)
    await context.route("**/*googleapis*/**", lambda route: route.abort())  # fonts of a provider's page

    def note(message) -> None:
        if message.type in {"error", "warning"} and message.location["url"].startswith(place.console.url):
            complaints.append(f"{message.text} ({message.location['url']})")

    context.on("console", note)
    yield await context.new_page(), complaints
    await context.close()


async def test_somebody_signs_in_and_is_at_the_page_that_was_asked_for(browser: Browser, place: Place) -> None:
    async with open_page(browser, place) as (page, complaints):
        await page.goto("/agents")
        await page.get_by_role("link", name="Sign in with Example").click()
        await place.fill_in(page)
        await expect(page.get_by_role("heading", name="Agents")).to_be_visible()
        assert page.url == f"{place.console.url}/agents"
        await expect(page.get_by_text("writer").first).to_be_visible()
        cookies = {cookie["name"].rpartition("_")[0]: cookie for cookie in await page.context.cookies(page.url)}
        assert (cookies["signoff_session"]["httpOnly"], cookies["signoff_session"]["sameSite"]) == (True, "Strict")
        assert "signoff_sign_in" not in cookies
        assert [each for each in complaints if "401" not in each] == []  # before there was a session


async def test_somebody_without_a_role_is_told_so_at_the_page(browser: Browser, postgres: str) -> None:
    async with Provider().serving() as provider, console_at(postgres, provider.issuer) as console:
        provider.person = {"sub": "bob", "preferred_username": "bob"}
        async with open_page(browser, Place(console, provider)) as (page, _):
            await page.goto("/login")
            await page.get_by_role("link", name="Sign in with Example").click()
            await expect(page.get_by_role("alert")).to_contain_text("gives bob a role: ask an administrator")
            assert page.url == f"{console.url}/login"
            found = await found_in(page, "sign-in-provider", *BOTH)
            assert found + [each for size in (DESK, PHONE) for each in await fitted(page, size[0])] == []
            provider.person = {**provider.person, "groups": ["press"]}
            await page.get_by_role("link", name="Sign in with Example").click()
            await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


async def test_the_way_back_of_a_provider_opens_nothing_twice_or_elsewhere(browser: Browser, postgres: str) -> None:
    async with Provider().serving() as provider, console_at(postgres, provider.issuer) as console:
        place, ways_back = Place(console, provider), []
        async with open_page(browser, place) as (page, _):
            page.on("request", lambda request: ways_back.append(request.url) if "/callback" in request.url else None)
            await page.goto("/login")
            await page.get_by_role("link", name="Sign in with Example").click()
            await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
        (way_back,) = ways_back
        assert urlsplit(way_back).path == f"{PATH}/callback"
        async with open_page(browser, place) as (page, _):
            answer = await page.goto(way_back)
            assert answer is not None
            assert answer.status == 401
            await expect(page.get_by_role("alert")).to_contain_text("the sign-in is not accepted: sign in again")
            assert page.url == f"{console.url}/login"
            await page.goto("/")
            await expect(page.get_by_role("heading", name="Sign in to Signoff")).to_be_visible()
