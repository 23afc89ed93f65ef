"""Commands of `signoff archive`: what stands in an archive of facts, and whether it is whole."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.recovery import Archived, find_fact_keys, require_fact_keys
from cli.errors import CommandError, ExitStatus
from cli.output import format_time
from cli.session import Session, command, make_app
from signoff.errors import ErrorCode

if TYPE_CHECKING:
    from servicekit.archive.history import ArchivedParts
    from servicekit.archive.parts import Archive, Beginning, Part

app = make_app("Read an archive of facts: what stands in it, and whether it is whole.")

First = Annotated[int, typer.Option("--from", min=1, metavar="N", help="Begin with the part of this number.")]


def open_archive(cli: Session, place: str) -> "Archive":
    """Return the archive at a place. Raise CommandError if the place is none, or no key of facts is known."""
    from servicekit.archive.objects import Objects  # noqa: PLC0415 - with the next, heavy, and only needed here
    from servicekit.archive.parts import Archive  # noqa: PLC0415

    try:
        return Archive(Objects.open(place), require_fact_keys(cli.target))
    except ValueError as error:
        raise CommandError(str(error), code=ErrorCode.BAD_SETTINGS, status=ExitStatus.USAGE) from None


def _describe(part: "Part") -> dict[str, Any]:
    manifest = part.manifest
    topics: dict[str, int] = {}
    for span in manifest.spans:
        topics[span.topic] = topics.get(span.topic, 0) + span.count
    left_out = {"kind", "before", "spans", "newest", "offsets", "sha256"}
    return {**manifest.model_dump(mode="json", exclude=left_out), "records": manifest.records, "topics": topics}


@command(app, "show")
async def show(cli: Session, place: Archived = None, first: First = 1) -> None:
    """List the parts of an archive, with what each has, without reading their data.

    A part is listed if the one before is the one that it follows. The data is read by `signoff archive verify`.
    """
    archive, rows = open_archive(cli, _require(place)), []
    async with aclosing(archive.read_chain(first)) as parts:
        async for part in parts:
            found = _describe(part)
            cli.out.print_json(found)
            of = ", ".join(f"{count} {topic}" for topic, count in found["topics"].items())
            at = part.manifest.facts_at
            rows.append((str(part.number), at and format_time(at), f"{found['bytes']:,}", str(found["seq"]), of))
    if not cli.out.as_json:
        cli.out.print_table(("part", "newest record", "bytes", "rows up to", "records"), rows)
        cli.out.print_line(f"{len(rows)} parts" if len(rows) != 1 else "1 part")
        if (beginning := await archive.find_beginning()) is not None:
            cli.out.print_line(_describe_beginning(beginning))


@command(app, "verify")
async def verify(cli: Session, place: Archived = None, first: First = 1) -> None:
    """Read an archive whole, and succeed if each part is as it was written and follows the one before.

    A part that was changed, is missing, or follows another one is named, and nothing behind it is read.
    """
    archive, count, records, size = open_archive(cli, _require(place)), 0, 0, 0
    async with aclosing(archive.read_chain(first)) as parts:
        async for part in parts:
            await archive.read_data(part)
            count, records, size = count + 1, records + part.manifest.records, size + part.manifest.bytes
    beginning = await archive.find_beginning()
    of_beginning = {} if beginning is None else {"begins_with": beginning.number, "checkpoint": beginning.checkpoint}
    cli.out.print_json({"ok": True, "parts": count, "records": records, "bytes": size, **of_beginning})
    cli.out.print_line(f"ok: {count} parts with {records:,} records, {size:,} bytes, are as they were written")
    if beginning is not None:
        cli.out.print_line(_describe_beginning(beginning))


def _describe_beginning(beginning: "Beginning") -> str:
    return (
        f"it begins with part {beginning.number}: those in front were let go, and checkpoint {beginning.checkpoint} "
        "has what they told"
    )


def _require(place: str | None) -> str:
    if place is None:
        raise CommandError("no archive is named: give --archive, or set SIGNOFF_ARCHIVE", code=ErrorCode.BAD_SETTINGS)
    return place


async def load_parts(cli: Session, place: str | None) -> "ArchivedParts | None":
    """Return the parts of an archive for a reader of its topics; None: no archive is named, or no key is known."""
    if place is None or find_fact_keys(cli.target) is None:
        return None
    from servicekit.archive.history import ArchivedParts  # noqa: PLC0415 - heavy, and only needed here

    return await ArchivedParts.load(open_archive(cli, place))
