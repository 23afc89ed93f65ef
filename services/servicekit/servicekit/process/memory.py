"""Find how much memory this process may take: of its container, or of its machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

#: Bytes that a process takes without any work.
OWN_BYTES: Final = 128 << 20
#: Of what else its container may take, work under way may take a half: a quarter is for judgings without a job, and the
#: rest for all that is not counted.
SHARE_OF_CONTAINER: Final = 1 / 2
#: Of a machine's, which others use, too.
SHARE_OF_MACHINE: Final = 1 / 16
_ROOT: Final = Path("/")


class Memory(NamedTuple):
    """The bytes of memory of a container, or of a machine without one."""

    max_bytes: int
    is_of_container: bool

    @property
    def work_bytes(self) -> int:
        """How many bytes work under way may take, unless a setting says otherwise."""
        if self.is_of_container:
            return max(1, int((self.max_bytes - OWN_BYTES) * SHARE_OF_CONTAINER))
        return int(self.max_bytes * SHARE_OF_MACHINE)


def find_memory(root: Path = _ROOT) -> Memory:
    """Return the least limit of the control groups of this process, if that is less than the machine has."""
    of_machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(_list_limits(root), default=of_machine)
    return Memory(min(limit, of_machine), limit < of_machine)


def _list_limits(root: Path) -> Iterator[int]:
    """Yield the limits of the groups of this process and of those above, of both versions of control groups.

    Inside a container the path of its group is often that of the host, and its files are at the top.
    """
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        folder, name = (mounted / "memory", "memory.limit_in_bytes") if controllers else (mounted, "memory.max")
        parts = Path(path).relative_to("/").parts
        for depth in range(len(parts), -1, -1):
            text = _read(folder.joinpath(*parts[:depth], name))
            if text.isdecimal():  # else it is `max`
                yield int(text)


def _read(file: Path) -> str:
    """Return the text of a file; empty if it is not there, or may not be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
