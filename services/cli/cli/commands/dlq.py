"""The group `signoff dlq`."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli import topic_records
from cli.commands.replay import BATCH, open_history, parse_execution_id, require_kafka, select, send, start_publisher
from cli.errors import CommandError
from cli.session import Session, command, make_app
from cli.topic_records import Selection, TopicRecord
from contracts.topics import TOPICS, Topic

if TYPE_CHECKING:
    from contracts.client import JobStoreClient
    from servicekit.kafka.publisher import Outgoing

#: What the headers of a dead letter begin with that the record itself did not have.
ADDED = "dlq-"
#: Headers of a dead letter that is not the whole record.
INCOMPLETE = frozenset({"dlq-body", "dlq-headers"})

app = make_app("Dead letters: what could not be processed, as it was, and why.")


@command(app, "list")
async def list_(
    cli: Session, limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many of the newest.")] = 50
) -> None:
    """Count dead letters by topic, and show the newest."""
    async with cli.jobstore() as jobstore:
        cli.out.show_dead_letters(await jobstore.list_dead_letters(limit=limit))


@command(app, "redrive")
async def redrive(  # noqa: PLR0917 - each is an option
    cli: Session,
    topic_name: Annotated[
        str, typer.Argument(metavar="TOPIC", help="The topic that they came from, such as execute-requested.")
    ],
    code: Annotated[str | None, typer.Option(help="Only those with this code, such as unknown_job.")] = None,
    from_offset: Annotated[int | None, typer.Option(min=0, help="The first offset in the dead-letter queue.")] = None,
    to_offset: Annotated[int | None, typer.Option(min=0, help="The last offset, itself included.")] = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Only those of this job.")] = None,
    execution: Annotated[str | None, typer.Option(metavar="UUID", help="Only those of this execution.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before publishing.")] = False,
) -> None:
    """Publish dead letters again where they came from, once what was wrong is mended: they are processed as if new.

    What the jobstore remembers of their executions (unknown_job, unknown_agent) is forgotten first, as its log says.
    An execution that ran meanwhile does not run again. Dead letters that were cut are not published.
    """
    topic = topic_records.get_topic(topic_name)
    if topic.dlq is None:
        raise CommandError(f"{topic_name} has no dead letters: name the topic that they came from", code="no_dlq")
    selection = Selection(
        topic=TOPICS[topic.dlq],
        partition=0,
        first=from_offset,
        last=to_offset,
        job_id=job,
        execution_id=parse_execution_id(execution),
    )
    async with open_history(cli, topic.dlq) as history:
        offsets = selection.limit_offsets(await history.offsets())

        async def choose() -> AsyncIterator[TopicRecord]:
            async for letter in select(history, selection, offsets):
                if code in {None, letter.headers.get("dlq-error-code")}:
                    yield letter

        if not yes:
            count = len([True async for letter in choose() if _is_whole(letter)])
            if count and not typer.confirm(f"Publish {count} again to {topic.name}?", err=True):
                raise CommandError("nothing was published", code="not_confirmed")
        await _redrive(cli, topic, choose())


def _is_whole(letter: TopicRecord) -> bool:
    return not letter.headers.keys() & INCOMPLETE


async def _redrive(cli: Session, topic: Topic, letters: AsyncIterator[TopicRecord]) -> None:
    """Publish dead letters as the records that they were, once the jobstore has forgotten what it answered."""
    redriven, skipped, forgotten = 0, 0, 0
    async with AsyncExitStack() as stack:
        jobstore = await stack.enter_async_context(cli.jobstore())
        publisher = await start_publisher(stack, require_kafka(cli))
        batch: list[TopicRecord] = []

        async def publish() -> None:
            nonlocal redriven, forgotten
            forgotten += await _forget_answers(jobstore, batch)
            redriven = await send(publisher, [_restore(topic, letter) for letter in batch], redriven)
            batch.clear()

        async for letter in letters:
            if not _is_whole(letter):
                skipped += 1
                continue
            batch.append(letter)
            if len(batch) == BATCH:
                await publish()
        await publish()
    cli.out.print_json({"redriven": redriven, "skipped": skipped, "forgotten": forgotten})
    cut = f"; {skipped} skipped, which were cut" if skipped else ""
    cli.out.print_line(f"{redriven} published again, {forgotten} answers forgotten{cut}")


def _restore(topic: Topic, letter: TopicRecord) -> "Outgoing":
    from servicekit.kafka.publisher import Outgoing  # noqa: PLC0415 - heavy, and only needed here

    raw = letter.record
    headers = [(name, value) for name, value in raw.headers if not name.startswith(ADDED)]
    return Outgoing(topic.name, raw.value, raw.key, headers)


async def _forget_answers(jobstore: "JobStoreClient", letters: Sequence[TopicRecord]) -> int:
    ids: set[UUID] = set()
    for letter in letters:
        with contextlib.suppress(ValueError):  # it names none, and nothing is remembered of it
            ids.add(UUID(letter.get_field("execution_id") or ""))
    return len(await jobstore.forget_answers(ids)) if ids else 0
