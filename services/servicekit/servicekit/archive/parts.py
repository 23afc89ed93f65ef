"""The archive of facts: parts with records byte for byte, each signed, and bound to the part before by its hash.

A part is two objects: `parts/<number>-<hash>.jsonl.zst` has a JSON line a record, and `parts/<number>.json` is its
manifest. That is written last, and once: of two writers of a number one succeeds. The other's data has another name, or
is the same, so that one that stood still for long changes no part. A manifest is a line of JSON, and a line with its
signature by a key of facts. Parts that are old enough may go, once a checkpoint has what they told: then
`parts/beginning.json`, signed in the same way, says with which part the archive begins.
"""

import asyncio
import base64
import hashlib
import math
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar
from uuid import UUID

import cramjam
from aiokafka import ConsumerRecord
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from contracts.signing import FactKey, FactKeys
from contracts.topic_prefix import TOPIC_PREFIX, bare_name
from servicekit.archive.objects import Objects
from servicekit.errors import PermanentError
from servicekit.kafka.history import Record, read_time
from signoff.errors import ErrorCode

#: The folder of the parts, and the form of their names, by which these are in order.
FOLDER: Final = "parts"
_DIGITS: Final = 12
_NAME: Final = FOLDER + f"/{{:0{_DIGITS}}}"
_MANIFEST, _DATA = ".json", ".jsonl.zst"
_BEGINNING: Final = FOLDER + "/beginning.json"
#: Hexadecimal digits of the SHA-256 of its data in the name of that.
_HASH_CHARS: Final = 16
#: Bytes of the records of a part, before these are compressed, from which on it is full.
PART_BYTES: Final = 32 << 20
#: Bytes of a manifest at most: it names each partition of the topics of facts twice.
MANIFEST_BYTES: Final = 1 << 20
#: The level of Zstandard: a higher one makes parts a tenth smaller, and takes twice the time.
_LEVEL: Final = 3
#: Manifests that are read at once.
_AHEAD: Final = 16
#: Records that are read between two turns of the event loop.
_TURN: Final = 500


class Span(BaseModel):
    """The records of one partition in a part: the first and the last offset, and their number."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    first: int
    last: int
    count: int


class Manifest(BaseModel):
    """The signed description of a part. Topics are named without the installation's prefix.

    `before` is the SHA-256 of the manifest of the part before. `incarnation` is another one after a broker came back
    empty. `offsets` has what is to be archived next, and `newest` the newest key by the markers so far, both by
    `topic/partition`; `left` counts records that nobody vouches for, and that are in no part, by topic and reason.
    `first_seq` and `last_seq` are numbers of facts; every row of the database up to `seq` is in this part or before.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["part"] = "part"
    number: int = Field(ge=1)
    before: str | None
    installation: str
    incarnation: UUID
    spans: Sequence[Span]
    left: Mapping[str, Mapping[str, int]]
    newest: Mapping[str, str]
    offsets: Mapping[str, int]
    first_seq: int | None
    last_seq: int | None
    facts_at: AwareDatetime | None
    seq: int
    bytes: int
    sha256: str

    @property
    def records(self) -> int:
        """The number of records in the part."""
        return sum(span.count for span in self.spans)

    def has(self, topic: str) -> bool:
        """Return whether the part has records of a topic."""
        return any(span.topic == topic for span in self.spans)


class Beginning(BaseModel):
    """The signed description of an archive whose first parts were let go: it begins with the part `number`.

    `before` is the SHA-256 of the manifest in front of it. Facts in front have numbers up to `seq`, and `checkpoint` is
    the oldest checkpoint that has them all.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["beginning"] = "beginning"
    number: int = Field(ge=2)
    before: str
    installation: str
    checkpoint: int
    seq: int


class Part(BaseModel):
    """A manifest that was read, with the SHA-256 of its object."""

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    sha256: str
    #: Whether a key that is known has signed it; else the hash in a later part may vouch for it.
    is_signed: bool

    @property
    def number(self) -> int:
        """The part's number."""
        return self.manifest.number


