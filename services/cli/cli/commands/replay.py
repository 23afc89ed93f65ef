"""Records of topics: `signoff replay` shows or publishes them, and the group `signoff dlq` dead letters."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError

from cli.commands.archive import load_parts
from cli.commands.recovery import HOW_TO_GIVE, Archived, describe_unread, find_fact_keys
from cli.errors import CommandError, ExitStatus
from cli.options import Options, option, parse_past_time, validate_resource
from cli.output import Output, format_time
from cli.parameters import PageSize, PageToken, complete_jobs
from cli.session import Session, command, make_app, with_options
from contracts.signing import MARKER_HEADER, FactKeys, Unvouched
from contracts.topics import FACT_TOPICS, REPLAY_HEADER, TOPICS, Topic, find_topic
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.jsontext import parse_json
from signoff.status import LetterOutcome
from signoff.values import time_text

if TYPE_CHECKING:
    from servicekit.archive.history import ArchivedParts
    from servicekit.kafka.access import KafkaAccess
    from servicekit.kafka.history import History
    from servicekit.kafka.publisher import Outgoing, Publisher


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record of a topic, with its value parsed if the value is JSON, else None."""

    record: Any
    value: Any
    is_json: bool
    headers: Mapping[str, str]

    @property
    def at(self) -> datetime:
        """The time at which the record was published."""
        from servicekit.kafka.history import read_time  # noqa: PLC0415 - heavy, and only needed here

        return read_time(self.record)

    @property
    def key(self) -> str | None:
        """The partition key as text; None if the record has no key."""
        return None if self.record.key is None else self.record.key.decode(errors="replace")

    @property
    def is_replay(self) -> bool:
        """Whether an operator published the record again, as its header says."""
        return REPLAY_HEADER in self.headers

    @property
    def is_marker(self) -> bool:
        """Whether the record is no fact, but marks the place from which another secret signs facts."""
        return MARKER_HEADER in self.headers

    def get_field(self, name: str) -> str | None:
        """Return the field `name` of the event, else of its log entry, as text; None if it is not set, or no scalar."""
        if not isinstance(self.value, dict):
            return None
        log = self.value.get("log")
        value = self.value.get(name) or (log.get(name) if isinstance(log, dict) else None)
        return None if value is None or isinstance(value, dict | list) else str(value)

    def find_event_id(self, topic: Topic) -> str | None:
        """Return the event id in the header `ce_id`, else that of the parsed event; None if the event is invalid."""
        if "ce_id" in self.headers or topic.event is None:
            return self.headers.get("ce_id")
        try:
            return str(topic.event.model_validate(self.value).event_id)
        except ValidationError:
            return None

    def to_document(self, topic: Topic, *, headers: bool) -> dict[str, Any]:
        """Return the record as a JSON document, with its headers if `headers`; a value that is no JSON is in base64."""
        record = self.record
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "time": self.at,
            "key": self.key,
            "event_id": self.find_event_id(topic),
            "job_id": self.get_field("job_id"),
            "execution_id": self.get_field("execution_id"),
            "value": self.value,
            **({} if self.is_json else {"value_base64": base64.b64encode(record.value or b"").decode()}),
            **({"headers": self.headers} if headers else {}),
        }


