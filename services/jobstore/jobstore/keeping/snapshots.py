"""Snapshots of the database, each of one moment: checkpoints in the archive, and backups. A rebuild begins at one.

Beside an archive's parts a snapshot is `checkpoints/<number>.json`, its manifest, which is written last and signed, and
`checkpoints/<number>/<run>/<table>.copy.zst` for each table: what COPY writes, as frames of zstd. Each frame is behind
a frame that zstd skips, which has its length, so that little is in memory at once.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID, uuid4

import cramjam
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.signing import FactKeys
from jobstore.engine.sql import Connection
from jobstore.executions.store import REMEMBERED
from jobstore.schema.migrations.versions import REVISIONS
from jobstore.schema.tables import metadata
from servicekit.archive.objects import Objects
from servicekit.errors import PermanentError, TransientError
from signoff.errors import ErrorCode

FOLDER: Final = "checkpoints"
#: The tables that a rebuild has from facts, too: the snapshot's rows, and what facts have told since. Rows of all other
#: tables of facts are made of those in `facts`.
TOLD: Final = ("jobs", "job_logs", "executions", "facts")
#: The tables that no fact tells of, or only those of jobs that are removed by now.
UNTOLD: Final = (
    *("receipt_keys", "request_keys", "judgings", "judging_counts", "audit", "inboxes", "stubs"),
    *("rollup", "rollups", "agent_rollups", "tenant_rollups", "tenant_agent_rollups", "quality_rollups"),
    *("keeping", "archive_parts"),
)
#: Rows that are left out: answers that are kept for a time, and judgings that a rebuild queues again.
_LEFT_OUT: Final = {"executions": REMEMBERED, "judgings": "state <> 'DONE'"}
#: Bytes of a frame before it is compressed, and what a frame may have at most when it is read.
FRAME_BYTES: Final = 1 << 20
_FRAME_MAX_BYTES: Final = 64 << 20
#: The head of a frame that zstd skips (RFC 8878, 3.1.2): its magic number, its size, and here the next frame's.
_HEAD: Final = struct.Struct("<IIQ")
_SKIPPED: Final = 0x184D2A50
_LEVEL: Final = 3
_MANIFEST_MAX_BYTES: Final = 1 << 20

_STATE: Final = text(
    "SELECT relay.offsets::text, relay.signers::text, relay.published_seq, incarnation, signoff_now() AS now, "
    "(SELECT version_num FROM alembic_version) AS revision, "
    "greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts), 0) AS last_seq, "
    "(SELECT count(*) FROM job_logs WHERE seq > relay.published_seq) "
    "+ (SELECT count(*) FROM facts WHERE seq > relay.published_seq) AS behind "
    "FROM relay CROSS JOIN keeping"
)


class TableCopy(BaseModel):
    """The copy of a table: its object, whose `bytes` and hash are those of the object."""

    name: str
    object: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a snapshot is of. `offsets` and `signers` are the relay's: facts up to them are in the tables.

    `before` is the hash of the manifest before, `last_seq` the highest number of a fact in the tables.
    """

    kind: Literal["checkpoint"] = "checkpoint"
    number: int
    before: str | None
    installation: str
    incarnation: UUID
    revision: str
    version: str
    made_at: datetime
    offsets: dict[str, int]
    signers: list[str]
    published_seq: int
    last_seq: int
    #: Facts in the tables that may be in no topic yet.
    behind: int
    tables: list[TableCopy]

    @property
    def bytes(self) -> int:
        """The bytes of all tables, as they are stored."""
        return sum(table.bytes for table in self.tables)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose manifest is signed by one of the keys."""

    objects: Objects
    manifest: Manifest
    #: The hash of the object of the manifest.
    hash: str

    @property
    def name(self) -> str:
        """The place and number, in words."""
        return f"checkpoint {self.manifest.number} of {self.objects.place}"

    async def check(self) -> None:
        """Read all tables. PermanentError: an object is missing, or not what was written.

        Their hashes say so: what was written is decompressed by `load` alone.
        """
        for table in self.manifest.tables:
            async with aclosing(self._read(table, unpacks=False)) as frames:
                async for _ in frames:
                    pass

    async def load(self, connection: Connection) -> None:
        """Copy the rows into the tables, which hold nothing else."""
        for table in self.manifest.tables:
            known = metadata.tables.get(table.name)
            if known is None or not set(table.columns).issubset(known.c.keys()):
                raise _refuse(f"{self.name} has the table {table.name} with columns that this version does not know")
            await connection.execute(text(f"DELETE FROM {table.name}"))  # noqa: S608 - a name of our own
            async with aclosing(self._read(table)) as frames:
                await connection.driver.copy_to_table(table.name, source=frames, columns=table.columns, format="text")

    async def _read(self, table: TableCopy, *, unpacks: bool = True) -> AsyncGenerator[bytes]:
        """Yield the rows of a table as COPY reads them, or as they are stored unless it `unpacks`.

        PermanentError: the object is not what was written.
        """
        digest, size = sha256(), 0
        damaged = _refuse(f"{self.name} is damaged: {table.object} is not what was written; name an older checkpoint")
        try:
            async with aclosing(self.objects.stream(table.object)) as pieces:

                async def pass_on() -> AsyncGenerator[bytes]:
                    nonlocal size
                    async for piece in pieces:
                        digest.update(piece)
                        size += len(piece)
                        yield piece

                async with aclosing(_split(pass_on())) as frames:
                    async for frame in frames:
                        yield bytes(cramjam.zstd.decompress(frame)) if unpacks else frame
        except FileNotFoundError:
            raise _refuse(f"{self.name} is not whole: {table.object} is missing; name an older checkpoint") from None
        except (ValueError, cramjam.DecompressionError) as error:
            raise damaged from error
        if (digest.hexdigest(), size) != (table.sha256, table.bytes):
            raise damaged


async def _split(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield frames from pieces of any size. ValueError: there is something else."""
    left = bytearray()
    async for piece in pieces:
        left += piece
        while len(left) >= _HEAD.size:
            magic, size, length = _HEAD.unpack_from(left)
            if magic != _SKIPPED or size != _HEAD.size - 8 or length > _FRAME_MAX_BYTES:
                raise ValueError("no frame")
            end = _HEAD.size + length
            if len(left) < end:
                break
            yield bytes(left[_HEAD.size : end])
            del left[:end]
    if left:
        raise ValueError("half a frame")


