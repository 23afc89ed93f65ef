"""The commands `signoff login`, `signoff logout`, `signoff whoami` and `signoff profiles`."""

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import find_given, parse_seconds
from cli.output import format_time, name_tenants
from cli.profiles import TLS_OPTIONS, Profile, changing_profiles, find_profile, keep_profile, read_profiles
from cli.session import Session, Target, command, connect, make_app
from cli.terminal import Styled
from contracts.tokens import is_mistyped
from signoff import AsyncClient, UnauthenticatedError
from signoff.errors import ErrorCode
from signoff.tls import SYSTEM
from signoff.values import time_text

if TYPE_CHECKING:
    from servicekit.oidc import Device
    from signoff.identity_client import BegunSession, SignIn

app = make_app()
profiles_app = make_app("Choose among the jobstores and users that one has signed in to.", has_default=True)

ProfileName = Annotated[str, typer.Argument(metavar="NAME", help="The profile's name.")]


@command(app, "login", signs_in=True)
async def login(
    cli: Session,
    by_token: Annotated[
        bool, typer.Option("--token", help="By a token, from standard input, or typed unseen at a terminal.")
    ] = False,
    lasts: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="How long the session lasts: 1h, 30d at most; without, 12h.")
    ] = None,
) -> None:
    """Sign in, and keep the session for later commands: for this user and this jobstore alone.

    Where people sign in at a provider of identities, it shows an address to open in any browser, and a code to enter
    there. The session is kept in a profile, which is named like the jobstore's address, or by --profile. A token in
    --token-file is taken, too.
    """
    lasts_s = None if lasts is None else float(parse_seconds(lasts, "--lasts"))
    address = cli.require_jobstore()
    if "://" in address:
        raise typer.BadParameter("it is HOST:PORT, where gRPC is; the console's address is --http", param_hint="--url")
    session, secret = await _begin_session(cli, lasts_s, by_token=by_token)
    before = cli.target.profile or Profile(address, address)
    await _end_session(cli, before)
    ends_at = time_text(session.ends_at) if session.ends_at else None
    http = cli.target.http or before.http
    files: dict[str, Any] = {name: _find_file(getattr(cli.target, name)) for name in TLS_OPTIONS}
    keep_profile(replace(before, token=secret, user=session.name, ends_at=ends_at, http=http, **files))
    document = {"profile": before.name, "jobstore": address, "session": session}
    who = f"{session.name}, {session.role} of {name_tenants(session)}"
    cli.out.print(document, f"signed in to {address} as {who}: kept in the profile {before.name}")
    if variable := next((name for name in ("SIGNOFF_TOKEN", "SIGNOFF_TOKEN_FILE") if os.environ.get(name)), None):
        cli.out.warn(f"{variable} is set, and goes before the profile: unset it to be {session.name}")


@command(app, "logout")
async def logout(cli: Session) -> None:
    """End the session of the profile, everywhere, and forget it."""
    profile = cli.target.profile
    if profile is None or profile.token is None:
        cli.out.print({"signed_out": False}, "nobody is signed in: there is nothing to end")
        return
    await _end_session(cli, profile)
    keep_profile(profile.sign_out())
    document = {"signed_out": True, "profile": profile.name, "jobstore": profile.jobstore}
    cli.out.print(document, f"signed out of {profile.jobstore}")


@command(app, "whoami")
async def whoami(cli: Session, jobstore: AsyncClient) -> None:
    """Show who one is: name, role, tenants and end, and where the credential comes from."""
    caller, target = await jobstore.get_caller(), cli.target
    own = {
        "jobstore": target.jobstore,
        "credential": target.credential,
        "profile": target.profile and target.profile.name,
        "tenant": target.tenant,
    }
    cli.out.print_json({"caller": caller, **find_given(**own)})
    cli.out.print_fields(
        ("name", caller.name),
        ("actor", caller.actor),
        ("role", caller.role),
        ("tenants", name_tenants(caller)),
        ("tenant", target.tenant),
        ("ends", format_time(caller.ends_at) if caller.ends_at else "never"),
        ("jobstore", target.jobstore),
        ("credential", target.credential),
    )


