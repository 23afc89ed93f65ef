"""The group `signoff tenants`."""

import os
from dataclasses import replace
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.options import find_given, validate_resource
from cli.parameters import PageSize, PageToken
from cli.profiles import Profile, keep_profile
from cli.session import Session, command, make_app
from signoff import AsyncClient
from signoff.errors import ErrorCode

app = make_app("Register tenants, to whom jobs, agents and all else belong; and choose among them.")

_COLUMNS = {
    "name": lambda tenant: tenant.name,
    "title": lambda tenant: tenant.title or "",
    "created by": lambda tenant: tenant.created_by or "",
    "before 0.3.0": lambda tenant: tenant.renamed_from or "",
}


@command(app, "create")
async def create(
    cli: Session,
    jobstore: AsyncClient,
    name: Annotated[str, typer.Argument(help="1 to 40 characters of a-z, 0-9 and -, for good.")],
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
) -> None:
    """Register a tenant: ids that are chosen in it begin with `<name>:`."""
    new = validate_resource("NewTenant", {"name": name} | find_given(title=title), "the tenant")
    tenant = await jobstore.create_tenant(new)
    cli.out.print(tenant, f"{tenant.name}: registered")


@command(app, "list")
async def list_(cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List the tenants that the token is of, by name."""
    page = await jobstore.list_tenants(page_size=page_size, page_token=page_token)
    cli.out.print_items(*page, _COLUMNS)


@command(app, "use")
async def use(
    cli: Session,
    jobstore: AsyncClient,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of those that `signoff tenants list` shows.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Be of no tenant in particular again.")] = False,
) -> None:
    """Be of a tenant from now on: commands are for it where they name none. It is kept in the profile."""
    if (name is None) is not none:
        raise typer.BadParameter("is needed, or --none", param_hint="NAME")
    if name is not None and name not in [each.name async for each in jobstore.iter_tenants()]:
        message = f"there is no tenant {name} among yours: `signoff tenants list` shows them"
        raise CommandError(message, code=ErrorCode.UNKNOWN_TENANT)
    address = cli.require_jobstore()
    profile = replace(cli.target.profile or Profile(address, address), tenant=name)
    keep_profile(profile)
    words = f"commands are for {name} now" if name else "commands are for no tenant in particular"
    cli.out.print({"profile": profile.name, "tenant": name}, f"{words} (the profile {profile.name})")
    if name != (now := os.environ.get("SIGNOFF_TENANT")) and now:
        cli.out.warn(f"SIGNOFF_TENANT is set, and goes before the profile: unset it, or commands are for {now}")
