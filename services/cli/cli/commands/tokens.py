"""The groups `signoff tokens` and `signoff sessions`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.options import parse_seconds
from cli.output import PART_MIN_CHARS, Output, format_time, name_tenants
from cli.parameters import UUID_CHARS, PageSize, PageToken
from cli.session import Session, command, make_app
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.errors import ErrorCode
from signoff.status import Role

if TYPE_CHECKING:
    from signoff.identity import AccessToken
    from signoff.identity_client import MadeToken

app = make_app("Make, rotate and revoke tokens, each with a name, a role, and the tenants that it is of.")
sessions_app = make_app("List and end sessions: of people who signed in at the page, or by `signoff login`.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")]


@command(app, "create")
async def create(  # noqa: PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    name: Annotated[str, typer.Option(help="Its name: its holder is token:<name> in logs.")],
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What it allows.")],
    tenant: Annotated[
        list[str] | None, typer.Option(help="A tenant that it is of. May be repeated; not given: that of the profile.")
    ] = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="Of all tenants, those to come, too.")] = False,
    lasts: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="How long it lasts: 12h, 30d; without, until it is revoked.")
    ] = None,
) -> None:
    """Make a token, and print it: alone on standard output, this once."""
    of_profile = [cli.target.tenant] if cli.target.tenant and not all_tenants else []
    tenants = tenant or of_profile
    if bool(tenants) == all_tenants:
        raise typer.BadParameter("give the tenants that it is of, or --all-tenants", param_hint="--tenant")
    lasts_s = None if lasts is None else float(parse_seconds(lasts, "--lasts"))
    made = await jobstore.create_token(name=name, role=role, tenants=tenants, all_tenants=all_tenants, lasts_s=lasts_s)
    _print_secret(cli.out, made, "is shown this once: keep it where its holder finds it")


@command(app, "list")
async def list_(
    cli: Session,
    jobstore: AsyncClient,
    include_ended: Annotated[
        bool, typer.Option("--include-ended", help="Those that have ended, or were revoked, too.")
    ] = False,
    page_size: PageSize = 100,
    page_token: PageToken = "",
) -> None:
    """List tokens, newest first, without their texts."""
    tokens, token = await jobstore.list_tokens(include_ended=include_ended, page_size=page_size, page_token=page_token)
    cli.out.print_page(tokens, token)
    columns = ["name", "role", "tenants", "begins", "made", "by", "ends", "last used"]
    cli.out.print_table(
        columns,
        [
            (
                each.name,
                each.role,
                name_tenants(each),
                each.hint,
                format_time(each.created_at),
                each.created_by,
                _describe_end(each),
                format_time(each.last_used_at) if each.last_used_at else "",
            )
            for each in tokens
        ],
    )
    cli.out.print_next_page_token(token)


@command(app, "rotate")
async def rotate(
    cli: Session,
    jobstore: AsyncClient,
    name: Name,
    overlap: Annotated[
        str, typer.Option(metavar="LENGTH", help="How long those before go on: 90s, 15m, 1h, 2d; 0s: they end now.")
    ] = "1d",
) -> None:
    """Make another token of a name, and print it; those before end after an overlap."""
    made = await jobstore.rotate_token(name, overlap_s=float(parse_seconds(overlap, "--overlap")))
    _print_secret(cli.out, made, f"is shown this once; those before end after {overlap}")


@command(app, "revoke")
async def revoke(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """End all tokens of a name within a second, and the sessions that came of them."""
    await jobstore.revoke_token(name)
    cli.out.print({"revoked": name}, f"{name} is revoked")


@command(sessions_app, "list")
async def list_sessions(
    cli: Session, jobstore: AsyncClient, page_size: PageSize = 100, page_token: PageToken = ""
) -> None:
    """List open sessions, newest first: one's own, or, to administrators, those of their tenants."""
    sessions, token = await jobstore.list_sessions(page_size=page_size, page_token=page_token)
    columns = {
        "id": lambda each: each.id,
        "of": lambda each: each.name,
        "role": lambda each: each.role,
        "tenants": name_tenants,
        "at": lambda each: each.client,
        "begun": lambda each: format_time(each.created_at),
        "ends": lambda each: format_time(each.ends_at) if each.ends_at else "",
        "last used": lambda each: format_time(each.last_used_at) if each.last_used_at else "",
    }
    cli.out.print_items(sessions, token, columns, spared=["last used", "begun"])


@command(sessions_app, "end")
async def end(
    cli: Session,
    jobstore: AsyncClient,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, or the beginning or end of its id.")],
) -> None:
    """End a session within a second, with its streams, wherever it is used."""
    session_id = await _find_session_id(jobstore, session)
    await jobstore.end_session(session_id)
    cli.out.print({"ended": session_id}, f"the session {session_id} is ended")


async def _find_session_id(jobstore: AsyncClient, given: str) -> str:
    """Return the id of the only session whose id begins or ends with `given`; else `given`."""
    if not PART_MIN_CHARS <= len(given) < UUID_CHARS:
        return given
    ids = [each.id for each in await list_all(jobstore.iter_sessions())]
    found = [each for each in ids if each.startswith(given) or each.endswith(given)]
    if len(found) > 1:
        raise CommandError(f"{given} may be {' or '.join(found[:2])}: give more of it", code=ErrorCode.AMBIGUOUS_ID)
    return found[0] if found else given


def _describe_end(token: "AccessToken") -> str | Styled:
    if token.revoked_at is not None:
        return Styled(f"revoked {format_time(token.revoked_at)}", "magenta")
    return format_time(token.ends_at) if token.ends_at else ""


def _print_secret(out: Output, made: "MadeToken", note: str) -> None:
    """Print the text of a new token on standard output, and on standard error whose it is."""
    holder = f"{made.token.name}, {made.token.role} of {name_tenants(made.token)},"
    if out.as_json:
        out.print_json({"token": made.token, "secret": made.secret})
    else:
        out.print_aside({}, Styled(f"the token of {holder} {note}"))
        out.print_line(made.secret)
