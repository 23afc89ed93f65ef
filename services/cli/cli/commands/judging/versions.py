"""Options of what has names and versions: judge policies and criteria sets."""

from typing import Annotated

import typer

Version = Annotated[
    int | None, typer.Option(min=1, help="Show this one; the current one, or else the newest, when not given.")
]
Note = Annotated[str | None, typer.Option(help="A note on the version, for people.")]
ExpectedVersion = Annotated[
    int | None, typer.Option("--version", min=0, help="The newest version that you know; fail if there is another.")
]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept.")]