def parse_record(record: Any) -> TopicRecord:
    """Parse a record of Kafka. A value that is no JSON becomes None; header bytes that are no UTF-8 become U+FFFD."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        return TopicRecord(record, parse_json(record.value or b""), is_json=True, headers=headers)
    except ValueError:
        return TopicRecord(record, None, is_json=False, headers=headers)


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of records of a topic: by partition, offsets (`last` included), time (`until` excluded) and ids."""

    topic: Topic
    partition: int | None = None
    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    job_id: str | None = None
    event_id: str | None = None
    execution_id: str | None = None

    def check(self) -> None:
        """Raise BadParameter if the conditions contradict each other, such as a `last` offset below the `first`."""
        if self.partition is None and (self.first is not None or self.last is not None):
            raise typer.BadParameter("goes with --partition", param_hint="--from-offset, --to-offset")
        if self.first is not None and self.last is not None and self.last < self.first:
            raise typer.BadParameter("lies before --from-offset", param_hint="--to-offset")
        if self.since and self.until and self.until <= self.since:
            raise typer.BadParameter("is not after --since", param_hint="--until")

    def limit_offsets(self, stored: Mapping[int, range]) -> dict[int, range]:
        """Return those `stored` offsets that are selected, by partition. Raise CommandError on an unknown partition."""
        if self.partition is None:
            return dict(stored)
        if self.partition not in stored:
            message = f"{self.topic.name} has the partitions 0 to {max(stored)}"
            raise CommandError(message, code=ErrorCode.UNKNOWN_PARTITION)
        span = stored[self.partition]
        begin = span.start if self.first is None else max(self.first, span.start)
        end = span.stop if self.last is None else min(self.last + 1, span.stop)
        return {self.partition: range(begin, max(begin, end))}

    def has(self, record: TopicRecord) -> bool:
        """Return whether a record has the selected time and ids; its partition and offset are not looked at."""
        return (
            (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
            and (self.job_id is None or self.job_id in {record.key, record.get_field("job_id")})
            and (self.execution_id is None or record.get_field("execution_id") == self.execution_id)
            and (self.event_id is None or record.find_event_id(self.topic) == self.event_id)
        )


def get_topic(name: str) -> Topic:
    """Return the topic `name` of the catalogue. Raise BadParameter if the catalogue has no such topic."""
    if (topic := find_topic(name)) is None:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(TOPICS)}", param_hint="TOPIC")
    return topic


#: Seconds within which brokers acknowledge records: those that have deleted our user never do, and say nothing.
ACKNOWLEDGED_S = 30.0
#: Records that are published together, before their acknowledgements are waited for.
BATCH = 500

app = make_app()


