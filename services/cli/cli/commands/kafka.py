"""The group `signoff kafka`."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli.session import Session, command, make_app
from contracts.grants import USERS, Grant, list_grants

app = make_app("Prepare Kafka: its users, and what each may do.")


@command(app, "users")
async def users(
    cli: Session,
    passwords: Annotated[
        list[str], typer.Argument(metavar="USER=FILE...", help="A user, and the file that holds its password.")
    ],
) -> None:
    """Make users that brokers know by SCRAM-SHA-512, or give them other passwords, as a user that may.

    Who may has Alter of the cluster (SIGNOFF_KAFKA_USER). Open connections go on; services read a new password from
    their SIGNOFF_KAFKA_PASSWORD_FILE.
    """
    given = dict(_read_password(pair) for pair in passwords)
    from servicekit.kafka.acls import make_users  # noqa: PLC0415 - heavy, and only needed here

    await make_users(cli.require_kafka(), given)
    cli.out.print({"users": list(given)}, f"{', '.join(given)}: made, or given the password of the file")


def _read_password(pair: str) -> tuple[str, str]:
    user, _, file = pair.partition("=")
    if not user or not file:
        raise typer.BadParameter(f"{pair!r}: give USER=FILE", param_hint="USER=FILE")
    try:
        password = Path(file).read_text().strip()
    except OSError as error:
        raise typer.BadParameter(f"no password in {file}: {error.strerror}", param_hint="USER=FILE") from error
    if not password:
        raise typer.BadParameter(f"no password in {file}: it is empty", param_hint="USER=FILE")
    return user, password


@command(app, "acls")
async def acls(
    cli: Session,
    user: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER=NAME", help="Another name of one of the users, as of its certificate; may come again."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the ACLs that are missing, as a user that may (SIGNOFF_KAFKA_USER).")
    ] = False,
) -> None:
    """Print what each user of Kafka needs to be allowed, by the catalogue of topics, or make these ACLs.

    The users are jobstore, executor, validator, upstream (services that ask for jobs and read facts) and operator (this
    command line). A console needs nothing of Kafka. READ and WRITE include DESCRIBE.
    """
    names = _read_names(user or [])
    grants = [grant._replace(user=names.get(grant.user, grant.user)) for grant in list_grants()]
    if not apply:
        cli.out.print_json([grant._asdict() for grant in grants])
        cli.out.print_table(["user", "may", "the", "named"], _list_rows(grants))
        return
    from servicekit.kafka.acls import apply_grants  # noqa: PLC0415 - heavy, and only needed here

    made = await apply_grants(cli.require_kafka(), grants)
    cli.out.print({"made": made, "there": len(grants) - made}, f"{made} ACLs made; {len(grants) - made} were there")


def _read_names(pairs: list[str]) -> Mapping[str, str]:
    names = {}
    for pair in pairs:
        user, _, name = pair.partition("=")
        if user not in USERS or not name:
            raise typer.BadParameter(f"{pair!r}: USER is one of {', '.join(USERS)}", param_hint="--user")
        names[user] = name
    return names


def _list_rows(grants: list[Grant]) -> list[tuple[str, ...]]:
    """Return a row for each user, kind of resource and operation, with the names."""
    rows: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for grant in grants:
        rows[grant.user, grant.operation, grant.resource].append(f"{grant.name}*" if grant.is_prefix else grant.name)
    return [(*row, ", ".join(named)) for row, named in rows.items()]
