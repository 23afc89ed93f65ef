"""Read files again when they change: certificates, keys and passwords, which are replaced while a process runs."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What tells one content of a file from another: a file that is replaced, as by a link to another, has another number.
_Stamp = tuple[tuple[int, int, int] | None, ...]
_UNREAD: Final = object()


class WatchedFiles(Generic[T]):
    """A value made of some files, and made again by `load` when it is asked for after one of them has changed.

    While they cannot be read, as between a new certificate and its key, the value is what they held before.
    """

    def __init__(self, paths: Iterable[Path | None], load: Callable[[], T]) -> None:
        """Take the files, None among them for those that are not used; nothing is read yet."""
        self._paths = [path for path in paths if path is not None]
        self._load = load
        self._stamp: _Stamp | None = None
        self._value: T | object = _UNREAD

    def read(self) -> T:
        """Return the value. Raise what `load` raises (OSError, ValueError) only if no value was ever made."""
        stamp = tuple(map(_stamp, self._paths))
        if self._value is _UNREAD:
            self._value, self._stamp = self._load(), stamp
        elif stamp != self._stamp:
            self._stamp = stamp
            try:
                self._value = self._load()
            except (OSError, ValueError) as error:
                names = [str(path) for path in self._paths]
                log.error("files have changed, and cannot be used", extra={"files": names, "reason": str(error)})  # noqa: TRY400 - it says all
            else:
                log.info("files have changed, and are used", extra={"files": [str(path) for path in self._paths]})
        return self._value  # type: ignore[return-value] # made above


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
