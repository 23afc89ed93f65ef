"""The group `signoff tenants`."""

from typing import Annotated

import typer

from cli.options import find_given, validate_resource
from cli.parameters import PageSize, PageToken
from cli.session import Session, command, make_app
from signoff import AsyncClient

app = make_app("Register tenants: who jobs, agents and all else belong to.")

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
    cli.out.print(tenant.model_dump(mode="json", exclude_none=True), f"{tenant.name}: registered")


@command(app, "list")
async def list_(cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = "") -> None:
    """List the tenants that the token is of, by name."""
    page = await jobstore.list_tenants(page_size=page_size, page_token=page_token)
    cli.out.print_items(*page, _COLUMNS)
