"""The group `signoff criteria`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.judging.versions import ExpectedVersion, Note, Reason, Version
from cli.errors import CommandError, ExitStatus
from cli.session import Session, command, make_app
from cli.views.judges_view import show_criteria_set, show_criteria_sets, show_remarks, show_saved_set
from signoff.connection import list_all
from signoff.errors import ErrorCode

app = make_app("Keep criteria sets, which jobs choose by name, with versions; and find ambiguous criteria.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a criteria set.")]
Criteria = Annotated[
    list[str] | None,
    typer.Option("--criteria", metavar="TEXT", help="A criterion, as of `jobs create`. May be repeated."),
]
File = Annotated[
    str | None, typer.Option(metavar="FILE", help="A text with one criterion a line; - for standard input.")
]


@command(app, "list")
async def list_(cli: Session) -> None:
    """List criteria sets by name, and what came of the version that is current."""
    async with cli.jobstore() as jobstore:
        show_criteria_sets(cli.out, await list_all(jobstore.iter_criteria_sets()))


@command(app, "show")
async def show(
    cli: Session,
    name: Name,
    version: Version = None,
) -> None:
    """Show the criteria of a version, all versions, and what each accepted, failed and cost."""
    async with cli.jobstore() as jobstore:
        found = await jobstore.get_criteria_set(name)
        number = version or found.current or found.newest
        of_version = await jobstore.get_criteria_set(name, page_size=1, before=number + 1)
    shown = of_version.versions[0] if of_version.versions else None
    if shown is None or shown.version != number:
        raise CommandError(f"there is no criteria set {name}@{number}", code=ErrorCode.UNKNOWN_CRITERIA_SET)
    show_criteria_set(cli.out, found, shown)


@command(app, "set")
async def set_(
    cli: Session,
    name: Name,
    criteria: Criteria = None,
    file: File = None,
    note: Note = None,
    expected_version: ExpectedVersion = None,
) -> None:
    """Add a version of a criteria set, which is current at once; what is under way is judged as it was asked for."""
    async with cli.jobstore() as jobstore:
        saved = await jobstore.put_criteria_set(
            name, _read_criteria(criteria, file), version=expected_version, note=note
        )
    show_saved_set(cli.out, saved)


@command(app, "retire")
async def retire(cli: Session, name: Name, reason: Reason = None) -> None:
    """Retire a criteria set: nothing more is judged by it; its versions stay, and `set` brings it back."""
    async with cli.jobstore() as jobstore:
        found = await jobstore.retire_criteria_set(name, reason=reason)
    cli.out.print_json(found)
    cli.out.print_line(f"{name}: retired")


@command(app, "lint")
async def lint(cli: Session, criteria: Criteria = None, file: File = None) -> None:
    """Find criteria that are ambiguous, or that could be judged better; succeed if there are none."""
    async with cli.jobstore() as jobstore:
        remarks = await jobstore.lint_criteria(_read_criteria(criteria, file))
    show_remarks(cli.out, remarks)
    if remarks.warnings:
        raise typer.Exit(ExitStatus.NOT_MET)


def _read_criteria(criteria: list[str] | None, file: str | None) -> str:
    """Return the text form of criteria that are given as options or in a file."""
    if (file is None) == (not criteria):
        raise typer.BadParameter("give either --criteria or --file", param_hint="--criteria")
    if file is None:
        return "\n".join(criteria or ())
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot be read: {error}", param_hint="--file") from error
