"""The group `signoff retention`, and the command `signoff kept`."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import Options, option, parse_seconds, validate_resource
from cli.output import Output, format_time
from cli.session import Session, command, make_app, with_options
from cli.terminal import Styled
from signoff import AsyncClient
from signoff.connection import list_all

if TYPE_CHECKING:
    from signoff.keeping import Kept, KeptBack, Retention, RetentionEffect, RetentionPreview

app = make_app("For how long jobs and operations are kept: of tenant:<name>, or of tenant:* for each other tenant.")
kept_app = make_app()

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="tenant:<name>; or tenant:* for each tenant, as far as its own does not say."),
]
_DAY_S: Final = 86_400
#: The fields of a retention, by the words of its options and columns.
_FIELDS: Final = {
    "completed": "jobs that completed",
    "failed": "jobs that failed",
    "rejected": "jobs whose result was rejected",
    "resubmission-required": "jobs that wait for a resubmission",
    "cancelled": "jobs whose last execution was cancelled",
    "operations": "operations and their items, once they ended",
}
_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def _find_field(word: str) -> str:
    return f"{word.replace('-', '_')}_s"


@command(app, "show")
async def show(
    cli: Session,
    jobstore: AsyncClient,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, such as tenant:press.")] = None,
) -> None:
    """Show for how long things are kept: all retentions, or one."""
    if name is not None:
        retention = await jobstore.get_retention(name)
        cli.out.print_json(retention)
        _print_retentions(cli.out, [retention])
        return
    found = await list_all(jobstore.iter_retentions())
    cli.out.print_page(found, "")
    if found:
        _print_retentions(cli.out, found)
    else:
        cli.out.print_line("all is kept for ever: `signoff retention set` says for how long")


@command(app, "set")
@with_options(
    fields=Options(
        *(
            option(
                f"--{word}",
                str,
                f"For how long to keep {words}.",
                _find_field(word),
                metavar="LENGTH",
                parse=parse_seconds,
            )
            for word, words in _FIELDS.items()
        )
    )
)
async def set_(
    cli: Session,
    name: Name,
    fields: dict[str, Any],
    unset: Annotated[
        list[str] | None,
        typer.Option(
            "--unset",
            metavar="FIELD",
            help="Keep as tenant:* says, or for ever: completed, failed, .. May be repeated.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would let go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Say for how long a tenant's things are kept (90d, 12h, ..), and leave the rest; the older ones go soon after.

    What would go is shown first, and asked for.
    """
    if wrong := next((word for word in unset or () if word not in _FIELDS), None):
        raise typer.BadParameter(f"there is no {wrong}: {', '.join(_FIELDS)}", param_hint="--unset")
    change = fields | {_find_field(word): None for word in unset or ()}
    if not change:
        raise typer.BadParameter("say for how long, such as --completed 90d; or --unset", param_hint="LENGTH")
    patch = validate_resource("RetentionPatch", change, "the retention")
    is_asked = not (dry_run or yes)
    if is_asked and (cli.out.as_json or not sys.stdin.isatty()):
        raise typer.BadParameter(
            "is needed where nobody can be asked; --dry-run shows what would go", param_hint="--yes"
        )
    async with cli.jobstore() as jobstore:
        version = None
        if not yes:
            preview = await jobstore.preview_retention(name, patch)
            version = preview.retention.version - 1
            _show_preview(cli.out, preview)
        if dry_run or (is_asked and not typer.confirm(f"keep {name} so?")):
            return
        retention = await jobstore.set_retention(name, patch, version=version)
    cli.out.print_json(retention)
    _print_retentions(cli.out, [retention])


@command(app, "rm")
async def rm(cli: Session, jobstore: AsyncClient, name: Name) -> None:
    """Delete a retention: what it was of is kept as tenant:* says, or for ever."""
    await jobstore.delete_retention(name)
    cli.out.print({"deleted": name}, f"{name}: kept as tenant:* says, or for ever")


@command(kept_app, "kept")
async def kept(cli: Session, jobstore: AsyncClient) -> None:
    """Show what is kept, how much it is, how it grows, what goes next, and what keeps removal back."""
    found = await jobstore.get_kept()
    cli.out.print_json(found)
    _show_kept(cli.out, found)


