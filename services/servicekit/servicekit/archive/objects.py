"""Write and read objects in a directory, or in a bucket of S3, Google or Azure, and bound how long that takes.

Whatever keeps the objects may be away, slow, full or lying, so callers compare what they read with its hash. In a
directory, an object is on the disk once it is written. Credentials are those of the cloud's own variables.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from servicekit.errors import TransientError
from signoff.errors import ErrorCode

if TYPE_CHECKING:  # the stubs of obstore alone have these
    from obstore.store import ObjectStore, RetryConfig

#: The schemes of places that are no directory.
SCHEMES: Final = ("s3", "gs", "az")
#: Bytes of a request that reads or writes a part of an object: obstore gives each request half a minute.
CHUNK_BYTES: Final = 8 << 20
#: Seconds until a request must have been answered, with all its retries.
TIMEOUT_S: Final = 60.0
_RETRIES: "Final[RetryConfig]" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
#: Requests of one upload that are made at once, each with a chunk in memory.
_UPLOADS: Final = 2
#: Objects in one answer of a list.
_LISTED: Final = 1_000
#: Characters of a store's own words in a message, without the queries of URLs: Azure has signatures there.
_WORDS_MAX: Final = 300
_QUERY: Final = re.compile(r"(https?://[^\s?]+)\?\S+")

Answer = TypeVar("Answer")
#: The content of an object: at once, or in pieces of any size.
Content: TypeAlias = bytes | AsyncIterable[bytes]


def check_place(place: str) -> str:
    """Return the name of a place. Raise ValueError if it is neither a directory nor a URL that can be one."""
    scheme, colon, rest = place.partition("://")
    is_place = rest.strip("/") if colon and scheme in SCHEMES else rest if scheme == "file" else place and not colon
    if not is_place or "\0" in place:
        urls = ", ".join(f"{name}://" for name in ("file", *SCHEMES))
        raise ValueError(f"{place!r} is no place for objects: give a directory, or a URL of {urls}")
    return place


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a list: its name, its bytes, and when it was written by the clock of whatever keeps it."""

    name: str
    size: int
    written_at: datetime


class Objects:
    """The objects below one place; their names have `/` between their parts.

    Methods raise TransientError (`archive_unavailable`) while the place cannot be reached, read or written.
    """

    def __init__(self, store: "ObjectStore", place: str, folder: Path | None, timeout_s: float) -> None:
        #: The place as it was named.
        self.place = place
        self._store = store
        self._folder = folder
        self._timeout_s = timeout_s

    @classmethod
    def open(cls, place: str, *, creates: bool = False, timeout_s: float = TIMEOUT_S) -> Self:
        """Open a directory (a path, or `file://`) or a bucket (`s3://bucket/prefix`, `gs://`, `az://`).

        `creates` makes a directory that is missing. Raise ValueError if the text names no place.
        """
        check_place(place)
        scheme, _, rest = place.partition("://")
        with _explaining(place):
            if scheme in SCHEMES:
                return cls(from_url(place, retry_config=_RETRIES), place, None, timeout_s)
            folder = Path(rest if scheme == "file" else place).absolute()
            return cls(LocalStore(folder, mkdir=creates), place, folder, timeout_s)

    async def put(self, name: str, content: Content) -> None:
        """Write an object, whatever it was; readers meet the object before, or all of the new one."""
        with _explaining(self.place):
            # A stream is written as slowly as its pieces are made; only what follows a piece is bounded.
            async with asyncio.timeout(self._timeout_s) as limit:
                stream = content if isinstance(content, bytes) else self._pace(content, limit)
                await obstore.put_async(
                    self._store, name, stream, mode="overwrite", chunk_size=CHUNK_BYTES, max_concurrency=_UPLOADS
                )
                await self._flush(name)

    async def create(self, name: str, content: bytes) -> bool:
        """Write an object that does not exist; return False, and change nothing, if it does."""
        with _explaining(self.place):
            async with asyncio.timeout(self._timeout_s):
                try:
                    await obstore.put_async(self._store, name, content, mode="create")
                except AlreadyExistsError:
                    return False
                await self._flush(name)
        return True

    async def get(self, name: str, bytes_max: int = CHUNK_BYTES) -> bytes | None:
        """Return an object, or its first `bytes_max` bytes; None if there is none."""
        pieces: list[bytes] = []
        size = 0
        try:
            async with contextlib.aclosing(self.stream(name)) as stream:
                async for piece in stream:
                    pieces.append(piece)
                    size += len(piece)
                    if size >= bytes_max:
                        break
        except FileNotFoundError:
            return None
        return b"".join(pieces)[:bytes_max]

    async def stream(self, name: str) -> AsyncGenerator[bytes]:
        """Yield the content of an object in pieces of up to CHUNK_BYTES. Raise FileNotFoundError if there is none."""
        size = (await self._ask(obstore.head_async(self._store, name)))["size"]
        for start in range(0, size, CHUNK_BYTES):
            end = min(start + CHUNK_BYTES, size)
            yield bytes(await self._ask(obstore.get_range_async(self._store, name, start=start, end=end)))

    async def list(self, prefix: str, after: str | None = None) -> AsyncGenerator[StoredObject]:
        """Yield the objects whose names begin with the parts of `prefix`, in no order; only those behind `after`."""
        listed = obstore.list(self._store, prefix, offset=after, chunk_size=_LISTED)
        while (page := await self._ask(_take_page(listed))) is not None:
            for one in page:
                yield StoredObject(one["path"], one["size"], one["last_modified"])

    async def delete(self, names: Iterable[str]) -> None:
        """Delete objects, of which some may not exist."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                await self._ask(obstore.delete_async(self._store, name))

    async def _ask(self, question: Awaitable[Answer]) -> Answer:
        with _explaining(self.place, may_be_missing=True):
            async with asyncio.timeout(self._timeout_s):
                return await question

    async def _pace(self, content: AsyncIterable[bytes], limit: asyncio.Timeout) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        limit.reschedule(None)
        async for piece in content:
            limit.reschedule(loop.time() + self._timeout_s)
            yield piece
            limit.reschedule(None)
        limit.reschedule(loop.time() + self._timeout_s)

    async def _flush(self, name: str) -> None:
        """Have a directory's disk keep an object, which a loss of power would otherwise take with what it is for."""
        if self._folder is not None:
            await asyncio.to_thread(_flush_file, self._folder, name)


async def _take_page(pages: Any) -> Sequence[Any] | None:
    return await anext(pages, None)


def _flush_file(folder: Path, name: str) -> None:
    path = folder / name
    for one in (path, *(above for above in path.parents if above.is_relative_to(folder))):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _explaining(place: str, *, may_be_missing: bool = False) -> Generator[None]:
    """Raise a store's errors as TransientError, in words that show no credentials.

    An object that may be missing is a FileNotFoundError; where one is written, its bucket is missing.
    """
    try:
        yield
    except TimeoutError as error:
        raise _make_error(place, "it does not answer in time") from error
    except (BaseError, OSError, ValueError) as error:
        if may_be_missing and isinstance(error, FileNotFoundError):
            raise
        words = " ".join(str(error).partition("\n\nDebug source")[0].split())
        raise _make_error(place, _QUERY.sub(r"\1", words)[:_WORDS_MAX] or type(error).__name__) from error


def _make_error(place: str, reason: str) -> TransientError:
    return TransientError(f"{place} cannot be read or written: {reason}", code=ErrorCode.ARCHIVE_UNAVAILABLE)