def parse_execution_id(text: str, _: str) -> str:
    """Return a UUID in the form in which records have it. Raise BadParameter if `text` is no UUID."""
    try:
        return str(UUID(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no UUID", param_hint="--execution-id") from None


def _parse_record_time(text: str, flag: str) -> datetime | None:
    """Return a time, given as ISO 8601 or a time ago, cut to whole milliseconds, as the times of records are."""
    at = parse_past_time(text, flag)
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


@command(app, "replay")
@with_options(
    selection=Options(
        option("--partition", int, "Only this partition.", min=0),
        option("--from-offset", int, "The first offset; goes with --partition.", "first", min=0),
        option("--to-offset", int, "The last offset, itself included.", "last", min=0),
        option(
            "--since",
            str,
            "At this time or later: ISO 8601, or 90s, 15m, 1h, 2d ago.",
            metavar="TIME",
            parse=_parse_record_time,
        ),
        option("--until", str, "Before this time; as --since.", metavar="TIME", parse=_parse_record_time),
        option("--job", str, "Only records of this job.", "job_id", metavar="JOB"),
        option("--event-id", str, "Only the record with this event id."),
        option("--execution-id", str, "Only records of this execution.", metavar="UUID", parse=parse_execution_id),
    )
)
async def replay(  # noqa: PLR0917 - each is an option
    cli: Session,
    topic_name: Annotated[str, typer.Argument(metavar="TOPIC", help="The topic to read.")],
    selection: dict[str, Any],
    headers: Annotated[bool, typer.Option("--headers", help="Show headers, too.")] = False,
    archive: Archived = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the selected records again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before publishing.")] = False,
) -> None:
    """Show what a topic holds, oldest first in each partition; or publish it again, which changes nothing.

    What is published again has the same key and value, and its headers with `signoff-replay` added: such a record
    changes nothing, and the services' logs name it, a request with what it would have been answered. Facts and dead
    letters are never published again.

    With an archive, facts that the topic does not hold any more are shown from there.

    Each fact is shown with the secret that signed it, where a key is known (SIGNOFF_SECRETS, SIGNOFF_FACT_KEYS or the
    endpoints file). `signoff verify` reads all facts, and checks which secret may have signed which.
    """
    selected = Selection(get_topic(topic_name), **selection)
    selected.check()
    if publish and selected.topic.dlq is None:
        message = f"{topic_name} is never published again: no service consumes it"
        raise CommandError(message, code=ErrorCode.NOT_REPLAYABLE)
    parts = None if publish or topic_name not in FACT_TOPICS else await load_parts(cli, archive)
    await _replay(cli, selected, parts, headers=headers, publish=publish, asks=not yes)


async def _replay(
    cli: Session, selection: Selection, parts: "ArchivedParts | None", *, headers: bool, publish: bool, asks: bool
) -> None:
    async with open_history(cli, selection.topic.name, parts) as history:
        offsets = selection.limit_offsets(await history.offsets(selection.since))
        if not publish:
            await _show(cli, selection, select(history, selection, offsets), headers=headers)
        elif not asks or await _is_confirmed(cli, selection, select(history, selection, offsets)):
            await _publish(cli, select(history, selection, offsets))
        _show_unread(cli, history)


def _show_unread(cli: Session, history: "History") -> None:
    """Print how many batches of records could not be read, and were skipped, if there are any."""
    from servicekit.kafka.history import describe_unread as describe  # noqa: PLC0415 - heavy, and only needed here

    if history.unread.count:
        cli.out.print_json({"unread": (unread := describe([history]))})
        for text in describe_unread(unread):
            cli.out.print_line(text)


async def select(history: "History", selection: Selection, offsets: Mapping[int, range]) -> AsyncIterator[TopicRecord]:
    """Yield the records at `offsets` that are selected; the records of each partition come in their order."""
    async for records in history.read(offsets):
        for record in map(parse_record, records):
            if selection.partition in {None, record.record.partition} and selection.has(record):
                yield record


async def _show(cli: Session, selection: Selection, selected: AsyncIterator[TopicRecord], *, headers: bool) -> None:
    count = 0
    has_facts = selection.topic.name in FACT_TOPICS
    keys = find_fact_keys(cli.target) if has_facts else None
    async for record in selected:
        if count == 0:
            cli.out.print_line(_ROW.format(*_COLUMNS))
        count += 1
        signature = {"signature": _describe_signature(record, keys)} if has_facts else {}
        if cli.out.as_json:
            cli.out.print_json(record.to_document(selection.topic, headers=headers) | signature)
            continue
        cli.out.print_line(_ROW.format(*_make_row(record)), *(f" ({words})" for words in signature.values()))
        for name, value in record.headers.items() if headers else ():
            cli.out.print_line(f"{'':>19}  {name}: {value}")
    cli.out.print_line("1 record" if count == 1 else f"{count} records")
    if has_facts and keys is None:
        cli.out.print_line(f"signatures are not checked: {HOW_TO_GIVE}")


def _describe_signature(record: TopicRecord, keys: FactKeys | None) -> str:
    if keys is None:
        return "not checked"
    signer = keys.find_signer(record.record, dict(record.record.headers))
    return signer.value if isinstance(signer, Unvouched) else f"signed by {signer.secret_id}"


_COLUMNS = ("partition", "offset", "time", "job", "execution", "bytes", "what")
_ROW = "{:>9} {:>9}  {:<28}  {:<24}  {:<36}  {:>7}  {}"


def _make_row(record: TopicRecord) -> tuple[object, ...]:
    fields = {name: record.get_field(name) for name in ("version", "kind", "status", "answer", "code", "agent_id")}
    words = [f"v{value}" if name == "version" else value for name, value in fields.items() if value]
    what = " ".join(words) if record.is_json else "marker" if record.is_marker else "no JSON"
    if record.is_replay:
        what = f"{what} (replayed)"
    at = format_time(record.at, with_ms=True)
    job, execution = record.get_field("job_id") or record.key or "", record.get_field("execution_id") or ""
    raw = record.record
    return raw.partition, raw.offset, at, job, execution, len(raw.value or b""), what.strip()


async def _is_confirmed(cli: Session, selection: Selection, selected: AsyncIterator[TopicRecord]) -> bool:
    count = 0
    async for record in selected:
        count += not record.is_replay
    if count and not typer.confirm(f"Publish {count} records again to {selection.topic.name}?", err=True):
        raise CommandError("nothing was published", code=ErrorCode.NOT_CONFIRMED, status=ExitStatus.NOT_MET)
    if not count:
        _show_counts(cli, 0, 0)
    return bool(count)


async def _publish(cli: Session, selected: AsyncIterator[TopicRecord]) -> None:
    """Publish records again, and print their number. Skip replays, since each run would double their number."""
    from servicekit.kafka.publisher import Outgoing  # noqa: PLC0415 - heavy, and only needed here

    at = time_text(datetime.now(UTC)).encode()
    published, skipped = 0, 0
    async with open_publisher(cli.require_kafka(), "cli") as publisher:
        batch: list[Outgoing] = []
        async for record in selected:
            raw = record.record
            if record.is_replay or (raw.key is None and raw.value is None):
                skipped += 1
                continue
            batch.append(Outgoing(raw.topic, raw.value, raw.key, [*raw.headers, (REPLAY_HEADER, at)]))
            if len(batch) >= BATCH:
                published = await send(publisher, batch, published)
        published = await send(publisher, batch, published)
    _show_counts(cli, published, skipped)


@asynccontextmanager
async def open_publisher(kafka: "KafkaAccess", name: str) -> "AsyncIterator[Publisher]":
    """Yield a started publisher to the broker `kafka`, whose source is `name`, and stop it after the block."""
    from servicekit.kafka.publisher import Publisher  # noqa: PLC0415 - heavy, and only needed here

    publisher = Publisher(kafka, name)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


async def send(publisher: "Publisher", batch: "list[Outgoing]", published: int) -> int:
    """Publish and empty a batch; return `published` plus its size. Raise CommandError if a record is not published."""
    for result in await publisher.send(batch, ACKNOWLEDGED_S):
        if isinstance(result, Exception):
            raise CommandError(f"{published} were published, and then: {result}", code=ErrorCode.KAFKA_UNAVAILABLE)
        published += 1
    batch.clear()
    return published


def _show_counts(cli: Session, published: int, skipped: int) -> None:
    cli.out.print_json({"published": published, "skipped": skipped})
    cli.out.print_line(f"{published} published again" + (f"; {skipped} skipped, replays themselves" if skipped else ""))


def open_history(cli: Session, topic: str, parts: "ArchivedParts | None" = None) -> "History":
    """Return a topic's reader, which begins with what is archived if `parts` are given.

    Raise CommandError if Kafka's address is unknown, or its topics have another prefix.
    """
    from servicekit.archive.history import ArchivedHistory  # noqa: PLC0415 - with the next, heavy, and only needed here
    from servicekit.kafka.history import History  # noqa: PLC0415
    from servicekit.patches import survive_lost_connections  # noqa: PLC0415 - same

    survive_lost_connections()
    kafka = cli.require_kafka()
    return History(kafka, topic) if parts is None else ArchivedHistory(kafka, topic, parts)


if TYPE_CHECKING:
    from signoff.types import DeadLetter, DeadLetterResolution, DeadLetters

dlq_app = make_app("Dead letters: what could not be processed, as it was, and why.")

TopicName = Annotated[
    str, typer.Argument(metavar="TOPIC", help="The topic that they came from, such as execute-requested.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is done.")]
Reason = Annotated[str | None, typer.Option(help="The reason, which is kept beside them.")]


@command(dlq_app, "list")
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


@command(dlq_app, "redrive")
@with_selection
async def redrive(
    cli: Session, topic_name: TopicName, selection: dict[str, Any], reason: Reason = None, *, yes: Yes = False
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


@command(dlq_app, "discard")
@with_selection
async def discard(
    cli: Session,
    topic_name: TopicName,
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
    """Redrive or discard (`outcome`) the selected open dead letters, with `asks` once confirmed; return the counts."""
    topic = get_topic(topic_name)
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
    """Call the jobstore until all dead letters are resolved that the first call found; return sums of its counts."""
    total = {"letters": 0, "skipped": 0, "forgotten": 0}
    while True:
        page = await jobstore.resolve_dead_letters(validate_resource("NewResolution", asked, "the selection"))
        total = {name: count + getattr(page, name) for name, count in total.items()}
        if page.next_offset is None:
            return total
        asked = asked | {"from_offset": page.next_offset, "to_offset": page.to_offset}


def _show_letters(out: Output, letters: "DeadLetters") -> None:
    """Print the number of dead letters of each topic, and a table of the newest dead letters."""
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
    """Return `topic/partition/offset` of a dead letter's source, with `?` for an unknown number; "" without a topic."""
    parts = (letter.source_topic, letter.source_partition, letter.source_offset)
    place = "/".join("?" if part is None else str(part) for part in parts) if letter.source_topic else ""
    return place if letter.source_last_offset is None else f"{place}-{letter.source_last_offset}"