_Text: TypeAlias = str | dict[str, str] | None
AnyManifest = TypeVar("AnyManifest", bound=BaseModel)
#: What a document that is no manifest raises.
_UNREADABLE: Final = (ValidationError, ValueError, IndexError, KeyError, TypeError)


class PartWriter:
    """Gather the records of one part, in the order of each partition, as they are compressed."""

    def __init__(self) -> None:
        self._compressor = cramjam.zstd.Compressor(_LEVEL)
        self._data = bytearray()
        self._spans: dict[tuple[str, int], Span] = {}
        #: The bytes of the records so far.
        self.size = 0
        self._newest: Record | None = None

    def add(self, records: Iterable[Record]) -> None:
        """Add records, each with all of its fields."""
        lines = b"".join([self._write(record) for record in records])
        self._compressor.compress(lines)
        self._data += bytes(self._compressor.flush())
        self.size += len(lines)

    @property
    def spans(self) -> list[Span]:
        """The records so far by partition, in the order of their names."""
        return [self._spans[place] for place in sorted(self._spans)]

    @property
    def facts_at(self) -> datetime | None:
        """The time of the newest record."""
        return None if self._newest is None else read_time(self._newest)

    def finish(self) -> bytes:
        """Return the part's data."""
        self._data += bytes(self._compressor.finish())
        return bytes(self._data)

    def _write(self, record: Record) -> bytes:
        topic = bare_name(record.topic)
        place = topic, record.partition
        last = record.offset
        before = self._spans.get(place)
        first, count = (last, 0) if before is None else (before.first, before.count)
        self._spans[place] = Span.model_construct(
            topic=topic, partition=record.partition, first=first, last=last, count=count + 1
        )
        if self._newest is None or record.timestamp > self._newest.timestamp:
            self._newest = record
        line = {
            "topic": topic,  # in front, since readers pick lines by it
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "timestamp_type": record.timestamp_type,
            "key": _write_bytes(record.key),
            "value": _write_bytes(record.value),
            "headers": [(name, _write_bytes(value)) for name, value in record.headers],
        }
        return to_json(line) + b"\n"


def _write_bytes(value: bytes | None) -> _Text:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value or b"").decode()}


def _read_bytes(value: _Text) -> bytes | None:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    return None if value is None else value.encode()


def read_record(line: bytes) -> Record:
    """Return the record in a line of a part, with the topic as it is named here."""
    read: dict[str, Any] = from_json(line)
    key, value = _read_bytes(read["key"]), _read_bytes(read["value"])
    return ConsumerRecord(
        TOPIC_PREFIX + read["topic"],
        read["partition"],
        read["offset"],
        read["timestamp"],
        read["timestamp_type"],
        key,
        value,
        None,
        -1 if key is None else len(key),
        -1 if value is None else len(value),
        tuple((name, _read_bytes(text)) for name, text in read["headers"]),
    )


def iterate_records(data: bytes, topic: str) -> Iterator[Record]:
    """Yield the records of a topic in the data of a part."""
    opening = b'{"topic":' + to_json(bare_name(topic)) + b","
    return (read_record(line) for line in data.splitlines() if line.startswith(opening))