class _Copy:
    """The rows of a query as COPY writes them, in frames, while they are read."""

    def __init__(self, connection: Connection, query: str) -> None:
        self._connection = connection
        self._query = query
        self.rows = self.bytes = 0
        self.digest = sha256()
        self._pieces = asyncio.Queue[bytes | None](maxsize=1)

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the content of the object. The error of the database is raised."""
        copying = asyncio.create_task(self._copy())
        try:
            left = bytearray()
            while (piece := await self._pieces.get()) is not None:
                left += piece
                if len(left) >= FRAME_BYTES:
                    yield self._make_frame(left)
                    left = bytearray()
            await copying
            if left:
                yield self._make_frame(left)
        finally:
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)

    async def _copy(self) -> None:
        try:
            done = await self._connection.driver.copy_from_query(self._query, output=self._pieces.put, format="text")
            self.rows = int(done.rpartition(" ")[2])
        finally:
            await self._pieces.put(None)

    def _make_frame(self, rows: bytearray) -> bytes:
        packed = bytes(cramjam.zstd.compress(rows, _LEVEL))
        frame = _HEAD.pack(_SKIPPED, _HEAD.size - 8, len(packed)) + packed
        self.digest.update(frame)
        self.bytes += len(frame)
        return frame


class Snapshots:
    """The snapshots in a place, which keys sign; `installation` is empty where it is not known."""

    def __init__(self, objects: Objects, keys: FactKeys, installation: str = "") -> None:
        self._objects = objects
        self._keys = keys
        self._installation = installation

    async def list_numbers(self) -> list[int]:
        """Return the numbers of all snapshots, the oldest first."""
        return sorted([number async for each in self._objects.list(FOLDER) if (number := _read_number(each.name))])

    async def forget(self, kept_s: float | None) -> int:
        """Delete snapshots that are `kept_s` older than the newest, and what writers left that did not come to an end.

        Return the number of the snapshots. None keeps all of them.
        """
        stored = [each async for each in self._objects.list(FOLDER)]
        manifests = {number: each for each in stored if (number := _read_number(each.name))}
        if not manifests:
            return 0
        last = max(manifests)
        newest = manifests[last]
        ends_at = datetime.min.replace(tzinfo=UTC) if kept_s is None else newest.written_at - timedelta(seconds=kept_s)
        old = [number for number, each in manifests.items() if number != last and each.written_at < ends_at]
        await self._objects.delete(map(name_manifest, old))  # first, so that none is there without its tables
        kept = {name_folder(number) for number in manifests.keys() - {last, *old}}
        named = {table.object for table in (await self._read(last)).manifest.tables}
        folders = [(each.name, each.name.split("/")[1]) for each in stored if each.name.count("/") > 1]
        # Behind the newest is what another writer writes now.
        left = [name for name, of in folders if name not in named and of not in kept and of <= name_folder(last)]
        await self._objects.delete(left)
        return len(old)

    async def open(self, number: int | None = None) -> Snapshot | None:
        """Return a snapshot by its number, or the newest; None: there is none.

        PermanentError: it is not whole, not signed by these keys, of another installation, or of a newer version.
        """
        numbers = await self.list_numbers()
        number = max(numbers, default=None) if number is None else number
        if number is None:
            return None
        snapshot = await self._read(number)
        earlier = [each for each in numbers if each < number]
        if earlier:
            self._check_order(await self._read(earlier[-1]), snapshot)
        return snapshot

    async def _read(self, number: int) -> Snapshot:
        content = await self._objects.get(name_manifest(number), _MANIFEST_MAX_BYTES)
        name = f"checkpoint {number} of {self._objects.place}"
        if content is None:
            raise _refuse(f"there is no {name}")
        try:
            signed, line, _ = content.split(b"\n")
            manifest, signature = Manifest.model_validate_json(signed), str(from_json(line)["signature"])
        except (ValidationError, ValueError, KeyError, TypeError):
            raise _refuse(f"the manifest of {name} is damaged: name an older one") from None
        signer = self._keys.find_manifest_signer(signed, signature)
        if signer is None:
            raise _refuse(
                f"no given key has signed {name}: it is another installation's, or was changed; or give the key of the "
                "secret that signed facts then"
            )
        if manifest.number != number or signer.name not in (manifest.signers[-1:] or [signer.name]):
            raise _refuse(f"{name} is not the one that was written there: name an older one")
        if self._installation and manifest.installation not in {"", self._installation}:
            raise _refuse(f"{name} is another installation's: {manifest.installation}, not {self._installation}")
        _check_revision(name, manifest)
        return Snapshot(self._objects, manifest, sha256(content).hexdigest())

    def _check_order(self, before: Snapshot, snapshot: Snapshot) -> None:
        """Refuse a snapshot that does not follow the one before it, or that a replaced secret has signed."""
        ages = {key.name: age for age, key in enumerate(self._keys)}
        older, newer = (ages.get(name) for each in (before, snapshot) for name in each.manifest.signers[-1:] or [""])
        is_retired = older is not None and newer is not None and newer > older
        is_next = snapshot.manifest.number != before.manifest.number + 1 or snapshot.manifest.before == before.hash
        if is_retired or not is_next:
            raise _refuse(f"{snapshot.name} does not follow the one before it: somebody else wrote one of them")

    async def write(self, connection: Connection, version: str) -> Snapshot:
        """Write the snapshot that a transaction sees (REPEATABLE READ), and return it once it was read back.

        PermanentError: another writer was faster, or the keys are not those that sign facts now.
        """
        state = (await connection.execute(_STATE)).one()
        signers: list[str] = from_json(state.signers)
        if signers and signers[-1] != self._keys.signing.name:
            newest = signers[-1].partition(":")[0]
            raise PermanentError(
                f"facts are signed with {newest!r}: list its secret first", code=ErrorCode.WRONG_SECRETS
            )
        numbers = await self.list_numbers()
        before = await self._objects.get(name_manifest(numbers[-1]), _MANIFEST_MAX_BYTES) if numbers else None
        number = numbers[-1] + 1 if numbers else 1
        run = f"{FOLDER}/{name_folder(number)}/{uuid4().hex}"
        tables = [await self._write_table(connection, table, run) for table in (*TOLD, *UNTOLD)]
        manifest = Manifest(
            number=number,
            before=before and sha256(before).hexdigest(),
            installation=self._installation,
            incarnation=state.incarnation,
            revision=state.revision,
            version=version,
            made_at=state.now,
            offsets=from_json(state.offsets),
            signers=signers,
            published_seq=state.published_seq,
            last_seq=state.last_seq,
            behind=state.behind,
            tables=tables,
        )
        return await self._seal(manifest)

    async def _seal(self, manifest: Manifest) -> Snapshot:
        signed = to_json(manifest)
        # As the manifest of a part: a line of JSON, and a line with its signature.
        content = signed + b"\n" + to_json({"signature": self._keys.signing.sign_manifest(signed)}) + b"\n"
        snapshot = Snapshot(self._objects, manifest, sha256(content).hexdigest())
        await snapshot.check()
        if not await self._objects.create(name_manifest(manifest.number), content):
            raise TransientError(f"another {snapshot.name} was written meanwhile", code=ErrorCode.ARCHIVE_UNAVAILABLE)
        return snapshot

    async def _write_table(self, connection: Connection, name: str, run: str) -> TableCopy:
        columns = metadata.tables[name].c.keys()
        where = f" WHERE NOT ({_LEFT_OUT[name]})" if name in _LEFT_OUT else ""
        copy = _Copy(connection, f"SELECT {', '.join(columns)} FROM {name}{where}")  # noqa: S608 - names of our own
        stored = f"{run}/{name}.copy.zst"
        async with aclosing(copy.stream()) as content:
            await self._objects.put(stored, content)
        return TableCopy(
            name=name,
            object=stored,
            columns=columns,
            rows=copy.rows,
            bytes=copy.bytes,
            sha256=copy.digest.hexdigest(),
        )


def name_folder(number: int) -> str:
    """Return the name of the folder of a snapshot's tables, as which its manifest begins."""
    return f"{number:012}"


def name_manifest(number: int) -> str:
    """Return the name of the object of a manifest."""
    return f"{FOLDER}/{name_folder(number)}.json"


def _read_number(name: str) -> int:
    """Return the number of the manifest that an object is; 0: it is none."""
    number = name.removeprefix(f"{FOLDER}/").removesuffix(".json")
    return int(number) if number.isdecimal() and name == name_manifest(int(number)) else 0


def _check_revision(name: str, manifest: Manifest) -> None:
    if manifest.revision not in REVISIONS:
        raise PermanentError(
            f"{name} has tables of revision {manifest.revision}, which this version does not know: "
            f"take Signoff {manifest.version} or newer",
            code=ErrorCode.UNKNOWN_REVISION,
        )


def _refuse(message: str) -> PermanentError:
    return PermanentError(message, code=ErrorCode.WRONG_ARCHIVE)