@command(profiles_app, "list")
async def list_(cli: Session) -> None:
    """List the profiles; `*` marks the one that is used now."""
    used = cli.target.profile and cli.target.profile.name
    profiles = list(read_profiles().values())
    members = ("name", "jobstore", "http", "tenant", "user", "ends_at")
    items = [
        {**find_given(**{member: getattr(each, member) for member in members}), "used": each.name == used}
        for each in profiles
    ]
    cli.out.print_page(items, "")
    if not profiles:
        cli.out.print_line("there is none: `signoff login` makes one")
        return
    columns = ["", "name", "jobstore", "tenant", "signed in as", "ends"]
    rows = [
        ("*" if each.name == used else "", each.name, each.jobstore, each.tenant, each.user, each.ends_at)
        for each in profiles
    ]
    cli.out.print_table(columns, rows)


@command(profiles_app, "use")
async def use(cli: Session, name: ProfileName) -> None:
    """Use a profile from now on, where neither --profile nor a jobstore is named."""
    keep_profile(find_profile(read_profiles(), name))
    cli.out.print({"profile": name}, f"{name} is used")


@command(profiles_app, "remove")
async def remove(cli: Session, name: ProfileName) -> None:
    """Forget a profile. Its session goes on until its end: `signoff logout` ends it."""
    with changing_profiles() as profiles:
        del profiles[find_profile(profiles, name).name]
    cli.out.print({"removed": name}, f"{name} is forgotten")


def _find_file(name: str | None) -> str | None:
    """Return the name of a file of TLS by which commands in other folders find it, too."""
    return name if name in {None, SYSTEM} else str(Path(name).absolute())


async def _begin_session(cli: Session, lasts_s: float | None, *, by_token: bool) -> "BegunSession":
    """Begin a session by the token that is given, else by the provider where people sign in, else by a token typed."""
    if not cli.target.given_by and not by_token:
        async with connect(replace(cli.target, token=None)) as jobstore:
            sign_in = await jobstore.get_sign_in()
            if sign_in.issuer:
                return await _sign_in_by_device(cli, jobstore, sign_in, lasts_s)
    target = cli.target if cli.target.given_by and not by_token else _read_token(cli)
    if target.token and is_mistyped(target.token):  # it is sent to nobody
        where = f" of {target.given_by}" if target.given_by else ""
        message = f"the token{where} has a wrong character, or lacks some: copy it whole"
        raise CommandError(message, code=ErrorCode.UNAUTHENTICATED)
    async with connect(target) as jobstore:
        return await jobstore.create_session("cli", lasts_s=lasts_s)


async def _sign_in_by_device(
    cli: Session, jobstore: AsyncClient, sign_in: "SignIn", lasts_s: float | None
) -> "BegunSession":
    from cli.device import sign_in_by_device  # noqa: PLC0415 - heavy

    if cli.target.is_found:  # its author would get what signs in at another jobstore
        message = f"{cli.target.file} names {cli.target.jobstore}: name it yourself, with --jobstore, to sign in there"
        raise CommandError(message, code=ErrorCode.TOKEN_FOR_ANOTHER)

    def show(device: "Device") -> None:
        address = device.verification_uri_complete or device.verification_uri
        text = f"open {address} in any browser, check or enter the code {device.user_code} there, and agree"
        cli.out.print_aside({"sign_in": {"address": address, "user_code": device.user_code}}, Styled(text))

    return await sign_in_by_device(jobstore, sign_in, show, lasts_s)


def _read_token(cli: Session) -> Target:
    """Return the target with a token that is typed at the terminal, which shows nothing of it, or piped."""
    if sys.stdin.isatty():
        token, given_by = typer.prompt(f"token for {cli.target.jobstore}", hide_input=True, err=True), None
    else:
        token, given_by = sys.stdin.readline(), "standard input"
    if not (token := token.strip()):
        raise CommandError("no token was given: nobody is signed in", code=ErrorCode.UNAUTHENTICATED)
    return replace(cli.target, token=token, given_by=given_by, profile=None)


async def _end_session(cli: Session, profile: Profile) -> None:
    """End the session of a profile at its jobstore, if the profile has one that has not ended."""
    if profile.token is not None:
        async with connect(replace(cli.target, token=profile.token, given_by=None)) as jobstore:
            with suppress(UnauthenticatedError):
                await jobstore.end_session()
