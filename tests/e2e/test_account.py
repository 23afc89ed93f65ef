"""Who one is at the page: what one may, of which tenants, and how that ends."""

from playwright.async_api import Page, expect
from support.system import System
from visitor import BOTH, DESK, PHONE, Visitor, find_in_menu, fitted, found_in, keep, settled

from contracts.resources import NewToken
from signoff.status import Role


async def arrive_as(visitor: Visitor, secret: str, path: str = "/", **options) -> Page:
    """Open a browser of whoever has a token."""
    page = await visitor.arrive("/login", signed_in=False, **options)
    await page.get_by_label("Token").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Account")).to_be_visible()
    await page.goto(path)
    await expect(page.get_by_role("button", name="Account")).to_be_visible()  # until then nobody is known to be in
    return page


async def token_of(system: System, name: str, role: Role, *tenants: str) -> str:
    for tenant in tenants:
        await system.client.create_tenant(name=tenant)
    return (await system.client.create_token(NewToken(name=name, role=role, tenants=list(tenants)))).secret


async def test_a_viewer_is_offered_what_she_may_and_told_which_role_the_rest_needs(visitor: Visitor, system: System):
    job = await system.create(tenant="looking", agent_id=None, title="What a viewer sees")
    page = await arrive_as(visitor, await token_of(system, "vera", Role.VIEWER, "looking"), f"/jobs/{job.id}")
    needs = "It needs the role operator or administrator; you are viewer of looking."
    assign = await find_in_menu(page, "Assign")
    await expect(assign).to_have_attribute("title", needs)
    await assign.click(force=True)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Account").click()
    account = page.get_by_role("dialog", name="Account")
    await expect(account.get_by_text("viewer of looking")).to_be_visible()
    await expect(account.get_by_role("link")).to_have_text(["Sessions", "Tenants"])
    await account.get_by_role("link", name="Sessions").click()
    await expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
    await expect(page.get_by_text(", this one")).to_be_visible()


async def test_an_administrator_makes_a_token_and_revokes_it(visitor: Visitor):
    page = await visitor.arrive("/tokens")
    await page.get_by_role("button", name="Make a token").click()
    await page.get_by_label("Name", exact=True).fill("tom")
    await page.get_by_label("Tenants", exact=True).fill("default")
    await page.get_by_role("button", name="Make", exact=True).click()
    dialog = page.get_by_role("dialog", name="Token of tom")
    secret = await dialog.locator("code").inner_text()
    assert not await found_in(page, "over-secret", *BOTH)
    await dialog.get_by_role("button", name="Done").click()
    other = await arrive_as(visitor, secret)
    await page.get_by_role("button", name="Revoke tom").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("button", name="Revoke tom")).to_have_count(0)
    visitor.tolerate("401")
    # His session came of the token, and has ended with it: the event stream says so, and nothing else asks.
    await expect(other.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_label("Action").fill("revoke_token")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("list", name="Entries").get_by_text("tom").first).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export as JSON lines").click()
    assert '"action":"revoke_token"' in (await (await download.value).path()).read_text("utf-8")


async def test_one_tenant_is_shown_in_this_tab(visitor: Visitor, system: System):
    for tenant in ("apples", "pears"):
        await system.create(tenant=tenant, agent_id=None, title=f"Count the {tenant}")
        await system.client.put_judge_policy({"name": f"{tenant}.strict", "asks": "each"})
    secret = await token_of(system, "gardener", Role.OPERATOR, "apples", "pears")
    page = await arrive_as(visitor, secret, "/jobs")
    rows = page.get_by_role("link", name="Count the")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Tenant", exact=True).select_option("pears")
    await expect(rows).to_have_text(["Count the pears"])
    await page.reload()
    await expect(rows).to_have_text(["Count the pears"])
    await keep(page, "tenant-switch")
    await page.goto("/quality/judges")
    policies = page.get_by_role("region", name="Judge policies").get_by_role("link", name=".strict")
    await expect(policies).to_have_text(["pears.strict"])
    await page.get_by_label("Tenant", exact=True).select_option("")
    await expect(policies).to_have_text(["apples.strict", "pears.strict"])
    await page.get_by_label("Tenant", exact=True).select_option("pears")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await page.get_by_role("link", name="New job").click()
    await expect(page.locator("main").get_by_label("Tenant")).to_have_value("pears")
    assert not await fitted(page, PHONE[0])
    other = await page.context.new_page()
    await other.goto("/jobs")
    await expect(other.get_by_role("link", name="Count the")).to_have_count(2)


async def test_what_opens_of_the_account_is_accessible_and_fits(visitor: Visitor, system: System):
    secret = await token_of(system, "chief", Role.ADMINISTRATOR, "apples", "pears")
    found = {}
    for size in (DESK, PHONE):
        page = await arrive_as(visitor, secret, "/tokens", size=size)
        await settled(page)
        for name, opened in {
            "account": page.get_by_role("button", name="Account"),
            "make": page.get_by_role("button", name="Make a token"),
            "rotate": page.get_by_role("button", name="Rotate chief"),
        }.items():
            await opened.click()
            await expect(page.locator("[role=dialog], [role=alertdialog]").first).to_be_visible()
            found[name, size] = await found_in(page, f"over-{name}-{size[0]}", *BOTH) + await fitted(page, size[0])
            await page.keyboard.press("Escape")
            await expect(page.locator("[role=dialog], [role=alertdialog]")).to_have_count(0)
    assert {name: problems for name, problems in found.items() if problems} == {}
