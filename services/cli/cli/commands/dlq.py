"""The group `signoff dlq`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands import replay
from cli.commands.replay import parse_execution_id
from cli.errors import CommandError, ExitStatus
from cli.options import Options, option, validate_model
from cli.output import Output, format_time
from cli.parameters import PageSize, PageToken, complete_jobs
from cli.session import Session, command, make_app, with_options
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import LetterOutcome

if TYPE_CHECKING:
    from signoff.types import DeadLetter, DeadLetterResolution, DeadLetters

app = make_app("Dead letters: what could not be processed, as it was, and why.")

Topic = Annotated[
    str, typer.Argument(metavar="TOPIC", help="The topic that they came from, such as execute-requested.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done.")]
Reason = Annotated[str | None, typer.Option(help="The reason, which is kept beside them.")]


@command(app, "list")
async def list_(
    cli: Session,
    jobstore: AsyncClient,
    page_size: PageSize = 50,
    page_token: PageToken = "",
    *,
    include_done: Annotated[
        bool, typer.Option("--include-done", help="Also those that were redriven or discarded.")
    ] = False,
) -> None:
    """Count open dead letters by topic, and show the newest."""
    letters = await jobstore.list_dead_letters(page_size=page_size, page_token=page_token, include_done=include_done)
    _show_letters(cli.out, letters)


with_selection = with_options(
    selection=Options(
        option("--code", str, "Only those with this code, such as unknown_job."),
        option("--from-offset", int, "The first offset in the dead-letter queue.", min=0),
        option("--to-offset", int, "The last offset, itself included.", min=0),
        option("--job", str, "Only those of this job.", "job_id", metavar="JOB", autocompletion=complete_jobs),
        option("--execution-id", str, "Only those of this execution.", metavar="UUID", parse=parse_execution_id),
    )
)


@command(app, "redrive")
@with_selection
async def redrive(
    cli: Session, topic_name: Topic, selection: dict[str, Any], reason: Reason = None, *, yes: Yes = False
) -> None:
    """Publish dead letters again where they came from, once what was wrong is mended: they are processed as if new.

    What the jobstore remembers of their executions (unknown_job, unknown_agent) is forgotten first, as its log says.
    An execution that ran meanwhile does not run again. A letter that was redriven is done, and is not redriven again:
    where its record is refused once more, that is another letter. Dead letters that were cut are not published.
    """
    done = await _resolve(cli, topic_name, LetterOutcome.REDRIVEN, selection, reason, asks=not yes)
    cli.out.print_json({"redriven": done["letters"], "skipped": done["skipped"], "forgotten": done["forgotten"]})
    cut = f"; {done['skipped']} skipped, which were cut" if done["skipped"] else ""
    cli.out.print_line(f"{done['letters']} published again, {done['forgotten']} answers forgotten{cut}")


@command(app, "discard")
@with_selection
async def discard(
    cli: Session,
    topic_name: Topic,
    reason: Annotated[str, typer.Option(help="The reason, which is kept beside them.")],
    selection: dict[str, Any],
    *,
    yes: Yes = False,
) -> None:
    """Mark dead letters as done without publishing them: nobody will need them.

    They stay in their topic for as long as it keeps records, and `dlq list --include-done` shows them.
    """
    done = await _resolve(cli, topic_name, LetterOutcome.DISCARDED, selection, reason, asks=not yes)
    cli.out.print({"discarded": done["letters"]}, f"{done['letters']} discarded")


async def _resolve(
    cli: Session, topic_name: str, outcome: LetterOutcome, selection: dict[str, Any], reason: str | None, *, asks: bool
) -> dict[str, int]:
    """Redrive or discard the open letters that are selected, `asks`: once that is confirmed, and return how many."""
    topic = replay.get_topic(topic_name)
    if topic.dlq is None:
        message = f"{topic_name} has no dead letters: name the topic that they came from"
        raise CommandError(message, code=ErrorCode.NO_DLQ)
    asked = {"topic": topic.name, "outcome": outcome, "reason": reason, **selection}
    async with cli.jobstore() as jobstore:
        if asks:
            count = (await _resolve_pages(jobstore, asked | {"dry_run": True}))["letters"]
            question = f"Publish {count} again to {topic.name}?" if outcome is LetterOutcome.REDRIVEN else None
            if count and not typer.confirm(question or f"Discard {count} dead letters of {topic.name}?", err=True):
                raise CommandError("nothing was done", code=ErrorCode.NOT_CONFIRMED, status=ExitStatus.NOT_MET)
        return await _resolve_pages(jobstore, asked)


async def _resolve_pages(jobstore: AsyncClient, asked: dict[str, Any]) -> dict[str, int]:
    """Ask until all letters are resolved that were there when the first call came, and add the answers up."""
    from contracts.resources import NewResolution  # noqa: PLC0415 - heavy, and only needed here

    total = {"letters": 0, "skipped": 0, "forgotten": 0}
    while True:
        page = await jobstore.resolve_dead_letters(validate_model(NewResolution, asked, "the selection"))
        total = {name: count + getattr(page, name) for name, count in total.items()}
        if page.next_offset is None:
            return total
        asked = asked | {"from_offset": page.next_offset, "to_offset": page.to_offset}


def _show_letters(out: Output, letters: "DeadLetters") -> None:
    """Show how many dead letters there are, and the newest."""
    out.print_json(letters)
    for topic, count in sorted(letters.counts.items()):
        out.print_line(f"{topic}: {count}")
    has_done = any(letter.resolution for letter in letters.items)
    rows = [
        (
            f"{letter.topic}/{letter.partition}/{letter.offset}",
            format_time(letter.at),
            letter.code,
            _name_source(letter),
            letter.key,
            letter.message,
            *([letter.resolution and _describe_resolution(letter.resolution)] if has_done else []),
        )
        for letter in letters.items
    ]
    if rows:
        out.print_table(["dead letter", "time", "code", "came from", "key", "why", *["done"] * has_done], rows)
    out.print_next_page_token(letters.next_page_token)


def _describe_resolution(done: "DeadLetterResolution") -> str:
    reason = f": {done.reason}" if done.reason else ""
    return f"{done.outcome.lower()} by {done.actor}, {format_time(done.at)}{reason}"


def _name_source(letter: "DeadLetter") -> str:
    """Return the topic, partition and offset from which a dead letter came, as far as they are known."""
    parts = (letter.source_topic, letter.source_partition, letter.source_offset)
    place = "/".join("?" if part is None else str(part) for part in parts) if letter.source_topic else ""
    return place if letter.source_last_offset is None else f"{place}-{letter.source_last_offset}"