def format_length(seconds: float | None) -> str | None:
    """Return a length of time as options take it, such as `90d` or `36h`; None for None."""
    if seconds is None:
        return None
    units = (("d", _DAY_S), ("h", 3_600), ("m", 60))
    return next((f"{seconds / each:g}{unit}" for unit, each in units if seconds % each == 0), f"{seconds:g}s")


def format_bytes(count: float) -> str:
    """Return a number of bytes for people to read, such as `1.5 GB`."""
    for unit in _UNITS[:-1]:
        if abs(count) < 1_000:  # noqa: PLR2004 - the next unit is as many
            return f"{count:.3g} {unit}"
        count /= 1_000
    return f"{count:.3g} {_UNITS[-1]}"


def _print_retentions(out: Output, retentions: "Sequence[Retention]") -> None:
    rows = [
        (
            each.name,
            *(format_length(getattr(each, _find_field(word))) for word in _FIELDS),
            format_time(each.updated_at),
        )
        for each in retentions
    ]
    out.print_table(["name", *(word.replace("-", " ") for word in _FIELDS), "since"], rows)


def _show_preview(out: Output, preview: "RetentionPreview") -> None:
    out.print_json(preview)
    out.print_line("at once: ", _describe(preview.now))
    out.print_line("within 30 days: ", _describe(preview.later))
    if preview.now.sample:
        rows = [(job.id, job.title, job.status, format_time(job.updated_at)) for job in preview.now.sample]
        out.print_list(["the oldest", "title", "status", "since"], rows)
    _print_kept_back(out, preview.kept_back)


def _describe(effect: "RetentionEffect") -> str:
    """Return what a retention lets go: `1,204 jobs (COMPLETED 1,200, FAILED 4), 3 operations, about 9.8 MB`."""
    if not effect.jobs and not effect.operations:
        return "nothing"
    counts = ", ".join(f"{status} {count:,}" for status, count in sorted(effect.counts.items()))
    jobs = f"{effect.jobs:,}{' or more' if effect.has_more else ''} jobs{f' ({counts})' if counts else ''}"
    operations = f", {effect.operations:,} operations" if effect.operations else ""
    return f"{jobs}{operations}, about {format_bytes(effect.bytes)}"


def _print_kept_back(out: Output, kept_back: "Iterable[KeptBack]") -> None:
    for each in kept_back:
        out.print_line(Styled("kept back: ", "yellow"), f"{each.message}; {each.remedy}")


def _show_kept(out: Output, found: "Kept") -> None:
    growth, archive = found.growth, found.archive
    newest = f", the newest of {format_time(archive.newest_at)}" if archive.newest_at else ""
    parts = f"{format_bytes(archive.bytes)} in {archive.parts:,} parts{newest}; {archive.behind:,} rows behind"
    out.print_fields(
        ("database", format_bytes(found.database_bytes)),
        ("topics", format_bytes(sum(each.bytes for each in found.topics)) if found.topics else None),
        ("archive", parts if archive.is_configured else "none: nothing is removed without (SIGNOFF_ARCHIVE)"),
        ("a day", f"{growth.jobs_per_day:,.0f} jobs, {format_bytes(growth.database_bytes_per_day)} of tables"),
        ("held", f"{found.holds:,} jobs" if found.holds else None),
        ("removed", f"{found.removed:,} jobs; of {found.uncut:,} the log is still to be cut"),
        ("retention", "on" if found.is_on else "off: all is kept for ever"),
    )
    out.print_line()
    jobs = [
        (each.tenant, each.status, f"{each.count:,}", each.oldest_at and format_time(each.oldest_at))
        for each in found.jobs
    ]
    out.print_table(["tenant", "status", "jobs", "the oldest"], jobs)
    if found.next:
        out.print_line()
        rows = [(each.tenant, each.kind, format_time(each.at), f"{each.due:,}") for each in found.next]
        out.print_table(["tenant", "what goes next", "from", "due now"], rows)
    _print_kept_back(out, found.kept_back)
