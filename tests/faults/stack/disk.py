"""A small disk of its own for the database: it is full where it is made as small as what is on it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: More than a storm of 10,000 jobs writes; it takes memory for what is on it alone.
SIZE_BYTES = 4 << 30
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Disk:
    """A tmpfs."""

    folder: Path

    @classmethod
    def mount(cls, folder: Path) -> "Disk | None":
        """Mount one; None: this machine does not let us."""
        folder.mkdir(parents=True, exist_ok=True)
        mounted = _ran("mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=0755", "signoff-faults", str(folder))
        return cls(folder) if mounted else None

    def fill(self) -> bool:
        """Leave no page free; False where it grew meanwhile, and is not full."""
        stat = os.statvfs(self.folder)
        return self._resize((stat.f_blocks - stat.f_bfree) * stat.f_frsize)

    def empty(self) -> None:
        """Make it as large as it was."""
        self._resize(SIZE_BYTES)

    def unmount(self) -> None:
        """Let it go, with all that is on it."""
        _ran("umount", str(self.folder)) or _ran("umount", "--lazy", str(self.folder))

    def _resize(self, size: int) -> bool:
        return _ran("mount", "-o", f"remount,size={max(size, _PAGE)}", str(self.folder))


def _ran(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
