"""The group `signoff kafka`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated

import typer

from cli.session import Session, command, make_app
from contracts.grants import USERS, Grant, list_grants

app = make_app("Prepare Kafka: what each service may do there.")


@app.callback()
def _keep_group() -> None:
    """Prepare Kafka: what each service may do there."""  # Typer takes a group of one command for that command


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