class Archive:
    """The parts at one place. With `installation`, parts of another one are refused.

    Methods raise PermanentError (`wrong_archive`) if a part was changed, is missing, or is another installation's, and
    TransientError (`archive_unavailable`) while the place cannot be reached.
    """

    def __init__(self, objects: Objects, keys: FactKeys, installation: str | None = None) -> None:
        self._objects = objects
        self._keys = keys
        self._installation = installation

    @property
    def place(self) -> str:
        """The place as it was named."""
        return self._objects.place

    async def write(self, manifest: Manifest, data: bytes) -> Part | None:
        """Write a part, and read it back; return None if another writer has written one with its number.

        The data is read back first, so that a manifest is there only if the data was.
        """
        name, document = _NAME.format(manifest.number), _sign(manifest, self._keys)
        await self._objects.put(_name_data(manifest), data)
        await self.check_data(Part(manifest=manifest, sha256=hashlib.sha256(document).hexdigest(), is_signed=True))
        if not await self._objects.create(name + _MANIFEST, document):
            return None
        part = await self.read_part(manifest.number)
        if part.manifest != manifest:
            raise self._refuse(manifest.number, "is not as it was written a moment ago")
        return part

    async def find_part(self, number: int) -> Part | None:
        """Return a part, or None if there is none with this number. An empty manifest is deleted.

        Only a loss of power leaves one, before anything relied on it.
        """
        name = _NAME.format(number) + _MANIFEST
        document = await self._objects.get(name, MANIFEST_BYTES)
        if document is not None and not document.strip(b"\0"):
            await self._objects.delete([name])
            return None
        return None if document is None else self._read(number, document)

    async def read_part(self, number: int) -> Part:
        """Return a part, whose manifest must be there; whether the one before is the right one, its reader checks."""
        document = await self._objects.get(_NAME.format(number) + _MANIFEST, MANIFEST_BYTES)
        if document is None:
            raise self._refuse(number, "is missing")
        return self._read(number, document)

    async def read_data(self, part: Part) -> bytes:
        """Return the lines of a part, which are as its manifest says."""
        data = await self.check_data(part)
        return await asyncio.to_thread(lambda: bytes(cramjam.zstd.decompress(data)))

    async def check_data(self, part: Part) -> bytes:
        """Return the data of a part, compressed. PermanentError: it is not as the part's manifest says."""
        manifest, name = part.manifest, _name_data(part.manifest)
        data = await self._objects.get(name, manifest.bytes + 1)
        if data is None:
            raise self._refuse(part.number, f"has no data any more ({name})")
        if len(data) != manifest.bytes or hashlib.sha256(data).hexdigest() != manifest.sha256:
            raise self._refuse(part.number, f"was changed: {name} has another hash than its manifest says")
        return data

    async def list_numbers(self) -> list[int]:
        """Return the numbers of all parts that have a manifest, in order."""
        listed = [one.name async for one in self._objects.list(FOLDER)]
        names = [name.removeprefix(FOLDER + "/").removesuffix(_MANIFEST) for name in listed if name.endswith(_MANIFEST)]
        return sorted(int(name) for name in names if name.isdecimal())

    async def read_chain(self, first: int = 1) -> AsyncGenerator[Part]:
        """Yield the parts from `first` on, without their data, as long as each follows the one before.

        The last must be signed by a key that is known; then hashes vouch for all once the last was yielded.
        """
        end = max(await self.list_numbers(), default=0) + 1
        beginning = await self.find_beginning()
        first = first if beginning is None else max(first, beginning.number)
        if end <= first:
            return
        newest = await self.read_part(end - 1)
        self._check_signed(newest)
        last: Part | None = None
        for begin in range(first, end, _AHEAD):
            numbers = range(begin, min(begin + _AHEAD, end))
            for part in await asyncio.gather(*(self.read_part(number) for number in numbers)):
                if last is not None:
                    self._check_order(last, part)
                elif beginning is not None and part.number == beginning.number:
                    self._check_first(part, beginning)
                yield (last := part)
        if last != newest:
            raise self._refuse(newest.number, "was changed while it was read")

    async def find_beginning(self) -> Beginning | None:
        """Return with which part the archive begins, if not with the first."""
        found = await self._read_beginning()
        return None if found is None else found[0]

    async def begin_at(self, beginning: Beginning) -> None:
        """Say with which part the archive begins; what is in front of it is then not missed (see `clear`)."""
        await self._objects.put(_BEGINNING, _sign(beginning, self._keys))

    async def renew_beginning(self) -> None:
        """Sign the beginning with the newest key: the one that signed it may soon be unknown to readers."""
        found = await self._read_beginning()
        if found is not None and found[1].name != self._keys.signing.name:
            await self.begin_at(found[0])

    async def clear(self) -> int:
        """Delete the parts in front of the beginning, and return their number."""
        beginning = await self.find_beginning()
        before = 0 if beginning is None else beginning.number
        names = [one.name async for one in self._objects.list(FOLDER)]
        # Of each number the manifest is last, by which those are found that are left.
        gone = sorted(name for name in names if _read_number(name) < before)
        await self._objects.delete(gone)
        return sum(name.endswith(_MANIFEST) for name in gone)

    def check_successor(self, before: Part | None, part: Part) -> None:
        """Raise PermanentError unless a part follows another one (None: it is the first) and is signed."""
        self._check_signed(part)
        if before is not None:
            self._check_order(before, part)
        elif part.manifest.before is not None:
            raise self._refuse(part.number, "follows a part that is not there")

    def _check_first(self, part: Part, beginning: Beginning) -> None:
        if part.manifest.before != beginning.before:
            raise self._refuse(part.number, "was changed: it is not the one with which the archive begins")

    def _check_signed(self, part: Part) -> None:
        if not part.is_signed:
            raise self._refuse(part.number, "is signed by no key that is known here: give the secrets that signed it")

    def _check_order(self, before: Part, part: Part) -> None:
        if part.manifest.before != before.sha256:
            raise self._refuse(before.number, f"was changed: it is not the one that part {part.number} follows")
        if part.manifest.installation != before.manifest.installation:
            raise self._refuse(part.number, f"is of the installation {part.manifest.installation}")

    def _read(self, number: int, document: bytes) -> Part:
        try:
            manifest, signer = self._split(document, Manifest)
        except _UNREADABLE:
            raise self._refuse(number, "was changed: its manifest cannot be read") from None
        if manifest.number != number:
            raise self._refuse(number, f"was changed: its manifest is that of part {manifest.number}")
        if self._installation not in (None, manifest.installation):
            reason = f"is of the installation {manifest.installation}, and this is {self._installation}"
            raise self._refuse(number, reason)
        return Part(manifest=manifest, sha256=hashlib.sha256(document).hexdigest(), is_signed=signer is not None)

    async def _read_beginning(self) -> tuple[Beginning, FactKey] | None:
        """Return the beginning and the key that signed it. PermanentError: it was changed, or no known key did."""
        document = await self._objects.get(_BEGINNING, MANIFEST_BYTES)
        if document is None:
            return None
        try:
            beginning, signer = self._split(document, Beginning)
        except _UNREADABLE:
            raise PermanentError(
                f"{_BEGINNING} of the archive {self.place} was changed: it cannot be read", code=ErrorCode.WRONG_ARCHIVE
            ) from None
        if signer is None:
            raise PermanentError(
                f"{_BEGINNING} of the archive {self.place} is signed by no key that is known here: it was changed, or "
                "give the secrets that signed it",
                code=ErrorCode.WRONG_ARCHIVE,
            )
        if self._installation not in (None, beginning.installation):
            raise PermanentError(
                f"{_BEGINNING} of the archive {self.place} is of the installation {beginning.installation}",
                code=ErrorCode.WRONG_ARCHIVE,
            )
        return beginning, signer

    def _split(self, document: bytes, kind: type[AnyManifest]) -> tuple[AnyManifest, FactKey | None]:
        """Return a signed document and the key that signed it; None: no known key did."""
        lines = document.split(b"\n")
        signature = str(from_json(lines[1])["signature"])
        return kind.model_validate_json(lines[0]), self._keys.find_manifest_signer(lines[0], signature)

    def _refuse(self, number: int, reason: str) -> PermanentError:
        return PermanentError(f"part {number} of the archive {self.place} {reason}", code=ErrorCode.WRONG_ARCHIVE)


def _read_number(name: str) -> float:
    """Return the number of the part that an object is of; infinity: of none."""
    number = name.removeprefix(FOLDER + "/")[:_DIGITS]
    return int(number) if number.isdecimal() else math.inf


def _name_data(manifest: Manifest) -> str:
    return f"{_NAME.format(manifest.number)}-{manifest.sha256[:_HASH_CHARS]}{_DATA}"


def _sign(manifest: BaseModel, keys: FactKeys) -> bytes:
    line = manifest.model_dump_json().encode()
    return line + b"\n" + to_json({"signature": keys.signing.sign_manifest(line)}) + b"\n"
